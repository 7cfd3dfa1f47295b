//! Connection pools, and requests that use their connections.
#![forbid(unsafe_code)]

use super::http::Job;
use super::url::has_plain_host;
use super::{Settings, reason, resolver, tls};
use crate::sync::lock;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, RequestBuilder, Url};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an unused connection is kept: less than servers do, which would otherwise close it just when it
/// is used again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Servers close no connection that was unused for less: one that is closed sooner says something of the request.
const UNUSED: Duration = Duration::from_secs(1);

/// A client has some twenty URLs.
const MOST_KNOWN: usize = 64;

const MOST_REDIRECTS: usize = 5;

/// Pools by their numbers.
#[derive(Default)]
pub struct Pools(HashMap<u64, Pool>);

struct Pool {
    client: Client,
    /// URLs by their texts: parsing is a tenth of what a request takes.
    known: HashMap<String, Known>,
    /// By what their URLs have before the path. Not a hash table, which takes more code than it saves time here.
    servers: Vec<(String, Arc<Mutex<Server>>)>,
}

/// A request that is only to be sent.
pub struct Request {
    pub client: Client,
    pub post: reqwest::Request,
    pub asked: Asked,
}

/// What is known of the server that is asked.
#[derive(Default)]
pub struct Asked {
    /// Whether the request may go by a connection that the server is just closing.
    pub stale: bool,
    /// To be told whether there was an answer.
    pub answered: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Known {
    url: Url,
    server: Arc<Mutex<Server>>,
}

/// When and how a server was asked last.
struct Server {
    used: Instant,
    answered: Arc<AtomicBool>,
}

impl Pools {
    /// Closes the connections of a pool.
    pub fn forget(&mut self, number: u64) {
        self.0.remove(&number);
    }

    /// A request that is only to be sent; otherwise why it cannot be.
    pub fn request(&mut self, job: &Job) -> Result<Request, String> {
        if !has_plain_host(&job.url) {
            return Err(
                "a host's name must be plain ASCII: write an international one as xn--...".into(),
            );
        }
        let pool = match self.0.entry(job.pool) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(place) => place.insert(Pool::new(&job.settings)?),
        };
        let now = Instant::now();
        let (builder, asked) = pool.post(&job.url, now);
        let post = builder
            .timeout(job.until.saturating_duration_since(now))
            .header(CONTENT_TYPE, HeaderValue::from_static(job.content_type))
            .body(job.body.clone())
            .build();
        let mut post = post.map_err(reason)?;
        if let Some(authorization) = &job.authorization {
            // In the place of what a user and a password in the URL have become.
            post.headers_mut()
                .insert(AUTHORIZATION, authorization.clone());
        }
        Ok(Request {
            client: pool.client.clone(),
            post,
            asked,
        })
    }
}

impl Pool {
    fn new(settings: &Settings) -> Result<Self, String> {
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Policy::custom(redirected))
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .dns_resolver(Arc::new(resolver::Resolver::new()))
            .tls_backend_preconfigured(tls::config(settings.ca_file.clone())?);
        for proxy in settings.proxies.build()? {
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(reason)?;
        Ok(Pool {
            client,
            known: HashMap::new(),
            servers: Vec::new(),
        })
    }

    fn post(&mut self, text: &str, now: Instant) -> (RequestBuilder, Asked) {
        let Some(Known { url, server }) = self.known(text, now) else {
            // Says what is wrong with it when it is built.
            return (self.client.post(text), Asked::default());
        };
        let mut server = lock(&server);
        let unused = now.saturating_duration_since(server.used);
        server.used = now;
        let asked = Asked {
            stale: unused >= UNUSED && server.answered.load(Relaxed),
            answered: server.answered.clone(),
        };
        (self.client.post(url), asked)
    }

    fn known(&mut self, text: &str, now: Instant) -> Option<Known> {
        if let Some(known) = self.known.get(text) {
            return Some(known.clone());
        }
        let url = Url::parse(text).ok()?;
        self.servers.retain(|(_, server)| {
            // The connections of others are closed.
            let unused = now.saturating_duration_since(lock(server).used);
            Arc::strong_count(server) > 1 || unused < IDLE_TIMEOUT
        });
        let name: String = url.as_str().split_inclusive('/').take(3).collect();
        let server = self.servers.iter().find(|(known, _)| *known == name);
        let server = match server {
            Some((_, server)) => server.clone(),
            None => {
                let server = Arc::new(Mutex::new(Server::new(now)));
                self.servers.push((name, server.clone()));
                server
            }
        };
        let known = Known { url, server };
        if self.known.len() == MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(text.to_owned(), known.clone());
        Some(known)
    }
}

impl Server {
    fn new(now: Instant) -> Self {
        Server {
            used: now,
            answered: Arc::default(),
        }
    }
}

/// Follows what keeps the request as it is, to where it was sent anyway: a request has messages in it, or a secret.
fn redirected(attempt: Attempt) -> Action {
    let from = attempt.previous().last().map(Url::origin);
    let same = from == Some(attempt.url().origin());
    let kept = matches!(attempt.status().as_u16(), 307 | 308);
    if same && kept && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}
