//! Which proxy requests go through.

use crate::config::Secret;
use reqwest::{NoProxy, Proxy};

/// Proxies as configured or as the environment had them when the client was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Proxies {
    http: Option<Secret>,
    https: Option<Secret>,
    exceptions: Option<String>,
}

impl Proxies {
    /// A configured proxy serves every request; without one the usual variables count, lower case first.
    pub fn new(
        configured: Option<&Secret>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Proxies {
        if let Some(proxy) = configured.filter(|proxy| !proxy.is_empty()) {
            return Proxies {
                http: Some(proxy.clone()),
                https: Some(proxy.clone()),
                exceptions: None,
            };
        }
        let find = |name: &str| {
            let found = environment(name).or_else(|| environment(&name.to_uppercase()));
            found.filter(|value| !value.is_empty())
        };
        let exceptions = find("no_proxy");
        let everything = |list: &String| list.split(',').any(|entry| entry.trim() == "*");
        if exceptions.as_ref().is_some_and(everything) {
            return Proxies::default();
        }
        // A CGI program's HTTP_PROXY may come from a request's `Proxy:` header.
        let http = match environment("REQUEST_METHOD") {
            Some(_) => environment("http_proxy").filter(|value| !value.is_empty()),
            None => find("http_proxy"),
        };
        let all = find("all_proxy");
        Proxies {
            http: http.or_else(|| all.clone()).map(Secret::new),
            https: find("https_proxy").or(all).map(Secret::new),
            exceptions,
        }
    }

    pub fn build(&self) -> Result<Vec<Proxy>, String> {
        let exceptions = self.exceptions.as_deref().and_then(NoProxy::from_string);
        let proxy = |made: reqwest::Result<Proxy>| match made {
            Ok(proxy) => Ok(proxy.no_proxy(exceptions.clone())),
            Err(_) => Err("the proxy's URL is not valid".to_owned()),
        };
        let http = self.http.iter().map(|url| proxy(Proxy::http(url.reveal())));
        let https = self
            .https
            .iter()
            .map(|url| proxy(Proxy::https(url.reveal())));
        http.chain(https).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Proxies {
        Proxies::new(None, &|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text.into()))
    }

    #[test]
    fn variables_count_in_either_case() {
        let found = from(&[
            ("http_proxy", "a"),
            ("HTTP_PROXY", "b"),
            ("HTTPS_PROXY", "c"),
            ("NO_PROXY", "d"),
        ]);
        assert_eq!(
            found,
            Proxies {
                http: secret("a"),
                https: secret("c"),
                exceptions: Some("d".into())
            }
        );
        let found = from(&[("ALL_PROXY", "e"), ("https_proxy", "")]);
        assert_eq!(
            found,
            Proxies {
                http: secret("e"),
                https: secret("e"),
                exceptions: None
            }
        );
    }

    #[test]
    fn a_request_cannot_set_the_proxy_of_a_cgi_program() {
        assert_eq!(
            from(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]),
            Proxies::default()
        );
    }

    #[test]
    fn a_star_exempts_everything() {
        let found = from(&[("http_proxy", "a"), ("no_proxy", "x, *")]);
        assert_eq!(found, Proxies::default());
    }

    #[test]
    fn a_bad_url_is_an_error_that_does_not_show_it() {
        let error = from(&[("http_proxy", "http://u:CANARY@[")])
            .build()
            .unwrap_err();
        assert!(!error.contains("CANARY"));
    }
}
