//! One message: from the caller's object to the one on the wire.

use super::json::{Kind, Scanner, Span, StringToken, SyntaxError, Value};
use super::text::unescape;
use super::{MAX_DEPTH, Stage};
use std::borrow::Cow;

/// The service reserves names with this prefix.
const RESERVED: &[u8] = b"MONA_";
const RESERVED_RENAMED: &[u8] = b"\"MY_";

/// What is to become of a message.
pub enum Fate {
    Send,
    SampledOut,
    Empty,
    Reject(String),
}

/// What the `message` member of a message turned out to be.
enum Content {
    Missing,
    Empty,
    Fields,
    NotAnObject(Kind),
}

/// Writes one message into the request body. What it wrote is void unless the fate is to be sent.
pub struct Writer<'a> {
    stage: &'a Stage<'a>,
    body: &'a mut Vec<u8>,
    members: usize,
    content: Content,
    class: Option<Value>,
    id: Option<Value>,
    action: Option<Value>,
    timestamp: Option<Span>,
    /// A timestamp under the newer name, which wins over the older.
    newer_timestamp: bool,
    older_timestamp: bool,
    depth: usize,
}

impl<'a> Writer<'a> {
    pub fn new(stage: &'a Stage<'a>, body: &'a mut Vec<u8>) -> Self {
        Writer {
            stage,
            body,
            members: 0,
            content: Content::Missing,
            class: None,
            id: None,
            action: None,
            timestamp: None,
            newer_timestamp: false,
            older_timestamp: false,
            depth: 0,
        }
    }

    /// Whether the message gave its time as `exportTimestamp`.
    pub fn older_timestamp_used(&self) -> bool {
        self.older_timestamp
    }

    /// Writes the message that begins here, and moves the scanner beyond it.
    pub fn message(&mut self, place: &mut Scanner) -> Result<Fate, SyntaxError> {
        let mut scanner = *place;
        if !scanner.take(b'{') {
            let value = scanner.value()?;
            *place = scanner;
            return Ok(Fate::Reject(format!(
                "a message must be an object, this is {}",
                value.kind.name()
            )));
        }
        self.body.push(b'{');
        if !scanner.take(b'}') {
            loop {
                self.member(&mut scanner)?;
                if !scanner.another(b'}')? {
                    break;
                }
            }
        }
        self.push_timestamp(scanner);
        self.complete();
        self.body.push(b'}');
        *place = scanner;
        Ok(self.fate(scanner))
    }

    #[inline(always)]
    fn member(&mut self, scanner: &mut Scanner) -> Result<(), SyntaxError> {
        let key = scanner.key()?;
        let name = name(*scanner, key);
        if name.as_ref() == b"message" {
            self.push_key(b"\"message\"");
            if scanner.peek() == Some(b'{') {
                *scanner = self.fields(*scanner)?;
                return Ok(());
            }
        }
        let value = scanner.value()?;
        self.depth = self.depth.max(value.depth + 1);
        match name.as_ref() {
            b"message" => self.no_fields(value.kind),
            b"contextClass" => {
                self.copy(*scanner, b"\"arcClass\"", value);
                self.class = Some(value);
            }
            b"contextId" => self.id = self.completable(*scanner, b"\"contextId\"", value),
            b"action" => self.action = self.completable(*scanner, b"\"action\"", value),
            b"exportTimestamp" => self.timestamp(value, false),
            b"sendTimestamp" => self.timestamp(value, true),
            _ => self.copy(*scanner, scanner.slice(key.span), value),
        }
        Ok(())
    }

    fn push_key(&mut self, quoted: &[u8]) {
        if self.members != 0 {
            self.body.push(b',');
        }
        self.members += 1;
        self.body.extend_from_slice(quoted);
        self.body.push(b':');
    }

    /// A member that is copied as it stands.
    fn copy(&mut self, scanner: Scanner, key: &[u8], value: Value) {
        self.push_key(key);
        self.body.extend_from_slice(scanner.slice(value.span));
    }

    /// A member that is copied, unless it is null and will be completed.
    fn completable(&mut self, scanner: Scanner, key: &[u8], value: Value) -> Option<Value> {
        let given = value.kind != Kind::Null;
        if given || self.stage.complete.is_none() {
            self.copy(scanner, key, value);
        }
        given.then_some(value)
    }

    fn complete(&mut self) {
        let Some(completion) = self.stage.complete else {
            return;
        };
        if self.id.is_none() {
            let id = uuid::Uuid::new_v4().hyphenated();
            let mut buffer = uuid::Uuid::encode_buffer();
            self.push_key(b"\"contextId\"");
            self.body.push(b'"');
            self.body
                .extend_from_slice(id.encode_lower(&mut buffer).as_bytes());
            self.body.push(b'"');
        }
        if let (None, Some(action)) = (self.action, completion.default_action) {
            self.push_key(b"\"action\"");
            let action = serde_json::Value::from(action).to_string();
            self.body.extend_from_slice(action.as_bytes());
        }
    }

    fn timestamp(&mut self, value: Value, newer: bool) {
        self.older_timestamp |= !newer && value.kind != Kind::Null;
        if value.kind != Kind::Null && (newer || !self.newer_timestamp) {
            self.timestamp = Some(value.span);
            self.newer_timestamp = newer;
        }
    }

    fn push_timestamp(&mut self, scanner: Scanner) {
        self.push_key(if self.stage.send_timestamp {
            b"\"sendTimestamp\""
        } else {
            b"\"exportTimestamp\""
        });
        match self.timestamp {
            Some(span) => self.body.extend_from_slice(scanner.slice(span)),
            None => self
                .body
                .extend_from_slice(self.stage.now_ms.to_string().as_bytes()),
        }
    }

    /// The `message` member is none that could have fields.
    fn no_fields(&mut self, kind: Kind) {
        self.content = match kind {
            Kind::Null => Content::Empty,
            other => Content::NotAnObject(other),
        };
        self.body.extend_from_slice(b"null");
    }

    /// Copies the fields of `message`, in runs as long as nothing has to change. Renamed fields go to the
    /// end, where they win over a field that already has the new name, as in the Python package.
    /// Returns the scanner behind them.
    #[inline(never)]
    fn fields<'t>(&mut self, mut scanner: Scanner<'t>) -> Result<Scanner<'t>, SyntaxError> {
        scanner.take(b'{');
        let mut fields = Fields {
            body: self.body,
            renamed: Vec::new(),
            any: false,
        };
        fields.body.push(b'{');
        // Neighbouring fields that are copied together, with the commas between them.
        let mut run = Span::default();
        if !scanner.take(b'}') {
            loop {
                let key = scanner.key()?;
                let value = scanner.value()?;
                self.depth = self.depth.max(value.depth + 2);
                if value.kind == Kind::Null && self.stage.filter_none_fields {
                    fields.copy(scanner, &mut run);
                } else if reserved(scanner, key) {
                    fields.copy(scanner, &mut run);
                    fields.rename(scanner, key, value.span);
                } else {
                    if run.start == run.end {
                        run.start = key.span.start;
                    }
                    run.end = value.span.end;
                }
                if !scanner.another(b'}')? {
                    break;
                }
            }
        }
        fields.copy(scanner, &mut run);
        self.content = if fields.finish() {
            Content::Fields
        } else {
            Content::Empty
        };
        Ok(scanner)
    }

    fn fate(&self, scanner: Scanner) -> Fate {
        let class = match self.class {
            Some(class) if matches!(class.kind, Kind::String { .. }) => class,
            Some(class) => {
                return Fate::Reject(format!(
                    "contextClass must be a string, this is {}",
                    class.kind.name()
                ));
            }
            None => return Fate::Reject("contextClass is missing".into()),
        };
        match self.content {
            Content::Missing => return Fate::Reject("message is missing".into()),
            Content::NotAnObject(kind) => {
                return Fate::Reject(format!(
                    "message must be an object, this is {}",
                    kind.name()
                ));
            }
            _ if self.depth > MAX_DEPTH => {
                return Fate::Reject(format!("nested deeper than {MAX_DEPTH} levels"));
            }
            Content::Empty | Content::Fields => {}
        }
        let sampling = self.stage.sampling;
        if !sampling.keeps_all() {
            let id = self.id.map(|id| meaning(scanner, id));
            if !sampling.keep(&meaning(scanner, class), id.as_deref()) {
                return Fate::SampledOut;
            }
        }
        match self.content {
            Content::Empty => Fate::Empty,
            _ => Fate::Send,
        }
    }
}

/// The fields of one message on their way into the body.
struct Fields<'b> {
    body: &'b mut Vec<u8>,
    renamed: Vec<u8>,
    any: bool,
}

impl Fields<'_> {
    fn separate(&mut self) {
        if self.any {
            self.body.push(b',');
        }
        self.any = true;
    }

    /// Copies a run, which is empty afterwards.
    fn copy(&mut self, scanner: Scanner, run: &mut Span) {
        let Span { start, end } = std::mem::take(run);
        if start != end {
            self.separate();
            self.body
                .extend_from_slice(scanner.slice(Span { start, end }));
        }
    }

    fn rename(&mut self, scanner: Scanner, key: StringToken, value: Span) {
        if !self.renamed.is_empty() {
            self.renamed.push(b',');
        }
        self.renamed.extend_from_slice(RESERVED_RENAMED);
        let name = scanner.slice(key.span);
        self.renamed
            .extend_from_slice(name.get(1..).unwrap_or_default());
        self.renamed.push(b':');
        self.renamed.extend_from_slice(scanner.slice(value));
    }

    fn finish(mut self) -> bool {
        if !self.renamed.is_empty() {
            self.separate();
            self.body.extend_from_slice(&self.renamed);
        }
        self.body.push(b'}');
        self.any
    }
}

/// Whether the service reserves this name. Few are escaped, or begin like those that are reserved.
#[inline(always)]
fn reserved(scanner: Scanner, key: StringToken) -> bool {
    let initial = RESERVED.first().copied();
    let unlike = !key.escaped && scanner.byte(key.span.start + 1) != initial;
    !unlike && name(scanner, key).starts_with(RESERVED)
}

/// What a key's text means, without its quotes.
fn name<'t>(scanner: Scanner<'t>, key: StringToken) -> Cow<'t, [u8]> {
    let token = scanner.slice(key.span);
    if key.escaped {
        Cow::Owned(unescape(token).into_bytes())
    } else {
        Cow::Borrowed(token.get(1..token.len() - 1).unwrap_or_default())
    }
}

/// What a class or an id means; one that is not a string counts as its JSON text.
fn meaning<'t>(scanner: Scanner<'t>, value: Value) -> Cow<'t, str> {
    let token = scanner.slice(value.span);
    match value.kind {
        Kind::String { escaped: true } => Cow::Owned(unescape(token)),
        Kind::String { escaped: false } => {
            String::from_utf8_lossy(token.get(1..token.len() - 1).unwrap_or_default())
        }
        _ => String::from_utf8_lossy(token),
    }
}
