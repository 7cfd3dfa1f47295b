//! Everything a server and the way to it can do wrong: what was accepted arrives all the same.

use crate::background::*;
use crate::certificates::*;
use crate::support::*;
use mona_sandbox::Sandbox;
use rcgen::{CertificateParams, date_time_ymd};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MESSAGES: usize = 20;

fn taken(sandbox: &Sandbox) -> Vec<String> {
    let messages = sandbox.messages().into_iter();
    messages.map(|message| message.context_id).collect()
}

/// Longer than any machine takes for a request.
const PATIENT_MS: u32 = 15_000;

/// Two requests meet the fault; the client's statistics afterwards, and how many messages came twice.
fn meet(fault: Value, durable: bool, request_timeout_ms: u32) -> (Value, usize) {
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
    let timeout = json!({"request_timeout_ms": request_timeout_ms});
    let client = client(&merged(config, timeout));
    enqueue(&client, ids(MESSAGES));
    flush(&client);
    let repeated = settle(&client, &ids(MESSAGES).collect(), &taken(&sandbox));
    (statistics(&client), repeated)
}

const BROKEN: &str = "Cannot connect to rest-api: ";
const LATE: &str = "No answer from rest-api in time: ";

#[test]
fn a_request_that_was_not_taken_in_is_sent_again_and_arrives_once() {
    for (fault, error) in [
        (json!({"drop": "mid_request"}), BROKEN),
        (json!({"drop": "before_response"}), BROKEN),
        (json!({"drop": "reset"}), BROKEN),
        (json!({"drop": "mid_headers"}), BROKEN),
        (json!({"drop": "mid_body", "body": "0123456789"}), BROKEN),
        (
            json!({"drop": "reset_mid_body", "body": "0123456789"}),
            BROKEN,
        ),
        (
            json!({"body": "{}", "headers": {"Content-Length": "100"}}),
            BROKEN,
        ),
        (json!({"raw": "nonsense\r\n\r\n"}), BROKEN),
        (json!({"raw": "HTTP/1.1 100 Continue\r\n\r\n"}), BROKEN),
        (json!({"status": 503}), "status 503"),
        (
            json!({"status": 429, "headers": {"Retry-After": "0"}}),
            "status 429",
        ),
    ] {
        for durable in [false, true] {
            let (statistics, repeated) = meet(fault.clone(), durable, PATIENT_MS);
            assert_eq!(repeated, 0, "{fault}");
            assert_eq!(statistics["retries"], 2, "{fault}: {statistics}");
            let last_error = statistics["last_error"].as_str().unwrap();
            assert!(last_error.starts_with(error), "{fault}: {last_error}");
        }
    }
}

#[test]
fn a_request_whose_answer_takes_too_long_is_sent_again() {
    for fault in [
        json!({"delay_ms": 3_600_000}),
        json!({"body": "{}", "slow_ms_per_byte": 1000}),
    ] {
        for durable in [false, true] {
            let (statistics, _) = meet(fault.clone(), durable, 300);
            // A busy machine may be late with more than the two.
            assert!(statistics["retries"].as_u64() >= Some(2), "{statistics}");
            let last_error = statistics["last_error"].as_str().unwrap();
            assert!(last_error.starts_with(LATE), "{fault}: {last_error}");
        }
    }
}

#[test]
fn an_answer_too_long_to_be_read_counts_by_its_status() {
    // What became of the messages, and how often they were sent or divided.
    for (status, rejected, counted) in [
        (200, 0, json!({"requests": 1, "retries": 0, "splits": 0})),
        (
            418,
            MESSAGES,
            json!({"requests": 1, "retries": 0, "splits": 0}),
        ),
        (503, 0, json!({"requests": 2, "retries": 1, "splits": 0})),
        (413, 0, json!({"requests": 3, "retries": 0, "splits": 1})),
        (400, 0, json!({"requests": 3, "retries": 0, "splits": 1})),
        (403, 0, json!({"requests": 2, "retries": 1, "splits": 0})),
    ] {
        let sandbox = sandbox();
        let rule =
            json!({"path": "/monaExport", "times": 1, "status": status, "body_bytes": 3_000_000});
        sandbox.add_rules(&rule.to_string()).unwrap();
        let client = client(&config_for(&sandbox.host(), json!({"linger_ms": 60_000})));
        enqueue(&client, ids(MESSAGES));
        flush(&client);
        let statistics = statistics(&client);
        assert_eq!(statistics["rejected"], rejected, "{status}: {statistics}");
        for (name, count) in counted.as_object().unwrap() {
            assert_eq!(statistics[name], *count, "{status}: {statistics}");
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
        let (statistics, repeated) =
            meet(json!({"handle": true, "drop": fault}), false, PATIENT_MS);
        assert_eq!(
            (repeated, &statistics["retries"]),
            (MESSAGES, &json!(2)),
            "{fault}"
        );
    }
}

#[test]
fn a_connection_that_ends_after_the_answer_costs_no_second_request() {
    let (statistics, repeated) = meet(json!({"handle": true, "close": true}), true, PATIENT_MS);
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

/// A listener whose queue of connections is full: the system answers nobody who tries to connect.
fn black_hole() -> (String, Vec<Box<dyn std::any::Any>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _within = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    let patience = Duration::from_millis(200);
    while let Ok(connection) = TcpStream::connect_timeout(&address, patience) {
        held.push(Box::new(connection));
    }
    held.push(Box::new((listener, runtime)));
    (address.to_string(), held)
}

#[test]
fn a_server_that_cannot_even_be_connected_to_is_given_up_in_time() {
    let (host, _held) = black_hole();
    for key in ["connect_timeout_ms", "request_timeout_ms"] {
        let client = client(&merged(config_for(&host, json!({})), json!({key: 50})));
        enqueue(&client, ids(3));
        let stuck = wait_until(&client, |now| now["retries"].as_u64() > Some(1));
        let last_error = stuck["last_error"].as_str().unwrap();
        assert!(last_error.starts_with(LATE), "{last_error}");
        assert_eq!(document(&client.close(0))["undelivered"], 3);
    }
}

#[test]
fn one_attempt_takes_no_longer_than_it_may_whatever_it_waits_for() {
    let hanging = json!({"path": LOGIN, "delay_ms": 3_600_000});
    for rules in [
        json!([{"path": "/export", "delay_ms": 3_600_000}]),
        json!([{"path": "/export", "body": "{}", "slow_ms_per_byte": 3_600_000}]),
        json!([hanging]),
        json!([{"path": LOGIN, "times": 1, "handle": true}, {"path": "/export", "status": 401}, hanging]),
    ] {
        let sandbox = sandbox();
        sandbox.add_rules(&rules.to_string()).unwrap();
        let hour = 3_600_000;
        let keys = json!({"request_timeout_ms": hour, "connect_timeout_ms": hour, "authenticate_on_init": false,
            "queue": impatient(json!({"attempt_timeout_ms": 100}))});
        let client = client(&config(&sandbox, keys));
        enqueue(&client, ids(3));
        // An answer may come too late for a busy machine, so that a door is found closed only by the next attempt.
        wait_until(&client, |now| {
            now["retries"].as_u64() > Some(1) && now["last_error"].to_string().contains("in time")
        });
        assert_eq!(document(&client.close(0))["undelivered"], 3);
    }
}

#[test]
fn nothing_is_sent_to_a_server_with_the_wrong_certificate() {
    let (trusted, stranger) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, trusted.pem()).unwrap();
    let expired = certificate(&trusted, |params| {
        params.not_after = date_time_ymd(2020, 1, 1)
    });
    let other_name = certificate(&trusted, |params| {
        *params = CertificateParams::new(["monalabs.io".to_owned()]).unwrap();
    });
    for (shown, words) in [
        (expired, "expired"),
        (other_name, "not valid for name"),
        (certificate(&stranger, |_| ()), "BadSignature"),
    ] {
        let shown = server_config(shown, rustls::ALL_VERSIONS);
        let (host, listener) = listen();
        let received = Arc::<Mutex<String>>::default();
        let list = received.clone();
        std::thread::spawn(move || {
            loop {
                let request = serve_next(&listener, shown.clone());
                list.lock().unwrap().push_str(&request);
            }
        });
        let changes = json!({"should_use_ssl": true, "ca_file": ca_file.to_str()});
        let client = client(&merged(config_for(&host, json!({})), changes));
        enqueue(&client, ids(3));
        let refused = wait_until(&client, |now| now["retries"].as_u64() > Some(1));
        let last_error = refused["last_error"].as_str().unwrap();
        assert!(
            last_error.starts_with(BROKEN) && last_error.contains(words),
            "{last_error}"
        );
        assert_eq!(document(&client.close(0))["undelivered"], 3);
        assert_eq!(*received.lock().unwrap(), "");
    }
}
