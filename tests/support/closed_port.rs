//! A port that refuses connections.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener, TcpStream};

/// It does so for as long as this lives: it belongs to a connection, and nobody listens.
pub struct ClosedPort {
    host: SocketAddr,
    _connection: (TcpListener, TcpStream),
}

impl ClosedPort {
    pub fn new() -> ClosedPort {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ClosedPort {
            host: stream.local_addr().unwrap(),
            _connection: (listener, stream),
        }
    }

    pub fn host(&self) -> String {
        self.host.to_string()
    }
}
