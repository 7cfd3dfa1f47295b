//! An answer is found by whoever waits for it, whenever it comes and however often it is waited for.

use super::model;
use crate::reply::{Answer, reply};
use crate::sync::Deadline;

#[test]
fn who_waits_gets_the_answer() {
    model(|| {
        let (reply, awaited) = reply();
        let answering = loom::thread::spawn(move || reply.send(1));
        let answer = awaited.wait(Deadline::default());
        assert!(matches!(answer, Answer::Here(1)));
        answering.join().unwrap();
    });
}

#[test]
fn who_waits_learns_that_no_answer_will_come() {
    model(|| {
        let (reply, awaited) = reply::<()>();
        let failing = loom::thread::spawn(move || drop(reply));
        assert!(matches!(awaited.wait(Deadline::default()), Answer::Lost));
        failing.join().unwrap();
    });
}

#[test]
fn an_answer_that_comes_too_late_for_one_is_there_for_the_next() {
    model(|| {
        let (reply, awaited) = reply();
        let answering = loom::thread::spawn(move || reply.send(1));
        let patience = Deadline::after(Some(0));
        let found = match awaited.wait(patience) {
            Answer::ToCome => awaited.wait(Deadline::default()),
            found => found,
        };
        assert!(matches!(found, Answer::Here(1)));
        answering.join().unwrap();
    });
}
