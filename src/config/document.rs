//! Writes `docs/configuration.md` from the table of keys.

use super::keys::{GROUPS, Key, QUEUE_GROUPS};
use super::setting::Limit;
use std::fmt::Write;

const HEAD: &str = "\
# Configuration

<!-- Generated from the table in src/config/keys.rs: run `scripts/generate` after a change there. -->

`mona_client_new` takes one JSON object, or NULL for an empty one. A key that is left out, or null, comes
from its environment variable (the first of them that is set and not empty), then from its default. The environment is read
when the client is made, never later, in forked children neither. Variables that are not UTF-8 are ignored.

An empty text (`\"\"`) is not left out: it hides the environment variable and, where the default is none, means none. But `api_key` and
`secret` are empty texts then, and an empty `proxy` leaves the choice to the environment. A key that stands twice in an object, of
a call's options too, counts as it stands last.

An unknown key, a value of the wrong type, one out of range, a URL or host that is none, or a `ca_file` without a certificate where
TLS is to be used, is `MONA_ERROR_INITIALIZATION`: the message
names the key or the variable, and the known key that is nearest. Text that is no JSON object is
`MONA_ERROR_INVALID_ARGUMENT`. A whole number may be spelled in any way that JSON has for it (`1000`, `1e3`, `1000.0`), in the
environment and in the options of a call, too. Booleans in the environment are `true`,
`1`, `yes`, `false`, `0` or `no` in any case; anything else is an error.

*From* tells where a key comes from: an argument of the Python package's `Client` (with the same name
there), something that the Python package reads from the environment only, or libmona.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for (title, keys) in GROUPS.iter().chain(QUEUE_GROUPS) {
        let _ = write!(
            page,
            "\n## {title}\n\n| key | type | default | environment | from | meaning |\n|---|---|---|---|---|---|\n"
        );
        for key in *keys {
            page.push_str(&row(key));
        }
    }
    page
}

fn row(key: &Key) -> String {
    let mut kind = key.kind.to_owned();
    if let Some(Limit::Between(low, high)) = key.limit {
        let _ = write!(kind, ", {low} to {high}");
    }
    let variables: Vec<_> = key.environment.iter().map(|v| format!("`{v}`")).collect();
    format!(
        "| `{}` | {} | {} | {} | {} | {} |\n",
        key.name,
        kind,
        default_text(key.default),
        variables.join(", "),
        key.origin,
        key.doc
    )
}

/// The default as JSON would write it.
fn default_text(source: &str) -> String {
    match source {
        "None" => "none".into(),
        "Defaults" => "each key's own".into(),
        text if text.starts_with('"') => format!("`{text}`"),
        other => match other.split_once("::") {
            Some((_, word)) => format!("`\"{}\"`", word.to_lowercase()),
            None => format!("`{}`", other.trim_end_matches("u32").replace('_', "")),
        },
    }
}
