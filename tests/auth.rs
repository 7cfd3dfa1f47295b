//! Logging in, staying logged in, and what a failed login means, against a real server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/closed_port.rs"]
mod closed_port;
mod support;

use closed_port::ClosedPort;
use mona::client::Client;
use mona::status::Status;
use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use std::sync::Barrier;
use support::*;

const OIDC: &str = "/oidc/token";

fn oidc(sandbox: &Sandbox, changes: Value) -> Value {
    let mut config = config(sandbox, json!({"auth_mode": "OIDC", "user_id": "sandbox"}));
    config["auth_api_token_url"] = json!(format!("{}{OIDC}", sandbox.url()));
    config
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    config
}

/// Exports from 64 threads at once; every export must succeed.
fn export_from_64_threads(client: &Client) {
    let start = Barrier::new(64);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                start.wait();
                let answer = client.export(MESSAGE, None);
                assert_eq!(answer.status, Status::Ok, "{}", answer.document);
            });
        }
    });
}

#[test]
fn clients_of_one_key_share_a_login() {
    let sandbox = sandbox();
    let config = config(&sandbox, json!({}));
    let (first, second) = (client(&config), client(&config));
    for client in [&first, &second] {
        assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    }
    assert_eq!(count(&sandbox, LOGIN), 1);
}

#[test]
fn a_client_whose_proxy_is_gone_keeps_no_other_from_logging_in() {
    let sandbox = sandbox();
    let later = json!({"authenticate_on_init": false});
    let closed = ClosedPort::new();
    for config in [config(&sandbox, later.clone()), oidc(&sandbox, later)] {
        let mut detour = config.clone();
        detour["proxy"] = format!("http://{}", closed.host()).into();
        let (astray, direct) = (client(&detour), client(&config));
        assert_eq!(astray.export(MESSAGE, None).status, Status::Failed);
        assert_eq!(direct.export(MESSAGE, None).status, Status::Ok);
    }
}

#[test]
fn another_secret_logs_in_by_itself() {
    let credentials = Some(("k-own".to_owned(), "right".to_owned()));
    let sandbox = Sandbox::start(Options {
        credentials,
        ..Options::default()
    })
    .unwrap();
    let right = config(&sandbox, json!({"api_key": "k-own", "secret": "right"}));
    let wrong = config(&sandbox, json!({"api_key": "k-own", "secret": "wrong"}));
    assert!(client(&right).is_active());
    let refused = client(&wrong);
    assert!(!refused.is_active());
    let answer = refused.export(MESSAGE, None);
    assert_eq!(answer.status, Status::Failed);
    let document = document(&answer);
    assert_eq!(document["error_kind"], "authentication");
    assert_eq!(
        document["error_message"],
        "Mona's client could not authenticate: Invalid authentication"
    );
    assert_eq!(
        (&document["total"], &document["failed"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn a_failed_login_is_raised_where_the_client_is_told_to() {
    let sandbox = sandbox();
    let rule = json!({"path": LOGIN, "status": 401, "json": {"errors": ["no"]}});
    sandbox.add_rules(&rule.to_string()).unwrap();
    let quiet = config(&sandbox, json!({}));
    let (client, answer) = Client::new(Some(&quiet.to_string()));
    assert!(client.is_some_and(|client| !client.is_active()));
    assert_eq!(answer.status, Status::Ok);
    assert_eq!(document(&answer)["success"], false);
    let raising = config(&sandbox, json!({"raise_authentication_exceptions": true}));
    let (client, answer) = Client::new(Some(&raising.to_string()));
    assert!(client.is_none());
    assert_eq!(answer.status, Status::Authentication);
}

#[test]
fn an_expired_token_is_refreshed_once_for_all_threads() {
    let sandbox = sandbox();
    let expired = json!({"path": LOGIN, "times": 1, "json": {
        "accessToken": {"$jwt": {"tenantId": "sandbox", "jti": "expired"}},
        "refreshToken": "r", "expiresIn": -1}});
    let slow = json!({"path": REFRESH, "delay_ms": 100, "json": {
        "accessToken": {"$jwt": {"tenantId": "sandbox", "jti": "fresh"}}, "expiresIn": 3600}});
    sandbox
        .add_rules(&json!([expired, slow]).to_string())
        .unwrap();
    export_from_64_threads(&client(&config(&sandbox, json!({}))));
    assert_eq!((count(&sandbox, LOGIN), count(&sandbox, REFRESH)), (1, 1));
    assert_eq!(sandbox.message_count(), 64);
}

#[test]
fn an_expired_oidc_token_is_renewed_once_for_all_threads() {
    let sandbox = sandbox();
    let expired = json!({"path": OIDC, "times": 1, "json": {
        "access_token": {"$jwt": {"tenantId": "sandbox", "jti": "expired"}}, "expires_in": -1}});
    sandbox.add_rules(&expired.to_string()).unwrap();
    export_from_64_threads(&client(&oidc(&sandbox, json!({}))));
    assert_eq!(count(&sandbox, OIDC), 2);
    assert_eq!(sandbox.message_count(), 64);
}

#[test]
fn a_token_that_the_service_forgot_costs_one_login_for_all_threads() {
    for mode in ["MONA", "OIDC"] {
        let sandbox = sandbox();
        let (config, login) = match mode {
            "MONA" => (config(&sandbox, json!({})), LOGIN),
            _ => (oidc(&sandbox, json!({})), OIDC),
        };
        let client = client(&config);
        sandbox.reset();
        export_from_64_threads(&client);
        assert_eq!(count(&sandbox, login), 1, "{mode}");
        assert_eq!(sandbox.message_count(), 64, "{mode}");
    }
}

#[test]
fn a_request_that_stays_refused_is_sent_twice_and_no_more() {
    let sandbox = sandbox();
    sandbox
        .add_rules(&json!({"path": "/export", "status": 401, "json": {}}).to_string())
        .unwrap();
    let answer = client(&config(&sandbox, json!({}))).export(MESSAGE, None);
    assert_eq!(answer.status, Status::Failed);
    assert_eq!(paths(&sandbox), [LOGIN, "/export", LOGIN, "/export"]);
}

#[test]
fn a_refresh_that_fails_is_followed_by_a_login() {
    let sandbox = sandbox();
    let expired = json!({"path": LOGIN, "times": 1, "json": {
        "accessToken": {"$jwt": {"tenantId": "sandbox"}}, "refreshToken": "unknown", "expiresIn": -1}});
    sandbox.add_rules(&expired.to_string()).unwrap();
    let client = client(&config(&sandbox, json!({})));
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert_eq!(paths(&sandbox), [LOGIN, REFRESH, LOGIN, "/export"]);
}

#[test]
fn without_refresh_tokens_every_renewal_is_a_login() {
    let sandbox = sandbox();
    let expired = json!({"path": LOGIN, "times": 1, "json": {
        "accessToken": {"$jwt": {"tenantId": "sandbox"}}, "refreshToken": "r", "expiresIn": -1}});
    sandbox.add_rules(&expired.to_string()).unwrap();
    let client = client(&config(
        &sandbox,
        json!({"should_use_refresh_tokens": false}),
    ));
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert_eq!(paths(&sandbox), [LOGIN, LOGIN, "/export"]);
}

#[test]
fn an_overloaded_or_speechless_login_is_repeated_as_configured() {
    let sandbox = sandbox();
    let rules = json!([
        {"path": LOGIN, "times": 1, "status": 503, "json": {"errors": ["busy"]}},
        {"path": LOGIN, "times": 1, "status": 200, "body": "<html>"},
        {"path": LOGIN, "times": 1, "drop": "before_response"},
    ]);
    sandbox.add_rules(&rules.to_string()).unwrap();
    let client = client(&config(
        &sandbox,
        json!({"num_of_retries_for_authentication": 3}),
    ));
    assert!(client.is_active());
    assert_eq!(count(&sandbox, LOGIN), 4);
}

#[test]
fn odd_answers_of_the_authentication_server_are_failures_with_words() {
    for (body, expected) in [
        (json!([]), "the answer has no access token"),
        (json!({"accessToken": ""}), "the answer has no access token"),
        (
            json!({"accessToken": "garbage", "expiresIn": 60}),
            "names no tenant",
        ),
        (
            json!({"accessToken": {"$jwt": {"sub": "x"}}, "expiresIn": 60}),
            "names no tenant",
        ),
    ] {
        let sandbox = canned(json!({"path": LOGIN, "json": body}));
        let (client, answer) = Client::new(Some(&config(&sandbox, json!({})).to_string()));
        let message = document(&answer)["error_message"].to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(
            client.unwrap().export(MESSAGE, None).status,
            Status::Failed,
            "{message}"
        );
    }
}

#[test]
fn the_session_begins_with_the_first_call_where_it_is_told_to() {
    let sandbox = sandbox();
    let client = client(&config(&sandbox, json!({"authenticate_on_init": false})));
    assert!(!client.is_active());
    assert_eq!(sandbox.connections(), 0);
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert!(client.is_active());
}

#[test]
fn without_authentication_no_request_carries_a_token() {
    for changes in [
        json!({"should_use_authentication": false}),
        json!({"auth_mode": "NO_AUTH"}),
    ] {
        let sandbox = sandbox();
        let mut config = config(&sandbox, json!({"user_id": "sandbox"}));
        config
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let client = client(&config);
        assert!(client.is_active());
        assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
        assert_eq!(paths(&sandbox), ["/monaExport"]);
        assert_eq!(header(&sandbox.requests()[0], "authorization"), None);
    }
}

#[test]
fn clients_that_need_no_login_are_active_from_the_start() {
    let sandbox = canned(json!([]));
    for changes in [
        json!({"auth_mode": "NO_AUTH"}),
        json!({"auth_mode": "MANUAL_TOKEN", "access_token": "t"}),
    ] {
        let mut config = config(
            &sandbox,
            json!({"user_id": "u", "authenticate_on_init": false}),
        );
        config
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        assert!(client(&config).is_active(), "{changes}");
    }
    assert_eq!(sandbox.requests().len(), 0);
}

#[test]
fn clients_with_tokens_of_their_own_never_share_them() {
    let sandbox = canned(json!([]));
    let make = |token: &str| {
        let changes =
            json!({"access_token": token, "user_id": "u", "auth_mode": "OIDC", "api_key": "same"});
        client(&config(&sandbox, changes))
    };
    for client in [make("one"), make("two")] {
        assert!(client.is_active());
        assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    }
    let requests = sandbox.requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|request| header(request, "authorization"))
        .collect();
    assert_eq!(sent, [Some("Bearer one"), Some("Bearer two")]);
}

#[test]
fn a_manual_token_that_is_refused_is_not_sent_again() {
    let sandbox = canned(json!({"path": "/export", "status": 401, "json": {}}));
    let client = client(&config(
        &sandbox,
        json!({"access_token": "t", "user_id": "u"}),
    ));
    assert_eq!(client.export(MESSAGE, None).status, Status::Failed);
    assert_eq!(paths(&sandbox), ["/export"]);
}

#[test]
fn oidc_asks_by_form_and_reports_the_providers_words() {
    let sandbox = canned(json!([
        {"path": OIDC, "times": 1, "json": {"access_token": "opaque"}},
        {"path": OIDC, "status": 400, "json": {"error": "invalid_client", "error_description": "no such client"}},
    ]));
    let asking = oidc(
        &sandbox,
        json!({"api_key": "i d", "secret": "s&", "oidc_scope": "a b"}),
    );
    assert!(client(&asking).is_active());
    let request = &sandbox.requests()[0];
    assert_eq!(
        header(request, "content-type"),
        Some("application/x-www-form-urlencoded")
    );
    let form = String::from_utf8(request.body.clone()).unwrap();
    assert_eq!(
        form,
        "client_id=i+d&client_secret=s%26&grant_type=client_credentials&scope=a+b"
    );
    let (_, answer) = Client::new(Some(&oidc(&sandbox, json!({})).to_string()));
    let message = document(&answer)["error_message"].to_string();
    assert!(
        message.contains("invalid_client: no such client"),
        "{message}"
    );
}

#[test]
fn an_unreachable_authentication_server_is_told_as_such() {
    let closed = ClosedPort::new();
    let url = format!("http://{}", closed.host());
    let mut config = config(
        &sandbox(),
        json!({"raise_authentication_exceptions": true, "auth_api_token_url": url}),
    );
    for mode in ["MONA", "OIDC"] {
        config["auth_mode"] = json!(mode);
        config["user_id"] = json!("u");
        let (client, answer) = Client::new(Some(&config.to_string()));
        assert!(client.is_none());
        assert_eq!(answer.status, Status::Authentication, "{}", answer.document);
        let document = document(&answer);
        assert_eq!(document["retriable"], true);
        assert!(
            document["error_message"]
                .to_string()
                .contains("Cannot connect"),
            "{document}"
        );
    }
}

#[test]
fn a_mode_gets_what_it_needs_or_names_what_is_missing() {
    for (changes, expected) in [
        (
            json!({"auth_mode": "OICD"}),
            r#"config_json: auth_mode "OICD" is not known (did you mean "OIDC"?)"#,
        ),
        (
            json!({"auth_mode": "OIDC"}),
            "config_json: user_id must be given in auth_mode OIDC",
        ),
        (
            json!({"access_token": "t"}),
            "config_json: user_id must be given in auth_mode MANUAL_TOKEN",
        ),
        (
            json!({"auth_mode": "MANUAL_TOKEN", "user_id": "u"}),
            "config_json: access_token must be given in auth_mode MANUAL_TOKEN",
        ),
        (
            json!({"should_use_authentication": false}),
            "config_json: user_id must be given in auth_mode NO_AUTH",
        ),
    ] {
        let (client, answer) = Client::new(Some(&changes.to_string()));
        assert!(client.is_none());
        assert_eq!(answer.status, Status::Initialization);
        assert_eq!(document(&answer)["error_message"], expected);
    }
}

#[test]
fn a_user_id_suffices_where_the_token_names_no_tenant() {
    for changes in [
        json!({"auth_mode": "NO_AUTH"}),
        json!({"access_token": "t"}),
    ] {
        let mut config = changes;
        config["user_id"] = json!("u");
        assert!(client(&config).is_active());
    }
}

#[test]
fn a_login_that_takes_longer_than_the_call_has_is_a_failed_login() {
    let sandbox = canned(json!({"path": LOGIN, "delay_ms": 3_600_000}));
    let changes = json!({"authenticate_on_init": false, "raise_authentication_exceptions": true});
    let client = client(&config(&sandbox, changes));
    let answer = client.export(MESSAGE, Some(r#"{"timeout_ms": 50}"#));
    assert_eq!(answer.status, Status::Authentication, "{}", answer.document);
    sandbox.clear_rules();
}

#[test]
fn a_login_that_outlasts_its_call_serves_the_next() {
    let sandbox = canned(json!({"path": LOGIN, "handle": true, "delay_ms": 3_600_000}));
    let client = client(&config(&sandbox, json!({"authenticate_on_init": false})));
    let answer = client.export(MESSAGE, Some(r#"{"timeout_ms": 50}"#));
    assert_eq!(document(&answer)["error_kind"], "timeout");
    sandbox.clear_rules();
    assert_eq!(client.export(MESSAGE, None).status, Status::Ok);
    assert_eq!(count(&sandbox, LOGIN), 1);
}
