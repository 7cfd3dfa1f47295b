use std::time::SystemTime;

use serde_json::value::RawValue;

use crate::{
    auth::{self, Tokens},
    json::{self, Kind, RawObject},
};

/// Fills the placeholders of a rule in when its answer is made.
pub(crate) struct Expander<'a> {
    pub url: &'a str,
    pub port: u16,
    pub tokens: &'a mut Tokens,
}

impl Expander<'_> {
    /// A value with its placeholders filled in; the rest stays verbatim, numbers and key order included.
    pub(super) fn json(&mut self, value: &RawValue) -> Result<String, String> {
        let text = value.get();
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        match json::kind(value) {
            Kind::String => Ok(match json::text(value) {
                Some(plain) => json::raw(&self.fill(&plain)).get().to_owned(),
                None => text.to_owned(),
            }),
            Kind::Array => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|error| error.to_string())?;
                let items: Result<Vec<String>, String> =
                    items.into_iter().map(|item| self.json(item)).collect();
                Ok(format!("[{}]", items?.join(",")))
            }
            Kind::Object => self.object(text),
            _ => Ok(text.to_owned()),
        }
    }

    /// As `json`, for a place where only text fits: a string loses its quotes.
    pub(super) fn plain(&mut self, value: &RawValue) -> Result<String, String> {
        let expanded = self.json(value)?;
        Ok(serde_json::from_str(&expanded).unwrap_or(expanded))
    }

    fn object(&mut self, text: &str) -> Result<String, String> {
        let object: RawObject = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut entries = object.iter();
        if let (Some((key, argument)), None) = (entries.next(), entries.next()) {
            match key {
                "$jwt" => {
                    let token = auth::jwt(&json::tree(argument.get())?);
                    self.tokens.trust(&token);
                    return Ok(json::raw(&token).get().to_owned());
                }
                "$http_date_in" => return http_date_in(argument),
                _ => {}
            }
        }
        let mut parts = Vec::new();
        for (key, value) in object.iter() {
            parts.push(format!("{}:{}", json::raw(&key), self.json(value)?));
        }
        Ok(format!("{{{}}}", parts.join(",")))
    }

    fn fill(&self, text: &str) -> String {
        text.replace("$SERVER_URL", self.url)
            .replace("$SERVER_PORT", &self.port.to_string())
    }
}

fn http_date_in(argument: &RawValue) -> Result<String, String> {
    let seconds: f64 = serde_json::from_str(argument.get())
        .map_err(|_| "`$http_date_in` takes a number of seconds".to_owned())?;
    let date = auth::http_date(SystemTime::now(), seconds)
        .ok_or_else(|| format!("`$http_date_in`: no date is {seconds} seconds away"))?;
    Ok(json::raw(&date).get().to_owned())
}
