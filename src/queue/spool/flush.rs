//! Flushing what was written.
#![forbid(unsafe_code)]

use super::disk;
use super::writer::{Active, Spool, Writer, storage};
use super::{SpoolError, Sync};
use crate::sync::lock;
use std::sync::atomic::Ordering::SeqCst;

impl Spool {
    /// The next call begins a new segment; of this one, what is damaged is then known for lost.
    pub fn end_segment(&self) {
        self.seal(&mut lock(&self.writer));
    }

    /// Flushes all that was appended before the call.
    pub fn sync(&self) -> Result<(), SpoolError> {
        let _flushing = lock(&self.flushing);
        let mut writer = lock(&self.writer);
        let mut unsynced = std::mem::take(&mut writer.unsynced);
        unsynced.extend(writer.active.clone());
        drop(writer);
        let mut result = self.flush_names();
        for active in unsynced {
            let segment = &active.segment;
            let done = segment.synced.load(SeqCst) >= segment.written.load(SeqCst);
            if done || segment.retired.load(SeqCst) {
                continue;
            }
            result = self.flush(&active).and(result);
        }
        result
    }

    /// Returns when the bytes before `end` are flushed, by this call or another thread's.
    pub(super) fn flush_until(&self, active: &Active, end: u64) -> Result<(), SpoolError> {
        let _flushing = lock(&self.flushing);
        if active.segment.synced.load(SeqCst) >= end {
            return Ok(());
        }
        if active.segment.suspect.load(SeqCst) {
            return Err(SpoolError::Storage {
                operation: "flush",
                cause: "an earlier flush of the segment failed".into(),
            });
        }
        match self.flush_names() {
            Ok(()) => self.flush(active),
            Err(error) => {
                self.distrust(active);
                Err(error)
            }
        }
    }

    fn flush_names(&self) -> Result<(), SpoolError> {
        if !std::mem::take(&mut lock(&self.writer).names_unsynced) {
            return Ok(());
        }
        let synced = self.store.sync_names();
        if synced.is_err() {
            lock(&self.writer).names_unsynced = true;
        }
        synced.map_err(|error| storage("flush its directory", &error))
    }

    fn flush(&self, active: &Active) -> Result<(), SpoolError> {
        let segment = &active.segment;
        let target = segment.written.load(SeqCst);
        match disk::sync_data(&active.file) {
            Ok(()) => {
                segment.synced.store(target, SeqCst);
                if self.options.sync == Sync::Always {
                    segment.visible.store(target, SeqCst);
                }
                Ok(())
            }
            Err(error) => {
                self.distrust(active);
                Err(storage("flush", &error))
            }
        }
    }

    /// After a failed flush the system may believe its pages clean: asking again proves nothing, so
    /// the segment takes no more frames. In mode `Always` those that failed are taken back.
    pub(super) fn distrust(&self, active: &Active) {
        let mut writer = lock(&self.writer);
        let writer: &mut Writer = &mut writer;
        let segment = &active.segment;
        segment.suspect.store(true, SeqCst);
        let current = writer.active.as_ref();
        if current.is_some_and(|current| current.segment.number == segment.number) {
            self.seal(writer);
        }
        writer
            .unsynced
            .retain(|other| other.segment.number != segment.number);
        if self.options.sync == Sync::Always {
            let kept = segment.visible.load(SeqCst);
            let lost = segment.written.swap(kept, SeqCst).saturating_sub(kept);
            self.shared.use_bytes(0, lost);
            // Left in the file, they would come back in the next run.
            let _ = active.file.set_len(kept);
        }
    }
}
