//! One segment: what is written, what is visible to the reader, what is acknowledged.
#![forbid(unsafe_code)]

use super::format::{HEADER, Seal};
use crate::sync::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[derive(Debug)]
pub struct Segment {
    pub number: u64,
    pub seal: Seal,
    /// Bytes of valid file, of which the reader may use those before `visible`.
    pub written: AtomicU64,
    pub visible: AtomicU64,
    pub synced: AtomicU64,
    /// Calls whose frames are written, and not yet known to be stored or withdrawn.
    pub undecided: AtomicU64,
    /// No frame will follow.
    pub sealed: AtomicBool,
    /// Its flush failed: what was not flushed before does not count as stored.
    pub suspect: AtomicBool,
    pub retired: AtomicBool,
    /// Adopted as far as it could be read: the rest stays for a later adoption.
    pub cut: bool,
    pub state: Mutex<State>,
}

/// What the acknowledgements left.
#[derive(Debug, Default)]
pub struct State {
    pub acked: Ranges,
    pub messages: u64,
    pub bytes: u64,
    /// Where the next record of acknowledgement goes, and how long their file is.
    pub slot: u64,
    pub ack_bytes: u64,
    /// Where reading goes on when the segment is opened again.
    pub read_to: u64,
    /// Where the last readable frame ends, once the reader was there and nothing could follow.
    pub end: Option<u64>,
}

impl Segment {
    /// A segment of `length` bytes; `state` is what is left of it.
    pub fn new(number: u64, seal: Seal, length: u64, sealed: bool, state: State) -> Self {
        Segment {
            number,
            seal,
            written: AtomicU64::new(length),
            visible: AtomicU64::new(length),
            synced: AtomicU64::new(0),
            undecided: AtomicU64::new(0),
            sealed: AtomicBool::new(sealed),
            suspect: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            cut: false,
            state: Mutex::new(state),
        }
    }

    /// Whether nothing can become visible any more.
    pub fn settled(&self) -> bool {
        self.sealed.load(SeqCst)
            && self.undecided.load(SeqCst) == 0
            && self.visible.load(SeqCst) == self.written.load(SeqCst)
    }

    /// Whether none of its messages waits for anything.
    pub fn is_idle(&self) -> bool {
        lock(&self.state).messages == 0 && self.undecided.load(SeqCst) == 0
    }

    /// Whether nothing of it is needed any more.
    pub fn complete(&self) -> bool {
        let state = lock(&self.state);
        state
            .end
            .is_some_and(|end| end <= HEADER || state.acked.cover(HEADER, end))
    }

    /// Where reading goes on if what is at `offset` is acknowledged.
    pub fn acked_until(&self, offset: u64) -> Option<u64> {
        lock(&self.state).acked.end_of(offset)
    }
}

/// Disjoint ranges in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `start..end`; the range that now holds it.
    pub fn add(&mut self, start: u64, end: u64) -> (u64, u64) {
        let first = self.0.partition_point(|range| range.1 < start);
        let last = self.0.partition_point(|range| range.0 <= end);
        let touched = self.0.get(first..last).unwrap_or_default();
        let merged = (
            touched.first().map_or(start, |range| range.0.min(start)),
            touched.last().map_or(end, |range| range.1.max(end)),
        );
        self.0.splice(first..last.max(first), [merged]);
        merged
    }

    /// The end of the range that `offset` lies in.
    pub fn end_of(&self, offset: u64) -> Option<u64> {
        let index = self.0.partition_point(|range| range.1 <= offset);
        let range = self.0.get(index)?;
        (range.0 <= offset).then_some(range.1)
    }

    pub fn cover(&self, start: u64, end: u64) -> bool {
        self.end_of(start).is_some_and(|covered| covered >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_where_they_touch() {
        let mut ranges = Ranges::default();
        assert_eq!(ranges.add(64, 96), (64, 96));
        assert_eq!(ranges.add(128, 160), (128, 160));
        assert_eq!(ranges.add(200, 240), (200, 240));
        assert_eq!(ranges.0.len(), 3);
        assert_eq!(ranges.end_of(96), None);
        assert_eq!(ranges.end_of(63), None);
        assert_eq!(ranges.end_of(64), Some(96));
        assert!(!ranges.cover(64, 128));
        assert_eq!(ranges.add(96, 128), (64, 160));
        assert_eq!(ranges.add(70, 80), (64, 160));
        assert_eq!(ranges.0, [(64, 160), (200, 240)]);
        assert!(ranges.cover(64, 160));
        assert_eq!(ranges.add(10, 300), (10, 300));
        assert_eq!(ranges.0, [(10, 300)]);
    }
}
