//! What a command ended with, for people and for machines: results on stdout, errors on stderr.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use rethread::error::{Error, Kind, printable, steers};
use serde_json::{Map, Value, json};

/// What a command has to say on stdout, and whether it is content.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    text: String,
    json: Map<String, Value>,
    failure: Option<Error>,
}

impl Ended {
    /// A good end that people read as this text.
    pub(crate) fn told(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A good end whose result is a folder or file.
    pub(crate) fn made(what: &str, path: &Path) -> Self {
        Self::told(format!("{}\n", path.display())).with(what, path.display().to_string())
    }

    /// Adds lines for people.
    #[must_use]
    pub(crate) fn and(mut self, text: impl AsRef<str>) -> Self {
        self.text.push_str(text.as_ref());
        self
    }

    /// Adds a member for machines.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.json.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a line that says where something is.
    #[must_use]
    pub(crate) fn with_place(mut self, what: &str, path: &Path) -> Self {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.text, "  {what:<12} {}", path.display());
        self.with(what, path.display().to_string())
    }

    /// Says why the exit code is not 0 although the command went to its end.
    #[must_use]
    pub(crate) fn failing(mut self, failure: Option<Error>) -> Self {
        self.failure = failure;
        self
    }

    fn as_json(&self) -> Value {
        let mut json = self.json.clone();
        json.insert("ok".to_owned(), self.failure.is_none().into());
        Value::Object(json)
    }
}

/// Tells the end and gives the exit code.
pub(crate) fn end(ended: Result<Ended, Error>, json: bool) -> ExitCode {
    let (said, failure) = match ended {
        Ok(ended) if json => (inert(&format!("{}\n", ended.as_json())), ended.failure),
        Ok(ended) => (ended.text, ended.failure),
        Err(error) => (String::new(), Some(error)),
    };
    let told = tell(&mut io::stdout().lock(), &said);
    let Some(error) = failure.or_else(|| told.err().and_then(unheard)) else {
        return ExitCode::SUCCESS;
    };
    let said = if json { format!("{}\n", as_json(&error)) } else { as_text(&error) };
    // Nobody is left to be told when stderr is gone too; the exit code still says it.
    drop(tell(&mut io::stderr().lock(), &said));
    ExitCode::from(error.kind.exit_code())
}

/// JSON text in which what could steer a terminal is escaped: it says the same.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && steers(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn tell(stream: &mut dyn io::Write, said: &str) -> io::Result<()> {
    stream.write_all(said.as_bytes())?;
    stream.flush()
}

/// A reader that went away (`| head`) is no failure; a full disk behind stdout is.
fn unheard(error: io::Error) -> Option<Error> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => None,
        _ => Some(Error::system("the result cannot be written to stdout").because(error)),
    }
}

/// An error as a person reads it.
pub(crate) fn as_text(error: &Error) -> String {
    let mut out = format!("error: {error}\n");
    for place in &error.at {
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(out, "  --> {}", printable(place));
    }
    for cause in causes(error) {
        let _ = writeln!(out, "because: {cause}");
    }
    if let Some(help) = &error.help {
        let _ = writeln!(out, "help: {}", printable(help));
    }
    out
}

/// An error as a machine reads it.
fn as_json(error: &Error) -> Value {
    json!({ "error": {
        "kind": match error.kind {
            Kind::Findings => "findings",
            Kind::Usage => "usage",
            Kind::System => "system",
            Kind::Damaged => "damaged",
            Kind::Refused => "refused",
            Kind::Busy => "busy",
            Kind::Bug => "bug",
        },
        "exit_code": error.kind.exit_code(),
        "message": printable(&error.message),
        "at": error.at.iter().map(|place| printable(place)).collect::<Vec<_>>(),
        "because": causes(error),
        "help": error.help.as_deref().map(printable),
    }})
}

fn causes(error: &Error) -> Vec<String> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source())
        .map(|cause| printable(&cause.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Error {
        Error::damaged("3 of 48,211 links are\u{1b}[31m wrong")
            .at("out/x, rows 0-2")
            .at("out/y")
            .help("repair them\nand export again")
            .because(io::Error::other("it was\u{202e} so"))
    }

    #[test]
    fn an_error_says_what_where_why_and_what_to_do() {
        insta::assert_snapshot!(as_text(&failing()), @r"
        error: 3 of 48,211 links are\u{1b}[31m wrong
          --> out/x, rows 0-2
          --> out/y
        because: it was\u{202e} so
        help: repair them
        and export again
        ");
    }

    #[test]
    fn an_error_is_json_for_machines() {
        insta::assert_snapshot!(as_json(&failing()), @r#"{"error":{"at":["out/x, rows 0-2","out/y"],"because":["it was\\u{202e} so"],"exit_code":4,"help":"repair them\nand export again","kind":"damaged","message":"3 of 48,211 links are\\u{1b}[31m wrong"}}"#);
    }

    #[test]
    fn json_steers_no_terminal_and_says_the_same() {
        let value = json!({ "a\u{9b}": "\u{1b}[31m\u{202e}\n\u{61c}é" });
        let text = inert(&value.to_string());
        assert!(!text.chars().any(steers), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
    }

    #[test]
    fn only_a_reader_that_went_away_is_no_failure() {
        assert!(unheard(io::Error::from(io::ErrorKind::BrokenPipe)).is_none());
        assert!(unheard(io::Error::from(io::ErrorKind::StorageFull)).is_some());
    }
}
