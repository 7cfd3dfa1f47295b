//! Connection pools, and requests that use their connections.
#![forbid(unsafe_code)]

use super::http::Job;
use super::url::has_ascii_host;
use super::{Settings, reason, resolver, tls};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, RequestBuilder, Url};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an unused connection is kept: less than servers do, which would otherwise close it just when it
/// is used again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const MOST_REDIRECTS: usize = 5;

/// Pools by their numbers.
#[derive(Default)]
pub struct Pools(HashMap<u64, Pool>);

struct Pool {
    client: Client,
    /// What was asked for last, most likely the next time too: parsing is a tenth of what a request takes.
    last: Option<(String, Url)>,
}

impl Pools {
    /// Closes the connections of a pool.
    pub fn forget(&mut self, number: u64) {
        self.0.remove(&number);
    }

    /// A request that is only to be sent; otherwise why it cannot be.
    pub fn request(&mut self, job: Job) -> Result<RequestBuilder, String> {
        if !has_ascii_host(&job.url) {
            return Err(
                "a host's name must be ASCII: write an international one as xn--...".into(),
            );
        }
        let pool = match self.0.entry(job.pool) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(place) => place.insert(Pool::new(&job.settings)?),
        };
        let request = pool
            .post(job.url)
            .timeout(job.until.saturating_duration_since(Instant::now()))
            .header(CONTENT_TYPE, HeaderValue::from_static(job.content_type))
            .body(job.body);
        Ok(match job.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
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
            .dns_resolver(Arc::new(resolver::Resolver))
            .tls_backend_preconfigured(tls::config(settings.ca_file.clone())?);
        for proxy in settings.proxies.build()? {
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(reason)?;
        Ok(Pool { client, last: None })
    }

    fn post(&mut self, url: String) -> RequestBuilder {
        if let Some((_, parsed)) = self.last.as_ref().filter(|(text, _)| *text == url) {
            return self.client.post(parsed.clone());
        }
        match Url::parse(&url) {
            Ok(parsed) => {
                self.last = Some((url, parsed.clone()));
                self.client.post(parsed)
            }
            // Says what is wrong with it when it is sent.
            Err(_) => self.client.post(url),
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
