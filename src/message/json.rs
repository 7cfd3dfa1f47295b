//! A validating JSON scanner that finds where values begin and end without building them.
//!
//! It accepts exactly RFC 8259 text, of any depth and in constant stack space. Offsets in errors are
//! byte offsets into the caller's text.
//!
//! What a token takes is inlined into its callers, always; what is too long for that takes the scanner by value and returns it. So no
//! address of it escapes, and results stay in registers: the difference is a fifth of the message stage's time.

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem} at byte {offset}")]
pub struct SyntaxError {
    pub offset: usize,
    pub problem: &'static str,
}

/// A half-open range of the scanned text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A string token: its span covers the quotes.
#[derive(Clone, Copy, Debug)]
pub struct StringToken {
    pub span: Span,
    pub escaped: bool,
}

/// One value that was skipped.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    pub span: Span,
    pub kind: Kind,
    /// How many containers its deepest part lies in, itself included.
    pub depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    /// The flag says whether it has an escape.
    String {
        escaped: bool,
    },
    Number,
    True,
    False,
    Null,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::String { .. } => "a string",
            Kind::Number => "a number",
            Kind::True | Kind::False => "a boolean",
            Kind::Null => "null",
        }
    }
}

#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Scanner {
            bytes: text.as_bytes(),
            position: 0,
        }
    }

    pub fn position(self) -> usize {
        self.position
    }

    /// The bytes of a span of this text.
    #[inline(always)]
    pub fn slice(self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    /// The byte at a place of this text.
    #[inline(always)]
    pub fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The next byte that is not white space, not consumed.
    #[inline(always)]
    pub fn peek(&mut self) -> Option<u8> {
        match self.bytes.get(self.position) {
            Some(byte) if *byte > b' ' => return Some(*byte),
            // One space, after each colon and comma, is how many programs write JSON.
            Some(b' ') => {
                self.position += 1;
                if let Some(byte) = self.bytes.get(self.position)
                    && *byte > b' '
                {
                    return Some(*byte);
                }
            }
            _ => {}
        }
        *self = self.beyond_space();
        self.bytes.get(self.position).copied()
    }

    #[inline(never)]
    fn beyond_space(mut self) -> Self {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.position) {
            self.position += 1;
        }
        self
    }

    /// Consumes `wanted` if it is the next byte after white space.
    #[inline(always)]
    pub fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    #[inline(always)]
    pub fn expect(&mut self, wanted: u8, problem: &'static str) -> Result<(), SyntaxError> {
        if self.peek() != Some(wanted) {
            return Err(self.error(problem));
        }
        self.position += 1;
        Ok(())
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("unexpected text after the JSON value")),
        }
    }

    /// Reads an object's key and the colon after it.
    #[inline(always)]
    pub fn key(&mut self) -> Result<StringToken, SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("a string key was expected"));
        }
        let key = self.string()?;
        self.expect(b':', "':' was expected")?;
        Ok(key)
    }

    /// After a member or an element: whether another follows (`,`) or the container ends with `close`.
    #[inline(always)]
    pub fn another(&mut self, close: u8) -> Result<bool, SyntaxError> {
        match self.peek() {
            Some(b',') => {
                self.position += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.position += 1;
                Ok(false)
            }
            _ => Err(self.error(if close == b'}' {
                "',' or '}' was expected"
            } else {
                "',' or ']' was expected"
            })),
        }
    }

    /// Skips one whole value.
    #[inline(always)]
    pub fn value(&mut self) -> Result<Value, SyntaxError> {
        let first = self.peek();
        let start = self.position;
        let kind = match first {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            _ => self.scalar(first)?,
        };
        let depth = match kind {
            Kind::Object | Kind::Array => {
                let (after, depth) = self.beyond_container()?;
                *self = after;
                depth
            }
            _ => 0,
        };
        Ok(Value {
            span: Span {
                start,
                end: self.position,
            },
            kind,
            depth,
        })
    }

    /// Skips the container that begins here; returns its depth, too.
    #[inline(never)]
    fn beyond_container(mut self) -> Result<(Self, usize), SyntaxError> {
        let mut containers = Containers::default();
        let mut deepest = 0;
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.position += 1;
                    containers.push(true);
                    deepest = deepest.max(containers.depth());
                    if !self.take(b'}') {
                        self.key()?;
                        continue;
                    }
                    containers.pop();
                }
                Some(b'[') => {
                    self.position += 1;
                    containers.push(false);
                    deepest = deepest.max(containers.depth());
                    if !self.take(b']') {
                        continue;
                    }
                    containers.pop();
                }
                first => {
                    self.scalar(first)?;
                }
            }
            while let Some(in_object) = containers.top() {
                if self.another(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.key()?;
                    }
                    break;
                }
                containers.pop();
            }
            if containers.depth() == 0 {
                return Ok((self, deepest));
            }
        }
    }

    /// Skips the value that begins here, with this byte, and is no container.
    #[inline(always)]
    fn scalar(&mut self, first: Option<u8>) -> Result<Kind, SyntaxError> {
        match first {
            Some(b'"') => {
                let token = self.string()?;
                Ok(Kind::String {
                    escaped: token.escaped,
                })
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Kind::Number)
            }
            Some(b't') => self.literal(b"true", Kind::True),
            Some(b'f') => self.literal(b"false", Kind::False),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(_) => Err(self.error("a JSON value was expected")),
            None => Err(self.error("the JSON text ends too early")),
        }
    }

    #[inline(always)]
    fn literal(&mut self, text: &'static [u8], kind: Kind) -> Result<Kind, SyntaxError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        if rest.starts_with(text) {
            self.position += text.len();
            Ok(kind)
        } else {
            Err(self.error("a JSON value was expected"))
        }
    }

    /// Skips the string whose opening quote is the next byte.
    #[inline(always)]
    fn string(&mut self) -> Result<StringToken, SyntaxError> {
        let start = self.position;
        let mut escaped = false;
        self.position += 1;
        loop {
            match self.plain_end() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(StringToken {
                        span: Span {
                            start,
                            end: self.position,
                        },
                        escaped,
                    });
                }
                Some(b'\\') => {
                    escaped = true;
                    *self = self.beyond_escape()?;
                }
                Some(_) => return Err(self.error("a control character stands in a string")),
                None => return Err(self.error("a string has no end")),
            }
        }
    }

    /// Skips bytes that are neither a quote, a backslash nor a control character, eight at a time; returns the one that is.
    #[inline(always)]
    fn plain_end(&mut self) -> Option<u8> {
        while let Some(chunk) = self.chunk() {
            let stops = special_bytes(chunk);
            if stops != 0 {
                let bits = stops.trailing_zeros() & !7;
                self.position += (bits / 8) as usize;
                return Some((chunk >> bits) as u8);
            }
            self.position += 8;
        }
        while let Some(byte) = self.bytes.get(self.position) {
            if matches!(byte, b'"' | b'\\' | 0..=0x1f) {
                return Some(*byte);
            }
            self.position += 1;
        }
        None
    }

    #[inline(never)]
    fn beyond_escape(mut self) -> Result<Self, SyntaxError> {
        match self.bytes.get(self.position + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.position + 2..self.position + 6);
                if !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error("a \\u escape needs four hexadecimal digits"));
                }
                self.position += 6;
            }
            _ => return Err(self.error("an escape is not known to JSON")),
        }
        Ok(self)
    }

    /// Skips digits, eight at a time; there must be one.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.position;
        loop {
            let Some(chunk) = self.chunk() else {
                while self
                    .bytes
                    .get(self.position)
                    .is_some_and(u8::is_ascii_digit)
                {
                    self.position += 1;
                }
                break;
            };
            let stops = other_than_digits(chunk);
            if stops != 0 {
                self.position += (stops.trailing_zeros() / 8) as usize;
                break;
            }
            self.position += 8;
        }
        if self.position == start {
            return Err(self.error("a digit was expected"));
        }
        Ok(())
    }

    /// The next eight bytes, the first of them lowest, unless fewer are left.
    #[inline(always)]
    fn chunk(&self) -> Option<u64> {
        let chunk = self.bytes.get(self.position..self.position + 8)?;
        chunk.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
    }

    #[inline(always)]
    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.bytes.get(self.position) == Some(&b'-') {
            self.position += 1;
        }
        if self.bytes.get(self.position) == Some(&b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.position) == Some(&b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.position), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.bytes.get(self.position), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[cold]
    fn error(self, problem: &'static str) -> SyntaxError {
        SyntaxError {
            offset: self.position.min(self.bytes.len()),
            problem,
        }
    }
}

/// The high bit of each byte that is a quote, a backslash or below 0x20. Bits above the lowest one set
/// may be wrong (borrows travel upwards), so only the lowest may be used.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // With its second bit turned a quote is 0x20, and what was below that still is.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGH
}

/// The high bit of each byte that is no digit; only the lowest one set may be used.
#[inline]
fn other_than_digits(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let value = word ^ (ONES * b'0' as u64);
    (value.wrapping_add(ONES * (0x80 - 10)) | value) & (ONES << 7)
}

/// A stack of open containers, one bit each (true: an object), so that depth costs no call stack.
#[derive(Default)]
struct Containers {
    words: Vec<u64>,
    current: u64,
    depth: usize,
}

impl Containers {
    #[inline]
    fn push(&mut self, object: bool) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.words.push(self.current);
        }
        self.current = self.current << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.current >>= 1;
        if self.depth != 0
            && self.depth.is_multiple_of(64)
            && let Some(word) = self.words.pop()
        {
            self.current = word;
        }
    }

    #[inline]
    fn top(&self) -> Option<bool> {
        (self.depth != 0).then_some(self.current & 1 == 1)
    }

    fn depth(&self) -> usize {
        self.depth
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
