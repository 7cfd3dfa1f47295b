//! The directory of one client instance: its lock, its segments and their acknowledgements.
#![forbid(unsafe_code)]

use super::disk::{self, File};
use super::format::{HEADER, Id, Identity, hex_of, id_of};
use super::segment::{Segment, State};
use super::{Counts, Ticket};
use crate::clock::now_ms;
use crate::sync::lock;
use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::hash::{BuildHasher, RandomState};
use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Room for a segment's acknowledgements, at most, that a full disk cannot take back.
pub const ACK_BYTES: u64 = 64 * 1024;

const LOCK: &str = "owner.lock";
const SUFFIX: &str = ".q";

/// What all directories of a spool share.
#[derive(Debug)]
pub struct Shared {
    /// The directory of the endpoint and user.
    pub directory: File,
    pub fingerprint: Id,
    /// Whether creations and removals are made durable.
    pub durable: bool,
    pub counts: Mutex<Counts>,
    /// Bytes of all files under the root, as far as known.
    pub used: AtomicU64,
}

impl Shared {
    pub fn use_bytes(&self, more: u64, less: u64) {
        let new = |used: u64| Some(used.saturating_add(more).saturating_sub(less));
        // The function always has a value.
        let _ = self.used.fetch_update(SeqCst, SeqCst, new);
    }
}

#[derive(Debug)]
pub struct Store {
    pub shared: Arc<Shared>,
    pub identity: Identity,
    pub directory: File,
    name: String,
    /// Held for life.
    _lock: File,
    /// Whether an acknowledgement did not reach the disk: who adopts this again would send again.
    pub forgetful: AtomicBool,
    pub segments: Mutex<BTreeMap<u64, Arc<Segment>>>,
}

impl Store {
    /// A new directory of a new instance.
    pub fn create(shared: &Arc<Shared>) -> Result<Store> {
        let mut failure = Error::from(ErrorKind::AlreadyExists);
        for _ in 0..8 {
            let instance = new_id();
            let name = hex_of(&instance) + SUFFIX;
            disk::create_directory(&shared.directory, &name)?;
            match Store::lock_new(shared, &name) {
                Ok((directory, lock)) => return Ok(Store::new(shared, instance, directory, lock)),
                Err(error) if is_race(&error) => failure = error,
                Err(error) => {
                    // An adopter removes it otherwise.
                    let _ = disk::remove_directory(&shared.directory, &name);
                    return Err(error);
                }
            }
        }
        Err(failure)
    }

    fn lock_new(shared: &Shared, name: &str) -> Result<(File, File)> {
        let directory = disk::open_directory(&shared.directory, name, 0o077)?;
        lock_directory(&directory)?;
        let lock = disk::create_file(&directory, LOCK)?;
        let locked = lock_file(&lock);
        if locked.as_ref().is_err_and(|error| !is_race(error)) {
            // With it in there, the directory could not be removed.
            let _ = disk::remove_file(&directory, LOCK);
        }
        locked?;
        Ok((directory, lock))
    }

    /// The directory `name` of an instance that is gone.
    pub fn take(shared: &Arc<Shared>, name: &str) -> Result<Store> {
        let instance = instance_of(name).ok_or(ErrorKind::InvalidFilename)?;
        let directory = disk::open_directory(&shared.directory, name, 0o077)?;
        lock_directory(&directory)?;
        let lock = disk::open_file(&directory, LOCK, true, true)?;
        lock_file(&lock)?;
        Ok(Store::new(shared, instance, directory, lock))
    }

    fn new(shared: &Arc<Shared>, instance: Id, directory: File, lock: File) -> Store {
        let fingerprint = shared.fingerprint;
        Store {
            shared: Arc::clone(shared),
            identity: Identity {
                instance,
                fingerprint,
            },
            directory,
            name: hex_of(&instance) + SUFFIX,
            _lock: lock,
            forgetful: AtomicBool::new(false),
            segments: Mutex::default(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first segment from `number` on that is wanted.
    pub fn segment_from(
        &self,
        number: u64,
        wanted: impl Fn(&Segment) -> bool,
    ) -> Option<Arc<Segment>> {
        let segments = lock(&self.segments);
        let mut later = segments.range(number..).map(|(_, segment)| segment);
        later.find(|segment| wanted(segment)).cloned()
    }

    /// Takes note of acknowledged messages of one segment, in memory and on disk.
    pub fn acknowledge(&self, number: u64, tickets: &[Ticket]) -> Result<()> {
        let acknowledged = self.note(number, tickets);
        self.forgetful.fetch_or(acknowledged.is_err(), SeqCst);
        acknowledged
    }

    fn note(&self, number: u64, tickets: &[Ticket]) -> Result<()> {
        let Some(segment) = lock(&self.segments).get(&number).cloned() else {
            return Ok(());
        };
        let mut state = lock(&segment.state);
        let (mut messages, mut bytes) = (0, 0);
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for ticket in tickets {
            if state.acked.end_of(ticket.end - 1).is_some() {
                continue;
            }
            messages += 1;
            bytes += u64::from(ticket.bytes);
            let range = state.acked.add(ticket.from, ticket.end);
            merged.retain(|other| other.0 < range.0 || other.1 > range.1);
            merged.push(range);
        }
        self.settle(&mut state, messages, bytes);
        drop(state);
        let complete = segment.complete();
        if complete && !segment.cut {
            return self.retire(&segment);
        }
        let recorded = self.record(&segment, &merged);
        match complete {
            true => recorded.and(self.retire(&segment)),
            false => recorded,
        }
    }

    /// Appends records of acknowledgement.
    pub fn record(&self, segment: &Segment, ranges: &[(u64, u64)]) -> Result<()> {
        if ranges.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for range in ranges {
            bytes.extend(segment.seal.record(range.0 as u32, range.1 as u32));
        }
        let mut state = lock(&segment.state);
        if segment.retired.load(SeqCst) {
            // Removed meanwhile, by a call that looked for room. The file must not be made anew.
            return Ok(());
        }
        let file = disk::open_file(&self.directory, &ack_name(segment.number), true, true)?;
        let end = state.slot + bytes.len() as u64;
        disk::write_at(&file, &bytes, state.slot)?;
        state.slot = end;
        self.shared
            .use_bytes(end.saturating_sub(state.ack_bytes), 0);
        state.ack_bytes = state.ack_bytes.max(end);
        Ok(())
    }

    /// These messages are no longer waiting.
    fn settle(&self, state: &mut State, messages: u64, bytes: u64) {
        state.messages = state.messages.saturating_sub(messages);
        state.bytes = state.bytes.saturating_sub(bytes);
        let mut counts = lock(&self.shared.counts);
        counts.messages = counts.messages.saturating_sub(messages);
        counts.bytes = counts.bytes.saturating_sub(bytes);
    }

    /// Messages that a failed flush took back.
    pub fn withdraw(&self, segment: &Segment, messages: u64, bytes: u64) {
        self.settle(&mut lock(&segment.state), messages, bytes);
    }

    /// Removes a segment nothing of which is needed any more. Messages it still counts were damaged.
    pub fn retire(&self, segment: &Segment) -> Result<()> {
        match self.take_away(segment)? {
            true => self.sync_names(),
            false => Ok(()),
        }
    }

    /// The same, not flushed; false if no file is removed, as another call did, or there is more in it.
    pub fn take_away(&self, segment: &Segment) -> Result<bool> {
        if lock(&self.segments).remove(&segment.number).is_none() {
            return Ok(false);
        }
        segment.retired.store(true, SeqCst);
        let mut state = lock(&segment.state);
        let (messages, bytes) = (state.messages, state.bytes);
        self.settle(&mut state, messages, bytes);
        lock(&self.shared.counts).lost += messages;
        if segment.cut {
            return Ok(false);
        }
        let length = segment.written.load(SeqCst);
        self.shared.use_bytes(0, length + state.ack_bytes);
        self.remove(segment.number).and(Ok(true))
    }

    /// The segment first: the other order would send all of it again after a crash in between.
    fn remove(&self, number: u64) -> Result<()> {
        disk::remove_file(&self.directory, &segment_name(number))?;
        disk::remove_file(&self.directory, &ack_name(number))
    }

    pub fn sync_names(&self) -> Result<()> {
        match self.shared.durable {
            true => disk::sync_directory(&self.directory),
            false => Ok(()),
        }
    }

    /// Whether every segment is done with.
    pub fn is_drained(&self) -> bool {
        lock(&self.segments).is_empty()
    }

    /// Removes the directory if nothing is left in it; whether it did.
    pub fn remove_if_empty(&self) -> Result<bool> {
        if disk::names(&self.directory)? != [LOCK] {
            return Ok(false);
        }
        disk::remove_file(&self.directory, LOCK)?;
        disk::remove_directory(&self.shared.directory, &self.name)?;
        if self.shared.durable {
            disk::sync_directory(&self.shared.directory)?;
        }
        Ok(true)
    }

    /// Creates the files of a new segment, the room for acknowledgements first.
    pub fn create_segment(&self, number: u64, ack_bytes: u64) -> Result<(Arc<Segment>, File)> {
        let created = self.create_files(number, ack_bytes);
        if created.is_err() {
            // Whatever was made of the pair is useless and holds nothing.
            let _ = self.remove(number);
        }
        let file = created?;
        let state = State {
            ack_bytes,
            ..State::default()
        };
        let seal = self.identity.seal(number);
        let segment = Arc::new(Segment::new(number, seal, HEADER, false, state));
        lock(&self.segments).insert(number, Arc::clone(&segment));
        self.shared.use_bytes(HEADER + ack_bytes, 0);
        Ok((segment, file))
    }

    fn create_files(&self, number: u64, ack_bytes: u64) -> Result<File> {
        let acks = disk::create_file(&self.directory, &ack_name(number))?;
        disk::preallocate(&acks, ack_bytes)?;
        let file = disk::create_file(&self.directory, &segment_name(number))?;
        disk::write_at(&file, &self.identity.header(number, now_ms()), 0)?;
        Ok(file)
    }
}

/// The directory's own lock keeps cleaners of temporary files away, and adopters if the lock
/// file is gone. Not every file system has it.
fn lock_directory(directory: &File) -> Result<()> {
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

/// Whether another instance took a new directory for an orphan before it was locked.
fn is_race(error: &Error) -> bool {
    use ErrorKind::{AlreadyExists, NotFound, WouldBlock};
    matches!(error.kind(), AlreadyExists | NotFound | WouldBlock)
}

fn lock_file(lock: &File) -> Result<()> {
    #[cfg(test)]
    super::tests::faults::lock()?;
    lock.try_lock()?;
    // An owner that was just removing the directory held the lock until now.
    match disk::is_linked(lock)? {
        true => Ok(()),
        false => Err(ErrorKind::NotFound.into()),
    }
}

/// The instance whose directory has this name.
pub fn instance_of(name: &str) -> Option<Id> {
    id_of(name.strip_suffix(SUFFIX)?)
}

pub fn segment_name(number: u64) -> String {
    format!("{number:016x}.mq")
}

pub fn ack_name(number: u64) -> String {
    format!("{number:016x}.ack")
}

/// Ascending with time, and different in each process.
fn new_id() -> Id {
    let high = RandomState::new().hash_one((std::process::id(), SystemTime::now()));
    let low = RandomState::new().hash_one((SystemTime::now(), high));
    let random = (u128::from(high) << 64) | u128::from(low);
    ((u128::from(now_ms()) << 80) | (random >> 48)).to_be_bytes()
}
