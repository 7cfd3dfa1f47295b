//! HTTP: the only code that knows how requests travel.
//!
//! One connection pool, with one thread, serves all clients of a process that have the same settings. It is
//! made by the first request and goes with the last client.
#![forbid(unsafe_code)]

mod proxy;
mod resolver;
mod response;
mod tls;

pub use proxy::Proxies;
pub use response::Response;

use crate::config::{Config, Secret};
use crate::error::Error;
use crate::fork::PerProcess;
use crate::sync::{Deadline, lock};
use crate::thread;
use bytes::Bytes;
use once_cell::sync::OnceCell;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// How long an unused connection is kept: less than servers do, which would otherwise close it just when it
/// is used again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What distinguishes one connection pool from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Settings {
    connect_timeout: Duration,
    proxies: Proxies,
    ca_file: Option<String>,
}

struct Pool {
    settings: Settings,
    client: OnceCell<reqwest::blocking::Client>,
}

static POOLS: PerProcess<Mutex<HashMap<Settings, Weak<Pool>>>> = PerProcess::new();

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
        let variable = |name: &str| std::env::var(name).ok();
        let settings = Settings {
            connect_timeout: Duration::from_millis(config.connect_timeout_ms.into()),
            proxies: Proxies::new(config.proxy.as_ref(), &variable),
            ca_file: config.ca_file.clone(),
        };
        let mut pools = lock(POOLS.get(|_| Mutex::default()));
        let pool = match pools.get(&settings).and_then(Weak::upgrade) {
            Some(pool) => pool,
            None => {
                pools.retain(|_, pool| pool.strong_count() > 0);
                let pool = Arc::new(Pool {
                    settings: settings.clone(),
                    client: OnceCell::new(),
                });
                pools.insert(settings, Arc::downgrade(&pool));
                pool
            }
        };
        Transport {
            pool,
            request_timeout: Duration::from_millis(config.request_timeout_ms.into()),
        }
    }

    pub fn post(&self, request: Request) -> Result<Response, Error> {
        let server = request.server;
        let Some(timeout) = request.deadline.left(self.request_timeout) else {
            return Err(out_of_time(server));
        };
        let client = self
            .pool
            .client
            .get_or_try_init(|| build(&self.pool.settings));
        let client = client.map_err(|cause| Error::Connection { server, cause })?;
        let mut builder = client
            .post(request.url)
            .timeout(timeout)
            .header(CONTENT_TYPE, request.content_type)
            .body(request.body);
        if let Some(token) = request.bearer {
            builder = builder.header(AUTHORIZATION, authorization(token)?);
        }
        let response = builder.send().map_err(|error| failure(server, error))?;
        response::read(server, response, request.response_limit)
    }
}

pub fn out_of_time(server: &'static str) -> Error {
    Error::Timeout {
        server,
        cause: "the call's timeout_ms has passed".into(),
    }
}

fn authorization(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal())).map_err(|_| {
        Error::Authentication {
            message: "The access token has characters that no header can carry".into(),
            retriable: false,
        }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn build(settings: &Settings) -> Result<reqwest::blocking::Client, String> {
    let mut builder = reqwest::blocking::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .timeout(None)
        .dns_resolver(Arc::new(resolver::Resolver))
        .connector_layer(tower::util::MapRequestLayer::new(|request| {
            thread::name_current(c"mona-http");
            request
        }))
        .tls_backend_preconfigured(tls::config(settings.ca_file.clone())?);
    for proxy in settings.proxies.build()? {
        builder = builder.proxy(proxy);
    }
    thread::with_signals_blocked(|| builder.build()).map_err(reason)
}

/// What went wrong while a request was under way.
fn failure(server: &'static str, error: reqwest::Error) -> Error {
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
