//! The one error type: what happened, where in the user's own files, and what to do.

use std::fmt;

/// What a failure means for the caller: only for branching (exit code, retry), never for wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The data does not satisfy the contract: verification failed, quarantine over its limit.
    Findings,
    /// The command line or the contract is wrong.
    Usage,
    /// A source, a target or the disk failed; running again is safe.
    System,
    /// A snapshot or a bundle is damaged.
    Damaged,
    /// A gate of the contract or of the target refused.
    Refused,
    /// Another run, or another program, is at work on the same thing: the same command may do later.
    Busy,
    /// A mistake in this program.
    Bug,
}

impl Kind {
    /// The documented exit code of a run that ends with this kind of failure.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Findings => 1,
            Kind::Usage => 2,
            Kind::System => 3,
            Kind::Damaged => 4,
            Kind::Refused => 5,
            Kind::Busy => 75,
            Kind::Bug => 70,
        }
    }
}

/// A failure, told in the user's terms.
///
/// `message` says what happened, `at` where in the user's own files, `help` what to do. Texts are
/// lower case without a full stop; names stand in backticks; payload values never appear.
#[derive(Debug)]
pub struct Error {
    /// What the failure means for the caller.
    pub kind: Kind,
    /// What happened.
    pub message: String,
    /// Where: a file, a line, a row of a table.
    pub at: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// The failure underneath, when there is one.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What every fallible function of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), at: Vec::new(), help: None, source: None }
    }

    /// A wrong command line or contract.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A failing source, target or disk.
    pub fn system(message: impl Into<String>) -> Self {
        Self::new(Kind::System, message)
    }

    /// A damaged snapshot or bundle.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, message)
    }

    /// A gate that refused.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Another run, or another program, at work on the same thing.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(Kind::Busy, message)
    }

    /// A mistake in this program, with what was being done.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// Adds a place in the user's files.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.at.push(place.to_string());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Keeps the failure underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.message))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// Escapes control and bidirectional characters, so that a name out of the data cannot steer a terminal.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !steers(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}

/// Whether a character steers a terminal or turns the direction of text.
pub fn steers(c: char) -> bool {
    c.is_control() || is_bidi_control(c)
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A count as a person reads it: `48211` is `48,211`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (48_211, "48,211")];
        for (count, expected) in cases {
            assert_eq!(grouped(count), expected);
        }
    }

    #[test]
    fn control_characters_cannot_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
    }
}
