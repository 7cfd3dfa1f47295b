//! Delivery events: what became of enqueued messages, told through the same queue as the ends of calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/background.rs"]
mod background;
#[path = "support/judge.rs"]
mod judge;
mod support;

use background::{config_for, enqueue_together, flush, merged, message, wait_until};
use judge::Judge;
use mona::client::Client;
use mona::status::Status;
use serde_json::{Value, json};
use std::sync::Arc;
use support::*;

/// The configuration of a client with these keys of `queue`, whose messages wait for a flush.
fn config_of(judge: &Judge, queue: Value) -> Value {
    config_for(judge.host(), merged(json!({"linger_ms": 60_000}), queue))
}

fn client_of(judge: &Judge, queue: Value) -> Client {
    client(&config_of(judge, queue))
}

fn enqueue(client: &Client, ids: &[&str]) {
    let messages: Vec<_> = ids.iter().map(|id| message(id)).collect();
    enqueue_together(client, &messages);
}

/// All events that wait.
fn events(client: &Client) -> Vec<Value> {
    let next = || match client.poll(0) {
        (tag, answer) if answer.status == Status::Ok => Some((tag, document(&answer))),
        _ => None,
    };
    let event = |(tag, event): (u64, Value)| {
        assert_eq!(event["tag"], tag.to_string());
        event
    };
    std::iter::from_fn(next).map(event).collect()
}

fn sum(events: &[Value], member: &str) -> u64 {
    events
        .iter()
        .map(|event| event[member].as_u64().unwrap())
        .sum()
}

/// Takes every message but those whose id begins with "bad".
fn strict() -> Judge {
    Judge::start(|messages, _| {
        let bad = |message: &Value| message["contextId"].as_str().unwrap().starts_with("bad");
        let reason =
            |(index, _): (usize, &Value)| (index.to_string(), json!({"reason": "it is bad"}));
        let reasons: serde_json::Map<_, _> = messages
            .iter()
            .enumerate()
            .filter(|(_, m)| bad(m))
            .map(reason)
            .collect();
        let answer =
            json!({"total": messages.len(), "failed": reasons.len(), "failure_reasons": reasons});
        (200, answer.to_string())
    })
}

#[test]
fn a_batch_with_failures_is_one_event_that_names_them() {
    let judge = strict();
    let client = client_of(&judge, json!({}));
    enqueue(&client, &["a"]);
    flush(&client);
    enqueue(&client, &["b", "bad-1", "c", "bad-2"]);
    flush(&client);
    let events = events(&client);
    assert_eq!(events.len(), 1, "a batch without a failure is no event");
    let mut event = events[0].clone();
    let reason = event["rejections"][0]["reason"].take();
    assert!(reason.as_str().unwrap().contains("it is bad"));
    event["rejections"][1]["reason"].take();
    let expected = json!({
        "type": "delivery", "tag": "0", "status": Status::Failed as i32, "success": false,
        "delivered": 2, "rejected": 2, "expired": 0, "dropped": 0,
        "rejections": [{"context_id": "bad-1", "reason": null}, {"context_id": "bad-2", "reason": null}],
        "error_message": "Not delivered: 2 messages", "error_kind": "undelivered", "retriable": false,
    });
    assert_eq!(event, expected);
}

#[test]
fn the_status_of_a_failure_is_that_of_an_export() {
    let judge = strict();
    let client = client(&merged(
        config_of(&judge, json!({})),
        json!({"raise_export_exceptions": true}),
    ));
    enqueue(&client, &["bad"]);
    flush(&client);
    assert_eq!(events(&client)[0]["status"], Status::Export as i32);
}

#[test]
fn every_batch_is_an_event_where_all_are_wanted() {
    let judge = strict();
    let client = client_of(&judge, json!({"delivery_events": "all"}));
    for ids in [["a", "b"], ["c", "bad"]] {
        enqueue(&client, &ids);
        flush(&client);
    }
    let events = events(&client);
    let of = |member: &str| {
        events
            .iter()
            .map(|event| event[member].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("delivered"), [2, 1]);
    assert_eq!(of("status"), [Status::Ok as i32, Status::Failed as i32]);
    assert_eq!(events[0]["success"], true);
    assert_eq!(events[0]["error_message"], Value::Null);
}

#[test]
fn no_batch_is_an_event_where_none_is_wanted() {
    let judge = strict();
    let client = client_of(&judge, json!({"delivery_events": "none"}));
    enqueue(&client, &["a", "bad"]);
    flush(&client);
    assert_eq!(events(&client), [Value::Null; 0]);
}

#[test]
fn what_expires_or_is_dropped_is_told_too() {
    let judge = Judge::start(|_, _| (503, "{}".into()));
    let late = client_of(&judge, json!({"time_to_live_ms": 1}));
    enqueue(&late, &["a", "b"]);
    flush(&late);
    assert_eq!(sum(&events(&late), "expired"), 2);

    let hour = 3_600_000;
    let keys = json!({"max_messages": 2, "overflow": "drop_oldest", "back_off_first_ms": hour, "back_off_longest_ms": hour});
    let full = client_of(&judge, keys);
    enqueue(&full, &["a"]);
    // What is under way cannot be dropped.
    full.flush(0);
    wait_until(&full, |now| now["state"] == "backing_off");
    for id in ["b", "c", "d", "e"] {
        enqueue(&full, &[id]);
    }
    full.close(0);
    let (events, counted) = (events(&full), document(&full.statistics()));
    let dropped = counted["dropped"]["overflow"].as_u64().unwrap()
        + counted["dropped"]["close"].as_u64().unwrap();
    assert_eq!(sum(&events, "dropped"), dropped);
    assert!(dropped >= 3, "{counted}");
}

#[test]
fn events_add_up_to_the_statistics_whatever_the_service_does() {
    let judge = Judge::start(|messages, number| {
        let bad = messages
            .iter()
            .any(|message| message["contextId"].as_str().unwrap().starts_with("bad"));
        match number % 4 {
            1 => (503, "{}".into()),
            2 => (0, String::new()),
            _ if bad => (400, "{}".into()),
            _ => (200, "{}".into()),
        }
    });
    let client = client_of(&judge, json!({"delivery_events": "all"}));
    for number in 0..200 {
        let id = if number % 50 == 7 {
            format!("bad-{number}")
        } else {
            format!("id-{number}")
        };
        enqueue(&client, &[&id]);
        if number % 23 == 0 {
            flush(&client);
        }
    }
    flush(&client);
    let (events, counted) = (events(&client), document(&client.statistics()));
    for member in ["delivered", "rejected", "expired"] {
        assert_eq!(
            sum(&events, member),
            counted[member].as_u64().unwrap(),
            "{member}"
        );
    }
    let named: Vec<_> = events
        .iter()
        .flat_map(|event| event["rejections"].as_array().unwrap())
        .collect();
    assert_eq!(json!(named), counted["rejections"]);
    assert_eq!(counted["rejected"], 4);
}

#[test]
fn the_oldest_delivery_events_make_room_and_ends_of_calls_never_do() {
    let judge = strict();
    let client = Arc::new(client(&merged(
        config_of(&judge, json!({})),
        json!({"events_max_bytes": 1000}),
    )));
    client.export_async(MESSAGE, None, 7);
    for number in 0..20 {
        enqueue(&client, &[&format!("bad-{number:02}")]);
        flush(&client);
    }
    client.close(-1);
    let (mut calls, mut kept) = (0, Vec::new());
    for event in events(&client) {
        match event["type"].as_str().unwrap() {
            "export" => calls += 1,
            _ => kept.push(event["rejections"][0]["context_id"].clone()),
        }
    }
    assert_eq!(calls, 1);
    let latest: Vec<_> = (20 - kept.len()..20)
        .map(|number| json!(format!("bad-{number:02}")))
        .collect();
    assert_eq!(kept, latest);
    assert!(
        (1..10).contains(&kept.len()),
        "{} of 1000 bytes",
        kept.len()
    );
    let dropped = document(&client.statistics())["events_dropped"]
        .as_u64()
        .unwrap();
    assert_eq!(dropped as usize, 20 - kept.len());
}
