//! What a scenario's outcome must have in common with the Python package's.
//!
//! Compared are the kind of each result (status against exception or result), counts, reasons, data and the server's
//! own words, and the requests. Texts of the package's own are not.

use crate::child::Reply;
use crate::json::Json;
use crate::run::Outcome;
use crate::scenario::{Call, Golden, Operation, Scenario};
use crate::wire;

/// All that differs: the place (`init`, `calls[0]`, `requests`) and what is wrong there.
pub fn compare(
    scenario: &Scenario,
    golden: &Golden,
    outcome: &Result<Outcome, String>,
) -> Vec<(String, String)> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(problem) => return vec![("process".to_owned(), problem.clone())],
    };
    let mut found = Vec::new();
    if let Err(said) = client_made(&golden.init, &outcome.init) {
        found.push(("init".to_owned(), said));
    }
    let expected = scenario.calls().count();
    assert_eq!(golden.calls.len(), expected, "{}", scenario.name);
    assert_eq!(outcome.calls.len(), expected, "{}", scenario.name);
    let calls = scenario.calls().zip(&golden.calls).zip(&outcome.calls);
    for (number, ((call, golden), ours)) in calls.enumerate() {
        if let Err(said) = compare_call(call, golden, ours) {
            let name = if call.op == Operation::Service {
                call.name.clone()
            } else {
                format!("{:?}", call.op)
            };
            found.push((format!("calls[{number}]"), format!("{name}: {said}")));
        }
    }
    if let Some(requests) = golden.requests() {
        let said = wire::compare(&requests, &outcome.requests);
        found.extend(said.into_iter().map(|said| ("requests".to_owned(), said)));
    }
    found
}

fn client_made(golden: &Json, ours: &Reply) -> Result<(), String> {
    let status = ours.status.unwrap_or_default();
    let same = match golden {
        Json::Null => true,
        Json::Bool(_) => status >= 0,
        raised => *raised == number(status),
    };
    same.then_some(()).ok_or_else(|| {
        let message = ours.document();
        let message = message.get("error_message");
        format!("status {status} ({message}), package {golden}")
    })
}

fn compare_call(call: &Call, golden: &Json, ours: &Reply) -> Result<(), String> {
    if golden.is_null() {
        return Ok(());
    }
    if let Some(active) = ours.active {
        return equal("is_active", &Json::Bool(active), golden);
    }
    let Some(status) = ours.status else {
        return Err("there is no client".to_owned());
    };
    if let Json::Number(_) = golden {
        return equal("status", &number(status), golden);
    }
    match call.op {
        Operation::Init => client_made(golden, ours),
        Operation::Export => equal("success", &Json::Bool(status == 0), golden),
        Operation::ExportBatch if golden.text() == Some("failed") => {
            equal("status", &number(status), &number(1))
        }
        Operation::ExportBatch => compare_batch(status, golden, &ours.document()),
        _ => compare_service(status, golden, &ours.document()),
    }
}

fn compare_batch(status: i32, golden: &Json, ours: &Json) -> Result<(), String> {
    for key in ["total", "sent", "failed"] {
        equal(key, ours.get(key), golden.get(key))?;
    }
    if has(golden, "reasons") {
        let reasons = ours.get("failure_reasons");
        equal("failure_reasons", reasons, golden.get("reasons"))?;
    }
    let complete = *golden.get("failed") == number(0);
    equal("status", &number(status), &number(i32::from(!complete)))
}

fn compare_service(status: i32, golden: &Json, ours: &Json) -> Result<(), String> {
    let success = Json::Bool(has(golden, "data"));
    equal("success", ours.get("success"), &success)?;
    equal("status is MONA_OK", &Json::Bool(status == 0), &success)?;
    if has(golden, "data") {
        return equal(
            "data",
            ours.get("data"),
            &wire::expanded(golden.get("data")),
        );
    }
    let (message, says) = (ours.get("error_message"), golden.get("says"));
    let repeated = match says.text() {
        Some(says) => message.text().is_some_and(|text| text.contains(says)),
        None => true,
    };
    repeated
        .then_some(())
        .ok_or_else(|| format!("error_message {message} lacks the server's {says}"))
}

fn equal(what: &str, ours: &Json, golden: &Json) -> Result<(), String> {
    match ours.difference(golden) {
        Some(said) => Err(format!("{what}{said}")),
        None => Ok(()),
    }
}

fn has(object: &Json, name: &str) -> bool {
    matches!(object, Json::Object(members) if members.iter().any(|(key, _)| key == name))
}

fn number(value: i32) -> Json {
    Json::Number(value.to_string())
}
