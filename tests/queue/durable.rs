//! With a spool: what was accepted survives the program.

use crate::background::*;
use crate::closed_port::ClosedPort;
use crate::judge::Judge;
use crate::support::*;
use mona::client::Client;
use mona::status::Status;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// All files below a folder, with their contents.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(files(&path));
        } else {
            // Empty if it was removed meanwhile.
            contents.push(std::fs::read(path).unwrap_or_default());
        }
    }
    contents
}

#[test]
fn a_flush_of_a_closed_client_says_that_the_spool_keeps_what_is_left() {
    let (folder, closed) = (tempfile::tempdir().unwrap(), ClosedPort::new());
    let client = client(&durable_config_for(
        &closed.host(),
        folder.path(),
        json!({}),
    ));
    enqueue(&client, ids(3));
    assert_eq!(client.flush(0).status, Status::Timeout);
    assert_eq!(document(&client.close(0))["on_disk"], 3);
    let answer = client.flush(-1);
    let document = document(&answer);
    assert_eq!(
        (answer.status, &document["pending"], &document["retriable"]),
        (Status::Closed, &json!(3), &json!(false))
    );
}

#[test]
fn what_was_not_delivered_is_delivered_by_the_next_run() {
    for sync in ["os", "interval", "always"] {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start();
        let config = durable_config_for(service.host(), folder.path(), json!({"spool_sync": sync}));
        service.set_up(false);
        let first = client(&config);
        enqueue(&first, ids(300));
        let closed = document(&first.close(0));
        assert_eq!(
            (&closed["on_disk"], &closed["undelivered"]),
            (&json!(300), &json!(0)),
            "{sync}"
        );
        statistics(&first);
        drop(first);
        service.set_up(true);
        let second = client(&config);
        // The request that was under way when the first client was closed may still have been answered.
        wait_until(&second, |_| service.taken().len() >= 300);
        enqueue(&second, ["new".to_owned()]);
        flush(&second);
        let expected: Vec<_> = ids(300).chain(["new".to_owned()]).collect();
        assert_eq!(service.taken(), expected, "{sync}");
        second.close(-1);
        drop(second);
        let third = client(&config);
        enqueue(&third, ["last".to_owned()]);
        flush(&third);
        assert_eq!(
            statistics(&third)["recovered"],
            0,
            "{sync}: delivered messages must not come back"
        );
    }
}

#[test]
fn messages_reach_a_service_that_fails_all_the_time_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let list = taken.clone();
    let judge = Judge::start(move |messages, number| match number % 3 {
        0 => (0, String::new()),
        1 => (500, String::new()),
        _ => {
            list.lock().unwrap().extend(
                messages
                    .iter()
                    .map(|m| m["contextId"].as_str().unwrap().to_owned()),
            );
            (200, "{}".into())
        }
    });
    let client = client(&durable_config_for(
        judge.host(),
        folder.path(),
        json!({"batch_messages": 100}),
    ));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let client = &client;
            scope.spawn(move || enqueue(client, (0..500).map(|n| format!("{writer}-{n:04}"))));
        }
    });
    flush(&client);
    let taken = taken.lock().unwrap();
    assert_eq!(taken.len(), 2000);
    for writer in 0..4 {
        let own: Vec<_> = taken
            .iter()
            .filter(|id| id.starts_with(&format!("{writer}-")))
            .collect();
        assert!(own.len() == 500 && own.is_sorted(), "writer {writer}");
    }
    assert_eq!(statistics(&client)["on_disk"], 0);
}

#[test]
fn rejected_messages_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let judge = Judge::start(|_, _| (400, r#"{"failed":1,"failure_reasons":{"0":"no"}}"#.into()));
    let config = durable_config_for(judge.host(), folder.path(), json!({"batch_messages": 1}));
    let first = client(&config);
    enqueue(&first, ids(3));
    flush(&first);
    assert_eq!(statistics(&first)["rejected"], 3);
    first.close(-1);
    drop(first);
    let second = client(&config);
    enqueue(&second, ids(1));
    flush(&second);
    assert_eq!(statistics(&second)["recovered"], 0);
}

#[test]
fn a_full_spool_refuses_calls_drains_and_takes_messages_again() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    service.set_up(false);
    let client = client(&durable_config_for(
        service.host(),
        folder.path(),
        json!({"spool_max_bytes": 300_000}),
    ));
    let large = json!({"message": {"a": "x".repeat(1000)}, "contextClass": "C", "contextId": "x"})
        .to_string();
    let mut accepted = 0;
    let answer = loop {
        let answer = client.enqueue(&large, None, true);
        if answer.status != Status::Ok {
            break answer;
        }
        accepted += 1;
    };
    assert_eq!(answer.status, Status::QueueFull, "{}", answer.document);
    assert!((50..300).contains(&accepted), "{accepted}");
    let counts = statistics(&client);
    assert_eq!(
        (&counts["accepted"], &counts["refused"]),
        (&json!(accepted), &json!(1))
    );
    service.set_up(true);
    flush(&client);
    assert_eq!(service.taken().len(), accepted);
    assert_eq!(client.enqueue(&large, None, true).status, Status::Ok);
    flush(&client);
}

#[test]
fn clients_for_which_nothing_waits_leave_the_room_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    let config = durable_config_for(service.host(), folder.path(), json!({}));
    let client = client(&config);
    enqueue(&client, ids(10));
    flush(&client);
    wait_for_no_contents(folder.path());
    enqueue(&client, ids(1));
    assert_eq!(document(&client.close(-1))["undelivered"], 0);
    wait_for_no_contents(folder.path());
    assert_eq!(statistics(&client)["delivered"], 11);
}

fn wait_for_no_contents(folder: &Path) {
    let mut patience = Patience::new();
    while !files(folder).iter().all(Vec::is_empty) {
        assert!(patience.lasts());
        std::thread::yield_now();
    }
}

/// Flips a bit of each of these texts in the files below a folder.
fn damage(folder: &Path, texts: &[String]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path, texts);
            continue;
        }
        let contents = std::fs::read(&path).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        for text in texts {
            let places = contents.windows(text.len());
            if let Some(place) = places.enumerate().find(|(_, w)| *w == text.as_bytes()) {
                file.write_all_at(&[text.as_bytes()[0] ^ 1], place.0 as u64)
                    .unwrap();
            }
        }
    }
}

#[test]
fn messages_that_the_disk_damages_are_counted_and_the_others_delivered() {
    // Longer than what is read at once: with it in front, the others are not in memory before it is their turn.
    let long =
        json!({"message": {"a": "x".repeat(200_000)}, "contextClass": "C", "contextId": "long"});
    let names: Vec<_> = (0..5).map(|n| format!("message-{n}-of-five")).collect();
    for damaged in [&names[2..3], &names[..]] {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start();
        service.set_up(false);
        let config =
            durable_config_for(service.host(), folder.path(), json!({"linger_ms": 60_000}));
        let client = client(&config);
        enqueue_together(&client, std::slice::from_ref(&long));
        enqueue(&client, names.clone());
        damage(folder.path(), damaged);
        service.set_up(true);
        flush(&client);
        let counts = statistics(&client);
        assert_eq!(counts["dropped"]["damaged"], damaged.len(), "{counts}");
        assert_eq!(counts["on_disk"], 0, "{counts}");
        let expected = 1 + names.len() - damaged.len();
        assert_eq!(service.taken().len(), expected, "{counts}");
    }
}

/// The only segment below a folder.
fn segment(folder: &Path) -> PathBuf {
    let mut folder = folder.join("spool");
    while folder.is_dir() {
        let mut entries = std::fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().path());
        let wanted = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|e| e == "mq");
        folder = entries.find(wanted).unwrap();
    }
    folder
}

#[test]
fn a_spool_that_can_be_read_again_is_well_though_nothing_is_enqueued() {
    let service = Service::start();
    // A thread that begins late may have the file open already, and then notices nothing.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let keys = json!({"linger_ms": 60_000});
        let client = client(&durable_config_for(service.host(), folder.path(), keys));
        enqueue(&client, ids(3));
        let segment = segment(folder.path());
        let away = segment.with_extension("away");
        std::fs::rename(&segment, &away).unwrap();
        client.flush(0);
        let after = wait_until(&client, |now| {
            now["state"] == "storage_error" || now["delivered"] == 3
        });
        if after["state"] == "storage_error" {
            std::fs::rename(&away, &segment).unwrap();
            flush(&client);
            assert_eq!(statistics(&client)["state"], "ok");
            return;
        }
    }
    panic!("the missing file was never noticed");
}

#[test]
fn messages_damaged_between_two_runs_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    // What lingers is not under way when the first client is closed.
    let config = durable_config_for(service.host(), folder.path(), json!({"linger_ms": 60_000}));
    let config = merged(config, json!({"log_events": "warning"}));
    let first = client(&config);
    enqueue(&first, ids(5));
    first.close(0);
    drop(first);
    damage(folder.path(), &ids(5).skip(1).take(2).collect::<Vec<_>>());
    let second = client(&config);
    enqueue(&second, ["new".to_owned()]);
    let counts = wait_until(&second, |now| now["recovered"] == 3);
    assert_eq!(
        (&counts["damaged_before"], &counts["accepted"]),
        (&json!(2), &json!(4)),
        "{counts}"
    );
    let record = "The spool of a program that ended is damaged: 2 messages are lost (";
    let told = std::iter::from_fn(|| match second.poll(0) {
        (_, answer) if answer.status == Status::Ok => Some(answer.document),
        _ => None,
    });
    assert_eq!(told.filter(|event| event.contains(record)).count(), 1);
    flush(&second);
    assert_eq!(service.taken().len(), 4);
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o777)).unwrap();
    let config = durable_config_for("127.0.0.1:1", folder.path(), json!({}));
    let (client, answer) = Client::new(Some(&config.to_string()));
    assert!(client.is_none());
    assert_eq!(answer.status, Status::Initialization);
    let message = document(&answer)["error_message"].to_string();
    assert!(message.contains("queue.spool_dir"), "{message}");
}

#[test]
fn neither_secrets_nor_the_endpoint_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = durable_config_for("127.0.0.1:1", folder.path(), json!({}));
    config["auth_mode"] = json!("MONA");
    for key in ["api_key", "secret", "user_id"] {
        config[key] = json!(format!("CANARY-{key}"));
    }
    config["auth_api_token_url"] = json!("http://127.0.0.1:1/");
    config["num_of_retries_for_authentication"] = json!(0);
    let client = client(&config);
    enqueue(&client, ids(10));
    client.close(0);
    let contents = files(folder.path());
    let all: Vec<u8> = contents.concat();
    let has = |text: &[u8]| all.windows(text.len()).any(|window| window == text);
    assert!(has(b"id-00009"));
    for text in [&b"CANARY"[..], b"127.0.0.1", b"http"] {
        assert!(!has(text), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_client_that_could_not_be_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    let config = merged(
        durable_config_for(service.host(), folder.path(), json!({})),
        json!({"auth_mode": "MONA", "api_key": new_key(), "secret": "s", "raise_authentication_exceptions": true,
            "num_of_retries_for_authentication": 0, "auth_api_token_url": "http://127.0.0.1:0/"}),
    );
    let (made, answer) = Client::new(Some(&config.to_string()));
    assert!(made.is_none(), "{}", answer.document);
    // The thread that delivers has its folder removed when it ends.
    let spool = std::fs::read_dir(folder.path().join("spool")).unwrap();
    let endpoint = spool.last().unwrap().unwrap().path();
    let mut patience = Patience::new();
    while std::fs::read_dir(&endpoint).unwrap().count() > 0 {
        assert!(patience.lasts(), "{}", endpoint.display());
        std::thread::yield_now();
    }
}
