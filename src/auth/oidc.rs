//! Mode `OIDC`: the client credentials of an OpenID Connect provider.

use super::answer::{Attempt, BODY_BYTES, ask};
use super::{Authenticator, Flight, Identity, Session, Token};
use crate::config::{Config, Secret};
use crate::error::Error;
use crate::transport::{FORM, route};
use std::sync::Arc;
use zeroize::Zeroizing;

struct ClientCredentials(Identity);

pub fn session(config: &Config) -> Result<Arc<Session>, Error> {
    for (key, value) in [("api_key", &config.api_key), ("secret", &config.secret)] {
        if value.as_ref().is_none_or(|value| value.is_empty()) {
            return Err(Error::Initialization(format!(
                "config_json: {key} must be given in auth_mode OIDC"
            )));
        }
    }
    let identity = Identity {
        mode: "OIDC",
        login_url: config.auth_api_token_url.clone(),
        refresh_url: None,
        api_key: config.api_key.clone(),
        secret: config.secret.clone(),
        scope: config.oidc_scope.clone(),
        route: route(config),
    };
    Ok(Session::shared(&identity, || {
        Box::new(ClientCredentials(identity.clone()))
    }))
}

impl Authenticator for ClientCredentials {
    fn login(&self, flight: &Flight) -> Result<Token, Attempt> {
        let identity = &self.0;
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(BODY_BYTES));
        for (name, value) in [
            ("client_id", identity.api_key.as_ref().map(Secret::reveal)),
            (
                "client_secret",
                identity.secret.as_ref().map(Secret::reveal),
            ),
            ("grant_type", Some("client_credentials")),
            ("scope", identity.scope.as_deref()),
        ] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        ask(
            flight,
            &identity.login_url,
            FORM,
            Zeroizing::new(form.finish().into_bytes()),
            &[identity.api_key.as_ref(), identity.secret.as_ref()],
        )
    }

    fn renewable(&self) -> bool {
        true
    }
}
