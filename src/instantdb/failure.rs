//! What a failing call means, and what to do about it.

use std::time::Duration;

use super::envelope::{Envelope, seconds};
use super::gate::LONGEST;
use crate::error::{Error, printable};
use crate::secret::Secret;

/// The most characters of a server's message that are kept.
const LONGEST_MESSAGE: usize = 300;

/// What to do after a failure.
#[derive(Debug)]
pub enum Class {
    /// It did not happen and may be tried again, after so long where the server says it.
    Retry(Option<Duration>),
    /// It did not happen since it was too much at once: send half of it.
    Halve,
    /// It did not happen since rows of it do not fit: find them and set them aside.
    BadRows,
    /// The run cannot go on.
    Fatal(Error),
    /// A transaction may have happened or not: read back, or send the same again.
    Ambiguous,
}

/// A call that failed. It holds nothing of the request and never the token.
#[derive(Debug)]
pub struct Failure {
    /// What to do.
    pub class: Class,
    /// What happened.
    pub told: Box<Told>,
}

/// What a failing call told.
#[derive(Debug, Default)]
pub struct Told {
    /// The HTTP status, when there was an answer.
    pub http: Option<u16>,
    /// The `type` of the server's error.
    pub kind: Option<String>,
    /// The server's message, cut and without the token; or what happened to the connection.
    pub message: String,
    /// The entity that the server blames.
    pub entity_id: Option<String>,
    /// The attribute that the server blames, as `entity.label`.
    pub attribute: Option<String>,
    /// Method, host and route.
    pub route: String,
    /// How often it was tried.
    pub tries: u32,
}

/// Status and headers of an answer.
pub(super) struct Said {
    pub(super) http: u16,
    pub(super) after: Option<String>,
}

impl Failure {
    fn new(class: Class, route: &str, message: impl Into<String>) -> Self {
        let told = Told { message: message.into(), route: route.to_owned(), ..Told::default() };
        Self { class, told: Box::new(told) }
    }

    /// A failure that no single call had.
    pub(crate) fn ended(class: Class) -> Self {
        Self::new(class, "", "")
    }

    /// The same after so many tries.
    pub(super) fn after(mut self, tries: u32) -> Self {
        self.told.tries = tries;
        self
    }

    /// The same where a backup was named, which the server may have removed.
    pub(super) fn of_backup(mut self) -> Self {
        if self.told.kind.as_deref() == Some("record-not-found") {
            let error = Error::system("the server does not have that backup any more")
                .at(self.told.route.clone())
                .help("run the same command again, and check that the token is that of the app");
            self.class = Class::Fatal(error);
        }
        self
    }

    /// The connection failed.
    #[allow(clippy::needless_pass_by_value, reason = "it maps an error")]
    pub(super) fn network(route: &str, error: reqwest::Error) -> Self {
        let sent = !error.is_connect() && !error.is_builder();
        let message = match () {
            () if error.is_connect() && error.is_timeout() => "the connection took too long",
            () if error.is_connect() => "there is no connection",
            () if error.is_timeout() => "there was no answer in time",
            () => "the connection broke off",
        };
        let class = if sent { Class::Ambiguous } else { Class::Retry(None) };
        Self::new(class, route, message)
    }

    /// The answer is larger than what is taken.
    pub(super) fn too_large(route: &str) -> Self {
        Self::new(Class::Halve, route, "the answer is larger than what is taken at once")
    }

    /// The answer is a success without what it should hold.
    pub(super) fn shapeless(route: &str) -> Self {
        let message = "the answer is cut off or has an unknown form";
        let mut failure = Self::new(Class::Ambiguous, route, message);
        failure.told.http = Some(200);
        failure
    }

    /// The server answered something else than success.
    pub(super) fn answered(route: &str, said: &Said, body: &[u8], token: &Secret) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let envelope = Envelope::read(text);
        let message = shown(&envelope.message.clone().unwrap_or_default(), token);
        let told = Told {
            http: Some(said.http),
            kind: envelope.kind.as_deref().map(|kind| shown(kind, token)),
            entity_id: envelope.entity_id.as_deref().map(|id| shown(id, token)),
            attribute: envelope.attribute.as_deref().map(|name| shown(name, token)),
            message,
            route: route.to_owned(),
            tries: 1,
        };
        let after = envelope.after.or_else(|| said.after.as_deref().and_then(seconds));
        let missing: Vec<String> = envelope.missing.iter().map(|name| shown(name, token)).collect();
        let mut class = told.classed(text, after, &missing);
        if let Class::Fatal(error) = &mut class {
            error.at.push(route.to_owned());
        }
        Self { class, told: Box::new(told) }
    }

    /// Whether the server refused for good what was asked, for a reason that is not the token.
    pub fn is_refusal(&self) -> bool {
        let known = ["app-read-only", "app-disabled", "record-not-found"];
        let kind = self.told.kind.as_deref().unwrap_or_default();
        matches!(self.told.http, Some(400 | 404 | 405)) && !known.contains(&kind)
    }

    /// The failure as the end of a run.
    pub fn into_error(self) -> Error {
        let told = self.told.saying();
        let error = match self.class {
            Class::Fatal(error) => return error,
            Class::Retry(_) if self.told.http.is_some() => {
                let tries = self.told.tries;
                Error::system(format!("the server still limits the rate after {tries} tries{told}"))
            }
            Class::Retry(_) | Class::Ambiguous => {
                let times = match self.told.tries {
                    0 | 1 => String::new(),
                    tries => format!(" {tries} times"),
                };
                Error::system(format!("the server failed{times}{told}"))
            }
            Class::Halve => {
                Error::system(format!("the server does not manage what was asked{told}"))
            }
            Class::BadRows => {
                let said = format!("the server refuses what was sent{told}");
                return Error::system(said).at(self.told.route);
            }
        };
        error.at(self.told.route).help("run the same command again later")
    }
}

impl Told {
    /// The retry matrix (`INSTANTDB` §2.8).
    fn classed(&self, body: &str, after: Option<Duration>, missing: &[String]) -> Class {
        match (self.http.unwrap_or_default(), self.kind.as_deref().unwrap_or_default()) {
            (429, "timeout") | (413, _) | (400, "parameter-limit-exceeded") => Class::Halve,
            (429, _) if after.is_some_and(|after| after > LONGEST) => Class::Fatal(limited()),
            (429, _) => Class::Retry(after),
            (408 | 500..=599, _) => Class::Ambiguous,
            (400, "validation-failed") if !missing.is_empty() => {
                Class::Fatal(lacks_attributes(missing))
            }
            (
                400,
                "validation-failed"
                | "record-not-unique"
                | "record-check-violation"
                | "record-foreign-key-invalid"
                | "sql-raise",
            ) => Class::BadRows,
            (400, "") if body.starts_with("Malformed JSON") => Class::BadRows,
            _ => Class::Fatal(self.final_error()),
        }
    }

    fn final_error(&self) -> Error {
        let (http, kind) = (self.http.unwrap_or_default(), self.kind.as_deref());
        match (http, kind) {
            (_, Some("app-read-only")) => {
                Error::refused("the app is read-only: the server takes no writes for it")
                    .help("open the app for writes in its dashboard; an export works as it is")
            }
            (_, Some("app-disabled")) => {
                Error::refused("the app is disabled: the server does not answer for it")
                    .help("take the app's backup from its dashboard and name that file")
            }
            (400 | 401, Some("record-not-found")) | (401 | 403, _) => {
                Error::usage("the server does not know this token for this app")
                    .help("compare app id, token and API address with the app's dashboard")
            }
            (300..=399, _) => Error::usage("the server sends the call elsewhere")
                .help("name the final address as `--api-uri`: no token is sent on by a redirect"),
            (404 | 405, _) => Error::usage("the server does not know this call")
                .help("check `--api-uri`; a self-hosted server may be too old for it"),
            _ => Error::system(format!("the server refuses the call{}", self.saying())),
        }
    }

    /// What the server told, as the end of a sentence.
    fn saying(&self) -> String {
        let mut told = self.http.map_or_else(String::new, |http| format!(" ({http}"));
        if !told.is_empty() {
            told.extend(self.kind.iter().flat_map(|kind| [" ", kind.as_str()]));
            told.push(')');
        }
        if !self.message.is_empty() {
            told.push_str(": ");
            told.push_str(&self.message);
        }
        told
    }
}

fn limited() -> Error {
    Error::system("the server limits the rate, and asks to wait for longer than 10 minutes")
        .help("run the same command again later")
}

fn lacks_attributes(missing: &[String]) -> Error {
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let mut error = Error::refused("the app's schema lacks attributes")
        .help("push the target schema to the app, then run the same command again");
    error.at = names;
    error
}

/// A server's text without the token, escaped, on one line and not too long.
fn shown(text: &str, token: &Secret) -> String {
    let hidden = token.hide_in(text);
    let mut chars = hidden.chars();
    let mut cut: String = chars.by_ref().take(LONGEST_MESSAGE).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    printable(&cut.replace('\n', " "))
}
