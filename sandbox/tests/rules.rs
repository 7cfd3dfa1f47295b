//! Faults on request.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use std::{
    io::{ErrorKind, Read},
    time::{Duration, Instant},
};

use common::{TIMEOUT, canned, connect, exchange, get, receive, send, start, token};
use flate2::read::GzDecoder;
use mona_sandbox::Sandbox;
use serde_json::json;

#[test]
fn the_first_rule_that_is_not_used_up_answers() {
    let sandbox = start();
    sandbox
        .add_rules(r#"[{"path": "/a", "status": 500, "times": 1}, {"path": "/*", "status": 503}]"#)
        .unwrap();
    assert_eq!(
        [
            get(&sandbox, "/a").status,
            get(&sandbox, "/a").status,
            get(&sandbox, "/b?q=1").status
        ],
        [500, 503, 503]
    );
}

#[test]
fn a_rule_may_be_for_one_method() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "method": "POST", "status": 418}"#)
        .unwrap();
    assert_eq!(get(&sandbox, "/a").status, 404);
    assert_eq!(
        exchange(&sandbox, "POST", "/a", &[], b"").unwrap().status,
        418
    );
}

#[test]
fn a_wrong_rule_adds_nothing() {
    let sandbox = start();
    let error = sandbox
        .add_rules(r#"[{"path": "/a", "status": 500}, {"path": "/b", "wait": 1}]"#)
        .unwrap_err();
    assert!(error.to_string().contains("`wait`"), "{error}");
    assert_eq!(get(&sandbox, "/a").status, 404);
}

#[test]
fn json_keeps_its_text_and_placeholders_are_filled_in() {
    let sandbox = start();
    let rule = r#"{"path": "/a", "json": {"z": 1.10, "a": 123456789012345678901, "u": ["$SERVER_URL/x", "$SERVER_PORT"]},
        "headers": {"Location": "$SERVER_URL/b"}}"#;
    sandbox.add_rules(rule).unwrap();
    let answer = get(&sandbox, "/a");
    let url = sandbox.url();
    let wanted = format!(
        r#"{{"z":1.10,"a":123456789012345678901,"u":["{url}/x","{}"]}}"#,
        sandbox.port()
    );
    assert_eq!(answer.text(), wanted);
    assert_eq!(answer.header("location"), Some(format!("{url}/b").as_str()));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn a_token_of_a_rule_is_made_from_its_claims_and_is_let_in() {
    let sandbox = start();
    sandbox
        .add_rules(
            r#"{"path": "/t", "json": {"$jwt": {"tenantId": "tenant-1", "jti": "token-1"}}}"#,
        )
        .unwrap();
    let made = get(&sandbox, "/t").json().as_str().unwrap().to_owned();
    assert_eq!(
        made,
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJqdGkiOiJ0b2tlbi0xIiwidGVuYW50SWQiOiJ0ZW5hbnQtMSJ9."
    );
    let answer = common::post(
        &sandbox,
        "/export",
        &made,
        r#"{"userId": "tenant-1", "messages": []}"#,
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn dates_are_those_of_the_answer() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/d", "json": {"expires": {"$http_date_in": -3600}}}"#)
        .unwrap();
    let text = get(&sandbox, "/d").json()["expires"]
        .as_str()
        .unwrap()
        .to_owned();
    let age = httpdate::parse_http_date(&text).unwrap().elapsed().unwrap();
    assert!(
        age >= Duration::from_secs(3600) && age < Duration::from_secs(3700),
        "{text}"
    );
}

#[test]
fn bodies_come_as_text_base64_or_mere_length() {
    let sandbox = start();
    let rules = r#"[{"path": "/text", "body": "é"}, {"path": "/b64", "body_b64": "/wA="}, {"path": "/long", "body_bytes": 1000000}]"#;
    sandbox.add_rules(rules).unwrap();
    assert_eq!(get(&sandbox, "/text").body, "é".as_bytes());
    assert_eq!(get(&sandbox, "/text").header("content-type"), None);
    assert_eq!(get(&sandbox, "/b64").body, [0xff, 0]);
    assert_eq!(get(&sandbox, "/long").body.len(), 1_000_000);
}

#[test]
fn an_answer_is_packed_for_those_who_accept_it() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "json": {"x": 1}, "gzip": true}"#)
        .unwrap();
    let packed = exchange(
        &sandbox,
        "GET",
        "/a",
        &[("accept-encoding", "gzip, deflate")],
        b"",
    )
    .unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, r#"{"x": 1}"#);
    assert_eq!(get(&sandbox, "/a").text(), r#"{"x": 1}"#);
}

#[test]
fn a_chunked_answer_arrives_whole() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "body": "hello", "chunked": true}"#)
        .unwrap();
    let answer = get(&sandbox, "/a");
    assert_eq!(
        (answer.header("transfer-encoding"), answer.text().as_str()),
        (Some("chunked"), "hello")
    );
}

#[test]
fn an_answer_may_be_late_and_slow() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "body": "12345", "delay_ms": 100, "slow_ms_per_byte": 20}"#)
        .unwrap();
    let begin = Instant::now();
    assert_eq!(get(&sandbox, "/a").text(), "12345");
    assert!(begin.elapsed() >= Duration::from_millis(200));
}

#[test]
fn forgetting_the_rules_lets_late_answers_go() {
    for forget in [Sandbox::clear_rules, Sandbox::reset] {
        let sandbox = start();
        sandbox
            .add_rules(r#"{"path": "/a", "delay_ms": 3600000, "body": "late"}"#)
            .unwrap();
        let mut stream = connect(&sandbox);
        send(&mut stream, "GET", "/a", &[], b"").unwrap();
        assert!(sandbox.wait_for_requests(1, TIMEOUT));
        forget(&sandbox);
        assert_eq!(receive(&mut stream).unwrap().text(), "late");
    }
}

#[test]
fn a_connection_may_break_at_each_point() {
    let sandbox = start();
    let rule = |drop: &str| {
        sandbox.clear_rules();
        sandbox
            .add_rules(&json!({"path": "*", "drop": drop, "body": "0123456789"}).to_string())
            .unwrap();
        let mut stream = connect(&sandbox);
        send(&mut stream, "GET", "/", &[], b"").unwrap();
        let mut text = String::new();
        let end = stream
            .read_to_string(&mut text)
            .map_err(|error| error.kind());
        (end.map(|_| ()), text)
    };
    assert_eq!(rule("before_response"), (Ok(()), String::new()));
    assert_eq!(
        rule("reset"),
        (Err(ErrorKind::ConnectionReset), String::new())
    );
    assert_eq!(rule("mid_headers"), (Ok(()), "HTTP/1".to_owned()));
    let (end, text) = rule("mid_body");
    assert_eq!(end, Ok(()));
    assert!(
        text.contains("content-length: 10\r\n") && text.ends_with("\r\n\r\n01234"),
        "{text}"
    );
}

#[test]
fn a_rule_may_lie_about_the_length() {
    let sandbox = start();
    sandbox
        .add_rules(r#"{"path": "/a", "body": "x", "headers": {"Content-Length": "9"}}"#)
        .unwrap();
    assert_eq!(
        exchange(&sandbox, "GET", "/a", &[], b"")
            .err()
            .map(|error| error.kind()),
        Some(ErrorKind::UnexpectedEof)
    );
}

#[test]
fn a_connection_stays_open_unless_a_rule_closes_it() {
    let sandbox = start();
    sandbox
        .add_rules(
            r#"[{"path": "/keep", "body": ""}, {"path": "/close", "body": "", "close": true}]"#,
        )
        .unwrap();
    let mut stream = connect(&sandbox);
    for path in ["/keep", "/keep", "/close"] {
        send(&mut stream, "GET", path, &[], b"").unwrap();
        receive(&mut stream).unwrap();
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let connections: Vec<u64> = sandbox
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [1, 1, 1]);
}

#[test]
fn defaults_come_with_rules() {
    let sandbox = start();
    sandbox.add_rules(r#"{"defaults": {"tenantId": "t", "expires_in": 60, "segments_for_dimensions": false}}"#).unwrap();
    assert_eq!(common::log_in(&sandbox, "k", "s").json()["expiresIn"], 60);
    let token = token(&sandbox);
    assert_eq!(
        common::post(&sandbox, "/get_segments_for_dimensions", &token, "{}").status,
        404
    );
    assert_eq!(
        common::post(
            &sandbox,
            "/export",
            &token,
            r#"{"userId": "t", "messages": []}"#
        )
        .status,
        200
    );
}

#[test]
fn a_rule_answers_for_a_proxy_too() {
    let sandbox = canned();
    sandbox
        .add_rules(r#"{"path": "/configs", "json": {"through": "proxy"}}"#)
        .unwrap();
    assert_eq!(
        get(&sandbox, "http://api.example/configs").json()["through"],
        "proxy"
    );
    assert_eq!(sandbox.requests()[0].path, "http://api.example/configs");
}

#[test]
fn a_handled_request_counts_although_its_answer_is_lost() {
    let sandbox = start();
    let token = token(&sandbox);
    sandbox
        .add_rules(r#"{"path": "/export", "times": 1, "handle": true, "drop": "before_response"}"#)
        .unwrap();
    let body = r#"{"userId": "sandbox", "messages": [{"arcClass": "C", "message": {"a": 1}}]}"#;
    let request = format!(
        "POST /export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut lost = Vec::new();
    let mut stream = connect(&sandbox);
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    stream.read_to_end(&mut lost).unwrap();
    assert_eq!((lost.len(), sandbox.message_count()), (0, 1));
}

#[test]
fn a_rule_may_end_a_request_before_its_body_or_answer_with_any_bytes() {
    let sandbox = canned();
    sandbox
        .add_rules(r#"[{"path": "/a", "times": 1, "drop": "mid_request"}, {"path": "/a", "raw": "HTTP/1.1 100 Continue\r\n\r\nnonsense"}]"#)
        .unwrap();
    for expected in ["", "HTTP/1.1 100 Continue\r\n\r\nnonsense"] {
        let mut stream = connect(&sandbox);
        let head = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        std::io::Write::write_all(&mut stream, head).unwrap();
        let mut answer = String::new();
        // A reset in the first case, where the kernel had not seen all of it read.
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(answer, expected);
    }
    assert_eq!(sandbox.request_count(), 1);
}

#[test]
fn a_sandbox_that_is_down_refuses_and_comes_back_on_its_port() {
    let sandbox = start();
    let mut kept = connect(&sandbox);
    sandbox.set_up(false);
    // The connection ends when the listener is gone.
    let _ = kept.read(&mut [0]);
    let refused = std::net::TcpStream::connect(sandbox.host()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    sandbox.set_up(true);
    while std::net::TcpStream::connect(sandbox.host()).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(get(&sandbox, "/nowhere").status, 404);
}

#[test]
fn a_sandbox_that_is_up_stays_so_when_it_is_told_to_be() {
    let sandbox = start();
    for _ in 0..100 {
        sandbox.set_up(true);
        assert_eq!(get(&sandbox, "/nowhere").status, 404);
    }
}
