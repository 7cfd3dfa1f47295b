//! Requests as they arrived, against those that the Python package sent.

use crate::expand::expand;
use crate::json::Json;
use crate::scenario::Expected;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use mona_sandbox::RecordedRequest;

/// Keys that may hold a value of ours where the package sent null.
const OURS_TO_FILL: [&str; 3] = ["contextId", "exportTimestamp", "sendTimestamp"];

/// All that differs.
pub fn compare(golden: &[&Expected], ours: &[RecordedRequest]) -> Vec<String> {
    let golden_paths: Vec<&str> = golden.iter().map(|request| request.path.as_str()).collect();
    let our_paths: Vec<&str> = ours.iter().map(|request| request.path.as_str()).collect();
    if golden_paths != our_paths {
        return vec![format!("{our_paths:?}, package {golden_paths:?}")];
    }
    let pairs = golden.iter().zip(ours).enumerate();
    pairs
        .flat_map(|(number, (golden, ours))| {
            let said = compare_one(golden, ours);
            said.into_iter()
                .map(move |said| format!("[{number}] {said}"))
        })
        .collect()
}

fn compare_one(golden: &Expected, ours: &RecordedRequest) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, ours: &str, golden: &str| {
        if ours != golden {
            found.push(format!("{what} {ours:?}, package {golden:?}"));
        }
    };
    check("method", &ours.method, &golden.method);
    let content_type = header(ours, "content-type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default();
    check("content type", content_type, &golden.content_type);
    let token = header(ours, "authorization").map(token);
    check(
        "token",
        token.as_deref().unwrap_or("none"),
        golden.token.as_deref().unwrap_or("none"),
    );
    let expected = expanded(&golden.body);
    let body = adapted(body(ours, content_type), &expected);
    let difference = body.difference(&expected);
    found.extend(difference.map(|said| format!("body{said}")));
    found
}

/// The value with its generators filled in.
pub fn expanded(value: &Json) -> Json {
    Json::parse(&expand(value, None).to_string())
}

fn header<'a>(request: &'a RecordedRequest, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    headers
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// An access token by its number, by its claims, or as it is.
fn token(authorization: &str) -> String {
    let Some(token) = authorization.strip_prefix("Bearer ") else {
        return format!("no bearer token: {authorization}");
    };
    let claims = token.split('.').nth(1);
    let claims = claims.and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Option<serde_json::Value> =
        claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    match claims {
        None => token.to_owned(),
        Some(claims) => match (
            &claims["jti"],
            claims.as_object().map_or(0, |map| map.len()),
        ) {
            (serde_json::Value::String(id), 2) if claims["tenantId"] == "tenant-1" => id.clone(),
            _ => claims.to_string(),
        },
    }
}

fn body(request: &RecordedRequest, content_type: &str) -> Json {
    if request.body.is_empty() {
        return Json::Null;
    }
    if content_type == "application/x-www-form-urlencoded" {
        let fields = form_urlencoded::parse(&request.body);
        return Json::Object(
            fields
                .map(|(key, value)| (key.into_owned(), Json::Text(value.into_owned())))
                .collect(),
        );
    }
    match std::str::from_utf8(&request.body) {
        Ok(text) => Json::parse(text),
        Err(error) => Json::Raw(format!("a body that is not UTF-8 ({error})")),
    }
}

/// Takes out of a body what may be there or not: in messages, keys with null, and those that are ours to fill.
fn adapted(mut body: Json, golden: &Json) -> Json {
    let Json::Object(members) = &mut body else {
        return body;
    };
    for (key, value) in members {
        if let (true, Json::Array(messages)) = (key == "messages", value) {
            for (number, message) in messages.iter_mut().enumerate() {
                let twin = match golden.get("messages") {
                    Json::Array(twins) => twins.get(number).unwrap_or(&Json::Null),
                    _ => &Json::Null,
                };
                adapt_message(message, twin);
            }
        }
    }
    body
}

fn adapt_message(message: &mut Json, golden: &Json) {
    if let Json::Object(members) = message {
        members.retain(|(key, value)| {
            let free = OURS_TO_FILL.contains(&key.as_str()) && golden.get(key).is_null();
            key == "message" || !(value.is_null() || free)
        });
    }
}
