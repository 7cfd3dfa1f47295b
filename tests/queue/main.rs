//! The background export: what is accepted is delivered, rejected with a reason, or counted.
//!
//! Long tests take a count from the environment: `MONA_TEST_KILL_ROUNDS`, `MONA_TEST_PROCESSES`,
//! `MONA_TEST_LOANS` (a folder of messages), `MONA_TEST_LOAN_COUNT`, `MONA_TEST_OUTAGE_MESSAGES` and
//! `MONA_TEST_OUTAGE_RATE`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../support/background.rs"]
mod background;
#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/closed_port.rs"]
mod closed_port;
#[path = "../support/judge.rs"]
mod judge;
#[path = "../support/mod.rs"]
mod support;

mod accepting;
mod blaming;
mod closing;
mod delivering;
mod durable;
mod endpoints;
mod faults;
mod killing;
mod loans;
mod outage;
mod overtaking;
mod retrying;
