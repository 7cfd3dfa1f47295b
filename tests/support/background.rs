//! The background export under test: clients, what is enqueued, and the oracle that holds what arrived against it.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use crate::judge::Judge;
use crate::support::{Patience, client, document};
use mona::client::Client;
use mona::status::Status;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// A number that the environment may set, for tests that can be as long as one likes.
pub fn count_of(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |count| count.parse().unwrap())
}

pub fn merged(mut base: Value, changes: Value) -> Value {
    let changes = changes.as_object().unwrap().clone();
    base.as_object_mut().unwrap().extend(changes);
    base
}

/// Longer than any test waits: what a server holds back stays under way.
const HOUR_MS: u64 = 3_600_000;

/// Keys of `queue` with waits so short that tests need not, and requests that no time ends.
pub fn impatient(changes: Value) -> Value {
    let keys = json!({"linger_ms": 0, "back_off_first_ms": 1, "back_off_longest_ms": 2, "pause_first_ms": 1, "pause_longest_ms": 2,
        "attempt_timeout_ms": HOUR_MS});
    merged(keys, changes)
}

/// The configuration of a client without authentication, with these keys of `queue`.
pub fn config_for(host: &str, queue: Value) -> Value {
    json!({"auth_mode": "NO_AUTH", "user_id": "u", "should_use_ssl": false, "override_rest_api_host": host,
        "request_timeout_ms": HOUR_MS, "queue": impatient(queue)})
}

/// The same with a spool in this folder.
pub fn durable_config_for(host: &str, folder: &Path, queue: Value) -> Value {
    let spool = folder.join("spool");
    let keys =
        json!({"spool_dir": spool.to_str(), "spool_keep_free_bytes": 0, "free_timeout_ms": 0});
    config_for(host, merged(keys, queue))
}

pub fn client_of(judge: &Judge, queue: Value) -> Client {
    client(&config_for(judge.host(), queue))
}

pub fn ids(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("id-{n:05}"))
}

pub fn message(id: &str) -> Value {
    json!({"message": {"a": 1}, "contextClass": "C", "contextId": id})
}

pub fn id_of(message: &Value) -> String {
    message["contextId"].as_str().unwrap().to_owned()
}

/// Enqueues a message for each id; all must be accepted.
pub fn enqueue(client: &Client, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        let answer = client.enqueue(&message(&id).to_string(), None, true);
        assert_eq!(answer.status, Status::Ok, "{}", answer.document);
    }
}

/// Messages of one call.
pub fn enqueue_together(client: &Client, messages: &[Value]) {
    let answer = client.enqueue(&json!(messages).to_string(), None, true);
    assert_eq!(answer.status, Status::Ok, "{}", answer.document);
}

/// The statistics, of which the law of conservation must hold.
pub fn statistics(client: &Client) -> Value {
    let statistics = document(&client.statistics());
    let number = |value: &Value| value.as_u64().unwrap();
    let dropped: u64 = statistics["dropped"]
        .as_object()
        .unwrap()
        .values()
        .map(number)
        .sum();
    let parts = [
        "delivered",
        "rejected",
        "expired",
        "on_disk",
        "in_memory",
        "in_flight",
    ];
    let sum: u64 = parts.iter().map(|part| number(&statistics[part])).sum();
    assert_eq!(
        number(&statistics["accepted"]),
        sum + dropped,
        "{statistics}"
    );
    statistics
}

/// Waits until everything is settled; the law is read all the time.
pub fn flush(client: &Client) {
    let mut patience = Patience::new();
    while client.flush(10).status != Status::Ok {
        let now = statistics(client);
        assert!(patience.lasts(), "{now}");
    }
}

/// Waits until this is so; the law is read all the time.
pub fn wait_until(client: &Client, so: impl Fn(&Value) -> bool) -> Value {
    let mut patience = Patience::new();
    loop {
        let now = statistics(client);
        if so(&now) {
            return now;
        }
        assert!(patience.lasts(), "{now}");
        std::thread::yield_now();
    }
}

/// The oracle: what the server took and what is reported as rejected are together exactly what was accepted, and
/// nothing else became of any message. Hands over how many messages came more than once.
pub fn settle(client: &Client, accepted: &BTreeSet<String>, taken: &[String]) -> usize {
    flush(client);
    let counted = statistics(client);
    let rejected: BTreeSet<_> = counted["rejections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejection| rejection["context_id"].as_str().unwrap().to_owned())
        .collect();
    let mut times = BTreeMap::new();
    for id in taken {
        *times.entry(id.clone()).or_insert(0) += 1;
    }
    let taken: BTreeSet<_> = times.keys().cloned().collect();
    let lost: Vec<_> = accepted
        .iter()
        .filter(|id| !taken.contains(*id) && !rejected.contains(*id))
        .collect();
    let unknown: Vec<_> = taken.difference(accepted).collect();
    assert!(
        lost.is_empty() && unknown.is_empty(),
        "lost {lost:?}, unknown {unknown:?}: {counted}"
    );
    let of = |name: &str| counted[name].as_u64().unwrap() as usize;
    assert_eq!(of("rejected"), rejected.len(), "{counted}");
    assert_eq!(
        of("delivered") + of("rejected"),
        accepted.len(),
        "{counted}"
    );
    times.values().filter(|times| **times > 1).count()
}

/// A server that takes everything while it is up, and the ids of what it took.
pub struct Service {
    pub judge: Judge,
    up: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Service {
    pub fn start() -> Service {
        let (up, taken) = (
            Arc::new(AtomicBool::new(true)),
            Arc::<Mutex<Vec<_>>>::default(),
        );
        let (switch, list) = (up.clone(), taken.clone());
        let judge = Judge::start(move |messages, _| {
            if !switch.load(Ordering::SeqCst) {
                return (503, String::new());
            }
            list.lock().unwrap().extend(messages.iter().map(id_of));
            (200, "{}".into())
        });
        Service { judge, up, taken }
    }

    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::SeqCst);
    }

    pub fn host(&self) -> &str {
        self.judge.host()
    }

    pub fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

/// Lets the answers of a held judge go.
#[derive(Clone, Default)]
pub struct Release(Arc<(Mutex<bool>, Condvar)>);

impl Release {
    pub fn wait(&self) {
        let (released, changed) = &*self.0;
        let waiting = changed.wait_while(released.lock().unwrap(), |released| !*released);
        drop(waiting.unwrap());
    }

    pub fn release(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// A judge that answers nothing until it is released.
pub fn held() -> (Judge, Release) {
    let released = Release::default();
    let release = released.clone();
    let judge = Judge::start(move |_, _| {
        release.wait();
        (200, "{}".into())
    });
    (judge, released)
}
