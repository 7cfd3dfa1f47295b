//! Messages that the service fails at alone: others overtake them, but for those of the same context.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A message of this context; the service fails at all requests with a poisonous one.
fn of(context: &str, n: usize, poison: bool) -> Value {
    json!({"message": {"n": n, "poison": poison}, "contextClass": "C", "contextId": context})
}

/// Enqueues these in one call, in memory or on disk, with so many to a request at most: all are delivered, each context's in its
/// order, but for the poisonous ones, which are rejected while messages of other contexts follow.
fn only_poison_is_rejected(messages: &[Value]) {
    for durable in [false, true] {
        for batch_messages in [1, 3, 1000] {
            let taken = Arc::<Mutex<Vec<Value>>>::default();
            let list = taken.clone();
            let judge = Judge::start(move |messages, _| {
                if messages.iter().any(is_poison) {
                    return (500, String::new());
                }
                list.lock().unwrap().extend_from_slice(messages);
                (200, "{}".into())
            });
            let folder = tempfile::tempdir().unwrap();
            let keys = json!({"batch_messages": batch_messages});
            let client = match durable {
                true => client(&durable_config_for(judge.host(), folder.path(), keys)),
                false => client_of(&judge, keys),
            };
            enqueue_together(&client, messages);
            // What shows that the service works goes on.
            let mut patience = Patience::new();
            for n in 0.. {
                enqueue(&client, [format!("more-{n}")]);
                if client.flush(10).status == Status::Ok {
                    break;
                }
                assert!(patience.lasts(), "{}", statistics(&client));
            }
            let of_context = |list: &[Value], id: &str| -> Vec<Value> {
                let own = list
                    .iter()
                    .filter(|one| id_of(one) == id && !is_poison(one));
                own.map(|one| one["message"]["n"].clone()).collect()
            };
            let taken = taken.lock().unwrap();
            for id in messages.iter().map(id_of) {
                assert_eq!(of_context(&taken, &id), of_context(messages, &id), "{id}");
            }
            let poisonous = messages.iter().filter(|one| is_poison(one)).count();
            assert_eq!(statistics(&client)["rejected"], poisonous);
        }
    }
}

fn is_poison(message: &Value) -> bool {
    message["message"]["poison"] == true
}

#[test]
fn a_poisonous_message_with_others_of_its_context_after_it_stops_nothing() {
    let first = (0..20).map(|n| of("a", n, n == 0));
    let others = (20..60).map(|n| of(["a", "b", "c"][n % 3], n, false));
    only_poison_is_rejected(&first.chain(others).collect::<Vec<_>>());
}

#[test]
fn poisonous_messages_in_a_row_stop_nothing() {
    for count in [5, 60] {
        let context = |n: usize| (n % (count - 1)).to_string();
        let poisonous = (0..count).map(|n| of(&context(n), n, true));
        let others = (count..count + 60).map(|n| of(["0", "1", "2", "a", "b"][n % 5], n, false));
        only_poison_is_rejected(&poisonous.chain(others).collect::<Vec<_>>());
    }
}

#[test]
fn what_the_disk_holds_overtakes_before_the_service_is_asked_once_more() {
    let judge = Judge::start(|messages, _| {
        let status = if messages.iter().any(is_poison) {
            500
        } else {
            200
        };
        (status, "{}".into())
    });
    let folder = tempfile::tempdir().unwrap();
    let keys = json!({"batch_messages": 1});
    let client = client(&durable_config_for(judge.host(), folder.path(), keys));
    enqueue_together(&client, &[of("a", 0, true), of("b", 1, false)]);
    flush(&client);
    // Three times until it is accused, and once after the other.
    assert_eq!(judge.bodies().len(), 5);
    assert_eq!(statistics(&client)["rejected"], 1);
}
