//! Configurations, from the object and from the environment: an error names its place and never the value of a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mona::config::Config;

const CANARY: &str = "CANARY-in-a-secret";

// The object's text, and in a last line of its own the value of some variables.
fuzz_target!(|input: &str| {
    let (text, variable) = input.rsplit_once('\n').unwrap_or((input, ""));
    let environment = |name: &str| match name.len() % 3 {
        0 => Some(variable.to_owned()),
        1 if name.contains("SECRET") => Some(CANARY.to_owned()),
        _ => None,
    };
    let text = text.replace("CANARY", CANARY);
    let told = match Config::read(Some(&text), &environment) {
        Ok(config) => format!(
            "{:?} {:?} {:?}",
            config.secret, config.access_token, config.proxy
        ),
        Err(error) => error.to_string(),
    };
    let a_secret_was_given = text.contains("\"secret\":\"CANARY") && !text.contains("secret\\u");
    // As the name of a key, or of another variable.
    let quoted = text.matches(CANARY).count() > 1 || variable.contains(CANARY);
    assert!(
        !told.contains(CANARY) || !a_secret_was_given || quoted,
        "{told}"
    );
});
