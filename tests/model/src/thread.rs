//! As the library's module of this name, on loom's threads.

pub use loom::thread::JoinHandle;

pub fn start(_name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Ok(loom::thread::spawn(run))
}
