use std::{fmt, time::Duration};

/// How a sandbox is to behave.
#[derive(Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Serve HTTPS, with a certificate made for this run: see [`Sandbox::ca_pem`](crate::Sandbox::ca_pem).
    pub tls: bool,
    /// The API key and secret that may log in; `None` lets any pair in.
    pub credentials: Option<(String, String)>,
    /// The tenant that tokens are issued for.
    pub tenant: String,
    /// How long an access token is valid.
    pub token_lifetime: Duration,
    /// Answer from a fixed table instead of checking and storing. The tenant, the token lifetime and the credentials
    /// are then those of the table.
    pub canned: bool,
    /// Whether `/get_segments_for_dimensions` exists, or only its older name `/stats`.
    pub segments_for_dimensions: bool,
    /// The largest request body that is accepted, in bytes.
    pub body_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            tls: false,
            credentials: None,
            tenant: "sandbox".to_owned(),
            token_lifetime: Duration::from_secs(4 * 60 * 60),
            canned: false,
            segments_for_dimensions: true,
            body_limit: 16 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret stays out: people will try the sandbox with real ones.
        let api_key = self.credentials.as_ref().map(|(key, _)| key);
        formatter
            .debug_struct("Options")
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("api_key", &api_key)
            .field("tenant", &self.tenant)
            .field("token_lifetime", &self.token_lifetime)
            .field("canned", &self.canned)
            .finish_non_exhaustive()
    }
}
