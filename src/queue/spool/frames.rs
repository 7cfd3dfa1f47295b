//! Reading a segment: its frames in order, past any damage.
#![forbid(unsafe_code)]

use super::disk::File;
use super::format::{HEAD, Head, Seal, frame_bytes};
use super::segment::Ranges;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;

/// Bytes read at once, unless one frame is larger.
const WINDOW: u64 = 128 * 1024;

/// A frame that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where reading resumed: `at`, or less if damage was passed over.
    pub from: u64,
    pub at: u64,
    pub end: u64,
    pub head: Head,
    pub payload: Vec<u8>,
}

/// A place in a segment's file.
#[derive(Debug)]
pub struct Frames {
    file: File,
    seal: Seal,
    offset: u64,
    /// The sequence numbers before the last frame's: a disk may repeat what it wrote.
    seen: Ranges,
    last: Option<u64>,
    window: Vec<u8>,
    window_at: u64,
}

impl Frames {
    pub fn new(file: File, seal: Seal, offset: u64) -> Self {
        Frames {
            file,
            seal,
            offset,
            seen: Ranges::default(),
            last: None,
            window: Vec::new(),
            window_at: 0,
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on from `offset`, a frame's end.
    pub fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Has the last frame come again, from where reading resumed for it.
    pub fn put_back(&mut self, from: u64) {
        self.offset = from;
        self.last = None;
    }

    /// The next frame that ends at `limit` or before. Without one, the place stays as it is.
    pub fn next(&mut self, limit: u64) -> Result<Option<Frame>> {
        if let Some(last) = self.last.take() {
            self.seen.add(last, last.saturating_add(1));
        }
        let from = self.offset;
        let mut at = from;
        while at.saturating_add(HEAD) <= limit {
            if let Some(mut frame) = self.frame(at, limit)? {
                frame.from = from;
                self.offset = frame.end;
                self.last = Some(frame.head.sequence);
                return Ok(Some(frame));
            }
            at += 8;
        }
        Ok(None)
    }

    fn frame(&mut self, at: u64, limit: u64) -> Result<Option<Frame>> {
        let seal = self.seal;
        let Some(head) = self.view(at, HEAD, limit)?.and_then(|b| seal.head(b)) else {
            return Ok(None);
        };
        if self.seen.end_of(head.sequence).is_some() {
            return Ok(None);
        }
        let length = u64::from(head.length);
        let end = at + frame_bytes(length);
        if end > limit {
            return Ok(None);
        }
        let Some(bytes) = self.view(at, HEAD + length, limit)? else {
            return Ok(None);
        };
        #[cfg(test)]
        super::tests::effort::spend(bytes.len());
        let payload = bytes.get(HEAD as usize..).unwrap_or_default();
        Ok(seal.verifies(&head, bytes).then(|| Frame {
            from: at,
            at,
            end,
            head,
            payload: payload.to_vec(),
        }))
    }

    /// `length` bytes from `at` on; none if the file is shorter by now.
    fn view(&mut self, at: u64, length: u64, limit: u64) -> Result<Option<&[u8]>> {
        if !self.holds(at, length) {
            let wanted = length.max(WINDOW).min(limit.saturating_sub(at));
            self.window.clear();
            self.window.shrink_to(WINDOW as usize);
            self.window.resize(wanted as usize, 0);
            self.window_at = at;
            let (read, failure) = read_until_failure(&self.file, &mut self.window, at);
            self.window.truncate(read);
            // One further on is for the frame that it hits.
            if let Some(error) = failure.filter(|_| (read as u64) < length) {
                self.window.clear();
                return Err(error);
            }
        }
        let start = at.saturating_sub(self.window_at) as usize;
        Ok(self.window.get(start..start + length as usize))
    }

    fn holds(&self, at: u64, length: u64) -> bool {
        at >= self.window_at && at + length <= self.window_at + self.window.len() as u64
    }
}

/// Reads until `buffer` is full or the file ends.
pub fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
    match read_until_failure(file, buffer, at) {
        (_, Some(error)) => Err(error),
        (done, None) => Ok(done),
    }
}

/// The same, with what was read before a failure.
fn read_until_failure(file: &File, buffer: &mut [u8], at: u64) -> (usize, Option<Error>) {
    #[cfg(test)]
    super::tests::effort::spend(buffer.len());
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let from = at + done as u64;
        let read = file.read_at(rest, from);
        #[cfg(test)]
        let read = super::tests::faults::read(read, from);
        match read {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}
