//! The reading side: messages in order, and their acknowledgement.
#![forbid(unsafe_code)]

use super::format::HEADER;
use super::frames::{Frame, Frames};
use super::segment::Segment;
use super::store::{Store, segment_name};
use super::writer::{Spool, storage};
use super::{Message, SpoolError, Ticket, disk};
use crate::clock::now_ms;
use crate::sync::lock;
use std::collections::{BTreeSet, HashSet};
use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Expired messages acknowledged at once.
const EXPIRED: usize = 1000;
/// The longest wait before what could not be read is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Reader {
    /// The directories of instances that are gone: their messages are older and come first.
    pub orphans: Vec<Place>,
    own: Place,
    /// How many directories were adopted.
    pub adoptions: u64,
    /// Directories that hold nothing this version can deliver or remove.
    pub fruitless: HashSet<String>,
    /// Why the last adoption left something behind that may be readable later.
    pub unadopted: Option<SpoolError>,
}

/// How far a directory is read.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    pub store: Arc<Store>,
    /// Whether all that is in it could be looked at. What could not is looked at when it is adopted again.
    whole: bool,
    /// The segment being read, or the least number the next one may have.
    number: u64,
    current: Option<(Arc<Segment>, Frames)>,
    unreadable: Unreadable,
}

/// Segments that could not be read: passed over, and tried again after a wait that doubles.
#[derive(Debug, Default)]
struct Unreadable {
    numbers: BTreeSet<u64>,
    cause: String,
    until: Option<Instant>,
    wait: Duration,
}

struct Batch {
    messages: Vec<Message>,
    expired: Vec<Ticket>,
    max_messages: usize,
    bytes_left: usize,
    /// Messages enqueued until then are too old.
    expired_ms: Option<u64>,
    full: bool,
}

impl Reader {
    pub fn new(store: Arc<Store>) -> Self {
        Reader {
            orphans: Vec::new(),
            own: Place::new(0, store, true),
            adoptions: 0,
            fruitless: HashSet::new(),
            unadopted: None,
        }
    }

    fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        self.orphans.iter_mut().chain([&mut self.own])
    }

    /// Removes adopted directories that are drained.
    pub fn finish_orphans(&mut self) {
        for place in self
            .orphans
            .extract_if(.., |place| place.store.is_drained())
        {
            let store = &place.store;
            let again = !place.whole && !store.forgetful.load(SeqCst);
            if !again && !store.remove_if_empty().unwrap_or(false) {
                self.fruitless.insert(store.name().to_owned());
            }
        }
    }

    fn acknowledge(&mut self, tickets: &[Ticket]) -> Result<()> {
        let mut result = Ok(());
        let same = |a: &Ticket, b: &Ticket| (a.store, a.segment) == (b.store, b.segment);
        for group in tickets.chunk_by(same) {
            let mut places = self.orphans.iter().chain([&self.own]);
            let Some(ticket) = group.first() else {
                continue;
            };
            // A directory that is drained and gone needs no acknowledgement.
            if let Some(place) = places.find(|place| place.id == ticket.store) {
                result = place.store.acknowledge(ticket.segment, group).and(result);
            }
        }
        self.finish_orphans();
        result
    }
}

impl Spool {
    /// The next messages that were neither read nor acknowledged yet, in order; one at least if
    /// there is one, whatever its size. An error if all that is left cannot be read now. With
    /// `max_messages` 0 only tidies up after what is done.
    pub fn read(
        &self,
        max_messages: usize,
        max_bytes: usize,
    ) -> std::result::Result<Vec<Message>, SpoolError> {
        let mut batch = Batch {
            messages: Vec::new(),
            expired: Vec::new(),
            max_messages,
            bytes_left: max_bytes,
            expired_ms: expired_ms(self.options.retention),
            full: self.is_forked(),
        };
        let mut reader = lock(&self.reader);
        for place in reader.places() {
            place.try_again();
        }
        while !batch.full {
            for place in reader.places() {
                place.fill(&mut batch, self.options.read_again);
            }
            lock(&self.shared.counts).expired += batch.expired.len() as u64;
            // An acknowledgement that does not reach the disk only means to find them expired again.
            let _ = reader.acknowledge(&batch.expired);
            batch.full |= batch.expired.len() < EXPIRED || !batch.messages.is_empty();
            batch.expired.clear();
        }
        let stuck = reader.places().find(|place| !place.is_readable());
        match stuck {
            Some(place) if batch.messages.is_empty() && max_messages > 0 => {
                Err(SpoolError::Storage {
                    operation: "read a segment",
                    cause: place.unreadable.cause.clone(),
                })
            }
            _ => Ok(batch.messages),
        }
    }

    /// These messages need not be delivered any more.
    pub fn acknowledge(&self, messages: &[Ticket]) -> std::result::Result<(), SpoolError> {
        self.check_process()?;
        let acknowledged = lock(&self.reader).acknowledge(messages);
        acknowledged.map_err(|error| storage("record what was delivered", &error))
    }
}

impl Place {
    pub fn new(id: u64, store: Arc<Store>, whole: bool) -> Self {
        Place {
            id,
            store,
            whole,
            number: 0,
            current: None,
            unreadable: Unreadable::default(),
        }
    }

    /// Whether everything in it could be read so far.
    pub fn is_readable(&self) -> bool {
        self.unreadable.numbers.is_empty()
    }

    /// Goes back to what could not be read, when it is time.
    fn try_again(&mut self) {
        let due = |until: Instant| until <= Instant::now();
        if !self.is_readable() && self.unreadable.until.is_none_or(due) {
            self.put_down();
            self.number = 0;
            self.unreadable.numbers.clear();
        }
    }

    /// Closes the segment that is being read; reading it goes on from the same place.
    fn put_down(&mut self) {
        if let Some((segment, frames)) = self.current.take() {
            lock(&segment.state).read_to = frames.offset();
        }
    }

    /// Reads until the batch is full or nothing more is to be read now.
    fn fill(&mut self, batch: &mut Batch, first_wait: Duration) {
        while !batch.full && batch.expired.len() < EXPIRED {
            match self.step(batch) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.pass_over(&error, first_wait),
            }
        }
        if self.is_readable() {
            self.unreadable.wait = Duration::ZERO;
        }
    }

    fn pass_over(&mut self, error: &Error, first_wait: Duration) {
        let unreadable = &mut self.unreadable;
        if unreadable.numbers.is_empty() {
            let wait = unreadable
                .wait
                .saturating_mul(2)
                .max(first_wait)
                .min(LONGEST_WAIT);
            unreadable.wait = wait;
            unreadable.until = Instant::now().checked_add(wait);
        }
        unreadable.numbers.insert(self.number);
        unreadable.cause = error.to_string();
        self.put_down();
        self.number = self.number.saturating_add(1);
    }

    /// The next segment that was neither read to its end nor has to wait.
    fn next_segment(&self) -> Option<Arc<Segment>> {
        self.store.segment_from(self.number, |segment| {
            !self.unreadable.numbers.contains(&segment.number) && lock(&segment.state).end.is_none()
        })
    }

    /// One frame or segment further; false if there is none.
    fn step(&mut self, batch: &mut Batch) -> Result<bool> {
        let (segment, frames) = match &mut self.current {
            Some(current) => current,
            None => match self.next_segment() {
                None => return Ok(false),
                Some(segment) => {
                    self.number = segment.number;
                    let name = segment_name(segment.number);
                    let opened = disk::open_file(&self.store.directory, &name, false, false);
                    if segment.retired.load(SeqCst) {
                        // Removed meanwhile, by a call that looked for room.
                        self.number = segment.number.saturating_add(1);
                        return Ok(true);
                    }
                    let file = opened?;
                    let from = lock(&segment.state).read_to.max(HEADER);
                    let frames = Frames::new(file, segment.seal, from);
                    self.current.insert((segment, frames))
                }
            },
        };
        // In this order: what became visible before the seal is seen.
        let settled = segment.settled();
        let limit = segment.visible.load(SeqCst);
        if let Some(end) = segment.acked_until(frames.offset()) {
            frames.seek(end);
            return Ok(true);
        }
        match frames.next(limit)? {
            Some(frame) if segment.acked_until(frame.at).is_some() => {}
            Some(frame) => {
                let from = frame.from;
                if !batch.take(self.id, segment.number, frame) {
                    frames.put_back(from);
                }
            }
            None if settled => {
                lock(&segment.state).end = Some(frames.offset());
                let segment = Arc::clone(segment);
                self.number = segment.number.saturating_add(1);
                self.current = None;
                if segment.complete() {
                    // A file that cannot be removed now is removed by the next run.
                    let _ = self.store.retire(&segment);
                }
            }
            None => return Ok(false),
        }
        Ok(true)
    }
}

impl Batch {
    /// Whether the frame found a place.
    fn take(&mut self, store: u64, segment: u64, frame: Frame) -> bool {
        let ticket = Ticket {
            store,
            segment,
            from: frame.from,
            end: frame.end,
            bytes: frame.payload.len() as u32,
        };
        let enqueued_ms = frame.head.enqueued_ms;
        if self.expired_ms.is_some_and(|limit| enqueued_ms <= limit) {
            self.expired.push(ticket);
            return true;
        }
        let too_much = frame.payload.len() > self.bytes_left && !self.messages.is_empty();
        if too_much || self.messages.len() >= self.max_messages {
            self.full = true;
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(frame.payload.len());
        self.messages.push(Message {
            ticket,
            enqueued_ms,
            payload: frame.payload,
        });
        self.full = self.messages.len() >= self.max_messages;
        true
    }
}

/// The time of the youngest message that is too old, if any can be.
fn expired_ms(retention: Duration) -> Option<u64> {
    let retention = u64::try_from(retention.as_millis()).ok()?;
    now_ms().checked_sub(retention)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::spool::format::Head;

    #[test]
    fn a_message_is_kept_until_it_is_as_old_as_it_may_become() {
        for (enqueued_ms, expired) in [(999, 1), (1000, 1), (1001, 0)] {
            let mut batch = Batch {
                messages: Vec::new(),
                expired: Vec::new(),
                max_messages: 9,
                bytes_left: 9,
                expired_ms: Some(1000),
                full: false,
            };
            let head = Head {
                crc: 0,
                length: 0,
                reserved: 0,
                sequence: 0,
                enqueued_ms,
            };
            let frame = Frame {
                from: 64,
                at: 64,
                end: 96,
                head,
                payload: Vec::new(),
            };
            assert!(batch.take(0, 0, frame));
            assert_eq!(
                (batch.expired.len(), batch.messages.len()),
                (expired, 1 - expired)
            );
        }
    }
}
