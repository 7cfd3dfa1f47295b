//! What is accepted arrives, or is counted.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::status::Status;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn what_is_enqueued_arrives_in_order() {
    let sandbox = sandbox();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = json!({"linger_ms": 60_000, "batch_messages": 100});
    let client = client(&config);
    enqueue(&client, ids(1050));
    flush(&client);
    let arrived: Vec<_> = sandbox
        .messages()
        .into_iter()
        .map(|message| message.context_id)
        .collect();
    assert_eq!(arrived, ids(1050).collect::<Vec<_>>());
    let statistics = statistics(&client);
    assert_eq!(
        (&statistics["delivered"], &statistics["state"]),
        (&json!(1050), &json!("ok"))
    );
    assert!(statistics["latency_ms"]["p99"].is_number());
    assert!(
        count(&sandbox, "/export") <= 15,
        "{}",
        count(&sandbox, "/export")
    );
}

#[test]
fn nothing_waits_for_more_than_the_linger() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({"linger_ms": 20}));
    enqueue(&client, ids(1));
    wait_until(&client, |now| now["delivered"] == 1);
}

#[test]
fn messages_that_the_service_names_are_rejected_alone() {
    let sandbox = sandbox();
    let mut config = config(&sandbox, json!({}));
    config["queue"] = impatient(json!({"linger_ms": 60_000}));
    let client = client(&config);
    let batch = json!([message("good-1"), {"message": {"a": 1}, "contextClass": "C.", "contextId": "bad"}, message("good-2")]);
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
    assert_eq!(statistics["rejections"][0]["context_id"], "bad");
    assert_eq!(
        (sandbox.message_count(), count(&sandbox, "/export")),
        (2, 1)
    );
}

#[test]
fn messages_that_the_service_rejects_are_logged_whole_where_that_is_wanted() {
    let judge = Judge::start(|_, _| {
        let answer = json!({"failed": 1, "failure_reasons": {"1": "bad"}});
        (400, answer.to_string())
    });
    for wanted in [true, false] {
        let mut config = config_for(judge.host(), json!({"delivery_events": "none"}));
        config["log_events"] = json!("error");
        config["should_log_failed_messages"] = json!(wanted);
        let client = client(&config);
        enqueue_together(&client, &[message("good"), message("bad")]);
        client.close(-1);
        let logged = |text: &str| {
            let (_, event) = client.poll(-1);
            let told = document(&event)["message"].to_string();
            assert!(told.contains(text) && told.contains("bad"), "{told}");
        };
        logged("The service rejected message");
        if wanted {
            logged("Failed message: {");
        }
        assert_eq!(client.poll(0).1.status, Status::Closed);
    }
}

#[test]
fn what_cannot_be_delivered_in_its_time_expires() {
    let judge = Judge::start(|_, _| (503, String::new()));
    let client = client_of(&judge, json!({"time_to_live_ms": 30}));
    enqueue(&client, ids(20));
    flush(&client);
    let counted = statistics(&client);
    assert_eq!(
        (&counted["expired"], &counted["delivered"]),
        (&json!(20), &json!(0))
    );
}

#[test]
fn nothing_is_lost_between_many_threads_and_a_failing_server() {
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let list = delivered.clone();
    let judge = Judge::start(move |messages, number| match number % 4 {
        0 => (503, String::new()),
        1 => (0, String::new()),
        _ => {
            list.lock().unwrap().extend(messages.iter().map(id_of));
            (200, "{}".into())
        }
    });
    let client = client_of(&judge, json!({"batch_messages": 50}));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                statistics(&client);
            }
        });
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let client = &client;
                scope.spawn(move || enqueue(client, (0..500).map(|n| format!("{writer}-{n:04}"))))
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        flush(&client);
        done.store(true, Ordering::SeqCst);
        watching.join().unwrap();
    });
    let delivered = delivered.lock().unwrap();
    let unique: BTreeSet<_> = delivered.iter().collect();
    assert_eq!((delivered.len(), unique.len()), (4000, 4000));
    for writer in 0..8 {
        let own: Vec<_> = delivered
            .iter()
            .filter(|id| id.starts_with(&format!("{writer}-")))
            .collect();
        assert!(
            own.is_sorted(),
            "the messages of writer {writer} changed their order"
        );
    }
}

#[test]
fn a_flush_waits_for_the_last_message_too() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({}));
    enqueue(&client, ids(1));
    std::thread::scope(|scope| {
        let flushing = scope.spawn(|| client.flush(-1).status);
        wait_until(&client, |now| now["in_flight"] == 1);
        assert_eq!(client.flush(20).status, Status::Timeout);
        released.release();
        assert_eq!(flushing.join().unwrap(), Status::Ok);
    });
}

#[test]
fn sampling_factors_that_cannot_be_had_hold_no_message_up() {
    let sandbox = sandbox();
    let rule = json!([{"path": "/get_sampling_factors", "delay_ms": 3_600_000}]);
    sandbox.add_rules(&rule.to_string()).unwrap();
    let changes = json!({"sampling_config_name": "S", "authenticate_on_init": false, "log_events": "warning"});
    let client = client(&config(&sandbox, changes));
    enqueue(&client, ids(1));
    assert_eq!(client.flush(-1).status, Status::Ok);
    // Nobody has given the fetch up yet.
    let (_, event) = client.poll(0);
    assert_eq!(event.status, Status::Timeout, "{}", event.document);
    sandbox.clear_rules();
}
