//! The thread that all requests of a process go through.
//!
//! Where the system has private tables of file descriptors (Linux 5.9 and newer), the thread's sockets and whatever
//! else it opens are invisible to the rest of the process: a forked child inherits none of them, and a host
//! that closes every descriptor it can find breaks no connection. Hence the one rule here: nothing of the runtime is
//! touched from outside, because waking it writes to a descriptor's number, which means something else there.
//! Requests come through a second thread, which has the same table.
#![forbid(unsafe_code)]

use super::response::{self, Response};
use super::{Settings, failure, out_of_time, reason, resolver, tls};
use crate::error::Error;
use crate::ffi::descriptors;
use crate::thread::with_signals_blocked;
use reqwest::header::HeaderMap;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long an unused connection is kept: less than servers do, which would otherwise close it just when it
/// is used again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The thread ends a request in time and says what took so long. Should it be stuck itself, in reading
/// certificates from a dead disk, say, then its caller waits so much longer.
const GRACE: Duration = Duration::from_millis(100);

/// Enough for a handshake in an unoptimised build.
const STACK_BYTES: usize = 512 * 1024;
const FORWARDER_STACK_BYTES: usize = 128 * 1024;

/// One POST, ready to go.
pub struct Job {
    /// The number of its connection pool.
    pub pool: u64,
    pub settings: Arc<Settings>,
    /// The server as messages name it.
    pub server: &'static str,
    pub url: String,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
    /// The most bytes its answer may have.
    pub response_limit: usize,
    pub until: Instant,
}

type Answer = Result<Response, Error>;

enum Command {
    Send(Box<Job>, SyncSender<Answer>),
    /// Close the connections of a pool.
    Forget(u64),
    /// Close the connections of all pools, and say so.
    Rest(SyncSender<()>),
}

/// The thread. It ends when this is dropped, and its connections with it.
pub struct Http {
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    /// Whether its descriptors are invisible to the rest of the process.
    hidden: bool,
}

impl Http {
    pub fn start() -> io::Result<Http> {
        let (commands, queue) = channel();
        let (started, start) = sync_channel(1);
        let run = move || match prepare(queue) {
            Ok(Prepared {
                runtime,
                commands,
                forwarder,
                hidden,
            }) => {
                let _ = started.send(Ok(hidden));
                runtime.block_on(perform(commands));
                drop(runtime);
                let _ = forwarder.join();
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        };
        let thread = with_signals_blocked(|| {
            let builder = Builder::new().name("mona-http".into());
            builder.stack_size(STACK_BYTES).spawn(run)
        })?;
        let mut http = Http {
            commands: Some(commands),
            thread: Some(thread),
            hidden: false,
        };
        http.hidden = start.recv().map_err(io::Error::other)??;
        Ok(http)
    }

    /// Sends a request and waits for its answer.
    pub fn send(&self, job: Job) -> Answer {
        let (server, until) = (job.server, job.until);
        let (sender, answer) = sync_channel(1);
        self.command(Command::Send(Box::new(job), sender));
        let left = until.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left.saturating_add(GRACE)) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(out_of_time(server)),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::Internal("a request ended without an answer".into()))
            }
        }
    }

    pub fn forget(&self, pool: u64) {
        self.command(Command::Forget(pool));
    }

    /// Closes connections that a forked child would inherit.
    pub fn rest(&self) {
        if !self.hidden {
            let (sender, done) = sync_channel(1);
            self.command(Command::Rest(sender));
            let _ = done.recv_timeout(GRACE);
        }
    }

    fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A thread that is gone drops the command, which is how its sender learns of it.
            let _ = commands.send(command);
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // Its panic would be nobody's concern any more.
            let _ = thread.join();
        }
    }
}

struct Prepared {
    runtime: Runtime,
    commands: UnboundedReceiver<Command>,
    forwarder: JoinHandle<()>,
    hidden: bool,
}

/// A runtime for the calling thread and a forwarder of commands to it, in a table of descriptors of their own where
/// that can be had.
fn prepare(queue: Receiver<Command>) -> io::Result<Prepared> {
    let hidden = descriptors::leave_shared_table().is_ok();
    if hidden {
        occupy_standard_numbers()?;
    }
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sender, commands) = unbounded_channel();
    let builder = Builder::new().name("mona-http-in".into());
    let forwarder = builder
        .stack_size(FORWARDER_STACK_BYTES)
        .spawn(move || forward(queue, &sender))?;
    Ok(Prepared {
        runtime,
        commands,
        forwarder,
        hidden,
    })
}

/// Takes the numbers 0 to 2 of an empty table. A panic's message would otherwise go into the socket that got number 2.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn occupy_standard_numbers() -> io::Result<()> {
    use nix::sys::eventfd::{EfdFlags, EventFd};
    for _ in 0..3 {
        // They go with the table.
        std::mem::forget(EventFd::from_flags(
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?);
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn occupy_standard_numbers() -> io::Result<()> {
    Ok(())
}

fn forward(queue: Receiver<Command>, commands: &UnboundedSender<Command>) {
    for command in queue {
        if commands.send(command).is_err() {
            return;
        }
    }
}

async fn perform(mut commands: UnboundedReceiver<Command>) {
    let mut pools = HashMap::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Send(job, answer) => match pool(&mut pools, &job) {
                Ok(pool) => {
                    // A caller that waits no longer wants no answer.
                    tokio::spawn(async move { answer.send(exchange(pool, job).await) });
                }
                Err(cause) => {
                    let server = job.server;
                    let _ = answer.send(Err(Error::Connection { server, cause }));
                }
            },
            Command::Forget(number) => drop(pools.remove(&number)),
            Command::Rest(done) => {
                pools.clear();
                // The tasks of the connections have a turn first, in which they close them.
                tokio::task::yield_now().await;
                let _ = done.send(());
            }
        }
    }
}

fn pool(pools: &mut HashMap<u64, reqwest::Client>, job: &Job) -> Result<reqwest::Client, String> {
    if let Some(pool) = pools.get(&job.pool) {
        return Ok(pool.clone());
    }
    let pool = build(&job.settings)?;
    pools.insert(job.pool, pool.clone());
    Ok(pool)
}

fn build(settings: &Settings) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(Arc::new(resolver::Resolver))
        .tls_backend_preconfigured(tls::config(settings.ca_file.clone())?);
    for proxy in settings.proxies.build()? {
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(reason)
}

/// Whether all but the path and the query of a URL is ASCII, as hosts' names are on the wire.
fn has_ascii_host(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default().is_ascii()
}

async fn exchange(pool: reqwest::Client, job: Box<Job>) -> Answer {
    if !has_ascii_host(&job.url) {
        return Err(Error::Connection {
            server: job.server,
            cause: "a host's name must be ASCII: write an international one as xn--...".into(),
        });
    }
    let request = pool
        .post(job.url)
        .timeout(job.until.saturating_duration_since(Instant::now()))
        .headers(job.headers)
        .body(job.body);
    let response = request.send().await;
    let response = response.map_err(|error| failure(job.server, error))?;
    response::read(job.server, response, job.response_limit).await
}
