//! Which URLs can be asked for.
#![forbid(unsafe_code)]

use reqwest::Url;

/// A URL of HTTP, with a host that can be.
pub fn web(text: &str) -> Option<Url> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let url = Url::parse(text).ok().filter(|_| has_ascii_host(text))?;
    let known = matches!(url.scheme(), "http" | "https");
    (known && url.host_str()?.bytes().all(harmless)).then_some(url)
}

/// Whether all but the path and the query of a URL is ASCII, as hosts' names are on the wire.
pub fn has_ascii_host(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default().is_ascii()
}
