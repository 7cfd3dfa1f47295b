//! The log, off by default, with the levels of Python's `logging`: lines on standard error, or records for the
//! host's callback, and events for a client's polls.
#![forbid(unsafe_code)]

pub mod callback;

use crate::answer::Answer;
use crate::asynchronous::{self, Kind};
use crate::config::{Config, LogEvents};
use crate::events::Events;
use crate::status::Status;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt::Display;
use std::sync::Arc;

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

/// No record tells more, whatever a server answered.
const MOST_BYTES: usize = 1 << 20;

/// A client's log.
#[derive(Clone)]
pub struct Logger {
    name: String,
    /// Lowest level that is written to standard error, as Python's number.
    threshold: Option<u32>,
    /// Lowest level that becomes an event.
    told: Option<Level>,
    events: Arc<Events>,
}

/// An event's document but for its first members.
#[derive(Serialize)]
struct Record<'a> {
    success: bool,
    level: u32,
    logger: &'a str,
    message: &'a str,
    error_message: Option<&'a str>,
}

/// Records that are held back while something is locked or under way that the host's callback might need.
pub struct Later<'a> {
    logger: &'a Logger,
    records: RefCell<Vec<(Level, String)>>,
}

impl Logger {
    pub fn new(config: &Config, events: Arc<Events>) -> Self {
        Logger {
            name: one_line(&config.logger_name),
            threshold: config.logging_level.as_deref().and_then(threshold),
            told: match config.log_events {
                LogEvents::None => None,
                LogEvents::Debug => Some(Level::Debug),
                LogEvents::Info => Some(Level::Info),
                LogEvents::Warning => Some(Level::Warning),
                LogEvents::Error => Some(Level::Error),
            },
            events,
        }
    }

    /// Whether a record of this level goes anywhere.
    pub fn enabled(&self, level: Level) -> bool {
        self.is_told(level) || callback::wants(level).unwrap_or_else(|| self.is_written(level))
    }

    fn is_told(&self, level: Level) -> bool {
        self.told.is_some_and(|lowest| level >= lowest)
    }

    fn is_written(&self, level: Level) -> bool {
        self.threshold.is_some_and(|lowest| level as u32 >= lowest)
    }

    /// Makes one record. Its text is one line, whatever is in it.
    pub fn log(&self, level: Level, message: impl Display) {
        if !self.enabled(level) {
            return;
        }
        let text = one_line(&message.to_string());
        if self.is_told(level) {
            let record = Record {
                success: true,
                level: level as u32,
                logger: &self.name,
                message: &text,
                error_message: None,
            };
            let answer = Answer::new(Status::Ok, &record);
            self.events
                .notify(asynchronous::event(Kind::Log, 0, &answer));
        }
        match callback::wants(level) {
            Some(true) => callback::record(level, &self.name, &text),
            Some(false) => {}
            None if self.is_written(level) => {
                write(format!("{}:{}:{text}\n", level.name(), self.name).as_bytes());
            }
            None => {}
        }
    }

    /// A log whose records are made when it is dropped.
    pub fn later(&self) -> Later<'_> {
        Later {
            logger: self,
            records: RefCell::default(),
        }
    }
}

impl Later<'_> {
    pub fn log(&self, level: Level, message: impl Display) {
        if self.logger.enabled(level) {
            let record = (level, message.to_string());
            self.records.borrow_mut().push(record);
        }
    }
}

impl Drop for Later<'_> {
    fn drop(&mut self) {
        for (level, message) in self.records.take() {
            self.logger.log(level, message);
        }
    }
}

/// The text with those characters escaped that could forge another record, or change the order of this one.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MOST_BYTES));
    for character in text.chars() {
        if line.len() >= MOST_BYTES {
            line.push('…');
            break;
        }
        if character.is_control() || rearranges(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Separators of lines and paragraphs, and marks that change the direction in which text is shown.
fn rearranges(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        let lowest = threshold(level);
        [Level::Debug, Level::Info, Level::Warning, Level::Error]
            .map(|level| lowest.is_some_and(|lowest| level as u32 >= lowest))
            .to_vec()
    }

    #[test]
    fn no_text_forges_a_record_or_its_order() {
        assert_eq!(
            one_line("a\r\nERROR:b\x1b[2J\u{85}\u{2028}\u{202e}\u{2066}é"),
            "a\\r\\nERROR:b\\u{1b}[2J\\u{85}\\u{2028}\\u{202e}\\u{2066}é"
        );
    }

    #[test]
    fn no_record_is_longer_than_a_megabyte() {
        assert!(one_line(&"\0".repeat(3 << 20)).len() < MOST_BYTES + 10);
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
