//! What the clients of a process know together about one endpoint: whether it is to be left alone, and which
//! of them finds out first whether it is back.

use super::Queue;
use super::back_off::{BackOff, Limits};
use crate::fork::PerProcess;
use crate::sync::lock;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// A request that asks whether the endpoint is back is not waited for longer than this.
const LONGEST_PROBE: Duration = Duration::from_secs(60);

static ENDPOINTS: PerProcess<Mutex<Endpoints>> = PerProcess::new();

/// Not a hash table, which points to the middle of its memory: a leak checker would take what it holds for lost.
type Endpoints = Vec<(String, Weak<Endpoint>)>;

#[derive(Default)]
pub struct Endpoint {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    back_off: BackOff,
    /// Until when one client's request speaks for all.
    probe_until: Option<Instant>,
    clients: Vec<Weak<Queue>>,
}

impl Endpoint {
    /// The one with this name: its URL, and the way there.
    pub fn of(name: &str) -> Arc<Endpoint> {
        let mut endpoints = lock(ENDPOINTS.get(|_| Mutex::default()));
        let known = endpoints.iter().find(|(known, _)| known == name);
        if let Some(known) = known.and_then(|(_, known)| known.upgrade()) {
            return known;
        }
        endpoints.retain(|(_, endpoint)| endpoint.strong_count() > 0);
        let endpoint = Arc::new(Endpoint::default());
        endpoints.push((name.to_owned(), Arc::downgrade(&endpoint)));
        endpoint
    }

    /// Has this client woken when the endpoint is back.
    pub fn join(&self, client: &Arc<Queue>) {
        let mut state = lock(&self.state);
        state.clients.retain(|other| other.strong_count() > 0);
        state.clients.push(Arc::downgrade(client));
    }

    /// How long it is to be left alone after a failure.
    pub fn left_alone(&self) -> Option<Duration> {
        lock(&self.state).back_off.left()
    }

    /// Lets a request through, or says how long it has to wait. After a back-off one is let through, and
    /// the others wait for its outcome, unless they are in a `hurry`.
    pub fn admit(&self, hurry: bool) -> Option<Duration> {
        let mut state = lock(&self.state);
        if let Some(left) = state.back_off.left() {
            return Some(left);
        }
        if !state.back_off.failing() {
            return None;
        }
        let now = Instant::now();
        let probing = state.probe_until.filter(|until| *until > now && !hurry);
        if probing.is_none() {
            state.probe_until = Some(now + LONGEST_PROBE);
        }
        probing.map(|until| until - now)
    }

    /// The endpoint could not be reached, or has trouble of its own.
    pub fn failed(&self, limits: Limits, retry_after: Option<Duration>) {
        self.conclude(|back_off| back_off.failed(limits, retry_after));
    }

    /// The endpoint answered.
    pub fn succeeded(&self) {
        self.conclude(BackOff::succeeded);
    }

    /// What was let through said nothing about the endpoint.
    pub fn undecided(&self) {
        self.conclude(|_| {});
    }

    fn conclude(&self, verdict: impl FnOnce(&mut BackOff)) {
        let mut state = lock(&self.state);
        let others_wait = state.back_off.failing();
        state.probe_until = None;
        verdict(&mut state.back_off);
        if !others_wait {
            return;
        }
        let clients: Vec<_> = state.clients.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        for client in clients {
            client.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(name: &str) -> Arc<Endpoint> {
        Endpoint::of(&format!("http://{name}.test"))
    }

    /// An endpoint that failed, whose back-off is over.
    fn recovering(name: &str) -> Arc<Endpoint> {
        let endpoint = url(name);
        endpoint.failed(Limits::of_ms(0, 0), None);
        endpoint
    }

    #[test]
    fn the_same_url_is_the_same_endpoint() {
        let (first, second, other) = (url("a"), url("a"), url("b"));
        first.failed(Limits::of_ms(60_000, 60_000), None);
        assert!(second.left_alone().is_some() && second.admit(true).is_some());
        assert_eq!((other.left_alone(), other.admit(false)), (None, None));
    }

    #[test]
    fn one_request_finds_out_for_all() {
        let endpoint = recovering("probe");
        assert_eq!(endpoint.admit(false), None);
        assert!(endpoint.admit(false).is_some());
        assert_eq!(endpoint.left_alone(), None);
        endpoint.succeeded();
        assert_eq!((endpoint.admit(false), endpoint.admit(false)), (None, None));
    }

    #[test]
    fn a_probe_that_failed_or_said_nothing_lets_another_through() {
        let endpoint = recovering("again");
        assert_eq!(endpoint.admit(false), None);
        endpoint.failed(Limits::of_ms(0, 0), None);
        assert_eq!(endpoint.admit(false), None);
        endpoint.undecided();
        assert_eq!(endpoint.admit(false), None);
        assert!(endpoint.admit(false).is_some());
    }

    #[test]
    fn whoever_is_in_a_hurry_waits_for_nobodys_probe() {
        let endpoint = recovering("hurry");
        assert_eq!(endpoint.admit(false), None);
        assert_eq!(endpoint.admit(true), None);
    }
}
