//! Descriptors that a forked child must not have.
//!
//! Close-on-exec does not help a child that goes on with the same program: it would keep its parent's locks held and its
//! parent's pipes open. So each descriptor is noted where the child finds it without taking a lock.
#![forbid(unsafe_code)]

use super::generation;
use once_cell::race::OnceBox;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a fork waits for descriptors that are just being opened or closed. A disk that hangs must not hang it.
const FORK_PATIENCE: Duration = Duration::from_millis(10);

/// How long opening and closing wait for a fork, which takes its time where there is much memory to copy.
const PATIENCE: Duration = Duration::from_millis(200);

const PAUSE: Duration = Duration::from_micros(20);

const NONE: i32 = -1;

/// Numbers of descriptors, in as many blocks as it takes.
struct Block {
    numbers: [AtomicI32; 64],
    next: OnceBox<Block>,
}

static NOTED: Block = Block::new();

/// How many threads are opening or closing a descriptor.
static CHANGING: AtomicU32 = AtomicU32::new(0);

/// How many threads are forking.
static FORKING: AtomicU32 = AtomicU32::new(0);

/// A descriptor that a child finds closed.
#[derive(Debug)]
pub struct NotInherited<T: AsFd> {
    note: &'static AtomicI32,
    generation: u64,
    descriptor: Arc<T>,
    /// Last, so that the descriptor is closed by then.
    _end: EndOfChange,
}

impl<T: AsFd> NotInherited<T> {
    /// Opens a descriptor. No fork comes between the opening and the note of it.
    pub fn open<E>(open: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        undivided(|| Ok(NotInherited::of(open()?)))
    }

    /// Opens two at once.
    pub fn open_pair<E>(open: impl FnOnce() -> Result<(T, T), E>) -> Result<(Self, Self), E> {
        undivided(|| {
            let (first, second) = open()?;
            Ok((NotInherited::of(first), NotInherited::of(second)))
        })
    }

    fn of(descriptor: T) -> Self {
        NotInherited {
            note: NOTED.enter(descriptor.as_fd().as_raw_fd()),
            generation: generation(),
            descriptor: Arc::new(descriptor),
            _end: EndOfChange,
        }
    }
}

impl<T: AsFd> Drop for NotInherited<T> {
    fn drop(&mut self) {
        begin_change();
        if self.generation == generation() {
            self.note.store(NONE, SeqCst);
        } else {
            // An ancestor's: closed already, and its number may be another's by now.
            std::mem::forget(self.descriptor.clone());
        }
    }
}

impl<T: AsFd> Deref for NotInherited<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.descriptor
    }
}

impl<T: AsFd> AsFd for NotInherited<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Ends when dropped what `begin_change` began.
#[derive(Debug)]
struct EndOfChange;

fn begin_change() {
    let deadline = Instant::now() + PATIENCE;
    loop {
        CHANGING.fetch_add(1, SeqCst);
        if FORKING.load(SeqCst) == 0 || Instant::now() >= deadline {
            return;
        }
        CHANGING.fetch_sub(1, SeqCst);
        sleep(PAUSE);
    }
}

impl Drop for EndOfChange {
    fn drop(&mut self) {
        CHANGING.fetch_sub(1, SeqCst);
    }
}

/// Does what must not be half done in a child: no fork comes in between. It must be short.
pub fn undivided<R>(f: impl FnOnce() -> R) -> R {
    begin_change();
    let _end = EndOfChange;
    f()
}

/// To be called before a fork: lets changes end, and none begin.
pub(super) fn before_fork() {
    FORKING.fetch_add(1, SeqCst);
    let deadline = Instant::now() + FORK_PATIENCE;
    while CHANGING.load(SeqCst) > 0 && Instant::now() < deadline {
        sleep(PAUSE);
    }
}

pub(super) fn after_fork_in_parent() {
    FORKING.fetch_sub(1, SeqCst);
}

/// Closes what is noted.
pub(super) fn after_fork_in_child() {
    CHANGING.store(0, SeqCst);
    FORKING.store(0, SeqCst);
    let mut block = Some(&NOTED);
    while let Some(found) = block {
        for number in &found.numbers {
            let number = number.swap(NONE, SeqCst);
            if number != NONE {
                // It belongs to the library as long as it is noted: what the host closed of it is the host's fault.
                let _ = nix::unistd::close(number);
            }
        }
        block = found.next.get();
    }
}

impl Block {
    const fn new() -> Self {
        Block {
            numbers: [const { AtomicI32::new(NONE) }; 64],
            next: OnceBox::new(),
        }
    }

    /// Notes a number, in the first place that is free.
    fn enter(&'static self, number: i32) -> &'static AtomicI32 {
        let free = |place: &&AtomicI32| {
            let entered = place.compare_exchange(NONE, number, SeqCst, SeqCst);
            entered.is_ok()
        };
        match self.numbers.iter().find(free) {
            Some(place) => place,
            None => {
                let next = self.next.get_or_init(|| Box::new(Block::new()));
                next.enter(number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn there_is_room_for_any_number_of_them() {
        static NOTES: Block = Block::new();
        let notes: Vec<_> = (0..200).map(|number| NOTES.enter(number)).collect();
        assert!(
            (0..)
                .zip(&notes)
                .all(|(number, note)| note.load(SeqCst) == number)
        );
        notes[130].store(NONE, SeqCst);
        assert!(std::ptr::eq(NOTES.enter(200), notes[130]));
    }

    #[test]
    fn a_fork_waits_for_a_change_but_not_for_ever() {
        let result = NotInherited::open(|| {
            before_fork();
            after_fork_in_parent();
            Err::<File, ()>(())
        });
        assert!(result.is_err());
    }
}
