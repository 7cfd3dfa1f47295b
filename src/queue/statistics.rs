//! What `mona_stats_json` tells: one table, which `docs/statistics.md` is generated from.

use super::Queue;
use super::state::{Health, State};
use crate::doc::Doc;
use crate::sync::lock;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// One member of the document.
struct Statistic {
    name: &'static str,
    doc: Doc,
    read: fn(&State, &Queue) -> Value,
}

const STATISTICS: &[Statistic] = &[
    Statistic {
        name: "state",
        doc: Doc::new(
            "`ok`, `backing_off` (the last request to this endpoint failed, perhaps another client's of this process), `paused` (the service lets nobody in: a failed login, 401, 403, 404, 405, 407, 410 or a redirect), `queue_full`, `storage_error` (the spool could not be written, read, flushed or told what is delivered, the last time that was tried) or `closed`.",
        ),
        read: |state, _| json!(health(state)),
    },
    Statistic {
        name: "accepted",
        doc: Doc::new("Messages that `mona_enqueue_json` accepted, and those recovered."),
        read: |state, _| json!(state.counters.accepted),
    },
    Statistic {
        name: "recovered",
        doc: Doc::new(
            "Messages that programs which ended had left in the spool, and that this client delivers now.",
        ),
        read: |state, _| json!(state.counters.recovered),
    },
    Statistic {
        name: "delivered",
        doc: Doc::new("Messages that the service took."),
        read: |state, _| json!(state.counters.delivered),
    },
    Statistic {
        name: "rejected",
        doc: Doc::new("Messages that the service refused for good."),
        read: |state, _| json!(state.counters.rejected),
    },
    Statistic {
        name: "expired",
        doc: Doc::new(
            "Messages given up because `queue.time_to_live_ms` had passed, or `queue.spool_retention_hours`.",
        ),
        read: |state, _| json!(state.counters.expired),
    },
    Statistic {
        name: "dropped",
        doc: Doc::new(
            "Messages dropped, by reason: `overflow` (to make room, where `queue.overflow` is `drop_oldest`), `close` (not delivered when the client was closed, and in no spool), `damaged` (unreadable in the spool).",
        ),
        read: |state, _| {
            json!({
                "overflow": state.counters.dropped_overflow,
                "close": state.counters.dropped_close,
                "damaged": state.counters.dropped_damaged,
            })
        },
    },
    Statistic {
        name: "damaged_before",
        doc: Doc::new(
            "Messages that were found damaged in the spools of programs which ended, as far as they can be told apart: lost, and in none of the other counts.",
        ),
        read: |_, queue| json!(queue.damaged_before()),
    },
    Statistic {
        name: "on_disk",
        doc: Doc::new(
            "Messages that wait in the spool, but for those that were read from it to be sent: until they are settled they count as `in_memory` or `in_flight`, although they are in the files, too. What other programs left there counts once it is recovered.",
        ),
        read: |state, _| json!(state.on_disk.messages),
    },
    Statistic {
        name: "in_memory",
        doc: Doc::new("Messages that wait."),
        read: |state, _| json!(state.buffer.load().messages),
    },
    Statistic {
        name: "in_flight",
        doc: Doc::new("Messages in the request that is under way."),
        read: |state, _| json!(state.in_flight.messages),
    },
    Statistic {
        name: "pending",
        doc: Doc::new(
            "Messages from the oldest on that is not settled: all that wait or are under way, and where later messages were settled before older ones, some of those, too. What is accepted by now is settled once `accepted - recovered - pending` has reached what `accepted - recovered` is now.",
        ),
        read: |state, _| json!(state.since_oldest()),
    },
    Statistic {
        name: "bytes",
        doc: Doc::new(
            "What those in memory and in flight weigh, in the bytes that `queue.max_bytes` bounds.",
        ),
        read: |state, _| json!(state.buffer.load().bytes + state.in_flight.bytes),
    },
    Statistic {
        name: "refused",
        doc: Doc::new(
            "Messages of calls that returned `MONA_ERROR_QUEUE_FULL`. They were never accepted.",
        ),
        read: |state, _| json!(state.counters.refused),
    },
    Statistic {
        name: "requests",
        doc: Doc::new("Requests made, each with one batch."),
        read: |state, _| json!(state.counters.requests),
    },
    Statistic {
        name: "retries",
        doc: Doc::new("Batches put back to be sent again."),
        read: |state, _| json!(state.counters.retries),
    },
    Statistic {
        name: "splits",
        doc: Doc::new("Batches divided to find what the service refuses in them."),
        read: |state, _| json!(state.counters.splits),
    },
    Statistic {
        name: "latency_ms",
        doc: Doc::new(
            "Milliseconds from acceptance to the service's verdict, exact to about 9 %: `p50`, `p90`, `p99`, `max`; null before the first.",
        ),
        read: |state, _| {
            json!({
                "p50": state.latency.percentile(0.5),
                "p90": state.latency.percentile(0.9),
                "p99": state.latency.percentile(0.99),
                "max": state.latency.percentile(1.0),
            })
        },
    },
    Statistic {
        name: "last_error",
        doc: Doc::new("What went wrong last, or null."),
        read: |state, _| json!(state.last_error),
    },
    Statistic {
        name: "rejections",
        doc: Doc::new("The latest 100 rejected messages: `context_id` and `reason`."),
        read: |state, _| json!(state.rejections),
    },
    Statistic {
        name: "events_dropped",
        doc: Doc::new(
            "Delivery and log events that were dropped because `events_max_bytes` of them waited and nobody collected them.",
        ),
        read: |_, queue| json!(queue.reporter.dropped()),
    },
];

fn health(state: &State) -> &'static str {
    match state.health {
        Health::Closed => "closed",
        Health::Paused => "paused",
        _ if state.storage_failed => "storage_error",
        Health::BackingOff => "backing_off",
        Health::Ok if state.endpoint.left_alone().is_some() => "backing_off",
        Health::Ok if state.full => "queue_full",
        Health::Ok => "ok",
    }
}

impl Queue {
    fn damaged_before(&self) -> u64 {
        let spool = self.spool.get();
        spool.map_or(0, |spool| spool.counts().corrupt_frames)
    }

    /// All statistics at one moment.
    pub fn statistics(&self) -> Map<String, Value> {
        let state = lock(&self.state);
        let mut members = Map::new();
        for Statistic { name, read, .. } in STATISTICS {
            members.insert((*name).to_owned(), read(&state, self));
        }
        members
    }
}

const HEAD: &str = "\
# Statistics of the background export

<!-- Generated from the table in src/queue/statistics.rs: run `scripts/generate` after a change there. -->

`mona_stats_json` gives these members, beside `success` and `error_message`. All are taken at one moment, and at each moment

    accepted = delivered + rejected + expired + dropped (each reason) + on_disk + in_memory + in_flight

| member | meaning |
|---|---|
";

/// The page that documents them.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for statistic in STATISTICS {
        let _ = writeln!(page, "| `{}` | {} |", statistic.name, statistic.doc);
    }
    page
}
