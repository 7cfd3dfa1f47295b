//! Mode `MONA`: an API key and its secret for a short-lived token, which a refresh token renews.

use super::answer::{Attempt, ask, json};
use super::{Authenticator, Flight, Identity, Session, Token};
use crate::config::{Config, Secret};
use crate::error::Error;
use crate::transport::{JSON, route};
use serde::Serialize;
use std::sync::Arc;

struct MonaLogin(Identity);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Login<'a> {
    client_id: Option<&'a str>,
    secret: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refresh<'a> {
    refresh_token: &'a str,
}

pub fn session(config: &Config) -> Result<Arc<Session>, Error> {
    let refresh_url = config
        .should_use_refresh_tokens
        .then(|| config.refresh_token_url.clone());
    let identity = Identity {
        mode: "MONA",
        login_url: config.auth_api_token_url.clone(),
        refresh_url,
        api_key: config.api_key.clone(),
        secret: config.secret.clone(),
        scope: None,
        route: route(config),
    };
    Ok(Session::shared(&identity, || {
        Box::new(MonaLogin(identity.clone()))
    }))
}

impl Authenticator for MonaLogin {
    fn login(&self, flight: &Flight) -> Result<Token, Attempt> {
        let identity = &self.0;
        let body = Login {
            client_id: identity.api_key.as_ref().map(Secret::reveal),
            secret: identity.secret.as_ref().map(Secret::reveal),
        };
        ask(
            flight,
            &identity.login_url,
            JSON,
            json(&body),
            &[identity.api_key.as_ref(), identity.secret.as_ref()],
        )
    }

    fn refresh(&self, flight: &Flight, old: &Token) -> Option<Result<Token, Attempt>> {
        let url = self.0.refresh_url.as_ref()?;
        let refresh = old.refresh.as_ref()?;
        let body = Refresh {
            refresh_token: refresh.reveal(),
        };
        Some(ask(flight, url, JSON, json(&body), &[Some(refresh)]))
    }

    fn renewable(&self) -> bool {
        true
    }
}
