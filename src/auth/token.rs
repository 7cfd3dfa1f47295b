//! An access token and how long it may be used.

use crate::config::Secret;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

/// Never more of a token's lifetime than this is given up to renew it early.
const LARGEST_MARGIN: f64 = 0.2;

#[derive(Debug)]
pub struct Token {
    /// `None` where requests go without.
    pub access: Option<Secret>,
    pub refresh: Option<Secret>,
    /// The tenant that the token names.
    pub tenant: Option<String>,
    obtained: Instant,
    /// Seconds from then on; `None` where the server did not say: then it serves until it is refused.
    lifetime: Option<f64>,
    /// Whether a server has taken it.
    taken: AtomicBool,
}

impl Token {
    pub fn new(
        access: Secret,
        refresh: Option<Secret>,
        obtained: Instant,
        lifetime: Option<f64>,
    ) -> Self {
        Token {
            tenant: tenant(access.reveal()),
            access: Some(access),
            refresh,
            obtained,
            lifetime,
            taken: AtomicBool::default(),
        }
    }

    /// No token at all, for good.
    pub fn none() -> Self {
        Token {
            access: None,
            refresh: None,
            tenant: None,
            obtained: Instant::now(),
            lifetime: None,
            taken: AtomicBool::default(),
        }
    }

    /// Notes that a server has taken it.
    pub fn mark_taken(&self) {
        self.taken.store(true, Relaxed);
    }

    pub fn was_taken(&self) -> bool {
        self.taken.load(Relaxed)
    }

    /// Whether it should be renewed: its expiry is nearer than the margin.
    pub fn due(&self, margin_hours: f64) -> bool {
        self.lifetime.is_some_and(|lifetime| {
            let margin = (margin_hours * 3600.0).min(lifetime * LARGEST_MARGIN);
            self.age().as_secs_f64() > lifetime - margin
        })
    }

    pub fn expired(&self) -> bool {
        self.lifetime
            .is_some_and(|lifetime| self.age().as_secs_f64() > lifetime)
    }

    pub fn age(&self) -> Duration {
        self.obtained.elapsed()
    }
}

/// Seconds that a token lives from when it was obtained: `expiresIn`, else the distance to `expires`.
pub fn lifetime(answer: &Value, obtained: Instant) -> Option<f64> {
    let field = |names: [&str; 2]| names.iter().find_map(|name| answer.get(name));
    let seconds = field(["expiresIn", "expires_in"]).and_then(|value| match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    });
    seconds
        .filter(|seconds: &f64| seconds.is_finite())
        .or_else(|| {
            let from_now = seconds_until(answer.get("expires")?.as_str()?)?;
            Some(from_now + obtained.elapsed().as_secs_f64())
        })
}

/// Seconds from now to an HTTP date, negative when it has passed.
fn seconds_until(date: &str) -> Option<f64> {
    let at = httpdate::parse_http_date(date).ok()?;
    let now = SystemTime::now();
    match at.duration_since(now) {
        Ok(ahead) => Some(ahead.as_secs_f64()),
        Err(passed) => Some(-passed.duration().as_secs_f64()),
    }
}

/// The `tenantId` claim of a JWT. Its signature is the business of the servers that accept it.
pub fn tenant(jwt: &str) -> Option<String> {
    let payload = base64url(jwt.split('.').nth(1)?)?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let tenant = claims.get("tenantId")?.as_str()?;
    (!tenant.is_empty()).then(|| tenant.to_owned())
}

/// Decodes base64url, with or without padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut buffer, mut bits) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(lifetime: f64, age: u64) -> Token {
        let obtained = Instant::now() - Duration::from_secs(age);
        Token {
            obtained,
            lifetime: Some(lifetime),
            ..Token::none()
        }
    }

    #[test]
    fn the_margin_is_at_most_a_fifth_of_the_lifetime() {
        assert!(!token(14_400.0, 11_500).due(12.0));
        assert!(token(14_400.0, 11_530).due(12.0));
        assert!(!token(86_400.0, 82_000).due(1.0));
        assert!(token(86_400.0, 82_900).due(1.0));
        assert!(!token(14_400.0, 14_000).expired());
        assert!(token(14_400.0, 14_401).expired());
        assert!(!Token::none().due(12.0) && !Token::none().expired());
    }

    #[test]
    fn a_negative_margin_uses_a_token_beyond_its_expiry() {
        assert!(!token(3600.0, 4000).due(-1.0));
        assert!(token(3600.0, 7300).due(-1.0));
    }

    #[test]
    fn lifetimes_are_read_in_every_spelling() {
        let now = Instant::now();
        let lifetime = |answer: &Value| lifetime(answer, now);
        assert_eq!(
            lifetime(&json!({"expiresIn": 14400, "expires": "x"})),
            Some(14400.0)
        );
        assert_eq!(lifetime(&json!({"expires_in": "60"})), Some(60.0));
        assert_eq!(lifetime(&json!({"expires": "2021-04-08T13:51:05Z"})), None);
        let passed = lifetime(&json!({"expires": "Thu, 08 Apr 2021 13:51:05 GMT"})).unwrap();
        assert!(passed < -1e8);
        assert_eq!(lifetime(&json!({})), None);
    }

    #[test]
    fn the_tenant_is_the_claim_of_the_token() {
        let jwt = |claims: &str| format!("e30.{claims}.sig");
        assert_eq!(
            tenant(&jwt("eyJ0ZW5hbnRJZCI6ICJtb25hX3B1YmxpYyJ9")).as_deref(),
            Some("mona_public")
        );
        assert_eq!(tenant(&jwt("eyJ0ZW5hbnRJZCI6IDd9")), None);
        for odd in ["", "a.b", "a.!!.c", "e30.e30.", "..."] {
            assert_eq!(tenant(odd), None, "{odd}");
        }
    }
}
