//! Failures of the file system, for the calling thread only.
#![forbid(unsafe_code)]

use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Error, Result};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static ROOM: Cell<Option<u64>> = const { Cell::new(None) };
    static WRITE: Cell<Option<Errno>> = const { Cell::new(None) };
    static ALLOCATION: Cell<Option<Errno>> = const { Cell::new(None) };
    /// After how many flushes one fails, and how.
    static SYNC: Cell<Option<(u32, Errno)>> = const { Cell::new(None) };
    static SYNC_DIRECTORY: Cell<Option<Errno>> = const { Cell::new(None) };
    static DURING_SYNC_OF_DIRECTORY: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static LOCK: Cell<Option<Errno>> = const { Cell::new(None) };
    /// From which byte on files cannot be read.
    static BAD_FROM: Cell<Option<u64>> = const { Cell::new(None) };
    /// After how many openings of what has a name with this end one fails, and how.
    static OPEN: Cell<Option<(u32, &'static str, Errno)>> = const { Cell::new(None) };
    static SHARED: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// The disk has this much room left; bytes that a file has already cost nothing.
pub fn set_room(bytes: Option<u64>) {
    ROOM.set(bytes);
}

/// The next write to grow a file fails half-way.
pub fn fail_write(errno: Errno) {
    WRITE.set(Some(errno));
}

/// The next flush fails.
pub fn fail_sync(errno: Errno) {
    fail_sync_after(0, errno);
}

/// The flush after so many fails.
pub fn fail_sync_after(good: u32, errno: Errno) {
    SYNC.set(Some((good, errno)));
}

/// The next flush of a directory fails.
pub fn fail_sync_of_directory(errno: Errno) {
    SYNC_DIRECTORY.set(Some(errno));
}

/// Has this done during the next flush of a directory.
pub fn during_sync_of_directory(done: impl FnOnce() + 'static) {
    DURING_SYNC_OF_DIRECTORY.set(Some(Box::new(done)));
}

/// The next lock cannot be had.
pub fn fail_lock(errno: Errno) {
    LOCK.set(Some(errno));
}

/// The disk is bad from this byte of each file on.
pub fn set_bad_from(offset: Option<u64>) {
    BAD_FROM.set(offset);
}

/// The next flush of the threads that have this in common fails.
pub fn share_failing_sync(armed: &Arc<AtomicBool>) {
    SHARED.set(Some(armed.clone()));
}

/// The opening after so many of what has a name with this end fails. Lists of names are opened as ".".
pub fn fail_open_after(good: u32, end: &'static str, errno: Errno) {
    OPEN.set(Some((good, end, errno)));
}

/// Leaves on the disk what a real failure would.
pub fn write(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    if let Some(errno) = WRITE.take() {
        file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
        return Err(errno.into());
    }
    let Some(room) = ROOM.get() else {
        return Ok(());
    };
    let length = file.metadata()?.len();
    let growth = (offset + bytes.len() as u64).saturating_sub(length);
    if growth <= room {
        ROOM.set(Some(room - growth));
        return Ok(());
    }
    let part = (length + room).saturating_sub(offset) as usize;
    file.write_all_at(&bytes[..part], offset)?;
    Err(Error::from(Errno::ENOSPC))
}

/// The next allocation fails.
pub fn fail_allocation(errno: Errno) {
    ALLOCATION.set(Some(errno));
}

pub fn allocate(bytes: u64) -> nix::Result<()> {
    if let Some(errno) = ALLOCATION.take() {
        return Err(errno);
    }
    match ROOM.get() {
        None => Ok(()),
        Some(room) if bytes <= room => {
            ROOM.set(Some(room - bytes));
            Ok(())
        }
        Some(_) => Err(Errno::ENOSPC),
    }
}

pub fn sync() -> Result<()> {
    let disarm = |armed: &Arc<AtomicBool>| armed.swap(false, Ordering::SeqCst);
    if SHARED.with_borrow(|armed| armed.as_ref().is_some_and(disarm)) {
        return Err(Errno::EIO.into());
    }
    match SYNC.take() {
        Some((0, errno)) => Err(errno.into()),
        Some((good, errno)) => {
            SYNC.set(Some((good - 1, errno)));
            Ok(())
        }
        None => Ok(()),
    }
}

pub fn sync_directory() -> Result<()> {
    if let Some(done) = DURING_SYNC_OF_DIRECTORY.take() {
        done();
    }
    SYNC_DIRECTORY
        .take()
        .map_or(Ok(()), |errno| Err(errno.into()))
}

pub fn lock() -> Result<()> {
    LOCK.take().map_or(Ok(()), |errno| Err(errno.into()))
}

/// What a read from `offset` on brings.
pub fn read(count: Result<usize>, offset: u64) -> Result<usize> {
    match BAD_FROM.get().map(|bad| bad.saturating_sub(offset)) {
        Some(0) => Err(Errno::EIO.into()),
        Some(good) => Ok(count?.min(good as usize)),
        None => count,
    }
}

pub fn open(name: &str) -> Result<()> {
    match OPEN.get() {
        Some((good, end, errno)) if name.ends_with(end) => {
            OPEN.set(good.checked_sub(1).map(|good| (good, end, errno)));
            match good {
                0 => Err(errno.into()),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
