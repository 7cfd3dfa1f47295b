//! A child has one thread, and locks that threads hold which are no more.

use super::*;
use crate::fork::{PerProcess, in_child};
use crate::sync::{Mutex, lock};

/// What a client has for each process: something behind a lock, and the events.
struct Parts {
    events: Arc<Events>,
    inherited: Mutex<bool>,
}

fn parts(process: &PerProcess<Parts>) -> &Arc<Parts> {
    process.get(|inherited| Parts {
        events: Events::new(LIMITS),
        inherited: Mutex::new(inherited.is_some()),
    })
}

#[test]
fn a_child_waits_for_nothing_that_its_parent_left() {
    model(|| {
        let process = Arc::new(PerProcess::<Parts>::new());
        let parents = parts(&process).clone();
        // The child's only thread is the one that forked. Of the others it finds the locks, held for ever: by a poll, by a
        // call's start, by whatever they did.
        std::mem::forget(lock(&parents.events.state));
        std::mem::forget(lock(&parents.inherited));
        in_child();
        let other = process.clone();
        let sibling = loom::thread::spawn(move || parts(&other).events.start(call(1)).unwrap());
        let own = parts(&process);
        assert!(*lock(&own.inherited));
        assert!(!Arc::ptr_eq(&own.events, &parents.events));
        own.events.wake();
        assert!(!matches!(own.events.poll(ever()), Polled::Closed));
        sibling.join().unwrap();
        end(&own.events);
    });
}
