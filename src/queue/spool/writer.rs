//! The writing side: appending, beginning segments, and the limits.
#![forbid(unsafe_code)]

use super::disk::{self, File};
use super::format::{self, HEADER, frame_bytes};
use super::reader::Reader;
use super::segment::Segment;
use super::store::{ACK_BYTES, Shared, Store};
use super::{Counts, MEASURE, Options, SpoolError, Sync};
use crate::clock::now_ms;
use crate::sync::lock;
use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How much may be written before the file system's free bytes are asked for again.
const BUDGET: u64 = 1024 * 1024;
/// What segments have at most, whatever the options say.
const SEGMENT: u64 = 1024 * 1024 * 1024;
/// A buffer that grew beyond this is given back.
const KEEP_BUFFER: usize = 1024 * 1024;

#[derive(Debug)]
pub struct Spool {
    pub(super) options: Options,
    /// A forked child must not write into its parent's files.
    process: u32,
    pub(super) root: File,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<Store>,
    pub(super) writer: Mutex<Writer>,
    /// Held while flushing, never together with `reader`.
    pub(super) flushing: Mutex<()>,
    pub(super) reader: Mutex<Reader>,
}

#[derive(Debug, Default)]
pub(super) struct Writer {
    pub active: Option<Active>,
    number: u64,
    sequence: u64,
    buffer: Vec<u8>,
    free_budget: u64,
    measured: Option<Instant>,
    /// Sealed segments with unflushed bytes.
    pub unsynced: Vec<Active>,
    pub names_unsynced: bool,
}

/// A segment and the handle it was written with.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub segment: Arc<Segment>,
    pub file: Arc<File>,
}

/// What one call appended.
struct Appended {
    active: Active,
    end: u64,
    messages: u64,
    bytes: u64,
}

impl Spool {
    /// Opens the spool with a new, empty directory for this instance.
    pub fn open(mut options: Options) -> Result<Spool, SpoolError> {
        // Places in a segment have 32 bits.
        options.segment_bytes = options.segment_bytes.min(SEGMENT);
        let Some(fingerprint) = format::id_of(&options.fingerprint) else {
            return Err(refused("The spool's fingerprint is not 32 hex digits"));
        };
        let durable = options.sync != Sync::Os;
        let root = disk::open_root(&options.root, durable)?;
        let problem = |error: Error| {
            let path = options.root.join(&options.fingerprint);
            disk::refusal(&path.display(), &error)
        };
        match disk::create_directory(&root, &options.fingerprint) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(problem(error)),
            _ => {}
        }
        let directory =
            disk::open_directory(&root, &options.fingerprint, 0o022).map_err(problem)?;
        let shared = Arc::new(Shared {
            directory,
            fingerprint,
            durable,
            counts: Mutex::default(),
            // Where it cannot be told yet, it is before the first segment.
            used: AtomicU64::new(disk::measure(&root, 2).unwrap_or_default()),
        });
        let store = Arc::new(Store::create(&shared).map_err(problem)?);
        if durable {
            let synced =
                disk::sync_directory(&root).and_then(|()| disk::sync_directory(&shared.directory));
            if let Err(error) = synced {
                // An adopter removes it otherwise.
                let _ = store.remove_if_empty();
                return Err(storage("flush its directories", &error));
            }
        }
        Ok(Spool {
            options,
            process: std::process::id(),
            root,
            writer: Mutex::default(),
            flushing: Mutex::default(),
            reader: Mutex::new(Reader::new(Arc::clone(&store))),
            store,
            shared,
        })
    }

    /// Stores messages, all of them or none.
    pub fn append(&self, messages: &[&[u8]]) -> Result<(), SpoolError> {
        self.check_process()?;
        if messages.is_empty() {
            return Ok(());
        }
        let mut appended = self.write(&mut lock(&self.writer), messages);
        if matches!(appended, Err(SpoolError::Full { .. })) && self.remove_idle() {
            // The reader has one of their files open, which keeps its room on the disk. Nothing asked for, nothing fails.
            let _ = self.read(0, 0);
            let mut writer = lock(&self.writer);
            writer.names_unsynced |= self.shared.durable;
            appended = self.write(&mut writer, messages);
        }
        let appended = appended?;
        if self.options.sync == Sync::Always {
            let segment = &appended.active.segment;
            let flushed = self.flush_until(&appended.active, appended.end);
            if flushed.is_err() {
                self.store
                    .withdraw(segment, appended.messages, appended.bytes);
            }
            segment.undecided.fetch_sub(1, SeqCst);
            return flushed;
        }
        Ok(())
    }

    pub(super) fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }

    pub(super) fn check_process(&self) -> Result<(), SpoolError> {
        match self.is_forked() {
            true => Err(refused("The spool belongs to the parent process")),
            false => Ok(()),
        }
    }

    fn write(&self, writer: &mut Writer, messages: &[&[u8]]) -> Result<Appended, SpoolError> {
        let sizes = messages.iter().map(|payload| payload.len() as u64);
        let length: u64 = sizes.clone().map(frame_bytes).sum();
        if HEADER + length > u64::from(u32::MAX) {
            return Err(SpoolError::TooLarge);
        }
        let active = self.active(writer, length)?;
        let start = active.segment.written.load(SeqCst);
        let mut buffer = std::mem::take(&mut writer.buffer);
        let now = now_ms();
        for (sequence, payload) in (writer.sequence..).zip(messages) {
            active
                .segment
                .seal
                .frame(&mut buffer, payload, sequence, now);
        }
        let written = disk::write_within(&active.file, &buffer, start);
        buffer.clear();
        buffer.shrink_to(KEEP_BUFFER);
        writer.buffer = buffer;
        if let Err(error) = written {
            self.discard(writer, &active, start, &error);
            return Err(failure("write", &error));
        }
        writer.sequence += messages.len() as u64;
        writer.free_budget = writer.free_budget.saturating_sub(length);
        self.shared.use_bytes(length, 0);
        let appended = Appended {
            end: start + length,
            messages: messages.len() as u64,
            bytes: sizes.sum(),
            active,
        };
        self.publish(&appended);
        Ok(appended)
    }

    /// Counts what was written and shows it to the reader; in mode `Always` the flush shows it.
    fn publish(&self, appended: &Appended) {
        let segment = &appended.active.segment;
        let mut state = lock(&segment.state);
        state.messages += appended.messages;
        state.bytes += appended.bytes;
        let mut counts = lock(&self.shared.counts);
        counts.messages += appended.messages;
        counts.bytes += appended.bytes;
        drop(counts);
        drop(state);
        if self.options.sync == Sync::Always {
            segment.undecided.fetch_add(1, SeqCst);
            segment.written.store(appended.end, SeqCst);
        } else {
            segment.written.store(appended.end, SeqCst);
            segment.visible.store(appended.end, SeqCst);
        }
    }

    /// Takes a failed write back, so that no part of a refused call is ever delivered.
    fn discard(&self, writer: &mut Writer, active: &Active, length: u64, error: &Error) {
        let restored = active.file.set_len(length);
        if restored.is_err() || disk::full(error).is_none() {
            self.seal(writer);
        }
    }

    /// The segment that takes `length` more bytes, if the limits allow them, that of a file's size too.
    fn active(&self, writer: &mut Writer, length: u64) -> Result<Active, SpoolError> {
        let largest = disk::largest_file();
        let segment_bytes = self.options.segment_bytes.min(largest);
        if let Some(active) = &writer.active {
            let written = active.segment.written.load(SeqCst);
            let end = written + length;
            if end <= segment_bytes || written == HEADER && end <= largest {
                let active = active.clone();
                self.check_room(writer, length, false)?;
                return Ok(active);
            }
        }
        let ack_bytes = (segment_bytes / 64).clamp(1024, ACK_BYTES);
        let bytes = HEADER + ack_bytes + length;
        if HEADER + length > largest || bytes > self.options.max_bytes {
            return Err(SpoolError::TooLarge);
        }
        self.check_room(writer, bytes, true)?;
        self.seal(writer);
        let number = writer.number;
        writer.number += 1;
        let created = self.store.create_segment(number, ack_bytes);
        let (segment, file) = created.map_err(|error| failure("begin a segment", &error))?;
        let file = Arc::new(file);
        let active = Active { segment, file };
        writer.names_unsynced = self.shared.durable;
        writer.active = Some(active.clone());
        Ok(active)
    }

    /// No frame will follow in the segment that is being written.
    pub(super) fn seal(&self, writer: &mut Writer) {
        if let Some(active) = writer.active.take() {
            active.segment.sealed.store(true, SeqCst);
            if self.options.sync == Sync::Interval {
                writer.unsynced.push(active);
            }
        }
    }

    /// Removes own segments in which nothing waits, the one that is being written too; whether there were any. As long as
    /// each instance kept that one, all of them together could hold the whole room, and none ever get on.
    pub fn let_go(&self) -> bool {
        let removed = self.remove_idle();
        if removed {
            // Should they be there again after a loss of power, they are sent again.
            let _ = self.store.sync_names();
        }
        removed
    }

    /// The same, without waiting for a flush.
    fn remove_idle(&self) -> bool {
        if self.is_forked() {
            return false;
        }
        // With the lock, no frame can follow. Without it the rest, so that no call waits for the disk.
        let mut writer = lock(&self.writer);
        if let Some(active) = writer.active.take_if(|active| active.segment.is_idle()) {
            active.segment.sealed.store(true, SeqCst);
        }
        drop(writer);
        let mut segments: Vec<_> = lock(&self.store.segments).values().cloned().collect();
        segments.retain(|segment| segment.sealed.load(SeqCst) && segment.is_idle());
        for segment in &segments {
            // What cannot be removed now is removed by the next run.
            let _ = self.store.take_away(segment);
        }
        !segments.is_empty()
    }

    fn check_room(&self, writer: &mut Writer, bytes: u64, begins: bool) -> Result<(), SpoolError> {
        let full = |used: &AtomicU64| used.load(SeqCst) + bytes > self.options.max_bytes;
        let stale = writer.measured.is_none_or(|at| at.elapsed() >= MEASURE);
        if stale
            && (begins || full(&self.shared.used))
            && let Some(measured) = disk::measure(&self.root, 2)
        {
            self.shared.used.store(measured, SeqCst);
            writer.measured = Some(Instant::now());
        }
        if full(&self.shared.used) {
            let reason = "its files have the size they may have";
            return Err(SpoolError::Full { reason });
        }
        if writer.free_budget < bytes {
            let free = disk::free_bytes(&self.root).map_err(|e| failure("ask for room", &e))?;
            let spare = free.saturating_sub(self.options.keep_free_bytes);
            writer.free_budget = spare.min(BUDGET.max(bytes));
        }
        if writer.free_budget < bytes {
            let reason = "the file system has too few bytes left";
            return Err(SpoolError::Full { reason });
        }
        Ok(())
    }

    pub fn counts(&self) -> Counts {
        *lock(&self.shared.counts)
    }
}

/// Removes what is not needed any more. All else waits for the next run.
impl Drop for Spool {
    fn drop(&mut self) {
        if self.is_forked() {
            return;
        }
        self.seal(&mut lock(&self.writer));
        self.let_go();
        if self.options.sync == Sync::Interval {
            // What was appended after the last flush; nobody is left to be told of a failure.
            let _ = self.sync();
        }
        let _ = self.store.remove_if_empty();
    }
}

pub(super) fn refused(problem: impl Into<String>) -> SpoolError {
    SpoolError::Refused {
        problem: problem.into(),
    }
}

pub(super) fn storage(operation: &'static str, error: &Error) -> SpoolError {
    SpoolError::Storage {
        operation,
        cause: error.to_string(),
    }
}

fn failure(operation: &'static str, error: &Error) -> SpoolError {
    match disk::full(error) {
        Some(reason) => SpoolError::Full { reason },
        None => storage(operation, error),
    }
}
