//! An answer, read whole within its limit.

use super::failure;
use crate::config::Secret;
use crate::error::Error;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// Real tokens and keys are longer.
const SHORTEST_HIDDEN: usize = 8;

pub struct Response {
    pub status: u16,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
    /// It may hold a secret.
    body: Zeroizing<Vec<u8>>,
    latin1: bool,
}

impl Response {
    #[cfg(any(test, fuzzing))]
    pub fn with(status: u16, body: &str) -> Response {
        Response {
            body: Zeroizing::new(body.into()),
            ..Response::bodiless(status, None)
        }
    }

    /// What is left of an answer whose body is not to be had.
    pub fn bodiless(status: u16, retry_after: Option<Duration>) -> Response {
        Response {
            status,
            retry_after,
            body: Zeroizing::default(),
            latin1: false,
        }
    }

    /// Hides a secret that the server quotes. A word that happens to be one is left: answers hold data.
    pub fn conceal(&mut self, secret: &Secret) {
        if secret.reveal().len() < SHORTEST_HIDDEN {
            return;
        }
        if let Some(text) = secret.conceal_in(&self.text()) {
            self.body = Zeroizing::new(text.into_bytes());
            self.latin1 = false;
        }
    }

    /// Statuses that the Python package counts as success.
    pub fn ok(&self) -> bool {
        self.status < 400
    }

    /// The body as text. JSON is UTF-8; only the one other charset that servers still declare is honoured.
    pub fn text(&self) -> Cow<'_, str> {
        if self.latin1 {
            return self.body.iter().map(|byte| char::from(*byte)).collect();
        }
        String::from_utf8_lossy(&self.body)
    }
}

/// Reads the body; refuses redirects and bodies over the limit.
pub async fn read(
    server: &'static str,
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Response, Error> {
    let status = response.status();
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        return Err(Error::Redirect {
            server,
            status: status.as_u16(),
        });
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let asked = response.headers().get(RETRY_AFTER);
    let retry_after = asked.and_then(|value| retry_after(value.to_str().ok()?));
    let expected = response.content_length().unwrap_or_default() as usize;
    let mut body = Zeroizing::new(Vec::with_capacity(expected.min(limit)));
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| failure(server, error))? else {
            break;
        };
        if body.len() + chunk.len() > limit {
            return Err(Error::ResponseTooLarge {
                server,
                limit,
                status: status.as_u16(),
                retry_after,
            });
        }
        append(&mut body, &chunk, limit);
    }
    Ok(Response {
        status: status.as_u16(),
        retry_after,
        latin1: is_latin1(&content_type, &body),
        body,
    })
}

/// Adds to a body within its limit. It leaves no copy behind where it has to move.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8], limit: usize) {
    let length = body.len() + chunk.len();
    if length > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity((2 * length).min(limit)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

/// Reads a `Retry-After`: seconds, or a date. What has passed or means nothing asks for nothing.
pub fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(SystemTime::now()).ok()
}

/// Whether a body of this type, in lower case, is Latin-1: as it declares, or as a text that declares nothing and is no
/// UTF-8.
fn is_latin1(content_type: &str, body: &[u8]) -> bool {
    let charset = content_type.split("charset=").nth(1).unwrap_or_default();
    let charset = charset.split(';').next().unwrap_or_default();
    match charset.trim().trim_matches('"') {
        "" => content_type.starts_with("text/") && std::str::from_utf8(body).is_err(),
        declared => matches!(
            declared,
            "iso-8859-1" | "latin1" | "latin-1" | "windows-1252" | "us-ascii"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8], latin1: bool) -> String {
        let response = Response {
            body: Zeroizing::new(body.to_vec()),
            latin1,
            ..Response::bodiless(200, None)
        };
        response.text().into_owned()
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Thu, 08 Apr 2021 13:51:05 GMT"), None);
        let ahead = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let found = retry_after(&ahead).unwrap().as_secs();
        assert!((90..=100).contains(&found), "{found}");
        assert_eq!(
            retry_after("1000000000"),
            Some(Duration::from_secs(1_000_000_000))
        );
        for odd in ["", "-1", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(retry_after(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_secret_is_hidden_unless_it_may_be_any_word() {
        for (secret, told) in [("token", "bad token"), ("long-token", "bad (secret)")] {
            let mut response = Response::with(200, &format!("bad {secret}"));
            response.conceal(&Secret::new(secret.to_owned()));
            assert_eq!(response.text(), told);
        }
    }

    #[test]
    fn charsets_are_honoured() {
        for (content_type, body, latin1) in [
            ("application/json; charset=iso-8859-1", "é".as_bytes(), true),
            ("text/plain; charset=\"latin1\"; x=y", b"", true),
            ("text/plain", b"caf\xe9", true),
            ("text/plain", "é".as_bytes(), false),
            ("text/plain; charset=utf-8", b"caf\xe9", false),
            ("application/json; charset=utf-8", b"", false),
            ("application/json", b"caf\xe9", false),
        ] {
            assert_eq!(is_latin1(content_type, body), latin1, "{content_type}");
        }
        assert_eq!(text(b"caf\xe9", true), "café");
        assert_eq!(text("é".as_bytes(), false), "é");
    }
}
