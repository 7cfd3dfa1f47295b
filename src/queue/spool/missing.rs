//! Systems without the permissions and locks that the spool builds on.
#![forbid(unsafe_code)]

use super::{Counts, Message, Options, SpoolError, Ticket};

/// None can be opened.
#[derive(Debug)]
pub enum Spool {}

impl Spool {
    pub fn open(_: Options) -> Result<Spool, SpoolError> {
        Err(SpoolError::Refused {
            problem: "This system has no durable spool".into(),
        })
    }

    pub fn append(&self, _: &[&[u8]]) -> Result<(), SpoolError> {
        match *self {}
    }

    pub fn read(&self, _: usize, _: usize) -> Result<Vec<Message>, SpoolError> {
        match *self {}
    }

    pub fn acknowledge(&self, _: &[Ticket]) -> Result<(), SpoolError> {
        match *self {}
    }

    pub fn end_segment(&self) {
        match *self {}
    }

    pub fn let_go(&self) -> bool {
        match *self {}
    }

    pub fn sync(&self) -> Result<(), SpoolError> {
        match *self {}
    }

    pub fn adopt(&self) -> usize {
        match *self {}
    }

    pub fn unadopted(&self) -> Option<SpoolError> {
        match *self {}
    }

    pub fn counts(&self) -> Counts {
        match *self {}
    }
}
