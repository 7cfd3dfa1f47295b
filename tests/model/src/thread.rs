//! As the library's module of this name, on loom's threads.

pub use loom::thread::JoinHandle;

pub const AMPLE_STACK: usize = 0;

pub fn start(
    _name: &str,
    _stack_bytes: usize,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    Ok(loom::thread::spawn(run))
}
