//! What the functions do with the caller's pointers. Miri runs these, too (tests/sanitizer/miri): it sees each byte that is read
//! beyond what was given, each pointer that is used too long, each document that is not freed or freed twice.

use super::asynchronous::{mona_export_json_async, mona_poll, mona_service_call_async, mona_wake};
use super::background::{mona_enqueue_json, mona_flush, mona_stats_json};
use super::fork::{mona_after_fork_child, mona_after_fork_parent};
use super::lifecycle::mona_client_new;
use super::lifecycle::{mona_client, mona_client_close, mona_client_free, mona_client_is_active};
use super::log::mona_set_log_callback;
use super::status::{mona_status, mona_status_name};
use super::string::mona_string_free;
use super::synchronous::{mona_export_json, mona_service_call};
use super::version::mona_version_string;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

const OK: mona_status = 0;
const TIMEOUT: mona_status = 2;
const INVALID_ARGUMENT: mona_status = -1;
const INITIALIZATION: mona_status = -2;
const CLOSED: mona_status = -7;

const MESSAGE: &str = r#"{"message": {"a": "ü"}, "contextClass": "C"}"#;

/// The log's callback is one for the process.
static LOG: Mutex<()> = Mutex::new(());

/// A call's status and its document, which is freed.
fn called(call: impl FnOnce(*mut *mut c_char) -> mona_status) -> (mona_status, String) {
    let mut document = null_mut();
    let status = call(&mut document);
    assert!(!document.is_null());
    // SAFETY: a call has set it to a document, which is freed once and not used afterwards.
    let text = unsafe {
        let text = CStr::from_ptr(document).to_str().unwrap().to_owned();
        mona_string_free(document);
        text
    };
    (status, text)
}

/// A client that sends nothing, for an hour.
fn client() -> *mut mona_client {
    let config = CString::new(
        r#"{"auth_mode": "NO_AUTH", "user_id": "u", "override_rest_api_host": "127.0.0.1:1",
            "queue": {"linger_ms": 3600000, "exit_timeout_ms": 0, "free_timeout_ms": 0}}"#,
    );
    let config = config.unwrap();
    let mut client = null_mut();
    // SAFETY: the text is terminated and lives until the call returns; both places may be written.
    let (status, text) =
        called(|out| unsafe { mona_client_new(config.as_ptr(), &mut client, out) });
    assert_eq!(status, OK, "{text}");
    client
}

fn enqueue(client: *mut mona_client, payload: &[u8], length: i64) -> (mona_status, String) {
    let payload = payload.as_ptr().cast();
    // SAFETY: the client lives, and the payload has `length` bytes or is terminated.
    called(|out| unsafe { mona_enqueue_json(client, payload, length, null(), out) })
}

#[test]
fn a_payload_is_read_to_its_length() {
    let client = client();
    // Just as long as its text: one byte more is somebody else's.
    let exact: Box<[u8]> = MESSAGE.as_bytes().into();
    let (status, text) = enqueue(client, &exact, exact.len() as i64);
    assert_eq!(status, OK, "{text}");
    for end in [0, 1, exact.len() - 1] {
        let cut: Box<[u8]> = exact[..end].into();
        let (status, text) = enqueue(client, &cut, cut.len() as i64);
        assert_eq!(status, INVALID_ARGUMENT, "{text}");
    }
    // SAFETY: it came from mona_client_new, and is not used any more.
    unsafe { mona_client_free(client) };
}

#[test]
fn a_negative_length_is_that_of_the_terminated_text() {
    let client = client();
    let terminated = CString::new(MESSAGE).unwrap();
    let (status, text) = enqueue(client, terminated.as_bytes_with_nul(), -1);
    assert_eq!(status, OK, "{text}");
    // SAFETY: as above.
    unsafe { mona_client_free(client) };
}

#[test]
fn text_that_is_not_utf_8_is_refused_where_it_goes_wrong() {
    let client = client();
    let letter = MESSAGE.find('ü').unwrap();
    let cut_in_a_letter = &MESSAGE.as_bytes()[..letter + 1];
    let (status, text) = enqueue(client, cut_in_a_letter, cut_in_a_letter.len() as i64);
    assert_eq!(status, INVALID_ARGUMENT);
    assert!(
        text.contains(&format!("messages_json: not valid UTF-8 at byte {letter}")),
        "{text}"
    );
    // SAFETY: as above.
    unsafe { mona_client_free(client) };
}

#[test]
fn nothing_is_written_where_nothing_is_asked_for() {
    let client = client();
    let message = CString::new(MESSAGE).unwrap();
    let message = message.as_ptr();
    // SAFETY: the client lives, `message` is terminated, and every other pointer may be NULL.
    unsafe {
        assert_eq!(
            mona_enqueue_json(client, message, -1, null(), null_mut()),
            OK
        );
        assert_eq!(mona_stats_json(client, null_mut()), OK);
        assert_eq!(mona_poll(client, 0, null_mut(), null_mut()), TIMEOUT);
        assert_eq!(mona_wake(client), OK);
        assert_eq!(mona_client_close(client, 0, null_mut()), OK);
        assert_eq!(
            mona_enqueue_json(client, message, -1, null(), null_mut()),
            CLOSED
        );
        mona_client_free(client);
    }
}

#[test]
fn no_client_is_an_error() {
    let (messages, none) = (c"[]".as_ptr(), null_mut());
    // SAFETY: there is no client, which each of these may be told; the texts are terminated.
    unsafe {
        let statuses = [
            called(|out| mona_export_json(none, messages, -1, null(), out)),
            called(|out| mona_enqueue_json(none, messages, -1, null(), out)),
            called(|out| mona_service_call(none, messages, messages, -1, null(), out)),
            called(|out| mona_export_json_async(none, messages, -1, null(), 1, out)),
            called(|out| mona_service_call_async(none, messages, messages, -1, null(), 1, out)),
            called(|out| mona_poll(none, 0, null_mut(), out)),
            called(|out| mona_flush(none, 0, out)),
            called(|out| mona_stats_json(none, out)),
            called(|out| mona_client_close(none, 0, out)),
        ];
        for (status, text) in statuses {
            assert_eq!(status, INVALID_ARGUMENT, "{text}");
        }
        assert_eq!(mona_client_is_active(none), 0);
        mona_client_free(none);
        mona_string_free(null_mut());
    }
}

#[test]
fn a_client_that_cannot_be_made_is_null() {
    for (config, expected) in [
        (c"", INVALID_ARGUMENT),
        (c"[]", INVALID_ARGUMENT),
        (c"\xff", INVALID_ARGUMENT),
        (c"{\"api_keys\": 1}", INITIALIZATION),
    ] {
        let mut client = std::ptr::dangling_mut();
        // SAFETY: the text is terminated, and both places may be written.
        let (status, text) =
            called(|out| unsafe { mona_client_new(config.as_ptr(), &mut client, out) });
        assert_eq!(status, expected, "{text}");
        assert!(client.is_null());
    }
}

/// Counts what its `user_data`, a vector of lines, gets to know.
unsafe extern "C" fn take_line(
    _: i32,
    logger: *const c_char,
    message: *const c_char,
    lines: *mut c_void,
) {
    // SAFETY: both texts are terminated and valid now; `lines` is what `take_lines` gave, and locked.
    unsafe {
        let line = format!("{:?} {:?}", CStr::from_ptr(logger), CStr::from_ptr(message));
        (*lines.cast::<Mutex<Vec<String>>>())
            .lock()
            .unwrap()
            .push(line);
    }
}

unsafe extern "C" fn drop_lines(lines: *mut c_void) {
    // SAFETY: it came from `Box::into_raw`, and the library calls this once, after its last use.
    drop(unsafe { Box::from_raw(lines.cast::<Mutex<Vec<String>>>()) });
}

#[test]
fn what_a_log_callback_is_given_lives_as_long_as_it_may_be_called() {
    let _alone = LOG.lock();
    let client = client();
    for _ in 0..2 {
        let lines = Box::into_raw(Box::<Mutex<Vec<String>>>::default());
        // SAFETY: `lines` lives until `drop_lines` frees it, once; the client lives, and the payload is terminated.
        unsafe {
            mona_set_log_callback(Some(take_line), lines.cast(), Some(drop_lines), 0);
            called(|out| mona_export_json(client, c"[]".as_ptr(), -1, null(), out));
            assert_eq!((*lines).lock().unwrap().len(), 1);
        }
    }
    // SAFETY: no callback, and nothing to go with it; the client is not used any more.
    unsafe {
        mona_set_log_callback(None, null_mut(), None, 0);
        mona_client_free(client);
    }
}

#[test]
fn without_a_log_callback_the_other_arguments_do_not_count() {
    let _alone = LOG.lock();
    // SAFETY: without a callback nothing of it is used.
    let status = unsafe { mona_set_log_callback(None, null_mut(), Some(drop_lines), -1) };
    assert_eq!(status, OK);
}

#[test]
fn static_texts_are_terminated() {
    // SAFETY: both are static texts.
    let (version, name) = unsafe {
        (
            CStr::from_ptr(mona_version_string()),
            CStr::from_ptr(mona_status_name(CLOSED)),
        )
    };
    assert_eq!(version.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    assert_eq!(name, c"MONA_ERROR_CLOSED");
}

#[test]
fn without_a_fork_there_is_nothing_to_be_done_after_one() {
    assert_eq!(mona_after_fork_parent(), OK);
    assert_eq!(mona_after_fork_child(), OK);
}
