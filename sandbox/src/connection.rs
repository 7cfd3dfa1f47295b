//! Accepting connections, and one connection's life.

use std::{
    future::poll_fn,
    io::{self, Read},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body, Incoming},
    header::CONTENT_ENCODING,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    answer::{Answer, AnswerBody, DropPoint},
    handler::{self, Place},
    request::Request,
    state::Shared,
};

/// A listener that cannot accept (no file descriptors left) is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A socket that keeps an address without listening.
pub(crate) fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    hold(address)?.listen(BACKLOG)
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

pub(crate) struct Server {
    pub shared: Arc<Shared>,
    pub place: Place,
    pub acceptor: Option<TlsAcceptor>,
}

impl Server {
    /// Serves until the other end of `up` is gone; while that says false, connections are closed and new ones
    /// refused.
    pub(crate) async fn run(self, listener: TcpListener, mut up: watch::Receiver<bool>) {
        let server = Arc::new(self);
        let mut connections = JoinSet::new();
        let address = server.place.address;
        let mut listener = Some(listener);
        loop {
            let accepting = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = up.changed() => match changed {
                    Err(_) => return,
                    Ok(()) if *up.borrow_and_update() => {
                        // It may listen already: where it was down and up again before this looked.
                        if listener.is_none() {
                            listener = listen(address).ok();
                        }
                    }
                    Ok(()) => {
                        listener = None;
                        connections.shutdown().await;
                    }
                },
                Some(_) = connections.join_next() => {}
                accepted = accepting => match accepted {
                    Ok((socket, _)) => {
                        let number = server.shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                        connections.spawn(Arc::clone(&server).welcome(socket, number));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }

    async fn welcome(self: Arc<Self>, socket: TcpStream, number: u64) {
        // Only speed is lost where the socket does not take the option.
        let _ = socket.set_nodelay(true);
        match &self.acceptor {
            None => self.serve(socket, number).await,
            Some(acceptor) => {
                // A client that breaks the handshake off has seen its own error.
                if let Ok(stream) = acceptor.accept(socket).await {
                    self.serve(stream, number).await;
                }
            }
        }
    }

    async fn respond(
        &self,
        incoming: hyper::Request<Incoming>,
        number: u64,
        ending: &Mutex<Option<Ending>>,
    ) -> io::Result<Response<AnswerBody>> {
        if handler::breaks_off(&self.shared, &incoming) {
            *ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ending::default());
            return Err(io::Error::other("the rule ends this connection"));
        }
        let request = receive(incoming, self.shared.options.body_limit, number).await?;
        // From before the rule is taken, so that one that is forgotten at once delays nothing.
        let forgotten = self.shared.forgotten.notified();
        let answer = handler::answer(&self.shared, &self.place, &request);
        if !answer.delay.is_zero() {
            // Whichever comes first.
            let _ = tokio::time::timeout(answer.delay, forgotten).await;
        }
        Ending::of(answer).map_err(|planned| {
            *ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(planned);
            // Makes hyper let go of the connection without an answer.
            io::Error::other("the rule ends this connection")
        })
    }

    async fn serve<S: Wire>(&self, stream: S, number: u64) {
        let ending: Mutex<Option<Ending>> = Mutex::new(None);
        // Boxed: a connection can only be polled by hand when its service's futures can be moved.
        let service = service_fn(|incoming| Box::pin(self.respond(incoming, number, &ending)));
        // No timer: a connection may idle for as long as the client likes.
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let served = poll_fn(|context| connection.poll_without_shutdown(context)).await;
        let mut stream = connection.into_parts().io.into_inner();
        let planned = ending.lock().unwrap_or_else(PoisonError::into_inner).take();
        match planned {
            Some(planned) => planned.play(stream).await,
            // The client may be gone already.
            None if served.is_ok() => drop(stream.shutdown().await),
            None => {}
        }
    }
}

/// A stream whose socket can be told how to close.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How a connection ends that a rule ends: some last bytes, then a close or a reset.
#[derive(Default)]
struct Ending {
    bytes: Vec<u8>,
    reset: bool,
}

impl Ending {
    /// An answer that hyper can send, or else the ending it is.
    fn of(answer: Answer) -> Result<Response<AnswerBody>, Self> {
        if let Some(raw) = answer.raw {
            return Err(Self {
                bytes: raw.to_vec(),
                reset: false,
            });
        }
        let half = answer.body.slice(..answer.body.len() / 2);
        let (bytes, reset) = match answer.drop {
            None if !answer.frames_itself() => return Ok(answer.into_response()),
            None => (answer.wire_bytes(&answer.body), false),
            Some(DropPoint::MidRequest | DropPoint::BeforeResponse) => (Vec::new(), false),
            Some(DropPoint::Reset) => (Vec::new(), true),
            Some(DropPoint::MidHeaders) => (b"HTTP/1".to_vec(), false),
            Some(DropPoint::MidBody) => (answer.wire_bytes(&half), false),
            Some(DropPoint::ResetMidBody) => (answer.wire_bytes(&half), true),
        };
        Err(Self { bytes, reset })
    }

    async fn play<S: Wire>(self, mut stream: S) {
        let sent = stream.write_all(&self.bytes).await.is_ok() && stream.flush().await.is_ok();
        if self.reset {
            // Without the option the connection closes in the ordinary way.
            let _ = stream.socket().set_zero_linger();
        } else if sent {
            drop(stream.shutdown().await);
        }
    }
}

/// Reads a whole request. What is beyond the limit is read too, and thrown away: a client that is still sending would
/// see a broken connection in place of the answer.
async fn receive(
    incoming: hyper::Request<Incoming>,
    limit: usize,
    connection: u64,
) -> io::Result<Request> {
    let (head, mut incoming) = incoming.into_parts();
    let expected = usize::try_from(incoming.size_hint().lower()).unwrap_or(limit);
    let mut body = Vec::with_capacity(expected.min(limit));
    let mut too_large = false;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else {
            continue;
        };
        let room = limit - body.len();
        too_large |= data.len() > room;
        body.extend_from_slice(data.get(..room).unwrap_or(&data));
    }
    let packed = head
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding == "gzip");
    // What does not unpack is left as it is; whoever reads the body says what is wrong with it.
    if let Some(Ok((unpacked, more))) = packed.then(|| unpack(&body, limit)) {
        body = unpacked;
        too_large |= more;
    }
    Ok(Request {
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body: Bytes::from(body),
        too_large,
        connection,
    })
}

fn unpack(packed: &[u8], limit: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut decoder = GzDecoder::new(packed);
    decoder.by_ref().take(most).read_to_end(&mut body)?;
    let more = decoder.read(&mut [0])? > 0;
    Ok((body, more))
}
