//! Sequences of C calls on handles: every call returns a known status and a document.
#![no_main]

use libfuzzer_sys::{arbitrary, fuzz_target};
use mona::ffi::asynchronous::*;
use mona::ffi::background::*;
use mona::ffi::lifecycle::*;
use mona::ffi::status::mona_status_name;
use mona::ffi::string::mona_string_free;
use mona::ffi::synchronous::*;
use serde::de::IgnoredAny;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

#[derive(arbitrary::Arbitrary, Debug)]
enum Call {
    Export(Text, i8, Text),
    Enqueue(Text, i8, Text),
    Service(Text, Text, i8, Text),
    ExportLater(Text, i8, Text, u64),
    ServiceLater(Text, Text, i8, Text, u64),
    Poll,
    Flush,
    Wake,
    Statistics,
    Close,
    IsActive,
    Descriptor,
    NoClient,
}

/// NULL, any bytes, or something that goes further.
#[derive(arbitrary::Arbitrary, Debug)]
enum Text {
    Null,
    Bytes(Vec<u8>),
    Message,
    Messages,
    Service,
    Empty,
}

impl Text {
    fn own(&self) -> Option<CString> {
        let text = match self {
            Text::Null => return None,
            Text::Bytes(bytes) => {
                let end = bytes
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(bytes.len());
                return CString::new(&bytes[..end]).ok();
            }
            Text::Message => r#"{"message":{"a":1},"contextClass":"C"}"#,
            Text::Messages => {
                r#"[{"message":{"a":null},"contextClass":"C","contextId":"i"},{"message":{"b":2},"contextClass":"C"}]"#
            }
            Text::Service => "get_config",
            Text::Empty => "{}",
        };
        CString::new(text).ok()
    }
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}

/// A length within the text, or a negative one.
fn length(text: &Option<CString>, wanted: i8) -> i64 {
    let most = text.as_ref().map_or(0, |text| text.as_bytes().len() as i64);
    i64::from(wanted).min(most)
}

/// Makes a call and looks at what it returns.
fn checked(call: impl FnOnce(*mut *mut c_char) -> i32) -> i32 {
    let mut document = null_mut();
    let status = call(&mut document);
    assert!(!document.is_null());
    let known = unsafe { CStr::from_ptr(mona_status_name(status)) };
    assert_ne!(known, c"MONA_STATUS_UNKNOWN");
    assert_ne!(known, c"MONA_ERROR_INTERNAL");
    let text = unsafe { CStr::from_ptr(document) }.to_str().unwrap();
    assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
    unsafe { mona_string_free(document) };
    status
}

fn make(client: *mut mona_client, call: &Call) {
    match call {
        Call::Export(messages, len, options) => {
            let (messages, options) = (messages.own(), options.own());
            let len = length(&messages, *len);
            checked(|out| unsafe {
                mona_export_json(client, pointer(&messages), len, pointer(&options), out)
            });
        }
        Call::Enqueue(messages, len, options) => {
            let (messages, options) = (messages.own(), options.own());
            let len = length(&messages, *len);
            checked(|out| unsafe {
                mona_enqueue_json(client, pointer(&messages), len, pointer(&options), out)
            });
        }
        Call::Service(service, arguments, len, options) => {
            let (service, arguments, options) = (service.own(), arguments.own(), options.own());
            let len = length(&arguments, *len);
            checked(|out| unsafe {
                mona_service_call(
                    client,
                    pointer(&service),
                    pointer(&arguments),
                    len,
                    pointer(&options),
                    out,
                )
            });
        }
        Call::ExportLater(messages, len, options, tag) => {
            let (messages, options) = (messages.own(), options.own());
            let len = length(&messages, *len);
            checked(|out| unsafe {
                mona_export_json_async(
                    client,
                    pointer(&messages),
                    len,
                    pointer(&options),
                    *tag,
                    out,
                )
            });
        }
        Call::ServiceLater(service, arguments, len, options, tag) => {
            let (service, arguments, options) = (service.own(), arguments.own(), options.own());
            let len = length(&arguments, *len);
            checked(|out| unsafe {
                mona_service_call_async(
                    client,
                    pointer(&service),
                    pointer(&arguments),
                    len,
                    pointer(&options),
                    *tag,
                    out,
                )
            });
        }
        Call::Poll => {
            let mut tag = 0;
            checked(|out| unsafe { mona_poll(client, 0, &mut tag, out) });
        }
        Call::Flush => {
            checked(|out| unsafe { mona_flush(client, 0, out) });
        }
        Call::Wake => {
            unsafe { mona_wake(client) };
        }
        Call::Statistics => {
            checked(|out| unsafe { mona_stats_json(client, out) });
        }
        Call::Close => {
            checked(|out| unsafe { mona_client_close(client, 0, out) });
        }
        Call::IsActive => {
            unsafe { mona_client_is_active(client) };
        }
        Call::Descriptor => {
            unsafe { mona_event_fd(client) };
        }
        Call::NoClient => {
            checked(|out| unsafe { mona_stats_json(null_mut(), out) });
        }
    }
}

// Nobody listens there: requests fail at once.
const CONFIG: &CStr = cr#"{"auth_mode":"NO_AUTH","user_id":"u","should_use_ssl":false,
    "override_rest_api_host":"127.0.0.1:1","override_app_server_host":"127.0.0.1:1",
    "queue":{"free_timeout_ms":0,"linger_ms":0,"max_messages":20}}"#;

fuzz_target!(|calls: Vec<Call>| {
    let mut client = null_mut();
    checked(|out| unsafe { mona_client_new(CONFIG.as_ptr(), &mut client, out) });
    for call in calls.iter().take(40) {
        make(client, call);
    }
    unsafe { mona_client_free(client) };
});
