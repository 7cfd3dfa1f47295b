//! From a service's arguments to its request.

use super::table::{Parameter, Presence, Request, Service};
use crate::config::{Secret, did_you_mean};
use crate::error::Error;
use crate::raw::{self, Members};
use serde_json::value::RawValue;

const ARGUMENT: &str = "args_json";

/// An argument with this value is left out of the request, as in the Python package.
const UNPROVIDED: &str = "mona_unprovided_value";

/// The caller's arguments, checked against the table.
#[derive(Debug)]
pub struct Arguments(Members);

impl Arguments {
    pub fn read(service: &Service, text: &str) -> Result<Self, Error> {
        let members: Members =
            serde_json::from_str(text).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => {
                    Error::argument(ARGUMENT, "$ must be an object")
                }
                _ => Error::argument(ARGUMENT, raw::fault(text, &error)),
            })?;
        let names = || service.parameters.iter().map(|parameter| parameter.name);
        for (name, _) in &members.0 {
            if !names().any(|known| known == name) {
                let hint = did_you_mean(name, names());
                let problem = format!("{} has no argument {name:?}{hint}", service.name);
                return Err(Error::argument(ARGUMENT, problem));
            }
        }
        let missing = |parameter: &&Parameter| {
            parameter.presence == Presence::Required && members.get(parameter.name).is_none()
        };
        if let Some(parameter) = service.parameters.iter().find(missing) {
            let problem = format!("{} needs the argument {:?}", service.name, parameter.name);
            return Err(Error::argument(ARGUMENT, problem));
        }
        Ok(Arguments(members))
    }
}

/// The request's body.
pub fn body(
    service: &Service,
    arguments: Arguments,
    user_id: &str,
    author: Option<&Secret>,
) -> Result<Vec<u8>, Error> {
    let Arguments(mut members) = arguments;
    for parameter in service.parameters {
        let absent = members.get(parameter.name).is_none();
        if absent && parameter.presence == Presence::NullByDefault {
            members
                .0
                .push((parameter.name.to_owned(), RawValue::NULL.to_owned()));
        }
    }
    match service.request {
        Request::Arguments => {}
        Request::ArgumentsAndUser => members.0.push(("user_id".to_owned(), raw::text(user_id))),
        Request::ConfigUpload => upload(&mut members, user_id, author)?,
    }
    // Last: what is given so has no default either.
    members
        .0
        .retain(|(_, value)| raw::words(value) != UNPROVIDED);
    serde_json::to_vec(&members).map_err(|error| Error::Internal(error.to_string()))
}

/// Wraps the configuration as the user's and sees to an author.
fn upload(members: &mut Members, user_id: &str, api_key: Option<&Secret>) -> Result<(), Error> {
    let given = members.get("config").map(RawValue::get).unwrap_or("null");
    let classes: Members = serde_json::from_str(given)
        .map_err(|_| Error::Unsendable("config must be an object".to_owned()))?;
    let wrapped = match classes.0.as_slice() {
        [(name, _)] if name == user_id => classes,
        _ => Members(vec![(user_id.to_owned(), raw_value(given)?)]),
    };
    let author = members
        .get("author")
        .filter(|author| !raw::is_falsy(author));
    let author = author
        .map(ToOwned::to_owned)
        .or_else(|| api_key.map(|key| raw::text(key.reveal())))
        .ok_or_else(|| {
            Error::Unsendable(
                "author must be given where the client has no API key to log in with".to_owned(),
            )
        })?;
    members
        .0
        .retain(|(name, _)| name != "config" && name != "author");
    let wrapped = serde_json::value::to_raw_value(&wrapped)
        .map_err(|error| Error::Internal(error.to_string()))?;
    members.0.push(("config".to_owned(), wrapped));
    members.0.push(("author".to_owned(), author));
    members.0.push(("user_id".to_owned(), raw::text(user_id)));
    Ok(())
}

fn raw_value(text: &str) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(text.to_owned()).map_err(|error| Error::Internal(error.to_string()))
}
