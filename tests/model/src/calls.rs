//! Each call that was started ends as exactly one event, whatever else happens.

use super::*;

#[test]
fn each_call_ends_as_one_event() {
    model(|| {
        let events = Events::new(LIMITS);
        for tag in [1, 2] {
            events.start(call(tag)).unwrap();
        }
        let mut tags = [events.poll(ever()), events.poll(ever())].map(|polled| match polled {
            Polled::Event(Event { tag, document }) => {
                assert_eq!(document, "Run");
                tag
            }
            other => panic!("{other:?}"),
        });
        tags.sort_unstable();
        assert_eq!(tags, [1, 2]);
        assert_eq!(events.poll(now()), Polled::Nothing);
        end(&events);
        assert_eq!(events.poll(ever()), Polled::Closed);
    });
}

#[test]
fn two_threads_run_calls_at_once() {
    model(|| {
        let events = Events::new(Limits {
            workers: 2,
            ..LIMITS
        });
        for tag in [1, 2] {
            events.start(call(tag)).unwrap();
        }
        end(&events);
        let mut tags = collect(&events);
        tags.sort_unstable();
        assert_eq!(tags, [1, 2]);
    });
}

#[test]
fn a_call_started_while_the_client_closes_is_refused_or_ends_as_an_event() {
    model(|| {
        let events = Events::new(LIMITS);
        let starting = spawn(&events, |events| {
            [1, 2].map(|tag| events.start(call(tag)).is_ok())
        });
        end(&events);
        let started = starting.join().unwrap();
        let mut tags = collect(&events);
        tags.sort_unstable();
        let expected = [1, 2]
            .into_iter()
            .zip(started)
            .filter(|(_, started)| *started);
        assert_eq!(tags, expected.map(|(tag, _)| tag).collect::<Vec<_>>());
    });
}

#[test]
fn no_more_calls_are_outstanding_than_the_bound() {
    model(|| {
        let events = Events::new(Limits { calls: 1, ..LIMITS });
        events.start(call(1)).unwrap();
        assert!(events.start(call(2)).is_err());
        assert!(matches!(events.poll(ever()), Polled::Event(_)));
        events.start(call(3)).unwrap();
        end(&events);
        assert_eq!(collect(&events), [3]);
    });
}

#[test]
fn two_threads_may_close_at_once() {
    model(|| {
        let events = Events::new(LIMITS);
        events.start(call(1)).unwrap();
        let other = spawn(&events, |events| end(events));
        end(&events);
        other.join().unwrap();
        assert_eq!(collect(&events), [1]);
    });
}
