//! Status numbers as C constants.

use super::guard::quiet;
use crate::status::Status;
use std::ffi::c_char;

/// What a call returns: 0 is success, positive is a failure that the client is configured not to raise, negative is an error.
#[allow(non_camel_case_types)]
pub type mona_status = i32;

/// It worked.
pub const MONA_OK: mona_status = 0;
/// It did not work, and the client is configured not to raise failures of this kind: the document says why.
pub const MONA_FAILED: mona_status = 1;
/// The time was up first; nothing is lost.
pub const MONA_TIMEOUT: mona_status = 2;
/// The caller's mistake, whatever the raise settings: NULL, invalid UTF-8, text that is not JSON, an unknown service, argument or option.
pub const MONA_ERROR_INVALID_ARGUMENT: mona_status = -1;
/// The client cannot be made from this configuration, or not just now.
pub const MONA_ERROR_INITIALIZATION: mona_status = -2;
/// A login failed, and `raise_authentication_exceptions` is true.
pub const MONA_ERROR_AUTHENTICATION: mona_status = -3;
/// An export failed, wholly or in part, and `raise_export_exceptions` is true.
pub const MONA_ERROR_EXPORT: mona_status = -4;
/// A service call failed, and `raise_service_exceptions` is true.
pub const MONA_ERROR_SERVICE: mona_status = -5;
/// The background queue's bound is reached, or the system has nothing to spare for it; this call enqueued nothing.
pub const MONA_ERROR_QUEUE_FULL: mona_status = -6;
/// The client is closed.
pub const MONA_ERROR_CLOSED: mona_status = -7;
/// A bug in the library. The host is safe: the call has ended and the client can still be used.
pub const MONA_ERROR_INTERNAL: mona_status = -8;

/// The name of a status. Any thread may call this at any time.
///
/// @param status  Any number.
/// @return Its name, such as `"MONA_OK"`, or `"MONA_STATUS_UNKNOWN"`. The text is static: it must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn mona_status_name(status: mona_status) -> *const c_char {
    let name = quiet(None, || Status::from_code(status));
    name.map_or(c"MONA_STATUS_UNKNOWN", Status::name).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_equal_the_table() {
        let constants = [
            MONA_OK,
            MONA_FAILED,
            MONA_TIMEOUT,
            MONA_ERROR_INVALID_ARGUMENT,
            MONA_ERROR_INITIALIZATION,
            MONA_ERROR_AUTHENTICATION,
            MONA_ERROR_EXPORT,
            MONA_ERROR_SERVICE,
            MONA_ERROR_QUEUE_FULL,
            MONA_ERROR_CLOSED,
            MONA_ERROR_INTERNAL,
        ];
        assert_eq!(constants, Status::ALL.map(|status| status as mona_status));
    }
}
