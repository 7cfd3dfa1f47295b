//! The file system: everything relative to directory handles, nothing through a symbolic link.
#![forbid(unsafe_code)]

use super::SpoolError;
use crate::fork::{self, NotInherited};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An open file or directory, closed in a forked child: above all, the child must not hold its parent's lock.
pub type File = NotInherited<fs::File>;

pub const TOO_LARGE: &str = "this process may write no file as large (ulimit -f)";
const PRIVATE_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// Opens `path`, creating what is missing of it (`durable`: for a loss of power too), and checks that only this user can
/// write there.
pub fn open_root(path: &Path, durable: bool) -> std::result::Result<File, SpoolError> {
    // With a slash at its end, a link would be followed.
    let path: &Path = &path.components().collect::<PathBuf>();
    let shown = path.display();
    let created = create_root(path, durable);
    let mut options = OpenOptions::new();
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    options.read(true).custom_flags(flags.bits());
    let opened = NotInherited::open(|| options.open(path));
    // A link or a file in its place fails both steps; the second says what is wrong.
    let directory = match (created, opened) {
        (_, Ok(directory)) => directory,
        (Err(error), Err(_)) | (Ok(()), Err(error)) => return Err(refusal(&shown, &error)),
    };
    check_directory(&directory, 0o022).map_err(|error| refusal(&shown, &error))?;
    Ok(directory)
}

fn create_root(path: &Path, durable: bool) -> Result<()> {
    let is_missing =
        |path: &&Path| !path.as_os_str().is_empty() && path.symlink_metadata().is_err();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in missing.iter().filter_map(|path| path.parent()) {
        let parent = match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        };
        if durable {
            sync_parent(parent)?;
        }
    }
    Ok(())
}

fn sync_parent(parent: &Path) -> Result<()> {
    match NotInherited::open(|| fs::File::open(parent)) {
        Ok(directory) => sync_directory(&directory),
        // One in which we may create and not look: nobody can flush it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Why a directory is not used.
pub fn refusal(shown: &dyn std::fmt::Display, error: &Error) -> SpoolError {
    let problem = format!("The spool directory {shown} cannot be used: {error}");
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => SpoolError::Exhausted { problem },
        _ => SpoolError::Refused { problem },
    }
}

/// Opens the directory `name`, which must belong to this user and have no bit of `forbidden`.
pub fn open_directory(parent: &File, name: &str, forbidden: u32) -> Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = opened(|| openat(parent, name, flags, Mode::empty()))?;
    check_directory(&directory, forbidden)?;
    Ok(directory)
}

/// Creates the directory `name`; an error if it is there.
pub fn create_directory(parent: &File, name: &str) -> Result<()> {
    Ok(mkdirat(parent, name, Mode::S_IRWXU)?)
}

fn check_directory(directory: &File, forbidden: u32) -> Result<()> {
    let stat = fstat(directory)?;
    let mode = permissions(&stat);
    let problem = if stat.st_uid != geteuid().as_raw() {
        format!("user {} owns it", stat.st_uid)
    } else if mode & forbidden != 0 {
        format!("its mode {mode:04o} lets other users in: it takes 0700")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::PermissionDenied, problem))
}

fn permissions(stat: &FileStat) -> u32 {
    Mode::from_bits_truncate(stat.st_mode).bits()
}

/// Creates the file `name`, which must not be there.
pub fn create_file(directory: &File, name: &str) -> Result<File> {
    let flags =
        OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    opened(|| openat(directory, name, flags, PRIVATE_FILE))
}

/// Opens the file `name` if it is a plain one of this user that no other user can write.
pub fn open_file(directory: &File, name: &str, writable: bool, create: bool) -> Result<File> {
    // Without O_NONBLOCK a FIFO in the file's place would block.
    let mut flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    flags |= if writable {
        OFlag::O_RDWR
    } else {
        OFlag::O_RDONLY
    };
    if create {
        flags |= OFlag::O_CREAT;
    }
    #[cfg(test)]
    super::tests::faults::open(name)?;
    let file = opened(|| openat(directory, name, flags, PRIVATE_FILE))?;
    let stat = fstat(&file)?;
    let plain = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    if !plain || stat.st_uid != geteuid().as_raw() || permissions(&stat) & 0o022 != 0 {
        let problem = "not a file that only this user can write";
        return Err(Error::new(ErrorKind::PermissionDenied, problem));
    }
    Ok(file)
}

fn opened(open: impl FnOnce() -> nix::Result<OwnedFd>) -> Result<File> {
    NotInherited::open(|| Ok(fs::File::from(open()?)))
}

/// Whether the file still has a name.
pub fn is_linked(file: &File) -> Result<bool> {
    Ok(fstat(file)?.st_nlink > 0)
}

/// The names in a directory, sorted.
pub fn names(directory: &File) -> Result<Vec<String>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    #[cfg(test)]
    super::tests::faults::open(".")?;
    fork::undivided(|| {
        for entry in Dir::openat(directory, ".", flags, Mode::empty())?.iter() {
            // What is not UTF-8 is no name of ours.
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Result::Ok(())
    })?;
    names.sort_unstable();
    Ok(names)
}

/// Removes a file; one that is gone already is no error.
pub fn remove_file(directory: &File, name: &str) -> Result<()> {
    match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes an empty directory.
pub fn remove_directory(parent: &File, name: &str) -> Result<()> {
    Ok(unlinkat(parent, name, UnlinkatFlags::RemoveDir)?)
}

/// Bytes of the plain files in the directories of `depth` levels under `directory`, unless that cannot be told just now. What is
/// gone, or not ours to look at, counts nothing.
pub fn measure(directory: &File, depth: u32) -> Option<u64> {
    let mut total = 0u64;
    for name in unless_passing(names(directory))?.unwrap_or_default() {
        let stat = fstatat(directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
        let Some(stat) = unless_passing(stat.map_err(Error::from))? else {
            continue;
        };
        match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => total = total.saturating_add(stat.st_size.max(0) as u64),
            SFlag::S_IFDIR if depth > 0 => {
                if let Some(child) = unless_passing(open_directory(directory, &name, 0))? {
                    total = total.saturating_add(measure(&child, depth - 1)?);
                }
            }
            _ => {}
        }
    }
    Some(total)
}

/// Whether a failure may be over soon: something had run out, or the disk did not answer.
pub fn passes(error: &Error) -> bool {
    use Errno::{EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM};
    let passing = [EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM];
    let code = error.raw_os_error().map(Errno::from_raw);
    code.is_some_and(|code| passing.contains(&code))
}

/// What was found, if anything; nothing to go by where the failure passes.
fn unless_passing<T>(found: Result<T>) -> Option<Option<T>> {
    match found {
        Err(error) if passes(&error) => None,
        found => Some(found.ok()),
    }
}

/// Bytes that this user can still write to the file system.
pub fn free_bytes(directory: &File) -> Result<u64> {
    let stat = fstatvfs(directory)?;
    // The types differ between systems.
    #[allow(clippy::useless_conversion)]
    let (blocks, size) = (
        u64::from(stat.blocks_available()),
        u64::from(stat.fragment_size()),
    );
    Ok(blocks.saturating_mul(size))
}

/// What one file of this process may have (`ulimit -f`). It may change at any time.
pub fn largest_file() -> u64 {
    let limit = getrlimit(Resource::RLIMIT_FSIZE).map(|limits| limits.0);
    // It has a sign on some systems.
    #[allow(clippy::useless_conversion)]
    u64::try_from(limit.unwrap_or(u64::MAX as _)).unwrap_or(u64::MAX)
}

/// The system ends a process that goes on beyond its limit, by a signal on the thread that wrote.
fn check_size(length: u64) -> Result<()> {
    match length > largest_file() {
        true => Err(Errno::EFBIG.into()),
        false => Ok(()),
    }
}

/// Writes all of `bytes` at `offset`.
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    check_size(offset.saturating_add(bytes.len() as u64))?;
    write_within(file, bytes, offset)
}

/// The same, in one call to the system unless that falls short, for who has seen that a file may be as large.
pub fn write_within(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    #[cfg(test)]
    super::tests::faults::write(file, bytes, offset)?;
    file.write_all_at(bytes, offset)
}

/// Gives a new file `length` bytes of zeros that a full disk cannot take back.
pub fn preallocate(file: &File, length: u64) -> Result<()> {
    check_size(length)?;
    loop {
        match allocate(file, length) {
            // A signal of the host's.
            Err(Errno::EINTR) => {}
            Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS) => break,
            done => return Ok(done?),
        }
    }
    file.write_all_at(&vec![0; length as usize], 0)
}

fn allocate(file: &File, length: u64) -> nix::Result<()> {
    #[cfg(test)]
    super::tests::faults::allocate(length)?;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    return nix::fcntl::posix_fallocate(file, 0, length as _);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    Err(Errno::ENOSYS)
}

pub fn sync_data(file: &File) -> Result<()> {
    #[cfg(test)]
    super::tests::faults::sync()?;
    file.sync_data()
}

/// Makes creations and removals in a directory durable. Some file systems know no such thing.
pub fn sync_directory(directory: &File) -> Result<()> {
    #[cfg(test)]
    super::tests::faults::sync_directory()?;
    match directory.sync_all() {
        Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
        done => done,
    }
}

/// What the error says where it says that there is no room.
pub fn full(error: &Error) -> Option<&'static str> {
    match Errno::from_raw(error.raw_os_error()?) {
        Errno::ENOSPC | Errno::EDQUOT => Some("the disk is full"),
        Errno::EFBIG => Some(TOO_LARGE),
        _ => None,
    }
}
