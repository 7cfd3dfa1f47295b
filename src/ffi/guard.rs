//! What stands between every call and the host: panics end here, and documents leave here.

use crate::answer::Answer;
use crate::error::Error;
use crate::ffi::status::mona_status;
use crate::status::Status;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a call and hands its document over. A panic becomes `MONA_ERROR_INTERNAL`.
///
/// # Safety
/// `out_json` is NULL or points to a pointer that may be written.
pub unsafe fn answering(
    out_json: *mut *mut c_char,
    call: impl FnOnce() -> Result<Answer, Error>,
) -> mona_status {
    // Nothing of the library is left half changed by an unwinding call: its state changes in single steps.
    let answer = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::failure(Status::InvalidArgument, &error),
        Err(_) => Answer::panicked(),
    };
    if !out_json.is_null() {
        // JSON has no NUL byte, so the conversion cannot fail.
        let document = CString::new(answer.document).unwrap_or_default();
        // SAFETY: not NULL, so by the caller's promise writable.
        unsafe { out_json.write(document.into_raw()) };
    }
    answer.status as mona_status
}

/// Runs a call that has no document; a panic gives `otherwise`.
pub fn quiet<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
}
