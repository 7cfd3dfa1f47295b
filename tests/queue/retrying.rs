//! What is tried again, when, and what waits.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use mona_sandbox::Sandbox;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn a_failed_request_is_repeated_byte_for_byte() {
    let failures: [(u16, &str); 8] = [
        (503, ""),
        (0, ""),
        (500, "<html>"),
        (408, ""),
        (425, ""),
        (429, "{}"),
        (502, ""),
        (504, ""),
    ];
    let judge = Judge::start(move |_, number| match failures.get(number - 1) {
        Some((status, body)) => (*status, (*body).to_owned()),
        None => (200, "{}".into()),
    });
    let client = client_of(&judge, json!({}));
    let text = r#"{"message":{"n":1.10},"contextClass":"C"}"#;
    assert_eq!(client.enqueue(text, None, true).status, Status::Ok);
    flush(&client);
    let bodies = judge.bodies();
    assert_eq!(bodies.len(), 9);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let sent: Value = serde_json::from_slice(&bodies[0]).unwrap();
    assert_eq!(id_of(&sent["messages"][0]).len(), 36);
    assert!(sent["messages"][0]["exportTimestamp"].is_number());
    assert_eq!(statistics(&client)["retries"], 8);
}

#[test]
fn a_closed_door_pauses_delivery_and_loses_nothing() {
    for status in [401, 403, 404, 405, 407, 410] {
        let opened = Arc::new(AtomicBool::new(false));
        let door = opened.clone();
        let judge = Judge::start(move |_, _| {
            let open = door.load(Ordering::SeqCst);
            (if open { 200 } else { status }, "{}".into())
        });
        let client = client_of(&judge, json!({}));
        enqueue(&client, ids(10));
        wait_until(&client, |now| {
            now["state"] == "paused" && judge.bodies().len() >= 3
        });
        opened.store(true, Ordering::SeqCst);
        flush(&client);
        assert_eq!(statistics(&client)["delivered"], 10, "{status}");
    }
}

#[test]
fn a_forgotten_token_costs_one_login_and_no_message() {
    let sandbox = sandbox();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = impatient(json!({}));
    let client = client(&config);
    sandbox.reset();
    enqueue(&client, ids(50));
    flush(&client);
    assert_eq!(sandbox.message_count(), 50);
    assert_eq!(count(&sandbox, LOGIN), 1);
}

#[test]
fn every_status_is_tried_as_often_as_it_deserves() {
    let judge = Judge::start(|messages, _| {
        static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let id = id_of(&messages[0]);
        let first = SEEN.lock().unwrap().insert(id.clone());
        (if first { id.parse().unwrap() } else { 200 }, String::new())
    });
    let client = client_of(&judge, json!({}));
    for status in 200..600 {
        let (before, seen) = (statistics(&client), judge.bodies().len());
        enqueue(&client, [status.to_string()]);
        flush(&client);
        let (after, seen) = (statistics(&client), judge.bodies().len() - seen);
        let more = |name: &str| after[name].as_u64().unwrap() - before[name].as_u64().unwrap();
        let waits = matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 407 | 410);
        let again =
            matches!(status, 408 | 425 | 429) || status >= 500 && !matches!(status, 501 | 505);
        let tries = if waits || again { 2 } else { 1 };
        assert_eq!(
            (more("requests"), seen),
            (tries, tries as usize),
            "{status}: {after}"
        );
        let rejected = status >= 400 && tries == 1;
        assert_eq!(
            (more("rejected") == 1, more("delivered") == 1),
            (rejected, !rejected),
            "{status}"
        );
    }
}

/// A server that asks for time once, and a client of it that has been told.
fn asked_for_time(retry_after: Value) -> (Sandbox, mona::client::Client) {
    let sandbox = sandbox();
    let rule = json!({"path": "/monaExport", "times": 1, "status": 429, "headers": {"Retry-After": retry_after}});
    sandbox.add_rules(&rule.to_string()).unwrap();
    let client = client(&config_for(&sandbox.host(), json!({})));
    enqueue(&client, ids(1));
    assert!(sandbox.wait_for_requests(1, PATIENCE));
    (sandbox, client)
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    for retry_after in [json!("1"), json!({"$http_date_in": 3})] {
        let start = Instant::now();
        let (sandbox, client) = asked_for_time(retry_after);
        flush(&client);
        // A date has whole seconds: three of them ahead are at least two.
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!(sandbox.request_count(), 2);
    }
}

#[test]
fn a_time_that_has_passed_or_is_none_is_not_waited_for() {
    for retry_after in [
        json!("0"),
        json!({"$http_date_in": -3600}),
        json!("soon"),
        json!("-5"),
    ] {
        let (sandbox, client) = asked_for_time(retry_after);
        flush(&client);
        assert_eq!(sandbox.request_count(), 2);
    }
}

#[test]
fn a_server_that_asks_for_years_is_left_alone_and_closing_does_not_wait() {
    let (sandbox, client) = asked_for_time(json!("1000000000"));
    wait_until(&client, |now| now["state"] == "backing_off");
    assert_eq!(client.flush(50).status, Status::Timeout);
    assert_eq!(document(&client.close(-1))["undelivered"], 1);
    assert_eq!(sandbox.request_count(), 1);
}

#[test]
fn a_failing_server_sees_attempts_as_far_apart_as_the_formula_has_them() {
    const FIRST: u64 = 300;
    const LONGEST: u64 = 800;
    const ATTEMPTS: usize = 4;
    let gaps = || {
        let arrivals = Arc::<Mutex<Vec<_>>>::default();
        let list = arrivals.clone();
        let judge = Judge::start(move |_, number| {
            list.lock().unwrap().push(Instant::now());
            (if number < ATTEMPTS { 503 } else { 200 }, "{}".into())
        });
        let waits = json!({"back_off_first_ms": FIRST, "back_off_longest_ms": LONGEST});
        let client = client_of(&judge, waits);
        enqueue(&client, ids(1));
        flush(&client);
        let arrivals = arrivals.lock().unwrap();
        assert_eq!(arrivals.len(), ATTEMPTS);
        let gaps = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.collect::<Vec<_>>()
    };
    let ceilings = [FIRST, 2 * FIRST, LONGEST].map(|ms| Duration::from_millis(ms + ms / 10));
    let mut shortest = [Duration::MAX; ATTEMPTS - 1];
    // A busy machine makes gaps longer, but hardly all of many.
    for _ in 0..20 {
        for (shortest, gap) in shortest.iter_mut().zip(gaps()) {
            assert!(gap >= Duration::from_millis(FIRST), "{gap:?}");
            *shortest = gap.min(*shortest);
        }
        let all_in_time = shortest
            .iter()
            .zip(&ceilings)
            .all(|(gap, ceiling)| gap <= ceiling);
        if all_in_time {
            return;
        }
    }
    panic!("{shortest:?}, not {ceilings:?}");
}
