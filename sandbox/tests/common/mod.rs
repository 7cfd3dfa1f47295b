//! A small HTTP client over a raw socket.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

pub const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub fn start() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

pub fn canned() -> Sandbox {
    Sandbox::start(Options {
        canned: true,
        ..Options::default()
    })
    .unwrap()
}

pub fn connect(sandbox: &Sandbox) -> TcpStream {
    let stream = TcpStream::connect(sandbox.host()).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Sends one request over an open stream.
pub fn send(
    stream: &mut impl Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<()> {
    let mut wire = format!("{method} {path} HTTP/1.1\r\nhost: sandbox\r\n");
    for (name, value) in headers {
        wire.push_str(&format!("{name}: {value}\r\n"));
    }
    wire.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut wire = wire.into_bytes();
    wire.extend_from_slice(body);
    stream.write_all(&wire)
}

/// Reads one answer; an error when it breaks off.
pub fn receive(stream: &mut impl Read) -> io::Result<Response> {
    let mut reader = BufReader::new(stream);
    let mut line = || -> io::Result<String> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        line.strip_suffix("\r\n")
            .map(str::to_owned)
            .ok_or(io::ErrorKind::UnexpectedEof.into())
    };
    let status = line()?.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
    };
    if response.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(response);
            }
            response.body.extend_from_slice(&chunk[..size]);
        }
    }
    let length = response
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    response.body.resize(length, 0);
    reader.read_exact(&mut response.body)?;
    Ok(response)
}

/// One request on a connection of its own.
pub fn exchange(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut stream = connect(sandbox);
    send(&mut stream, method, path, headers, body)?;
    receive(&mut stream)
}

pub fn get(sandbox: &Sandbox, path: &str) -> Response {
    exchange(sandbox, "GET", path, &[], b"").unwrap()
}

pub fn post(sandbox: &Sandbox, path: &str, token: &str, body: &str) -> Response {
    let authorization = format!("Bearer {token}");
    exchange(
        sandbox,
        "POST",
        path,
        &[("authorization", &authorization)],
        body.as_bytes(),
    )
    .unwrap()
}

pub fn log_in(sandbox: &Sandbox, api_key: &str, secret: &str) -> Response {
    let body = json!({"clientId": api_key, "secret": secret}).to_string();
    post(sandbox, "/identity/resources/auth/v1/api-token", "", &body)
}

pub fn token(sandbox: &Sandbox) -> String {
    log_in(sandbox, "key", "secret").json()["accessToken"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Exports messages, each as its JSON text.
pub fn export(sandbox: &Sandbox, messages: &[&str]) -> Response {
    let body = format!(
        r#"{{"userId": "sandbox", "messages": [{}]}}"#,
        messages.join(",")
    );
    post(sandbox, "/export", &token(sandbox), &body)
}

/// Calls a service and gives its `response_data`.
pub fn service(sandbox: &Sandbox, path: &str, arguments: &Value) -> Value {
    let answer = post(sandbox, path, &token(sandbox), &arguments.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["response_data"].clone()
}

/// Calls a service with wrong arguments and gives the reason it says.
pub fn refusal(sandbox: &Sandbox, path: &str, arguments: &Value) -> String {
    let answer = post(sandbox, path, &token(sandbox), &arguments.to_string());
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["response_data"].as_str().unwrap().to_owned()
}

pub const DAY: i64 = 86_400;
pub const START: i64 = 1_672_790_400;

/// Ten contexts of class A, one each day: five in "north" with 10, five in "south" with 20, and a last one far off.
pub fn with_data() -> Sandbox {
    let sandbox = start();
    let mut messages: Vec<String> = (0..10)
        .map(|day| {
            let (city, amount) = if day < 5 {
                ("north", 10)
            } else {
                ("south", 20)
            };
            context(
                &format!("c{day}"),
                START + day * DAY,
                &json!({"city": city, "amount": amount}),
            )
        })
        .collect();
    messages.push(context(
        "odd",
        START + 10 * DAY,
        &json!({"city": "east", "amount": 500, "flag": true}),
    ));
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    assert_eq!(export(&sandbox, &messages).status, 200);
    sandbox
}

fn context(id: &str, time: i64, fields: &Value) -> String {
    json!({"arcClass": "A", "contextId": id, "exportTimestamp": time, "message": fields})
        .to_string()
}
