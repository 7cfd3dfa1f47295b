use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
};

use crate::{
    Options, RecordedRequest, RuleError, StartError, StoredMessage, connection,
    handler::Place,
    rules::Script,
    state::{Shared, State},
    tls,
};

/// Deeply nested JSON is read by recursion.
const STACK_SIZE: usize = 64 * 1024 * 1024;

/// A running local Mona. Dropping it closes all its connections and ends its thread.
pub struct Sandbox {
    shared: Arc<Shared>,
    place: Place,
    ca_pem: Option<String>,
    up: Option<watch::Sender<bool>>,
    /// Keeps the port while nobody listens there.
    _held: TcpSocket,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts one on a thread of its own; it accepts connections when this returns.
    ///
    /// # Errors
    /// When the port is taken, or a thread or a certificate cannot be made.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let (held, listener) = {
            let _guard = runtime.enter();
            bind(options.port).map_err(StartError::Bind)?
        };
        let place = Place {
            address: listener.local_addr().map_err(StartError::Bind)?,
            tls: options.tls,
        };
        let (acceptor, ca_pem) = match options.tls.then(tls::identity).transpose()? {
            Some(identity) => (Some(identity.acceptor), Some(identity.ca_pem)),
            None => (None, None),
        };
        let shared = Arc::new(Shared::new(options)?);
        let (up, is_up) = watch::channel(true);
        let server = connection::Server {
            shared: Arc::clone(&shared),
            place: place.clone(),
            acceptor,
        };
        let thread = std::thread::Builder::new()
            .name("mona-sandbox".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || runtime.block_on(server.run(listener, is_up)))
            .map_err(StartError::Thread)?;
        Ok(Self {
            shared,
            place,
            ca_pem,
            up: Some(up),
            _held: held,
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`, or `https://...` with TLS.
    #[must_use]
    pub fn url(&self) -> String {
        self.place.url()
    }

    /// `127.0.0.1:PORT`
    #[must_use]
    pub fn host(&self) -> String {
        self.place.address.to_string()
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.place.address.port()
    }

    /// The certificate authority to trust, as PEM, where it serves HTTPS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<String> {
        self.ca_pem.clone()
    }

    /// Adds fault rules: one rule object, an array of them, or `{"defaults": {...}, "rules": [...]}`.
    ///
    /// # Errors
    /// When a rule cannot be played; then none of them is added.
    pub fn add_rules(&self, json: &str) -> Result<(), RuleError> {
        let script = Script::parse(json)?;
        self.shared.lock().load(script);
        Ok(())
    }

    /// Forgets the fault rules and the defaults that came with them. Answers that are delayed go out at once.
    pub fn clear_rules(&self) {
        self.shared.clear_rules();
    }

    /// All requests since the start or the last reset, in order of arrival. One is here once its body has arrived, and
    /// before it is answered.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.lock().requests.clone()
    }

    /// How many requests there are, without copying them.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.shared.lock().requests.len()
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The accepted messages, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<StoredMessage> {
        self.shared.lock().store.messages().to_vec()
    }

    /// How many messages were accepted, without copying them.
    #[must_use]
    pub fn message_count(&self) -> usize {
        self.shared.lock().store.messages().len()
    }

    /// Waits until there are at least `count` requests; `false` when the time is up first.
    #[must_use]
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| state.requests.len() >= count)
    }

    /// Waits until at least `count` messages were accepted; `false` when the time is up first.
    #[must_use]
    pub fn wait_for_messages(&self, count: usize, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| state.store.messages().len() >= count)
    }

    /// Goes down, closing all connections and refusing new ones, or comes up again on the same port. What it
    /// remembers stays.
    pub fn set_up(&self, up: bool) {
        if let Some(switch) = &self.up {
            switch.send_replace(up);
        }
    }

    /// Forgets rules, requests, tokens and stored data: all but the count of connections.
    pub fn reset(&self) {
        self.shared.reset();
    }

    fn wait_until(&self, timeout: Duration, done: impl Fn(&State) -> bool) -> bool {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |state| !done(state))
            .unwrap_or_else(PoisonError::into_inner);
        done(&state)
    }
}

/// A listener, and a socket that keeps its port.
fn bind(port: u16) -> std::io::Result<(TcpSocket, TcpListener)> {
    let held = connection::hold(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let listener = connection::listen(held.local_addr()?)?;
    Ok((held, listener))
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.up.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported by the thread; there is nobody to hand it to here.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
