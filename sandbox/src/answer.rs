//! An answer as the handlers make it, before it goes on the wire.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body, Frame, SizeHint},
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use crate::json;

/// Where an answer is to break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DropPoint {
    /// Before the request's body is read.
    MidRequest,
    BeforeResponse,
    Reset,
    MidHeaders,
    MidBody,
    ResetMidBody,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub delay: Duration,
    pub pause_per_byte: Duration,
    pub chunked: bool,
    pub close: bool,
    pub drop: Option<DropPoint>,
    /// These bytes are sent in its place.
    pub raw: Option<Bytes>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
            delay: Duration::ZERO,
            pause_per_byte: Duration::ZERO,
            chunked: false,
            close: false,
            drop: None,
            raw: None,
        }
    }

    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::json_text(status, json::raw(body).get().to_owned())
    }

    pub(crate) fn json_text(status: StatusCode, body: String) -> Self {
        let mut answer = Self::new(status, body);
        answer
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// Rules may state a length that is not the body's; hyper would refuse to send that.
    pub(crate) fn frames_itself(&self) -> bool {
        self.headers.contains_key(CONTENT_LENGTH)
            || self.headers.contains_key(hyper::header::TRANSFER_ENCODING)
    }

    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        let bodyless = matches!(
            self.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        let body = AnswerBody {
            rest: if bodyless { Bytes::new() } else { self.body },
            piece: None,
            pause: self.pause_per_byte,
            sized: !self.chunked,
            sleep: None,
        };
        let mut response = Response::new(body.cut(self.chunked));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if self.close {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The answer as bytes, for those that hyper would not send: the head, and `body` after it.
    pub(crate) fn wire_bytes(&self, body: &[u8]) -> Vec<u8> {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let mut wire = format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).into_bytes();
        for (name, value) in &self.headers {
            wire.extend_from_slice(name.as_str().as_bytes());
            wire.extend_from_slice(b": ");
            wire.extend_from_slice(value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        if !self.frames_itself() {
            wire.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(body);
        wire
    }
}

/// A body that goes out whole, in two chunks, or byte by byte with pauses.
pub(crate) struct AnswerBody {
    rest: Bytes,
    piece: Option<usize>,
    pause: Duration,
    sized: bool,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl AnswerBody {
    fn cut(mut self, chunked: bool) -> Self {
        if !self.pause.is_zero() {
            self.piece = Some(1);
        } else if chunked {
            self.piece = Some(self.rest.len().div_ceil(2));
        }
        self
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if !self.pause.is_zero() {
            let pause = self.pause;
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
        let length = self.rest.len();
        let piece = self.piece.map_or(length, |piece| piece.clamp(1, length));
        let frame = self.rest.split_to(piece);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.sized && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.sized, u64::try_from(self.rest.len())) {
            (true, Ok(length)) => SizeHint::with_exact(length),
            _ => SizeHint::default(),
        }
    }
}
