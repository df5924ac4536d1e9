//! Sections 1 and 7: what is released, and what it is built with.

use super::words::{NO_SNAPSHOT, code, or_blank, plain, table, text};
use super::{Block, Measured};
use crate::contract::{Contract, Implementation, Release};

/// Section 1.
pub(super) fn blocks(contract: &Contract, measured: &Measured) -> Vec<Block> {
    let Release { from, to, scope } = &contract.release;
    let row = |name: &str, value: String| [name.to_owned(), value];
    let mut rows = vec![
        row("From", or_blank("release.from", from)),
        row("To", or_blank("release.to", to)),
        row("Scope", or_blank("release.scope", scope)),
        row("Contract", format!("{}, SHA-256 {}", code(&contract.name), code(&contract.digest()))),
    ];
    let Some(facts) = &measured.snapshot else {
        rows.push(row("Source", NO_SNAPSHOT.to_owned()));
        return vec![table(["What", "Value"], rows)];
    };
    let source = &facts.source;
    let kind = plain(&source.kind);
    rows.push(row(
        "Source",
        format!("{kind} {}, SHA-256 {}", code(&source.name), code(&source.sha256)),
    ));
    for (name, value) in
        [("App", &source.app_id), ("Title", &source.title), ("Taken at", &source.taken_at)]
    {
        rows.extend(value.as_ref().map(|value| row(name, plain(value))));
    }
    rows.push(row("Snapshot", format!("SHA-256 of its manifest {}", code(&facts.digest))));
    vec![table(["What", "Value"], rows)]
}

/// Section 7.
pub(super) fn decision(contract: &Contract) -> Vec<Block> {
    let Implementation { language, reason } = &contract.implementation;
    let rows = [
        ["Language".to_owned(), or_blank("implementation.language", language)],
        ["Reason".to_owned(), or_blank("implementation.reason", reason)],
        ["Carried out by".to_owned(), code(crate::PROGRAM)],
    ];
    let said = "The contract is one file of data that the program carries out; another migration is \
                another file and no new code.";
    vec![table(["What", "Decision"], rows), text(said)]
}
