//! Taking over the directories of instances that are gone.
#![forbid(unsafe_code)]

use super::disk::{self, File, passes};
use super::format::{HEADER, RECORD, Seal};
use super::frames::{Frames, read_at};
use super::reader::{Place, Reader};
use super::segment::{Ranges, Segment, State};
use super::store::{ACK_BYTES, Store, ack_name, instance_of, segment_name};
use super::writer::{Spool, storage};
use super::{Counts, SpoolError};
use crate::sync::lock;
use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// What adoption found in a segment.
#[derive(Debug, Default)]
struct Found {
    state: State,
    corrupt_frames: u64,
    corrupt_bytes: u64,
    /// Where the last readable frame ends.
    end: u64,
}

impl Spool {
    /// Takes over the oldest directory of the same endpoint and user whose owner is gone, unless
    /// one that can be read is still being drained; how many messages that adds.
    pub fn adopt(&self) -> usize {
        if self.is_forked() {
            return 0;
        }
        let mut reader = lock(&self.reader);
        reader.finish_orphans();
        if reader.orphans.iter().any(Place::is_readable) {
            return 0;
        }
        let names = disk::names(&self.shared.directory);
        reader.unadopted = passing(names.as_ref().err());
        for name in names.unwrap_or_default() {
            let held = |place: &Place| place.store.name() == name;
            let known = name == self.store.name()
                || reader.orphans.iter().any(held)
                || reader.fruitless.contains(&name);
            if known || instance_of(&name).is_none() {
                continue;
            }
            // What another instance holds, or what is not ours to open, is left alone.
            let taken = Store::take(&self.shared, &name);
            let unreadable = passing(taken.as_ref().err());
            reader.unadopted = unreadable.or(reader.unadopted.take());
            let Ok(store) = taken else {
                continue;
            };
            let messages = self.take_over(&mut reader, store);
            if messages > 0 {
                return messages as usize;
            }
        }
        0
    }

    /// Why the last adoption left behind what may be readable later, if it did.
    pub fn unadopted(&self) -> Option<SpoolError> {
        lock(&self.reader).unadopted.clone()
    }

    fn take_over(&self, reader: &mut Reader, store: Store) -> u64 {
        let (found, failure) = store.scan();
        let whole = failure.is_none();
        reader.unadopted = passing(failure.as_ref()).or(reader.unadopted.take());
        let mut counts = lock(&self.shared.counts);
        counts.messages += found.messages;
        counts.bytes += found.bytes;
        counts.adopted += found.messages;
        counts.corrupt_frames += found.corrupt_frames;
        counts.corrupt_bytes += found.corrupt_bytes;
        drop(counts);
        reader.adoptions += 1;
        let place = Place::new(reader.adoptions, Arc::new(store), whole);
        reader.orphans.push(place);
        reader.finish_orphans();
        found.messages
    }
}

/// What is said of a failure that may be over soon.
fn passing(failure: Option<&Error>) -> Option<SpoolError> {
    let error = failure.filter(|error| passes(error))?;
    Some(storage("read what a program left", error))
}

impl Store {
    /// Finds the segments that hold messages and removes those that do not; why not all could be looked at, if that may be
    /// over soon.
    fn scan(&self) -> (Counts, Option<Error>) {
        let mut total = Counts::default();
        let mut failure = None;
        let mut note = |error: Error| failure = Some(error).filter(passes).or(failure.take());
        let names = disk::names(&self.directory);
        let names = names.map_err(&mut note).unwrap_or_default();
        if self.shared.durable {
            // What the program that ended did not flush; of a failure nothing would follow.
            let _ = self.sync_names();
        }
        for name in &names {
            if let Some(number) = number_of(name, ".ack") {
                if !names.contains(&segment_name(number)) {
                    // Its segment is gone: all of it was delivered.
                    let _ = disk::remove_file(&self.directory, name);
                }
            } else if let Some(number) = number_of(name, ".mq") {
                let scanned = self.scan_segment(number);
                let Ok(Some((segment, found, cut))) = scanned.map_err(&mut note) else {
                    continue;
                };
                cut.map(&mut note);
                total.messages += found.messages;
                total.bytes += found.bytes;
                total.corrupt_frames += found.corrupt_frames;
                total.corrupt_bytes += found.corrupt_bytes;
                let segment = Arc::new(segment);
                lock(&self.segments).insert(number, Arc::clone(&segment));
                if found.messages == 0 {
                    // What cannot be removed now is found again by the next run.
                    let _ = self.retire(&segment);
                }
            }
        }
        (total, failure)
    }

    /// A segment, what is in it, and why it is cut off where it was found unreadable; none if the file is another's.
    fn scan_segment(&self, number: u64) -> Result<Option<(Segment, Counts, Option<Error>)>> {
        let file = disk::open_file(&self.directory, &segment_name(number), false, false)?;
        // Acknowledgements name places in 32 bits.
        let length = file.metadata()?.len().min(u64::from(u32::MAX));
        let mut header = vec![0; HEADER as usize];
        let read = read_at(&file, &mut header, 0)?;
        header.truncate(read);
        if self.identity.disowns(&header, number) {
            return Ok(None);
        }
        let seal = self.identity.seal(number);
        let state = match self.acknowledged(number, seal, length) {
            // From a bad disk it will never be known what was delivered: rather twice than not at all.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => {
                self.forgetful.store(true, SeqCst);
                State::default()
            }
            Err(error) if passes(&error) => return Err(error),
            acknowledged => acknowledged.unwrap_or_default(),
        };
        let mut found = Found {
            state,
            ..Found::default()
        };
        if self.shared.durable {
            let _ = disk::sync_data(&file);
        }
        let failure = found.frames(file, seal, length).err();
        let length = match failure {
            Some(error) if found.state.messages == 0 => return Err(error),
            Some(_) => found.end,
            None => length,
        };
        let counts = Counts {
            messages: found.state.messages,
            bytes: found.state.bytes,
            corrupt_frames: found.corrupt_frames,
            corrupt_bytes: found.corrupt_bytes,
            ..Counts::default()
        };
        let mut segment = Segment::new(number, seal, length, true, found.state);
        segment.cut = failure.is_some();
        Ok(Some((segment, counts, failure)))
    }

    /// What the records of acknowledgement say; whatever is not valid there acknowledges nothing.
    fn acknowledged(&self, number: u64, seal: Seal, length: u64) -> Result<State> {
        let file = disk::open_file(&self.directory, &ack_name(number), false, false)?;
        let size = file.metadata()?.len();
        let mut state = State {
            ack_bytes: size,
            ..State::default()
        };
        // More than one record for each possible frame is no file of ours.
        let mut bytes = vec![0; size.min(length.max(ACK_BYTES)) as usize];
        let read = read_at(&file, &mut bytes, 0)?;
        bytes.truncate(read);
        let mut ranges = Ranges::default();
        for (index, record) in bytes.chunks(RECORD).enumerate() {
            if record.iter().any(|byte| *byte != 0) {
                state.slot = ((index + 1) * RECORD) as u64;
            }
            if let Some((start, end)) = seal.range(record) {
                ranges.add(start.into(), end.into());
            }
        }
        state.acked = ranges;
        Ok(state)
    }
}

impl Found {
    /// Counts the messages that wait and the damage around them.
    fn frames(&mut self, file: File, seal: Seal, length: u64) -> Result<()> {
        let mut frames = Frames::new(file, seal, HEADER);
        // The sequence number that follows without a gap, where it is known.
        let mut expected = None;
        loop {
            if let Some(end) = self.state.acked.end_of(frames.offset()) {
                frames.seek(end);
                expected = None;
                continue;
            }
            self.end = frames.offset();
            let Some(frame) = frames.next(length)? else {
                break;
            };
            let sequence = frame.head.sequence;
            if frame.at > frame.from {
                let gap = expected.map_or(1, |expected| sequence.saturating_sub(expected));
                self.corrupt_frames += gap.clamp(1, frame.at - frame.from);
                self.corrupt_bytes += frame.at - frame.from;
            }
            expected = Some(sequence.saturating_add(1));
            if self.state.acked.end_of(frame.at).is_none() {
                self.state.messages += 1;
                self.state.bytes += frame.payload.len() as u64;
            }
        }
        self.tail(frames.file(), frames.offset(), length)
    }

    /// Zeros after the last frame are room that a crash left; anything else was a frame.
    fn tail(&mut self, file: &File, mut at: u64, length: u64) -> Result<()> {
        let rest = length.saturating_sub(at);
        let mut bytes = vec![0; 4096];
        while at < length {
            let read = read_at(file, &mut bytes, at)?;
            let part = bytes.get(..read).unwrap_or_default();
            if part.iter().any(|byte| *byte != 0) {
                self.corrupt_frames += 1;
                self.corrupt_bytes += rest;
                break;
            }
            if read == 0 {
                break;
            }
            at += read as u64;
        }
        Ok(())
    }
}

fn number_of(name: &str, suffix: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_suffix(suffix)?, 16).ok()?;
    // One spelling only.
    (name == format!("{number:016x}{suffix}")).then_some(number)
}
