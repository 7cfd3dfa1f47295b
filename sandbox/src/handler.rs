//! From a request to its answer: control, recording, rules, and then Mona herself.

use std::{net::SocketAddr, sync::MutexGuard};

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::{
    answer::Answer,
    app,
    auth::{self, Holder},
    canned, control, export,
    request::Request,
    rules::{self, Expander},
    state::{Shared, State},
};

/// Where a sandbox can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub address: SocketAddr,
    pub tls: bool,
}

impl Place {
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// Whether a rule ends this request before its body is read.
pub(crate) fn breaks_off<B>(shared: &Shared, head: &hyper::Request<B>) -> bool {
    let path = head.uri().path();
    let mut state = shared.lock();
    !path.starts_with(control::PREFIX) && state.rules.breaks_off(head.method().as_str(), path)
}

pub(crate) fn answer(shared: &Shared, place: &Place, request: &Request) -> Answer {
    if let Some(name) = request.route().strip_prefix(control::PREFIX) {
        return control::answer(shared, request, name);
    }
    let mut state = shared.lock();
    state.requests.push(request.record());
    shared.changed.notify_all();
    let rule = state.rules.take(request);
    if let Some(rule) = rule.as_ref().filter(|rule| !rule.handle) {
        let url = place.url();
        let mut expander = Expander {
            url: &url,
            port: place.address.port(),
            tokens: &mut state.tokens,
        };
        return rules::play(rule, request, &mut expander);
    }
    if request.too_large {
        let limit = shared.options.body_limit;
        let body =
            json!({"topLevelError": format!("the request body is larger than {limit} bytes")});
        return Answer::json(StatusCode::PAYLOAD_TOO_LARGE, &body);
    }
    let mut answer = match &shared.canned {
        Some(canned) => canned.answer(request, &mut state),
        None => think(shared, request, state),
    };
    if let Some(rule) = rule {
        rules::disturb(&rule, &mut answer);
    }
    answer
}

fn think(shared: &Shared, request: &Request, mut guard: MutexGuard<'_, State>) -> Answer {
    let state = &mut *guard;
    let path = request.route();
    if request.method == Method::CONNECT {
        return canned::no_tunnel();
    }
    if !is_route(path, state) {
        return canned::not_found();
    }
    if request.method != Method::POST {
        return Answer::json(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"message": "Use POST"}),
        );
    }
    let credentials = &shared.options.credentials;
    match path {
        auth::TOKEN_PATH => {
            return auth::token(request, credentials, &mut state.tokens, &state.defaults);
        }
        auth::REFRESH_PATH => return auth::refresh(request, &mut state.tokens, &state.defaults),
        auth::OIDC_PATH => {
            return auth::oidc(request, credentials, &mut state.tokens, &state.defaults);
        }
        _ => {}
    }
    if export::OPEN_PATHS.contains(&path) {
        return export::answer(request, None, &mut state.store);
    }
    let tenant = match tenant(request, state) {
        Ok(tenant) => tenant,
        Err(reason) => {
            return Answer::json(StatusCode::UNAUTHORIZED, &json!({ "message": reason }));
        }
    };
    if export::PATHS.contains(&path) {
        // Without enforcement there may be no token, and so nothing to hold the body's user against.
        let tenant = state.defaults.enforce_auth.then_some(tenant.as_str());
        return export::answer(request, tenant, &mut state.store);
    }
    app::answer(request, &tenant, &state.store, &mut state.workspace)
}

fn is_route(path: &str, state: &State) -> bool {
    match path {
        auth::TOKEN_PATH | auth::REFRESH_PATH | auth::OIDC_PATH => true,
        app::SEGMENTS_PATH => state.defaults.segments_for_dimensions,
        _ => export::PATHS.contains(&path) || app::is_path(path),
    }
}

/// The tenant that a request speaks for.
fn tenant(request: &Request, state: &State) -> Result<String, &'static str> {
    let holder = request.bearer().map(|token| state.tokens.holder(token));
    match holder {
        Some(Holder::Tenant(tenant)) => Ok(tenant),
        _ if !state.defaults.enforce_auth => Ok(state.defaults.tenant.clone()),
        Some(Holder::Expired) => Err("The access token has expired"),
        Some(Holder::Unknown) => Err("The access token is unknown"),
        None => Err("An access token is needed"),
    }
}
