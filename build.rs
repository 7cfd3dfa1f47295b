//! Generates the C header.
//!
//! The header is written to the build's own folder; `scripts/generate` copies it to `include/mona.h`, and a
//! test fails when the two differ.

use std::env;
use std::path::PathBuf;

const SOURCES: [&str; 9] = [
    "status",
    "lifecycle",
    "synchronous",
    "background",
    "asynchronous",
    "log",
    "fork",
    "version",
    "string",
];

const HEAD: &str = "\
/**
 * @file mona.h
 * libmona: the native client of the Mona monitoring service (monalabs.io).
 *
 * Generated from the sources in src/ffi: do not edit.
 *
 * Every function may be called from any thread. Strings are UTF-8. A call that can fail returns a `mona_status`. Where
 * there is more to tell, it takes a last `char **out_json`, which may be NULL; when it is not, it is set on every return to one JSON
 * document that the caller frees with `mona_string_free`. Each document has `success` (boolean) and `error_message`
 * (text or null); one of a failure also has `error_kind` (a stable word) and `retriable` (boolean). No call leaves an error
 * behind in a thread, and no panic of the library ever reaches the caller. The library starts no thread, opens no file and no connection
 * before the first call that needs one. A forked child may use or free an inherited client at once: it makes connections and
 * threads of its own, keeps the access token, and begins with an empty queue, because the parent delivers what the parent accepted.
 * Once loaded it stays loaded: dlclose does not unmap it.
 */";

fn main() {
    println!("cargo:rerun-if-changed=src/ffi");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    if let Err(error) = header() {
        println!("cargo:warning=include/mona.h was not generated: {error}");
        std::process::exit(1);
    }
}

fn header() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    config.header = Some(HEAD.to_owned());
    config.after_includes = Some(version_macros()?);
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join(format!("src/ffi/{source}.rs")));
    }
    let out = PathBuf::from(env::var("OUT_DIR")?).join("mona.h");
    let mut header = Vec::new();
    builder.generate()?.write(&mut header);
    std::fs::write(out, polish(&String::from_utf8(header)?))?;
    Ok(())
}

/// Puts what only concerns Rust into C's terms.
fn polish(header: &str) -> String {
    let header = header.replace("# Safety\n * ", "@pre ");
    let line = |line: &str| match line.split_once(" -") {
        Some((define, number)) if define.starts_with("#define ") => {
            format!("{define} (-{number})\n")
        }
        _ => format!("{line}\n"),
    };
    header.lines().map(line).collect()
}

fn version_macros() -> Result<String, env::VarError> {
    let (major, minor, patch) = (
        env::var("CARGO_PKG_VERSION_MAJOR")?,
        env::var("CARGO_PKG_VERSION_MINOR")?,
        env::var("CARGO_PKG_VERSION_PATCH")?,
    );
    Ok(format!(
        "\n/** The version of the library that this header describes: its first part, */\n\
         #define MONA_VERSION_MAJOR {major}\n\
         /** its second part, */\n\
         #define MONA_VERSION_MINOR {minor}\n\
         /** its third part, */\n\
         #define MONA_VERSION_PATCH {patch}\n\
         /** the whole as text, */\n\
         #define MONA_VERSION_STRING \"{major}.{minor}.{patch}\"\n\
         /** and as a number that can be compared, with a byte for each part. */\n\
         #define MONA_VERSION_NUMBER ((MONA_VERSION_MAJOR << 16) | (MONA_VERSION_MINOR << 8) | MONA_VERSION_PATCH)"
    ))
}
