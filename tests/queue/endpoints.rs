//! Several clients of one process, and their endpoints.

use crate::background::*;
use crate::closed_port::ClosedPort;
use crate::judge::Judge;
use crate::support::*;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn clients_of_one_endpoint_leave_it_alone_together_and_one_asks_whether_it_is_back() {
    const WAIT: u64 = 100;
    const FAILURES: usize = 4;
    let arrivals = Arc::<Mutex<Vec<Instant>>>::default();
    let list = arrivals.clone();
    let judge = Judge::start(move |_, number| {
        list.lock().unwrap().push(Instant::now());
        (if number > FAILURES { 200 } else { 503 }, "{}".into())
    });
    let waits = json!({"back_off_first_ms": WAIT, "back_off_longest_ms": WAIT});
    let clients: Vec<_> = (0..4).map(|_| client_of(&judge, waits.clone())).collect();
    enqueue(&clients[0], ["first".to_owned()]);
    wait_until(&clients[0], |now| now["state"] == "backing_off");
    for (number, client) in clients.iter().enumerate().skip(1) {
        enqueue(client, [format!("later-{number}")]);
        assert_eq!(statistics(client)["state"], "backing_off");
    }
    clients.iter().for_each(flush);
    let arrivals = arrivals.lock().unwrap();
    assert_eq!(arrivals.len(), FAILURES + clients.len());
    for pair in arrivals[..=FAILURES].windows(2) {
        let gap = pair[1] - pair[0];
        // The wait begins when the client has the answer, which is after the arrival.
        assert!(gap >= Duration::from_millis(WAIT), "{gap:?}");
    }
}

#[test]
fn a_client_whose_proxy_is_gone_holds_up_no_other() {
    let judge = Judge::start(|_, _| (200, "{}".into()));
    let waits = json!({"back_off_first_ms": 600_000, "back_off_longest_ms": 600_000});
    let closed = ClosedPort::new();
    let proxy = json!({"proxy": format!("http://{}", closed.host())});
    let astray = client(&merged(config_for(judge.host(), waits), proxy));
    enqueue(&astray, ids(1));
    wait_until(&astray, |now| now["state"] == "backing_off");
    let direct = client_of(&judge, json!({}));
    enqueue(&direct, ids(1));
    flush(&direct);
}

#[test]
fn after_an_outage_one_request_goes_before_all_others() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, highest) = (under_way.clone(), most.clone());
    let (probe, released) = {
        let release = Release::default();
        (release.clone(), release)
    };
    let judge = Judge::start(move |_, number| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        let status = match number {
            1 => 503,
            2 => {
                probe.wait();
                highest.store(count, Ordering::SeqCst);
                200
            }
            _ => 200,
        };
        now.fetch_sub(1, Ordering::SeqCst);
        (status, "{}".into())
    });
    let clients: Vec<_> = (0..4).map(|_| client_of(&judge, json!({}))).collect();
    enqueue(&clients[0], ["first".to_owned()]);
    wait_until(&clients[0], |_| judge.bodies().len() >= 2);
    for client in &clients[1..] {
        enqueue(client, ["later".to_owned()]);
        assert_eq!(client.flush(20).status, mona::status::Status::Timeout);
    }
    assert_eq!(judge.bodies().len(), 2);
    released.release();
    // Without a call that would wake them.
    for client in &clients {
        wait_until(client, |now| now["delivered"] == 1);
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn once_an_endpoint_is_back_nobody_waits_for_anybody() {
    let release = Release::default();
    let holding = release.clone();
    let judge = Judge::start(move |messages, number| {
        if id_of(&messages[0]) == "held" {
            holding.wait();
        }
        (if number == 1 { 503 } else { 200 }, "{}".into())
    });
    let (first, second) = (client_of(&judge, json!({})), client_of(&judge, json!({})));
    enqueue(&first, ["fails once".to_owned()]);
    flush(&first);
    enqueue(&first, ["held".to_owned()]);
    wait_until(&first, |now| now["in_flight"] == 1);
    enqueue(&second, ids(1));
    flush(&second);
    release.release();
    flush(&first);
}

#[test]
fn a_server_that_hangs_holds_up_no_other() {
    let (hanging, released) = held();
    let healthy = Service::start();
    let stuck = client_of(&hanging, json!({}));
    let free = client(&config_for(healthy.host(), json!({})));
    enqueue(&stuck, ids(1));
    wait_until(&stuck, |now| now["in_flight"] == 1);
    enqueue(&free, ids(100));
    flush(&free);
    assert_eq!(healthy.taken().len(), 100);
    released.release();
    flush(&stuck);
}
