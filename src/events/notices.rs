//! Events that no call waits for: when nobody collects them, the oldest make room.

use super::Events;
use crate::sync::lock;
use std::collections::VecDeque;

/// What a notice weighs beside its text.
const UPKEEP: usize = 64;

#[derive(Default)]
pub struct Notices {
    /// Documents, each with its place among all events.
    waiting: VecDeque<(u64, String)>,
    bytes: usize,
    dropped: u64,
}

impl Notices {
    /// The place of the oldest.
    pub fn place(&self) -> Option<u64> {
        self.waiting.front().map(|(place, _)| *place)
    }

    pub fn take(&mut self) -> Option<String> {
        let (_, document) = self.waiting.pop_front()?;
        self.bytes -= document.len() + UPKEEP;
        Some(document)
    }

    fn push(&mut self, place: u64, document: String, limit: usize) {
        self.bytes += document.len() + UPKEEP;
        self.waiting.push_back((place, document));
        while self.bytes > limit {
            self.take();
            self.dropped += 1;
        }
    }
}

impl Events {
    /// Tells of something else than a call.
    pub fn notify(&self, document: String) {
        let mut state = lock(&self.state);
        if state.closed {
            // Whoever polls has been told that none will come.
            return;
        }
        let place = state.next_place();
        state.notices.push(place, document, self.limits.notices);
        state.show();
        drop(state);
        self.arrival.notify_one();
    }

    /// How many notices nobody collected in time.
    pub fn dropped(&self) -> u64 {
        lock(&self.state).notices.dropped
    }
}
