//! Finding and reading single values in JSON text.

use super::json::Scanner;

/// The texts of an array's elements, or the one text that is no array. Ends where the text is not JSON.
pub fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut scanner = Scanner::new(text);
    let array = scanner.take(b'[');
    let mut more = !(array && scanner.take(b']'));
    std::iter::from_fn(move || {
        if !more {
            return None;
        }
        let span = scanner.value().ok()?.span;
        more = array && scanner.another(b']').ok()?;
        text.get(span.start..span.end)
    })
}

/// The text of an object's member, by its name as it stands without escapes.
pub fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut scanner = Scanner::new(text);
    if !scanner.take(b'{') || scanner.take(b'}') {
        return None;
    }
    loop {
        let key = scanner.key().ok()?.span;
        let value = scanner.value().ok()?.span;
        if text.get(key.start + 1..key.end - 1)? == name {
            return text.get(value.start..value.end);
        }
        if !scanner.another(b'}').ok()? {
            return None;
        }
    }
}

/// The text of a string token's bytes (quotes included). A lone surrogate becomes U+FFFD.
pub fn unescape(token: &[u8]) -> String {
    let inner = token
        .get(1..token.len().saturating_sub(1))
        .unwrap_or_default();
    let text = String::from_utf8_lossy(inner);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let (character, length) = decode_escape(escape);
        out.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Decodes what follows a backslash: the character, and how many bytes it took.
fn decode_escape(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        text.get(at..at + 4)
            .and_then(|hex| u16::from_str_radix(hex, 16).ok())
    };
    match text.as_bytes().first() {
        Some(b'n') => ('\n', 1),
        Some(b't') => ('\t', 1),
        Some(b'r') => ('\r', 1),
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'u') => {
            let first = unit(1).unwrap_or_default();
            let pair = [first, unit(7).unwrap_or_default()];
            let paired = text.get(5..7) == Some("\\u");
            let units = if paired { &pair[..] } else { &pair[..1] };
            match char::decode_utf16(units.iter().copied()).next() {
                Some(Ok(character)) => (character, if character as u32 > 0xffff { 11 } else { 5 }),
                _ => (char::REPLACEMENT_CHARACTER, 5),
            }
        }
        Some(other) => (char::from(*other), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_without_building_them() {
        let found = |text| elements(text).collect::<Vec<_>>();
        assert_eq!(
            found(" [1, {\"a\":[2]} ,\"x\"] "),
            ["1", "{\"a\":[2]}", "\"x\""]
        );
        assert_eq!(found("{\"a\":1}"), ["{\"a\":1}"]);
        assert_eq!(found("[]"), [""; 0]);
        assert_eq!(found("[1,"), ["1"]);
    }

    #[test]
    fn a_member_is_found_by_its_name() {
        let text = "{\"a\":{\"b\":1}, \"b\" : [2] }";
        assert_eq!((member(text, "b"), member(text, "c")), (Some("[2]"), None));
        assert_eq!((member("{}", "a"), member("[1]", "a")), (None, None));
    }

    #[test]
    fn unescapes_as_serde_json_does() {
        for text in [
            r#""plain""#,
            r#""\u00e9\n\"\\\/""#,
            r#""\ud83d\ude00!""#,
            r#""é""#,
        ] {
            let theirs: String = serde_json::from_str(text).unwrap();
            assert_eq!(unescape(text.as_bytes()), theirs);
        }
        assert_eq!(unescape(br#""\ud800x""#), "\u{fffd}x");
    }
}
