//! Everything a server and the way to it can do wrong: what was accepted arrives all the same.

use crate::background::*;
use crate::support::*;
use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use std::net::TcpListener;

const MESSAGES: usize = 20;

fn taken(sandbox: &Sandbox) -> Vec<String> {
    let messages = sandbox.messages().into_iter();
    messages.map(|message| message.context_id).collect()
}

/// Two requests meet the fault; the client's statistics afterwards, and how many messages came twice.
fn meet(fault: Value, durable: bool) -> (Value, usize) {
    let sandbox = sandbox();
    let fault = merged(json!({"path": "/monaExport", "times": 2}), fault);
    sandbox.add_rules(&fault.to_string()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let host = sandbox.host();
    let keys = json!({"linger_ms": 60_000});
    let config = match durable {
        true => durable_config_for(&host, folder.path(), keys),
        false => config_for(&host, keys),
    };
    let client = client(&merged(config, json!({"request_timeout_ms": 300})));
    enqueue(&client, ids(MESSAGES));
    flush(&client);
    let repeated = settle(&client, &ids(MESSAGES).collect(), &taken(&sandbox));
    (statistics(&client), repeated)
}

#[test]
fn a_request_that_was_not_taken_in_is_sent_again_and_arrives_once() {
    for fault in [
        json!({"drop": "mid_request"}),
        json!({"drop": "before_response"}),
        json!({"drop": "reset"}),
        json!({"drop": "mid_headers"}),
        json!({"drop": "mid_body", "body": "0123456789"}),
        json!({"drop": "reset_mid_body", "body": "0123456789"}),
        json!({"body": "{}", "headers": {"Content-Length": "100"}}),
        json!({"body_bytes": 3_000_000}),
        json!({"raw": "nonsense\r\n\r\n"}),
        json!({"raw": "HTTP/1.1 100 Continue\r\n\r\n"}),
        json!({"delay_ms": 3_600_000}),
        json!({"body": "{}", "slow_ms_per_byte": 1000}),
        json!({"status": 503}),
        json!({"status": 429, "headers": {"Retry-After": "0"}}),
    ] {
        for durable in [false, true] {
            let (statistics, repeated) = meet(fault.clone(), durable);
            assert_eq!(repeated, 0, "{fault}");
            assert_eq!(statistics["retries"], 2, "{fault}: {statistics}");
        }
    }
}

#[test]
fn a_request_whose_answer_was_lost_is_sent_again_as_it_was() {
    for fault in [
        "before_response",
        "reset",
        "mid_headers",
        "mid_body",
        "reset_mid_body",
    ] {
        let (statistics, repeated) = meet(json!({"handle": true, "drop": fault}), false);
        assert_eq!(
            (repeated, &statistics["retries"]),
            (MESSAGES, &json!(2)),
            "{fault}"
        );
    }
}

#[test]
fn a_connection_that_ends_after_the_answer_costs_no_second_request() {
    let (statistics, repeated) = meet(json!({"handle": true, "close": true}), true);
    assert_eq!((repeated, &statistics["retries"]), (0, &json!(0)));
}

#[test]
fn an_interim_answer_is_none() {
    let sandbox = sandbox();
    let raw = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let rule = json!({"path": "/monaExport", "raw": raw});
    sandbox.add_rules(&rule.to_string()).unwrap();
    let client = client(&config_for(&sandbox.host(), json!({})));
    enqueue(&client, ids(1));
    flush(&client);
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["delivered"], &statistics["requests"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn a_server_that_refuses_connections_gets_everything_when_it_is_back() {
    for durable in [false, true] {
        let sandbox = sandbox();
        let folder = tempfile::tempdir().unwrap();
        let config = match durable {
            true => durable_config_for(&sandbox.host(), folder.path(), json!({})),
            false => config_for(&sandbox.host(), json!({})),
        };
        let client = client(&config);
        sandbox.set_up(false);
        enqueue(&client, ids(MESSAGES));
        let down = wait_until(&client, |now| now["retries"].as_u64() > Some(3));
        assert!(
            down["last_error"].to_string().contains("Cannot connect"),
            "{down}"
        );
        sandbox.set_up(true);
        flush(&client);
        let accepted = ids(MESSAGES).collect();
        assert_eq!(settle(&client, &accepted, &taken(&sandbox)), 0);
    }
}

#[test]
fn a_server_that_never_answers_a_connection_is_given_up_in_time() {
    // The system takes connections in; nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    for scheme in ["http", "https"] {
        let config = merged(
            config_for(&host, json!({})),
            json!({"should_use_ssl": scheme == "https", "request_timeout_ms": 50}),
        );
        let client = client(&config);
        enqueue(&client, ids(3));
        let stuck = wait_until(&client, |now| now["retries"].as_u64() > Some(1));
        assert!(
            stuck["last_error"].to_string().contains("in time"),
            "{stuck}"
        );
        let closed = document(&client.close(0));
        assert_eq!(closed["undelivered"], 3);
    }
}

#[test]
fn nothing_is_sent_to_a_server_with_the_wrong_certificate() {
    let start = || {
        let options = Options {
            tls: true,
            ..Options::default()
        };
        Sandbox::start(options).unwrap()
    };
    let (server, stranger) = (start(), start());
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, stranger.ca_pem().unwrap()).unwrap();
    let config = merged(
        config_for(&server.host(), json!({})),
        json!({"should_use_ssl": true, "ca_file": ca_file.to_str()}),
    );
    let client = client(&config);
    enqueue(&client, ids(3));
    let refused = wait_until(&client, |now| now["retries"].as_u64() > Some(1));
    assert!(
        refused["last_error"].to_string().contains("certificate"),
        "{refused}"
    );
    assert_eq!(
        (
            server.request_count(),
            &refused["in_memory"].as_u64().map(|n| n <= 3)
        ),
        (0, &Some(true))
    );
}
