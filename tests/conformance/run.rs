//! Scenarios run, several at a time, each against a server of its own.

use crate::child::{self, Reply};
use crate::closed_port::ClosedPort;
use crate::process::{self, Folder};
use crate::scenario::{self, Line, Scenario};
use mona_sandbox::{Options, RecordedRequest, Sandbox};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};

const AT_A_TIME: usize = 4;

/// A scenario, placeholders filled in, and what came of it.
pub struct Ran {
    pub scenario: Scenario,
    pub outcome: Result<Outcome, String>,
}

pub struct Outcome {
    pub init: Reply,
    pub calls: Vec<Reply>,
    pub requests: Vec<RecordedRequest>,
}

static CLOSED: LazyLock<ClosedPort> = LazyLock::new(ClosedPort::new);

pub fn all<'a>(lines: impl Iterator<Item = &'a Line>) -> Vec<Ran> {
    let lines: Vec<&Line> = lines.collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = one(line);
                    done.lock().unwrap().push(ran);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by(|a: &Ran, b: &Ran| a.scenario.name.cmp(&b.scenario.name));
    done
}

fn one(line: &Line) -> Ran {
    let name = &line.scenario.name;
    let sandbox = Sandbox::start(Options {
        canned: true,
        tls: line.scenario.tls,
        ..Options::default()
    });
    let sandbox = sandbox.unwrap_or_else(|error| panic!("{name}: {error}"));
    let folder = Folder::new(name);
    folder.write("ca.pem", &sandbox.ca_pem().unwrap_or_default());
    let closed = CLOSED.host();
    let ca = folder.path("ca.pem");
    let ca = serde_json::to_string(ca.to_str().unwrap()).unwrap();
    let places = [
        ("$SERVER_HOST", sandbox.host()),
        ("$SERVER_URL", sandbox.url()),
        ("$SERVER_PORT", sandbox.port().to_string()),
        ("$CLOSED_URL", format!("http://{closed}")),
        ("$CLOSED_HOST", closed),
        ("$TEST_CA", ca.trim_matches('"').to_owned()),
    ];
    let text = line.filled(&places);
    let scenario = scenario::read(&text);
    let rules = sandbox.add_rules(&scenario.rules());
    rules.unwrap_or_else(|error| panic!("{name}: {error}"));
    folder.write(child::SCENARIO, &text);
    folder.write(child::CONFIG, &scenario.config(&places));
    let ended = process::run(&folder, scenario.environment(&places));
    let outcome = ended.and_then(|()| {
        let mut replies: Vec<Reply> = serde_json::from_str(&folder.read(child::REPLIES))
            .map_err(|error| format!("its replies cannot be read: {error}"))?;
        Ok(Outcome {
            init: replies.remove(0),
            calls: replies,
            requests: sandbox.requests(),
        })
    });
    Ran { scenario, outcome }
}
