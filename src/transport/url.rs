//! Which URLs can be asked for.
#![forbid(unsafe_code)]

use idna::punycode;
use reqwest::Url;

/// The most bytes of a part between dots in a host's name.
const LONGEST_LABEL: usize = 63;

/// What the parser passes over at both ends: less than all that is white.
const PASSED_OVER: fn(char) -> bool = |character| character <= ' ';

/// A URL of HTTP, with a host that can be.
pub fn web(text: &str) -> Option<Url> {
    let (scheme, _) = text.trim_start_matches(PASSED_OVER).split_once(':')?;
    let known = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    (known && has_plain_host(text)).then(|| Url::parse(text).ok())?
}

/// Whether a URL's host is as hosts are on the wire: nothing in it is to be decoded or mapped to ASCII, which the URL parser is built
/// without.
pub fn has_plain_host(url: &str) -> bool {
    // The parser passes over these wherever they stand.
    let rest = match url.split_once(':') {
        Some((_, rest)) if !url.contains(['\t', '\n', '\r']) => rest,
        _ => return false,
    };
    let slash = ['/', '\\'];
    let mut parts = rest.trim_start_matches(slash).split(['/', '\\', '?', '#']);
    let host = parts
        .next()
        .and_then(|authority| authority.rsplit('@').next());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    host.map(|host| host.trim_end_matches(PASSED_OVER))
        .is_some_and(|host| host.bytes().all(plain) && host.split(['.', ':']).all(is_label))
}

/// Whether the URL parser can be given this part of a host's name. Without Unicode's tables, which would refuse it before, the parser
/// panics in debug builds where one encodes a right-to-left mark.
fn is_label(label: &str) -> bool {
    match label.split_at_checked(4) {
        Some((prefix, encoded)) if prefix.eq_ignore_ascii_case("xn--") => {
            label.len() <= LONGEST_LABEL
                && punycode::decode(encoded).is_some_and(|text| !text.contains(&'\u{200f}'))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_never_to_be_decoded_or_mapped() {
        for bad in [
            "http://A%FF",
            "http:A%FF",
            "HTTP:/A%FF/",
            "http:\\\\A%FF",
            "ht\ntp://A%FF",
            "http://u@p@A%FF",
            "http:///A%FF?x",
            "http://A\u{e9}/",
            "http://xn--3ug",
            "http:u@b.XN--A-YGN.c:9",
            "http://xn--bcher-kv\u{e9}",
            &format!("http://xn--{}", "a".repeat(60)),
            "http://a b/",
            "http://A\u{2000}",
            "ftp://a/",
            "http://",
            "a",
        ] {
            assert_eq!(web(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn all_but_the_host_may_need_decoding() {
        for good in [
            "http://u%FF:\u{e9}@h/",
            "https://H.Example:9/%FF\u{e9}",
            "http://h?\u{e9}",
            "http://b.xn--bcher-kva:9",
            "http://XN--BCHER-KVA",
            "http://[::1]:9",
            " http://h \u{1f}",
        ] {
            assert!(web(good).is_some(), "{good}");
        }
    }
}
