//! The background export: what is accepted is delivered, rejected with a reason, or counted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/judge.rs"]
mod judge;
mod support;

use judge::Judge;
use mona::client::Client;
use mona::status::Status;
use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;
use support::*;

/// Waits so short that tests need not.
fn impatient() -> Value {
    json!({"linger_ms": 0, "back_off_first_ms": 1, "back_off_longest_ms": 2, "pause_first_ms": 1, "pause_longest_ms": 2})
}

fn queue(changes: Value) -> Value {
    let mut queue = impatient();
    queue
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    json!({"queue": queue})
}

/// A client of a judge, without authentication.
fn client_of(judge: &Judge, changes: Value) -> Client {
    let mut config = json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false, "override_rest_api_host": judge.host()});
    config
        .as_object_mut()
        .unwrap()
        .extend(queue(changes).as_object().unwrap().clone());
    client(&config)
}

fn message(id: &str) -> Value {
    json!({"message": {"a": 1}, "contextClass": "C", "contextId": id})
}

fn enqueue(client: &Client, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        let answer = client.enqueue(&message(&id).to_string(), None, true);
        assert_eq!(answer.status, Status::Ok, "{}", answer.document);
    }
}

fn ids(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("id-{n:05}"))
}

/// The statistics, of which the law must hold.
fn statistics(client: &Client) -> Value {
    let statistics = document(&client.statistics());
    let of = |name: &str| statistics[name].as_u64().unwrap();
    let dropped = &statistics["dropped"];
    let sum = of("delivered")
        + of("rejected")
        + of("expired")
        + of("in_memory")
        + of("in_flight")
        + dropped["overflow"].as_u64().unwrap()
        + dropped["close"].as_u64().unwrap();
    assert_eq!(of("accepted"), sum, "{statistics}");
    statistics
}

fn flush(client: &Client) {
    let answer = client.flush(PATIENCE.as_millis() as i64);
    assert_eq!(
        answer.status,
        Status::Ok,
        "{}: {}",
        answer.document,
        statistics(client)
    );
}

fn id_of(message: &Value) -> String {
    message["contextId"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_enqueued_arrives_in_order() {
    let sandbox = sandbox();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = json!({"linger_ms": 60_000, "batch_messages": 100});
    let client = client(&config);
    enqueue(&client, ids(1050));
    flush(&client);
    let arrived: Vec<_> = sandbox
        .messages()
        .into_iter()
        .map(|message| message.context_id)
        .collect();
    assert_eq!(arrived, ids(1050).collect::<Vec<_>>());
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["delivered"], &statistics["state"]),
        (&json!(1050), &json!("ok"))
    );
    assert!(statistics["latency_ms"]["p99"].is_number());
    assert!(
        count(&sandbox, "/export") <= 15,
        "{}",
        count(&sandbox, "/export")
    );
}

#[test]
fn nothing_waits_for_more_than_the_linger() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({"linger_ms": 20}));
    enqueue(&client, ids(1));
    let start = Instant::now();
    while statistics(&client)["delivered"] != 1 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

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
fn messages_that_the_service_names_are_rejected_alone() {
    let sandbox = sandbox();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = impatient();
    config["queue"]["linger_ms"] = json!(60_000);
    let client = client(&config);
    let batch = json!([message("good-1"), {"message": {"a": 1}, "contextClass": "C.", "contextId": "bad"}, message("good-2")]);
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
    assert_eq!(statistics["rejections"][0]["context_id"], "bad");
    assert_eq!(
        (sandbox.message_count(), count(&sandbox, "/export")),
        (2, 1)
    );
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
    config["queue"] = queue(
        json!({"linger_ms": 60_000, "batch_bytes": 1_000_000, "batch_messages": 100_000}),
    )["queue"]
        .clone();
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
        let start = Instant::now();
        while statistics(&client)["state"] != "paused" || judge.bodies().len() < 3 {
            assert!(start.elapsed() < PATIENCE, "{status}");
            std::thread::yield_now();
        }
        opened.store(true, Ordering::SeqCst);
        flush(&client);
        assert_eq!(statistics(&client)["delivered"], 10, "{status}");
    }
}

#[test]
fn a_forgotten_token_costs_one_login_and_no_message() {
    let sandbox = sandbox();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = impatient();
    let client = client(&config);
    sandbox.reset();
    enqueue(&client, ids(50));
    flush(&client);
    assert_eq!(sandbox.message_count(), 50);
    assert_eq!(count(&sandbox, LOGIN), 1);
}

#[test]
fn a_call_is_accepted_whole_or_not_at_all() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({"max_message_bytes": 200}));
    let answer = client.enqueue(
        &json!([message("a"), 7, {"message": {}, "contextClass": "C"}]).to_string(),
        None,
        true,
    );
    assert_eq!(answer.status, Status::Failed);
    let rejected = document(&answer);
    assert_eq!(
        (
            &rejected["accepted"],
            &rejected["failed"],
            &rejected["empty"]
        ),
        (&json!(0), &json!(1), &json!(1))
    );
    assert!(rejected["failure_reasons"]["1"].is_string());
    assert_eq!(
        client.enqueue("[", None, true).status,
        Status::InvalidArgument
    );
    let large = json!([message("a"), {"message": {"a": "x".repeat(300)}, "contextClass": "C"}]);
    let answer = client.enqueue(&large.to_string(), None, true);
    assert_eq!(answer.status, Status::InvalidArgument);
    assert!(
        document(&answer)["error_message"]
            .to_string()
            .contains("max_message_bytes (200)")
    );
    assert_eq!(statistics(&client)["accepted"], 0);
    assert!(judge.bodies().is_empty());
}

/// Lets the answers of a held judge go.
#[derive(Clone, Default)]
struct Release(Arc<(Mutex<bool>, Condvar)>);

impl Release {
    fn wait(&self) {
        let (released, changed) = &*self.0;
        let waiting = changed.wait_while(released.lock().unwrap(), |released| !*released);
        drop(waiting.unwrap());
    }

    fn release(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// A judge that answers nothing until it is released.
fn held() -> (Judge, Release) {
    let released = Release::default();
    let release = released.clone();
    let judge = Judge::start(move |_, _| {
        release.wait();
        (200, "{}".into())
    });
    (judge, released)
}

#[test]
fn a_full_queue_refuses_calls_at_once() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"max_messages": 5}));
    enqueue(&client, ids(5));
    let answer = client.enqueue(&message("more").to_string(), None, true);
    assert_eq!(answer.status, Status::QueueFull);
    let refused = document(&answer);
    assert_eq!(
        (&refused["error_kind"], &refused["retriable"]),
        (&json!("queue_full"), &json!(true))
    );
    let counted = statistics(&client);
    assert_eq!(
        (&counted["accepted"], &counted["refused"], &counted["state"]),
        (&json!(5), &json!(1), &json!("queue_full"))
    );
    released.release();
    flush(&client);
    enqueue(&client, ids(1));
    flush(&client);
    assert_eq!(statistics(&client)["delivered"], 6);
}

#[test]
fn bytes_are_bounded_with_what_is_in_flight() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"max_bytes": 10_000}));
    let mut accepted = 0;
    while client.enqueue(&message("x").to_string(), None, true).status == Status::Ok {
        accepted += 1;
    }
    let counted = statistics(&client);
    let bytes = counted["bytes"].as_u64().unwrap();
    assert!((9_000..=10_000).contains(&bytes), "{counted}");
    assert_eq!(counted["accepted"], accepted);
    released.release();
    flush(&client);
    assert_eq!(statistics(&client)["bytes"], 0);
}

#[test]
fn a_call_waits_for_room_where_it_is_told_to() {
    let (judge, released) = held();
    let client = client_of(
        &judge,
        json!({"max_messages": 1, "overflow": "block", "block_ms": 60_000}),
    );
    enqueue(&client, ids(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            client
                .enqueue(&message("second").to_string(), None, true)
                .status
        });
        released.release();
        assert_eq!(waiting.join().unwrap(), Status::Ok);
    });
    flush(&client);
    assert_eq!(statistics(&client)["delivered"], 2);
}

#[test]
fn the_oldest_makes_room_where_it_is_told_to() {
    let (judge, released) = held();
    let client = client_of(
        &judge,
        json!({"max_messages": 4, "overflow": "drop_oldest"}),
    );
    enqueue(&client, ids(1));
    let start = Instant::now();
    while statistics(&client)["in_flight"] != 1 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    enqueue(&client, ids(10).skip(1));
    assert_eq!(statistics(&client)["dropped"]["overflow"], 6);
    released.release();
    flush(&client);
    let arrived: Vec<_> = judge
        .bodies()
        .iter()
        .flat_map(|body| {
            let sent: Value = serde_json::from_slice(body).unwrap();
            sent["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(id_of)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(arrived, ["id-00000", "id-00007", "id-00008", "id-00009"]);
}

#[test]
fn what_cannot_be_delivered_in_its_time_expires() {
    let judge = Judge::start(|_, _| (503, String::new()));
    let client = client_of(&judge, json!({"time_to_live_ms": 30}));
    enqueue(&client, ids(20));
    flush(&client);
    let counted = statistics(&client);
    assert_eq!(
        (&counted["expired"], &counted["delivered"]),
        (&json!(20), &json!(0))
    );
}

#[test]
fn closing_delivers_what_it_can() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 10}));
    enqueue(&client, ids(95));
    let answer = client.close(-1);
    assert_eq!(
        (answer.status, &document(&answer)["undelivered"]),
        (Status::Ok, &json!(0))
    );
    let counted = statistics(&client);
    assert_eq!(
        (&counted["delivered"], &counted["state"]),
        (&json!(95), &json!("closed"))
    );
    assert_eq!(
        client
            .enqueue(&message("late").to_string(), None, true)
            .status,
        Status::Closed
    );
    assert_eq!(client.flush(0).status, Status::Ok);
}

#[test]
fn closing_does_not_wait_for_a_server_that_is_left_alone() {
    let judge = Judge::start(|_, _| (503, String::new()));
    let client = client_of(
        &judge,
        json!({"back_off_first_ms": 600_000, "back_off_longest_ms": 600_000}),
    );
    enqueue(&client, ids(7));
    let start = Instant::now();
    while statistics(&client)["state"] != "backing_off" {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    let answer = client.close(-1);
    assert_eq!(document(&answer)["undelivered"], 7);
    assert_eq!(statistics(&client)["dropped"]["close"], 7);
}

#[test]
fn closing_waits_no_longer_than_it_is_told_whatever_the_server_does() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"batch_messages": 2}));
    enqueue(&client, ids(10));
    let answer = client.close(50);
    assert_eq!(answer.status, Status::Ok);
    let undelivered = document(&answer)["undelivered"].as_u64().unwrap();
    assert_eq!(undelivered, 10);
    let counted = statistics(&client);
    assert_eq!(counted["in_memory"], 0, "{counted}");
    released.release();
    drop(judge);
}

#[test]
fn messages_never_enqueued_cost_nothing_to_close() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({}));
    assert_eq!(client.flush(0).status, Status::Ok);
    assert_eq!(document(&client.close(-1))["undelivered"], 0);
}

/// The oracle: what the server took is exactly what was accepted, however often it failed meanwhile.
#[test]
fn nothing_is_lost_between_many_threads_and_a_failing_server() {
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let list = delivered.clone();
    let judge = Judge::start(move |messages, number| match number % 4 {
        0 => (503, String::new()),
        1 => (0, String::new()),
        _ => {
            list.lock().unwrap().extend(messages.iter().map(id_of));
            (200, "{}".into())
        }
    });
    let client = client_of(&judge, json!({"batch_messages": 50}));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                statistics(&client);
            }
        });
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let client = &client;
                scope.spawn(move || enqueue(client, (0..500).map(|n| format!("{writer}-{n:04}"))))
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        flush(&client);
        done.store(true, Ordering::SeqCst);
        watching.join().unwrap();
    });
    let delivered = delivered.lock().unwrap();
    let unique: BTreeSet<_> = delivered.iter().collect();
    assert_eq!((delivered.len(), unique.len()), (4000, 4000));
    for writer in 0..8 {
        let own: Vec<_> = delivered
            .iter()
            .filter(|id| id.starts_with(&format!("{writer}-")))
            .collect();
        assert!(
            own.is_sorted(),
            "the messages of writer {writer} changed their order"
        );
    }
}
