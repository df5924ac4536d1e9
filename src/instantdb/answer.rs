//! What a query answered, kept as the text it is.

use crate::json;

/// The rows of a query, by entity, as the JSON texts they are.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "it holds payload")]
pub struct Answer {
    text: String,
}

impl Answer {
    /// Takes an answer that is an object of arrays of objects.
    pub(super) fn parse(text: String) -> Option<Self> {
        let sound = json::members(&text).ok()?.iter().all(|(_, rows)| {
            json::elements(rows).is_ok_and(|rows| rows.iter().all(|row| row.starts_with('{')))
        });
        sound.then_some(Self { text })
    }

    /// The rows of an entity; `None` when the answer does not speak of it.
    pub fn rows(&self, entity: &str) -> Option<Vec<&str>> {
        let members = json::members(&self.text).ok()?;
        let (_, rows) = members.into_iter().find(|(name, _)| name == entity)?;
        json::elements(rows).ok()
    }

    /// Passes every row of every entity on, in the order of the answer.
    pub fn each(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (entity, rows) in json::members(&self.text).unwrap_or_default() {
            for row in json::elements(rows).unwrap_or_default() {
                visit(&entity, row);
            }
        }
    }
}
