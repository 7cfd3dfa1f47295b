//! `mona-sandbox`: a local Mona as a program.
#![forbid(unsafe_code)]

mod cli;

use std::{
    io::{self, Read, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
};

use mona_sandbox::Sandbox;
use serde_json::json;

fn main() -> ExitCode {
    let command = match cli::parse() {
        Ok(command) => command,
        Err(error) => {
            eprintln!("mona-sandbox: {error}\nTry 'mona-sandbox --help'.");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        cli::Command::Help => print(cli::HELP),
        cli::Command::Version => print(concat!("mona-sandbox ", env!("CARGO_PKG_VERSION"))),
        cli::Command::Serve(settings) => serve(settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mona-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(line: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write: {error}"))
}

fn serve(settings: cli::Settings) -> Result<(), String> {
    // The signals are caught before the line is out: whoever reads it may send one at once.
    let ended = endings(settings.until_stdin_closes)?;
    let sandbox = Sandbox::start(settings.options).map_err(|error| error.to_string())?;
    if let Some(rules) = &settings.rules {
        sandbox
            .add_rules(rules)
            .map_err(|error| format!("--rules: {error}"))?;
    }
    let ca_file = match (&settings.ca_out, sandbox.ca_pem()) {
        (Some(path), Some(pem)) => {
            std::fs::write(path, pem)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Some(path.display().to_string())
        }
        _ => None,
    };
    let ready = json!({"url": sandbox.url(), "host": sandbox.host(), "port": sandbox.port(), "ca_file": ca_file});
    print(&ready.to_string())?;
    // An error here means that nobody can end us any more, which is an end too.
    let _ = ended.recv();
    Ok(())
}

/// A channel that hears of everything that ends the program.
fn endings(until_stdin_closes: bool) -> Result<mpsc::Receiver<()>, String> {
    let (sender, receiver) = mpsc::channel();
    if until_stdin_closes {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut ignored = [0; 1024];
            while matches!(io::stdin().lock().read(&mut ignored), Ok(length) if length > 0) {}
            let _ = sender.send(());
        });
    }
    watch_signals(sender)?;
    Ok(receiver)
}

#[cfg(unix)]
fn watch_signals(sender: mpsc::Sender<()>) -> Result<(), String> {
    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        iterator::Signals,
    };
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| format!("cannot catch signals: {error}"))?;
    thread::spawn(move || {
        signals.forever().next();
        let _ = sender.send(());
    });
    Ok(())
}

/// Elsewhere the system ends the program; the sender stays alive so that nothing else seems to have.
#[cfg(not(unix))]
fn watch_signals(sender: mpsc::Sender<()>) -> Result<(), String> {
    thread::spawn(move || {
        let _sender = sender;
        loop {
            thread::park();
        }
    });
    Ok(())
}
