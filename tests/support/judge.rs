//! A server whose answers a closure decides from each request's body.
#![allow(dead_code, clippy::unwrap_used)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A status and a body; status 0 closes the connection without an answer.
pub type Answer = (u16, String);

pub struct Judge {
    host: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    ended: Arc<AtomicBool>,
}

impl Judge {
    /// The closure gets the messages of a request, and the number of the request.
    pub fn start(answer: impl Fn(&[Value], usize) -> Answer + Send + Sync + 'static) -> Judge {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let judge = Judge {
            host: listener.local_addr().unwrap().to_string(),
            bodies: Arc::default(),
            ended: Arc::default(),
        };
        let (bodies, ended) = (judge.bodies.clone(), judge.ended.clone());
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (bodies, answer) = (bodies.clone(), answer.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &bodies, &*answer));
            }
        });
        judge
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap().clone()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.host);
    }
}

fn serve(
    stream: TcpStream,
    bodies: &Mutex<Vec<Vec<u8>>>,
    answer: &(dyn Fn(&[Value], usize) -> Answer + Send + Sync),
) {
    let mut reader = BufReader::new(stream);
    while let Some(body) = request(&mut reader) {
        let parsed: Value = serde_json::from_slice(&body).unwrap();
        let number = {
            let mut bodies = bodies.lock().unwrap();
            bodies.push(body);
            bodies.len()
        };
        let (status, text) = answer(parsed["messages"].as_array().unwrap(), number);
        if status == 0 {
            return;
        }
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        if reader
            .get_mut()
            .write_all((head + &text).as_bytes())
            .is_err()
        {
            return;
        }
    }
}

/// The body of the next request; none when the connection ends.
pub fn request(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
