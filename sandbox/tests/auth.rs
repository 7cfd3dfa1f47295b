//! The authentication server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod common;

use std::time::Duration;

use common::{connect, exchange, log_in, post, receive, send, start, token};
use mona_sandbox::{Options, Sandbox};
use serde_json::json;

const REFRESH: &str = "/identity/resources/auth/v1/api-token/token/refresh";

fn guarded() -> Sandbox {
    let credentials = Some(("key".to_owned(), "secret".to_owned()));
    Sandbox::start(Options {
        credentials,
        ..Options::default()
    })
    .unwrap()
}

fn export_status(sandbox: &Sandbox, token: &str) -> u16 {
    post(
        sandbox,
        "/export",
        token,
        r#"{"userId": "sandbox", "messages": []}"#,
    )
    .status
}

#[test]
fn a_login_gives_a_token_that_exports() {
    let sandbox = guarded();
    let login = log_in(&sandbox, "key", "secret").json();
    assert_eq!(login["expiresIn"], 14_400);
    assert!(login["expires"].as_str().unwrap().ends_with(" GMT"));
    assert_eq!(
        export_status(&sandbox, login["accessToken"].as_str().unwrap()),
        200
    );
}

#[test]
fn wrong_credentials_are_refused() {
    let answer = log_in(&guarded(), "key", "wrong");
    assert_eq!(
        (answer.status, answer.json()),
        (401, json!({"errors": ["Invalid authentication"]}))
    );
}

#[test]
fn credentials_have_to_be_strings() {
    let answer = post(
        &start(),
        "/identity/resources/auth/v1/api-token",
        "",
        r#"{"clientId": 1}"#,
    );
    let errors = json!({"errors": ["clientId must be a string", "secret must be a string"]});
    assert_eq!((answer.status, answer.json()), (400, errors));
}

#[test]
fn a_refresh_token_works_once() {
    let sandbox = start();
    let login = log_in(&sandbox, "key", "secret").json();
    let body = json!({"refreshToken": login["refreshToken"]}).to_string();
    let refreshed = post(&sandbox, REFRESH, "", &body);
    assert_eq!(refreshed.status, 200);
    assert_ne!(refreshed.json()["refreshToken"], login["refreshToken"]);
    assert_eq!(post(&sandbox, REFRESH, "", &body).status, 401);
}

#[test]
fn the_hundred_and_first_login_ends_the_oldest_refresh_token() {
    let sandbox = start();
    let mut stream = connect(&sandbox);
    let mut logins = Vec::new();
    for _ in 0..101 {
        let body = br#"{"clientId": "key", "secret": "secret"}"#;
        send(
            &mut stream,
            "POST",
            "/identity/resources/auth/v1/api-token",
            &[],
            body,
        )
        .unwrap();
        logins.push(receive(&mut stream).unwrap().json());
    }
    let status = |number: usize| {
        let body = json!({"refreshToken": logins[number]["refreshToken"]}).to_string();
        post(&sandbox, REFRESH, "", &body).status
    };
    assert_eq!((status(0), status(1)), (401, 200));
}

#[test]
fn an_expired_token_is_refused() {
    let options = Options {
        token_lifetime: Duration::ZERO,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let answer = post(&sandbox, "/export", &token(&sandbox), "{}");
    assert_eq!(answer.status, 401);
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("expired")
    );
}

#[test]
fn export_and_services_need_a_token_and_the_open_export_does_not() {
    let sandbox = start();
    assert_eq!(export_status(&sandbox, "made-up"), 401);
    assert_eq!(post(&sandbox, "/configs", "made-up", "{}").status, 401);
    let body = r#"{"userId": "anybody", "messages": []}"#;
    assert_eq!(post(&sandbox, "/monaExport", "", body).status, 200);
}

#[test]
fn oidc_gives_a_token_for_client_credentials() {
    let sandbox = guarded();
    let ask = |form: &str| {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        exchange(&sandbox, "POST", "/oidc/token", &headers, form.as_bytes()).unwrap()
    };
    let granted =
        ask("grant_type=client_credentials&client_id=key&client_secret=secret&scope=a%20b").json();
    assert_eq!(granted["token_type"], "Bearer");
    assert_eq!(granted["scope"], "a b");
    assert_eq!(
        export_status(&sandbox, granted["access_token"].as_str().unwrap()),
        200
    );

    let denied = ask("grant_type=client_credentials&client_id=key&client_secret=wrong");
    assert_eq!(
        (denied.status, &denied.json()["error"]),
        (401, &json!("invalid_client"))
    );
    let odd = ask("grant_type=password&client_id=key&client_secret=secret");
    assert_eq!(
        (odd.status, &odd.json()["error"]),
        (400, &json!("unsupported_grant_type"))
    );
}
