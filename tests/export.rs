//! Exports against a real server: what is sent, what is counted, and what failures mean.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use mona::client::Client;
use mona::status::Status;
use serde_json::{Value, json};
use support::*;

#[test]
fn failures_come_back_under_the_callers_indices() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    let messages = json!([
        {"message": {}, "contextClass": "C"},
        {"message": {"a": 1}, "contextClass": "C", "contextId": "good"},
        "no message",
        {"message": {"a": 1}, "contextClass": "C.", "contextId": "bad"},
        {"message": {"a": 2}, "contextClass": "C", "contextId": "good"},
    ]);
    let answer = client.export(&messages.to_string(), None);
    assert_eq!(answer.status, Status::Failed);
    let document = document(&answer);
    for (key, expected) in [
        ("total", 4),
        ("sent", 2),
        ("failed", 2),
        ("sampled_out", 0),
        ("empty", 1),
    ] {
        assert_eq!(document[key], expected, "{key} in {document}");
    }
    let reasons = document["failure_reasons"].as_object().unwrap();
    assert_eq!(reasons.keys().collect::<Vec<_>>(), ["2", "3"]);
    assert_eq!(reasons["3"]["contextId"], "bad");
    assert_eq!(document["error_message"], "2 of 4 messages failed");
    assert_eq!(sandbox.message_count(), 2);
}

#[test]
fn values_arrive_byte_for_byte() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    let fields = r#"{"a": 1.10,"b":123456789012345678901234567890,"c":1e400,"d":"\u00e9é\/"}"#;
    let message = format!(r#"{{"message":{fields},"contextClass":"C"}}"#);
    assert_eq!(client.export(&message, None).status, Status::Ok);
    assert!(sandbox.messages()[0].raw.contains(fields));
}

#[test]
fn nothing_is_sent_where_nothing_is_to_be_sent() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({"default_sampling_rate": 0})));
    let messages = json!([{"message": {"a": 1}, "contextClass": "C", "contextId": "x"}, {"message": null, "contextClass": "C"}]);
    for (text, sampled_out) in [("[]".to_owned(), 0), (messages.to_string(), 2)] {
        let answer = client.export(&text, None);
        assert_eq!(answer.status, Status::Ok);
        let document = document(&answer);
        assert_eq!(
            (&document["total"], &document["sampled_out"]),
            (&json!(0), &json!(sampled_out))
        );
        assert_eq!(document["failure_reasons"], json!({}));
    }
    assert_eq!(count(&sandbox, "/export"), 0);
}

#[test]
fn a_mistake_in_the_text_sends_nothing() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    let text =
        r#"[{"message":{"a":1},"contextClass":"C"},{"message":{"a":NaN},"contextClass":"C"}]"#;
    let answer = client.export(text, None);
    assert_eq!(answer.status, Status::InvalidArgument);
    assert_eq!(
        document(&answer)["error_message"],
        "messages_json: not valid JSON: a JSON value was expected at byte 56"
    );
    assert_eq!(count(&sandbox, "/export"), 0);
}

#[test]
fn the_options_of_a_call_win_over_the_clients() {
    let sandbox = canned(json!([]));
    let client = client(&config(
        &sandbox,
        json!({"filter_none_fields_on_export": true}),
    ));
    let message = r#"{"message":{"a":null,"b":1},"contextClass":"C"}"#;
    client.export(
        message,
        Some(r#"{"filter_none_fields":false,"default_action":"ADD"}"#),
    );
    client.export(message, None);
    let requests = sandbox.requests();
    assert_eq!(
        body(&requests[1])["messages"][0]["message"],
        json!({"a": null, "b": 1})
    );
    assert_eq!(body(&requests[1])["defaultAction"], "ADD");
    assert_eq!(
        body(&requests[2])["messages"][0]["message"],
        json!({"b": 1})
    );
    assert_eq!(body(&requests[2]).get("defaultAction"), None);
}

#[test]
fn the_newer_names_are_used_where_they_are_wanted() {
    let changes = json!({"use_send_event_endpoint": true, "use_send_timestamp_field": true});
    let sandbox = canned(json!([]));
    let config = config(&sandbox, changes);
    let message = r#"{"message":{"b":1},"contextClass":"C","exportTimestamp":5}"#;
    client(&config).export(message, None);
    let mut open = config.clone();
    open["auth_mode"] = json!("NO_AUTH");
    open["user_id"] = json!("u");
    client(&open).export(message, None);
    assert_eq!(paths(&sandbox)[1..], ["/sendEvent", "/monaSendEvent"]);
    let sent = body(&sandbox.requests()[1]);
    assert_eq!(sent["messages"][0]["sendTimestamp"], 5);
    assert_eq!(sent["messages"][0].get("exportTimestamp"), None);
}

#[test]
fn each_kind_of_failure_has_its_word() {
    for (rule, kind, retriable) in [
        (
            json!({"path": "/export", "drop": "before_response"}),
            "connection",
            true,
        ),
        (
            json!({"path": "/export", "drop": "reset"}),
            "connection",
            true,
        ),
        (
            json!({"path": "/export", "drop": "mid_headers"}),
            "connection",
            true,
        ),
        (
            json!({"path": "/export", "drop": "mid_body", "body": "{\"failed\":0}"}),
            "connection",
            true,
        ),
        (
            json!({"path": "/export", "status": 302, "headers": {"Location": "/elsewhere"}}),
            "redirect",
            false,
        ),
        (json!({"path": "/export", "status": 503}), "refused", true),
        (
            json!({"path": "/export", "status": 400, "json": {"topLevelError": "bad"}}),
            "refused",
            false,
        ),
        (
            json!({"path": "/export", "body_bytes": 70_000_000}),
            "response_too_large",
            false,
        ),
        (
            json!({"path": "/export", "body": "{}", "slow_ms_per_byte": 60_000}),
            "timeout",
            true,
        ),
    ] {
        let sandbox = canned(rule.clone());
        let config = config(
            &sandbox,
            json!({"raise_export_exceptions": true, "request_timeout_ms": 60_000}),
        );
        let options = (kind == "timeout").then_some(r#"{"timeout_ms":200}"#);
        let answer = client(&config).export(MESSAGE, options);
        assert_eq!(answer.status, Status::Export, "{rule}: {}", answer.document);
        let document = document(&answer);
        assert_eq!(
            (&document["error_kind"], &document["retriable"]),
            (&json!(kind), &json!(retriable)),
            "{rule}: {document}"
        );
        assert_eq!(
            (&document["failed"], &document["sent"]),
            (&json!(1), &json!(0)),
            "{rule}"
        );
        assert_eq!(count(&sandbox, "/export"), 1, "{rule}");
    }
}

#[test]
fn a_success_that_tells_of_failures_is_one_of_them() {
    let sandbox =
        canned(json!({"path": "/export", "json": {"failed": 1, "failure_reasons": {"0": "no"}}}));
    let answer = client(&config(&sandbox, json!({}))).export(MESSAGE, None);
    assert_eq!(answer.status, Status::Failed);
    assert_eq!(document(&answer)["failure_reasons"], json!({"0": "no"}));
}

#[test]
fn sampling_factors_are_fetched_at_start_and_kept_when_they_cannot_be_fetched_again() {
    let factors = json!({"response_data": [{"config_name": "S", "factors_map": {"OUT": 0}, "default_factor": 1}]});
    let sandbox = canned(json!([
        {"path": "/get_sampling_factors", "times": 1, "json": factors},
        {"path": "/get_sampling_factors", "status": 500, "json": {}},
    ]));
    let changes = json!({"sampling_config_name": "S", "sampling_factors_max_age_seconds": 0});
    let client = client(&config(&sandbox, changes));
    assert_eq!(body(&sandbox.requests()[1]), json!({"config_name": "S"}));
    let messages = json!([{"message": {"a": 1}, "contextClass": "OUT", "contextId": "x"}, {"message": {"a": 1}, "contextClass": "IN"}]);
    for _ in 0..2 {
        let document = document(&client.export(&messages.to_string(), None));
        assert_eq!(
            (&document["sent"], &document["sampled_out"]),
            (&json!(1), &json!(1)),
            "{document}"
        );
    }
    assert_eq!(count(&sandbox, "/get_sampling_factors"), 3);
    assert_eq!(body(&sandbox.requests()[3])["sampleConfigName"], "S");
}

#[test]
fn sampling_factors_that_hang_leave_a_call_time_for_its_messages() {
    let factors = json!({"response_data": [{"config_name": "S", "factors_map": {}}]});
    let sandbox = canned(json!([
        {"path": "/get_sampling_factors", "times": 1, "json": factors},
        {"path": "/get_sampling_factors", "delay_ms": 3_600_000},
    ]));
    let changes = json!({"sampling_config_name": "S", "sampling_factors_max_age_seconds": 0});
    let client = client(&config(&sandbox, changes));
    let answer = client.export(MESSAGE, Some(r#"{"timeout_ms": 2000}"#));
    sandbox.clear_rules();
    assert_eq!(answer.status, Status::Ok, "{}", answer.document);
}

#[test]
fn an_unknown_sampling_config_makes_no_client() {
    let sandbox = canned(json!({"path": "/get_sampling_factors", "json": {"response_data": []}}));
    let config = config(&sandbox, json!({"sampling_config_name": "missing"}));
    let (client, answer) = mona::client::Client::new(Some(&config.to_string()));
    assert!(client.is_none());
    assert_eq!(answer.status, Status::Initialization);
    assert!(
        document(&answer)["error_message"]
            .to_string()
            .contains("missing")
    );
}

#[test]
fn sampling_factors_that_cannot_be_fetched_make_no_client_where_service_failures_raise() {
    let sandbox = canned(
        json!({"path": "/get_sampling_factors", "status": 400, "json": {"response_data": "no"}}),
    );
    for raise in [false, true] {
        let changes = json!({"sampling_config_name": "S", "raise_service_exceptions": raise});
        let config = config(&sandbox, changes).to_string();
        let (client, answer) = mona::client::Client::new(Some(&config));
        let expected = if raise { Status::Service } else { Status::Ok };
        assert_eq!((client.is_none(), answer.status), (raise, expected));
    }
}

/// What the log said, as events.
fn logged(client: &Client) -> Vec<String> {
    let mut records = Vec::new();
    while let (_, event) = client.poll(0)
        && event.status == Status::Ok
    {
        records.push(document(&event)["message"].as_str().unwrap().to_owned());
    }
    records
}

#[test]
fn messages_that_failed_are_logged_and_no_others() {
    let named = json!({"failed": 1, "failure_reasons": {"1": "bad"}});
    let sandbox = canned(json!([
        {"path": "/export", "times": 1, "status": 400, "json": named},
        {"path": "/export", "times": 1, "status": 400, "json": {"failed": 2, "failure_reasons": {}}},
        {"path": "/export", "status": 500, "json": {}},
    ]));
    let changes = json!({"should_log_failed_messages": true, "log_events": "error"});
    let client = client(&config(&sandbox, changes));
    // The third is empty, so that it is not sent.
    let message = |fields: &str| format!(r#"{{"message":{fields},"contextClass":"C"}}"#);
    let [one, two] = [r#"{"a":1}"#, r#"{"a":2}"#].map(message);
    let messages = format!("[{one},{two},{}]", message("{}"));
    let both = [
        format!("Failed message 0: {one}"),
        format!("Failed message 1: {two}"),
    ];
    for expected in [&both[1..], &both, &both] {
        client.export(&messages, None);
        let mut records = logged(&client);
        records.retain(|record| record.starts_with("Failed message"));
        assert_eq!(records, expected);
    }
}

#[test]
fn the_older_name_of_the_timestamp_is_warned_of_once_a_call_where_that_is_wanted() {
    let older = r#"{"message":{"a":1},"contextClass":"C","exportTimestamp":1}"#;
    let newer = older.replace("exportTimestamp", "sendTimestamp");
    let sandbox = canned(json!([]));
    for (wanted, message, warnings) in [
        (true, older, 2),
        (true, newer.as_str(), 0),
        (false, older, 0),
    ] {
        let changes = json!({"enable_deprecation_warnings_on_export_timestamp": wanted, "log_events": "warning"});
        let client = client(&config(&sandbox, changes));
        let messages = format!("[{message},{message}]");
        client.export(&messages, None);
        client.enqueue(&messages, None, true);
        let mut records = logged(&client);
        records.retain(|record| record.contains("deprecated"));
        assert_eq!(records.len(), warnings, "{records:?}");
    }
}

#[test]
fn a_closed_client_refuses_calls() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    assert_eq!(client.close(-1).status, Status::Ok);
    assert!(!client.is_active());
    assert_eq!(client.export(MESSAGE, None).status, Status::Closed);
    let answer = client.service_call("get_config", "{}", None);
    assert_eq!(answer.status, Status::Closed);
    assert_eq!(document(&answer)["error_kind"], "closed");
}

#[test]
fn closing_waits_no_longer_than_it_is_told() {
    let sandbox =
        canned(json!({"path": "/export", "times": 1, "body": "{}", "slow_ms_per_byte": 3_600_000}));
    let client = client(&config(&sandbox, json!({"request_timeout_ms": 3_600_000})));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| client.export(MESSAGE, None));
        assert!(sandbox.wait_for_requests(2, PATIENCE));
        assert_eq!(client.close(0).status, Status::Timeout);
        assert_eq!(client.close(1).status, Status::Timeout);
        sandbox.set_up(false);
        assert_eq!(document(&call.join().unwrap())["error_kind"], "connection");
        assert_eq!(client.close(0).status, Status::Ok);
    });
}

#[test]
fn a_large_batch_arrives_whole_and_in_order() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    let messages: Vec<Value> = (0..5000)
        .map(|n| json!({"message": {"n": n}, "contextClass": "C", "contextId": format!("id{n}")}))
        .collect();
    let answer = client.export(&json!(messages).to_string(), None);
    assert_eq!(document(&answer)["sent"], 5000);
    let arrived: Vec<_> = sandbox
        .messages()
        .into_iter()
        .map(|m| m.context_id)
        .collect();
    assert!(
        arrived
            .iter()
            .enumerate()
            .all(|(n, id)| *id == format!("id{n}"))
    );
}
