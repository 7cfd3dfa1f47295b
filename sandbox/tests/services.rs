//! The app server: looking at the data, sampling, and the rest.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use common::{DAY, START, post, refusal, service, start, token, with_data};
use serde_json::{Value, json};

#[test]
fn ingested_data_is_that_of_the_segment_and_the_time() {
    let sandbox = with_data();
    let arguments = json!({
        "contextClass": "A", "startTime": START.to_string(), "endTime": START + 7 * DAY,
        "segment": {"city": [{"value": "south"}]}, "excludedSegments": [{"amount": [{"min_value": 30}]}],
    });
    let data = service(&sandbox, "/get_ingested_data", &arguments);
    let ids: Vec<&Value> = data["crcs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|crc| &crc["context"])
        .collect();
    assert_eq!(ids, ["c5", "c6", "c7"]);
    assert_eq!(data["crcs"][0]["amount"], 20);
}

#[test]
fn ingested_data_can_be_thinned_out() {
    let sandbox = with_data();
    let arguments = json!({"context_class": "A", "start_time": 0, "end_time": 9_999_999_999_i64, "segment": {}, "sampling_threshold": 4});
    let data = service(&sandbox, "/get_ingested_data", &arguments);
    assert_eq!(
        (data["crcs"].as_array().unwrap().len(), &data["total"]),
        (4, &json!(11))
    );
}

#[test]
fn a_missing_field_makes_a_segment() {
    let arguments = json!({
        "context_class": "A", "start_time": 0, "end_time": 9_999_999_999_i64,
        "segment": {"flag": [{"value": "SpecialValueSemantics.MISSING"}]},
    });
    assert_eq!(
        service(&with_data(), "/get_ingested_data", &arguments)["total"],
        10
    );
}

#[test]
fn segments_are_measured_beside_the_baseline() {
    let arguments = json!({
        "context_class": "A", "timestamp_from": START, "timestamp_to": START + 10 * DAY,
        "metrics": [{"field": "amount", "types": ["average", "sum", "existence ratio"]}],
        "requested_segments": [{"city": [{"value": "north"}]}],
    });
    let data = service(&with_data(), "/get_segment", &arguments);
    let north = &data[r#"{"city": [{"value": "north"}]}"#];
    assert_eq!(
        north["metrics"]["amount"],
        json!({"average": 10.0, "sum": 50.0, "existence_ratio": 1.0})
    );
    assert_eq!(
        (
            &data["{}"]["size"],
            &data["{}"]["metrics"]["amount"]["average"]
        ),
        (&json!(10), &json!(15.0))
    );
}

#[test]
fn segments_have_histograms_and_time_series_when_asked_for() {
    let arguments = json!({
        "context_class": "A", "timestamp_from": START, "timestamp_to": START + 10 * DAY, "right_inclusive": true,
        "metrics": [{"field": "amount", "types": ["sum"]}],
        "with_histogram": true, "time_series_resolutions": ["1d"],
    });
    let all = service(&with_data(), "/get_segment", &arguments)["{}"].clone();
    let bins = all["histogram"]["amount"].as_array().unwrap().clone();
    assert_eq!(
        (bins.len(), &bins[0]["count"], &bins[9]["count"]),
        (10, &json!(10), &json!(1))
    );
    let days = all["time_series"]["1d"].as_array().unwrap().clone();
    assert_eq!(
        (days.len(), &days[10]["metrics"]["amount"]["sum"]),
        (11, &json!(500.0))
    );
}

#[test]
fn stats_compare_two_times_by_the_values_of_a_dimension() {
    let arguments = json!({
        "context_class": "A", "dimension": "city", "min_segment_size": 2, "sort_function": "size",
        "target_time_range": [START, START + 11 * DAY], "compared_time_range": [START, START + 6 * DAY],
        "metric_1_field": "amount", "metric_1_type": "average", "metric_2_field": "amount", "metric_2_type": "sum",
    });
    let sandbox = with_data();
    let stats = service(&sandbox, "/get_segments_for_dimensions", &arguments);
    assert_eq!(stats, service(&sandbox, "/stats", &arguments));
    let segments = stats["segments"].as_array().unwrap().clone();
    assert_eq!(segments.len(), 2, "east is smaller than asked for");
    let south = segments
        .iter()
        .find(|segment| segment["segment"]["city"][0]["value"] == "south")
        .unwrap();
    assert_eq!(
        south["target"],
        json!({"size": 5, "metric_1": 20.0, "metric_2": 100.0})
    );
    assert_eq!(
        south["compared"],
        json!({"size": 1, "metric_1": 20.0, "metric_2": 20.0})
    );
    assert_eq!(stats["baseline"]["target"]["size"], 11);
}

#[test]
fn insights_are_segments_far_from_the_mean() {
    let sandbox = with_data();
    let find = |extra: &[(&str, Value)]| {
        let mut arguments = json!({"context_class": "A", "min_segment_size": 1});
        for (name, value) in extra {
            arguments[*name] = value.clone();
        }
        service(&sandbox, "/insights", &arguments)
            .as_array()
            .unwrap()
            .clone()
    };
    let all = find(&[]);
    let segments: Vec<&Value> = all
        .iter()
        .map(|insight| &insight["main_signal"]["segment"])
        .collect();
    assert_eq!(
        segments,
        [
            &json!({"city": [{"value": "east"}]}),
            &json!({"flag": [{"value": "true"}]})
        ]
    );
    assert_eq!(
        (
            &all[0]["main_signal"]["value"],
            &all[0]["main_signal"]["segment_size"]
        ),
        (&json!(500.0), &json!(1))
    );
    assert!(find(&[("min_segment_size", json!(2))]).is_empty());
    assert!(find(&[("min_insight_score", json!(0.99))]).is_empty());
    assert!(find(&[("metric_name", json!("other"))]).is_empty());
    assert!(find(&[("insight_types", json!(["Other"]))]).is_empty());
    assert!(find(&[("time_range_seconds", json!(60))]).is_empty());
}

#[test]
fn sampling_factors_are_kept() {
    let sandbox = start();
    let create = |arguments: Value| service(&sandbox, "/create_sampling_factor", &arguments);
    assert_eq!(
        create(json!({"config_name": "T", "sampling_factor": 0.5, "context_class": "A"})),
        true
    );
    create(json!({"config_name": "T", "sampling_factor": 0.1, "context_class": null}));
    create(json!({"config_name": "U", "sampling_factor": 1}));
    let list = |name: Value| {
        service(
            &sandbox,
            "/get_sampling_factors",
            &json!({ "config_name": name }),
        )
    };
    assert_eq!(
        list(json!("T")),
        json!([{"config_name": "T", "factors_map": {"A": 0.5}, "default_factor": 0.1}])
    );
    assert_eq!(list(Value::Null).as_array().unwrap().len(), 2);
    assert_eq!(list(json!("unknown")), json!([]));
}

#[test]
fn a_csv_upload_is_answered_without_an_envelope() {
    let sandbox = start();
    let ask = |body: &str| {
        post(
            &sandbox,
            "/initiate_csv_upload_request",
            &token(&sandbox),
            body,
        )
    };
    assert_eq!(
        ask(r#"{"file_path": "a.csv", "context_class": "A"}"#).json()["upload_id"],
        "csv-1"
    );
    let wrong = ask(r#"{"file_path": "a.csv"}"#);
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.json()["error_message"]
            .as_str()
            .unwrap()
            .contains("context_class")
    );
}

#[test]
fn a_wrong_argument_is_named() {
    let sandbox = with_data();
    let wrong = [
        (
            "/upload_config",
            json!({"config": {"A": {}}, "author": 7, "commit_message": "x"}),
            "author",
        ),
        (
            "/upload_config",
            json!({"config": [], "author": "a", "commit_message": "x"}),
            "config",
        ),
        ("/validate_config", json!({}), "config"),
        ("/insights", json!({"min_segment_size": 1}), "context_class"),
        (
            "/insights",
            json!({"context_class": "A", "min_segment_size": "many"}),
            "min_segment_size",
        ),
        (
            "/get_ingested_data",
            json!({"context_class": "A", "start_time": "soon"}),
            "start_time",
        ),
        (
            "/get_segment",
            json!({"context_class": "A", "timestamp_from": 1, "timestamp_to": 2, "metrics": [{"field": "x", "types": ["mode"]}]}),
            "metrics.types",
        ),
        (
            "/get_segment",
            json!({"context_class": "A", "timestamp_from": 1, "timestamp_to": 2, "requested_segments": [7]}),
            "requested_segments",
        ),
        (
            "/stats",
            json!({"context_class": "A", "dimension": "city"}),
            "metric_1",
        ),
        (
            "/create_sampling_factor",
            json!({"config_name": "T", "sampling_factor": 2}),
            "sampling_factor",
        ),
        (
            "/create_openai_context_class",
            json!({"context_class": "A", "openai_api_type": "X"}),
            "openai_api_type",
        ),
    ];
    for (path, arguments, name) in wrong {
        let reason = refusal(&sandbox, path, &arguments);
        assert!(reason.contains(name), "{path}: {reason}");
    }
}

#[test]
fn a_tenant_sees_its_own_data_only() {
    let sandbox = with_data();
    sandbox
        .add_rules(r#"{"defaults": {"tenantId": "other"}}"#)
        .unwrap();
    let arguments = json!({"context_class": "A", "start_time": 0, "end_time": 9_999_999_999_i64, "segment": {}});
    assert_eq!(
        service(&sandbox, "/get_ingested_data", &arguments)["total"],
        0
    );
}
