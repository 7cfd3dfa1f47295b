use super::*;
use serde::de::IgnoredAny;

fn accepts(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.value().and_then(|_| scanner.end()).is_ok()
}

#[test]
fn accepts_what_serde_json_accepts() {
    for text in [
        "0",
        "-0",
        "1.10",
        "1e400",
        "-1E+2",
        "01",
        "1.",
        ".5",
        "-",
        "1e",
        "+1",
        "NaN",
        "Infinity",
        "\"\"",
        "\"a\\u00e9\\n\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\t\"",
        "\"open",
        "\"é😀\"",
        "[]",
        "[ ]",
        "[1,2]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "]",
        "{}",
        "{\"a\":1}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":{\"b\":[{}]}}",
        "true",
        "false",
        "null",
        "tru",
        "nulls",
        "",
        " ",
        " 1 ",
        "1 1",
        "[[[[]]]]",
        "[[[[]]]",
        "{\"a\":1}}",
        "\u{feff}1",
        "[\"12345678\"]",
        "\"1234567\\\"\"",
        "\"12345678\\\\\"",
        "\"1234567\u{1f}\"",
        "\"\\ud800\"",
    ] {
        assert_eq!(
            accepts(text),
            serde_json::from_str::<IgnoredAny>(text).is_ok(),
            "{text:?}"
        );
    }
}

#[test]
fn white_space_is_skipped_wherever_it_stands_and_whatever_its_length() {
    for space in ["", " ", "  ", "\n", " \t", "\r\n ", "\u{b}", " \u{a0}"] {
        let text = [
            "{", "\"a\"", ":", "[", "1", ",", "null", "]", ",", "\"b\"", ":", "{", "}", "}",
        ]
        .join(space);
        let text = format!("{space}{text}{space}");
        let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        assert_eq!(accepts(&text), theirs, "{text:?}");
    }
}

#[test]
fn long_numbers_are_read_as_serde_json_reads_them() {
    for digits in 1..40 {
        for end in ["", " ", "]", ".5", ".", "e9", "x", "/", ":", "\u{7f}"] {
            let text = "7".repeat(digits) + end;
            let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            assert_eq!(accepts(&text), theirs, "{text}");
        }
    }
}

#[test]
fn agrees_with_serde_json_on_damaged_text() {
    let good = r#"{"a":[1.5e3,"x\u0041\\",{"k":null}],"MONA_x":true,"long string key, 20+":-0.25}"#;
    for at in 0..good.len() {
        for byte in [b'"', b'\\', b'{', b']', b',', b'0', b' ', 0x1f, b'e'] {
            let mut damaged = good.as_bytes().to_vec();
            damaged[at] = byte;
            let text = String::from_utf8(damaged).unwrap();
            let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            assert_eq!(accepts(&text), theirs, "{text}");
        }
        let cut = &good[..at];
        assert!(!accepts(cut), "{cut}");
    }
}

#[test]
fn scans_any_depth_and_counts_it() {
    for depth in [1, 63, 64, 65, 128, 129, 100_000] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(Scanner::new(&text).value().unwrap().depth, depth);
        let text = "{\"k\":[".repeat(depth) + &"]}".repeat(depth);
        assert_eq!(Scanner::new(&text).value().unwrap().depth, 2 * depth);
    }
}

#[test]
fn names_the_offset_of_the_mistake() {
    let error = Scanner::new("{\"a\": tru}").value().unwrap_err();
    assert_eq!(error.to_string(), "a JSON value was expected at byte 6");
}
