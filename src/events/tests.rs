use super::*;
use crate::sync::Deadline;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const LIMITS: Limits = Limits {
    workers: 2,
    calls: 3,
    bytes: 100,
    notices: 300,
};
/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);
const NOW: fn() -> Deadline = || Deadline::after(Some(0));
const EVER: fn() -> Deadline = || Deadline::after(None);

/// A call that ends at once.
fn quick(tag: u64) -> Call {
    weighing(tag, 0)
}

fn weighing(tag: u64, bytes: usize) -> Call {
    Call {
        tag,
        bytes,
        run: Box::new(|turn| format!("{turn:?}")),
    }
}

/// The call, with an event that is larger than all that may wait.
fn large(call: Call) -> Call {
    let run = call.run;
    Call {
        run: Box::new(move |turn| run(turn).repeat(100)),
        ..call
    }
}

/// A call that tells when it has begun, and ends when it is told to.
fn held(tag: u64) -> (Call, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (end, may_end) = channel();
    let run = move |turn| {
        if turn == Turn::Run {
            // Nobody may want to know.
            let _ = begun.send(());
            let _ = may_end.recv();
        }
        format!("{turn:?}")
    };
    let call = Call {
        tag,
        bytes: 0,
        run: Box::new(run),
    };
    (call, has_begun, end)
}

fn event(tag: u64, document: &str) -> Polled {
    Polled::Event(Event {
        tag,
        document: document.to_owned(),
    })
}

fn end(events: &Events) {
    events.refuse();
    assert!(events.settle(EVER()));
    events.close();
}

#[test]
fn each_call_ends_as_one_event() {
    let events = Events::new(Limits {
        calls: 100,
        bytes: 1000,
        ..LIMITS
    });
    for tag in 0..100 {
        events.start(quick(tag)).unwrap();
    }
    let mut tags = BTreeSet::new();
    for _ in 0..100 {
        match events.poll(EVER()) {
            Polled::Event(event) => assert!(tags.insert(event.tag)),
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!(events.poll(NOW()), Polled::Nothing);
    end(&events);
    assert_eq!(events.poll(EVER()), Polled::Closed);
}

#[test]
fn one_call_more_than_the_bound_is_refused_until_an_event_is_collected() {
    let events = Events::new(LIMITS);
    for tag in 0..3 {
        events.start(quick(tag)).unwrap();
    }
    assert!(matches!(events.start(quick(3)), Err(Refusal::Full)));
    assert!(matches!(events.poll(EVER()), Polled::Event(_)));
    events.start(quick(3)).unwrap();
    end(&events);
}

#[test]
fn payloads_and_documents_are_bounded_but_for_a_single_call() {
    let events = Events::new(LIMITS);
    events.start(weighing(0, 1000)).unwrap();
    assert!(matches!(events.poll(EVER()), Polled::Event(_)));
    events.start(weighing(1, 90)).unwrap();
    assert!(matches!(events.start(weighing(2, 101)), Err(Refusal::Full)));
    assert!(matches!(events.poll(EVER()), Polled::Event(_)));
    events.start(weighing(2, 101)).unwrap();
    end(&events);
}

#[test]
fn closing_reports_what_has_not_begun_and_waits_for_what_has() {
    let events = Events::new(Limits {
        workers: 1,
        ..LIMITS
    });
    let (call, has_begun, may_end) = held(1);
    events.start(call).unwrap();
    has_begun.recv().unwrap();
    events.start(quick(2)).unwrap();
    events.refuse();
    assert!(matches!(events.start(quick(3)), Err(Refusal::Closed)));
    assert!(!events.settle(NOW()));
    events.close();
    assert_eq!(events.poll(NOW()), event(2, "Closed"));
    assert_eq!(events.poll(NOW()), Polled::Nothing);
    drop(may_end);
    assert!(events.settle(EVER()));
    assert_eq!(events.poll(NOW()), event(1, "Run"));
    assert_eq!(events.poll(EVER()), Polled::Closed);
}

#[test]
fn a_wake_ends_the_next_poll_that_finds_no_event() {
    let events = Events::new(LIMITS);
    events.start(quick(1)).unwrap();
    while lock(&events.state).arrived.is_empty() {
        std::thread::yield_now();
    }
    events.wake();
    assert_eq!(events.poll(EVER()), event(1, "Run"));
    assert_eq!(events.poll(EVER()), Polled::Nothing);
    end(&events);
}

#[test]
fn a_wake_ends_one_poll_that_waits() {
    let events = Events::new(LIMITS);
    std::thread::scope(|scope| {
        let polls = [(); 2].map(|()| scope.spawn(|| events.poll(EVER())));
        while lock(&events.state).blocked < 2 {
            std::thread::yield_now();
        }
        events.wake();
        // The wake is for one of the two. This poll does not wait, and takes it from neither.
        assert_eq!(events.poll(NOW()), Polled::Nothing);
        while lock(&events.state).blocked > 1 {
            std::thread::yield_now();
        }
        events.close();
        let mut ends = polls.map(|poll| poll.join().unwrap());
        ends.sort_by_key(|end| *end == Polled::Closed);
        assert_eq!(ends, [Polled::Nothing, Polled::Closed]);
    });
}

#[test]
fn threads_are_started_as_they_are_needed() {
    let events = Events::new(Limits {
        calls: 100,
        ..LIMITS
    });
    let threads = || lock(&events.state).threads.len();
    assert_eq!(threads(), 0);
    let held: Vec<_> = (0..3).map(held).collect();
    let mut controls = Vec::new();
    for (count, (call, has_begun, may_end)) in held.into_iter().enumerate() {
        events.start(call).unwrap();
        assert_eq!(threads(), (count + 1).min(LIMITS.workers));
        controls.push((has_begun, may_end));
    }
    controls[1].0.recv().unwrap();
    controls.clear();
    end(&events);
    assert_eq!(threads(), 0);
}

#[test]
fn nothing_is_told_after_the_end() {
    let events = Events::new(LIMITS);
    end(&events);
    assert_eq!(events.poll(NOW()), Polled::Closed);
    events.notify("late".into());
    assert_eq!(events.poll(NOW()), Polled::Closed);
}

#[test]
fn no_call_begins_while_more_has_arrived_than_may_wait() {
    let events = Events::new(Limits {
        workers: 1,
        ..LIMITS
    });
    let long = |tag| Call {
        run: Box::new(|_| "x".repeat(60)),
        ..quick(tag)
    };
    for tag in 1..=3 {
        events.start(long(tag)).unwrap();
    }
    while lock(&events.state).idle == 0 || lock(&events.state).arrived.len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(lock(&events.state).waiting.len(), 1);
    for tag in 1..=3 {
        assert_eq!(events.poll(EVER()), event(tag, &"x".repeat(60)));
    }
    end(&events);
}

#[test]
fn room_that_is_made_at_once_is_used_by_all_threads() {
    let events = Events::new(Limits {
        calls: 10,
        ..LIMITS
    });
    let start = |(call, has_begun, may_end): (Call, _, _)| {
        events.start(call).unwrap();
        (has_begun, may_end)
    };
    let (call, has_begun, may_end) = held(0);
    let largest = start((large(call), has_begun, may_end));
    let other = start(held(1));
    for (has_begun, _) in [&largest, &other] {
        has_begun.recv().unwrap();
    }
    let waiting = [2, 3].map(held).map(start);
    drop(largest);
    while lock(&events.state).arrived.is_empty() {
        std::thread::yield_now();
    }
    drop(other);
    // Both threads have looked, and found no room.
    while lock(&events.state).idle < 2 {
        std::thread::yield_now();
    }
    assert_eq!(lock(&events.state).waiting.len(), 2);
    assert_eq!(events.poll(EVER()), event(0, &"Run".repeat(100)));
    for (has_begun, _) in &waiting {
        has_begun.recv_timeout(PATIENCE).unwrap();
    }
    drop(waiting);
    end(&events);
}

#[test]
#[cfg(unix)]
fn the_descriptor_goes_with_the_client() {
    let events = Events::new(LIMITS);
    assert!(events.descriptor().is_some());
    end(&events);
    events.deserted();
    assert!(lock(&events.state).signal.is_none());
}
