//! What servers answer to logins and exports, with their tokens and their `Retry-After`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mona::fuzzing;

// Lines: the status, how many messages were sent, `Retry-After`, a token or a tenant, a secret, the body.
fuzz_target!(|input: &str| {
    let mut lines = input.splitn(6, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let status = line().parse().unwrap_or(200);
    let sent = line().parse::<u8>().map_or(1, |sent| usize::from(sent) + 1);
    let (retry_after, token, secret, body) = (line(), line(), line(), line());
    if let Err(told) = fuzzing::login_answer(status, body, secret) {
        assert!(told.chars().count() <= 600, "{told}");
    }
    let tenant = fuzzing::tenant(token);
    assert!(tenant.is_none_or(|tenant| !tenant.is_empty()));
    if let Some(host) = fuzzing::host(token) {
        let inside = host.starts_with("incoming") && host.ends_with(".monalabs.io");
        assert!(
            inside && !host.contains(['/', '@', ':', '?', '#', '\\', '%', ' ']),
            "{host}"
        );
    }
    let (failed, rejected) = fuzzing::export_answer(status, body, sent);
    assert!(failed <= sent);
    if let Some(rejected) = rejected {
        assert!(rejected.len() <= sent && rejected.iter().flatten().all(|index| *index < sent));
    }
    if let Some(wait) = fuzzing::back_off_after(retry_after) {
        assert!(wait.as_secs() <= 4000, "{wait:?}");
    }
});
