//! The program `mona-sandbox`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use common::{receive, send};
use serde_json::Value;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mona-sandbox"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts it, and reads the line that says where it is.
fn serve(arguments: &[&str]) -> (Child, Value) {
    let mut child = program(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

#[test]
fn it_says_where_it_is_and_serves_until_stdin_closes() {
    let (mut child, ready) = serve(&["--until-stdin-closes", "--tenant", "acme"]);
    let host = ready["host"].as_str().unwrap();
    assert_eq!(ready["url"], format!("http://{host}"));
    assert!(ready["ca_file"].is_null());
    let mut stream = TcpStream::connect(host).unwrap();
    send(&mut stream, "GET", "/sandbox/health", &[], b"").unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 200);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn it_ends_at_a_signal() {
    let (mut child, _) = serve(&[]);
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_writes_the_authority_to_trust() {
    let path = std::env::temp_dir().join(format!("mona-sandbox-ca-{}.pem", std::process::id()));
    let text = path.to_str().unwrap();
    let (mut child, ready) = serve(&["--tls", "--ca-out", text, "--until-stdin-closes"]);
    assert_eq!(ready["ca_file"], text);
    assert!(ready["url"].as_str().unwrap().starts_with("https://"));
    let pem = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_rules_file_is_played_from_the_start() {
    let path = std::env::temp_dir().join(format!("mona-sandbox-rules-{}.json", std::process::id()));
    std::fs::File::create(&path)
        .unwrap()
        .write_all(br#"{"path": "/a", "status": 418}"#)
        .unwrap();
    let (mut child, ready) = serve(&["--rules", path.to_str().unwrap(), "--until-stdin-closes"]);
    std::fs::remove_file(&path).unwrap();
    let mut stream = TcpStream::connect(ready["host"].as_str().unwrap()).unwrap();
    send(&mut stream, "GET", "/a", &[], b"").unwrap();
    assert_eq!(receive(&mut stream).unwrap().status, 418);
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_wrong_argument_is_named() {
    for (arguments, part) in [
        (&["--prot", "1"][..], "--prot"),
        (&["--port", "x"], "--port"),
        (&["--api-key", "k"], "--secret"),
        (&["--ca-out", "f"], "--tls"),
    ] {
        let output = program(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(part),
            "{arguments:?}"
        );
        assert!(output.stdout.is_empty());
    }
}
