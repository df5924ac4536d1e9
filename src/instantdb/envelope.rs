//! The server's error envelope: `{"type","message","hint"}` (`INSTANTDB` §1.6).

use std::time::Duration;

use crate::json;

/// What is kept of the server's error envelope: nothing that echoes the request.
#[derive(Default)]
pub(super) struct Envelope {
    pub(super) kind: Option<String>,
    pub(super) message: Option<String>,
    pub(super) after: Option<Duration>,
    pub(super) entity_id: Option<String>,
    pub(super) attribute: Option<String>,
    pub(super) missing: Vec<String>,
}

impl Envelope {
    /// Reads what it finds; a text of another form has nothing.
    pub(super) fn read(text: &str) -> Self {
        let mut envelope = Self::default();
        let string = |raw: &str| json::string(raw).map(std::borrow::Cow::into_owned);
        for (key, raw) in json::members(text).unwrap_or_default() {
            match key.as_ref() {
                "type" => envelope.kind = string(raw),
                "message" => envelope.message = string(raw),
                "hint" => envelope.hint(raw),
                _ => {}
            }
        }
        envelope
    }

    fn hint(&mut self, hint: &str) {
        let string = |raw: &str| json::string(raw).map(std::borrow::Cow::into_owned);
        let (mut namespace, mut label) = (None, None);
        for (key, raw) in json::members(hint).unwrap_or_default() {
            match key.as_ref() {
                "retry-after" => self.after = seconds(raw.trim_matches('"')),
                "entity-id" => self.entity_id = string(raw),
                "namespace" | "etype" => namespace = string(raw),
                "attribute" | "label" => label = string(raw),
                "records" => self.entity_id = first_member(raw, "entity_id").and_then(string),
                "errors" => self.missing = missing(raw),
                _ => {}
            }
        }
        if let (Some(namespace), Some(label)) = (namespace, label) {
            self.attribute = Some(format!("{namespace}.{label}"));
        }
    }
}

/// The attributes that the first error of a list says are missing.
fn missing(errors: &str) -> Vec<String> {
    let attributes = first_member(errors, "hint").and_then(|hint| member(hint, "attributes"));
    let names = attributes.and_then(|raw| json::elements(raw).ok()).unwrap_or_default();
    let named = names.iter().filter_map(|raw| json::string(raw)).take(20);
    named.map(std::borrow::Cow::into_owned).collect()
}

fn first_member<'t>(list: &'t str, key: &str) -> Option<&'t str> {
    member(json::elements(list).ok()?.first()?, key)
}

fn member<'t>(object: &'t str, key: &str) -> Option<&'t str> {
    json::members(object).ok()?.into_iter().find(|(name, _)| name == key).map(|(_, raw)| raw)
}

/// A number of seconds; dates are not read, since nothing here has a clock.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
