//! Accepting messages now and delivering them later.

use super::guard::answering;
use super::input;
use super::lifecycle::{client_as_known, client_of, mona_client};
use super::status::mona_status;
use std::ffi::c_char;

/// Accepts messages and returns at once; a thread of the library delivers them.
///
/// What was accepted is delivered, rejected by the service with a reason, or counted as expired or dropped:
/// `mona_stats_json` tells. Delivery is in order and at least once. A message without a `contextId` gets one, and one
/// without a timestamp the time of this call, so that sending it again means the same.
///
/// @param client         The client.
/// @param messages_json  As for `mona_export_json`.
/// @param messages_len   Its length in bytes, less than 4 GiB; negative: it is NUL-terminated.
/// @param options_json   NULL, or an object: `default_action` (text) and `filter_none_fields` (boolean), as for
///     `mona_export_json`. NUL-terminated.
/// @param out_json       May be NULL. Receives a document, to be freed with `mona_string_free`:
///     `success`, `accepted`, `failed`, `failure_reasons` (by index), `sampled_out`, `empty`, `error_message`; on failure also
///     `error_kind` and `retriable`.
/// @return `MONA_OK`: all messages were accepted, but for sampled and empty ones. With any other status none was:
///     `MONA_ERROR_QUEUE_FULL`: there is no room, after waiting for it if `queue.overflow` is `block` (`error_kind`
///     `queue_full`; not `retriable` where this call alone is more than the queue may hold), or the disk of `queue.spool_dir`
///     fails (`storage`), or the system has no thread or descriptor to spare (`resources`).
///     `MONA_FAILED` or `MONA_ERROR_EXPORT`: a message cannot be one, or is larger than `queue.max_message_bytes`;
///     `failure_reasons` says which and why.
///     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`; `MONA_ERROR_INITIALIZATION`: a forked child cannot open a spool of its own.
///
/// The key `queue` of the configuration sets bounds, batches, waits and what happens when there is no room. The
/// first call that enqueues starts the thread. It never waits for the network. With `queue.spool_dir` what was
/// accepted is in that folder until it is settled, and survives the program; `queue.spool_sync` says what more it survives. A
/// later client of the same endpoint and user delivers what an ended program left.
///
/// # Safety
/// As for `mona_export_json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_enqueue_json(
    client: *mut mona_client,
    messages_json: *const c_char,
    messages_len: i64,
    options_json: *const c_char,
    out_json: *mut *mut c_char,
) -> mona_status {
    let call = || {
        // SAFETY: the caller's promise.
        let client = unsafe { client_as_known(client) }?;
        // SAFETY: the caller's promise.
        let messages = unsafe { input::payload(messages_json, messages_len, "messages_json") }?;
        // SAFETY: the caller's promise.
        let options = unsafe { input::optional_text(options_json, "options_json") }?;
        Ok(client.enqueue(&messages, options, !out_json.is_null()))
    };
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Waits until every message that was accepted before this call is settled: delivered, rejected, expired or
/// dropped. Does not linger, but waits as long as a server has to be left alone.
///
/// @param client      The client.
/// @param timeout_ms  How long to wait, in milliseconds; negative: as long as it takes.
/// @param out_json    May be NULL. Receives a document, to be freed with `mona_string_free`:
///     `success`, `pending` (how many of those messages are not settled), `error_message`; on failure also
///     `error_kind` and `retriable`.
/// @return `MONA_OK`: all are settled. `MONA_TIMEOUT`: some are not; they stay in the queue. `MONA_ERROR_CLOSED`: some are
///     not, and the client, which was closed, delivers no more; those that its spool keeps are for the next run.
///     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
///
/// # Safety
/// `client` is NULL or a client that was not freed; `out_json` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_flush(
    client: *mut mona_client,
    timeout_ms: i64,
    out_json: *mut *mut c_char,
) -> mona_status {
    // SAFETY: the caller's promise.
    let call = || Ok(unsafe { client_of(client) }?.flush(timeout_ms));
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Tells how the background delivery is going. Never waits.
///
/// @param client    The client.
/// @param out_json  Receives a document, to be freed with `mona_string_free`: `success`, `error_message` and the
///     statistics that docs/statistics.md lists.
/// @return `MONA_OK`, `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
///
/// # Safety
/// `client` is NULL or a client that was not freed; `out_json` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_stats_json(
    client: *mut mona_client,
    out_json: *mut *mut c_char,
) -> mona_status {
    // SAFETY: the caller's promise.
    let call = || Ok(unsafe { client_of(client) }?.statistics());
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}
