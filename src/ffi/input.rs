//! The caller's pointers, checked and turned into Rust values.

use crate::error::Error;
use std::borrow::Cow;
use std::ffi::{CStr, c_char};

const NULL: &str = "must not be NULL";

/// A NUL-terminated UTF-8 string, which must be there.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that nobody changes for as long as `'a`.
pub unsafe fn text<'a>(text: *const c_char, argument: &'static str) -> Result<&'a str, Error> {
    // SAFETY: the caller's promise.
    match unsafe { optional_text(text, argument) }? {
        Some(text) => Ok(text),
        None => Err(Error::argument(argument, NULL)),
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

/// A payload: so many bytes, or NUL-terminated where `len` is negative. Halves of surrogate pairs, which texts of Python and JavaScript may
/// have, are taken as their escapes.
///
/// # Safety
/// `json` is NULL or points to `len` bytes, or where `len` is negative to a NUL-terminated string, that
/// nobody changes for as long as `'a`.
pub unsafe fn payload<'a>(
    json: *const c_char,
    len: i64,
    argument: &'static str,
) -> Result<Cow<'a, str>, Error> {
    if json.is_null() {
        return Err(Error::argument(argument, NULL));
    }
    if len < 0 {
        // SAFETY: not NULL, so by the caller's promise NUL-terminated.
        let bytes = unsafe { CStr::from_ptr(json) }.to_bytes();
        return json_text(bytes, argument);
    }
    // Places in payloads have 32 bits, and slices have no more than `isize::MAX` bytes.
    let len = u32::try_from(len).ok().map(isize::try_from);
    let Some(Ok(len)) = len else {
        return Err(Error::argument(argument, "must have less than 4 GiB"));
    };
    // SAFETY: not NULL, and by the caller's promise `len` unchanging bytes, no more than `isize::MAX`.
    let bytes = unsafe { std::slice::from_raw_parts(json.cast::<u8>(), len.unsigned_abs()) };
    json_text(bytes, argument)
}

fn json_text<'a>(bytes: &'a [u8], argument: &'static str) -> Result<Cow<'a, str>, Error> {
    utf8(bytes, argument).map(Cow::Borrowed).or_else(|error| {
        let text = with_surrogates_escaped(bytes);
        text.map(Cow::Owned).ok_or(error)
    })
}

/// None where something else is not UTF-8.
fn with_surrogates_escaped(mut bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len() + 16);
    loop {
        let valid = match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return Some(text);
            }
            Err(error) => error.valid_up_to(),
        };
        let (before, rest) = bytes.split_at_checked(valid)?;
        text.push_str(std::str::from_utf8(before).ok()?);
        let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, after @ ..] = rest else {
            return None;
        };
        // Behind a backslash it would become something else.
        let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\');
        if backslashes.count() % 2 == 1 {
            return None;
        }
        let low = u16::from(second & 0x3F) << 6 | u16::from(third & 0x3F);
        text.push_str(&format!("\\u{:04x}", 0xD000 | low));
        bytes = after;
    }
}

fn utf8<'a>(bytes: &'a [u8], argument: &'static str) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::argument(
            argument,
            format!("not valid UTF-8 at byte {}", error.valid_up_to()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_of(bytes: &[u8]) -> Result<String, String> {
        let text = json_text(bytes, "messages_json");
        text.map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn halves_of_surrogate_pairs_become_their_escapes() {
        for (bytes, expected) in [
            (
                &b"\"a\xED\xA0\xBCb\xED\xBF\xBF\""[..],
                "\"a\\ud83cb\\udfff\"",
            ),
            (b"\xED\xA0\x80", "\\ud800"),
            (b"\\\\\xED\xA0\x80", "\\\\\\ud800"),
            (b"\xED\x9F\xBF", "\u{D7FF}"),
        ] {
            assert_eq!(json_of(bytes), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn what_else_is_not_utf8_is_refused_with_its_place() {
        for bytes in [
            &b"ab\xFF"[..],
            b"ab\xED\xA0",
            b"ab\xED\xA0\x80\xC0",
            b"\"\\\xED\xA0\x80\"",
        ] {
            let error = json_of(bytes).unwrap_err();
            assert!(error.contains("not valid UTF-8 at byte 2"), "{error}");
        }
    }
}
