//! The log: lines on standard error, off by default, with the levels of Python's `logging`.
#![forbid(unsafe_code)]

use crate::config::Config;
use std::fmt::Display;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug = 10,
    Info = 20,
    Warning = 30,
    Error = 40,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
        }
    }
}

/// A client's log.
#[derive(Clone, Debug)]
pub struct Logger {
    name: String,
    /// Lowest level that is written, as Python's number.
    threshold: Option<u32>,
}

impl Logger {
    pub fn new(config: &Config) -> Self {
        Logger {
            name: config.logger_name.clone(),
            threshold: config.logging_level.as_deref().and_then(threshold),
        }
    }

    pub fn enabled(&self, level: Level) -> bool {
        self.threshold.is_some_and(|lowest| level as u32 >= lowest)
    }

    /// Writes one line. Control characters are escaped, so that no text can forge a line.
    pub fn log(&self, level: Level, message: impl Display) {
        if !self.enabled(level) {
            return;
        }
        let mut line = format!("{}:{}:", level.name(), self.name);
        for character in message.to_string().chars() {
            if character.is_control() {
                line.extend(character.escape_default());
            } else {
                line.push(character);
            }
        }
        line.push('\n');
        write(line.as_bytes());
    }
}

/// Writes to standard error without its lock, which a forked child may inherit held. A host without standard
/// error loses the line, never more.
#[cfg(unix)]
fn write(line: &[u8]) {
    let _ = nix::unistd::write(std::io::stderr(), line);
}

#[cfg(not(unix))]
fn write(line: &[u8]) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(line);
}

/// Python's number for a level's name or number; a word that is neither means that logging is off.
fn threshold(level: &str) -> Option<u32> {
    match level.trim().to_ascii_uppercase().as_str() {
        "NOTSET" => Some(0),
        "DEBUG" => Some(10),
        "INFO" => Some(20),
        "WARNING" | "WARN" => Some(30),
        "ERROR" => Some(40),
        "CRITICAL" | "FATAL" => Some(50),
        digits => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled(level: &str) -> Vec<bool> {
        let logger = Logger {
            name: "n".into(),
            threshold: threshold(level),
        };
        [Level::Debug, Level::Info, Level::Warning, Level::Error]
            .map(|l| logger.enabled(l))
            .to_vec()
    }

    #[test]
    fn levels_are_those_of_python() {
        assert_eq!(enabled("WARNING"), [false, false, true, true]);
        assert_eq!(enabled("warn"), [false, false, true, true]);
        assert_eq!(enabled("20"), [false, true, true, true]);
        assert_eq!(enabled("CRITICAL"), [false; 4]);
        assert_eq!(enabled("0"), [true; 4]);
        assert_eq!(enabled("LOUD"), [false; 4]);
    }
}
