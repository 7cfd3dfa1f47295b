//! Configurations, from the object and from the environment: an error names its place and never the value of a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mona::config::Config;

const CANARY: &str = "CANARY-in-a-secret";

// The object's text, and in a last line of its own the value of some variables.
fuzz_target!(|input: &str| {
    let (text, variable) = input.rsplit_once('\n').unwrap_or((input, ""));
    let environment = |name: &str| match name.len() % 3 {
        _ if name.contains("SECRET") => Some(CANARY.to_owned()),
        0 => Some(variable.to_owned()),
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
    let as_secret = usize::from(text.contains("\"secret\":\"CANARY"));
    // As the name of a key, as the value of another one or of a variable; escapes can spell it, too.
    let elsewhere = text.matches(CANARY).count() > as_secret
        || text.contains("\\u")
        || variable.contains(CANARY);
    assert!(!told.contains(CANARY) || elsewhere, "{told}");
});
