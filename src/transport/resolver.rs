//! Name resolution on threads of its own: the system's resolver blocks.
#![forbid(unsafe_code)]

use super::pause::UnderWay;
use crate::sync::lock;
use crate::thread;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot::{Sender, channel};

/// How long a look-up is shared by those that want the same. One that takes longer may never end, while another would.
const SHARED: Duration = Duration::from_secs(10);

type Found = Result<Vec<SocketAddr>, Arc<io::Error>>;

type Find = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Looks each name up on a thread that ends with the look-up, one for all requests that want it meanwhile: those that are given up
/// leave no thread each.
pub struct Resolver {
    find: Find,
    under_way: Mutex<Vec<Arc<LookUp>>>,
}

struct LookUp {
    name: String,
    since: Instant,
    /// None once it has ended.
    waiting: Mutex<Option<Vec<Sender<Found>>>>,
}

impl Resolver {
    /// The system's.
    pub fn new() -> Self {
        Resolver::by(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    fn by(find: Find) -> Self {
        Resolver {
            find,
            under_way: Mutex::default(),
        }
    }

    /// Has whatever is found for a name sent there.
    fn look_up(&self, name: &str, receiver: Sender<Found>) -> io::Result<()> {
        let mut under_way = lock(&self.under_way);
        under_way.retain(|look_up| look_up.is_shared());
        let receiver = match under_way.iter().find(|look_up| look_up.name == name) {
            Some(look_up) => look_up.join(receiver),
            None => Some(receiver),
        };
        let Some(receiver) = receiver else {
            return Ok(());
        };
        let look_up = Arc::new(LookUp {
            name: name.to_owned(),
            since: Instant::now(),
            waiting: Mutex::new(Some(vec![receiver])),
        });
        under_way.push(look_up.clone());
        let find = self.find;
        // The request may be given up first.
        let fork_waits = UnderWay::part();
        let run = move || {
            look_up.end(find(&look_up.name).map_err(Arc::new));
            drop(fork_waits);
        };
        thread::start("mona-dns", thread::AMPLE_STACK, run).map(drop)
    }
}

impl LookUp {
    fn is_shared(&self) -> bool {
        self.since.elapsed() < SHARED && lock(&self.waiting).is_some()
    }

    /// Gives back the receiver that comes too late.
    fn join(&self, receiver: Sender<Found>) -> Option<Sender<Found>> {
        match &mut *lock(&self.waiting) {
            Some(waiting) => {
                waiting.retain(|other| !other.is_closed());
                waiting.push(receiver);
                None
            }
            None => Some(receiver),
        }
    }

    fn end(&self, found: Found) {
        let waiting = lock(&self.waiting).take();
        for receiver in waiting.into_iter().flatten() {
            // A request that timed out no longer waits for the answer.
            let _ = receiver.send(found.clone());
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, receiver) = channel();
        let started = self.look_up(name.as_str(), sender);
        Box::pin(async move {
            started?;
            let addresses = receiver.await??;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[test]
    fn a_look_up_is_shared_by_all_that_want_it_meanwhile() {
        static HELD: Mutex<()> = Mutex::new(());
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver::by(|_| {
            COUNT.fetch_add(1, SeqCst);
            drop(lock(&HELD));
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 7))])
        });
        let look_up = |name| {
            let (sender, receiver) = channel();
            resolver.look_up(name, sender).unwrap();
            receiver
        };
        let held = lock(&HELD);
        let mut receivers: Vec<_> = (0..100).map(|_| look_up("same")).collect();
        receivers.push(look_up("other"));
        drop(held);
        for receiver in receivers {
            assert_eq!(receiver.blocking_recv().unwrap().unwrap()[0].port(), 7);
        }
        assert_eq!(COUNT.load(SeqCst), 2);
        look_up("same").blocking_recv().unwrap().unwrap();
        assert_eq!(COUNT.load(SeqCst), 3);
    }
}
