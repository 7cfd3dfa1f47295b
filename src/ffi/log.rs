//! The log, for hosts that have one of their own.

use super::guard::quiet;
use super::status::mona_status;
use crate::log::Level;
use crate::log::callback::{self, Callback};
use crate::status::Status;
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

/// A function of the host that takes log records.
///
/// @param level      Python's number of the level: 10 debug, 20 info, 30 warning, 40 error.
/// @param logger     The client's `logger_name`.
/// @param message    The record: one line of UTF-8, without secrets. Both texts are valid during the call only.
/// @param user_data  As given to `mona_set_log_callback`.
#[allow(non_camel_case_types)]
pub type mona_log_callback = Option<
    unsafe extern "C" fn(
        level: i32,
        logger: *const c_char,
        message: *const c_char,
        user_data: *mut c_void,
    ),
>;

struct HostCallback {
    function: unsafe extern "C" fn(i32, *const c_char, *const c_char, *mut c_void),
    user_data: *mut c_void,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the host promised that its functions and what `user_data` points to may be used from any thread.
unsafe impl Send for HostCallback {}
// SAFETY: as above.
unsafe impl Sync for HostCallback {}

impl Callback for HostCallback {
    fn record(&self, level: Level, logger: &str, message: &str) {
        let (logger, message) = (text(logger), text(message));
        let (logger, message) = (logger.as_ptr(), message.as_ptr());
        // SAFETY: by the host's promise the function takes these; both texts live until it returns.
        unsafe { (self.function)(level as i32, logger, message, self.user_data) };
    }

    fn inherited(&self) -> Arc<dyn Callback> {
        Arc::new(HostCallback {
            function: self.function,
            user_data: self.user_data,
            destroy: self.destroy,
        })
    }
}

impl Drop for HostCallback {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: by the host's promise the function takes this; nothing uses it any more.
            unsafe { destroy(self.user_data) };
        }
    }
}

/// C text of a line, which has no NUL: control characters are escaped.
fn text(line: &str) -> CString {
    CString::new(line).unwrap_or_default()
}

/// Has a function of the host take all clients' log records, instead of standard error.
///
/// @param callback   Called for each record, from the thread whose call the record is about or from a thread of the
///     library, several at once too. NULL: records go to standard error again, as `logging_level` has it, and
///     the other arguments do not count.
/// @param user_data  Passed to `callback` and `destroy`. May be NULL.
/// @param destroy    May be NULL. Called exactly once with `user_data` after its last use: when another call of this
///     function has replaced the callback and no call of it is running any more. So from inside this function, or
///     from the thread on which the callback's last call just ended. Not called at the process's end.
/// @param max_level  The most detailed level that is wanted, as Python's number: records of this number and higher
///     are passed on, so 10 means debug and all above, 40 errors only, 0 everything. The clients' `logging_level` does
///     not count.
/// @return `MONA_OK`. `MONA_ERROR_INVALID_ARGUMENT`: `max_level` is negative, with a callback; nothing was changed then and
///     `destroy` will not be called. `MONA_ERROR_INTERNAL`.
///
/// Inside the callback and `destroy`, no lock of the library is held. They may call every function but `mona_client_free`.
/// `mona_flush`, `mona_client_close` and `mona_poll` do not wait there: what they would wait for could be this thread. A record
/// that the callback itself causes is dropped. Both must return: they must not throw, unwind or longjmp out.
///
/// A forked child keeps the callback, with its copy of what `user_data` points to, and destroys it likewise. Hosts whose
/// runtime takes no calls from foreign threads can collect records from `mona_poll` instead: `log_events`.
///
/// # Safety
/// `callback` and `destroy` may be called from any thread with `user_data` until `destroy` was called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_set_log_callback(
    callback: mona_log_callback,
    user_data: *mut c_void,
    destroy: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    max_level: i32,
) -> mona_status {
    if callback.is_some() && max_level < 0 {
        return Status::InvalidArgument as mona_status;
    }
    let set = || {
        let callback = callback.map(|function| -> Arc<dyn Callback> {
            Arc::new(HostCallback {
                function,
                user_data,
                destroy,
            })
        });
        callback::set(callback, max_level);
        Status::Ok
    };
    quiet(Status::Internal, set) as mona_status
}
