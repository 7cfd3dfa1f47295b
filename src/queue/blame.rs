//! Which message, or whose size, is to blame when the service refuses a batch or fails at it.
#![forbid(unsafe_code)]

use super::batch::Batch;
use super::settle::context_id;
use super::state::{Oversized, State};
use once_cell::race::OnceBox;
use std::hash::{BuildHasher, RandomState};

/// After so many errors of the service in a row, one message of the batch is suspected.
pub const SUSPICIONS: u32 = 3;

/// Notes that the service works: it took these messages, or rejected them.
pub fn acquit(state: &mut State, batch: &Batch) {
    state.settled_in_order(batch.len() as u64);
    // The other half of a batch that was divided is not suspected from scratch.
    state.suspicions = match state.suspects {
        0 => 0,
        _ => SUSPICIONS - 1,
    };
    let waiting = state.buffer.load().messages > 0;
    state.accused.retain(|one| waiting && *one != hash(batch));
    state.tried = state.accused.len();
    state.stopped = false;
}

/// Suspects a message that the service failed at alone.
pub fn accuse(state: &mut State, batch: &Batch) {
    let message = hash(batch);
    if !state.accused.contains(&message) {
        state.accused.push(message);
    }
    state.stopped = true;
}

/// Notes that a batch is too large, or one of its messages.
pub fn refuse(state: &mut State, batch: &Batch) {
    let oversized = state.oversized.get_or_insert(Oversized {
        limit: state.largest_batch,
        refused: None,
        messages: batch.len() as u64,
    });
    oversized.refused = Some(batch.bytes() as u64);
}

/// A message is too large by itself, and so were the batches that it was in.
pub fn message_alone(state: &mut State) {
    if let Some(oversized) = &mut state.oversized {
        oversized.refused = None;
        state.largest_batch = oversized.limit;
    }
}

/// Learns the largest batch that the service takes from one that it took after refusals.
pub fn learn(state: &mut State, batch: &Batch) {
    let Some(oversized) = &mut state.oversized else {
        return;
    };
    if let Some(refused) = oversized.refused.take() {
        // What was accepted may be small by chance.
        state.largest_batch = Some((refused / 2).max(batch.bytes() as u64));
        state.successes = 0;
    }
    oversized.messages = oversized.messages.saturating_sub(batch.len() as u64);
    if oversized.messages == 0 {
        state.oversized = None;
    }
}

/// Has others go before an accused message, so that the service shows whether it works. Where several are accused, others of
/// them may be the next: then those that are twice as far. Messages of the same context stay in their order.
pub fn overtake(state: &mut State) {
    if !state.stopped {
        return;
    }
    let untried = state.accused.len().saturating_sub(state.tried);
    let doublings = untried.saturating_sub(1).min(16);
    let (skip, more) = ((1 << doublings) - 1, state.more_to_read());
    if let Some((ahead, of)) = state.buffer.overtake(skip, more, context_id) {
        state.stopped = false;
        state.overtook(ahead as u64, of as u64);
    }
}

/// Tells the first message of a batch from others, in this process.
pub fn hash(batch: &Batch) -> u64 {
    // No lock, which a forked child could find locked for ever.
    static KEYS: OnceBox<RandomState> = OnceBox::new();
    KEYS.get_or_init(|| Box::new(RandomState::new()))
        .hash_one(batch.message(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::QueueConfig;
    use crate::queue::endpoint::Endpoint;

    /// A message of this context.
    fn of(context: &str) -> Batch {
        let mut batch = Batch::default();
        batch.push(format!(r#"{{"contextId":"{context}"}}"#).as_bytes(), 0);
        batch
    }

    /// What is known of a queue in which messages of these contexts wait.
    fn waiting(contexts: &[&str]) -> State {
        let endpoint = Endpoint::of("http://blame.test");
        let mut state = State::new(&QueueConfig::default(), endpoint);
        contexts
            .iter()
            .for_each(|context| state.buffer.append(of(context)));
        state
    }

    #[test]
    fn a_message_is_accused_once_however_often_the_service_fails_at_it() {
        let mut state = waiting(&["a"]);
        (0..3).for_each(|_| accuse(&mut state, &of("a")));
        assert_eq!(state.accused.len(), 1);
    }

    #[test]
    fn a_batch_that_is_given_up_leaves_no_suspicion() {
        let mut state = waiting(&["b"]);
        state.suspects = 10;
        state.settled_in_order(10);
        state.suspicions = SUSPICIONS;
        acquit(&mut state, &of("a"));
        assert_eq!(state.suspicions, 0);
    }

    #[test]
    fn once_nothing_waits_nobody_is_accused() {
        let mut state = waiting(&[]);
        accuse(&mut state, &of("expired"));
        acquit(&mut state, &of("other"));
        assert!(state.accused.is_empty());
    }

    #[test]
    fn no_more_is_read_once_others_go_first_or_the_message_passed() {
        let passes: [fn(&mut State); 2] = [overtake, |state| acquit(state, &of("a"))];
        for pass in passes {
            let mut state = waiting(&["a", "b"]);
            state.on_disk.messages = 1;
            accuse(&mut state, &of("a"));
            assert!(state.wants_more());
            pass(&mut state);
            assert!(!state.wants_more());
        }
    }

    #[test]
    fn the_nearest_overtakes_where_all_others_that_are_accused_were_tried() {
        let mut state = waiting(&["b", "c", "d", "a"]);
        accuse(&mut state, &of("a"));
        acquit(&mut state, &of("other"));
        accuse(&mut state, &of("b"));
        overtake(&mut state);
        let first = state.buffer.take().unwrap();
        assert_eq!(first.message(0), of("c").message(0));
    }
}
