//! What the bundle was made of, by what and by which contract.

use super::{Job, Points};
use crate::bundle::{self, Bundle};
use crate::contract::{self, Contract, Overrides};
use crate::error::Result;
use crate::snapshot::{self, Snapshot};
use crate::{source, storage};

/// Program and format that made the bundle, and the name that follows from what it was made of.
pub(super) fn versions(bundle: &Bundle, points: &mut Points) {
    let meta = bundle.meta();
    let id = bundle::bundle_id(
        &meta.snapshot.digest,
        &meta.contract.digest,
        (&meta.program, meta.format),
    );
    let said = format!(
        "made by {} in format {}, as bundle {id}; this is {}, which reads formats {} to {}",
        meta.program,
        meta.format,
        crate::PROGRAM,
        bundle::OLDEST,
        bundle::FORMAT
    );
    let info = storage::read_text(&bundle.path("bag-info.txt")).unwrap_or_default();
    let named = info.lines().find_map(|line| line.strip_prefix("External-Identifier: "));
    let mut wrong = Vec::new();
    if named != Some(id.as_str()) {
        let named = named.unwrap_or("none");
        wrong.push(format!("bag-info.txt names bundle {named}; its origin gives {id}"));
    }
    let unequal = meta.equations.iter().filter(|equation| !equation.holds());
    wrong
        .extend(unequal.map(|equation| {
            format!("the rows of `{}` are not all accounted for", equation.source)
        }));
    points.found("versions", said, &wrong);
}

/// The contract that the bundle carries, when it is the one it was made by.
pub(super) fn contract(bundle: &Bundle, points: &mut Points) -> Result<Option<Contract>> {
    const POINT: &str = "contract";
    let path = bundle.path("data/contract.toml");
    let Some(text) = points.take(POINT, storage::read_text(&path))? else { return Ok(None) };
    let name = path.display().to_string();
    let loaded = contract::load(&text, &name, &Overrides::default());
    let Some(contract) = points.take(POINT, loaded)? else { return Ok(None) };
    let said = &bundle.meta().contract;
    let mut wrong = Vec::new();
    if contract.digest() != said.digest {
        let found = contract.digest();
        wrong.push(format!("data/contract.toml has {found}, bundle.json names {}", said.digest));
    }
    if contract.name != said.name {
        wrong.push(format!("it is named `{}`, in bundle.json `{}`", contract.name, said.name));
    }
    let is_it = wrong.is_empty();
    points.found(POINT, format!("`{}`, {}", said.name, said.digest), &wrong);
    Ok(is_it.then_some(contract))
}

/// The snapshot, when it is the one the bundle was made of.
pub(super) fn snapshot(
    bundle: &Bundle,
    snapshot: Option<Snapshot>,
    points: &mut Points,
) -> Option<Snapshot> {
    let snapshot = snapshot?;
    let said = bundle.meta();
    let mut wrong = Vec::new();
    if snapshot.digest() != said.snapshot.digest {
        let found = snapshot.digest();
        wrong.push(format!("it has {found}, bundle.json names {}", said.snapshot.digest));
    }
    if snapshot.meta().source != said.source {
        wrong.push("it was taken from another source than bundle.json names".to_owned());
    }
    let folder = snapshot.root().file_name().map(|name| name.to_string_lossy().into_owned());
    let renamed =
        folder.filter(|name| !said.snapshot.name.is_empty() && *name != said.snapshot.name);
    let renamed = renamed.map(|_| format!(", then named `{}`", said.snapshot.name));
    for equation in &said.equations {
        let rows = snapshot.table(&equation.source).map(|table| table.rows);
        if rows != Some(equation.rows) {
            wrong.push(format!("`{}` has other rows than bundle.json counts", equation.source));
        }
    }
    for residue in &said.residue {
        let digest = snapshot.table(&residue.source).map(|table| &table.digest);
        if digest != Some(&residue.digest) {
            wrong.push(format!("`{}` has another digest than bundle.json gives", residue.source));
        }
    }
    let is_it = wrong.is_empty();
    let good = format!(
        "the bundle was made of this snapshot{}, taken from `{}`",
        renamed.unwrap_or_default(),
        said.source.name
    );
    points.found("provenance", good, &wrong);
    is_it.then_some(snapshot)
}

/// The source file itself.
pub(super) fn source(job: Job<'_>, bundle: &Bundle, points: &mut Points) -> Result<()> {
    const POINT: &str = "source";
    let said: &snapshot::SourceMeta = &bundle.meta().source;
    let named = format!("`{}` ({}, SHA-256 {})", said.name, said.kind, said.sha256);
    let Some(place) = job.source else {
        points.not_there(POINT, format!("not looked at: {named}; name it with `--source`"));
        return Ok(());
    };
    let found = source::open(place).and_then(|source| source.identify(job.progress));
    let Some(found) = points.take(POINT, found)? else { return Ok(()) };
    let wrong = if found.sha256 == said.sha256 {
        Vec::new()
    } else {
        vec![format!("{} has SHA-256 {}", place.display(), found.sha256)]
    };
    points.found(POINT, format!("is the one the snapshot was taken from: {named}"), &wrong);
    Ok(())
}
