//! A descriptor that a host's event loop can watch: readable while the signal is set.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod unix {
    use crate::fork::NotInherited;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// A pair of sockets, because Node takes no eventfd and pipes made one by one could leak into a child.
    pub struct Signal {
        host: NotInherited<UnixStream>,
        ours: NotInherited<UnixStream>,
        set: bool,
    }

    impl Signal {
        /// None where no descriptor is left.
        pub fn new() -> Option<Signal> {
            let (host, ours) = NotInherited::open_pair(UnixStream::pair).ok()?;
            host.set_nonblocking(true).ok()?;
            ours.set_nonblocking(true).ok()?;
            Some(Signal {
                host,
                ours,
                set: false,
            })
        }

        /// The end for the host, which stays ours.
        pub fn descriptor(&self) -> i32 {
            self.host.as_raw_fd()
        }

        /// One byte is under way while it is set. A host that reads the byte itself gets the next one, too.
        pub fn set(&mut self, set: bool) {
            if set && !self.set {
                self.set = (&*self.ours).write(&[1]).is_ok();
            } else if !set && self.set {
                // Nothing is there to be read if the host was first.
                let _ = (&*self.host).read(&mut [0]);
                self.set = false;
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Whether it is set, as a host finds out that reads.
        fn seen(signal: &mut Signal) -> bool {
            matches!((&*signal.host).read(&mut [0; 2]), Ok(1))
        }

        #[test]
        fn it_is_readable_exactly_while_it_is_set() {
            let mut signal = Signal::new().unwrap();
            assert!(!seen(&mut signal));
            signal.set(true);
            signal.set(true);
            assert!(seen(&mut signal));
            assert!(!seen(&mut signal));
            signal.set(false);
            signal.set(true);
            signal.set(false);
            assert!(!seen(&mut signal));
        }

        #[test]
        fn a_host_that_reads_is_told_again() {
            let mut signal = Signal::new().unwrap();
            for _ in 0..3 {
                signal.set(true);
                assert!(seen(&mut signal));
                signal.set(false);
            }
        }
    }
}

#[cfg(unix)]
pub use unix::Signal;

#[cfg(not(unix))]
pub struct Signal(std::convert::Infallible);

#[cfg(not(unix))]
impl Signal {
    pub fn new() -> Option<Signal> {
        None
    }

    pub fn descriptor(&self) -> i32 {
        match self.0 {}
    }

    pub fn set(&mut self, _set: bool) {
        match self.0 {}
    }
}
