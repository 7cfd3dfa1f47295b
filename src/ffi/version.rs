//! Which library this is.

use std::ffi::{CStr, c_char};

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of the loaded library as text.
///
/// @return Such as `"0.1.0"`. The text is static: it must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn mona_version_string() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the loaded library as one number.
///
/// @return Comparable with `MONA_VERSION_NUMBER`: major, minor and patch version in a byte each, from high to low.
#[unsafe(no_mangle)]
pub extern "C" fn mona_version_number() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or_default();
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// The version of the binary interface of the loaded library.
///
/// @return A program works with a library for which this equals the `MONA_ABI_VERSION` it was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn mona_abi_version() -> u32 {
    MONA_ABI_VERSION
}

/// The version of the binary interface that this header describes.
pub const MONA_ABI_VERSION: u32 = 0;
