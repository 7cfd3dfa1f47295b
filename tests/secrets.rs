//! Nothing secret leaves the library, in any word that it can write.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use mona::client::Client;
use mona::config::Config;
use mona_sandbox::Sandbox;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::*;

const CHILD: &str = "MONA_TEST_SECRETS_CHILD";

/// Everything that must never be seen begins with this.
const CANARY: &str = "CANARY";

/// Runs in a process of its own, whose log is caught: every way to fail that has secrets near it.
#[test]
fn child_that_logs_everything() {
    let Ok(configs) = std::env::var(CHILD) else {
        return;
    };
    let configs: Vec<Value> = serde_json::from_str(&configs).unwrap();
    for config in configs {
        let text = config.to_string();
        println!("{:?}", Config::from_json(Some(&text)));
        let (client, answer) = Client::new(Some(&text));
        println!("{}", answer.document);
        let Some(client) = client else { continue };
        for answer in [
            client.export(MESSAGE, None),
            client.export(r#"{"message":{"a":1},"contextClass":""}"#, None),
            client.export("[", None),
            client.service_call("get_config", "{}", None),
            client.service_call("get_nothing", "{}", None),
            client.service_call(
                "upload_config",
                r#"{"config":{},"commit_message":"m"}"#,
                None,
            ),
            client.enqueue(MESSAGE, None, true),
            client.flush(100),
            client.statistics(),
            client.close(0),
        ] {
            println!("{}", answer.document);
        }
        while let (_, event) = client.poll(0)
            && event.document.contains("\"type\"")
        {
            println!("{}", event.document);
        }
    }
}

fn secret_token() -> Value {
    json!({"accessToken": format!("{CANARY}-access"), "refreshToken": format!("{CANARY}-refresh"), "expiresIn": -1})
}

/// Servers that fail in every way, some quoting what they were sent.
fn servers() -> Vec<Sandbox> {
    let quoting = json!({"errors": [format!("secret {CANARY}-secret of {CANARY}-key is wrong")]});
    // Error texts are cut off somewhere: never within a secret, whose beginning would remain.
    let late =
        |before: usize| json!({"errors": [format!("{}{CANARY}-secret", "x".repeat(before))]});
    [
        json!([{"path": LOGIN, "status": 401, "json": late(490)}]),
        json!([{"path": LOGIN, "json": secret_token()}]),
        json!([{"path": LOGIN, "json": secret_token()}, {"path": REFRESH, "status": 400, "json": {"errors": [format!("{CANARY}-refresh is used up")]}}]),
        json!([{"path": LOGIN, "status": 401, "json": quoting}]),
        json!([{"path": LOGIN, "status": 500, "body": format!("<html>{CANARY}-secret")}]),
        json!([{"path": LOGIN, "drop": "reset"}]),
        json!([{"path": LOGIN, "json": secret_token()}, {"path": "/export", "status": 401, "json": {}}, {"path": "/configs", "drop": "mid_body", "body": "{}"}]),
        json!([{"path": LOGIN, "json": secret_token()}, {"path": "/export", "status": 302, "headers": {"Location": "/x"}}]),
    ]
    .map(canned)
    .into()
}

/// A server that quotes the token and the author with this status, which may be that of a success.
fn echo(status: u16) -> Sandbox {
    let token = format!("{CANARY}-manual");
    let said = json!({"topLevelError": format!("no: {token}"), "error_message": [token]});
    let author = format!("author {CANARY}-key is nobody");
    let unknown = json!({"error_message": author, "issues": [author]});
    canned(json!([
        {"path": "/export", "status": status, "json": said},
        {"path": "/configs", "status": status, "json": said},
        {"path": "/upload_config", "status": status, "json": unknown},
    ]))
}

/// What is in all files of a folder.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let bytes = paths.map(|path| match path.is_dir() {
        true => bytes_below(&path),
        false => std::fs::read(&path).unwrap(),
    });
    bytes.collect::<Vec<_>>().concat()
}

#[test]
fn no_secret_is_ever_printed_or_kept() {
    let servers = servers();
    let secrets = json!({"api_key": format!("{CANARY}-key"), "secret": format!("{CANARY}-secret"), "user_id": "u", "should_log_failed_messages": true, "logging_level": "DEBUG"});
    let mut configs: Vec<_> = servers
        .iter()
        .map(|server| config(server, secrets.clone()))
        .collect();
    let echoes = [200, 400, 500].map(echo);
    for echo in &echoes {
        let changes = json!({"access_token": format!("{CANARY}-manual"), "api_key": format!("{CANARY}-key"), "user_id": "u",
            "logging_level": "DEBUG"});
        configs.push(config(echo, changes));
    }
    configs.push(config(
        &servers[0],
        json!({"access_token": format!("{CANARY}\u{1}"), "user_id": "u", "logging_level": "DEBUG"}),
    ));
    configs.push(config(&servers[0], json!({"proxy": format!("http://user:{CANARY}-proxy@127.0.0.1:1"), "logging_level": "DEBUG"})));
    configs.push(config(
        &servers[0],
        json!({"proxy": format!("http://user:{CANARY}-proxy@[")}),
    ));
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let queue = json!({"linger_ms": 0, "pause_first_ms": 1, "pause_longest_ms": 1, "back_off_first_ms": 1, "back_off_longest_ms": 1,
        "delivery_events": "all", "spool_keep_free_bytes": 0, "spool_dir": spool.to_str()});
    for mut durable in configs.clone() {
        durable["log_events"] = json!("debug");
        durable["queue"] = queue.clone();
        configs.push(durable);
    }
    configs.push(json!({"secret": [format!("{CANARY}-mistyped")]}));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_logs_everything", "--nocapture"])
        .env(CHILD, json!(configs).to_string())
        .output()
        .unwrap();
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(child.status.success(), "{printed}");
    // The log was on, and told of the failures.
    assert!(printed.contains("ERROR:mona-logger:"), "{printed}");
    let seen: Vec<_> = printed
        .lines()
        .filter(|line| line.contains(CANARY))
        .collect();
    assert!(seen.is_empty(), "{seen:#?}");
    assert!(printed.contains("\"type\":\"log\"") && printed.contains("\"type\":\"delivery\""));
    let kept = bytes_below(&spool);
    let has = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("arcClass"), "nothing was kept");
    assert!(!has(CANARY));
}
