//! The table of configuration keys: the only place that knows their names, types, ranges, defaults,
//! environment variables and documentation.

use super::setting::{
    Defaults, DeliveryEvents, Limit, LogEvents, Overflow, Rates, Secret, Setting, SpoolSync,
};
use crate::error::Error;
use crate::transport::Proxies;
use serde_json::{Map, Value};

/// One row of the table, as documentation and error messages need it.
pub struct Key {
    pub name: &'static str,
    pub kind: &'static str,
    pub default: &'static str,
    pub limit: Option<Limit>,
    /// Environment variables that give the default, the first that is set counting.
    pub environment: &'static [&'static str],
    pub origin: &'static str,
    pub doc: &'static str,
}

macro_rules! settings {
    ($(#[$attribute:meta])* $config:ident $(and $beside:ident: $beside_type:ty)?, $names:ident, $groups:ident { $($group:literal { $($name:ident: $type:ty = $default:expr, $([$($limit:tt)*],)?
        env $environment:expr, from $origin:literal, $doc:literal;)* })* }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug)]
        pub struct $config { $($(#[doc = $doc] pub $name: $type,)*)* $(pub $beside: $beside_type,)? }

        /// By themselves, so that the library holds no documentation.
        pub const $names: &[&str] = &[$($(stringify!($name),)*)*];

        /// Group titles and their rows, in the order of the documentation.
        pub const $groups: &[(&str, &[Key])] = &[$(($group, &[$(Key {
            name: stringify!($name),
            kind: <$type as Setting>::KIND,
            default: stringify!($default),
            limit: settings!(@limit $($($limit)*)?),
            environment: &$environment,
            origin: $origin,
            doc: $doc,
        },)*]),)*];

        impl Default for $config {
            fn default() -> Self {
                $config { $($($name: <$type>::from($default),)*)* $($beside: Default::default(),)? }
            }
        }

        impl $config {
            pub(super) fn resolve(
                object: &Map<String, Value>,
                environment: &dyn Fn(&str) -> Option<String>,
            ) -> Result<$config, Error> {
                let mut config = $config::default();
                $($(resolve(
                    &mut config.$name,
                    stringify!($name),
                    settings!(@limit $($($limit)*)?),
                    given(stringify!($name), &$environment, object, environment),
                )?;)*)*
                Ok(config)
            }
        }
    };
    (@limit) => { None };
    (@limit url) => { Some(Limit::Url) };
    (@limit host) => { Some(Limit::Host) };
    (@limit $low:literal to $high:literal) => { Some(Limit::Between($low, $high)) };
}

settings! {
    /// Everything a client can be told, resolved from its configuration object and the environment.
    Config and proxies: Proxies, NAMES, GROUPS {
    "Identity" {
        api_key: Option<Secret> = None, env ["MONA_SDK_API_KEY", "MONA_SDK_OIDC_CLIENT_ID"], from "mona_sdk 0.0.51",
            "The API key of the Mona account (in mode `OIDC` the client id).";
        secret: Option<Secret> = None, env ["MONA_SDK_SECRET", "MONA_SDK_OIDC_CLIENT_SECRET"], from "mona_sdk 0.0.51",
            "The secret that belongs to `api_key` (in mode `OIDC` the client secret).";
        user_id: Option<String> = None, env ["MONA_SDK_USER_ID"], from "mona_sdk 0.0.51",
            "The tenant. Letters, digits, `-`, `_` and `.` where it becomes part of a host's name. Taken from the access token's `tenantId` where it is not given; required in every `auth_mode` but `MONA`.";
    }
    "Failures" {
        raise_authentication_exceptions: bool = false, env ["MONA_SDK_RAISE_AUTHENTICATION_EXCEPTIONS"], from "mona_sdk 0.0.51",
            "A failed login returns `MONA_ERROR_AUTHENTICATION` instead of `MONA_FAILED`, and `mona_client_new` makes no client then.";
        raise_export_exceptions: bool = false, env ["MONA_SDK_RAISE_EXPORT_EXCEPTIONS"], from "mona_sdk 0.0.51",
            "A failed export returns `MONA_ERROR_EXPORT` instead of `MONA_FAILED`.";
        raise_service_exceptions: bool = false, env ["MONA_SDK_RAISE_SERVICE_EXCEPTIONS"], from "mona_sdk 0.0.51",
            "A failed service call returns `MONA_ERROR_SERVICE` instead of `MONA_FAILED`.";
    }
    "Authentication" {
        auth_mode: String = "MONA", env ["AUTH_MODE"], from "mona_sdk 0.0.58",
            "How to authenticate: `MONA` (API key and secret), `OIDC` (client credentials of an OpenID Connect provider), `MANUAL_TOKEN` (`access_token`) or `NO_AUTH`. An `access_token` wins over it, and `should_use_authentication` false over both.";
        access_token: Option<Secret> = None, env ["MONA_SDK_ACCESS_TOKEN"], from "mona_sdk 0.0.58",
            "An access token to use as it is. It is never renewed.";
        oidc_scope: Option<String> = None, env ["MONA_SDK_OIDC_SCOPE"], from "mona_sdk 0.0.58",
            "The scope to ask an OpenID Connect provider for.";
        should_use_refresh_tokens: bool = true, env ["MONA_SDK_USE_REFRESH_TOKENS"], from "mona_sdk 0.0.58",
            "Renew tokens by refresh tokens in mode `MONA`; when false, log in anew each time.";
        should_use_authentication: bool = true, env ["MONA_SDK_SHOULD_USE_AUTHENTICATION"], from "mona_sdk 0.0.51",
            "False is `auth_mode` `NO_AUTH`: messages go to the unauthenticated endpoint, which Mona must enable for the account.";
        authenticate_on_init: bool = true, env [], from "libmona",
            "Whether `mona_client_new` logs in. When false, the first call does.";
        num_of_retries_for_authentication: u32 = 3u32, [0.0 to 4000000000.0], env ["MONA_SDK_NUM_OF_RETRIES_FOR_AUTHENTICATION"], from "mona_sdk 0.0.51",
            "How many more attempts a login makes when the server cannot be reached, is overloaded or answers without JSON.";
        wait_time_for_authentication_retries: f64 = 2.0, [0.0 to 1000000000.0], env ["MONA_SDK_WAIT_TIME_FOR_AUTHENTICATION_RETRIES_SEC"], from "mona_sdk 0.0.51",
            "Seconds between these attempts.";
        refresh_token_safety_margin: f64 = 12.0, env ["MONA_SDK_REFRESH_TOKEN_SAFETY_MARGIN"], from "mona_sdk 0.0.51 (environment only)",
            "Hours before its expiry at which an access token is renewed; never more than a fifth of its lifetime.";
        auth_api_token_url: String = "https://monalabs.frontegg.com/identity/resources/auth/v1/api-token", [url], env ["MONA_SDK_AUTH_API_TOKEN_URL"], from "mona_sdk 0.0.51 (environment only), 0.0.58",
            "Where to log in.";
        refresh_token_url: String = "https://monalabs.frontegg.com/identity/resources/auth/v1/api-token/token/refresh", [url], env ["MONA_SDK_REFRESH_TOKEN_URL"], from "mona_sdk 0.0.51 (environment only), 0.0.58",
            "Where to renew an access token.";
    }
    "Servers" {
        should_use_ssl: bool = true, env ["MONA_SDK_SHOULD_USE_SSL"], from "mona_sdk 0.0.51",
            "Use `https` for the default hosts and for overridden hosts. Full URLs keep their own scheme.";
        override_rest_api_full_url: Option<String> = None, env ["MONA_SDK_OVERRIDE_REST_API_URL"], from "mona_sdk 0.0.51",
            "The whole URL that messages are sent to, used as it stands: with one that is none, the client is made and each export fails, as in the Python package.";
        override_rest_api_host: Option<String> = None, [host], env ["MONA_SDK_OVERRIDE_REST_API_HOST"], from "mona_sdk 0.0.51",
            "Host, or host and port, that messages are sent to; in ASCII (`xn--…`). Default: `incoming<user_id>.monalabs.io`.";
        override_app_server_host: Option<String> = None, [host], env ["MONA_SDK_OVERRIDE_APP_SERVER_HOST"], from "mona_sdk 0.0.51",
            "Host, or host and port, of the services. Default: `api<user_id>.monalabs.io`.";
        override_app_server_full_url: Option<String> = None, [url], env ["MONA_SDK_OVERRIDE_APP_SERVER_URL"], from "mona_sdk 0.0.58",
            "Base URL of the services; a service's path is added to it.";
        use_send_event_endpoint: bool = false, env ["MONA_SDK_USE_SEND_EVENT_ENDPOINT"], from "mona_sdk 0.0.58 (environment only)",
            "Send messages to `/sendEvent` and `/monaSendEvent`, the newer names of `/export` and `/monaExport`.";
    }
    "Messages" {
        filter_none_fields_on_export: bool = false, env ["MONA_SDK_FILTER_NONE_FIELDS_ON_EXPORT"], from "mona_sdk 0.0.51",
            "Leave out fields of a message that are null (its own fields, not those nested deeper).";
        use_send_timestamp_field: bool = false, env ["MONA_SDK_USE_SEND_TIMESTAMP_FIELD"], from "mona_sdk 0.0.58 (environment only)",
            "Send the timestamp as `sendTimestamp`, its newer name, instead of `exportTimestamp`. Messages may use either.";
        enable_deprecation_warnings_on_export_timestamp: bool = false, env ["MONA_SDK_ENABLE_DEPRECATION_WARNINGS_ON_EXPORT_TIMESTAMP"], from "mona_sdk 0.0.58 (environment only)",
            "Log a warning for each call with a message that uses `exportTimestamp`.";
        should_log_failed_messages: bool = false, env ["MONA_SDK_SHOULD_LOG_FAILED_MESSAGES"], from "mona_sdk 0.0.51",
            "Write messages that the service rejected to the log, at level ERROR, whole (up to 1 MiB); enqueued ones as they were sent.";
        default_sampling_rate: f64 = 1.0, env ["MONA_SDK_DEFAULT_SAMPLING_FACTOR"], from "mona_sdk 0.0.51",
            "Share of messages that is kept, for classes without a rate of their own: 0 keeps none (but for one id in ten million, whose place is exactly 0), 1 keeps all.";
        context_class_to_sampling_rate: Option<Rates> = None, env ["MONA_SDK_SAMPLING_CONFIG"], from "mona_sdk 0.0.51",
            "Sampling rates by context class, as an object; a class with null has none of its own. Excludes `sampling_config_name`.";
        sampling_config_name: Option<String> = None, env ["SAMPLING_CONFIG_NAME"], from "mona_sdk 0.0.51",
            "Name of sampling factors kept by the service, fetched at start and then now and again. Where the service does not know the name, no client is made; where they cannot be fetched at start, none with `raise_service_exceptions`. With `authenticate_on_init` false the first message fetches them.";
        sampling_factors_max_age_seconds: f64 = 300.0, env ["SAMPLING_FACTORS_MAX_AGE_SECONDS"], from "mona_sdk 0.0.51 (environment only)",
            "How old those factors may become, in seconds, before the next export fetches them again; with 0 or less each does.";
    }
    "Transport" {
        connect_timeout_ms: u32 = 5_000u32, [1.0 to 3600000.0], env [], from "libmona",
            "Milliseconds for a connection to be made, TLS included.";
        request_timeout_ms: u32 = 30_000u32, [1.0 to 3600000.0], env [], from "libmona",
            "Milliseconds for one request, from connecting to the last byte of its answer. A call's own `timeout_ms` can only shorten it.";
        proxy: Option<Secret> = None, env [], from "libmona",
            "URL of an HTTP proxy (`http://`, which may be left out, or `https://`) for every request; may hold `user:password@`. Without it `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (in either case) are honoured. No request goes past a proxy of another kind (`socks5://`…): where one counts, no client is made, unless `NO_PROXY` is `*`.";
        ca_file: Option<String> = None, env ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"], from "libmona",
            "PEM file (or folder) of the certificate authorities to trust instead of the system's (which are looked for at the first certificate, by `SSL_CERT_DIR` too). Read again at the first certificate; a relative path is one from the folder that the program is in when the client is made. Where the system has none, bundled ones are used.";
    }
    "Logging" {
        logger_name: String = "mona-logger", env ["MONA_SDK_LOGGER_NAME", "MONA_LOGGER_NAME"], from "mona_sdk 0.0.51 (environment only)",
            "The name in each line of the log, which goes to standard error.";
        logging_level: Option<String> = None, env ["MONA_SDK_LOGGING_LEVEL", "MONA_LOGGING_LEVEL"], from "mona_sdk 0.0.51 (environment only)",
            "The lowest level that is logged: `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL` or Python's number for it. Nothing is logged without it, or with a word that is no level. Lines go to standard error, unless `mona_set_log_callback` has set another place, which has a level of its own.";
        log_events: LogEvents = LogEvents::None, env [], from "libmona",
            "The lowest level whose log records `mona_poll` gives as events of type `log`: `none`, `debug`, `info`, `warning` or `error`. Independent of `logging_level`.";
    }
    "Asynchronous calls" {
        async_workers: u32 = 4u32, [1.0 to 256.0], env [], from "libmona",
            "How many threads run the client's asynchronous calls: so many are under way at once. Each starts when it is first needed.";
        async_max_calls: u32 = 10_000u32, [1.0 to 10000000.0], env [], from "libmona",
            "How many asynchronous calls may be started whose events nobody has collected yet. One more is refused with `MONA_ERROR_QUEUE_FULL`.";
        async_max_bytes: u32 = 268_435_456u32, [1024.0 to 4000000000.0], env [], from "libmona",
            "How many bytes the payloads and events of those calls may have together; a call that is the only one may have more. Beyond it no call is begun until events are collected.";
        events_max_bytes: u32 = 4_194_304u32, [0.0 to 4000000000.0], env [], from "libmona",
            "How many bytes of delivery and log events may wait to be collected; beyond it the oldest are dropped and counted (`events_dropped`).";
    }
    "Background export" {
        queue: QueueConfig = Defaults, env [], from "libmona",
            "How `mona_enqueue_json` keeps and delivers messages: an object with the keys below.";
    }
}}

settings! {
    /// What the key `queue` holds.
    QueueConfig, QUEUE_NAMES, QUEUE_GROUPS {
    "Background export: keys of `queue`" {
        max_messages: u32 = 100_000u32, [1.0 to 4000000000.0], env [], from "libmona",
            "How many messages may wait in memory, those being sent included.";
        max_bytes: u32 = 33_554_432u32, [1024.0 to 4000000000.0], env [], from "libmona",
            "How many bytes they may have, 9 for the upkeep of each included.";
        max_message_bytes: u32 = 1_048_576u32, [64.0 to 1000000000.0], env [], from "libmona",
            "The largest message that is accepted, in bytes as it is sent. A call with a larger one is not accepted; `failure_reasons` names it.";
        overflow: Overflow = Overflow::Reject, env [], from "libmona",
            "What happens to a call that does not fit: `reject` (`MONA_ERROR_QUEUE_FULL` at once), `block` (waits up to `block_ms` first) or `drop_oldest` (makes room; what is dropped is counted; not with `spool_dir`).";
        block_ms: u32 = 1_000u32, [0.0 to 3600000.0], env [], from "libmona",
            "How long a call waits for room with `overflow` `block`, in milliseconds.";
        batch_messages: u32 = 1_000u32, [1.0 to 1000000.0], env [], from "libmona",
            "The most messages in one request.";
        batch_bytes: u32 = 1_048_576u32, [64.0 to 1000000000.0], env [], from "libmona",
            "The most bytes of messages in one request; a larger message goes alone. A request is sent at once when it has four fifths of either.";
        linger_ms: u32 = 500u32, [0.0 to 3600000.0], env [], from "libmona",
            "How long a message waits for others to share its request, in milliseconds; half of its time to live at most.";
        attempt_timeout_ms: u32 = 15_000u32, [1.0 to 3600000.0], env [], from "libmona",
            "How long one attempt to deliver a batch may take, in milliseconds, with the login that it may need. `request_timeout_ms` bounds each of its requests besides.";
        time_to_live_ms: u32 = 300_000u32, [1.0 to 4000000000.0], env [], from "libmona",
            "How long delivery is tried, in milliseconds; then a message is given up and counted as `expired`.";
        back_off_first_ms: u32 = 500u32, [1.0 to 3600000.0], env [], from "libmona",
            "The shortest wait after a failed request, in milliseconds. All clients of a process that send to the same URL by the same proxy, with the same `ca_file`, wait together, and one request finds out whether the service is back.";
        back_off_longest_ms: u32 = 60_000u32, [1.0 to 3600000.0], env [], from "libmona",
            "What the waits grow to, in milliseconds. A server's `Retry-After` may make one longer, up to an hour.";
        pause_first_ms: u32 = 30_000u32, [1.0 to 3600000.0], env [], from "libmona",
            "How often the service is asked again, in milliseconds, when it lets nobody in (a refused login, 401, 403, 404, 405, 407, 410, a redirect): at first.";
        pause_longest_ms: u32 = 900_000u32, [1.0 to 86400000.0], env [], from "libmona",
            "The same, in the long run.";
        spool_dir: Option<String> = None, env [], from "libmona",
            "Folder in which accepted messages are kept until they are delivered, so that they survive the program. Made if missing; a relative path is one from the folder that the program is in when the client is made. Several programs may share it. Without it messages wait in memory only. With it they wait on disk, and `spool_max_bytes` and `spool_retention_hours` count in place of `max_messages`, `max_bytes` and `time_to_live_ms`.";
        spool_max_bytes: u32 = 268_435_456u32, [65536.0 to 4000000000.0], env [], from "libmona",
            "The most that all files under that folder may take, in bytes. A call beyond it does not fit: see `overflow`.";
        spool_keep_free_bytes: u32 = 268_435_456u32, [0.0 to 4000000000.0], env [], from "libmona",
            "How much of the file system is left free, in bytes: this much on a disk of any size.";
        spool_sync: SpoolSync = SpoolSync::Interval, env [], from "libmona",
            "What a message survives: `os` the end of the program, `interval` a loss of power too while its client is open, but for the last `spool_sync_interval_ms`, `always` a loss of power at once (each call waits for the disk).";
        spool_sync_interval_ms: u32 = 500u32, [1.0 to 60000.0], env [], from "libmona",
            "How often the disk is flushed with `spool_sync` `interval`, in milliseconds, while the client is open; closing it flushes the rest.";
        spool_retention_hours: f64 = 72.0, [0.001 to 8760.0], env [], from "libmona",
            "How long messages are kept in the folder, in hours; then they are given up and counted as `expired`.";
        delivery_events: DeliveryEvents = DeliveryEvents::Failures, env [], from "libmona",
            "Which settled batches `mona_poll` tells of: `none`, `failures` (those with a message that was not delivered) or `all`.";
        free_timeout_ms: u32 = 2_000u32, [0.0 to 3600000.0], env [], from "libmona",
            "How long `mona_client_free` tries to deliver what `mona_client_close` was not asked to, in milliseconds.";
        exit_timeout_ms: u32 = 2_000u32, [0.0 to 3600000.0], env [], from "libmona",
            "How long the normal end of the program (a return from `main`, `exit`) waits for what is enqueued in memory by a client that was not closed, in milliseconds; 0: not at all.";
    }
}}

/// Where a key's value was found.
enum Given<'a> {
    Nowhere,
    Member(&'a Value),
    Variable(&'static str, String),
}

/// Looks for a key in the object, then in the environment. Null and empty count as left out.
fn given<'a>(
    name: &str,
    variables: &[&'static str],
    object: &'a Map<String, Value>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Given<'a> {
    if let Some(value) = object.get(name).filter(|value| !value.is_null()) {
        return Given::Member(value);
    }
    let set = variables.iter().find_map(|variable| {
        let text = environment(variable).filter(|text| !text.is_empty())?;
        Some(Given::Variable(variable, text))
    });
    set.unwrap_or(Given::Nowhere)
}

/// Takes a key's value over, if there is one.
fn resolve<T: Setting>(
    setting: &mut T,
    name: &str,
    limit: Option<Limit>,
    given: Given,
) -> Result<(), Error> {
    let value = match &given {
        Given::Nowhere => return Ok(()),
        Given::Member(value) => T::from_json(value),
        Given::Variable(_, text) => T::from_text(text),
    };
    let problem = match (value, limit) {
        (Ok(value), Some(limit)) if !value.keeps_to(limit) => format!("must be {limit}"),
        (Ok(value), _) => {
            *setting = value;
            return Ok(());
        }
        (Err(problem), _) => problem,
    };
    Err(unusable(name, &given, &problem))
}

fn unusable(name: &str, given: &Given, problem: &str) -> Error {
    let space = if problem.starts_with('.') { "" } else { " " };
    Error::Initialization(match given {
        Given::Variable(variable, _) => format!("environment: {variable}{space}{problem}"),
        _ => format!("config_json: {name}{space}{problem}"),
    })
}
