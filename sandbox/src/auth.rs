//! The authentication server: API tokens with refresh tokens, and an OIDC provider.

mod token;

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use serde_json::{Value, json};

pub(crate) use token::{Access, Holder, Tokens, jwt};

use crate::{answer::Answer, json, request::Request, state::Defaults};

pub(crate) const TOKEN_PATH: &str = "/identity/resources/auth/v1/api-token";
pub(crate) const REFRESH_PATH: &str = "/identity/resources/auth/v1/api-token/token/refresh";
pub(crate) const OIDC_PATH: &str = "/oidc/token";

const DENIED: &str = "Invalid authentication";

/// The pair that may log in; `None` lets any pair in.
pub(crate) type Credentials = Option<(String, String)>;

pub(crate) fn token(
    request: &Request,
    allowed: &Credentials,
    tokens: &mut Tokens,
    defaults: &Defaults,
) -> Answer {
    let body = body_of(request);
    let (client_id, secret) = match (body.get("clientId"), body.get("secret")) {
        (Some(Value::String(client_id)), Some(Value::String(secret))) => (client_id, secret),
        (client_id, secret) => {
            let named = [("clientId", client_id), ("secret", secret)];
            let wrong = named
                .iter()
                .filter(|(_, value)| !value.is_some_and(Value::is_string));
            return errors(
                StatusCode::BAD_REQUEST,
                wrong
                    .map(|(name, _)| format!("{name} must be a string"))
                    .collect(),
            );
        }
    };
    if !admits(allowed, client_id, secret) {
        return errors(StatusCode::UNAUTHORIZED, vec![DENIED.to_owned()]);
    }
    granted(client_id, tokens, defaults)
}

pub(crate) fn refresh(request: &Request, tokens: &mut Tokens, defaults: &Defaults) -> Answer {
    let body = body_of(request);
    let Some(Value::String(refresh_token)) = body.get("refreshToken") else {
        return errors(
            StatusCode::BAD_REQUEST,
            vec!["refreshToken must be a string".to_owned()],
        );
    };
    match tokens.redeem(refresh_token) {
        Some(client_id) => granted(&client_id, tokens, defaults),
        None => errors(StatusCode::UNAUTHORIZED, vec![DENIED.to_owned()]),
    }
}

/// The OIDC provider: RFC 6749, section 4.4.
pub(crate) fn oidc(
    request: &Request,
    allowed: &Credentials,
    tokens: &mut Tokens,
    defaults: &Defaults,
) -> Answer {
    let refused = |status, error: &str, description: &str| {
        Answer::json(
            status,
            &json!({"error": error, "error_description": description}),
        )
    };
    let kind = request.header(hyper::header::CONTENT_TYPE);
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the body must be form encoded",
        );
    }
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(&request.body);
        fields
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    match field("grant_type").as_deref() {
        None => {
            return refused(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "grant_type is missing",
            );
        }
        Some("client_credentials") => {}
        Some(_) => {
            return refused(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "only client_credentials is supported",
            );
        }
    }
    let (Some(client_id), Some(secret)) = (field("client_id"), field("client_secret")) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "client_id and client_secret are needed",
        );
    };
    if !admits(allowed, &client_id, &secret) {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client", DENIED);
    }
    let access = tokens.issue(Some(&client_id), defaults);
    let mut body = json!({"access_token": access.token, "token_type": "Bearer", "expires_in": defaults.expires_in_number()});
    if let (Some(scope), Some(body)) = (field("scope"), body.as_object_mut()) {
        body.insert("scope".to_owned(), Value::String(scope));
    }
    Answer::json(StatusCode::OK, &body)
}

fn admits(allowed: &Credentials, client_id: &str, secret: &str) -> bool {
    allowed
        .as_ref()
        .is_none_or(|(key, word)| key == client_id && word == secret)
}

fn granted(client_id: &str, tokens: &mut Tokens, defaults: &Defaults) -> Answer {
    let access = tokens.issue(Some(client_id), defaults);
    let refresh_token = tokens.issue_refresh(client_id, access.number);
    Answer::json(StatusCode::OK, &login(&access, &refresh_token, defaults))
}

/// What a login and a refresh answer.
pub(crate) fn login(access: &Access, refresh_token: &str, defaults: &Defaults) -> Value {
    json!({
        "accessToken": access.token,
        "refreshToken": refresh_token,
        "expires": http_date(SystemTime::now(), defaults.expires_in),
        "expiresIn": defaults.expires_in_number(),
    })
}

fn errors(status: StatusCode, errors: Vec<String>) -> Answer {
    Answer::json(status, &json!({ "errors": errors }))
}

fn body_of(request: &Request) -> Value {
    std::str::from_utf8(&request.body)
        .ok()
        .and_then(|text| json::tree(text).ok())
        .unwrap_or_default()
}

/// The RFC 1123 text of a moment some seconds away; `None` where the format has no text for it.
pub(crate) fn http_date(from: SystemTime, seconds: f64) -> Option<String> {
    let distance = Duration::try_from_secs_f64(seconds.abs()).ok()?;
    let moment = if seconds < 0.0 {
        from.checked_sub(distance)?
    } else {
        from.checked_add(distance)?
    };
    let since_epoch = moment.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // The four digits of the year end here, and the formatter panics beyond.
    const END_OF_YEAR_9999: u64 = 253_402_300_799;
    (since_epoch.as_secs() <= END_OF_YEAR_9999).then(|| httpdate::fmt_http_date(moment))
}
