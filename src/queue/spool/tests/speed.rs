//! Figures, not promises: `cargo test --release -p mona-core --lib spool::tests::speed -- --ignored --nocapture`.
#![forbid(unsafe_code)]

use super::*;
use std::time::Instant;

const MESSAGES: usize = 400_000;

#[test]
#[ignore = "measures"]
fn appends_per_second() {
    let payload = [b'x'; 512];
    for sync in [Sync::Os, Sync::Interval] {
        for batch in [1, 32] {
            let root = TempDir::new().unwrap();
            let spool = open(Options {
                sync,
                max_bytes: 1 << 30,
                ..options(root.path())
            });
            let messages = vec![payload.as_slice(); batch];
            let done = std::sync::atomic::AtomicBool::new(false);
            let taken = std::thread::scope(|scope| {
                let flusher = scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        if sync == Sync::Interval {
                            spool.sync().unwrap();
                        }
                        std::thread::park_timeout(Duration::from_millis(50));
                    }
                });
                let start = Instant::now();
                for _ in 0..MESSAGES / batch {
                    spool.append(&messages).unwrap();
                }
                let taken = start.elapsed();
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                flusher.join().unwrap();
                taken
            });
            let rate = MESSAGES as f64 / taken.as_secs_f64() / 1000.0;
            println!("{sync:?}, {batch} a call: {rate:.0} thousand messages/s");
            let start = Instant::now();
            let mut count = 0;
            loop {
                let read = spool.read(100, usize::MAX).unwrap();
                if read.is_empty() {
                    break;
                }
                count += read.len();
                spool.acknowledge(&tickets(&read)).unwrap();
            }
            let rate = count as f64 / start.elapsed().as_secs_f64() / 1000.0;
            println!("  drained and acknowledged by hundreds: {rate:.0} thousand messages/s");
        }
    }
}

/// Changes the frames of a segment.
type Change = fn(&mut Vec<u8>);

#[test]
#[ignore = "measures"]
fn damage_takes_hardly_longer_to_read_than_none() {
    let root = left_behind(|_| {});
    let spool = open(options(root.path()));
    (0..100_000).for_each(|_| spool.append(&[&[b'x'; 512]]).unwrap());
    drop(spool);
    let whole = files(root.path());
    let flip_each = |bytes: &mut Vec<u8>| {
        (100..bytes.len())
            .step_by(544)
            .for_each(|at| bytes[at] ^= 1)
    };
    let noise = |bytes: &mut Vec<u8>| {
        let mut state = 1u32;
        bytes[64..].fill_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
    };
    let changes: [(&str, Change); 4] = [
        ("whole", |_| ()),
        ("each frame damaged", flip_each),
        ("noise", noise),
        ("zeros", |bytes| bytes[64..].fill(0)),
    ];
    for (name, change) in changes {
        let mut changed = whole.clone();
        let segments = changed.iter_mut().filter(|file| file.0.ends_with(".mq"));
        segments.for_each(|file| change(&mut file.1));
        let mut times: Vec<_> = (0..7)
            .map(|_| {
                let root = damage::restore(&changed);
                let spool = open(options(root.path()));
                let start = Instant::now();
                let found = drain(&spool).len();
                (start.elapsed(), found)
            })
            .collect();
        times.sort();
        println!("{name}: {:?}, {} messages", times[3].0, times[3].1);
    }
}
