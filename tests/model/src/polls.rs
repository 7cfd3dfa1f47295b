//! No poll waits for what is there, or for what will never come.

use super::*;
use crate::instant::pass;
use crate::signal::{readable, wait_until_readable};
use crate::sync::lock;

#[test]
fn a_wake_before_or_during_a_poll_ends_it() {
    model(|| {
        let events = Events::new(LIMITS);
        let waking = spawn(&events, |events| events.wake());
        assert_eq!(events.poll(ever()), Polled::Nothing);
        waking.join().unwrap();
        assert_eq!(events.poll(now()), Polled::Nothing);
    });
}

#[test]
fn a_wake_and_an_event_end_two_polls() {
    model(|| {
        let events = Events::new(LIMITS);
        let polling = [(); 2].map(|()| spawn(&events, |events| events.poll(ever())));
        events.notify(String::new());
        events.wake();
        let ends = polling.map(|poll| poll.join().unwrap());
        let found = ends.iter().filter(|end| matches!(end, Polled::Event(_)));
        let woken = ends.iter().filter(|end| **end == Polled::Nothing);
        assert_eq!((found.count(), woken.count()), (1, 1));
    });
}

#[test]
fn a_wake_for_a_poll_that_waits_is_not_taken_by_another_one() {
    model(|| {
        let events = Events::new(LIMITS);
        let waiting = spawn(&events, |events| events.poll(ever()));
        while lock(&events.state).blocked == 0 {
            loom::thread::yield_now();
        }
        events.wake();
        // If this took the wake, the other would wait for ever.
        assert_eq!(events.poll(now()), Polled::Nothing);
        assert_eq!(waiting.join().unwrap(), Polled::Nothing);
    });
}

#[test]
fn a_poll_whose_time_is_up_leaves_the_wake_to_one_that_waits() {
    model(|| {
        let events = Events::new(LIMITS);
        let patience = Deadline::after(Some(1));
        let hasty = spawn(&events, move |events| events.poll(patience));
        let waking = spawn(&events, |events| {
            while lock(&events.state).blocked < 2 {
                loom::thread::yield_now();
            }
            pass(1);
            events.wake();
        });
        assert_eq!(events.poll(ever()), Polled::Nothing);
        waking.join().unwrap();
        events.close();
        hasty.join().unwrap();
    });
}

#[test]
fn polls_end_when_the_client_is_closed_and_all_is_collected() {
    model(|| {
        let events = Events::new(LIMITS);
        let polling = [(); 2].map(|()| spawn(&events, |events| collect(events)));
        events.notify("notice".into());
        end(&events);
        let tags = polling.map(|poll| poll.join().unwrap()).concat();
        assert_eq!(tags, [0]);
    });
}

#[test]
fn a_poll_beside_a_call_and_a_close_gets_the_event_and_the_end() {
    model(|| {
        let events = Events::new(LIMITS);
        let polling = spawn(&events, |events| collect(events));
        events.start(call(1)).unwrap();
        end(&events);
        assert_eq!(polling.join().unwrap(), [1]);
    });
}

#[test]
fn an_event_loop_collects_all_by_the_descriptor() {
    model(|| {
        let events = Events::new(LIMITS);
        let looping = spawn(&events, |events| {
            let descriptor = events.descriptor().unwrap();
            let mut tags = Vec::new();
            while tags.len() < 3 {
                wait_until_readable(descriptor);
                while let Polled::Event(event) = events.poll(now()) {
                    tags.push(event.tag);
                }
            }
            assert!(!readable(descriptor));
            tags
        });
        events.start(call(1)).unwrap();
        events.notify(String::new());
        events.start(call(2)).unwrap();
        let mut tags = looping.join().unwrap();
        tags.sort_unstable();
        assert_eq!(tags, [0, 1, 2]);
        end(&events);
    });
}

#[test]
fn an_event_loop_that_takes_one_event_at_a_time_collects_all() {
    model(|| {
        let events = Events::new(LIMITS);
        let looping = spawn(&events, |events| {
            let descriptor = events.descriptor().unwrap();
            for _ in 0..2 {
                wait_until_readable(descriptor);
                assert!(matches!(events.poll(now()), Polled::Event(_)));
            }
            assert!(!readable(descriptor));
        });
        events.notify(String::new());
        events.notify(String::new());
        looping.join().unwrap();
    });
}

#[test]
fn a_wake_is_seen_by_an_event_loop_until_a_poll_took_it() {
    model(|| {
        let events = Events::new(LIMITS);
        let looping = spawn(&events, |events| {
            let descriptor = events.descriptor().unwrap();
            wait_until_readable(descriptor);
            assert_eq!(events.poll(now()), Polled::Nothing);
            assert!(!readable(descriptor));
        });
        events.wake();
        looping.join().unwrap();
    });
}

#[test]
fn a_closed_client_whose_call_runs_on_gives_its_event_first() {
    model(|| {
        let events = Events::new(LIMITS);
        events.start(call(1)).unwrap();
        events.refuse();
        events.close();
        assert_eq!(collect(&events), [1]);
        assert!(events.settle(ever()));
    });
}
