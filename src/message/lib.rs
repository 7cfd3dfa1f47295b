//! The message stage: the caller's JSON in, the request body out, in one pass that copies values verbatim.
//!
//! Pure: no I/O, no clock, no environment. No value of a message is ever built; text is found, checked and
//! copied, so a number leaves exactly as it came.
#![forbid(unsafe_code)]

pub mod json;
pub mod random;
mod sampling;
pub mod text;
mod wire;

pub use sampling::{Sampling, bucket};

use json::Scanner;
use thiserror::Error;
use wire::{Fate, Writer};

/// Messages nested deeper than this are rejected: JSON parsers of common services give up near there.
pub const MAX_DEPTH: usize = 1_000;

/// What a request's body begins with.
const OPENING: &[u8] = b"{\"messages\":[";

/// Why a text holds no messages at all.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{0}")]
pub struct NoMessages(String);

impl From<json::SyntaxError> for NoMessages {
    fn from(error: json::SyntaxError) -> Self {
        NoMessages(format!("not valid JSON: {error}"))
    }
}

/// How messages are turned into a request body.
pub struct Stage<'a> {
    /// Leave out fields of a message that are null.
    pub filter_none_fields: bool,
    pub sampling: &'a Sampling,
    /// Milliseconds since 1970, for messages without a timestamp.
    pub now_ms: u64,
    /// Complete messages, so that sending one again means the same: those without a context id get one, those
    /// without an action this.
    pub complete: Option<Completion<'a>>,
    /// Name the timestamp `sendTimestamp` on the wire, not `exportTimestamp`.
    pub send_timestamp: bool,
    /// Gives room for so many bytes: `Vec::with_capacity`, or what does more for large bodies.
    pub room: fn(usize) -> Vec<u8>,
}

/// What messages are completed with.
#[derive(Clone, Copy, Default)]
pub struct Completion<'a> {
    pub default_action: Option<&'a str>,
}

/// What became of the caller's messages.
#[derive(Debug, Default)]
pub struct Staged {
    /// The request body up to its last message.
    body: Vec<u8>,
    /// Where each message ends in it.
    ends: Vec<u32>,
    /// The caller's index of each message in the body, in order.
    pub indices: Vec<u32>,
    /// The caller's index and the reason of each message that cannot be one.
    pub rejected: Vec<(u32, String)>,
    pub sampled_out: usize,
    pub empty: usize,
    /// Whether a message used the older name of the timestamp.
    pub export_timestamp_used: bool,
}

impl Stage<'_> {
    /// Turns one message object or an array of them into a request body.
    ///
    /// Text that is not JSON, or holds neither an object nor an array, is an error that sends nothing.
    pub fn run(&self, text: &str) -> Result<Staged, NoMessages> {
        addressable(text.len())?;
        // Sizes that repeat from call to call let the allocator give the same pages again.
        let room = text.len().saturating_add(text.len() / 4 + 256);
        let room = room.checked_next_power_of_two().unwrap_or(room);
        // Most calls bring one message.
        let mut staged = Staged {
            body: (self.room)(room),
            ends: Vec::with_capacity(1),
            indices: Vec::with_capacity(1),
            ..Staged::default()
        };
        staged.body.extend_from_slice(OPENING);
        let mut scanner = Scanner::new(text);
        match scanner.peek() {
            Some(b'[') => self.array(&mut scanner, &mut staged),
            Some(b'{') => self.one(&mut scanner, &mut staged, 0),
            _ => return Err(not_messages(&mut scanner)),
        }?;
        scanner.end()?;
        addressable(staged.body.len())?;
        Ok(staged)
    }

    fn array(&self, scanner: &mut Scanner, staged: &mut Staged) -> Result<(), json::SyntaxError> {
        scanner.take(b'[');
        if scanner.take(b']') {
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.one(scanner, staged, index)?;
            if !scanner.another(b']')? {
                return Ok(());
            }
            index += 1;
        }
    }

    fn one(
        &self,
        scanner: &mut Scanner,
        staged: &mut Staged,
        index: u32,
    ) -> Result<(), json::SyntaxError> {
        let start = staged.body.len();
        if !staged.indices.is_empty() {
            staged.body.push(b',');
        }
        let mut writer = Writer::new(self, &mut staged.body);
        let fate = writer.message(scanner)?;
        staged.export_timestamp_used |= writer.older_timestamp_used();
        match fate {
            Fate::Send => {
                staged.indices.push(index);
                staged.ends.push(staged.body.len() as u32);
                return Ok(());
            }
            Fate::SampledOut => staged.sampled_out += 1,
            Fate::Empty => staged.empty += 1,
            Fate::Reject(reason) => staged.rejected.push((index, reason)),
        }
        staged.body.truncate(start);
        Ok(())
    }
}

/// What stands beside the messages in a request.
#[derive(Default)]
pub struct Envelope<'a> {
    pub user_id: &'a str,
    pub default_action: Option<&'a str>,
    pub sample_config_name: Option<&'a str>,
}

impl Envelope<'_> {
    /// Completes a body that ends with its last message.
    pub fn close(&self, body: &mut Vec<u8>) {
        body.push(b']');
        let optional =
            |value: Option<&'_ str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
        for (key, value) in [
            ("userId", Some(self.user_id.to_owned())),
            ("defaultAction", optional(self.default_action)),
            ("sampleConfigName", optional(self.sample_config_name)),
        ] {
            if let Some(value) = value {
                let member = format!(",\"{key}\":{}", serde_json::Value::from(value));
                body.extend_from_slice(member.as_bytes());
            }
        }
        body.push(b'}');
    }
}

impl Staged {
    /// Takes the request body, completed.
    pub fn request_body(&mut self, envelope: &Envelope) -> Vec<u8> {
        let mut body = std::mem::take(&mut self.body);
        envelope.close(&mut body);
        body
    }

    /// The messages as they stand on the wire.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut start = OPENING.len();
        self.ends.iter().map(move |end| {
            let message = self.body.get(start..*end as usize).unwrap_or_default();
            start = *end as usize + 1;
            message
        })
    }

    /// How many bytes the messages have together, without the commas between them.
    pub fn message_bytes(&self) -> usize {
        let end = self.ends.last().map_or(OPENING.len(), |end| *end as usize);
        let commas = self.ends.len().saturating_sub(1);
        end - OPENING.len() - commas
    }

    /// How many messages the caller gave.
    pub fn given(&self) -> usize {
        self.indices.len() + self.rejected.len() + self.sampled_out + self.empty
    }
}

/// Places in texts have 32 bits: a larger one is refused as a whole, before any place is used.
fn addressable(bytes: usize) -> Result<(), NoMessages> {
    match u32::try_from(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(NoMessages(
            "the messages of a call must have less than 4 GiB, as given and as sent".to_owned(),
        )),
    }
}

fn not_messages(scanner: &mut Scanner) -> NoMessages {
    match scanner.value() {
        Ok(value) => NoMessages(format!(
            "$ is {}, where a message object or an array of them belongs",
            value.kind.name()
        )),
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests;
