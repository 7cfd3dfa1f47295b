//! Programs that end without notice: what they were told is accepted, somebody delivers.

use crate::background::*;
use crate::support::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "MONA_TEST_KILLED_CHILD";
const BATCH: usize = 50;

/// Another process: enqueues from several threads and says what was accepted, until it is killed, or has
/// enqueued what it is to.
#[test]
fn child_that_is_killed() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let (config, name, threads, count): (Value, String, usize, usize) =
        serde_json::from_str(&task).unwrap();
    let client = client(&config);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (client, name) = (&client, &name);
            scope.spawn(move || {
                for n in 0..count {
                    enqueue(client, [format!("{name}-{thread}-{n}")]);
                    println!("accepted {name}-{thread}-{n}");
                }
            });
        }
    });
    client.close(0);
}

struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    accepted: BTreeSet<String>,
}

impl Program {
    fn start(config: &Value, name: &str, threads: usize, count: usize) -> Program {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killing::child_that_is_killed", "--nocapture"])
            .env(CHILD, json!([config, name, threads, count]).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Program {
            child,
            lines,
            accepted: BTreeSet::new(),
        }
    }

    /// Reads what it says was accepted: so many messages, or all until its end.
    fn read(&mut self, count: usize) {
        let accepted = |line: String| line.split_once("accepted ").map(|(_, id)| id.to_owned());
        let lines = self.lines.by_ref().map_while(Result::ok);
        self.accepted.extend(lines.filter_map(accepted).take(count));
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.end();
    }

    fn end(&mut self) {
        self.read(usize::MAX);
        self.child.wait().unwrap();
    }
}

/// How often each message arrived, once none of the accepted ones is missing.
fn deliveries(
    client: &mona::client::Client,
    service: &Service,
    accepted: &BTreeSet<String>,
) -> BTreeMap<String, usize> {
    let mut patience = Patience::new();
    loop {
        flush(client);
        let mut times = BTreeMap::new();
        for id in service.taken() {
            *times.entry(id).or_insert(0) += 1;
        }
        let missing = accepted
            .iter()
            .filter(|id| !times.contains_key(*id))
            .count();
        if missing == 0 {
            return times;
        }
        assert!(
            patience.lasts(),
            "{missing} of {} are missing: {}",
            accepted.len(),
            statistics(client)
        );
        std::thread::yield_now();
    }
}

fn repeated(times: &BTreeMap<String, usize>) -> usize {
    times.values().map(|times| times - 1).sum()
}

#[test]
fn a_killed_program_loses_nothing_that_was_accepted() {
    let rounds = count_of("MONA_TEST_KILL_ROUNDS", 20);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    let keys = json!({"batch_messages": BATCH});
    let config = durable_config_for(service.host(), folder.path(), keys);
    let mut accepted = BTreeSet::new();
    for round in 0..rounds {
        service.set_up(round % 2 == 0);
        let threads = 1 + round % 8;
        let mut program = Program::start(&config, &round.to_string(), threads, usize::MAX);
        // After a number of messages that differs from round to round.
        program.read(1 + round * 37 % 400);
        program.kill();
        accepted.append(&mut program.accepted);
    }
    let mut resend = |number: usize| {
        service.set_up(false);
        let mut program = Program::start(&config, &format!("late-{number}"), 1, usize::MAX);
        program.read(1);
        program.kill();
        accepted.append(&mut program.accepted);
        service.set_up(true);
        let before = service.taken().len();
        let start = Instant::now();
        let next = client(&config);
        wait_until(&next, |_| service.taken().len() > before);
        start.elapsed()
    };
    // A busy machine may hold up one start, but not each of many.
    let resent: Vec<_> = (0..3).map(&mut resend).collect();
    let resent = resent.into_iter().min().unwrap();
    assert!(resent <= Duration::from_secs(1), "{resent:?}");
    let last = client(&config);
    let times = deliveries(&last, &service, &accepted);
    assert!(repeated(&times) <= BATCH * (rounds + 3));
    println!(
        "{rounds} rounds, {} accepted, 0 lost, {} repeated, first resend after {resent:?}",
        accepted.len(),
        repeated(&times)
    );
}

#[test]
fn every_message_of_many_programs_has_one_owner_whoever_of_them_is_killed() {
    let programs = count_of("MONA_TEST_PROCESSES", 32);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start();
    let keys = json!({"batch_messages": BATCH});
    let config = durable_config_for(service.host(), folder.path(), keys);
    service.set_up(false);
    let mut running: Vec<_> = (0..programs)
        .map(|number| {
            // Those that are to be killed have no end of their own.
            let count = if number % 2 == 0 { usize::MAX } else { 40 };
            Program::start(&config, &number.to_string(), 1, count)
        })
        .collect();
    let mut kills = 0;
    for (number, program) in running.iter_mut().enumerate() {
        service.set_up(number % 3 == 0);
        if number % 2 == 0 {
            program.read(1 + number * 7 % 40);
            program.kill();
            kills += 1;
        }
    }
    let mut accepted = BTreeSet::new();
    for mut program in running {
        program.end();
        accepted.append(&mut program.accepted);
    }
    service.set_up(true);
    let last = client(&config);
    let times = deliveries(&last, &service, &accepted);
    // Those that ended with a request under way may repeat it, too.
    assert!(repeated(&times) <= BATCH * programs, "{}", repeated(&times));
    let orphans = || {
        let fingerprint = std::fs::read_dir(folder.path().join("spool")).unwrap();
        let folders = fingerprint.map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap());
        folders.map(Iterator::count).sum::<usize>() - 1
    };
    wait_until(&last, |_| orphans() == 0);
    println!(
        "{programs} programs, {kills} killed, {} accepted, 0 lost, {} repeated",
        accepted.len(),
        repeated(&times)
    );
}
