//! The thread that all requests of a process go through.
//!
//! Where the system has private tables of file descriptors (Linux 5.9 and newer), the thread's sockets and whatever
//! else it opens are invisible to the rest of the process: a forked child inherits none of them, and a host
//! that closes every descriptor it can find breaks no connection. Hence the one rule here: nothing of the runtime is
//! touched from outside, because waking it writes to a descriptor's number, which means something else there.
//! While it waits for its sockets, it is woken by a second thread, which has the same table.
#![forbid(unsafe_code)]

use super::inbox::{Found, Inbox};
use super::pending::{End, Pending};
use super::pools::{self, Pools};
use super::reply::Reply;
use super::response;
use super::{Settings, failure, unsendable};
use crate::ffi::descriptors;
use crate::sync::Deadline;
use crate::thread::{self, JoinHandle};
use reqwest::header::HeaderValue;
use std::error::Error as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::runtime::{self, Runtime};
use tokio::sync::Notify;

/// How long a fork waits for connections to be closed.
const REST: Duration = Duration::from_millis(100);

/// How long the thread waits for another command before it goes to its runtime, where unused connections time out and
/// closed ones are noticed.
const LINGER_MS: u64 = 100;

/// How long the last client waits for the thread to end. It does at once, unless the host has closed the descriptors that wake it.
const END_PATIENCE_MS: u64 = 5_000;

/// How the system tells that the other side has closed a connection.
const CLOSED: [io::ErrorKind; 3] = [
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::ConnectionReset,
];

/// One POST, ready to go.
pub struct Job {
    /// The number of its connection pool.
    pub pool: u64,
    pub settings: Arc<Settings>,
    /// The server as messages name it.
    pub server: &'static str,
    pub url: String,
    pub content_type: &'static str,
    pub authorization: Option<HeaderValue>,
    pub body: bytes::Bytes,
    /// The most bytes its answer may have.
    pub response_limit: usize,
    pub until: Instant,
    /// Whether it was sent before, on a connection that turned out to be closed.
    pub resent: bool,
}

enum Command {
    Send(Box<Job>, Reply<End>),
    /// Close the connections of a pool.
    Forget(u64),
    /// Close the connections of all pools, and say so.
    Rest(SyncSender<()>),
}

/// The thread. It ends when this is dropped, and its connections with it.
pub struct Http {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
    /// Whether its descriptors are invisible to the rest of the process.
    hidden: bool,
}

impl Http {
    pub fn start() -> io::Result<Http> {
        let desk = Arc::new(Desk::default());
        let (started, start) = sync_channel(1);
        let worker = Worker::new(desk.clone());
        let run = move || match prepare(&worker.desk) {
            Ok(prepared) => {
                let _ = started.send(Ok(prepared.hidden));
                worker.live(prepared);
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        };
        let thread = thread::start("mona-http", thread::MEDIUM_STACK, run)?;
        let mut http = Http {
            desk,
            thread: Some(thread),
            hidden: false,
        };
        http.hidden = start.recv().map_err(io::Error::other)??;
        Ok(http)
    }

    /// Whether requests can be sent: not any more where a panic ended the thread, because the host closed its descriptors, say.
    pub fn serves(&self) -> bool {
        !self.desk.inbox.closed()
    }

    pub fn send(&self, job: Job) -> Pending {
        let (reply, pending) = Pending::new(job.server, job.until);
        self.desk.inbox.put(Command::Send(Box::new(job), reply));
        pending
    }

    pub fn forget(&self, pool: u64) {
        self.desk.inbox.put(Command::Forget(pool));
    }

    /// Closes connections that a forked child would inherit.
    pub fn rest(&self) {
        if !self.hidden {
            let (sender, done) = sync_channel(1);
            self.desk.inbox.put(Command::Rest(sender));
            let _ = done.recv_timeout(REST);
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // One that serves no more may never notice: the host closed what wakes it.
        let serving = self.serves();
        self.desk.inbox.close();
        if let Some(thread) = self.thread.take().filter(|_| serving) {
            thread::join(thread, Deadline::after(Some(END_PATIENCE_MS)));
        }
    }
}

struct Prepared {
    runtime: Runtime,
    forwarder: JoinHandle<()>,
    hidden: bool,
}

/// A runtime for the calling thread and a forwarder that wakes it, in a table of descriptors of their own where that
/// can be had.
fn prepare(desk: &Arc<Desk>) -> io::Result<Prepared> {
    let hidden = descriptors::leave_shared_table().is_ok();
    if hidden {
        occupy_standard_numbers()?;
    }
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let desk = desk.clone();
    let forward = move || {
        let _closing = Closing(desk.clone());
        desk.inbox.forward(|| desk.woken.notify_one());
    };
    let forwarder = thread::start("mona-http-in", thread::SMALL_STACK, forward)?;
    Ok(Prepared {
        runtime,
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

/// What the thread shares with others and with the tasks of its requests.
#[derive(Default)]
struct Desk {
    inbox: Inbox<Command>,
    /// Told when the inbox is to be looked into.
    woken: Notify,
    /// How many requests are under way.
    under_way: AtomicUsize,
}

/// Closes the desk when one of the two threads ends, however it does: nobody is to wait for one that is gone.
struct Closing(Arc<Desk>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.inbox.close();
    }
}

/// Carries out what comes to a desk.
struct Worker {
    desk: Arc<Desk>,
    pools: Pools,
}

impl Worker {
    fn new(desk: Arc<Desk>) -> Self {
        Worker {
            desk,
            pools: Pools::default(),
        }
    }

    /// The life of the thread.
    fn live(mut self, prepared: Prepared) {
        let _closing = Closing(self.desk.clone());
        let run = AssertUnwindSafe(|| {
            self.run(&prepared.runtime);
            self.pools = Pools::default();
        });
        if catch_unwind(run).is_err() {
            // To drop what a panic left may panic again, which would end the program.
            std::mem::forget((self, prepared.runtime));
            return;
        }
        drop(prepared.runtime);
        let _ = prepared.forwarder.join();
    }

    fn run(&mut self, runtime: &Runtime) {
        loop {
            match self.desk.inbox.wait(Deadline::after(Some(LINGER_MS))) {
                Found::Command(command) => runtime.block_on(async {
                    // The runtime looks at its sockets: a connection that was closed in the meantime is not to be used.
                    tokio::task::yield_now().await;
                    self.carry_out(command).await;
                    self.serve().await;
                }),
                Found::Nothing => runtime.block_on(async {
                    self.desk.woken.notified().await;
                    self.serve().await;
                }),
                Found::Closed => return,
            }
        }
    }

    /// Carries out commands until nothing is under way any more.
    async fn serve(&mut self) {
        loop {
            let busy = self.desk.under_way.load(Ordering::Relaxed) > 0;
            let found = if busy {
                self.desk.inbox.look_and_leave()
            } else {
                self.desk.inbox.look()
            };
            match found {
                Found::Command(command) => self.carry_out(command).await,
                Found::Nothing if busy => self.desk.woken.notified().await,
                Found::Nothing | Found::Closed => return,
            }
        }
    }

    async fn carry_out(&mut self, command: Command) {
        match command {
            Command::Send(job, reply) => self.send(job, reply),
            Command::Forget(number) => {
                self.pools.forget(number);
                // The tasks of its connections have a turn, in which they close them.
                tokio::task::yield_now().await;
            }
            Command::Rest(done) => {
                self.pools = Pools::default();
                tokio::task::yield_now().await;
                let _ = done.send(());
            }
        }
    }

    fn send(&mut self, mut job: Box<Job>, reply: Reply<End>) {
        // The tasks of requests contain their panics; this thread has to go on, too.
        let request = catch_unwind(AssertUnwindSafe(|| self.pools.request(&job)));
        let request = match request {
            Ok(Ok(request)) => request,
            Ok(Err(cause)) => {
                reply.send(End::now(Err(unsendable(job.server, &cause))));
                return;
            }
            // Its sender learns of it by the answer that never comes.
            Err(_) => return,
        };
        let under_way = UnderWay::begin(&self.desk);
        let desk = self.desk.clone();
        tokio::spawn(async move {
            let pools::Request {
                client,
                post,
                asked,
            } = request;
            let sent = client.execute(post).await;
            asked.answered.store(sent.is_ok(), Ordering::Relaxed);
            let result = match sent {
                Err(error) if asked.stale && !job.resent && found_closed(&error) => {
                    job.resent = true;
                    desk.inbox.put(Command::Send(job, reply));
                    return;
                }
                Err(error) => Err(failure(job.server, error)),
                Ok(response) => response::read(job.server, response, job.response_limit).await,
            };
            // Before the answer, whose receiver may have the next request at hand.
            drop(under_way);
            reply.send(End::now(result));
        });
    }
}

/// One request that is being carried out.
struct UnderWay(Arc<Desk>);

impl UnderWay {
    fn begin(desk: &Arc<Desk>) -> Self {
        desk.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(desk.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let UnderWay(desk) = self;
        if desk.under_way.fetch_sub(1, Ordering::Relaxed) == 1 {
            desk.inbox.awake();
            desk.woken.notify_one();
        }
    }
}

/// Whether a server closed a connection before it answered anything: it does so to those that were unused for a while, perhaps just when
/// the request was on its way.
fn found_closed(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            let reset = error.source().and_then(|cause| cause.downcast_ref());
            return error.is_incomplete_message()
                || error.is_canceled()
                || reset.is_some_and(|error: &io::Error| CLOSED.contains(&error.kind()));
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::sync::Mutex;
    use crate::transport::Transport;
    use std::sync::Arc;

    #[test]
    fn a_thread_that_has_ended_is_replaced_for_all_pools() {
        let shared = Mutex::default();
        let [first, second] = ["1001", "1002"].map(|timeout| {
            let config = format!(r#"{{"user_id": "u", "connect_timeout_ms": {timeout}}}"#);
            Transport::new(&Config::from_json(Some(&config)).unwrap()).pool
        });
        let http = first.http(&shared).unwrap();
        assert!(Arc::ptr_eq(&http, &second.http(&shared).unwrap()));
        // As its thread does however it ends.
        http.desk.inbox.close();
        let newer = second.http(&shared).unwrap();
        assert!(newer.serves());
        for pool in [first, second] {
            assert!(Arc::ptr_eq(&newer, &pool.http(&shared).unwrap()));
        }
    }
}
