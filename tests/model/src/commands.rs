//! No command stays in an inbox while everybody waits.

use super::model;
use crate::inbox::{Found, Inbox};
use crate::sync::{Condvar, Deadline, Mutex, lock, wait};
use std::sync::Arc;

/// What the reader has besides its inbox: a place to wait elsewhere, which only the forwarder can end.
#[derive(Default)]
struct Elsewhere {
    permits: Mutex<usize>,
    woken: Condvar,
}

impl Elsewhere {
    fn wake(&self) {
        *lock(&self.permits) += 1;
        self.woken.notify_one();
    }

    fn wait(&self) {
        let mut permits = lock(&self.permits);
        while *permits == 0 {
            permits = wait(&self.woken, permits, Deadline::default());
        }
        *permits -= 1;
    }
}

/// One thread puts two commands and closes; a forwarder; and this reader, until it has found both.
fn found(read: impl Fn(&Inbox<u32>, &Elsewhere) -> Vec<u32>) -> Vec<u32> {
    let inbox = Arc::new(Inbox::default());
    let elsewhere = Arc::new(Elsewhere::default());
    let forwarding = {
        let (inbox, elsewhere) = (inbox.clone(), elsewhere.clone());
        loom::thread::spawn(move || inbox.forward(|| elsewhere.wake()))
    };
    let putting = {
        let inbox = inbox.clone();
        loom::thread::spawn(move || [1, 2].map(|command| inbox.put(command)))
    };
    let found = read(&inbox, &elsewhere);
    putting.join().unwrap();
    inbox.close();
    forwarding.join().unwrap();
    found
}

#[test]
fn a_reader_that_waits_in_its_inbox_finds_all() {
    model(|| {
        let read = |inbox: &Inbox<u32>, _: &Elsewhere| [(); 2].map(|()| next(inbox)).to_vec();
        assert_eq!(found(read), [1, 2]);
    });
}

#[test]
fn a_reader_that_waits_elsewhere_is_woken_for_all() {
    model(|| {
        let read = |inbox: &Inbox<u32>, elsewhere: &Elsewhere| {
            let mut found = Vec::new();
            while found.len() < 2 {
                match inbox.look_and_leave() {
                    Found::Command(command) => found.push(command),
                    Found::Nothing => elsewhere.wait(),
                    Found::Closed => panic!("closed too early"),
                }
            }
            found
        };
        assert_eq!(found(read), [1, 2]);
    });
}

/// As the thread does it: elsewhere while something is under way, which ends by itself, then in the inbox.
#[test]
fn a_reader_that_goes_to_and_fro_finds_all() {
    model(|| {
        let read = |inbox: &Inbox<u32>, elsewhere: &Elsewhere| {
            let mut found = vec![next(inbox)];
            if let Found::Command(command) = inbox.look_and_leave() {
                found.push(command);
            }
            inbox.awake();
            elsewhere.wake();
            while found.len() < 2 {
                elsewhere.wait();
                found.extend(match inbox.look() {
                    Found::Command(command) => Some(command),
                    _ => Some(next(inbox)),
                });
            }
            found
        };
        assert_eq!(found(read), [1, 2]);
    });
}

#[test]
fn whoever_waits_is_told_of_the_end() {
    model(|| {
        let inbox = Arc::new(Inbox::<u32>::default());
        let waiting = {
            let inbox = inbox.clone();
            loom::thread::spawn(move || inbox.wait(Deadline::default()))
        };
        let forwarding = {
            let inbox = inbox.clone();
            loom::thread::spawn(move || inbox.forward(|| {}))
        };
        inbox.close();
        assert_eq!(waiting.join().unwrap(), Found::Closed);
        forwarding.join().unwrap();
    });
}

fn next(inbox: &Inbox<u32>) -> u32 {
    match inbox.wait(Deadline::default()) {
        Found::Command(command) => command,
        other => panic!("{other:?}"),
    }
}
