//! Directories and files that another user could have a hand in.
#![forbid(unsafe_code)]

use super::*;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;

fn refuses(options: Options, word: &str) {
    match Spool::open(options) {
        Err(SpoolError::Refused { problem }) => assert!(problem.contains(word), "{problem}"),
        other => panic!("{other:?}"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn fifo(path: &Path) {
    mkfifo(path, Mode::S_IRWXU).unwrap();
}

/// Something that others can make in a directory's place.
fn impostors(path: &Path) -> Vec<fn(&Path)> {
    let as_root = nix::unistd::geteuid().is_root();
    let _ = fs::remove_dir(path);
    let mut all: Vec<fn(&Path)> = vec![
        |path| symlink(path.parent().unwrap(), path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        fifo,
        |path| {
            fs::create_dir(path).unwrap();
            set_mode(path, 0o777);
        },
        |path| {
            fs::create_dir(path).unwrap();
            set_mode(path, 0o770);
        },
    ];
    if as_root {
        all.push(|path| {
            fs::create_dir(path).unwrap();
            set_mode(path, 0o700);
            chown(path, Some(65534), None).unwrap();
        });
    }
    all
}

fn clear(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
}

#[test]
fn a_root_or_endpoint_directory_that_others_could_write_is_refused() {
    let base = TempDir::new().unwrap();
    let root = base.path().join("spool");
    for path in [root.clone(), root.join(FINGERPRINT)] {
        for make in impostors(&path) {
            make(&path);
            refuses(options(&root), "cannot be used");
            refuses(options(&root.join("")), "cannot be used");
            clear(&path);
        }
        fs::create_dir_all(&root).unwrap();
        set_mode(&root, 0o700);
    }
    open(options(&root));
}

#[test]
fn the_refusal_says_what_to_change() {
    let root = TempDir::new().unwrap();
    set_mode(root.path(), 0o777);
    refuses(options(root.path()), "its mode 0777 lets other users in");
    set_mode(root.path(), 0o700);
    let fingerprint = "../../../../tmp".into();
    refuses(
        Options {
            fingerprint,
            ..options(root.path())
        },
        "fingerprint",
    );
}

#[test]
fn what_the_spool_creates_is_for_its_user_only() {
    let base = TempDir::new().unwrap();
    let root = base.path().join("a/b");
    let spool = open(options(&root));
    append(&spool, 0..1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let segment = paths(&root, ".mq").remove(0);
    let above: Vec<&Path> = segment.ancestors().skip(1).take(4).collect();
    assert!(above.ends_with(&[root.as_path(), root.parent().unwrap()]));
    assert!(above.iter().all(|path| mode(path) == 0o700));
    assert_eq!(files(&root).len(), 3);
    assert!(files(&root).iter().all(|f| mode(&root.join(&f.0)) == 0o600));
}

fn instance(root: &TempDir) -> PathBuf {
    paths(root.path(), ".mq")[0].parent().unwrap().to_owned()
}

#[test]
fn an_orphan_that_others_could_have_written_is_not_adopted() {
    let as_root = nix::unistd::geteuid().is_root();
    let changes: [fn(&Path); 4] = [
        |path| set_mode(path, 0o777),
        |path| set_mode(path, 0o750),
        |path| {
            let moved = path.with_extension("moved");
            fs::rename(path, &moved).unwrap();
            symlink(&moved, path).unwrap();
        },
        |path| chown(path, Some(65534), None).unwrap(),
    ];
    for change in &changes[..if as_root { 4 } else { 3 }] {
        let root = left_behind(|spool| append(spool, 0..4));
        change(&instance(&root));
        let before = files(root.path());
        let spool = open(small(root.path()));
        assert_eq!(spool.adopt(), 0);
        drop(spool);
        assert_eq!(files(root.path()), before);
    }
}

#[test]
fn a_link_or_a_pipe_in_a_segments_place_is_neither_read_nor_waited_for() {
    let elsewhere = left_behind(|spool| append(spool, 90..93));
    let makes: [&dyn Fn(&Path); 4] = [
        &|path| symlink(path.with_extension("moved"), path).unwrap(),
        &|path| symlink(&paths(elsewhere.path(), ".mq")[0], path).unwrap(),
        &fifo,
        &|path| {
            fs::copy(&paths(elsewhere.path(), ".mq")[0], path).unwrap();
            set_mode(path, 0o666);
        },
    ];
    for make in makes {
        let root = left_behind(|spool| append(spool, 0..7));
        let path = paths(root.path(), ".mq").remove(1);
        fs::rename(&path, path.with_extension("moved")).unwrap();
        make(&path);
        let kept = [0, 1, 2, 6].map(text);
        assert_eq!(drain(&open(small(root.path()))), kept);
        assert!(path.symlink_metadata().is_ok());
    }
}

#[test]
fn a_pipe_in_the_locks_or_acknowledgements_place_stops_nothing() {
    for ending in [".lock", ".ack"] {
        let root = left_behind(|spool| append(spool, 0..3));
        let path = paths(root.path(), ending).remove(0);
        fs::remove_file(&path).unwrap();
        fifo(&path);
        let count = if ending == ".ack" { 3 } else { 0 };
        assert_eq!(drain(&open(small(root.path()))), expected(0..count));
    }
}

#[test]
fn nothing_on_disk_names_more_than_the_fingerprint_and_the_messages() {
    let root = left_behind(|spool| append(spool, 0..1));
    for (name, bytes) in files(root.path()) {
        assert!(name.starts_with(FINGERPRINT));
        let printable = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric());
        assert!(printable.count() < 64, "{name}");
    }
}

#[test]
fn either_lock_alone_keeps_an_orphan_from_being_adopted() {
    for locked in ["", "owner.lock"] {
        let root = left_behind(|spool| append(spool, 0..4));
        let held = fs::File::open(instance(&root).join(locked)).unwrap();
        held.try_lock().unwrap();
        let spool = open(small(root.path()));
        assert_eq!(spool.adopt(), 0, "{locked:?} is locked");
        held.unlock().unwrap();
        assert_eq!(spool.adopt(), 4);
    }
}
