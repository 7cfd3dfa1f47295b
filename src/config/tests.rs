use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let lookup = |name: &str| {
        let found = environment.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Config::read(Some(text), &lookup).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_the_python_package() {
    let config = read("{}", &[]).unwrap();
    assert!(
        config.should_use_ssl && config.should_use_authentication && config.authenticate_on_init
    );
    assert!(!config.raise_export_exceptions && !config.filter_none_fields_on_export);
    assert_eq!(config.num_of_retries_for_authentication, 3);
    assert_eq!(config.wait_time_for_authentication_retries, 2.0);
    assert_eq!(
        (config.connect_timeout_ms, config.request_timeout_ms),
        (5000, 30000)
    );
    assert_eq!(config.queue.attempt_timeout_ms, 15_000);
    assert_eq!(config.logger_name, "mona-logger");
}

#[test]
fn the_object_wins_over_the_environment() {
    let variables = [
        ("MONA_SDK_SHOULD_USE_SSL", "False"),
        ("MONA_SDK_USER_ID", "env"),
    ];
    let config = read(r#"{"user_id":"given"}"#, &variables).unwrap();
    assert_eq!(config.user_id.as_deref(), Some("given"));
    assert!(!config.should_use_ssl);
    let config = read(r#"{"user_id":null}"#, &variables).unwrap();
    assert_eq!(config.user_id.as_deref(), Some("env"));
}

#[test]
fn an_empty_text_hides_the_environment() {
    let variables = [
        ("MONA_SDK_USER_ID", "env"),
        ("MONA_SDK_SECRET", "env"),
        ("HTTP_PROXY", "h"),
    ];
    let config = read(r#"{"user_id":"","secret":"","proxy":""}"#, &variables).unwrap();
    assert_eq!(config.user_id, None);
    assert!(config.secret.is_some_and(|secret| secret.is_empty()));
    assert_eq!(config.proxies, read("{}", &variables).unwrap().proxies);
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let config = read(
        r#"{"user_id":"a","queue":{"linger_ms":1,"linger_ms":2},"user_id":"b"}"#,
        &[],
    );
    let config = config.unwrap();
    assert_eq!(
        (config.user_id.as_deref(), config.queue.linger_ms),
        (Some("b"), 2)
    );
}

#[test]
fn proxies_are_those_of_the_environment_that_was_read() {
    let config = read("{}", &[("HTTP_PROXY", "http://h:1")]).unwrap();
    let direct = read("{}", &[]).unwrap();
    assert_ne!(config.proxies, direct.proxies);
}

#[test]
fn paths_are_those_from_where_the_client_was_made() {
    let text = r#"{"ca_file":"a","queue":{"spool_dir":"b/c"}}"#;
    let config = read(text, &[]).unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(config.ca_file.as_deref(), here.join("a").to_str());
    assert_eq!(config.queue.spool_dir.as_deref(), here.join("b/c").to_str());
    let config = read(r#"{"ca_file":"/a"}"#, &[]).unwrap();
    assert_eq!(
        (config.ca_file.as_deref(), config.queue.spool_dir),
        (Some("/a"), None)
    );
}

#[test]
fn every_variable_of_every_key_is_read() {
    for key in keys::GROUPS.iter().flat_map(|(_, keys)| keys.iter()) {
        for variable in key.environment {
            let error = read("{\"user_id\":\"u\"}", &[(variable, "\u{1}")]).err();
            let shown = read("{\"user_id\":\"u\"}", &[]).map(|c| format!("{c:?}"));
            let changed = match key.name {
                "user_id" => read("{}", &[(variable, "\u{1}")]),
                _ => read("{\"user_id\":\"u\"}", &[(variable, "\u{1}")]),
            };
            let changed = changed.map(|c| format!("{c:?}"));
            assert!(
                error.is_some() || shown != changed,
                "{variable} has no effect"
            );
            if let Some(error) = error {
                assert!(
                    error.starts_with(&format!("environment: {variable} must be")),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn booleans_of_the_environment_are_words_or_errors() {
    for (text, expected) in [
        ("True", Some(true)),
        ("TRUE", Some(true)),
        ("1", Some(true)),
        ("yes", Some(true)),
        ("False", Some(false)),
        ("0", Some(false)),
        ("NO", Some(false)),
        ("", Some(true)),
        ("maybe", None),
        ("2", None),
    ] {
        let config = read("{}", &[("MONA_SDK_SHOULD_USE_SSL", text)]).ok();
        assert_eq!(config.map(|c| c.should_use_ssl), expected, "{text}");
    }
}

#[test]
fn numbers_may_be_as_large_as_in_the_python_package() {
    for text in [
        r#"{"num_of_retries_for_authentication":5000}"#,
        r#"{"wait_time_for_authentication_retries":100000}"#,
        r#"{"refresh_token_safety_margin":-100000}"#,
        r#"{"sampling_factors_max_age_seconds":-1}"#,
        r#"{"sampling_factors_max_age_seconds":1e300}"#,
    ] {
        let config = read(text, &[]).unwrap();
        crate::factors::Factors::new(&config);
    }
    let config = read("{}", &[("MONA_SDK_DEFAULT_SAMPLING_FACTOR", "inf")]).unwrap();
    assert_eq!(config.default_sampling_rate, f64::INFINITY);
    assert!(read("{}", &[("MONA_SDK_DEFAULT_SAMPLING_FACTOR", "nan")]).is_err());
}

#[test]
fn a_class_whose_rate_is_null_has_none_of_its_own() {
    let config = read(
        r#"{"context_class_to_sampling_rate":{"C":null,"D":1}}"#,
        &[],
    )
    .unwrap();
    let rates = config.context_class_to_sampling_rate.unwrap();
    assert_eq!(
        rates.into_iter().collect::<Vec<_>>(),
        [("D".to_owned(), 1.0)]
    );
}

#[test]
fn a_whole_number_may_be_spelled_in_any_way() {
    const VARIABLE: &str = "MONA_SDK_NUM_OF_RETRIES_FOR_AUTHENTICATION";
    let given = |number: &str| {
        let config = format!(r#"{{"num_of_retries_for_authentication":{number}}}"#);
        read(&config, &[]).map(|config| config.num_of_retries_for_authentication)
    };
    let set = |number: &str| {
        let config = read("{}", &[(VARIABLE, number)]);
        config.map(|config| config.num_of_retries_for_authentication)
    };
    for spelling in ["100", "1e2", "100.0", "1000E-1"] {
        assert_eq!(given(spelling), Ok(100), "{spelling}");
        assert_eq!(set(spelling), Ok(100), "{spelling}");
    }
    // As Python reads them.
    for spelling in [" 100 ", "+100", "0100"] {
        assert_eq!(set(spelling), Ok(100), "{spelling}");
    }
    for wrong in ["1.5", "1e-1", "x"] {
        let error = set(wrong).unwrap_err();
        assert!(error.ends_with("must be a whole number"), "{error}");
    }
    for wrong in ["inf", "nan", "1e400", "-1", "1e12"] {
        assert!(set(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_bad_value_names_its_key() {
    for (text, expected) in [
        (
            r#"{"userid":"u"}"#,
            r#"config_json: unknown key "userid" (did you mean "user_id"?)"#,
        ),
        (r#"{"zzzzzz":1}"#, r#"config_json: unknown key "zzzzzz""#),
        (
            r#"{"should_use_ssl":"true"}"#,
            "config_json: should_use_ssl must be a boolean",
        ),
        (
            r#"{"connect_timeout_ms":0}"#,
            "config_json: connect_timeout_ms must be between 1 and 3600000",
        ),
        (
            r#"{"connect_timeout_ms":-1}"#,
            "config_json: connect_timeout_ms must be between 1 and 3600000",
        ),
        (
            r#"{"connect_timeout_ms":1.5}"#,
            "config_json: connect_timeout_ms must be a whole number",
        ),
        (
            r#"{"num_of_retries_for_authentication":-1}"#,
            "config_json: num_of_retries_for_authentication must be between 0 and 4000000000",
        ),
        (
            r#"{"context_class_to_sampling_rate":{"C":[]}}"#,
            r#"config_json: context_class_to_sampling_rate must give a number for "C""#,
        ),
        (
            r#"{"context_class_to_sampling_rate":{"C":1},"sampling_config_name":"s"}"#,
            "config_json: only one of sampling_config_name and context_class_to_sampling_rate can be given",
        ),
        (
            r#"{"queue":{"spool_dir":"d","overflow":"drop_oldest"}}"#,
            "config_json: queue.overflow drop_oldest cannot be had with queue.spool_dir, which loses no message: use reject or block",
        ),
        (
            r#"{"auth_api_token_url":"zzz"}"#,
            "config_json: auth_api_token_url must be an http:// or https:// URL, in ASCII (xn--...)",
        ),
        (
            r#"{"override_rest_api_host":"h:99999"}"#,
            "config_json: override_rest_api_host must be a host, or host and port, in ASCII (xn--...)",
        ),
        ("[]", "config_json: $ must be an object"),
        (
            "{",
            "config_json: not valid JSON: EOF while parsing an object at byte 1",
        ),
    ] {
        assert_eq!(read(text, &[]).unwrap_err(), expected);
    }
}

#[test]
fn urls_and_hosts_are_such() {
    let urls = [
        "auth_api_token_url",
        "refresh_token_url",
        "override_app_server_full_url",
    ];
    let hosts = ["override_rest_api_host", "override_app_server_host"];
    let known = |key: &str, value: &str| {
        let text = serde_json::json!({key: value}).to_string();
        read(&text, &[]).is_ok()
    };
    for key in urls {
        for good in [
            "http://h",
            "https://h:1/p?q",
            "HTTP://[::1]:8",
            "http://u:p@h/",
        ] {
            assert!(known(key, good), "{key} {good}");
        }
        for bad in [
            "zzz",
            "::::",
            "http://",
            "ftp://h",
            "http://h:99999",
            "http://b\u{fc}cher/",
            "file:///x",
        ] {
            assert!(!known(key, bad), "{key} {bad}");
        }
    }
    for key in hosts {
        for good in [
            "",
            "h",
            "h:80",
            "127.0.0.1:1",
            "[::1]:8",
            "a_b.c-d.",
            "xn--bcher-kva.example",
        ] {
            assert!(known(key, good), "{key} {good}");
        }
        for bad in [
            "h:99999",
            "h:x",
            "http://h",
            "b\u{fc}cher.example",
            "a b",
            "{HOST}",
        ] {
            assert!(!known(key, bad), "{key} {bad}");
        }
    }
}

#[test]
fn nothing_secret_is_ever_shown() {
    let config = read(
        r#"{"api_key":"CANARY1","secret":"CANARY2","proxy":"http://u:CANARY3@h"}"#,
        &[],
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("CANARY"));
    let wrong = read(r#"{"secret":["CANARY"]}"#, &[]).unwrap_err();
    assert!(!wrong.contains("CANARY"), "{wrong}");
}
