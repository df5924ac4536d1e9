//! What a store cannot hold: all of it is told at once, by table and reason.

use std::collections::BTreeMap;

use super::Noted;
use crate::error::{Error, Result, grouped};

/// What a store would not take, by table and reason.
#[derive(Debug, Default)]
pub(crate) struct Faults(BTreeMap<(String, String), Noted>);

impl Faults {
    /// Notes a row.
    pub(crate) fn add(&mut self, table: &str, said: impl Into<String>, id: &str) {
        let noted = self.0.entry((table.to_owned(), said.into())).or_default();
        noted.add(|| id.chars().take(60).collect());
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was found: table, reason, rows.
    #[cfg(test)]
    pub(crate) fn found(&self) -> impl Iterator<Item = (&str, &str, &Noted)> {
        self.0.iter().map(|((table, said), noted)| (table.as_str(), said.as_str(), noted))
    }

    /// Refuses what was found: `said` is told how many values, `help` says what to do.
    ///
    /// # Errors
    /// Something was found.
    pub(crate) fn refuse(&self, said: impl FnOnce(&str) -> String, help: &str) -> Result<()> {
        let count: u64 = self.0.values().map(|noted| noted.count).sum();
        if count == 0 {
            return Ok(());
        }
        let values = if count == 1 { "value" } else { "values" };
        let mut error = Error::refused(said(&format!("{} {values}", grouped(count)))).help(help);
        error.at = self.told().collect();
        Err(error)
    }

    /// What was found, a line each.
    pub(crate) fn told(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((table, said), noted)| {
            format!("`{table}`: {said}: {} ({})", grouped(noted.count), noted.ids())
        })
    }
}
