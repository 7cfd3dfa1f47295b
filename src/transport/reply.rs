//! One answer, from the thread that has it to the one that waits for it.
#![forbid(unsafe_code)]

use crate::sync::{Condvar, Deadline, Mutex, lock, wait};
use std::sync::Arc;

/// What is known of an answer.
#[derive(Default)]
pub enum Answer<T> {
    #[default]
    ToCome,
    Here(T),
    /// None will come any more.
    Lost,
}

struct Slot<T> {
    answer: Mutex<Answer<T>>,
    changed: Condvar,
}

/// Where the answer is to be put. It is lost if this is dropped.
pub struct Reply<T>(Option<Arc<Slot<T>>>);

/// Where it is to be found.
pub struct Awaited<T>(Arc<Slot<T>>);

pub fn reply<T>() -> (Reply<T>, Awaited<T>) {
    let slot = Arc::new(Slot {
        answer: Mutex::new(Answer::ToCome),
        changed: Condvar::new(),
    });
    (Reply(Some(slot.clone())), Awaited(slot))
}

impl<T> Reply<T> {
    pub fn send(mut self, answer: T) {
        self.fill(Answer::Here(answer));
    }

    fn fill(&mut self, answer: Answer<T>) {
        if let Some(slot) = self.0.take() {
            *lock(&slot.answer) = answer;
            slot.changed.notify_one();
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.fill(Answer::Lost);
    }
}

impl<T> Awaited<T> {
    /// The answer as soon as it is here or lost, and as it is when the deadline passes.
    pub fn wait(&self, deadline: Deadline) -> Answer<T> {
        let mut answer = lock(&self.0.answer);
        while matches!(*answer, Answer::ToCome) && !deadline.passed() {
            answer = wait(&self.0.changed, answer, deadline);
        }
        std::mem::take(&mut answer)
    }
}
