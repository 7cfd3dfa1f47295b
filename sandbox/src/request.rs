use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri, header::HeaderName};

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The method, in capitals.
    pub method: String,
    /// The request target with its query: a whole URL where the client took the sandbox for a proxy.
    pub path: String,
    /// Names in lower case, in order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body, unpacked when it came gzip-encoded, and cut at the body limit.
    pub body: Vec<u8>,
    /// Which connection brought it, counted from 1.
    pub connection: u64,
}

/// A request on its way to an answer.
pub(crate) struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body was longer than the limit and `body` holds only its beginning.
    pub too_large: bool,
    pub connection: u64,
}

impl Request {
    /// What rules and routes are matched with: no query, no scheme and host.
    pub(crate) fn route(&self) -> &str {
        match (&self.method, self.uri.authority()) {
            (&Method::CONNECT, Some(authority)) => authority.as_str(),
            _ => self.uri.path(),
        }
    }

    pub(crate) fn header(&self, name: HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header(hyper::header::AUTHORIZATION)
            .strip_prefix("Bearer ")
    }

    pub(crate) fn record(&self) -> RecordedRequest {
        let headers = self.headers.iter();
        RecordedRequest {
            method: self.method.to_string(),
            path: self.uri.to_string(),
            headers: headers
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            body: self.body.to_vec(),
            connection: self.connection,
        }
    }
}
