//! Name resolution on a thread of its own.

use super::pause::UnderWay;
use crate::thread;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::ToSocketAddrs;

/// Looks a name up on a thread that ends with the look-up: the system's resolver blocks.
pub struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // The request may be given up first.
        let under_way = UnderWay::part();
        let lookup = move || {
            let _under_way = under_way;
            let found = (name.as_str(), 0).to_socket_addrs();
            // A request that timed out no longer waits for the answer.
            let _ = sender.send(found);
        };
        let started = thread::start("mona-dns", thread::AMPLE_STACK, lookup);
        Box::pin(async move {
            started?;
            let addresses = receiver.await??;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
