//! Processes that end without notice.
#![forbid(unsafe_code)]

use super::*;
use crate::message::random;
use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};

const CHILD: &str = "MONA_TEST_SPOOL_CHILD";
const LIMITED_CHILD: &str = "MONA_TEST_SPOOL_LIMITED_CHILD";
const THREADS: u64 = 2;

fn writing(root: &Path) -> Options {
    Options {
        segment_bytes: 64 * 1024,
        sync: Sync::Interval,
        ..options(root)
    }
}

/// Not a test of its own: the process that is killed. Each thread appends numbered messages and
/// then notes how many have returned.
#[test]
fn child() {
    let Some(root) = std::env::var_os(CHILD) else {
        return;
    };
    let root = Path::new(&root);
    let progress = fs::File::create(progress_of(root, std::process::id())).unwrap();
    let spool = open(writing(&root.join("spool")));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (spool, progress) = (&spool, &progress);
            scope.spawn(move || {
                for number in 0u64.. {
                    append_one(spool, thread, number);
                    let count = (number + 1).to_le_bytes();
                    progress.write_all_at(&count, thread * 8).unwrap();
                    if number % 64 == 0 {
                        spool.sync().unwrap();
                    }
                }
            });
        }
    });
}

/// Not a test of its own: the system ends this process where it writes more to a file than it may.
#[test]
fn limited_child() {
    use nix::sys::resource::{Resource::RLIMIT_FSIZE, getrlimit, setrlimit};
    let Some(root) = std::env::var_os(LIMITED_CHILD) else {
        return;
    };
    let root = Path::new(&root);
    let limit = |bytes| setrlimit(RLIMIT_FSIZE, bytes, getrlimit(RLIMIT_FSIZE).unwrap().1).unwrap();
    let spool = open(options(root));
    append(&spool, 0..400);
    let batch = tickets(&spool.read(400, usize::MAX).unwrap());
    for ticket in batch[..200].chunks(1) {
        spool.acknowledge(ticket).unwrap();
    }
    limit(2000);
    // Lost, and sent again, are acknowledgements that find no place.
    assert!(spool.acknowledge(&batch[200..201]).is_err());
    append(&spool, 400..500);
    for size in [2000, 1 << 20] {
        let error = spool.append(&[&vec![b'x'; size]]);
        assert_eq!(error, Err(SpoolError::TooLarge));
    }
    limit(100);
    assert!(spool.append(&[text(500).as_bytes()]).is_err());
    drop(spool);
    limit(getrlimit(RLIMIT_FSIZE).unwrap().1);
    assert_eq!(drain(&open(options(root))), expected(200..500));
}

#[test]
fn a_limit_of_the_size_of_files_refuses_messages_and_ends_no_process() {
    let root = TempDir::new().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "queue::spool::tests::kill::limited_child"])
        .env(LIMITED_CHILD, root.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
}

fn append_one(spool: &Spool, thread: u64, number: u64) {
    let id = format!("{} {thread} {number} ", std::process::id());
    let message = id.repeat(1 + number as usize % 40);
    if number.is_multiple_of(3) {
        spool.append(&[message.as_bytes()]).unwrap();
    } else {
        let more = format!("{} more", std::process::id());
        spool
            .append(&[message.as_bytes(), more.as_bytes()])
            .unwrap();
    }
}

fn progress_of(root: &Path, process: u32) -> std::path::PathBuf {
    root.join(format!("progress.{process}"))
}

fn start(root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "queue::spool::tests::kill::child"])
        .env(CHILD, root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn progress(root: &Path, process: u32) -> Vec<u64> {
    let bytes = fs::read(progress_of(root, process)).unwrap_or_default();
    let numbers = bytes.chunks_exact(8);
    numbers
        .map(|n| u64::from_le_bytes(n.try_into().unwrap()))
        .collect()
}

#[test]
fn a_killed_process_loses_nothing_whose_append_returned() {
    let rounds = std::env::var("MONA_TEST_KILL_ROUNDS");
    let rounds = rounds.map_or(20, |rounds| rounds.parse().unwrap());
    let mut total = 0;
    for _ in 0..rounds {
        let root = TempDir::new().unwrap();
        let mut children = [start(root.path()), start(root.path())];
        for child in &mut children {
            let target = (random::unit() * 2000.0) as u64;
            while progress(root.path(), child.id()).iter().sum::<u64>() <= target {
                assert_eq!(child.try_wait().unwrap(), None);
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let spool = open(writing(&root.path().join("spool")));
        let mut next: HashMap<(u32, u64), u64> = HashMap::new();
        for message in drain(&spool) {
            let words: Vec<&str> = message.split_whitespace().collect();
            let (process, thread) = (words[0].parse().unwrap(), words[1]);
            if thread == "more" {
                continue;
            }
            let (thread, number): (u64, u64) = (thread.parse().unwrap(), words[2].parse().unwrap());
            let id = format!("{process} {thread} {number} ");
            assert_eq!(message, id.repeat(1 + number as usize % 40));
            let expected = next.entry((process, thread)).or_default();
            assert_eq!(*expected, number, "once each and in order");
            *expected += 1;
        }
        for child in &children {
            for (thread, count) in (0..).zip(progress(root.path(), child.id())) {
                let found = next.get(&(child.id(), thread)).copied().unwrap_or_default();
                assert!(found >= count, "{found} of {count}");
                assert!(found <= count + 1, "{found} of {count}");
                total += count;
            }
        }
    }
    println!("{rounds} rounds, {total} appended messages, none lost");
}
