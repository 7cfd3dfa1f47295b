//! An account's servers: their URLs, the access token, and the one resend after a token was refused.
#![forbid(unsafe_code)]

use crate::auth::{self, Context, Need, Session, Token};
use crate::config::{Config, Secret};
use crate::error::Error;
use crate::log::Logger;
use crate::sync::Deadline;
use crate::transport::{JSON, Request, Response, Transport, route};
use bytes::Bytes;
use sha2::{Digest, Sha224};
use std::sync::Arc;
use std::time::Duration;

/// The most bytes that an answer may have.
const RESPONSE_LIMIT: usize = 64 << 20;

/// No more of a tenant is shown that cannot be one.
const MOST_SHOWN: usize = 64;

/// Where a request goes.
#[derive(Clone, Copy)]
pub enum Endpoint {
    Export,
    /// A path of the app server, with its slash.
    App(&'static str),
}

impl Endpoint {
    /// The server as messages name it.
    pub fn server(self) -> &'static str {
        match self {
            Endpoint::Export => "rest-api",
            Endpoint::App(_) => "app-server",
        }
    }
}

pub struct Account {
    config: Arc<Config>,
    session: Arc<Session>,
    authenticated: bool,
    transport: Transport,
    logger: Logger,
}

/// What the requests of one call share.
pub struct Access {
    token: Arc<Token>,
    /// Who this is to the service.
    pub user_id: String,
    deadline: Deadline,
}

impl Account {
    /// An error where the configuration does not suffice for its mode of authentication.
    pub fn new(config: Arc<Config>, logger: Logger) -> Result<Self, Error> {
        let (session, authenticated) = auth::session(&config)?;
        Ok(Account {
            session,
            authenticated,
            transport: Transport::new(&config),
            config,
            logger,
        })
    }

    /// Whether what the configuration names is there. To be asked once: what was there may go.
    pub fn check(&self) -> Result<(), Error> {
        let config = &self.config;
        let default = if config.should_use_ssl { "https" } else { "" };
        let rest = config.override_rest_api_full_url.as_deref();
        let app = config.override_app_server_full_url.as_deref();
        let login = if self.session.renewable() {
            &config.auth_api_token_url
        } else {
            ""
        };
        self.transport
            .check(&[rest.unwrap_or(default), app.unwrap_or(default), login])
    }

    /// Tells the user from others as far as the configuration does, before any login: the API key stands for one, in
    /// digits that do not give it away.
    fn configured_user(&self) -> String {
        let config = &self.config;
        let key = || config.api_key.as_ref().map(Secret::reveal).map(digest);
        config.user_id.clone().or_else(key).unwrap_or_default()
    }

    /// Tells the endpoint of messages from others.
    fn endpoint(&self) -> String {
        // Where no request can be sent to, none is.
        let url = self.url(Endpoint::Export, &self.configured_user());
        url.unwrap_or_default()
    }

    /// Tells the endpoint of messages, reached the way that this client goes, from others.
    pub fn way(&self) -> String {
        format!("{}\n{}", self.endpoint(), route(&self.config))
    }

    /// Tells this endpoint and user from others, in 32 hexadecimal digits that give neither away.
    pub fn fingerprint(&self) -> String {
        digest(&format!("{}\n{}", self.endpoint(), self.configured_user()))
    }

    /// Whether requests carry a token.
    pub fn authenticated(&self) -> bool {
        self.authenticated
    }

    /// The login of a new client: tried even if one failed a moment ago.
    pub fn sign_in(&self) -> Result<(), Error> {
        let token = self
            .session
            .token(&self.context(Deadline::after(None)), Need::First)?;
        self.user_id(token.tenant.as_deref()).map(|_| ())
    }

    pub fn active(&self) -> bool {
        self.session.active()
    }

    /// Logs in where that is needed.
    pub fn access(&self, deadline: Deadline) -> Result<Access, Error> {
        let token = self.session.token(&self.context(deadline), Need::Call)?;
        let user_id = self.user_id(token.tenant.as_deref())?;
        Ok(Access {
            token,
            user_id,
            deadline,
        })
    }

    /// Sends a request, a second time with a new token if the first one's is refused.
    pub fn post(
        &self,
        access: &Access,
        endpoint: Endpoint,
        body: Bytes,
    ) -> Result<Response, Error> {
        self.post_within(access, endpoint, body, RESPONSE_LIMIT)
    }

    /// As [`Account::post`], for an answer that may have so many bytes.
    pub fn post_within(
        &self,
        access: &Access,
        endpoint: Endpoint,
        body: Bytes,
        response_limit: usize,
    ) -> Result<Response, Error> {
        let (token, deadline) = (&access.token, access.deadline);
        let url = self.url(endpoint, &access.user_id)?;
        let send = |token: &Token| {
            let bearer = token.access.as_ref();
            let mut response = self.transport.post(Request {
                server: endpoint.server(),
                url: &url,
                bearer,
                content_type: JSON,
                body: body.clone(),
                response_limit,
                deadline,
            })?;
            // A success may tell of failures, too.
            if let Some(bearer) = bearer {
                response.conceal(bearer);
            }
            if response.ok() {
                token.mark_taken();
            }
            Ok(response)
        };
        let result = send(token);
        let status = match &result {
            Ok(response) => response.status,
            // Pages of proxies may be long.
            Err(Error::ResponseTooLarge { status, .. }) => *status,
            Err(_) => return result,
        };
        if status != 401 || !self.session.renewable() {
            return result;
        }
        let renewed = self
            .session
            .token(&self.context(deadline), Need::Refused(token));
        match renewed {
            Ok(renewed) if !Arc::ptr_eq(&renewed, token) => send(&renewed),
            // There is none yet. Where that is because of an error, the session has logged it.
            _ => result,
        }
    }

    fn context(&self, deadline: Deadline) -> Context<'_> {
        let wait = self.config.wait_time_for_authentication_retries;
        Context {
            transport: &self.transport,
            logger: &self.logger,
            deadline,
            retries: self.config.num_of_retries_for_authentication,
            retry_wait: Duration::from_secs_f64(wait),
            margin_hours: self.config.refresh_token_safety_margin,
        }
    }

    fn user_id(&self, tenant: Option<&str>) -> Result<String, Error> {
        let given = self.config.user_id.as_deref();
        given
            .or(tenant)
            .map(str::to_owned)
            .ok_or_else(|| Error::Authentication {
                message: "The access token names no tenant (tenantId): give user_id".into(),
                retriable: false,
            })
    }

    fn url(&self, endpoint: Endpoint, user_id: &str) -> Result<String, Error> {
        let config = &self.config;
        let scheme = if config.should_use_ssl {
            "https"
        } else {
            "http"
        };
        match endpoint {
            Endpoint::Export => {
                if let Some(url) = &config.override_rest_api_full_url {
                    return Ok(url.clone());
                }
                let path = match (self.authenticated, config.use_send_event_endpoint) {
                    (true, false) => "export",
                    (true, true) => "sendEvent",
                    (false, false) => "monaExport",
                    (false, true) => "monaSendEvent",
                };
                Ok(match &config.override_rest_api_host {
                    Some(host) => format!("{scheme}://{host}/{path}"),
                    None => format!("{scheme}://{}/{path}", host("incoming", user_id)?),
                })
            }
            Endpoint::App(path) => {
                if let Some(url) = &config.override_app_server_full_url {
                    return Ok(format!("{}{path}", url.trim_end_matches('/')));
                }
                Ok(match &config.override_app_server_host {
                    Some(host) => format!("{scheme}://{host}{path}"),
                    None => format!("{scheme}://{}{path}", host("api", user_id)?),
                })
            }
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.session.release();
    }
}

/// A text in 32 hexadecimal digits that do not give it away.
fn digest(text: &str) -> String {
    let digest = Sha224::digest(text.as_bytes());
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A server of Mona's for one tenant. Whatever the tenant is called, no request, and no token in it, leaves for a
/// host elsewhere.
pub fn host(server: &str, user_id: &str) -> Result<String, Error> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if user_id.bytes().all(harmless) {
        return Ok(format!("{server}{user_id}.monalabs.io"));
    }
    let shown: String = user_id.chars().take(MOST_SHOWN).collect();
    Err(Error::Authentication {
        message: format!(
            "The tenant {shown:?} cannot be part of a host's name: give user_id, or override the hosts"
        ),
        retriable: false,
    })
}
