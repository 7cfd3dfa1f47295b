//! The bytes on disk, as `docs/spool-format.md` describes them.
#![forbid(unsafe_code)]

use crc32c::{crc32c, crc32c_append};

pub const VERSION: u16 = 1;
pub const HEADER: u64 = 64;
/// Bytes of a frame before its payload.
pub const HEAD: u64 = 32;
/// Bytes of a record of acknowledgement.
pub const RECORD: usize = 12;

const MAGIC: &[u8; 4] = b"MONQ";

/// 16 bytes that name a client instance or an endpoint and user.
pub type Id = [u8; 16];

/// Whose segments these are. Frames verify only under the name of their own directory and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub instance: Id,
    pub fingerprint: Id,
}

impl Identity {
    pub fn seal(&self, number: u64) -> Seal {
        let seed = crc32c(&number.to_le_bytes());
        let seed = crc32c_append(seed, &self.instance);
        let seed = crc32c_append(seed, &self.fingerprint);
        let marker = crc32c_append(seed, b"frame") | 1;
        Seal { seed, marker }
    }

    pub fn header(&self, number: u64, created_ms: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER as usize);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&0u16.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&self.instance);
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&created_ms.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        let crc = crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Whether a file that begins so is another's or of another version. A damaged header says
    /// nothing: then the frames decide.
    pub fn disowns(&self, header: &[u8], number: u64) -> bool {
        let (Some(covered), Some(crc)) = (header.get(..60), u32_at(header, 60)) else {
            return false;
        };
        if covered.get(..4) != Some(MAGIC) || crc32c(covered) != crc {
            return false;
        }
        let mine = self.header(number, u64_at(header, 48).unwrap_or_default());
        mine.get(..60) != Some(covered)
    }
}

/// What makes the frames of one segment different from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    pub seed: u32,
    pub marker: u32,
}

/// A frame's fields before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub crc: u32,
    pub length: u32,
    pub reserved: u32,
    pub sequence: u64,
    pub enqueued_ms: u64,
}

impl Seal {
    /// Appends one frame to `bytes`, which starts at a multiple of 8.
    pub fn frame(&self, bytes: &mut Vec<u8>, payload: &[u8], sequence: u64, enqueued_ms: u64) {
        let mut covered = [0u8; 24];
        let fields = [
            u64::from(payload.len() as u32).to_le_bytes(),
            sequence.to_le_bytes(),
            enqueued_ms.to_le_bytes(),
        ];
        for (place, field) in covered.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field);
        }
        let crc = crc32c_append(crc32c_append(self.seed, &covered), payload);
        bytes.extend_from_slice(&self.marker.to_le_bytes());
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&covered);
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }

    /// The head at the start of `bytes`, if the marker is there.
    pub fn head(&self, bytes: &[u8]) -> Option<Head> {
        if u32_at(bytes, 0)? != self.marker {
            return None;
        }
        Some(Head {
            crc: u32_at(bytes, 4)?,
            length: u32_at(bytes, 8)?,
            reserved: u32_at(bytes, 12)?,
            sequence: u64_at(bytes, 16)?,
            enqueued_ms: u64_at(bytes, 24)?,
        })
    }

    /// Whether `frame`, head and payload, is what was written.
    pub fn verifies(&self, head: &Head, frame: &[u8]) -> bool {
        let covered = frame.get(8..);
        head.reserved == 0
            && covered.is_some_and(|covered| crc32c_append(self.seed, covered) == head.crc)
    }

    /// A record that the bytes `start..end` of the segment are done with.
    pub fn record(&self, start: u32, end: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD);
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&end.to_le_bytes());
        let crc = crc32c_append(self.seed, &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The range of a valid record.
    pub fn range(&self, record: &[u8]) -> Option<(u32, u32)> {
        let (start, end) = (u32_at(record, 0)?, u32_at(record, 4)?);
        let valid = crc32c_append(self.seed, record.get(..8)?) == u32_at(record, 8)?;
        (valid && u64::from(start) >= HEADER && start < end).then_some((start, end))
    }
}

/// Bytes a payload takes as a frame.
pub fn frame_bytes(payload: u64) -> u64 {
    (HEAD + payload).next_multiple_of(8)
}

/// 16 bytes of 32 lower-case hexadecimal digits.
pub fn id_of(hex: &str) -> Option<Id> {
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if hex.len() != 32 || !hex.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(hex, 16).ok().map(u128::to_be_bytes)
}

pub fn hex_of(id: &Id) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(8)?)?;
    field.try_into().ok().map(u64::from_le_bytes)
}
