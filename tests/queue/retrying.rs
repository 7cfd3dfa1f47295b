//! What is tried again, what is divided, and what waits.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use mona_sandbox::{Options, Sandbox};
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
fn one_poisonous_message_is_found_and_all_others_are_delivered() {
    for status in [400, 422, 500] {
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let list = delivered.clone();
        let judge = Judge::start(move |messages, _| {
            // A 500 goes on for ever where the poison is alone; then it is a rejection that ends it.
            if messages.iter().any(|message| id_of(message) == "id-00077") {
                let alone = messages.len() == 1 && status == 500;
                return (if alone { 400 } else { status }, "no".into());
            }
            list.lock().unwrap().extend(messages.iter().map(id_of));
            (200, "{}".into())
        });
        let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 200}));
        let batch: Vec<_> = ids(128).map(|id| message(&id)).collect();
        assert_eq!(
            client.enqueue(&json!(batch).to_string(), None, true).status,
            Status::Ok
        );
        flush(&client);
        let expected: Vec<_> = ids(128).filter(|id| id != "id-00077").collect();
        assert_eq!(*delivered.lock().unwrap(), expected, "{status}");
        let statistics = statistics(&client);
        assert_eq!(
            (&statistics["rejected"], &statistics["splits"]),
            (&json!(1), &json!(7)),
            "{status}"
        );
        // Each of the seven halvings costs two requests; a 500 is tried three times before it is suspected.
        let requests = if status == 500 { 29 } else { 15 };
        assert_eq!(statistics["requests"], requests, "{status}");
        assert_eq!(statistics["rejections"][0]["context_id"], "id-00077");
    }
}

#[test]
fn the_size_that_the_service_takes_is_learned() {
    let limit = 200_000;
    let options = Options {
        body_limit: limit,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = impatient(
        json!({"linger_ms": 60_000, "batch_bytes": 1_000_000, "batch_messages": 100_000}),
    );
    let client = client(&config);
    let large = "x".repeat(10_000);
    let batch = |from: usize| -> Value {
        (from..from + 90).map(|n| json!({"message": {"a": large}, "contextClass": "C", "contextId": n.to_string()})).collect()
    };
    assert_eq!(
        client.enqueue(&batch(0).to_string(), None, true).status,
        Status::Ok
    );
    flush(&client);
    assert_eq!(sandbox.message_count(), 90);
    assert_eq!(
        statistics(&client)["splits"],
        3,
        "900 kB, 450 kB and 225 kB are too large"
    );
    assert_eq!(
        client.enqueue(&batch(90).to_string(), None, true).status,
        Status::Ok
    );
    flush(&client);
    assert_eq!(sandbox.message_count(), 180);
    assert_eq!(
        statistics(&client)["splits"],
        3,
        "what was learned is not tried again"
    );
}

#[test]
fn a_message_too_large_for_the_service_is_rejected_alone() {
    let judge = Judge::start(|messages, _| {
        let large = messages
            .iter()
            .any(|message| message.to_string().len() > 1000);
        (if large { 413 } else { 200 }, "{}".into())
    });
    let client = client_of(&judge, json!({"linger_ms": 60_000}));
    let batch = json!([message("a"), {"message": {"a": "x".repeat(2000)}, "contextClass": "C", "contextId": "large"}, message("b")]);
    assert_eq!(
        client.enqueue(&batch.to_string(), None, true).status,
        Status::Ok
    );
    flush(&client);
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["delivered"], &statistics["rejected"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(statistics["rejections"][0]["context_id"], "large");
}

#[test]
fn a_closed_door_pauses_delivery_and_loses_nothing() {
    for status in [401, 403, 404, 405, 410] {
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
        let before = statistics(&client);
        enqueue(&client, [status.to_string()]);
        flush(&client);
        let after = statistics(&client);
        let more = |name: &str| after[name].as_u64().unwrap() - before[name].as_u64().unwrap();
        let waits = matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 410);
        let again =
            matches!(status, 408 | 425 | 429) || status >= 500 && !matches!(status, 501 | 505);
        let tries = if waits || again { 2 } else { 1 };
        assert_eq!(more("requests"), tries, "{status}: {after}");
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
        let (sandbox, client) = asked_for_time(retry_after);
        let start = Instant::now();
        flush(&client);
        // A date has whole seconds; and the answer may have come before the clock was looked at.
        assert!(start.elapsed() > Duration::from_millis(900));
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
fn whatever_size_a_service_takes_all_messages_arrive() {
    for limit in [1 << 10, 1 << 14, 1 << 17, 1 << 20] {
        let taken = Arc::<Mutex<Vec<_>>>::default();
        let list = taken.clone();
        let judge = Judge::start(move |messages, _| {
            if json!(messages).to_string().len() > limit {
                return (413, String::new());
            }
            list.lock().unwrap().extend(messages.iter().map(id_of));
            (200, "{}".into())
        });
        let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 4000}));
        let batch: Vec<_> = ids(3000).map(|id| message(&id)).collect();
        enqueue_together(&client, &batch);
        let accepted: BTreeSet<_> = ids(3000).collect();
        flush(&client);
        assert_eq!(
            settle(&client, &accepted, &taken.lock().unwrap()),
            0,
            "{limit}"
        );
        assert!(taken.lock().unwrap().is_sorted(), "{limit}");
    }
}

#[test]
fn a_size_that_was_learned_is_exceeded_a_little_after_many_successes() {
    let judge = Judge::start(|messages, _| {
        let status = if messages.len() > 100 { 413 } else { 200 };
        (status, "{}".into())
    });
    let keys = json!({"linger_ms": 60_000, "batch_messages": 1000});
    let client = client_of(&judge, keys);
    let requests_for = |count: usize| {
        let before = judge.bodies().len();
        let batch: Vec<_> = ids(count)
            .map(|id| merged(message(&id), json!({"message": {"a": "x".repeat(1500)}})))
            .collect();
        enqueue_together(&client, &batch);
        flush(&client);
        judge.bodies().len() - before
    };
    assert_eq!(requests_for(140), 3, "refused, and then by halves of 70");
    assert_eq!(requests_for(75), 2);
    // With the four halves so far.
    (0..96).for_each(|_| assert_eq!(requests_for(1), 1));
    assert_eq!(requests_for(75), 1);
    assert_eq!(requests_for(80), 2);
}

#[test]
fn errors_of_the_service_raise_suspicion_only_in_a_row() {
    let statuses = [500, 500, 503, 500, 500, 503];
    let judge = Judge::start(move |_, number| {
        let status = statuses.get(number - 1).copied().unwrap_or(200);
        (status, "{}".into())
    });
    let client = client_of(&judge, json!({"linger_ms": 60_000}));
    let batch: Vec<_> = ids(10).map(|id| message(&id)).collect();
    enqueue_together(&client, &batch);
    flush(&client);
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["splits"], &statistics["retries"]),
        (&json!(0), &json!(6))
    );
}
