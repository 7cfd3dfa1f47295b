//! A child process with a time limit, and its folder.

use crate::child;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A folder of its own for one scenario, gone when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let name = format!("conformance-{}-{name}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in the build directory, where it harms nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A script that plays scenarios through a wrapper in another language, in the place of this program.
pub fn script() -> Option<OsString> {
    std::env::var_os("MONA_CONFORMANCE_SCRIPT")
}

fn player() -> Command {
    if let Some(script) = script() {
        return Command::new(script);
    }
    let mut player = Command::new(std::env::current_exe().unwrap());
    player
        .args(["--ignored", "--exact", "child_entry", "--nocapture"])
        .arg("--test-threads=1");
    player
}

/// Runs the folder's scenario in a fresh process with this environment and nothing else of ours.
pub fn run(folder: &Folder, environment: Vec<(String, String)>) -> Result<(), String> {
    let inherited = |name: &str| std::env::var_os(name).map(|value| (name.to_owned(), value));
    let mut child = player()
        .current_dir(&folder.0)
        .env_clear()
        .envs(["PATH", "MONA_LIBRARY"].into_iter().filter_map(inherited))
        .env("HOME", &folder.0)
        .env("TZ", "UTC")
        .env(child::FOLDER, &folder.0)
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (ended, end) = mpsc::channel();
    // The pipe is at its end when the process is.
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let _ = stderr.read_to_end(&mut said);
        let _ = ended.send(String::from_utf8_lossy(&said).into_owned());
    });
    let Ok(said) = end.recv_timeout(LIMIT) else {
        child.kill().unwrap();
        child.wait().unwrap();
        return Err(format!("it did not end in {} s", LIMIT.as_secs()));
    };
    let status = child.wait().unwrap();
    if status.success() {
        Ok(())
    } else {
        Err(format!("it died ({status}): {}", said.trim()))
    }
}
