//! Every service against a sandbox that thinks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use mona::client::Client;
use mona::services::SERVICES;
use mona::status::Status;
use serde_json::{Value, json};
use support::*;

const TIME: u64 = 1_700_000_000;

/// A sandbox with ten loans and a configuration, and a client of it.
fn with_loans() -> (mona_sandbox::Sandbox, Client) {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    let loans: Vec<_> = (0..10)
        .map(|n| {
            json!({
            "contextClass": "LOAN", "contextId": format!("loan-{n}"), "exportTimestamp": TIME + n,
            "message": {"risk": n as f64 / 10.0, "city": if n % 2 == 0 { "even" } else { "odd" }}})
        })
        .collect();
    assert_eq!(
        client.export(&json!(loans).to_string(), None).status,
        Status::Ok
    );
    let config = json!({"LOAN": class_config()});
    data(
        &client,
        "upload_config",
        json!({"config": config, "commit_message": "first"}),
    );
    (sandbox, client)
}

fn class_config() -> Value {
    json!({"fields": {
        "risk": {"type": "numeric", "function": "identity", "args": [], "source": "risk"},
        "city": {"type": "string", "function": "identity", "args": [], "source": "city"}}})
}

/// The data of a call that must succeed.
fn data(client: &Client, service: &str, arguments: Value) -> Value {
    let answer = client.service_call(service, &arguments.to_string(), None);
    assert_eq!(answer.status, Status::Ok, "{service}: {}", answer.document);
    document(&answer)["data"].take()
}

/// Arguments with which each service has something to say of the loans.
fn arguments(service: &str) -> Value {
    let range = json!([TIME, TIME + 100]);
    match service {
        "upload_config" => {
            json!({"config": {"LOAN": class_config()}, "commit_message": "m", "author": "a@b.c"})
        }
        "upload_config_per_context_class" => {
            json!({"config": class_config(), "commit_message": "m", "author": "a@b.c", "context_class": "LOAN"})
        }
        "validate_config" => json!({"config": {"LOAN": class_config()}, "latest_amount": 3}),
        "validate_config_per_context_class" => {
            json!({"config": class_config(), "context_class": "LOAN", "list_of_context_ids": ["loan-1"]})
        }
        "get_suggested_config_from_user_input" => {
            json!({"events": [{"a": 1, "b": "x", "c": true}]})
        }
        "get_config_history" => json!({"number_of_revisions": 1}),
        "get_insights" => json!({"context_class": "LOAN", "min_segment_size": 1}),
        "get_ingested_data_for_a_specific_segment" => {
            json!({"context_class": "LOAN", "start_time": TIME, "end_time": TIME + 100, "segment": {"city": [{"value": "odd"}]}})
        }
        "get_aggregated_data_of_a_specific_segment" => {
            json!({"context_class": "LOAN", "timestamp_from": TIME, "timestamp_to": TIME + 100, "metrics": [{"field": "risk", "types": ["average"]}]})
        }
        "get_aggregated_stats_of_a_specific_segmentation" => {
            json!({"context_class": "LOAN", "dimension": "city", "target_time_range": range, "compared_time_range": range,
            "metric_1_field": "risk", "metric_2_field": "risk", "metric_1_type": "average", "metric_2_type": "sum", "min_segment_size": 1, "sort_function": "size"})
        }
        "create_openai_context_class" => {
            json!({"context_class": "CHAT", "openai_api_type": "ChatCompletion"})
        }
        "create_sampling_factor" => json!({"config_name": "S", "sampling_factor": 0.5}),
        "initiate_csv_upload_request" => json!({"file_path": "loans.csv", "context_class": "LOAN"}),
        _ => json!({}),
    }
}

#[test]
fn every_service_of_the_table_works() {
    let (_sandbox, client) = with_loans();
    for service in SERVICES {
        data(&client, service.name, arguments(service.name));
    }
}

#[test]
fn data_is_what_the_service_keeps() {
    let (_sandbox, client) = with_loans();
    let get = |service: &str| data(&client, service, arguments(service));
    assert_eq!(get("get_config")["sandbox"]["LOAN"], class_config());
    let history = get("get_config_history");
    assert_eq!(history["configs"].as_array().unwrap().len(), 1, "{history}");
    assert!(history["msg"].is_string());
    let records = get("get_ingested_data_for_a_specific_segment");
    assert_eq!(records.as_array().unwrap().len(), 5);
    let aggregated = get("get_aggregated_data_of_a_specific_segment");
    assert_eq!(
        aggregated["aggregated_data"]["{}"]["size"], 10,
        "{aggregated}"
    );
    assert_eq!(get("create_sampling_factor"), true);
    assert_eq!(get("get_sampling_factors")[0]["config_name"], "S");
    let suggested = get("get_suggested_config_from_user_input");
    assert!(suggested.to_string().contains("\"numeric\""), "{suggested}");
}

#[test]
fn an_invalid_config_is_a_failure_with_its_issues() {
    let (_sandbox, client) = with_loans();
    let wrong = json!({"fields": {"risk": {"type": "no such type"}}});
    for (service, arguments) in [
        ("validate_config", json!({"config": {"LOAN": wrong}})),
        (
            "validate_config_per_context_class",
            json!({"config": wrong, "context_class": "LOAN"}),
        ),
    ] {
        let answer = client.service_call(service, &arguments.to_string(), None);
        assert_eq!(answer.status, Status::Failed, "{service}");
        let document = document(&answer);
        assert!(
            document["issues"].to_string().contains("type"),
            "{document}"
        );
        assert_eq!(
            (&document["data"], &document["error_kind"]),
            (&Value::Null, &json!("refused"))
        );
    }
}

#[test]
fn a_refusal_is_raised_where_the_client_is_told_to() {
    for (raise, status) in [(false, Status::Failed), (true, Status::Service)] {
        let sandbox = canned(
            json!({"path": "/insights", "status": 500, "json": {"response_data": "Trouble"}}),
        );
        let client = client(&config(
            &sandbox,
            json!({"raise_service_exceptions": raise}),
        ));
        let answer =
            client.service_call("get_insights", &arguments("get_insights").to_string(), None);
        assert_eq!(answer.status, status);
        let document = document(&answer);
        assert_eq!(
            (&document["error_message"], &document["retriable"]),
            (&json!("Trouble"), &json!(true))
        );
    }
}

#[test]
fn bad_arguments_send_nothing() {
    let sandbox = canned(json!([]));
    let client = client(&config(&sandbox, json!({"raise_service_exceptions": true})));
    for (service, arguments) in [
        ("get_insight", "{}"),
        ("get_insights", "{}"),
        ("get_config", "{\"x\":1}"),
        ("get_config", "[]"),
        ("get_config", "{"),
    ] {
        let answer = client.service_call(service, arguments, None);
        assert_eq!(
            answer.status,
            Status::InvalidArgument,
            "{service} {arguments}"
        );
    }
    let answer = client.service_call("get_config", "{}", Some("{\"timeout\":1}"));
    assert_eq!(answer.status, Status::InvalidArgument);
    assert_eq!(paths(&sandbox), [LOGIN]);
}

#[test]
fn a_server_without_the_newer_path_is_asked_by_the_older_for_good() {
    let service = "get_aggregated_stats_of_a_specific_segmentation";
    let (new, old) = ("/get_segments_for_dimensions", "/stats");
    let sandbox = canned(json!({"path": new, "status": 404, "json": {}}));
    let config = config(&sandbox, json!({}));
    let first = client(&config);
    data(&first, service, arguments(service));
    data(&first, service, arguments(service));
    data(&client(&config), service, arguments(service));
    assert_eq!(paths(&sandbox)[1..], [new, old, old, new, old]);
}

#[test]
fn issues_with_a_file_are_kept() {
    let answer_of = |rule: Value| {
        let sandbox = canned(rule);
        let client = client(&config(&sandbox, json!({})));
        let service = "initiate_csv_upload_request";
        client.service_call(service, &arguments(service).to_string(), None)
    };
    let path = "/initiate_csv_upload_request";
    let answer = answer_of(
        json!({"path": path, "status": 400, "json": {"error_message": "Invalid", "issues": ["row 3"]}}),
    );
    let refused = document(&answer);
    assert_eq!(refused["issues"], json!(["row 3"]));
    assert!(
        refused["error_message"].to_string().contains("Invalid"),
        "{refused}"
    );
    let answer = answer_of(json!({"path": path, "status": 500, "json": {}}));
    assert_eq!(
        (answer.status, &document(&answer)["success"]),
        (Status::Failed, &json!(false))
    );
    let answer = answer_of(json!({"path": path, "json": {"upload_id": 7}}));
    assert_eq!(document(&answer)["data"], json!({"upload_id": 7}));
}
