//! Which proxy requests go through.

use super::url;
use crate::config::Secret;
use crate::error::Error;
use reqwest::{NoProxy, Proxy};

/// Proxies as configured or as the environment had them when the client was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Proxies {
    http: Option<Secret>,
    https: Option<Secret>,
    exceptions: Option<String>,
}

impl Proxies {
    /// A configured proxy serves every request; without one the usual variables count, lower case first. An error where
    /// one that counts cannot be used: requests are never to go past it.
    pub fn new(
        configured: Option<&Secret>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Proxies, Error> {
        if let Some(proxy) = configured.filter(|proxy| !proxy.is_empty()) {
            let proxy = Some(checked("config_json", "proxy", proxy.clone())?);
            return Ok(Proxies {
                http: proxy.clone(),
                https: proxy,
                exceptions: None,
            });
        }
        let find = |names: [&'static str; 2]| {
            let given = |name| environment(name).map(|value| (name, value));
            let found = names.into_iter().find_map(given);
            found.filter(|(_, value)| !value.is_empty())
        };
        let exceptions = find(["no_proxy", "NO_PROXY"]).map(|(_, list)| list);
        let everything = |list: &String| list.split(',').any(|entry| entry.trim() == "*");
        if exceptions.as_ref().is_some_and(everything) {
            return Ok(Proxies::default());
        }
        let proxy = |names| match find(names) {
            Some((name, value)) => checked("environment", name, Secret::new(value)).map(Some),
            None => Ok(None),
        };
        // A CGI program's HTTP_PROXY may come from a request's `Proxy:` header.
        let capital = match environment("REQUEST_METHOD") {
            Some(_) => "http_proxy",
            None => "HTTP_PROXY",
        };
        let all = ["all_proxy", "ALL_PROXY"];
        let or_all = |found| match found {
            None => proxy(all),
            found => Ok(found),
        };
        Ok(Proxies {
            http: or_all(proxy(["http_proxy", capital])?)?,
            https: or_all(proxy(["https_proxy", "HTTPS_PROXY"])?)?,
            exceptions,
        })
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

/// A proxy that the HTTP library can use; it leaves others out without a word.
fn checked(place: &str, name: &str, proxy: Secret) -> Result<Secret, Error> {
    let text = proxy.reveal();
    let usable = url::web(text).is_some()
        || !text.contains("://") && url::web(&format!("http://{text}")).is_some();
    if usable {
        return Ok(proxy);
    }
    Err(Error::Initialization(format!(
        "{place}: {name} must be the URL of an HTTP proxy: http://host:port or https://host:port"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(configured: &str, variables: &[(&str, &str)]) -> Result<Proxies, Error> {
        Proxies::new(secret(configured).as_ref(), &|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn from(variables: &[(&str, &str)]) -> Proxies {
        read("", variables).unwrap()
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
    fn a_proxy_that_cannot_be_used_is_an_error_that_does_not_show_it() {
        for bad in [
            "htp://u:CANARY@h:9",
            "ftp://u:CANARY@h:9",
            "socks5://u:CANARY@h:9",
            "http://u:CANARY@[",
            "http://u:CANARY@h:99999",
            "http://u:CANARY@h{CANARY}:9",
            "http://",
            "u:CANARY@h:port",
        ] {
            let told = [
                ("config_json: proxy ", read(bad, &[])),
                ("environment: HTTP_PROXY ", read("", &[("HTTP_PROXY", bad)])),
                (
                    "environment: https_proxy ",
                    read("", &[("https_proxy", bad)]),
                ),
                ("environment: ALL_PROXY ", read("", &[("ALL_PROXY", bad)])),
            ];
            for (place, error) in told {
                let error = error.unwrap_err().to_string();
                assert!(error.starts_with(place), "{bad}: {error}");
                assert!(!error.contains("CANARY"), "{error}");
            }
        }
    }

    #[test]
    fn a_proxy_that_does_not_count_may_be_anything() {
        let found = from(&[
            ("http_proxy", "a"),
            ("https_proxy", "b"),
            ("all_proxy", "socks5://c"),
        ]);
        assert_eq!((found.http, found.https), (secret("a"), secret("b")));
        let exempt = [("http_proxy", "socks5://c"), ("no_proxy", "*")];
        assert_eq!(from(&exempt), Proxies::default());
    }

    #[test]
    fn a_proxy_may_lack_its_scheme() {
        for good in [
            "h",
            "localhost:9",
            "127.0.0.1:9",
            "u:p@h:9",
            "[::1]:9",
            "//h:9",
            "http:h:9",
            "HTTP://h:9/",
            "https://h",
            " http://h:9",
        ] {
            let proxies = read(good, &[]).unwrap();
            assert_eq!(proxies.build().unwrap().len(), 2, "{good}");
        }
    }
}
