//! Calls that return when the service has answered.

use super::guard::answering;
use super::input;
use super::lifecycle::{client_of, mona_client};
use super::status::mona_status;
use std::ffi::c_char;

/// Sends messages to Mona and waits for the answer.
///
/// @param client         The client.
/// @param messages_json  One message object or an array of them, UTF-8 (half a surrogate pair is taken as its escape):
///     `{"message": {...}, "contextClass": "...", "contextId"?, "exportTimestamp"?, "sendTimestamp"?, "action"?, "sampleConfigName"?}`.
///     Values travel byte for byte. A message without a timestamp gets the time of the call.
/// @param messages_len   Its length in bytes, less than 4 GiB; negative: it is NUL-terminated.
/// @param options_json   NULL, or an object: `default_action` (text: the action of messages without one),
///     `filter_none_fields` (boolean: overrides the client's), `timeout_ms` (whole number: bounds the
///     whole call, login and resend included). NUL-terminated.
/// @param out_json       May be NULL. Receives a document, to be freed with `mona_string_free`:
///     `success`, `total` (= `sent` + `failed`), `sent`, `failed`, `failure_reasons` (the service's object by the
///     caller's index, or a text), `sampled_out`, `empty`, `error_message`; on failure also `error_kind` and `retriable`.
///     `total` + `sampled_out` + `empty` is the number of messages given.
/// @return `MONA_OK`: nothing failed. `MONA_FAILED` or `MONA_ERROR_EXPORT`: some or all messages failed.
///     `MONA_FAILED` or `MONA_ERROR_AUTHENTICATION`: the client is not logged in.
///     `MONA_ERROR_INVALID_ARGUMENT`: nothing was sent; the message names the argument and the byte offset.
///     `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`.
///
/// What cannot be a message (not an object, `message` neither object nor null, no text as `contextClass`,
/// nested deeper than 1,000 levels) fails by itself while the others are sent. Those whose `message` is null or `{}`, or becomes
/// so by the filter, are not sent and count as `empty`. Fields whose name begins with `MONA_` are sent as `MY_MONA_…`.
/// The service gets one attempt, another one after it refused the access token, and another where the connection had been unused
/// for a second and was closed before an answer came: what is sent may arrive twice then.
///
/// # Safety
/// `client` is NULL or a client that was not freed; the strings are as described and nobody changes
/// them during the call; `out_json` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_export_json(
    client: *mut mona_client,
    messages_json: *const c_char,
    messages_len: i64,
    options_json: *const c_char,
    out_json: *mut *mut c_char,
) -> mona_status {
    let call = || {
        // SAFETY: the caller's promise.
        let client = unsafe { client_of(client) }?;
        // SAFETY: the caller's promise.
        let messages = unsafe { input::payload(messages_json, messages_len, "messages_json") }?;
        // SAFETY: the caller's promise.
        let options = unsafe { input::optional_text(options_json, "options_json") }?;
        Ok(client.export(&messages, options))
    };
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Calls a service of Mona and waits for the answer.
///
/// @param client        The client.
/// @param service       Name of the service, which is that of the method of the Python package; NUL-terminated.
///     docs/services.md lists them all with their arguments.
/// @param args_json     Its arguments: one object, UTF-8.
/// @param args_len      Its length in bytes, less than 4 GiB; negative: it is NUL-terminated.
/// @param options_json  NULL, or an object: `timeout_ms` (whole number: bounds the whole call, login and
///     resend included). NUL-terminated.
/// @param out_json      May be NULL. Receives a document, to be freed with `mona_string_free`:
///     `success`, `data`, `error_message`; on failure also `error_kind`, `retriable` and, where the service found fault with what
///     it was given, `issues`.
/// @return `MONA_OK`: `data` has the answer. `MONA_FAILED` or `MONA_ERROR_SERVICE`: the service refused or could not be reached.
///     `MONA_FAILED` or `MONA_ERROR_AUTHENTICATION`: the client is not logged in.
///     `MONA_ERROR_INVALID_ARGUMENT`: nothing was sent; the message names what is wrong.
///     `MONA_ERROR_CLOSED`, `MONA_ERROR_INTERNAL`.
///
/// The service gets as many attempts as with `mona_export_json`.
///
/// # Safety
/// As for `mona_export_json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_service_call(
    client: *mut mona_client,
    service: *const c_char,
    args_json: *const c_char,
    args_len: i64,
    options_json: *const c_char,
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
        Ok(client.service_call(service, &arguments, options))
    };
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}
