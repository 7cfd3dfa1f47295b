//! HTTP: the only code that knows how requests travel.
//!
//! One connection pool serves all clients of a process that have the same settings; one thread serves all
//! pools. Pool and thread are made by the first request and go with the last client.
#![forbid(unsafe_code)]

mod http;
mod inbox;
mod pause;
mod pending;
mod pools;
mod proxy;
mod reply;
mod resolver;
mod response;
mod tls;
mod url;

pub use pause::UnderWay;
pub use pending::{End, Pending, lost};
pub use proxy::Proxies;
pub use reply::Answer;
#[cfg(test)]
pub use reply::Reply;
pub use response::Response;
#[cfg(any(test, fuzzing))]
pub use response::retry_after;
pub use url::web;

use crate::config::{Config, Secret};
use crate::error::Error;
use crate::fork::PerProcess;
use crate::sync::{Deadline, lock};
use bytes::Bytes;
use http::{Http, Job};
use reqwest::header::HeaderValue;
use std::error::Error as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What distinguishes one connection pool from another.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    connect_timeout: Duration,
    proxies: Proxies,
    ca_file: Option<String>,
}

/// Tells the way that requests take from others, without giving it away.
pub fn route(config: &Config) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&config.proxies, &config.ca_file).hash(&mut hasher);
    hasher.finish()
}

/// A connection pool, as far as it is known outside of the thread that has the connections.
struct Pool {
    number: u64,
    settings: Arc<Settings>,
    /// The thread, once there was a request.
    http: Mutex<Option<Arc<Http>>>,
}

/// Not a hash table, which points to the middle of its memory: a leak checker would take what it holds for lost.
static POOLS: PerProcess<Mutex<Vec<Weak<Pool>>>> = PerProcess::new();

static THREAD: PerProcess<Mutex<Weak<Http>>> = PerProcess::new();

impl Pool {
    fn new(settings: Settings) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Pool {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            settings: Arc::new(settings),
            http: Mutex::default(),
        }
    }

    /// The thread, which all pools share; another in the place of one that has ended.
    fn http(&self, shared: &Mutex<Weak<Http>>) -> Result<Arc<Http>, std::io::Error> {
        let mut own = lock(&self.http);
        if let Some(http) = own.as_ref().filter(|http| http.serves()) {
            return Ok(http.clone());
        }
        let mut shared = lock(shared);
        let http = match shared.upgrade().filter(|http| http.serves()) {
            Some(http) => http,
            None => Arc::new(Http::start()?),
        };
        *shared = Arc::downgrade(&http);
        *own = Some(http.clone());
        Ok(http)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(http) = &*lock(&self.http) {
            http.forget(self.number);
        }
    }
}

/// A client's access to its connection pool.
#[derive(Clone)]
pub struct Transport {
    pool: Arc<Pool>,
    request_timeout: Duration,
}

/// One POST.
pub struct Request<'a> {
    /// The server as messages name it.
    pub server: &'static str,
    pub url: &'a str,
    pub bearer: Option<&'a Secret>,
    pub content_type: &'static str,
    pub body: Bytes,
    /// The most bytes its answer may have.
    pub response_limit: usize,
    pub deadline: Deadline,
}

pub const JSON: &str = "application/json";
pub const FORM: &str = "application/x-www-form-urlencoded";

impl Transport {
    pub fn new(config: &Config) -> Self {
        let settings = Settings {
            connect_timeout: Duration::from_millis(config.connect_timeout_ms.into()),
            proxies: config.proxies.clone(),
            ca_file: config.ca_file.clone(),
        };
        let mut pools = lock(POOLS.get(|_| Mutex::default()));
        let mut known = pools.iter().filter_map(Weak::upgrade);
        let pool = match known.find(|pool| *pool.settings == settings) {
            Some(pool) => pool,
            None => {
                pools.retain(|pool| pool.strong_count() > 0);
                let pool = Arc::new(Pool::new(settings));
                pools.push(Arc::downgrade(&pool));
                pool
            }
        };
        Transport {
            pool,
            request_timeout: Duration::from_millis(config.request_timeout_ms.into()),
        }
    }

    /// Whether the configured authorities can be had, should one of these URLs need them.
    pub fn check(&self, urls: &[&str]) -> Result<(), Error> {
        let settings = &self.pool.settings;
        let encrypted = |url: &&str| {
            url.get(..5)
                .is_some_and(|s| s.eq_ignore_ascii_case("https"))
        };
        match &settings.ca_file {
            Some(file) if urls.iter().any(encrypted) => tls::check(file),
            _ => Ok(()),
        }
        .map_err(Error::Initialization)
    }

    pub fn post(&self, request: Request) -> Result<Response, Error> {
        let server = request.server;
        let deadline = request.deadline;
        let mut pending = self.send(request, || deadline.left(self.request_timeout))?;
        match pending.wait(Deadline::default()) {
            Answer::Here(end) => end.result,
            Answer::Lost => Err(lost(server)),
            Answer::ToCome => Err(out_of_time(server)),
        }
    }

    /// Sends a request that need not be answered by its deadline.
    pub fn start(&self, request: Request) -> Result<Pending, Error> {
        self.send(request, || Some(self.request_timeout))
    }

    fn send(
        &self,
        request: Request,
        time: impl FnOnce() -> Option<Duration>,
    ) -> Result<Pending, Error> {
        let server = request.server;
        let patience = self.request_timeout.as_millis() as u64;
        let under_way = UnderWay::begin(request.deadline.sooner(patience))
            .ok_or_else(|| out_of_time(server))?;
        let time = time().ok_or_else(|| out_of_time(server))?;
        let authorization = request.bearer.map(authorization).transpose()?;
        let http = self.pool.http(THREAD.get(|_| Mutex::default()));
        let http = http.map_err(|error| Error::Connection {
            server,
            cause: format!("no thread for requests: {error}"),
        })?;
        let pending = http.send(Job {
            pool: self.pool.number,
            settings: self.pool.settings.clone(),
            server,
            url: request.url.to_owned(),
            content_type: request.content_type,
            authorization,
            body: request.body,
            response_limit: request.response_limit,
            until: Instant::now() + time,
            resent: false,
        });
        Ok(pending.watched(under_way))
    }
}

/// Brings all requests to rest before a fork; whether they ended in time.
pub fn before_fork() -> bool {
    let rest = pause::before_fork();
    if let Some(http) = THREAD.current().and_then(|shared| lock(shared).upgrade()) {
        http.rest();
    }
    rest
}

/// Lets requests go on in a process that has forked.
pub fn after_fork() {
    pause::after_fork();
}

pub fn out_of_time(server: &'static str) -> Error {
    Error::Timeout {
        server,
        cause: "the time allowed for it has passed".into(),
    }
}

fn authorization(token: &Secret) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new(format!("Bearer {}", token.reveal()));
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text));
    let mut value = value.map_err(|_| Error::Authentication {
        message: "The access token has characters that no header can carry".into(),
        retriable: false,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What no repetition will help.
fn unsendable(server: &str, cause: &str) -> Error {
    Error::Unsendable(format!("Cannot connect to {server}: {cause}"))
}

/// What went wrong while a request was under way.
fn failure(server: &'static str, error: reqwest::Error) -> Error {
    if error.is_builder() {
        return unsendable(server, &reason(error));
    }
    let timeout = error.is_timeout();
    let cause = reason(error);
    if timeout {
        Error::Timeout { server, cause }
    } else {
        Error::Connection { server, cause }
    }
}

/// The error's causes in words, without the URL, which may hold a password.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
