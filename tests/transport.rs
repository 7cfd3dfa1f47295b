//! Connections: kept, shared, encrypted, sent through proxies.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/judge.rs"]
mod judge;
mod support;

use mona::client::Client;
use mona::status::Status;
use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use support::*;

fn tls_sandbox() -> Sandbox {
    Sandbox::start(Options {
        tls: true,
        ..Options::default()
    })
    .unwrap()
}

/// A file with the sandbox's certificate authority, and its folder.
fn ca_file(sandbox: &Sandbox) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, sandbox.ca_pem().unwrap()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn tls_config(sandbox: &Sandbox, changes: Value) -> Value {
    let mut config = config(sandbox, json!({"should_use_ssl": true}));
    config
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    config
}

#[test]
fn clients_share_one_connection_and_keep_it() {
    let sandbox = sandbox();
    let first = client(&config(&sandbox, json!({})));
    let second = client(&config(&sandbox, json!({})));
    for _ in 0..10 {
        assert_eq!(first.export(MESSAGE, None).status, Status::Ok);
        assert_eq!(second.export(MESSAGE, None).status, Status::Ok);
    }
    assert_eq!(sandbox.connections(), 1);
}

/// Answers one request on each of two connections, and closes each without having said so.
fn closing_server(closed: mpsc::Sender<()>) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            judge::request(&mut reader).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            reader.get_mut().write_all(answer).unwrap();
            drop(reader);
            closed.send(()).unwrap();
        }
    });
    (host, serving)
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_costs_no_message() {
    let (closed, was_closed) = mpsc::channel();
    let (host, serving) = closing_server(closed);
    let app = canned(json!([]));
    let changes = json!({"auth_mode": "NO_AUTH", "user_id": "u", "override_rest_api_host": host});
    let client = client(&config(&app, changes));
    for _ in 0..2 {
        let answer = client.export(MESSAGE, None);
        assert_eq!(answer.status, Status::Ok, "{}", answer.document);
        was_closed.recv_timeout(PATIENCE).unwrap();
        // A round trip elsewhere: by its end the transport has seen that the connection is closed.
        client.service_call("get_config", "{}", None);
    }
    serving.join().unwrap();
}

/// Answers a request on a connection, reads another and closes without an answer; answers one on the next connection. How many requests came.
fn server_that_closes_too_soon(listener: TcpListener) -> usize {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    judge::request(&mut reader).unwrap();
    reader.get_mut().write_all(answer).unwrap();
    judge::request(&mut reader).unwrap();
    drop(reader);
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    if judge::request(&mut reader).is_none() {
        return 2;
    }
    reader.get_mut().write_all(answer).unwrap();
    3
}

#[test]
fn a_request_is_sent_again_where_its_connection_was_unused_for_a_second_and_is_closed_just_then() {
    for (unused, sent) in [(Duration::from_millis(1_010), 3), (Duration::ZERO, 2)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let serving = std::thread::spawn(move || server_that_closes_too_soon(listener));
        let config = json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false,
            "override_rest_api_host": host, "override_app_server_host": host});
        let client = client(&config);
        assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
        std::thread::sleep(unused);
        // Another URL of the same server.
        client.service_call("get_config", "{}", None);
        // In the place of the request that does not come.
        drop(TcpStream::connect(&host));
        assert_eq!(serving.join().unwrap(), sent);
    }
}

#[test]
fn a_token_takes_the_place_of_a_user_in_the_url() {
    let sandbox = canned(json!([]));
    let url = format!("http://user:password@{}/export", sandbox.host());
    let changes = json!({"override_rest_api_full_url": url});
    let client = client(&config(&sandbox, changes));
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    let request = sandbox.requests().pop().unwrap();
    let headers = request.headers.iter();
    let found: Vec<_> = headers
        .filter(|(name, _)| name == "authorization")
        .collect();
    assert!(
        found.len() == 1 && found[0].1.starts_with("Bearer "),
        "{found:?}"
    );
}

#[test]
fn tls_is_verified_by_the_configured_authority() {
    let sandbox = tls_sandbox();
    let (_folder, ca_file) = ca_file(&sandbox);
    let client = client(&tls_config(&sandbox, json!({"ca_file": ca_file})));
    assert!(client.is_active());
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert_eq!(sandbox.message_count(), 1);
}

#[test]
fn a_folder_of_authorities_serves_too() {
    let sandbox = tls_sandbox();
    let (folder, _) = ca_file(&sandbox);
    let config = tls_config(
        &sandbox,
        json!({"ca_file": folder.path().to_str().unwrap()}),
    );
    assert_eq!(client(&config).export(MESSAGE, None).status, Status::Ok);
}

#[test]
fn an_unknown_authority_is_refused_with_its_reason() {
    let sandbox = tls_sandbox();
    let stranger = tls_sandbox();
    let (_folder, ca_file) = ca_file(&stranger);
    let config = tls_config(
        &sandbox,
        json!({"ca_file": ca_file, "authenticate_on_init": false}),
    );
    let message = document(&client(&config).export(MESSAGE, None))["error_message"].to_string();
    assert!(message.contains("certificate"), "{message}");
    assert_eq!(sandbox.request_count(), 0);
}

#[test]
fn a_name_that_the_certificate_does_not_have_is_refused() {
    let sandbox = tls_sandbox();
    let (_folder, ca_file) = ca_file(&sandbox);
    let host = format!("127.0.0.2:{}", sandbox.port());
    let listener = TcpListener::bind(&host);
    // The sandbox listens on 127.0.0.1 alone: forward the other address to it.
    let forwarding = forward(listener.unwrap(), sandbox.host());
    let config = tls_config(
        &sandbox,
        json!({
        "ca_file": ca_file, "auth_mode": "NO_AUTH", "user_id": "u", "override_rest_api_host": host}),
    );
    let message = document(&client(&config).export(MESSAGE, None))["error_message"].to_string();
    assert!(message.contains("not valid for name"), "{message}");
    forwarding.join().unwrap();
}

/// Carries one connection to another address.
fn forward(listener: TcpListener, to: String) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut from, _) = listener.accept().unwrap();
        let mut to = std::net::TcpStream::connect(to).unwrap();
        let (mut back_from, mut back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut back_from, &mut back_to);
        });
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
        back.join().unwrap();
    })
}

#[test]
fn a_missing_authority_file_is_named() {
    let sandbox = tls_sandbox();
    let config = tls_config(&sandbox, json!({"ca_file": "/nowhere/ca.pem"}));
    let message = refused(&config);
    assert!(message.contains("ca_file /nowhere/ca.pem"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    refused(&tls_config(
        &sandbox,
        json!({"ca_file": file.path().to_str()}),
    ));
}

#[test]
fn a_missing_authority_file_matters_to_no_client_without_tls() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({"ca_file": "/nowhere/ca.pem"})));
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
}

/// Why no client is made.
fn refused(config: &Value) -> String {
    let (client, answer) = Client::new(Some(&config.to_string()));
    assert!(client.is_none());
    assert_eq!(answer.status, Status::Initialization);
    document(&answer)["error_message"].to_string()
}

#[test]
fn tls_to_a_server_without_it_is_a_connection_failure() {
    let sandbox = sandbox();
    let config = tls_config(&sandbox, json!({"auth_mode": "NO_AUTH", "user_id": "u"}));
    assert_eq!(
        document(&client(&config).export(MESSAGE, None))["error_kind"],
        "connection"
    );
}

#[test]
fn a_configured_proxy_carries_every_request() {
    let proxy = canned(json!([]));
    let config = json!({
        "auth_mode": "NO_AUTH", "user_id": "u-7", "should_use_ssl": false,
        "proxy": format!("http://name:word@{}", proxy.host()),
    });
    let client = client(&config);
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert_eq!(
        client.service_call("get_config", "{}", None).status,
        Status::Ok
    );
    let default_hosts = [
        "http://incomingu-7.monalabs.io/monaExport",
        "http://apiu-7.monalabs.io/configs",
    ];
    assert_eq!(paths(&proxy), default_hosts);
    let basic = header(&proxy.requests()[0], "proxy-authorization").map(str::to_owned);
    assert_eq!(basic.as_deref(), Some("Basic bmFtZTp3b3Jk"));
}

#[test]
fn overrides_do_what_they_say() {
    let (rest, app) = (canned(json!([])), canned(json!([])));
    let base = json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false,
        "override_rest_api_host": rest.host(), "override_app_server_host": app.host()});
    let call = |changes: Value| {
        let mut config = base.clone();
        config
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let client = client(&config);
        client.export(MESSAGE, None);
        client.service_call("get_config", "{}", None);
    };
    call(json!({}));
    call(
        json!({"override_rest_api_full_url": format!("{}/elsewhere?q=1", rest.url()), "should_use_ssl": true,
        "override_app_server_full_url": format!("{}/base/", app.url())}),
    );
    assert_eq!(paths(&rest), ["/monaExport", "/elsewhere?q=1"]);
    assert_eq!(paths(&app), ["/configs", "/base/configs"]);
}

#[test]
fn a_url_that_is_none_fails_the_call() {
    for url in [
        "127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://",
        "http://b\u{fc}cher.example",
    ] {
        let config =
            json!({"auth_mode": "NO_AUTH", "user_id": "u", "override_rest_api_full_url": url});
        let answer = client(&config).export(MESSAGE, None);
        assert_eq!(answer.status, Status::Failed, "{url}");
        let document = document(&answer);
        assert_eq!(document["error_kind"], "unsendable", "{url}");
        assert_eq!(document["retriable"], false, "{url}");
    }
}

#[test]
fn hosts_are_ascii_and_international_ones_are_written_in_punycode() {
    let proxy = canned(json!([]));
    let of = |host: &str| {
        json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false,
            "override_rest_api_host": host, "proxy": format!("http://{}", proxy.host())})
    };
    let client = client(&of("xn--bcher-kva.example"));
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert_eq!(paths(&proxy), ["http://xn--bcher-kva.example/monaExport"]);
    let message = refused(&of("b\u{fc}cher.example"));
    assert!(message.contains("xn--"), "{message}");
}

#[test]
fn a_calls_time_bounds_its_login_too() {
    let sandbox = canned(json!({"path": LOGIN, "body": "{}", "slow_ms_per_byte": 60_000}));
    let config = config(
        &sandbox,
        json!({"authenticate_on_init": false, "num_of_retries_for_authentication": 1000}),
    );
    let answer = client(&config).export(MESSAGE, Some(r#"{"timeout_ms":100}"#));
    assert_eq!(answer.status, Status::Failed);
    assert_eq!(document(&answer)["retriable"], true);
}

#[test]
fn a_redirect_that_keeps_the_request_is_followed_on_its_own_host() {
    for status in [307, 308] {
        let sandbox = canned(json!([
            {"path": "/monaExport", "status": status, "headers": {"Location": "/moved"}},
            {"path": "/moved", "json": {}},
        ]));
        let client = client(&config(
            &sandbox,
            json!({"auth_mode": "NO_AUTH", "user_id": "u"}),
        ));
        let answer = client.export(MESSAGE, None);
        assert_eq!(answer.status, Status::Ok, "{}", answer.document);
        assert_eq!(paths(&sandbox), ["/monaExport", "/moved"]);
        let requests = sandbox.requests();
        assert_eq!(body(&requests[0]), body(&requests[1]));
    }
}

#[test]
fn no_redirect_leads_to_another_host_or_for_ever() {
    let other = canned(json!([{"path": "/moved", "json": {}}]));
    let elsewhere = format!("{}/moved", other.url());
    for location in [&elsewhere, "/monaExport"] {
        let sandbox = canned(
            json!({"path": "/monaExport", "status": 307, "headers": {"Location": location}}),
        );
        let client = client(&config(
            &sandbox,
            json!({"auth_mode": "NO_AUTH", "user_id": "u"}),
        ));
        let told = document(&client.export(MESSAGE, None));
        assert_eq!(told["error_kind"], "redirect", "{told}");
    }
    assert_eq!(other.request_count(), 0);
}
