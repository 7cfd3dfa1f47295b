//! The machine's clock.
#![forbid(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map(|since| since.as_millis() as u64)
        .unwrap_or_default()
}
