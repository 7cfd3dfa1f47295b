//! Making, closing and freeing a client.

use super::guard::{answering, quiet};
use super::input;
use super::status::mona_status;
use super::{exit, fork};
use crate::client::Client;
use crate::error::Error;
use crate::fork::{PerProcess, catch_up};
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

/// A client of one Mona account. Opaque: made by `mona_client_new`, freed by `mona_client_free`.
///
/// Every function may be called on the same client from any thread, at the same time too; only
/// `mona_client_free` must be the last.
#[allow(non_camel_case_types)]
pub struct mona_client {
    clients: PerProcess<Client>,
}

/// The client behind a handle, this process's own, kept alive for the length of a call.
///
/// # Safety
/// `client` is NULL or came from `mona_client_new` and was not freed yet.
pub(super) unsafe fn client_of(client: *const mona_client) -> Result<Arc<Client>, Error> {
    catch_up();
    // SAFETY: the caller's promise.
    unsafe { client_as_known(client) }
}

/// As `client_of`, for a call that is too short to ask whether the process has forked unannounced.
///
/// # Safety
/// As for `client_of`.
pub(super) unsafe fn client_as_known(client: *const mona_client) -> Result<Arc<Client>, Error> {
    // SAFETY: the caller's promise.
    match unsafe { client.as_ref() } {
        Some(handle) => Ok(handle.client()?.clone()),
        None => Err(Error::argument("client", "must not be NULL")),
    }
}

impl mona_client {
    fn client(&self) -> Result<&Arc<Client>, Error> {
        self.clients.get_or_try(|inherited| {
            // The first process has made its own.
            let made = inherited.map(Client::inherited);
            made.ok_or_else(|| Error::Internal("a handle without a client".to_owned()))
        })
    }
}

/// Makes a client.
///
/// @param config_json  One JSON object, NUL-terminated, or NULL: then the environment alone counts. The keys
///     are the arguments of the Python package's `Client` and some of this library's own; each has a default,
///     most can be set by an environment variable. docs/configuration.md lists them all.
/// @param out_client   Receives the client, or NULL when none was made. Must not be NULL.
/// @param out_json     May be NULL. Receives a document, to be freed with `mona_string_free`:
///     `success`, `error_message`, and on failure `error_kind` and `retriable`.
/// @return `MONA_OK`: there is a client. If its login failed (and `raise_authentication_exceptions` is
///     false), the document says so and the client is not active; it logs in again at a later call, when its
///     back-off (2 s doubling to 60 s) has passed.
///     `MONA_ERROR_INITIALIZATION`: the configuration is wrong; the message names the key. Or, with a spool, the system has no
///     thread, descriptor or memory to spare for it just now (`error_kind` `resources`, `retriable`).
///     `MONA_ERROR_AUTHENTICATION`: the login failed and is to be raised.
///     `MONA_ERROR_SERVICE`: the factors of `sampling_config_name` could not be fetched and that is to be raised.
///     `MONA_ERROR_INVALID_ARGUMENT`: `config_json` is no JSON object, among others. `MONA_ERROR_INTERNAL`.
///
/// A client that is neither closed nor freed when the program returns from `main` or calls `exit` delivers what is enqueued in memory
/// for up to `queue.exit_timeout_ms` (2,000 ms); docs/threads-and-exit.md tells what happens at every other end.
///
/// Logs in before it returns, unless `authenticate_on_init` is false or the process has a token for the same mode, URLs, key, secret,
/// scope, proxy and `ca_file`; how long that may take is up to the authentication's retries and waits.
///
/// # Safety
/// `config_json` is NULL or NUL-terminated; `out_client` and `out_json` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_client_new(
    config_json: *const c_char,
    out_client: *mut *mut mona_client,
    out_json: *mut *mut c_char,
) -> mona_status {
    let call = || {
        if out_client.is_null() {
            return Err(Error::argument("out_client", "must not be NULL"));
        }
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { out_client.write(ptr::null_mut()) };
        // SAFETY: the caller's promise.
        let config = unsafe { input::optional_text(config_json, "config_json") }?;
        fork::watch();
        exit::watch();
        catch_up();
        let (client, answer) = Client::new(config);
        if let Some(client) = client {
            let handle = Box::new(mona_client {
                clients: PerProcess::of(client),
            });
            // SAFETY: as above.
            unsafe { out_client.write(Box::into_raw(handle)) };
        }
        Ok(answer)
    };
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Whether the client is logged in. Never waits.
///
/// @param client  The client, or NULL.
/// @return 1: it is, or needs no login. 0: it is not, or is closed, or is NULL.
///
/// # Safety
/// `client` is NULL or a client that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_client_is_active(client: *const mona_client) -> i32 {
    // SAFETY: the caller's promise.
    let active = || unsafe { client_of(client) }.is_ok_and(|client| client.is_active());
    i32::from(quiet(false, active))
}

/// Closes a client: calls that begin afterwards return `MONA_ERROR_CLOSED`; those under way go on. What is
/// enqueued is delivered as far as the time allows, but a server that has to be left alone is not waited for; the rest is
/// dropped, or kept for the next run where the client has a spool. Asynchronous calls that have not begun end as events that say
/// so.
///
/// @param client      The client; it still has to be freed. `mona_stats_json` still works, and `mona_poll` gives what is left to
///     collect.
/// @param timeout_ms  How long to wait for calls under way and for delivery, in milliseconds; 0 waits for
///     nothing but threads of the client that are just ending, 0.2 s at most, a negative number for as long as they take.
/// @param out_json    May be NULL. Receives a document, to be freed with `mona_string_free`: `success`,
///     `undelivered` (messages that were enqueued and that closing dropped, by this call or an earlier one, or that are in a
///     request that nobody waits for), `on_disk` (messages that the spool keeps), `error_message`; on failure also
///     `error_kind` and `retriable`.
/// @return `MONA_OK`: no call is under way. `MONA_TIMEOUT`: some still are; calling this again waits again.
///     `MONA_ERROR_INVALID_ARGUMENT`, `MONA_ERROR_INTERNAL`.
///
/// # Safety
/// `client` is NULL or a client that was not freed; `out_json` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_client_close(
    client: *mut mona_client,
    timeout_ms: i64,
    out_json: *mut *mut c_char,
) -> mona_status {
    // SAFETY: the caller's promise.
    let call = || Ok(unsafe { client_of(client) }?.close(timeout_ms));
    // SAFETY: the caller's promise.
    unsafe { answering(out_json, call) }
}

/// Frees a client. NULL does nothing.
///
/// Closes it first and waits for calls of other threads that are under way, each of which its time-outs
/// bound. What is still enqueued is delivered for up to `queue.free_timeout_ms` (2,000 ms) and dropped then: to
/// wait longer, or to learn what was dropped, call `mona_client_close` before. A `mona_poll` that waits is ended; events that nobody
/// collected are lost. Must be the last call on this client.
///
/// @param client  The client, or NULL.
///
/// # Safety
/// `client` is NULL or came from `mona_client_new` and was not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_client_free(client: *mut mona_client) {
    if client.is_null() {
        return;
    }
    quiet((), || {
        // SAFETY: by the caller's promise it came from `Box::into_raw` and is freed once.
        let handle = unsafe { Box::from_raw(client) };
        catch_up();
        // What was inherited and not used is left alone.
        if let Some(client) = handle.clients.current() {
            client.close_for_good();
        }
    });
}
