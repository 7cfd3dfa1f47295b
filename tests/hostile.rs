//! Servers, tokens and configuration values that mean harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/judge.rs"]
mod judge;
mod support;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use mona::answer::Answer;
use mona::client::Client;
use mona::status::Status;
use mona_sandbox::Sandbox;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::TcpListener;
use support::*;

/// Names that would lead out of Mona's domain, into another path, or into another header.
const TENANTS: [&str; 14] = [
    "@evil.example/",
    ".evil.example/",
    "x@evil.example",
    "x:80",
    "x/y",
    "x?y",
    "x#y",
    "x\\y",
    "x%2fy",
    "x y",
    "x\r\nHost: evil.example",
    "x\u{ff0e}evil.example\u{2044}",
    "é",
    "\0",
];

fn token(claims: &str) -> String {
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

/// What a proxy for everything was asked for, logins left out.
fn asked(proxy: &Sandbox) -> Vec<String> {
    let login = |path: &String| !path.ends_with(LOGIN);
    paths(proxy).into_iter().filter(login).collect()
}

fn through(proxy: &Sandbox, changes: Value) -> Value {
    let mut config = config(proxy, changes);
    let members = config.as_object_mut().unwrap();
    members.remove("override_rest_api_host");
    members.remove("override_app_server_host");
    members.insert("proxy".into(), proxy.url().into());
    config
}

fn every_call(client: &Client) -> [Answer; 2] {
    [
        client.export(MESSAGE, None),
        client.service_call("get_config", "{}", None),
    ]
}

#[test]
fn no_tenant_leads_a_request_to_another_host() {
    for tenant in TENANTS {
        let claims = json!({"tenantId": tenant}).to_string();
        let rules = json!([{"path": format!("*{LOGIN}"), "json": {"accessToken": token(&claims), "expiresIn": 3600}}]);
        let proxy = canned(rules);
        let given = json!({"access_token": "t", "user_id": tenant});
        for changes in [json!({}), given] {
            let client = client(&through(&proxy, changes));
            assert!(client.is_active(), "{tenant:?}");
            for answer in every_call(&client) {
                assert_eq!(answer.status, Status::Failed, "{tenant:?}");
                let document = document(&answer);
                assert_eq!(document["error_kind"], "authentication", "{document}");
            }
        }
        assert_eq!(asked(&proxy), [""; 0], "{tenant:?}");
    }
}

#[test]
fn a_tenant_is_part_of_the_hosts_name() {
    for tenant in ["mona_public", "0ae5-7", "a.b"] {
        let proxy = canned(json!([]));
        let client = client(&through(
            &proxy,
            json!({"access_token": "t", "user_id": tenant}),
        ));
        every_call(&client);
        let hosts = [
            format!("http://incoming{tenant}.monalabs.io/export"),
            format!("http://api{tenant}.monalabs.io/configs"),
        ];
        assert_eq!(asked(&proxy), hosts);
    }
}

#[test]
fn odd_tokens_name_no_tenant_and_do_no_harm() {
    let deep = format!(
        r#"{{"a":{}1{},"tenantId":"x"}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for odd in [
        "x".repeat(500_000),
        ".".repeat(10_000),
        "a.!!!.c".to_owned(),
        "e30.e30".to_owned(),
        token("{"),
        token("[]"),
        token(r#"{"tenantId":7}"#),
        token(r#"{"tenantId":null}"#),
        token(r#"{"tenantId":""}"#),
        token(r#"{"tenantId":["x"]}"#),
        token(&deep),
        token("\u{ff}"),
    ] {
        let login = json!([{"path": LOGIN, "json": {"accessToken": odd, "expiresIn": 3600}}]);
        let sandbox = canned(login);
        let (client, answer) = Client::new(Some(&config(&sandbox, json!({})).to_string()));
        let shown: String = odd.chars().take(40).collect();
        let message = document(&answer)["error_message"].to_string();
        assert!(message.contains("names no tenant"), "{shown}: {message}");
        assert!(message.len() < 200, "{shown}");
        drop(client);
    }
}

#[test]
fn answers_nested_deeply_are_told_from_answers() {
    for nested in ["[".repeat(100_000), r#"{"a":"#.repeat(100_000)] {
        let open = nested.clone();
        let closed = format!(
            "{open}1{}",
            if nested.starts_with('[') {
                "]".repeat(100_000)
            } else {
                "}".repeat(100_000)
            }
        );
        for body in [
            open,
            closed.clone(),
            format!(
                r#"{{"failed":1,"failure_reasons":{closed},"response_data":{closed},"errors":[{closed}]}}"#
            ),
        ] {
            for status in [200, 400] {
                let rules = json!([
                    {"path": "/export", "status": status, "body": body},
                    {"path": "/configs", "status": status, "body": body},
                ]);
                let sandbox = canned(rules);
                let client = client(&config(&sandbox, json!({})));
                for answer in every_call(&client) {
                    assert!(answer.document.starts_with("{\"success\":"));
                }
                let login = canned(json!([{"path": LOGIN, "status": status, "body": body}]));
                let (_, answer) = Client::new(Some(&config(&login, json!({})).to_string()));
                assert_eq!(document(&answer)["error_kind"], "authentication");
            }
        }
    }
}

/// Answers one request with a head, and then with a megabyte of zeros as often as told.
fn pouring(head: &str, megabytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let head = head.to_owned();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        judge::request(&mut reader).unwrap();
        let mut stream = reader.into_inner();
        let zeros = vec![b'0'; 1 << 20];
        let _ = stream.write_all(head.as_bytes());
        for _ in 0..megabytes {
            if stream.write_all(&zeros).is_err() {
                return;
            }
        }
    });
    host
}

fn kind_from(host: String) -> Value {
    let config = json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false, "override_rest_api_host": host});
    document(&client(&config).export(MESSAGE, None))["error_kind"].clone()
}

#[test]
fn no_answer_is_larger_than_its_bound() {
    let huge = u64::MAX / 2;
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n"),
    ] {
        assert_eq!(kind_from(pouring(&head, 100)), "response_too_large");
    }
}

#[test]
fn no_head_is_larger_than_its_bound() {
    let head = "HTTP/1.1 200 OK\r\nX-Endless: ";
    assert_eq!(kind_from(pouring(head, 100)), "connection");
}

#[test]
fn nothing_is_ever_inflated() {
    // As it stands it is no JSON and tells of no failure; inflated it would.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(b"{\"failed\":1,\"failure_reasons\":{}}")
        .unwrap();
    let body = BASE64_STANDARD.encode(gzip.finish().unwrap());
    let rule =
        json!([{"path": "/export", "headers": {"Content-Encoding": "gzip"}, "body_b64": body}]);
    let sandbox = canned(rule);
    let client = client(&config(&sandbox, json!({})));
    let document = document(&client.export(MESSAGE, None));
    assert_eq!(document["failed"], 0, "{document}");
    for request in sandbox.requests() {
        assert_eq!(header(&request, "accept-encoding"), None);
    }
}

#[test]
fn no_value_of_the_configuration_becomes_a_header() {
    let odd = "x\r\nX-Injected: 1\r\n\r\nGET /injected HTTP/1.1\r\n";
    for (key, value) in [
        ("api_key", odd.to_owned()),
        ("secret", odd.to_owned()),
        ("access_token", odd.to_owned()),
        ("user_id", odd.to_owned()),
        ("oidc_scope", odd.to_owned()),
        ("sampling_config_name", odd.to_owned()),
        ("override_rest_api_host", format!("HOST/{odd}")),
        ("override_app_server_host", format!("{odd}@HOST")),
        ("override_rest_api_full_url", format!("http://HOST/{odd}")),
        (
            "override_app_server_full_url",
            format!("http://HOST/?{odd}"),
        ),
        ("auth_api_token_url", format!("http://{odd}@HOST/")),
        ("proxy", format!("http://{odd}:{odd}@HOST")),
    ] {
        let sandbox = canned(json!([]));
        let mut config = config(&sandbox, json!({"user_id": "u"}));
        config[key] = value.replace("HOST", &sandbox.host()).into();
        let (client, _) = Client::new(Some(&config.to_string()));
        if let Some(client) = client {
            every_call(&client);
        }
        for request in sandbox.requests() {
            assert_eq!(header(&request, "x-injected"), None, "{key}");
            assert!(
                !request.path.starts_with("/injected"),
                "{key}: {}",
                request.path
            );
        }
    }
}

#[test]
fn a_password_in_a_url_is_not_told() {
    for key in [
        "override_rest_api_full_url",
        "override_app_server_full_url",
        "auth_api_token_url",
    ] {
        for rest in ["127.0.0.1:1/", "[", "127.0.0.1:99999/"] {
            let sandbox = canned(json!([]));
            let mut config = config(&sandbox, json!({"user_id": "u"}));
            config[key] = format!("http://name:CANARY@{rest}").into();
            let (client, answer) = Client::new(Some(&config.to_string()));
            assert!(!answer.document.contains("CANARY"), "{}", answer.document);
            for answer in client.iter().flat_map(every_call) {
                assert!(!answer.document.contains("CANARY"), "{}", answer.document);
            }
        }
    }
}

#[test]
fn numbers_at_the_edge_are_times_like_any_other() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({})));
    for timeout_ms in [u64::MAX, i64::MAX as u64, u64::MAX / 1000] {
        let options = json!({"timeout_ms": timeout_ms}).to_string();
        assert_eq!(client.export(MESSAGE, Some(&options)).status, Status::Ok);
    }
    for timeout_ms in [i64::MAX, i64::MIN, -1] {
        assert_eq!(client.flush(timeout_ms).status, Status::Ok);
    }
    assert_eq!(client.close(i64::MAX).status, Status::Ok);
}
