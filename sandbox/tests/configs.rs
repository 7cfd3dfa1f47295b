//! The app server: configurations.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use common::{post, refusal, service, start, token, with_data};
use mona_sandbox::Sandbox;
use serde_json::{Value, json};

fn upload(sandbox: &Sandbox, config: &Value) -> Value {
    service(
        sandbox,
        "/upload_config",
        &json!({"config": config, "author": "me", "commit_message": "why", "user_id": "sandbox"}),
    )
}

fn fields(fields: &Value) -> Value {
    json!({"A": {"fields": fields}})
}

#[test]
fn an_uploaded_config_is_the_current_one() {
    let sandbox = start();
    let config = fields(&json!({"x": {"type": "numeric"}}));
    assert_eq!(
        service(&sandbox, "/configs", &json!({})),
        json!({"raw_configuration_data": {}})
    );
    let first = upload(&sandbox, &json!({"sandbox": config}));
    assert_eq!(first["new_config"], config);
    assert_eq!(first.get("verses_diff"), None);
    assert_eq!(
        service(&sandbox, "/configs", &json!({}))["raw_configuration_data"],
        config
    );
}

#[test]
fn an_upload_tells_what_it_changed() {
    let sandbox = start();
    upload(
        &sandbox,
        &fields(&json!({"x": {"type": "numeric"}, "y": {"type": "string"}})),
    );
    let second = upload(
        &sandbox,
        &fields(&json!({"x": {"type": "string"}, "z": {"type": "string"}})),
    );
    let changes: Vec<(&str, &str)> = second["verses_diff"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["path"].as_str().unwrap(),
                change["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            ("A/fields/x/type", "changed"),
            ("A/fields/y", "removed"),
            ("A/fields/z", "added")
        ]
    );
}

#[test]
fn a_class_is_uploaded_beside_the_others() {
    let sandbox = start();
    upload(&sandbox, &fields(&json!({})));
    let arguments = json!({"contextClass": "B", "config": {"fields": {}}, "author": "me", "commitMessage": "why"});
    let answer = service(&sandbox, "/upload_config_for_context_class", &arguments);
    assert_eq!(
        answer["new_config"],
        json!({"A": {"fields": {}}, "B": {"fields": {}}})
    );
}

#[test]
fn history_is_newest_first_and_as_long_as_asked_for() {
    let sandbox = start();
    let ids: Vec<Value> = (0..3)
        .map(|_| upload(&sandbox, &fields(&json!({})))["new_config_id"].clone())
        .collect();
    let history =
        |arguments: &str| post(&sandbox, "/get_config_history", &token(&sandbox), arguments).json();
    let all = history("{}");
    assert!(all["msg"].is_string());
    assert_eq!(all["configs"].as_array().unwrap().len(), 3);
    let some = history(r#"{"number_of_revisions": 2}"#);
    let found: Vec<&Value> = some["configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|config| &config["id"])
        .collect();
    assert_eq!(found, [&ids[2], &ids[1]]);
    assert_eq!(some["configs"][0]["author"], "me");
}

#[test]
fn a_wrong_config_is_not_uploaded() {
    let sandbox = start();
    let wrong = json!({"config": fields(&json!({"x": {"type": "number"}})), "author": "me", "commit_message": "why"});
    assert!(refusal(&sandbox, "/upload_config", &wrong).contains("fields.x.type"));
    assert_eq!(
        service(&sandbox, "/configs", &json!({})),
        json!({"raw_configuration_data": {}})
    );
}

#[test]
fn validation_lists_issues_by_class() {
    let config = json!({
        "A": {"fields": {"123": {"type": "numeric"}, "x": {}}},
        "B": {"stanzas": {"s": {"verses": [{"type": "t", "cadence": "7d"}]}}},
        "C": {"fields": {}},
    });
    let issues =
        service(&start(), "/validate_config", &json!({"config": config}))["issues"].clone();
    assert_eq!(issues["A"].as_array().unwrap().len(), 2);
    assert!(
        issues["B"][0]
            .as_str()
            .unwrap()
            .contains("stanzas.s.verses[0].cadence")
    );
    assert_eq!(issues.get("C"), None);
}

#[test]
fn validation_builds_the_fields_of_the_contexts_that_are_there() {
    let sandbox = with_data();
    let part = json!({"fields": {"money": {"type": "numeric", "source": "amount"}, "none": {"type": "string"}}});
    let arguments = json!({"config": {"A": part}, "list_of_context_ids": ["c3", "odd"]});
    let built =
        service(&sandbox, "/validate_config", &arguments)["field_building_results"]["A"].clone();
    let odd = json!({"context": "odd", "user_id": "sandbox", "money": 500, "none": null});
    assert_eq!(
        (&built[0], &built[1]["context"], built.get(2)),
        (&odd, &json!("c3"), None)
    );

    let arguments =
        json!({"config": part, "context_class": "A", "latest_amount": 1, "user_id": "sandbox"});
    let built = service(&sandbox, "/validate_config_per_context_class", &arguments);
    assert_eq!(built["field_building_results"], json!({"A": [odd]}));
}

#[test]
fn fields_that_arrived_are_suggested() {
    let sandbox = with_data();
    upload(&sandbox, &fields(&json!({"amount": {"type": "string"}})));
    let suggested =
        service(&sandbox, "/get_new_config_fields", &json!({}))["suggested_config"]["A"]["fields"]
            .clone();
    let types = ["amount", "city", "flag"].map(|name| suggested[name]["type"].as_str().unwrap());
    assert_eq!(types, ["string", "string", "boolean"]);
}

#[test]
fn sample_events_give_a_config() {
    let events = json!({"events": [
        {"arcClass": "B", "message": {"x": 1, "y": 1, "none": null}},
        {"arcClass": "B", "message": {"x": 2.5, "y": "text"}},
    ]});
    let fields =
        service(&start(), "/suggest_new_config", &events)["suggested_config"]["B"]["fields"]
            .clone();
    assert_eq!(
        (&fields["x"]["type"], &fields["y"]["type"]),
        (&json!("numeric"), &json!("string"))
    );
    assert_eq!(fields.get("none"), None);
}

#[test]
fn an_openai_class_gets_a_config() {
    let sandbox = start();
    let arguments = json!({"context_class": "GPT", "openai_api_type": "ChatCompletion"});
    assert_eq!(
        service(&sandbox, "/create_openai_context_class", &arguments)["context_class"],
        "GPT"
    );
    assert!(
        service(&sandbox, "/configs", &json!({}))["raw_configuration_data"]["GPT"]["fields"]
            .is_object()
    );
}
