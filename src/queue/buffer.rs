//! Messages that wait in memory, already in the batches that they will be sent in.

use super::batch::{Batch, UPKEEP};
use super::spool::Ticket;
use std::collections::{HashSet, VecDeque};

/// Among so many of the oldest messages those are looked for that may overtake the first, and in so many batches. So many times the
/// bytes of a batch are read from the disk for it.
const LOOK_AHEAD: usize = 10_000;
const LOOK_AHEAD_BATCHES: usize = 256;
const LOOK_AHEAD_BYTES: usize = 32;

/// From how many of those that a batch may have, messages or bytes, it is full: four fifths.
pub fn full_from(most: u32) -> u32 {
    most - most / 5
}

/// What waits in memory, or is being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub messages: u64,
    pub bytes: u64,
}

impl Load {
    /// So many messages, with so many bytes of text.
    pub fn weighing(messages: usize, bytes: usize) -> Load {
        Load {
            messages: messages as u64,
            bytes: (bytes + messages * UPKEEP) as u64,
        }
    }

    pub fn of(batch: &Batch) -> Load {
        Load {
            messages: batch.len() as u64,
            bytes: batch.bytes() as u64,
        }
    }

    pub fn add(&mut self, other: Load) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }

    pub fn subtract(&mut self, other: Load) {
        self.messages = self.messages.saturating_sub(other.messages);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }
}

pub struct Buffer {
    sealed: VecDeque<Batch>,
    open: Batch,
    /// The next one, made ready in advance.
    spare: Option<Batch>,
    load: Load,
    batch_bytes: usize,
    full_messages: usize,
    full_bytes: usize,
}

impl Buffer {
    pub fn new(batch_messages: u32, batch_bytes: u32) -> Self {
        Buffer {
            sealed: VecDeque::new(),
            open: Batch::default(),
            spare: None,
            load: Load::default(),
            batch_bytes: batch_bytes as usize,
            full_messages: full_from(batch_messages) as usize,
            full_bytes: full_from(batch_bytes) as usize,
        }
    }

    pub fn load(&self) -> Load {
        self.load
    }

    /// Adds a message at the end; true when that made a batch full.
    pub fn push(&mut self, message: &[u8], at_ms: u32) -> bool {
        let bytes = message.len() + UPKEEP;
        let exceeded = !self.open.is_empty() && self.open.bytes() + bytes > self.batch_bytes;
        if exceeded {
            self.seal();
        }
        self.open.push(message, at_ms);
        self.load.messages += 1;
        self.load.bytes += bytes as u64;
        let full = self.open.len() >= self.full_messages || self.open.bytes() >= self.full_bytes;
        if full {
            self.seal();
        }
        exceeded || full
    }

    fn seal(&mut self) {
        let next = self.spare.take();
        // It will be about as large as this one: no growing by doubling.
        let next = next.unwrap_or_else(|| {
            Batch::with_capacity(self.open.len(), self.open.bytes().min(self.batch_bytes))
        });
        self.sealed
            .push_back(std::mem::replace(&mut self.open, next));
    }

    /// How many messages and bytes a spare batch should have room for, if one would be of use: batches fill one after the other.
    pub fn spare_wanted(&self) -> Option<(usize, usize)> {
        let last = self.sealed.back()?;
        let wanted = self.spare.is_none() && !self.open.is_empty();
        wanted.then(|| (last.len(), last.bytes().min(self.batch_bytes)))
    }

    pub fn provide(&mut self, spare: Batch) {
        self.spare = Some(spare);
    }

    /// Whether a full batch waits.
    pub fn has_full(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// When the oldest message was accepted.
    pub fn oldest_ms(&self) -> Option<u32> {
        self.sealed.front().unwrap_or(&self.open).oldest_ms()
    }

    /// Takes the oldest batch, full or not.
    pub fn take(&mut self) -> Option<Batch> {
        let batch = match self.sealed.pop_front() {
            Some(batch) => batch,
            None if self.open.is_empty() => return None,
            None => std::mem::take(&mut self.open),
        };
        self.load.subtract(Load::of(&batch));
        if self.load.messages == 0 {
            self.spare = None;
        }
        Some(batch)
    }

    /// Has messages of one later batch come first that have another context than all that they overtake. The first such
    /// batches are skipped, as long as there are others; where `more` can be added, nothing overtakes before. How many messages
    /// overtake how many.
    pub fn overtake(
        &mut self,
        mut skip: u32,
        mut more: bool,
        context: impl Fn(&[u8]) -> Option<String>,
    ) -> Option<(usize, usize)> {
        let mut passed = HashSet::new();
        let (mut older, mut found) = (0, None);
        let batches = self.sealed.iter().chain([&self.open]);
        for (place, batch) in batches.take(LOOK_AHEAD_BATCHES).enumerate() {
            let contexts = (0..batch.len()).map(|index| context(batch.message(index)));
            let contexts: Vec<_> = contexts.collect();
            let may: Vec<_> = contexts.iter().map(|one| !passed.contains(one)).collect();
            if place > 0 && may.contains(&true) {
                found = Some((place, may, older));
                if skip == 0 {
                    more = false;
                    break;
                }
                skip -= 1;
            }
            passed.extend(contexts);
            older += batch.len();
            if older >= LOOK_AHEAD {
                break;
            }
        }
        let (place, may, older) = found.filter(|_| !more)?;
        let batch = self.sealed.get_mut(place).unwrap_or(&mut self.open);
        let first = batch.take_out(|index, _| may.get(index) == Some(&true));
        let counts = (first.len(), older + batch.len());
        self.sealed.retain(|batch| !batch.is_empty());
        self.sealed.push_front(first);
        Some(counts)
    }

    /// Whether one batch more would be looked at for what may overtake.
    pub fn looks_further(&self) -> bool {
        self.sealed.len() < LOOK_AHEAD_BATCHES
            && self.load.messages < LOOK_AHEAD as u64
            && self.load.bytes < (LOOK_AHEAD_BYTES * self.batch_bytes) as u64
    }

    /// Adds a batch at the end.
    pub fn append(&mut self, batch: Batch) {
        self.load.add(Load::of(&batch));
        self.sealed.push_back(batch);
    }

    /// Puts a batch back where it was taken.
    pub fn put_back(&mut self, batch: Batch) {
        if !batch.is_empty() {
            self.load.add(Load::of(&batch));
            self.sealed.push_front(batch);
        }
    }

    /// Drops the oldest messages until at least so much is free of the given load; returns how many.
    pub fn drop_oldest(&mut self, surplus: Load) -> u64 {
        let mut freed = Load::default();
        while freed.messages < surplus.messages || freed.bytes < surplus.bytes {
            let Some(mut batch) = self.take() else {
                break;
            };
            let before = Load::of(&batch);
            let mut enough = freed;
            let mut count = 0;
            while count < batch.len()
                && (enough.messages < surplus.messages || enough.bytes < surplus.bytes)
            {
                enough.messages += 1;
                enough.bytes += (batch.message(count).len() + UPKEEP) as u64;
                count += 1;
            }
            batch.give_up(count);
            let after = Load::of(&batch);
            freed.messages += before.messages - after.messages;
            freed.bytes += before.bytes - after.bytes;
            self.put_back(batch);
        }
        freed.messages
    }

    /// Takes out messages older than this; how many, and their tickets.
    pub fn expire(&mut self, now_ms: u32, time_to_live_ms: u32) -> (u64, Vec<Ticket>) {
        let old = |at_ms: u32| age_ms(now_ms, at_ms) > time_to_live_ms;
        let (mut expired, mut tickets) = (0, Vec::new());
        while self.oldest_ms().is_some_and(old) {
            let Some(mut batch) = self.take() else {
                break;
            };
            let gone = batch.take_out(|_, at_ms| old(at_ms));
            expired += gone.len() as u64;
            tickets.extend_from_slice(gone.tickets());
            self.put_back(batch);
        }
        (expired, tickets)
    }
}

/// How long ago something was accepted. The clock may have begun anew since: it does every 49 days.
pub fn age_ms(now_ms: u32, at_ms: u32) -> u32 {
    now_ms.wrapping_sub(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(messages: &[&str]) -> Buffer {
        let mut buffer = Buffer::new(5, 1000);
        for (at_ms, message) in messages.iter().enumerate() {
            buffer.push(message.as_bytes(), at_ms as u32);
        }
        buffer
    }

    fn drain(buffer: &mut Buffer) -> Vec<Vec<String>> {
        let mut batches = Vec::new();
        while let Some(batch) = buffer.take() {
            let text = |index| String::from_utf8(batch.message(index).to_vec()).unwrap();
            batches.push((0..batch.len()).map(text).collect());
        }
        assert_eq!(buffer.load(), Load::default());
        batches
    }

    #[test]
    fn batches_are_sealed_at_four_fifths() {
        let mut buffer = buffer(&["1", "2", "3"]);
        assert!(!buffer.has_full());
        assert!(buffer.push(b"4", 3));
        assert!(!buffer.push(b"5", 4));
        assert_eq!(drain(&mut buffer), [vec!["1", "2", "3", "4"], vec!["5"]]);
        let mut buffer = Buffer::new(100, 100);
        assert!(!buffer.push(&[b'x'; 60], 0));
        assert!(buffer.push(&[b'y'; 60], 0));
        assert!(buffer.push(&[b'z'; 500], 0));
        assert_eq!(
            drain(&mut buffer).iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 1, 1]
        );
    }

    #[test]
    fn a_batch_is_made_ready_while_others_fill_one_after_the_other() {
        let mut buffer = buffer(&["1", "2", "3", "4"]);
        assert_eq!(buffer.spare_wanted(), None);
        buffer.push(b"5", 4);
        let wanted = Some((4, 4 * (1 + UPKEEP)));
        assert_eq!(buffer.spare_wanted(), wanted);
        buffer.provide(Batch::with_pages(4, 100));
        assert_eq!(buffer.spare_wanted(), None);
        for message in [b"6", b"7", b"8", b"9"] {
            buffer.push(message, 5);
        }
        assert_eq!(buffer.spare_wanted(), wanted);
        buffer.provide(Batch::with_pages(4, 100));
        assert_eq!(
            drain(&mut buffer),
            [
                vec!["1", "2", "3", "4"],
                vec!["5", "6", "7", "8"],
                vec!["9"]
            ]
        );
        for message in [b"1", b"2", b"3", b"4", b"5"] {
            buffer.push(message, 6);
        }
        assert_eq!(buffer.spare_wanted(), wanted);
    }

    #[test]
    fn a_batch_that_is_put_back_comes_first() {
        let mut buffer = buffer(&["1", "2", "3", "4", "5"]);
        let load = buffer.load();
        let batch = buffer.take().unwrap();
        assert_eq!(buffer.load().messages, 1);
        buffer.put_back(batch);
        assert_eq!(buffer.load(), load);
        assert_eq!(drain(&mut buffer), [vec!["1", "2", "3", "4"], vec!["5"]]);
    }

    #[test]
    fn no_more_than_needed_of_the_oldest_is_dropped() {
        let mut dropping = buffer(&["1", "2", "3", "4", "5"]);
        assert_eq!(
            dropping.drop_oldest(Load {
                messages: 2,
                bytes: 1
            }),
            2
        );
        assert_eq!(drain(&mut dropping), [vec!["3", "4"], vec!["5"]]);
        let mut dropping = buffer(&["1", "2", "3", "4", "5"]);
        assert_eq!(
            dropping.drop_oldest(Load {
                messages: 0,
                bytes: 41
            }),
            5
        );
        let mut dropping = buffer(&["1"]);
        assert_eq!(
            dropping.drop_oldest(Load {
                messages: 9,
                bytes: 0
            }),
            1
        );
    }

    #[test]
    fn what_is_too_old_is_taken_out() {
        let mut buffer = buffer(&["1", "2", "3", "4", "5", "6"]);
        assert_eq!(buffer.expire(12, 10).0, 2);
        assert_eq!(buffer.load().messages, 4);
        assert_eq!(buffer.expire(15, 10).0, 3);
        assert_eq!(drain(&mut buffer), [["6"]]);
        assert_eq!(buffer.expire(100, 10).0, 0);
    }

    /// The batches after one was overtaken, of messages that have their first letter as their context.
    fn overtaken(batches: &[&[&str]], skip: u32) -> (Option<(usize, usize)>, Vec<Vec<String>>) {
        let mut buffer = Buffer::new(5, 1000);
        for messages in batches {
            let mut batch = Batch::default();
            messages
                .iter()
                .for_each(|text| batch.push(text.as_bytes(), 0));
            buffer.append(batch);
        }
        let context = |message: &[u8]| Some(char::from(message[0]).to_string());
        (buffer.overtake(skip, false, context), drain(&mut buffer))
    }

    #[test]
    fn what_has_other_contexts_overtakes_and_leaves_the_others_in_their_order() {
        let batches: [&[&str]; 4] = [&["a1"], &["a2"], &["a3", "b1", "c1", "b2"], &["d1", "c2"]];
        let (counts, order) = overtaken(&batches, 0);
        assert_eq!(counts, Some((3, 3)));
        let first = vec!["b1", "c1", "b2"];
        assert_eq!(
            order,
            [first, vec!["a1"], vec!["a2"], vec!["a3"], vec!["d1", "c2"]]
        );
        let (counts, order) = overtaken(&batches, 1);
        assert_eq!(counts, Some((1, 7)));
        assert_eq!(
            (&order[0], &order[4]),
            (&vec!["d1".to_owned()], &vec!["c2".to_owned()])
        );
        assert_eq!(overtaken(&batches, 9), (counts, order));
    }

    #[test]
    fn nothing_overtakes_a_message_of_its_context() {
        let batches: [&[&str]; 3] = [&["a1"], &["a2"], &["a3", "a4"]];
        let (counts, order) = overtaken(&batches, 0);
        assert_eq!(
            (counts, order.concat()),
            (
                None,
                batches
                    .concat()
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect()
            )
        );
        assert_eq!(overtaken(&batches[..1], 0).0, None);
    }

    #[test]
    fn nothing_expires_because_the_clock_begins_anew() {
        let mut buffer = Buffer::new(5, 1000);
        buffer.push(b"1", u32::MAX - 5);
        assert_eq!(buffer.expire(4, 10).0, 0);
        assert_eq!(buffer.expire(5, 10).0, 1);
    }
}
