//! What a call is told: accepted whole, refused whole, or let in when there is room.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use serde_json::{Value, json};

#[test]
fn a_call_is_accepted_whole_or_not_at_all() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({"max_message_bytes": 200}));
    let answer = client.enqueue(
        &json!([message("a"), 7, {"message": {}, "contextClass": "C"}]).to_string(),
        None,
        true,
    );
    assert_eq!(answer.status, Status::Failed);
    let rejected = document(&answer);
    assert_eq!(
        (
            &rejected["accepted"],
            &rejected["failed"],
            &rejected["empty"]
        ),
        (&json!(0), &json!(1), &json!(1))
    );
    assert!(rejected["failure_reasons"]["1"].is_string());
    assert_eq!(
        client.enqueue("[", None, true).status,
        Status::InvalidArgument
    );
    let large = json!([message("a"), {"message": {"a": "x".repeat(300)}, "contextClass": "C"}]);
    let answer = client.enqueue(&large.to_string(), None, true);
    assert_eq!(answer.status, Status::Failed);
    let reasons = &document(&answer)["failure_reasons"];
    assert!(
        reasons["1"].to_string().contains("max_message_bytes (200)"),
        "{reasons}"
    );
    assert!(reasons["0"].is_null());
    assert_eq!(statistics(&client)["accepted"], 0);
    assert!(judge.bodies().is_empty());
}

#[test]
fn a_full_queue_refuses_calls_at_once() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"max_messages": 5}));
    enqueue(&client, ids(5));
    let answer = client.enqueue(&message("more").to_string(), None, true);
    assert_eq!(answer.status, Status::QueueFull);
    let refused = document(&answer);
    assert_eq!(
        (&refused["error_kind"], &refused["retriable"]),
        (&json!("queue_full"), &json!(true))
    );
    let counted = statistics(&client);
    assert_eq!(
        (&counted["accepted"], &counted["refused"], &counted["state"]),
        (&json!(5), &json!(1), &json!("queue_full"))
    );
    released.release();
    flush(&client);
    enqueue(&client, ids(1));
    flush(&client);
    assert_eq!(statistics(&client)["delivered"], 6);
}

#[test]
fn bytes_are_bounded_with_what_is_in_flight() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"max_bytes": 10_000}));
    let mut accepted = 0;
    while client.enqueue(&message("x").to_string(), None, true).status == Status::Ok {
        accepted += 1;
    }
    let counted = statistics(&client);
    let bytes = counted["bytes"].as_u64().unwrap();
    assert!((9_000..=10_000).contains(&bytes), "{counted}");
    assert_eq!(counted["accepted"], accepted);
    released.release();
    flush(&client);
    assert_eq!(statistics(&client)["bytes"], 0);
}

#[test]
fn a_call_waits_for_room_where_it_is_told_to() {
    let (judge, released) = held();
    let client = client_of(
        &judge,
        json!({"max_messages": 1, "overflow": "block", "block_ms": 60_000}),
    );
    enqueue(&client, ids(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            client
                .enqueue(&message("second").to_string(), None, true)
                .status
        });
        released.release();
        assert_eq!(waiting.join().unwrap(), Status::Ok);
    });
    flush(&client);
    assert_eq!(statistics(&client)["delivered"], 2);
}

#[test]
fn nothing_lingers_where_there_is_no_room() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    for durable in [false, true] {
        // Calls of one message fill a batch; after one of six, the next does not fit.
        for messages in [1, 6] {
            let keys = json!({"max_messages": 10, "spool_max_bytes": 65_536, "linger_ms": 3_600_000, "overflow": "block", "block_ms": 30_000});
            let folder = tempfile::tempdir().unwrap();
            let client = match durable {
                true => client(&durable_config_for(judge.host(), folder.path(), keys)),
                false => client_of(&judge, keys),
            };
            let text = json!({"a": "x".repeat(4000)});
            let call: Vec<_> = ids(messages)
                .map(|id| merged(message(&id), json!({"message": text})))
                .collect();
            (0..30).for_each(|_| enqueue_together(&client, &call));
            flush(&client);
        }
    }
}

#[test]
fn a_small_queue_sends_before_it_is_full() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    for durable in [false, true] {
        let keys = json!({"max_messages": 10, "spool_max_bytes": 65_536, "linger_ms": 3_600_000});
        let folder = tempfile::tempdir().unwrap();
        let client = match durable {
            true => client(&durable_config_for(judge.host(), folder.path(), keys)),
            false => client_of(&judge, keys),
        };
        let large = merged(message("x"), json!({"message": {"a": "x".repeat(4000)}}));
        (0..8).for_each(|_| enqueue_together(&client, std::slice::from_ref(&large)));
        wait_until(&client, |now| now["delivered"].as_u64() > Some(0));
    }
}

#[test]
fn the_oldest_makes_room_where_it_is_told_to() {
    let (judge, released) = held();
    let client = client_of(
        &judge,
        json!({"max_messages": 4, "overflow": "drop_oldest"}),
    );
    enqueue(&client, ids(1));
    wait_until(&client, |now| now["in_flight"] == 1);
    enqueue(&client, ids(10).skip(1));
    assert_eq!(statistics(&client)["dropped"]["overflow"], 6);
    released.release();
    flush(&client);
    let arrived: Vec<_> = judge
        .bodies()
        .iter()
        .flat_map(|body| {
            let sent: Value = serde_json::from_slice(body).unwrap();
            sent["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(id_of)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(arrived, ["id-00000", "id-00007", "id-00008", "id-00009"]);
}

#[test]
fn a_message_may_be_exactly_as_large_as_the_largest() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let large = merged(
        message("x"),
        json!({"exportTimestamp": 1_700_000_000_000_u64}),
    );
    let large = merged(large, json!({"message": {"a": "x".repeat(500)}}));
    let most = |bytes: usize| {
        let client = client_of(&judge, json!({"max_message_bytes": bytes}));
        client.enqueue(&large.to_string(), None, true)
    };
    let refused = document(&most(64));
    let reason = refused["failure_reasons"]["0"].as_str().unwrap();
    let bytes: usize = reason.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(most(bytes - 1).status, Status::Failed);
    assert_eq!(most(bytes).status, Status::Ok);
}

#[test]
fn a_call_that_could_never_fit_is_refused_at_once_and_for_good() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    for overflow in ["reject", "block", "drop_oldest"] {
        let queue = json!({"max_messages": 5, "overflow": overflow, "block_ms": 3_600_000, "linger_ms": 3_600_000});
        let client = client_of(&judge, queue);
        enqueue(&client, ids(2));
        let messages: Vec<_> = ids(6).map(|id| message(&id)).collect();
        let answer = client.enqueue(&json!(messages).to_string(), None, true);
        assert_eq!(answer.status, Status::QueueFull);
        let refused = document(&answer);
        assert_eq!(refused["error_kind"], "queue_full");
        assert_eq!(refused["retriable"], false, "{refused}");
        let counted = statistics(&client);
        assert_eq!(
            (&counted["accepted"], &counted["refused"]),
            (&json!(2), &json!(6))
        );
    }
}

#[test]
fn a_client_that_only_enqueues_fetches_sampling_factors_and_renews_them() {
    let sandbox = sandbox();
    let changes = json!({"sampling_config_name": "S", "sampling_factors_max_age_seconds": 0, "authenticate_on_init": false});
    let client = client(&config(&sandbox, changes));
    let factor = |factor: f64| {
        let arguments = json!({"config_name": "S", "sampling_factor": factor});
        client.service_call("create_sampling_factor", &arguments.to_string(), None)
    };
    for (wanted, sampled_out) in [(0.0, 1), (1.0, 0)] {
        let answer = factor(wanted);
        assert_eq!(answer.status, Status::Ok, "{}", answer.document);
        let mut patience = Patience::new();
        while document(&client.enqueue(MESSAGE, None, true))["sampled_out"] != sampled_out {
            assert!(patience.lasts());
        }
    }
}
