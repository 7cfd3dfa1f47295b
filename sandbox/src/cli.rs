//! The command line.

use std::{fmt::Display, path::PathBuf, str::FromStr, time::Duration};

use lexopt::{Arg, Parser, ValueExt};
use mona_sandbox::Options;

pub(crate) const HELP: &str = "\
A local Mona: authentication, export and app server on one loopback port.

Usage: mona-sandbox [OPTIONS]

When it serves, it prints one line of JSON: {\"url\", \"host\", \"port\", \"ca_file\"}.

Options:
  --port N                     Port on 127.0.0.1 (default: any free one)
  --tls                        Serve HTTPS with a certificate made for this run
  --ca-out FILE                Write the certificate authority to trust as PEM (with --tls)
  --api-key K                  The API key that may log in (with --secret; default: any)
  --secret S                   The secret that belongs to it
  --tenant T                   The tenant that tokens are for (default: sandbox)
  --token-lifetime-seconds N   How long an access token is valid (default: 14400)
  --rules FILE                 Fault rules to start with, as JSON
  --canned                     Fixed answers: check nothing, store nothing
  --until-stdin-closes         End when standard input closes
  -h, --help                   Print this
  -V, --version                Print the version";

pub(crate) enum Command {
    Help,
    Version,
    Serve(Settings),
}

#[derive(Default)]
pub(crate) struct Settings {
    pub options: Options,
    pub ca_out: Option<PathBuf>,
    pub rules: Option<String>,
    pub until_stdin_closes: bool,
}

pub(crate) fn parse() -> Result<Command, String> {
    read(Parser::from_env())
}

fn read(mut parser: Parser) -> Result<Command, String> {
    let mut settings = Settings::default();
    let (mut api_key, mut secret) = (None, None);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Long("port") => settings.options.port = number(&mut parser, "--port")?,
            Arg::Long("tls") => settings.options.tls = true,
            Arg::Long("ca-out") => settings.ca_out = Some(value(&mut parser)?.into()),
            Arg::Long("api-key") => api_key = Some(text(&mut parser, "--api-key")?),
            Arg::Long("secret") => secret = Some(text(&mut parser, "--secret")?),
            Arg::Long("tenant") => settings.options.tenant = text(&mut parser, "--tenant")?,
            Arg::Long("token-lifetime-seconds") => {
                let seconds = number(&mut parser, "--token-lifetime-seconds")?;
                settings.options.token_lifetime = Duration::from_secs(seconds);
            }
            Arg::Long("rules") => {
                let path = PathBuf::from(value(&mut parser)?);
                let rules = std::fs::read_to_string(&path);
                settings.rules = Some(
                    rules.map_err(|error| format!("cannot read {}: {error}", path.display()))?,
                );
            }
            Arg::Long("canned") => settings.options.canned = true,
            Arg::Long("until-stdin-closes") => settings.until_stdin_closes = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            other => return Err(other.unexpected().to_string()),
        }
    }
    settings.options.credentials = match (api_key, secret) {
        (Some(api_key), Some(secret)) => Some((api_key, secret)),
        (None, None) => None,
        _ => return Err("--api-key and --secret go together".to_owned()),
    };
    if settings.ca_out.is_some() && !settings.options.tls {
        return Err("--ca-out needs --tls".to_owned());
    }
    Ok(Command::Serve(settings))
}

fn value(parser: &mut Parser) -> Result<std::ffi::OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

fn text(parser: &mut Parser, name: &str) -> Result<String, String> {
    value(parser)?
        .string()
        .map_err(|error| format!("{name}: {error}"))
}

fn number<T: FromStr<Err: Display>>(parser: &mut Parser, name: &str) -> Result<T, String> {
    text(parser, name)?
        .parse()
        .map_err(|error| format!("{name}: {error}"))
}
