//! The export endpoint.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use common::{export, get, post, start, token};
use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

/// Why a message is refused; empty when it is taken.
fn reason(message: &str) -> String {
    let answer = export(&start(), &[message]).json();
    answer["failure_reasons"]["0"]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn with(field: &str, value: &str) -> String {
    format!(r#"{{"arcClass": "A", "message": {{"x": 1}}, "{field}": {value}}}"#)
}

/// The fields of the only context after some messages.
fn sum(messages: &[&str]) -> String {
    let sandbox = start();
    assert_eq!(export(&sandbox, messages).status, 200);
    let contexts = get(&sandbox, "/sandbox/contexts").text();
    let (_, fields) = contexts.split_once(r#""fields":"#).unwrap();
    fields.strip_suffix("}]").unwrap().to_owned()
}

fn message(action: &str, fields: &str) -> String {
    format!(r#"{{"arcClass": "A", "contextId": "c", "action": "{action}", "message": {fields}}}"#)
}

#[test]
fn what_the_service_takes_is_taken() {
    let right = [
        with("contextId", "null"),
        with("contextId", "\"id\""),
        with("exportTimestamp", "1672832745"),
        with("exportTimestamp", "\"2023-01-04T11:45:45.123456\""),
        with("sendTimestamp", "1672832745000"),
        with("action", "\"ADD\""),
        with("sampleConfigName", "null"),
        r#"{"contextClass": "A.B", "contextId": "x.y", "message": {"x": 1}}"#.to_owned(),
    ];
    for message in right {
        assert_eq!(reason(&message), "", "{message}");
    }
}

#[test]
fn what_the_service_refuses_is_refused_with_a_reason() {
    let wrong = [
        (
            r#"{"arcClass": "A", "message": {}}"#.to_owned(),
            "message must not be empty",
        ),
        (
            r#"{"arcClass": "A", "message": null}"#.to_owned(),
            "message must not be empty",
        ),
        (
            r#"{"arcClass": "A", "message": [1]}"#.to_owned(),
            "message must be a JSON object",
        ),
        (
            r#"{"arcClass": "", "message": {"x": 1}}"#.to_owned(),
            "arcClass",
        ),
        (r#"{"message": {"x": 1}}"#.to_owned(), "arcClass"),
        (
            r#"{"arcClass": "A.", "message": {"x": 1}}"#.to_owned(),
            "cannot end with '.'",
        ),
        (
            r#"{"arcClass": "A B", "message": {"x": 1}}"#.to_owned(),
            "cannot have ' '",
        ),
        (
            r#"{"arcClass": "A", "message": {"MONA_x": 1}}"#.to_owned(),
            "field MONA_x is reserved",
        ),
        (with("contextId", "\"a.b\""), "more '.' than arcClass"),
        (with("contextId", "12"), "contextId must be a string"),
        (with("exportTimestamp", "12345678"), "10 digits"),
        (with("exportTimestamp", "\"123456789\""), "10 digits"),
        (
            with("exportTimestamp", "\"this is not a timestamp\""),
            "exportTimestamp",
        ),
        (with("action", "\"DELETE\""), "action must be one of"),
        ("7".to_owned(), "must be a JSON object"),
    ];
    for (message, part) in wrong {
        let reason = reason(&message);
        assert!(reason.contains(part), "{message}: {reason:?}");
    }
}

#[test]
fn the_valid_messages_of_a_batch_are_kept() {
    let sandbox = start();
    let good =
        |id: &str| format!(r#"{{"arcClass": "A", "contextId": "{id}", "message": {{"x": 1}}}}"#);
    let bad = r#"{"arcClass": "", "contextId": "bad", "message": {"x": 1}}"#;
    let answer = export(&sandbox, &[&good("a"), bad, &good("c")]);
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!((&body["total"], &body["failed"]), (&json!(3), &json!(1)));
    assert_eq!(body["failure_reasons"]["1"]["contextId"], "bad");
    let ids: Vec<String> = sandbox
        .messages()
        .into_iter()
        .map(|message| message.context_id)
        .collect();
    assert_eq!(ids, ["a", "c"]);
}

#[test]
fn a_message_is_kept_byte_for_byte() {
    let raw = r#"{"message":{"b":1.000000000000000000001,"a":12345678901234567890123, "e":1e400,"s":"\u00e9\ud800"},  "arcClass":"A"}"#;
    let sandbox = start();
    assert_eq!(export(&sandbox, &[raw]).status, 200);
    assert_eq!(sandbox.messages()[0].raw, raw);
    assert!(get(&sandbox, "/sandbox/messages").text().contains(raw));
}

#[test]
fn deeply_nested_messages_are_taken() {
    let depth = 20_000;
    let raw = format!(
        r#"{{"arcClass": "A", "message": {{"x": {}{}}}}}"#,
        "[".repeat(depth),
        "]".repeat(depth)
    );
    let sandbox = start();
    assert_eq!(export(&sandbox, &[&raw]).status, 200);
    assert_eq!(sandbox.messages()[0].raw, raw);
}

#[test]
fn overwrite_replaces_what_it_names() {
    let fields = sum(&[
        &message("OVERWRITE", r#"{"a": 1, "b": 2}"#),
        &message("OVERWRITE", r#"{"b": 3, "c": 4, "a": null}"#),
    ]);
    assert_eq!(fields, r#"{"b":3,"c":4}"#);
}

#[test]
fn add_collects_values() {
    let fields = sum(&[
        &message("ADD", r#"{"a": 1.0}"#),
        &message("ADD", r#"{"a": [2, 3], "b": "x"}"#),
    ]);
    assert_eq!(fields, r#"{"a":[1.0,2,3],"b":"x"}"#);
}

#[test]
fn new_forgets_what_was() {
    let fields = sum(&[
        &message("OVERWRITE", r#"{"a": 1}"#),
        &message("NEW", r#"{"b": 2}"#),
    ]);
    assert_eq!(fields, r#"{"b":2}"#);
}

#[test]
fn the_default_action_is_that_of_messages_without_one() {
    let sandbox = start();
    let body = json!({
        "userId": "sandbox",
        "defaultAction": "ADD",
        "messages": [{"arcClass": "A", "message": {"x": 1}}, {"arcClass": "A", "message": {"x": 1}, "action": "NEW"}],
    });
    assert_eq!(
        post(&sandbox, "/sendEvent", &token(&sandbox), &body.to_string()).status,
        200
    );
    let actions: Vec<String> = sandbox
        .messages()
        .into_iter()
        .map(|message| message.action)
        .collect();
    assert_eq!(actions, ["ADD", "NEW"]);
}

#[test]
fn the_latest_explicit_timestamp_of_a_context_counts() {
    let sandbox = start();
    let stamped = |stamp: &str| {
        format!(
            r#"{{"arcClass": "A", "contextId": "c", "message": {{"x": 1}}, "exportTimestamp": {stamp}}}"#
        )
    };
    export(
        &sandbox,
        &[
            &stamped("1672832745"),
            &stamped("1672832000000"),
            &stamped("null"),
        ],
    );
    let contexts = get(&sandbox, "/sandbox/contexts").json();
    assert_eq!(contexts[0]["timestamp"], 1_672_832_000.0);
}

#[test]
fn a_message_without_a_context_id_gets_one() {
    let sandbox = start();
    export(
        &sandbox,
        &[
            r#"{"arcClass": "A", "message": {"x": 1}}"#,
            r#"{"arcClass": "A", "message": {"x": 1}}"#,
        ],
    );
    let messages = sandbox.messages();
    assert_eq!(messages[0].context_id.len(), 36);
    assert_ne!(messages[0].context_id, messages[1].context_id);
}

#[test]
fn a_wrong_request_is_refused_whole() {
    let sandbox = start();
    let token = token(&sandbox);
    let top = |body: &str| -> (u16, String) {
        let answer = post(&sandbox, "/export", &token, body);
        (
            answer.status,
            answer.json()["topLevelError"].as_str().unwrap().to_owned(),
        )
    };
    assert!(top("{").1.contains("not JSON"));
    assert!(top("[]").1.contains("must be a JSON object"));
    assert!(top(r#"{"messages": []}"#).1.contains("userId"));
    assert!(
        top(r#"{"userId": "sandbox", "messages": {}}"#)
            .1
            .contains("messages")
    );
    assert!(
        top(r#"{"userId": "sandbox", "messages": [], "defaultAction": "X"}"#)
            .1
            .contains("defaultAction")
    );
    assert_eq!(top(r#"{"userId": "other", "messages": []}"#).0, 403);
}

#[test]
fn the_agent_may_send_many_batches_at_once() {
    let sandbox = start();
    let batch =
        |user: &str| json!({"userId": user, "messages": [{"arcClass": "A", "message": {"x": 1}}]});
    let body = Value::from(vec![batch("one"), batch("two")]).to_string();
    assert_eq!(post(&sandbox, "/monaExport", "", &body).status, 200);
    let users: Vec<String> = sandbox
        .messages()
        .into_iter()
        .map(|message| message.user_id)
        .collect();
    assert_eq!(users, ["one", "two"]);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let sandbox = Sandbox::start(Options {
        body_limit: 1000,
        ..Options::default()
    })
    .unwrap();
    let fill = format!(
        r#"{{"arcClass": "A", "message": {{"x": "{}"}}}}"#,
        "x".repeat(100_000)
    );
    let answer = export(&sandbox, &[&fill]);
    assert_eq!(answer.status, 413);
    assert!(
        answer.json()["topLevelError"]
            .as_str()
            .unwrap()
            .contains("1000 bytes")
    );
}
