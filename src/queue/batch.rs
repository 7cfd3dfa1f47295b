//! Messages that travel together, as they will stand in a request.

use super::spool::Ticket;
use crate::ffi::memory;
use crate::message::Envelope;
use bytes::Bytes;
use std::hint::black_box;

/// What a message costs beside its text: a comma and its entry.
pub const UPKEEP: usize = 9;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where its text ends, its comma not included.
    end: u32,
    /// When it was accepted, on the queue's clock.
    at_ms: u32,
}

/// Messages joined by commas.
#[derive(Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// How many of the entries, the oldest, are given up. Their text stays until the batch goes: no moving of the rest.
    given_up: usize,
    /// With which each message is acknowledged, if it came from the spool.
    tickets: Vec<Ticket>,
}

impl Batch {
    pub fn with_capacity(messages: usize, bytes: usize) -> Self {
        Batch {
            text: Vec::with_capacity(bytes),
            entries: Vec::with_capacity(messages),
            ..Batch::default()
        }
    }

    /// As [`Batch::with_capacity`], in memory that the system has provided already: whoever fills it takes no page faults.
    pub fn with_pages(messages: usize, bytes: usize) -> Self {
        let mut text = vec![0; bytes];
        // The system provides pages when they are written to. Not by `resize`: optimised for size, that goes byte by byte.
        black_box(&mut text).fill(b',');
        text.clear();
        let mut entries = vec![Entry { end: 0, at_ms: 0 }; messages];
        black_box(&mut entries).clear();
        Batch {
            text,
            entries,
            ..Batch::default()
        }
    }

    /// Adds a message that the spool holds.
    pub fn push_kept(&mut self, message: &[u8], at_ms: u32, ticket: Ticket) {
        self.push(message, at_ms);
        self.tickets.push(ticket);
    }

    pub fn tickets(&self) -> &[Ticket] {
        &self.tickets
    }

    pub fn push(&mut self, message: &[u8], at_ms: u32) {
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        self.text.extend_from_slice(message);
        self.entries.push(Entry {
            end: self.text.len() as u32,
            at_ms,
        });
    }

    pub fn len(&self) -> usize {
        self.entries.len() - self.given_up
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it weighs in the queue's bounds.
    pub fn bytes(&self) -> usize {
        self.joined().len() + self.len() * (UPKEEP - 1) + usize::from(!self.is_empty())
    }

    /// When its oldest message was accepted.
    pub fn oldest_ms(&self) -> Option<u32> {
        self.times_ms().next()
    }

    /// When each of its messages was accepted.
    pub fn times_ms(&self) -> impl Iterator<Item = u32> + '_ {
        let live = self.entries.iter().skip(self.given_up);
        live.map(|entry| entry.at_ms)
    }

    pub fn message(&self, index: usize) -> &[u8] {
        let index = self.given_up + index;
        let Some(entry) = self.entries.get(index) else {
            return &[];
        };
        let text = self.text.get(self.start(index)..entry.end as usize);
        text.unwrap_or_default()
    }

    /// Where the text of an entry starts.
    fn start(&self, index: usize) -> usize {
        let before = index.checked_sub(1);
        let before = before.and_then(|before| self.entries.get(before));
        before.map_or(0, |before| before.end as usize + 1)
    }

    /// The text of all messages, with the commas between them.
    fn joined(&self) -> &[u8] {
        let text = self.text.get(self.start(self.given_up)..);
        text.unwrap_or_default()
    }

    /// The request's body: the same bytes each time.
    pub fn body(&self, envelope: &Envelope) -> Bytes {
        let joined = self.joined();
        let mut body = memory::room(joined.len() + 128);
        body.extend_from_slice(b"{\"messages\":[");
        body.extend_from_slice(joined);
        envelope.close(&mut body);
        body.into()
    }

    /// Both halves; the first has one message more where they cannot be equal.
    pub fn halves(mut self) -> (Batch, Batch) {
        let middle = self.len().div_ceil(2);
        let second = self.take_out(|index, _| index >= middle);
        (self, second)
    }

    /// Takes out so many of the oldest messages.
    pub fn give_up(&mut self, count: usize) {
        let count = count.min(self.len());
        self.given_up += count;
        self.tickets.drain(..count.min(self.tickets.len()));
    }

    /// Takes out the messages for which this is true.
    pub fn take_out(&mut self, goes: impl Fn(usize, u32) -> bool) -> Batch {
        let (mut taken, mut kept) = (Batch::default(), Batch::default());
        for (index, at_ms) in self.times_ms().enumerate() {
            let part = if goes(index, at_ms) {
                &mut taken
            } else {
                &mut kept
            };
            part.push(self.message(index), at_ms);
            part.tickets.extend(self.tickets.get(index));
        }
        *self = kept;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(messages: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for (at_ms, message) in messages.iter().enumerate() {
            batch.push(message.as_bytes(), at_ms as u32);
        }
        batch
    }

    fn texts(batch: &Batch) -> Vec<String> {
        let text = |index| String::from_utf8(batch.message(index).to_vec()).unwrap();
        (0..batch.len()).map(text).collect()
    }

    #[test]
    fn a_body_has_the_messages_in_order() {
        let envelope = Envelope {
            user_id: "u",
            ..Envelope::default()
        };
        let body = batch(&["{\"a\":1}", "{}"]).body(&envelope);
        assert_eq!(&body[..], b"{\"messages\":[{\"a\":1},{}],\"userId\":\"u\"}");
    }

    #[test]
    fn halves_keep_order_and_times() {
        let (first, second) = batch(&["1", "2", "3"]).halves();
        assert_eq!(
            (texts(&first), texts(&second)),
            (vec!["1".into(), "2".into()], vec!["3".to_owned()])
        );
        assert_eq!(second.oldest_ms(), Some(2));
        let (one, none) = batch(&["1"]).halves();
        assert_eq!((one.len(), none.is_empty()), (1, true));
    }

    #[test]
    fn what_is_taken_out_and_the_rest_are_as_they_were() {
        let mut rest = batch(&["1", "22", "333"]);
        let taken = rest.take_out(|index, _| index == 1);
        assert_eq!(
            (texts(&taken), taken.oldest_ms()),
            (vec!["22".into()], Some(1))
        );
        assert_eq!(texts(&rest), ["1", "333"]);
        assert_eq!(rest.bytes(), batch(&["1", "333"]).bytes());
        assert_eq!(rest.times_ms().collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn what_is_given_up_is_as_if_it_had_never_been() {
        let mut given_up = batch(&["1", "22", "333"]);
        given_up.give_up(1);
        given_up.push(b"4", 3);
        assert_eq!(texts(&given_up), ["22", "333", "4"]);
        assert_eq!(given_up.times_ms().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(given_up.bytes(), batch(&["22", "333", "4"]).bytes());
        let envelope = Envelope::default();
        let body = given_up.body(&envelope);
        assert_eq!(&body[..], b"{\"messages\":[22,333,4],\"userId\":\"\"}");
        let (first, second) = given_up.halves();
        assert_eq!(
            (texts(&first), texts(&second)),
            (vec!["22".into(), "333".into()], vec!["4".to_owned()])
        );
        let mut none = batch(&["1", "22"]);
        none.give_up(3);
        assert_eq!((none.len(), none.bytes(), none.oldest_ms()), (0, 0, None));
    }

    #[test]
    fn its_weight_is_that_of_its_messages() {
        let weigh = |messages: &[&str]| messages.iter().map(|m| m.len() + UPKEEP).sum::<usize>();
        for messages in [&["1"][..], &["1", "22"], &["1", "22", "333"]] {
            assert_eq!(batch(messages).bytes(), weigh(messages));
        }
        assert_eq!(batch(&[]).bytes(), 0);
    }
}
