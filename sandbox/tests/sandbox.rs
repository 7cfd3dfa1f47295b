//! The sandbox itself: its life, what it records, TLS, and control over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use std::{io::Read, net::TcpStream, sync::Arc, time::Duration};

use common::{
    TIMEOUT, canned, connect, exchange, export, get, log_in, post, receive, send, start, token,
};
use mona_sandbox::{Options, Sandbox, StartError};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

#[test]
fn dropping_it_closes_its_connections_and_its_port() {
    // Keeps the port from all who ask for any, so that nobody else listens there afterwards.
    let held = TcpSocket::new_v4().unwrap();
    held.set_reuseaddr(true).unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = held.local_addr().unwrap();
    let sandbox = Sandbox::start(Options {
        port: address.port(),
        ..Options::default()
    })
    .unwrap();
    let mut stream = connect(&sandbox);
    send(&mut stream, "GET", "/sandbox/health", &[], b"").unwrap();
    receive(&mut stream).unwrap();
    drop(sandbox);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn dropping_it_does_not_wait_for_slow_answers() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "delay_ms": 3600000}"#)
        .unwrap();
    let mut stream = connect(&sandbox);
    send(&mut stream, "GET", "/a", &[], b"").unwrap();
    assert!(sandbox.wait_for_requests(1, TIMEOUT));
    drop(sandbox);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn a_taken_port_is_an_error() {
    let sandbox = start();
    let second = Sandbox::start(Options {
        port: sandbox.port(),
        ..Options::default()
    });
    assert!(matches!(second, Err(StartError::Bind(_))));
}

#[test]
fn requests_are_recorded_as_they_arrived() {
    let sandbox = start();
    exchange(&sandbox, "PUT", "/a/b?c=d", &[("X-One", "1")], b"\xff\x00").unwrap();
    get(&sandbox, "/second");
    let requests = sandbox.requests();
    let first = &requests[0];
    assert_eq!(
        (
            first.method.as_str(),
            first.path.as_str(),
            first.body.as_slice()
        ),
        ("PUT", "/a/b?c=d", &[0xff, 0][..])
    );
    assert!(
        first
            .headers
            .contains(&("x-one".to_owned(), "1".to_owned()))
    );
    assert_eq!(
        (
            first.connection,
            requests[1].connection,
            sandbox.connections()
        ),
        (1, 2, 2)
    );
}

#[test]
fn waiting_ends_with_the_request_or_with_the_time() {
    let sandbox = start();
    assert!(!sandbox.wait_for_requests(1, Duration::ZERO));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| sandbox.wait_for_messages(1, TIMEOUT));
        export(&sandbox, &[r#"{"arcClass": "A", "message": {"x": 1}}"#]);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn a_reset_forgets_everything() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "status": 500}"#)
        .unwrap();
    export(&sandbox, &[r#"{"arcClass": "A", "message": {"x": 1}}"#]);
    let old = token(&sandbox);
    sandbox.reset();
    assert_eq!((sandbox.request_count(), sandbox.message_count()), (0, 0));
    assert_eq!(get(&sandbox, "/a").status, 404);
    assert_eq!(get(&sandbox, "/sandbox/contexts").text(), "[]");
    assert_eq!(post(&sandbox, "/configs", &old, "{}").status, 401);
}

#[test]
fn it_serves_https_with_its_own_authority() {
    let sandbox = Sandbox::start(Options {
        tls: true,
        ..Options::default()
    })
    .unwrap();
    assert!(sandbox.url().starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(sandbox.ca_pem().unwrap().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for name in ["localhost", "127.0.0.1", "::1"] {
        let client =
            ClientConnection::new(Arc::clone(&config), ServerName::try_from(name).unwrap())
                .unwrap();
        let mut stream = StreamOwned::new(client, connect(&sandbox));
        send(&mut stream, "GET", "/sandbox/health", &[], b"").unwrap();
        assert_eq!(
            receive(&mut stream).unwrap().json()["status"],
            "ok",
            "{name}"
        );
    }
}

#[test]
fn rules_can_be_set_over_http_and_control_is_not_recorded() {
    let sandbox = start();
    let rules = br#"[{"path": "/a", "status": 500}]"#;
    assert_eq!(
        exchange(&sandbox, "PUT", "/sandbox/rules", &[], rules)
            .unwrap()
            .json(),
        json!({"rules": 1})
    );
    assert_eq!(get(&sandbox, "/a").status, 500);
    let wrong = exchange(
        &sandbox,
        "POST",
        "/sandbox/rules",
        &[],
        br#"{"path": "/a", "x": 1}"#,
    )
    .unwrap();
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"].as_str().unwrap().contains("`x`"));
    exchange(&sandbox, "DELETE", "/sandbox/rules", &[], b"").unwrap();
    assert_eq!(get(&sandbox, "/a").status, 404);
    let recorded = get(&sandbox, "/sandbox/requests").json();
    assert_eq!(recorded.as_array().unwrap().len(), 2);
    assert_eq!(recorded[0]["path"], "/a");
}

#[test]
fn the_secret_is_not_shown() {
    let options = Options {
        credentials: Some(("key".into(), "hidden-word".into())),
        ..Options::default()
    };
    assert!(!format!("{options:?}").contains("hidden-word"));
}

#[test]
fn canned_answers_come_from_the_table_and_tokens_are_counted() {
    let sandbox = canned();
    let login = log_in(&sandbox, "any", "thing").json();
    assert_eq!(
        login["accessToken"],
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJqdGkiOiJ0b2tlbi0xIiwidGVuYW50SWQiOiJ0ZW5hbnQtMSJ9."
    );
    assert_eq!(
        (&login["refreshToken"], &login["expiresIn"]),
        (&json!("refresh-1"), &json!(86_400))
    );
    assert_eq!(
        log_in(&sandbox, "any", "thing").json()["refreshToken"],
        "refresh-2"
    );
    let exported = post(&sandbox, "/export", "", r#"{"messages": [1, 2]}"#);
    assert_eq!(
        exported.json(),
        json!({"total": 2, "failed": 0, "failure_reasons": {}})
    );
    assert_eq!(
        post(&sandbox, "/create_sampling_factor", "", "{}").json(),
        json!({"response_data": true})
    );
    assert_eq!(post(&sandbox, "/nowhere", "", "{}").status, 404);
    sandbox
        .add_rules(r#"{"defaults": {"enforce_auth": true}}"#)
        .unwrap();
    assert_eq!(post(&sandbox, "/configs", "unknown", "{}").status, 401);
    assert_eq!(
        post(&sandbox, "/configs", &token(&sandbox), "{}").status,
        200
    );
}
