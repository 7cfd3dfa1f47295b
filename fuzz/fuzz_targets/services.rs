//! Arguments of services become requests, and their answers documents: always JSON, whatever comes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mona::fuzzing;
use serde::de::IgnoredAny;

// Lines: the number of a service, its arguments, the user, the status of the answer, the answer.
fuzz_target!(|input: &str| {
    let mut lines = input.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let service = line().parse().unwrap_or_default();
    let (arguments, user_id) = (line(), line());
    let (status, answer) = (line().parse().unwrap_or(200), line());
    if let Ok(body) = fuzzing::service_request(service, arguments, user_id) {
        assert!(serde_json::from_slice::<IgnoredAny>(&body).is_ok());
    }
    let document = fuzzing::service_answer(service, status, answer, user_id);
    assert!(
        serde_json::from_str::<IgnoredAny>(&document).is_ok(),
        "{document}"
    );
});
