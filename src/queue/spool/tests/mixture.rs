//! Damage of every kind, several at once, at random places of a spool with three segments. `MONA_TEST_DAMAGE_ROUNDS` says how often.
#![forbid(unsafe_code)]

use super::format::VERSION;
use super::*;
use crc32c::crc32c;
use std::collections::BTreeSet;
use std::ops::Range;

const MESSAGES: usize = 40;
const SEGMENT_BYTES: u64 = 28 * 1024;

type Files = Vec<(String, Vec<u8>)>;

/// The same numbers in every run: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Of different lengths, none of which the first frames of two segments share.
fn message(number: usize) -> String {
    format!("{number:05} {}", "x".repeat(number * 997 % 3000))
}

fn three_segments() -> Files {
    let root = TempDir::new().unwrap();
    let spool = open(larger(root.path()));
    for number in 0..MESSAGES {
        spool.append(&[message(number).as_bytes()]).unwrap();
    }
    drop(spool);
    let found = files(root.path());
    assert_eq!(segments(&found).len(), 3);
    found
}

fn larger(root: &Path) -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES,
        ..options(root)
    }
}

fn segments(files: &Files) -> Vec<usize> {
    let is_segment = |index: &usize| files[*index].0.ends_with(".mq");
    (0..files.len()).filter(is_segment).collect()
}

/// Where the frame of each message lies: in which file, and there from where to where.
fn layout(files: &Files) -> Vec<(usize, Range<usize>)> {
    let place = |number: usize| {
        let text = message(number);
        let wanted = text.as_bytes();
        let in_file = |index: usize| {
            let bytes = &files[index].1;
            let at = bytes.windows(wanted.len()).position(|w| w == wanted)?;
            Some((index, at - 32..(at + wanted.len()).next_multiple_of(8)))
        };
        segments(files).into_iter().find_map(in_file).unwrap()
    };
    (0..MESSAGES).map(place).collect()
}

/// Changes one of the files, and says which bytes of which file are not as they were.
fn damage(files: &mut Files, chance: &mut Chance) -> (usize, Range<usize>) {
    let all = segments(files);
    let Some(&index) = all.get(chance.below(all.len())) else {
        return (0, 0..0);
    };
    let length = files[index].1.len();
    let from = chance.below(length);
    let to = (from + 1 + chance.below(200)).min(length);
    let bytes = &mut files[index].1;
    let nothing = (index, 0..0);
    let everything = (index, 0..usize::MAX);
    match chance.below(12) {
        0 => bytes[from] ^= 1 << chance.below(8),
        1 => bytes[from..to].fill(0),
        2 => (from..to).for_each(|at| bytes[at] = chance.below(256) as u8),
        3 => {
            bytes.truncate(from);
            return (index, from..usize::MAX);
        }
        4 => {
            bytes[from..].fill(0);
            return (index, from..usize::MAX);
        }
        5 => {
            // A block that the disk wrote in a second place, too.
            let size = chance.below(6000).min(length);
            let source = bytes[chance.below(length - size + 1)..][..size].to_vec();
            let target = chance.below(length - size + 1) & !7;
            bytes[target..target + size].copy_from_slice(&source);
            return (index, target..target + size);
        }
        6 => {
            bytes.clear();
            files[index].0.push_str(".gone");
            return everything;
        }
        7 => {
            let acks = files[index].0.replace(".mq", ".ack");
            files
                .iter_mut()
                .filter(|file| file.0 == acks)
                .for_each(|file| file.1.fill(0xff));
            return nothing;
        }
        8 => {
            let copy = files[index].clone();
            files.push((renamed(&copy.0), copy.1));
            return nothing;
        }
        9 => {
            files[index].0 = renamed(&files[index].0);
            return everything;
        }
        10 => {
            bytes.resize(bytes.len().max(64), 0);
            bytes[4] = VERSION as u8 + 1;
            let crc = crc32c(&bytes[..60]).to_le_bytes();
            bytes[60..64].copy_from_slice(&crc);
            // Whose header was damaged already is not left alone.
            return everything;
        }
        _ => {
            let (more, zeros) = (chance.below(5000), chance.below(2) == 0);
            bytes.extend((0..more).map(|n| if zeros { 0 } else { (n % 251) as u8 }));
            return nothing;
        }
    }
    (index, from..to)
}

/// The same folder, a number that no segment has.
fn renamed(name: &str) -> String {
    let (folder, _) = name.rsplit_once('/').unwrap();
    format!("{folder}/00000000000000ff.mq")
}

fn delivered(files: &Files) -> (Vec<String>, usize) {
    let root = damage::restore(files);
    effort::take();
    let spool = open(larger(root.path()));
    let found = drain(&spool);
    assert_eq!(spool.counts().messages, 0);
    (found, effort::take())
}

#[test]
fn any_mixture_of_damage_costs_the_frames_it_touches_and_no_more_reading_than_twice_the_usual() {
    let rounds =
        std::env::var("MONA_TEST_DAMAGE_ROUNDS").map_or(300, |count| count.parse().unwrap());
    let whole = three_segments();
    let layout = layout(&whole);
    let (all, usual) = delivered(&whole);
    assert!((0..MESSAGES).map(message).eq(all));
    let mut most = 0;
    for round in 0..rounds {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (round + 1) << 20);
        let mut files = whole.clone();
        let touched: Vec<_> = (0..=round % 4)
            .map(|_| damage(&mut files, &mut chance))
            .collect();
        let is_touched = |number: &usize| {
            let (file, frame) = &layout[*number];
            touched.iter().any(|(other, bytes)| {
                other == file && bytes.start < frame.end && frame.start < bytes.end
            })
        };
        let (found, effort) = delivered(&files);
        let distinct: BTreeSet<_> = found.iter().cloned().collect();
        assert_eq!(distinct.len(), found.len(), "round {round}: twice");
        let written: BTreeSet<_> = (0..MESSAGES).map(message).collect();
        assert!(
            distinct.is_subset(&written),
            "round {round}: nobody wrote that"
        );
        let lost = (0..MESSAGES).filter(|number| !distinct.contains(&message(*number)));
        let untouched: Vec<_> = lost.filter(|number| !is_touched(number)).collect();
        assert_eq!(untouched, Vec::<usize>::new(), "round {round}: {touched:?}");
        most = most.max(effort);
    }
    println!("{rounds} rounds; usually {usual} bytes read and verified, {most} at most");
    assert!(most <= 2 * usual, "{most}, usually {usual}");
}

#[test]
fn a_frame_that_the_disk_wrote_twice_is_delivered_once_wherever_the_second_place_is() {
    let root = left_behind(|spool| append(spool, 0..3));
    let frame = |number: usize| 64 + number * 48..64 + (number + 1) * 48;
    for (from, to, kept) in [
        (0, 1, vec![0, 2]),
        (2, 0, vec![2, 1]),
        (1, 3, vec![0, 1, 2]),
    ] {
        let mut changed = files(root.path());
        let segment = changed.iter_mut().find(|f| f.0.ends_with(".mq")).unwrap();
        segment.1.resize(64 + 4 * 48, 0);
        segment.1.copy_within(frame(from), frame(to).start);
        let root = damage::restore(&changed);
        let spool = open(small(root.path()));
        assert_eq!(spool.adopt(), kept.len());
        // Each by itself, so that one is put back each time.
        let found: Vec<_> = kept
            .iter()
            .flat_map(|_| texts(&spool.read(1, usize::MAX).unwrap()))
            .collect();
        assert_eq!(found, kept.into_iter().map(text).collect::<Vec<_>>());
        assert!(spool.read(1, usize::MAX).unwrap().is_empty());
        assert_eq!(spool.counts().corrupt_frames, 1);
    }
}
