//! Closing delivers what it can, and waits no longer than it may.

use crate::background::*;
use crate::judge::Judge;
use crate::support::*;
use mona::client::Client;
use mona::status::Status;
use serde_json::{Value, json};
use std::sync::mpsc;

#[test]
fn closing_delivers_what_it_can() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({"linger_ms": 60_000, "batch_messages": 10}));
    enqueue(&client, ids(95));
    let answer = client.close(-1);
    assert_eq!(
        (answer.status, &document(&answer)["undelivered"]),
        (Status::Ok, &json!(0))
    );
    let counted = statistics(&client);
    assert_eq!(
        (&counted["delivered"], &counted["state"]),
        (&json!(95), &json!("closed"))
    );
    assert_eq!(
        client
            .enqueue(&message("late").to_string(), None, true)
            .status,
        Status::Closed
    );
    assert_eq!(client.flush(0).status, Status::Ok);
}

#[test]
fn closing_does_not_wait_for_a_server_that_is_left_alone() {
    let judge = Judge::start(|_, _| (503, String::new()));
    let client = client_of(
        &judge,
        json!({"back_off_first_ms": 600_000, "back_off_longest_ms": 600_000}),
    );
    enqueue(&client, ids(7));
    wait_until(&client, |now| now["state"] == "backing_off");
    let answer = client.close(-1);
    assert_eq!(document(&answer)["undelivered"], 7);
    assert_eq!(statistics(&client)["dropped"]["close"], 7);
}

#[test]
fn closing_waits_no_longer_than_it_is_told_whatever_the_server_does() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"batch_messages": 2}));
    enqueue(&client, ids(10));
    let answer = client.close(50);
    assert_eq!(answer.status, Status::Ok);
    let undelivered = document(&answer)["undelivered"].as_u64().unwrap();
    assert_eq!(undelivered, 10);
    let counted = statistics(&client);
    assert_eq!(counted["in_memory"], 0, "{counted}");
    released.release();
    drop(judge);
}

#[test]
fn closing_again_tells_of_all_that_is_lost_by_then() {
    let (judge, released) = held();
    let client = client_of(&judge, json!({"batch_messages": 2}));
    enqueue(&client, ids(1));
    wait_until(&client, |now| now["in_flight"] == 1);
    enqueue(&client, ids(4));
    for _ in 0..2 {
        assert_eq!(document(&client.close(0))["undelivered"], 5);
    }
    released.release();
    // The request that nobody waits for is answered after all.
    wait_until(&client, |now| now["in_flight"] == 0);
    assert_eq!(document(&client.close(0))["undelivered"], 4);
    drop(judge);
}

#[test]
fn messages_never_enqueued_cost_nothing_to_close() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let client = client_of(&judge, json!({}));
    assert_eq!(client.flush(0).status, Status::Ok);
    assert_eq!(document(&client.close(-1))["undelivered"], 0);
}

#[test]
fn what_lingers_goes_out_while_closing_waits_for_another_call() {
    let sandbox = sandbox();
    let rule = json!([{"path": "/configs", "delay_ms": 3_600_000}]);
    sandbox.add_rules(&rule.to_string()).unwrap();
    let changes = json!({"request_timeout_ms": 3_600_000, "queue": {"linger_ms": 3_600_000}});
    let client = client(&config(&sandbox, changes));
    enqueue(&client, ids(5));
    std::thread::scope(|scope| {
        scope.spawn(|| client.service_call("get_config", "{}", None));
        // The login was the first.
        assert!(sandbox.wait_for_requests(2, PATIENCE));
        let closing = scope.spawn(|| client.close(-1));
        let delivered = sandbox.wait_for_messages(5, PATIENCE);
        sandbox.clear_rules();
        assert!(delivered);
        assert_eq!(document(&closing.join().unwrap())["undelivered"], 0);
    });
}

/// Ends a client that has room for two messages while a call waits for room and a request for an answer, and gives what
/// ending it gave.
fn end_while_a_call_waits_for_room<T: Send>(
    config: impl Fn(&str, Value) -> Value,
    end: fn(&Client) -> T,
) -> T {
    let (judge, released) = held();
    let blocking = json!({"max_messages": 2, "spool_max_bytes": 65_536, "overflow": "block", "block_ms": 3_600_000,
        "linger_ms": 3_600_000, "free_timeout_ms": 0});
    let client = client(&config(judge.host(), blocking));
    let large = json!({"message": {"a": "x".repeat(21_500)}, "contextClass": "C"});
    enqueue_together(&client, std::slice::from_ref(&large));
    std::thread::scope(|scope| {
        let (ended, has_ended) = mpsc::channel();
        let (client, two) = (&client, json!([large, large]).to_string());
        scope.spawn(move || ended.send(client.enqueue(&two, None, true).status));
        // What lingers is sent because that call waits for its room.
        wait_until(client, |now| now["in_flight"] == 1);
        let ending = scope.spawn(|| end(client));
        let status = has_ended.recv_timeout(PATIENCE);
        released.release();
        assert_eq!(status, Ok(Status::Closed));
        ending.join().unwrap()
    })
}

#[test]
fn a_call_that_waits_for_room_ends_when_its_client_is_closed() {
    let closed = end_while_a_call_waits_for_room(config_for, |client| client.close(-1));
    assert_eq!(document(&closed)["undelivered"], 0);
    end_while_a_call_waits_for_room(config_for, Client::close_for_good);
}

#[test]
fn a_call_that_waits_for_room_on_disk_ends_when_its_client_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let config = |host: &str, keys| durable_config_for(host, folder.path(), keys);
    let closed = end_while_a_call_waits_for_room(config, |client| client.close(-1));
    assert_eq!(document(&closed)["undelivered"], 0);
    end_while_a_call_waits_for_room(config, Client::close_for_good);
}
