//! Tells the host what became of messages: one event for each settled batch, if it has anything to say.

use super::Queue;
use super::state::{Counters, Rejection, State};
use crate::answer::{Answer, Failure, failed};
use crate::asynchronous::{self, Kind};
use crate::config::{Config, DeliveryEvents};
use crate::error::Error;
use crate::events::Events;
use crate::status::{Family, Status};
use serde::Serialize;
use std::sync::Arc;

/// How many rejected messages an event names: as many as a batch has by default.
const NAMED: usize = 1000;

/// Where a queue's events go, and what else is told.
pub struct Reporter {
    /// Whether the log has messages that the service rejected.
    pub logs_messages: bool,
    wanted: DeliveryEvents,
    /// What a delivery that failed is to the host.
    failed: Status,
    events: Arc<Events>,
}

/// What became of messages since the last event, and why.
#[derive(Default)]
pub struct Unreported {
    since: Outcomes,
    rejections: Vec<Rejection>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Outcomes {
    delivered: u64,
    rejected: u64,
    expired: u64,
    dropped: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    success: bool,
    #[serde(flatten)]
    outcomes: Outcomes,
    rejections: &'a [Rejection],
    #[serde(flatten)]
    failure: Failure<'a>,
}

impl Outcomes {
    fn so_far(counters: &Counters) -> Self {
        Outcomes {
            delivered: counters.delivered,
            rejected: counters.rejected,
            expired: counters.expired,
            dropped: counters.dropped_overflow + counters.dropped_close + counters.dropped_damaged,
        }
    }

    fn less(self, earlier: Outcomes) -> Self {
        Outcomes {
            delivered: self.delivered.saturating_sub(earlier.delivered),
            rejected: self.rejected.saturating_sub(earlier.rejected),
            expired: self.expired.saturating_sub(earlier.expired),
            dropped: self.dropped.saturating_sub(earlier.dropped),
        }
    }

    fn undelivered(self) -> u64 {
        self.rejected + self.expired + self.dropped
    }
}

impl Reporter {
    pub fn new(config: &Config, events: Arc<Events>) -> Self {
        Reporter {
            logs_messages: config.should_log_failed_messages,
            wanted: config.queue.delivery_events,
            failed: failed(Family::Export, config),
            events,
        }
    }

    /// Delivery events that were dropped because nobody collected them.
    pub fn dropped(&self) -> u64 {
        self.events.dropped()
    }

    fn tell(&self, outcomes: Outcomes, rejections: &[Rejection]) {
        let error = match outcomes.undelivered() {
            0 => None,
            messages => Some(Error::Undelivered { messages }),
        };
        let text = error.as_ref().map(Error::to_string);
        let document = Document {
            success: error.is_none(),
            outcomes,
            rejections,
            failure: Failure::of(error.as_ref(), text.as_deref()),
        };
        let status = if error.is_none() {
            Status::Ok
        } else {
            self.failed
        };
        let answer = Answer::new(status, &document);
        self.events
            .notify(asynchronous::event(Kind::Delivery, 0, &answer));
    }
}

impl Queue {
    /// Remembers why a message was rejected, for the next event.
    pub(super) fn name(&self, state: &mut State, rejection: &Rejection) {
        let rejections = &mut state.unreported.rejections;
        if self.reporter.wanted != DeliveryEvents::None && rejections.len() < NAMED {
            rejections.push(rejection.clone());
        }
    }

    /// Tells what became of messages since the last time, if the host wants to know.
    pub(super) fn report(&self, state: &mut State) {
        if self.reporter.wanted == DeliveryEvents::None {
            return;
        }
        let so_far = Outcomes::so_far(&state.counters);
        let outcomes = so_far.less(state.unreported.since);
        if outcomes == Outcomes::default() {
            return;
        }
        state.unreported.since = so_far;
        let rejections = std::mem::take(&mut state.unreported.rejections);
        if outcomes.undelivered() > 0 || self.reporter.wanted == DeliveryEvents::All {
            self.reporter.tell(outcomes, &rejections);
        }
    }
}
