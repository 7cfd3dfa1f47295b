//! The caller's pointers, checked and turned into Rust values.

use crate::error::Error;
use std::ffi::{CStr, c_char};

/// A NUL-terminated UTF-8 string, which must be there.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that nobody changes for as long as `'a`.
pub unsafe fn text<'a>(text: *const c_char, argument: &'static str) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    match unsafe { optional_text(text, argument) }? {
        Some(text) => Ok(text),
        None => Err(Error::argument(argument, "must not be NULL")),
    }
}

/// A NUL-terminated UTF-8 string, or NULL.
///
/// # Safety
/// As for [`text`].
pub unsafe fn optional_text<'a>(
    text: *const c_char,
    argument: &'static str,
) -> Result<Option<&'a str>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so by the caller's promise NUL-terminated and unchanged.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    utf8(bytes, argument).map(Some)
}

/// A payload: so many bytes, or NUL-terminated where `len` is negative.
///
/// # Safety
/// `json` is NULL or points to `len` bytes, or where `len` is negative to a NUL-terminated string, that
/// nobody changes for as long as `'a`.
pub unsafe fn payload<'a>(
    json: *const c_char,
    len: i64,
    argument: &'static str,
) -> Result<&'a str, Error> {
    if json.is_null() || len < 0 {
        // SAFETY: NULL, or by the caller's promise NUL-terminated.
        return unsafe { text(json, argument) };
    }
    // Places in payloads have 32 bits, and slices have no more than `isize::MAX` bytes.
    let len = u32::try_from(len).ok().map(isize::try_from);
    let Some(Ok(len)) = len else {
        return Err(Error::argument(argument, "must have less than 4 GiB"));
    };
    // SAFETY: not NULL, and by the caller's promise `len` unchanging bytes, no more than `isize::MAX`.
    let bytes = unsafe { std::slice::from_raw_parts(json.cast::<u8>(), len.unsigned_abs()) };
    utf8(bytes, argument)
}

fn utf8<'a>(bytes: &'a [u8], argument: &'static str) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::argument(
            argument,
            format!("not valid UTF-8 at byte {}", error.valid_up_to()),
        )
    })
}
