//! A client: wires the parts together and owns no logic of its own.
#![forbid(unsafe_code)]

use crate::account::Account;
use crate::answer::{Answer, Failure, status_of};
use crate::asynchronous::{self, Kind};
use crate::config::Config;
use crate::error::Error;
use crate::events::Events;
use crate::export::Exporter;
use crate::factors::Factors;
use crate::gate::Gate;
use crate::log::{Level, Logger};
use crate::queue::{Enqueuer, Queue, Reporter, Undelivered};
use crate::services::{Caller, OlderPaths, Order};
use crate::status::{Family, Status};
use crate::sync::Deadline;
use once_cell::race::OnceBox;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// A client in one process.
pub struct Client {
    config: Arc<Config>,
    factors: Arc<Factors>,
    gate: Gate,
    parts: OnceBox<Parts>,
}

/// What a forked child makes anew when it first needs it.
struct Parts {
    logger: Logger,
    account: Arc<Account>,
    older_paths: Arc<OlderPaths>,
    queue: Arc<Queue>,
    events: Arc<Events>,
}

impl Parts {
    /// Refuses new calls, waits for those under way, and delivers what is enqueued; whether no call is
    /// under way any more. Where it `delivers`, it begins to while calls are waited for.
    fn close(
        &self,
        gate: &Gate,
        calls: Deadline,
        delivers: bool,
        delivery: impl FnOnce() -> Deadline,
    ) -> (bool, Undelivered) {
        self.events.refuse();
        self.queue.prepare_to_close(delivers);
        let quiet = gate.close(calls) && self.events.settle(calls);
        let undelivered = self.queue.close(delivery());
        self.events.close();
        (quiet, undelivered)
    }
}

#[derive(Serialize)]
struct Flushing<'a> {
    success: bool,
    pending: u64,
    #[serde(flatten)]
    failure: Failure<'a>,
}

#[derive(Serialize)]
struct Closing<'a> {
    success: bool,
    undelivered: u64,
    /// Messages that the spool keeps for the next run.
    on_disk: u64,
    #[serde(flatten)]
    failure: Failure<'a>,
}

impl Client {
    /// Makes a client; the answer tells of a failed login even where a client was made.
    pub fn new(config_json: Option<&str>) -> (Option<Client>, Answer) {
        let config = match Config::from_json(config_json) {
            Ok(config) => Arc::new(config),
            Err(error) => {
                let status = match error {
                    Error::InvalidArgument { .. } => Status::InvalidArgument,
                    _ => Status::Initialization,
                };
                return (None, Answer::failure(status, &error));
            }
        };
        let factors = Factors::new(&config);
        let client = Client::of(config, factors, Gate::default());
        match client.start() {
            Ok(()) => (Some(client), Answer::success()),
            Err(error) => {
                let status = match error {
                    Error::Exhausted(_) => Status::Initialization,
                    _ => status_of(&error, Family::Service, &client.config),
                };
                let stillborn = (status as i32) < 0;
                let status = if stillborn { status } else { Status::Ok };
                if stillborn {
                    // Its spool has threads already.
                    client.close(0);
                }
                (
                    (!stillborn).then_some(client),
                    Answer::failure(status, &error),
                )
            }
        }
    }

    fn of(config: Arc<Config>, factors: Factors, gate: Gate) -> Self {
        Client {
            config,
            factors: Arc::new(factors),
            gate,
            parts: OnceBox::new(),
        }
    }

    /// As a forked child has it: its queue is empty, its connections are its own, and tokens and factors are kept.
    pub fn inherited(&self) -> Self {
        let factors = self.factors.inherited(&self.config);
        Client::of(self.config.clone(), factors, self.gate.inherited())
    }

    fn parts(&self) -> Result<&Parts, Error> {
        self.parts.get_or_try_init(|| {
            let limits = asynchronous::limits(&self.config);
            let events = if self.gate.closed() {
                Events::closed(limits)
            } else {
                Events::new(limits)
            };
            let logger = Logger::new(&self.config, events.clone());
            let account = Arc::new(Account::new(self.config.clone(), logger.clone())?);
            let queue = Queue::new(
                self.config.queue.clone(),
                &account.way(),
                account.fingerprint(),
                Reporter::new(&self.config, events.clone()),
            );
            if self.gate.closed() {
                queue.close(Deadline::after(Some(0)));
            }
            Ok(Box::new(Parts {
                logger,
                queue,
                account,
                older_paths: Arc::default(),
                events,
            }))
        })
    }

    fn start(&self) -> Result<(), Error> {
        let parts = self.parts()?;
        parts.account.check()?;
        if parts.queue.durable() {
            let enqueuer = self.enqueuer(parts, true);
            parts
                .queue
                .start(|queue| enqueuer.delivery().start(queue))
                .map(drop)?;
        }
        if !self.config.authenticate_on_init {
            return Ok(());
        }
        parts.account.sign_in()?;
        match self
            .factors
            .fetch(&self.caller(parts), Deadline::after(None))
        {
            Err(error) if self.config.raise_service_exceptions => Err(error),
            Err(error @ Error::Initialization(_)) => Err(error),
            Err(error) => {
                let text = format_args!("Sampling factors could not be fetched: {error}");
                parts.logger.log(Level::Warning, text);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub fn is_active(&self) -> bool {
        self.parts()
            .is_ok_and(|parts| !self.gate.closed() && parts.account.active())
    }

    pub fn export(&self, messages: &str, options: Option<&str>) -> Answer {
        self.within(|parts| match Exporter::options(options) {
            Ok(options) => self.exporter(parts).export(messages, &options),
            Err(error) => Answer::failure(Status::InvalidArgument, &error),
        })
    }

    pub fn service_call(&self, name: &str, arguments: &str, options: Option<&str>) -> Answer {
        #[cfg(feature = "panic-trigger")]
        if name == PANIC {
            std::panic::panic_any("triggered");
        }
        self.within(|parts| self.caller(parts).call(name, arguments, options))
    }

    /// Starts an export; its options are read now, its messages when its turn comes.
    pub fn export_async(
        self: &Arc<Self>,
        messages: &str,
        options: Option<&str>,
        tag: u64,
    ) -> Answer {
        let options = match Exporter::options(options) {
            Ok(options) => options,
            Err(error) => return Answer::failure(Status::InvalidArgument, &error),
        };
        let (client, messages) = (self.clone(), messages.to_owned());
        self.start_call(Kind::Export, tag, messages.len(), move || {
            client.within(|parts| client.exporter(parts).export(&messages, &options))
        })
    }

    /// Starts a service call; its name and options are read now, its arguments when its turn comes.
    pub fn service_call_async(
        self: &Arc<Self>,
        name: &str,
        arguments: &str,
        options: Option<&str>,
        tag: u64,
    ) -> Answer {
        #[cfg(feature = "panic-trigger")]
        if name == PANIC {
            return self.start_call(Kind::Service, tag, 0, || std::panic::panic_any("triggered"));
        }
        let order = match Order::read(name, options) {
            Ok(order) => order,
            Err(error) => return Answer::failure(Status::InvalidArgument, &error),
        };
        let (client, arguments) = (self.clone(), arguments.to_owned());
        self.start_call(Kind::Service, tag, arguments.len(), move || {
            client.within(|parts| client.caller(parts).carry_out(&order, &arguments))
        })
    }

    fn start_call(
        &self,
        kind: Kind,
        tag: u64,
        bytes: usize,
        run: impl FnOnce() -> Answer + Send + 'static,
    ) -> Answer {
        match self.parts() {
            Ok(parts) => asynchronous::started(
                parts
                    .events
                    .start(asynchronous::call(kind, tag, bytes, run)),
            ),
            Err(error) => Answer::failure(Status::Initialization, &error),
        }
    }

    /// The tag and the document of the next event, or why there is none; a negative time-out waits as long as
    /// it takes.
    pub fn poll(&self, timeout_ms: i64) -> (u64, Answer) {
        match self.parts() {
            Ok(parts) => asynchronous::polled(parts.events.poll(Deadline::of_caller(timeout_ms))),
            Err(error) => (0, Answer::failure(Status::Initialization, &error)),
        }
    }

    /// Ends one poll that waits, or the next one that would.
    pub fn wake(&self) {
        if let Ok(parts) = self.parts() {
            parts.events.wake();
        }
    }

    /// A descriptor that is readable while [`Client::poll`] has something to give.
    pub fn event_descriptor(&self) -> Option<i32> {
        self.parts().ok()?.events.descriptor()
    }

    /// Enqueues messages; makes no document of a success unless it is `wanted`.
    pub fn enqueue(&self, messages: &str, options: Option<&str>, wanted: bool) -> Answer {
        self.within(|parts| self.enqueuer(parts, wanted).enqueue(messages, options))
    }

    /// Waits for what was enqueued before; a negative time-out waits as long as it takes.
    pub fn flush(&self, timeout_ms: i64) -> Answer {
        let deadline = Deadline::of_caller(timeout_ms);
        let parts = self.parts.get();
        let (pending, finished) = match parts {
            Some(parts) => parts.queue.flush(deadline),
            None => (0, false),
        };
        let (status, error) = match pending {
            0 => (Status::Ok, None),
            _ if finished => (Status::Closed, Some(Error::Closed)),
            _ => (Status::Timeout, Some(Error::StillPending)),
        };
        let text = error.as_ref().map(Error::to_string);
        let document = Flushing {
            success: error.is_none(),
            pending,
            failure: Failure::of(error.as_ref(), text.as_deref()),
        };
        Answer::new(status, &document)
    }

    pub fn statistics(&self) -> Answer {
        let mut members = match self.parts() {
            Ok(parts) => parts.queue.statistics(),
            Err(error) => return Answer::failure(Status::Initialization, &error),
        };
        members.insert("success".to_owned(), true.into());
        members.insert("error_message".to_owned(), Value::Null);
        Answer::new(Status::Ok, &members)
    }

    /// Refuses new calls, delivers what is enqueued and waits for calls under way; a negative time-out
    /// waits as long as they take.
    pub fn close(&self, timeout_ms: i64) -> Answer {
        let deadline = Deadline::of_caller(timeout_ms);
        let (quiet, undelivered) = match self.parts() {
            Ok(parts) => parts.close(&self.gate, deadline, !deadline.passed(), || deadline),
            Err(error) => return Answer::failure(Status::Initialization, &error),
        };
        let error = if quiet { None } else { Some(Error::StillBusy) };
        let text = error.as_ref().map(Error::to_string);
        let document = Closing {
            success: quiet,
            undelivered: undelivered.lost,
            on_disk: undelivered.on_disk,
            failure: Failure::of(error.as_ref(), text.as_deref()),
        };
        Answer::new(if quiet { Status::Ok } else { Status::Timeout }, &document)
    }

    /// As [`Client::close`], for a client that is about to be dropped: calls under way are waited for, the
    /// queue as long as the configuration says.
    pub fn close_for_good(&self) {
        let Some(parts) = self.parts.get() else {
            return;
        };
        let patience = u64::from(self.config.queue.free_timeout_ms);
        parts.close(&self.gate, Deadline::after(None), patience > 0, || {
            Deadline::after(Some(patience))
        });
        parts.events.deserted();
    }

    fn exporter<'p>(&'p self, parts: &'p Parts) -> Exporter<'p> {
        Exporter {
            config: &self.config,
            account: &parts.account,
            logger: &parts.logger,
            factors: &self.factors,
            caller: self.caller(parts),
        }
    }

    fn enqueuer<'p>(&'p self, parts: &'p Parts, wanted: bool) -> Enqueuer<'p> {
        Enqueuer {
            config: &self.config,
            account: &parts.account,
            logger: &parts.logger,
            factors: &self.factors,
            older_paths: &parts.older_paths,
            queue: &parts.queue,
            wanted,
        }
    }

    fn caller<'p>(&'p self, parts: &'p Parts) -> Caller<'p> {
        Caller {
            config: &self.config,
            account: &parts.account,
            logger: &parts.logger,
            older_paths: &parts.older_paths,
        }
    }

    fn within(&self, call: impl FnOnce(&Parts) -> Answer) -> Answer {
        let parts = match self.parts() {
            Ok(parts) => parts,
            Err(error) => return Answer::failure(Status::Initialization, &error),
        };
        match self.gate.enter() {
            Some(_pass) => call(parts),
            None => Answer::failure(Status::Closed, &Error::Closed),
        }
    }
}

/// The service whose call panics, to test that no panic crosses the boundary.
#[cfg(feature = "panic-trigger")]
const PANIC: &str = "mona_test_panic";
