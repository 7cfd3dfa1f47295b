//! Figures, not promises: `cargo test --release -p mona --lib spool::tests::speed -- --ignored --nocapture`.
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
                sync_interval: Duration::from_millis(500),
                sync_bytes: 1 << 20,
                ..options(root.path())
            });
            let messages = vec![payload.as_slice(); batch];
            let done = std::sync::atomic::AtomicBool::new(false);
            let taken = std::thread::scope(|scope| {
                let flusher = scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        spool.sync_if_due().unwrap();
                        std::thread::park_timeout(Duration::from_millis(5));
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
