//! Batches that the service refuses or fails at: which message, or whose size, is to blame.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use mona_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A service that fails with this status at each request that has the poison in it, and what it took.
fn poisoned(status: u16, poison: String) -> (Judge, Arc<Mutex<Vec<String>>>) {
    let delivered = Arc::<Mutex<Vec<_>>>::default();
    let list = delivered.clone();
    let judge = Judge::start(move |messages, _| {
        if messages.iter().any(|message| id_of(message) == poison) {
            return (status, "no".into());
        }
        list.lock().unwrap().extend(messages.iter().map(id_of));
        (200, "{}".into())
    });
    (judge, delivered)
}

#[test]
fn one_poisonous_message_is_found_and_all_others_are_delivered() {
    const MESSAGES: usize = 128;
    const HALVINGS: usize = 7;
    for (status, place) in [
        (400, 77),
        (422, 0),
        (413, 127),
        (500, 77),
        (500, 0),
        (500, 127),
    ] {
        let poison = ids(MESSAGES).nth(place).unwrap();
        let (judge, delivered) = poisoned(status, poison.clone());
        let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 200}));
        let batch: Vec<_> = ids(MESSAGES).map(|id| message(&id)).collect();
        enqueue_together(&client, &batch);
        if (status, place) == (500, 127) {
            // Nobody comes after it who could show that the service works.
            client.flush(0);
            wait_until(&client, |now| now["delivered"] == MESSAGES - 1);
            enqueue(&client, ["another".to_owned()]);
        }
        flush(&client);
        let expected: Vec<_> = ids(MESSAGES).filter(|id| *id != poison).collect();
        let delivered = delivered.lock().unwrap();
        assert_eq!(delivered[..MESSAGES - 1], expected, "{status}, {place}");
        let statistics = statistics(&client);
        assert_eq!(
            (&statistics["rejected"], &statistics["splits"]),
            (&json!(1), &json!(HALVINGS)),
            "{status}"
        );
        assert_eq!(statistics["rejections"][0]["context_id"], json!(poison));
        // Each of the halvings costs two requests; a 500 is tried three times before it is suspected, and the message
        // that is left alone until another was taken.
        let requests = statistics["requests"].as_u64().unwrap() as usize;
        match (status, place) {
            (500, 127) => assert!(requests > 1 + 2 * HALVINGS),
            (500, _) => assert_eq!(requests, 1 + 2 * HALVINGS + 3),
            _ => assert_eq!(requests, 1 + 2 * HALVINGS),
        }
    }
}

#[test]
fn a_poisonous_message_that_is_alone_holds_up_no_others() {
    for durable in [false, true] {
        let (judge, delivered) = poisoned(500, "poison".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let client = match durable {
            true => client(&durable_config_for(judge.host(), folder.path(), json!({}))),
            false => client_of(&judge, json!({})),
        };
        enqueue(&client, ["poison".to_owned()]);
        wait_until(&client, |now| now["retries"].as_u64() > Some(5));
        assert_eq!(statistics(&client)["rejected"], 0, "it may be the service");
        enqueue(&client, ids(50));
        flush(&client);
        assert_eq!(*delivered.lock().unwrap(), ids(50).collect::<Vec<_>>());
        let statistics = statistics(&client);
        assert_eq!(statistics["rejected"], 1);
        assert_eq!(statistics["rejections"][0]["context_id"], "poison");
    }
}

#[test]
fn a_service_that_fails_at_everything_for_a_while_costs_no_message_and_no_order_of_a_context() {
    const FAILURES: usize = 60;
    for durable in [false, true] {
        let taken = Arc::<Mutex<Vec<Value>>>::default();
        let list = taken.clone();
        let judge = Judge::start(move |messages, number| {
            if number <= FAILURES {
                return (500, String::new());
            }
            list.lock().unwrap().extend_from_slice(messages);
            (200, "{}".into())
        });
        let folder = tempfile::tempdir().unwrap();
        let keys = json!({"batch_messages": 16});
        let client = match durable {
            true => client(&durable_config_for(judge.host(), folder.path(), keys)),
            false => client_of(&judge, keys),
        };
        for n in 0..100 {
            let text =
                json!({"message": {"n": n}, "contextClass": "C", "contextId": (n % 5).to_string()});
            assert_eq!(
                client.enqueue(&text.to_string(), None, true).status,
                Status::Ok
            );
        }
        flush(&client);
        let statistics = statistics(&client);
        assert_eq!(statistics["delivered"], 100, "{statistics}");
        let taken = taken.lock().unwrap();
        assert_eq!(taken.len(), 100);
        for context in 0..5 {
            let own = taken
                .iter()
                .filter(|message| id_of(message) == context.to_string());
            let numbers = own.map(|message| message["message"]["n"].as_u64().unwrap());
            assert!(numbers.is_sorted(), "context {context}");
        }
    }
}

#[test]
fn the_size_that_the_service_takes_is_learned() {
    let limit = 200_000;
    let options = Options {
        body_limit: limit,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).unwrap();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = impatient(
        json!({"linger_ms": 60_000, "batch_bytes": 1_000_000, "batch_messages": 100_000}),
    );
    let client = client(&config);
    let large = "x".repeat(10_000);
    let batch = |from: usize| -> Value {
        (from..from + 90).map(|n| json!({"message": {"a": large}, "contextClass": "C", "contextId": n.to_string()})).collect()
    };
    assert_eq!(
        client.enqueue(&batch(0).to_string(), None, true).status,
        Status::Ok
    );
    flush(&client);
    assert_eq!(sandbox.message_count(), 90);
    assert_eq!(
        statistics(&client)["splits"],
        3,
        "900 kB, 450 kB and 225 kB are too large"
    );
    assert_eq!(
        client.enqueue(&batch(90).to_string(), None, true).status,
        Status::Ok
    );
    flush(&client);
    assert_eq!(sandbox.message_count(), 180);
    assert_eq!(
        statistics(&client)["splits"],
        3,
        "what was learned is not tried again"
    );
}

#[test]
fn a_message_too_large_for_the_service_is_rejected_alone() {
    let judge = Judge::start(|messages, _| {
        let large = messages
            .iter()
            .any(|message| message.to_string().len() > 1000);
        (if large { 413 } else { 200 }, "{}".into())
    });
    let client = client_of(&judge, json!({"linger_ms": 60_000}));
    let batch = json!([message("a"), {"message": {"a": "x".repeat(2000)}, "contextClass": "C", "contextId": "large"}, message("b")]);
    assert_eq!(
        client.enqueue(&batch.to_string(), None, true).status,
        Status::Ok
    );
    flush(&client);
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["delivered"], &statistics["rejected"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(statistics["rejections"][0]["context_id"], "large");
}

#[test]
fn whatever_size_a_service_takes_all_messages_arrive_and_few_requests_are_refused() {
    const MESSAGES: usize = 3000;
    for limit in (10..=20).map(|power| 1 << power) {
        let (taken, refused) = (
            Arc::<Mutex<Vec<_>>>::default(),
            Arc::new(AtomicUsize::new(0)),
        );
        let (list, count) = (taken.clone(), refused.clone());
        let judge = Judge::start(move |messages, _| {
            if json!(messages).to_string().len() > limit {
                count.fetch_add(1, Ordering::SeqCst);
                return (413, String::new());
            }
            list.lock().unwrap().extend(messages.iter().map(id_of));
            (200, "{}".into())
        });
        let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 4000}));
        let batch: Vec<_> = ids(MESSAGES).map(|id| message(&id)).collect();
        enqueue_together(&client, &batch);
        let accepted: BTreeSet<_> = ids(MESSAGES).collect();
        flush(&client);
        assert_eq!(
            settle(&client, &accepted, &taken.lock().unwrap()),
            0,
            "{limit}"
        );
        assert!(taken.lock().unwrap().is_sorted(), "{limit}");
        let refused = refused.load(Ordering::SeqCst) as f64;
        assert!(
            refused <= 2.0 * (MESSAGES as f64).log2(),
            "{limit}: {refused} refused"
        );
    }
}

#[test]
fn a_message_too_large_by_itself_does_not_make_batches_small() {
    let judge = Judge::start(|messages, _| {
        let large = messages
            .iter()
            .any(|message| message.to_string().len() > 1000);
        (if large { 413 } else { 200 }, "{}".into())
    });
    let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 2000}));
    let mut batch: Vec<_> = ids(1000).map(|id| message(&id)).collect();
    enqueue_together(&client, &batch);
    flush(&client);
    for place in [0, 500, 999] {
        batch[place]["message"]["a"] = json!("x".repeat(2000));
        enqueue_together(&client, &batch);
        flush(&client);
        batch[place] = message("small again");
        let before = judge.bodies().len();
        enqueue_together(&client, &batch);
        flush(&client);
        assert!(judge.bodies().len() - before <= 4, "{place}");
    }
    assert_eq!(statistics(&client)["rejected"], 3);
}

#[test]
fn a_size_that_was_learned_is_exceeded_a_little_after_many_successes() {
    let judge = Judge::start(|messages, _| {
        let status = if messages.len() > 100 { 413 } else { 200 };
        (status, "{}".into())
    });
    let keys = json!({"linger_ms": 60_000, "batch_messages": 1000});
    let client = client_of(&judge, keys);
    let requests_for = |count: usize| {
        let before = judge.bodies().len();
        let batch: Vec<_> = ids(count)
            .map(|id| merged(message(&id), json!({"message": {"a": "x".repeat(1500)}})))
            .collect();
        enqueue_together(&client, &batch);
        flush(&client);
        judge.bodies().len() - before
    };
    assert_eq!(requests_for(140), 3, "refused, and then by halves of 70");
    assert_eq!(requests_for(75), 2);
    // With the three halves since it was learned.
    (0..97).for_each(|_| assert_eq!(requests_for(1), 1));
    assert_eq!(requests_for(75), 1);
    assert_eq!(requests_for(80), 2);
}

#[test]
fn errors_of_the_service_raise_suspicion_only_in_a_row() {
    let statuses = [500, 500, 503, 500, 500, 503, 200, 500, 500];
    let judge = Judge::start(move |_, number| {
        let status = statuses.get(number - 1).copied().unwrap_or(200);
        (status, "{}".into())
    });
    let client = client_of(&judge, json!({"linger_ms": 60_000}));
    let batch: Vec<_> = ids(10).map(|id| message(&id)).collect();
    for _ in 0..2 {
        enqueue_together(&client, &batch);
        flush(&client);
    }
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["splits"], &statistics["retries"]),
        (&json!(0), &json!(8))
    );
}

/// Two messages, each in a request of its own, of which the first is failed at with these statuses; the statistics
/// afterwards, and the context ids in the order of delivery.
fn first_fails(
    contexts: [&str; 2],
    times: usize,
    statuses: &'static [u16],
) -> (Value, Vec<String>) {
    let (attempts, taken) = (AtomicUsize::new(0), Arc::<Mutex<Vec<_>>>::default());
    let list = taken.clone();
    let judge = Judge::start(move |messages, _| {
        let text = &messages[0]["message"]["n"];
        if *text == 0 {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst);
            if let Some(status) = statuses.get(attempt).filter(|status| **status != 200) {
                return (*status, "{}".into());
            }
        }
        list.lock().unwrap().push(text.to_string());
        (200, "{}".into())
    });
    let client = client_of(&judge, json!({"batch_messages": 1}));
    let message = |n: usize| json!({"message": {"n": n}, "contextClass": "C", "contextId": contexts[n], "exportTimestamp": 1_700_000_000});
    for _ in 0..times {
        enqueue_together(&client, &[message(0), message(1)]);
        flush(&client);
    }
    let taken = taken.lock().unwrap().clone();
    (statistics(&client), taken)
}

#[test]
fn a_message_is_not_to_blame_for_trouble_that_began_after_others_passed() {
    let (statistics, taken) = first_fails(["a", "b"], 1, &[500, 500, 500, 503, 500]);
    assert_eq!(statistics["rejected"], 0);
    assert_eq!(taken, ["1", "0"]);
}

#[test]
fn a_message_that_passed_after_all_is_not_accused_any_more() {
    let (statistics, taken) = first_fails(["a", "b"], 2, &[500, 500, 500, 200, 500]);
    assert_eq!(statistics["rejected"], 0);
    assert_eq!(taken, ["1", "0", "0", "1"]);
}

#[test]
fn messages_of_one_context_stay_in_their_order_whatever_the_service_fails_at() {
    let (_, taken) = first_fails(["a", "a"], 1, &[500; 8]);
    assert_eq!(taken, ["0", "1"]);
}

#[test]
fn what_was_learned_outlives_a_message_that_is_too_large_by_itself() {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let judge = Judge::start(move |messages, _| {
        let large = |message: &Value| message.to_string().len() > 1000;
        if messages.len() <= 100 && !messages.iter().any(large) {
            return (200, "{}".into());
        }
        count.fetch_add(1, Ordering::SeqCst);
        (413, "{}".into())
    });
    let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 1000}));
    let refusals_of = |batch: &[Value]| {
        let before = refused.load(Ordering::SeqCst);
        enqueue_together(&client, batch);
        flush(&client);
        refused.load(Ordering::SeqCst) - before
    };
    let small: Vec<_> = ids(140).map(|id| message(&id)).collect();
    let large = merged(
        message("large"),
        json!({"message": {"a": "x".repeat(2000)}}),
    );
    assert_eq!(refusals_of(&small), 1);
    assert_eq!(refusals_of(&[large, message("b")]), 2);
    assert_eq!(refusals_of(&small), 0);
}
