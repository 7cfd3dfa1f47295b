use std::{error::Error, fmt, io};

/// Why a sandbox could not start.
#[derive(Debug)]
pub enum StartError {
    /// The port could not be bound.
    Bind(io::Error),
    /// The serving thread or its runtime could not be made.
    Thread(io::Error),
    /// The throw-away certificate could not be made.
    Certificate(String),
    /// The built-in canned answers could not be read: a mistake of this crate.
    Canned(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => write!(formatter, "cannot listen: {error}"),
            Self::Thread(error) => write!(formatter, "cannot start the server: {error}"),
            Self::Certificate(reason) => write!(formatter, "cannot make a certificate: {reason}"),
            Self::Canned(reason) => write!(formatter, "cannot read the canned answers: {reason}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bind(error) | Self::Thread(error) => Some(error),
            Self::Certificate(_) | Self::Canned(_) => None,
        }
    }
}

/// What is wrong with a rule; the text names the rule and the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError(String);

impl RuleError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for RuleError {}
