//! Starting calls now and collecting what became of them later.

use super::guard::{answering, quiet};
use super::input;
use super::lifecycle::{client_of, mona_client};
use super::status::{MONA_ERROR_INTERNAL, MONA_ERROR_INVALID_ARGUMENT, MONA_OK, mona_status};
use std::ffi::c_char;

/// Starts what `mona_export_json` does, and returns at once: `mona_poll` gives the outcome.
///
/// @param client         The client.
/// @param messages_json  As for `mona_export_json`; copied, so the caller's may change when this has returned.
/// @param messages_len   Its length in bytes; negative: it is NUL-terminated.
/// @param options_json   NULL, or an object as for `mona_export_json`. `timeout_ms` counts from now.
/// @param tag            Any number; the event of this call has the same.
/// @param out_json       May be NULL. Receives a document about the start alone, to be freed with `mona_string_free`:
///     `success`, `error_message`; on failure also `error_kind` and `retriable`.
/// @return `MONA_OK`: it is started, and will end as exactly one event. With any other status there is no event:
///     `MONA_ERROR_QUEUE_FULL`: `async_max_calls` are started and not collected, or `async_max_bytes` reached; or
///     the system has no thread to spare (`error_kind` `resources`).
///     `MONA_ERROR_INVALID_ARGUMENT`: NULL, invalid UTF-8, or wrong options. What is wrong with the messages
///     themselves, text that is not JSON too, is told by the event.
///     `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`.
///
/// A thread of the client runs the call: up to `async_workers` of them, started when first needed. Calls begin in the order
/// in which they were started; a message without a timestamp gets the time of this call. When the client is closed, a call that
/// has not begun ends as an event with status `MONA_ERROR_CLOSED`.
///
/// # Safety
/// As for `mona_export_json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_export_json_async(
    client: *mut mona_client,
    messages_json: *const c_char,
    messages_len: i64,
    options_json: *const c_char,
    tag: u64,
    out_json: *mut *mut c_char,
) -> mona_status {
    let call = || {
        // SAFETY: the caller's promise.
        let client = unsafe { client_of(client) }?;
        // SAFETY: the caller's promise.
        let messages = unsafe { input::payload(messages_json, messages_len, "messages_json") }?;
        // SAFETY: the caller's promise.
        let options = unsafe { input::optional_text(options_json, "options_json") }?;
        Ok(client.export_async(&messages, options, tag))
    };
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Starts what `mona_service_call` does, and returns at once: `mona_poll` gives the outcome.
///
/// @param client        The client.
/// @param service       Name of the service, as for `mona_service_call`.
/// @param args_json     Its arguments: one object, UTF-8; copied, so the caller's may change when this has returned.
/// @param args_len      Its length in bytes; negative: it is NUL-terminated.
/// @param options_json  NULL, or an object as for `mona_service_call`. `timeout_ms` counts from now.
/// @param tag           Any number; the event of this call has the same.
/// @param out_json      As for `mona_export_json_async`.
/// @return As `mona_export_json_async`. `MONA_ERROR_INVALID_ARGUMENT` is also an unknown service; what is wrong with the
///     arguments themselves is told by the event.
///
/// # Safety
/// As for `mona_export_json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_service_call_async(
    client: *mut mona_client,
    service: *const c_char,
    args_json: *const c_char,
    args_len: i64,
    options_json: *const c_char,
    tag: u64,
    out_json: *mut *mut c_char,
) -> mona_status {
    let call = || {
        // SAFETY: the caller's promise.
        let client = unsafe { client_of(client) }?;
        // SAFETY: the caller's promise.
        let service = unsafe { input::text(service, "service") }?;
        // SAFETY: the caller's promise.
        let arguments = unsafe { input::payload(args_json, args_len, "args_json") }?;
        // SAFETY: the caller's promise.
        let options = unsafe { input::optional_text(options_json, "options_json") }?;
        Ok(client.service_call_async(service, &arguments, options, tag))
    };
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Takes the next event, waiting for one if none is there.
///
/// @param client          The client.
/// @param timeout_ms      How long to wait, in milliseconds; 0 never waits; negative: until there is an event, or until
///     `mona_wake`, or until the client is closed or freed and nothing is left to collect.
/// @param out_tag         May be NULL. Receives the tag of the call that the event tells of; 0 when it tells of none, or there is no event.
/// @param out_event_json  May be NULL: then the event is lost. Receives a document, to be freed with `mona_string_free`: the event, or
///     with any other status than `MONA_OK` why there is none.
/// @return `MONA_OK`: there is an event. `MONA_TIMEOUT`: there was none in time, or `mona_wake` ended the wait.
///     `MONA_ERROR_CLOSED`: the client is closed, and every event was collected.
///     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
///
/// The event of a call is the document of the synchronous call with three members in front: `type` (`"export"` or
/// `"service"`), `tag` (as text, because many readers of JSON cannot hold 64 bits) and `status` (the number that the synchronous call
/// would have returned). An event of type `"delivery"`, with tag 0, tells what became of messages that `mona_enqueue_json` accepted;
/// `queue.delivery_events` chooses which. More types may come; a host leaves those alone that it does not know. docs/events.md describes
/// them all.
///
/// Several threads may poll at once: each event goes to one of them. An event is given in preference to ending a wait. The document
/// is there on every return, so a loop frees it each time:
///
///     do {
///         status = mona_poll(client, -1, &tag, &event);
///         if (status == MONA_OK) handle(tag, event);
///         mona_string_free(event);
///     } while (status != MONA_ERROR_CLOSED);
///
/// # Safety
/// `client` is NULL or a client that was not freed; `out_tag` and `out_event_json` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_poll(
    client: *mut mona_client,
    timeout_ms: i64,
    out_tag: *mut u64,
    out_event_json: *mut *mut c_char,
) -> mona_status {
    let mut tag = 0;
    let call = || {
        // SAFETY: the caller's promise.
        let client = unsafe { client_of(client) }?;
        let (found, answer) = client.poll(timeout_ms);
        tag = found;
        Ok(answer)
    };
    // SAFETY: the caller's promise.
    let status = unsafe { answering(out_event_json, call) };
    if !out_tag.is_null() {
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { out_tag.write(tag) };
    }
    status
}

/// A descriptor for the host's event loop (epoll, kqueue, libuv, a reactor): readable exactly while events wait, or a
/// `mona_wake` that no poll has consumed yet.
///
/// @param client  The client.
/// @return The descriptor, the same at each call; -1 where the system has none of the kind (Windows), none is left, or
///     `client` is NULL. Then poll with a time-out.
///
/// It is the end of a pair of sockets, non-blocking and close-on-exec, made by the first call. It belongs to the client, which closes it when it is
/// freed: the host watches it for reading, takes it out of its loop before `mona_client_free`, and never closes it. When it is
/// readable:
///
///     while ((status = mona_poll(client, 0, &tag, &event)) == MONA_OK) {
///         handle(tag, event);
///         mona_string_free(event);
///     }
///     mona_string_free(event);
///
/// A loop that is told about changes only (EPOLLET, Go), or reads from the descriptor itself (Node), polls until `MONA_TIMEOUT` each
/// time, as above; any other may stop earlier. Closing the client does not make it readable: `mona_wake` does.
/// A forked child calls this again, for a descriptor of its own: its parent's is closed there.
///
/// # Safety
/// `client` is NULL or a client that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_event_fd(client: *mut mona_client) -> i32 {
    // SAFETY: the caller's promise.
    let descriptor = || unsafe { client_of(client) }.ok()?.event_descriptor();
    quiet(None, descriptor).unwrap_or(-1)
}

/// Ends one `mona_poll` that waits, or when none does, the wait of the next one: so it is never lost. Never waits.
///
/// @param client  The client.
/// @return `MONA_OK`, `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
///
/// The poll returns `MONA_TIMEOUT`, or an event if there is one; then the next poll without an event is ended instead.
///
/// # Safety
/// `client` is NULL or a client that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_wake(client: *mut mona_client) -> mona_status {
    quiet(MONA_ERROR_INTERNAL, || {
        // SAFETY: the caller's promise.
        match unsafe { client_of(client) } {
            Ok(client) => {
                client.wake();
                MONA_OK
            }
            Err(_) => MONA_ERROR_INVALID_ARGUMENT,
        }
    })
}
