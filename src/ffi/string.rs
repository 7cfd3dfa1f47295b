//! Strings that the library handed out.

use super::guard::quiet;
use std::ffi::{CString, c_char};

/// Frees a document that this library returned through an `out_json`. NULL does nothing.
///
/// Each document must be freed exactly once, unchanged, with this function and no other. Any thread may do it.
///
/// @param string  The document, or NULL.
///
/// # Safety
/// `string` is NULL or came from this library, is unchanged and was not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mona_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: by the caller's promise it came from `CString::into_raw`, has its length still, and is freed once.
        quiet((), || drop(unsafe { CString::from_raw(string) }));
    }
}
