//! What tables say of their rows, for the pages that are generated from them.
#![forbid(unsafe_code)]

use std::fmt;

/// Left out of release builds, which generate no pages.
#[derive(Clone, Copy)]
pub struct Doc {
    #[cfg(debug_assertions)]
    text: &'static str,
}

impl Doc {
    #[cfg(debug_assertions)]
    pub const fn new(text: &'static str) -> Doc {
        Doc { text }
    }

    #[cfg(not(debug_assertions))]
    pub const fn new(_text: &'static str) -> Doc {
        Doc {}
    }
}

impl fmt::Display for Doc {
    #[cfg(debug_assertions)]
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.text)
    }

    #[cfg(not(debug_assertions))]
    fn fmt(&self, _formatter: &mut fmt::Formatter) -> fmt::Result {
        Ok(())
    }
}
