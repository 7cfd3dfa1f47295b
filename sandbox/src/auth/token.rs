use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::state::Defaults;

/// The service lets each API token have this many refresh tokens; one more pushes the oldest out.
const REFRESH_TOKENS_PER_CLIENT: usize = 100;

/// An access token and its number.
pub(crate) struct Access {
    pub token: String,
    pub number: u64,
}

/// Who holds a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Tenant(String),
    Expired,
    Unknown,
}

#[derive(Debug)]
struct Issued {
    tenant: String,
    /// `None` never ends: a token of a rule.
    end: Option<Instant>,
}

/// All tokens handed out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    count: u64,
    access: HashMap<String, Issued>,
    /// Refresh token and client, oldest first.
    refresh: VecDeque<(String, String)>,
}

impl Tokens {
    /// Issues an access token; its claims are the tenant, a running number and, where known, the client.
    pub(crate) fn issue(&mut self, client_id: Option<&str>, defaults: &Defaults) -> Access {
        self.count += 1;
        let mut claims =
            json!({"tenantId": defaults.tenant, "jti": format!("token-{}", self.count)});
        if let (Some(client_id), Some(claims)) = (client_id, claims.as_object_mut()) {
            claims.insert("sub".to_owned(), Value::from(client_id));
        }
        let token = jwt(&claims);
        // A negative lifetime is one that is over; an endless one stays endless.
        let lifetime =
            Duration::try_from_secs_f64(defaults.expires_in.max(0.0)).unwrap_or(Duration::MAX);
        let issued = Issued {
            tenant: defaults.tenant.clone(),
            end: Instant::now().checked_add(lifetime),
        };
        self.access.insert(token.clone(), issued);
        Access {
            token,
            number: self.count,
        }
    }

    pub(crate) fn issue_refresh(&mut self, client_id: &str, number: u64) -> String {
        let held = self
            .refresh
            .iter()
            .filter(|(_, holder)| holder == client_id)
            .count();
        if held >= REFRESH_TOKENS_PER_CLIENT
            && let Some(oldest) = self
                .refresh
                .iter()
                .position(|(_, holder)| holder == client_id)
        {
            self.refresh.remove(oldest);
        }
        let token = format!("refresh-{number}");
        self.refresh
            .push_back((token.clone(), client_id.to_owned()));
        token
    }

    /// Uses a refresh token up, and tells whose it was.
    pub(crate) fn redeem(&mut self, refresh_token: &str) -> Option<String> {
        let place = self
            .refresh
            .iter()
            .position(|(token, _)| token == refresh_token)?;
        self.refresh.remove(place).map(|(_, client_id)| client_id)
    }

    /// Accepts a token that a rule made, for the tenant in its claims.
    pub(crate) fn trust(&mut self, token: &str) {
        let tenant =
            claims(token).and_then(|claims| Some(claims.get("tenantId")?.as_str()?.to_owned()));
        self.access.insert(
            token.to_owned(),
            Issued {
                tenant: tenant.unwrap_or_default(),
                end: None,
            },
        );
    }

    pub(crate) fn holder(&self, token: &str) -> Holder {
        match self.access.get(token) {
            None => Holder::Unknown,
            Some(issued) if issued.end.is_some_and(|end| end <= Instant::now()) => Holder::Expired,
            Some(issued) => Holder::Tenant(issued.tenant.clone()),
        }
    }
}

/// A well-formed, unsigned token; equal claims give equal text.
pub(crate) fn jwt(claims: &Value) -> String {
    let header = json!({"alg": "none", "typ": "JWT"});
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(ascii(&value.to_string()));
    format!("{}.{}.", part(&header), part(claims))
}

fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// JSON text with everything beyond ASCII escaped.
fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}
