//! The pieces of a verification: each gives its rules, side by side with others, and the rules stand
//! in the order of the pieces.

use std::collections::BTreeMap;

use super::facts::Audit;
use super::files::{self, Dropped};
use super::legacy::Legacy;
use super::rows::{self, Looked};
use super::table::Table;
use super::whole::{self, Whole};
use super::{
    Rule, aside, attr, carried, content, count, dropped, existing, held, id, kept, left, limit,
    link, note, order, other_places, refs, repair, tables, unfit, unlisted, upper, value, winners,
};
use crate::contract::{Check, Note, Transform};
use crate::error::Result;
use crate::progress::Progress;
use crate::schema::Link;
use crate::threads::side_by_side;

/// One piece.
enum Piece<'a> {
    Provenance,
    Count(&'a Legacy),
    Aside(&'a Legacy),
    Table(&'a Table),
    Existing(&'a Table),
    Ids(&'a Table),
    MappedIds,
    Attrs(&'a Table),
    Link(&'a Link),
    Dropped(&'a Link),
    Refs(&'a Legacy),
    Lost,
    Carried,
    Order(&'a Table),
    Written(&'a Check),
    Repairs(&'a str),
    Values(&'a Transform),
    Kept(&'a Transform),
    Content(&'a Table),
    Note(&'a Note),
    Unlisted(&'a Transform),
    Upper(&'a Legacy),
    Limits,
    LeftBehind,
}

/// Evaluates every rule.
pub(super) fn rules(audit: &Audit<'_>, progress: &dyn Progress) -> Result<Vec<Rule>> {
    let pieces = pieces(audit)?;
    let whole_rows = audit.tables.len() as u64;
    progress.begin("verify", Some(whole_rows + pieces.len() as u64));
    let mut looked = BTreeMap::new();
    for table in audit.tables.values() {
        looked.insert(table.entity.as_str(), look(audit, table)?);
        progress.advance(1);
    }
    let lost = Dropped::read(audit)?;
    let sizes: Vec<u64> = pieces.iter().map(|piece| piece.size(audit)).collect();
    let found = side_by_side(audit.threads, &sizes, |at| {
        let mut rules = Vec::new();
        pieces[at].run(audit, (&looked, &lost), &mut rules)?;
        progress.advance(1);
        Ok(rules)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Looks at the whole rows of a target table, beside those they were made from.
pub(super) fn look(audit: &Audit<'_>, table: &Table) -> Result<Looked> {
    let Some(transform) = audit.contract.transform_into(&table.entity) else {
        return rows::look(audit, table, None);
    };
    let rules = whole::rules_of(audit, transform);
    let whole = Whole::read(audit, transform, &rules)?;
    rows::look(audit, table, whole.as_ref())
}

fn pieces<'a>(audit: &'a Audit<'_>) -> Result<Vec<Piece<'a>>> {
    let contract = audit.contract;
    let tables = contract.after.schema.entities.iter().map(|entity| audit.table(&entity.name));
    let tables: Vec<&Table> = tables.collect::<Result<_>>()?;
    let legacy = contract.before.schema.entities.iter().map(|entity| audit.legacy(&entity.name));
    let legacy: Vec<&Legacy> = legacy.collect::<Result<_>>()?;
    let before = legacy.iter().flat_map(|legacy| contract.before.schema.columns_of(&legacy.entity));
    let after = tables.iter().flat_map(|table| contract.after.schema.columns_of(&table.entity));
    let mut pieces = vec![Piece::Provenance];
    pieces.extend(legacy.iter().map(|legacy| Piece::Count(legacy)));
    pieces.extend(legacy.iter().map(|legacy| Piece::Aside(legacy)));
    pieces.extend(tables.iter().map(|table| Piece::Table(table)));
    pieces.extend(tables.iter().map(|table| Piece::Existing(table)));
    pieces.extend(tables.iter().map(|table| Piece::Ids(table)));
    pieces.push(Piece::MappedIds);
    pieces.extend(tables.iter().map(|table| Piece::Attrs(table)));
    pieces.extend(after.map(Piece::Link));
    pieces.extend(before.map(Piece::Dropped));
    pieces.extend(legacy.iter().map(|legacy| Piece::Refs(legacy)));
    pieces.push(Piece::Lost);
    pieces.push(Piece::Carried);
    pieces.extend(tables.iter().map(|table| Piece::Order(table)));
    pieces.extend(contract.checks.iter().map(Piece::Written));
    pieces.extend(audit.tables.keys().map(|target| Piece::Repairs(target)));
    pieces.extend(contract.transforms.iter().map(Piece::Values));
    pieces.extend(contract.transforms.iter().map(Piece::Kept));
    pieces.extend(tables.iter().map(|table| Piece::Content(table)));
    pieces.extend(contract.notes.iter().map(Piece::Note));
    pieces.extend(contract.transforms.iter().map(Piece::Unlisted));
    pieces.extend(legacy.iter().map(|legacy| Piece::Upper(legacy)));
    pieces.extend([Piece::Limits, Piece::LeftBehind]);
    Ok(pieces)
}

impl Piece<'_> {
    fn run(
        &self,
        audit: &Audit<'_>,
        (looked, lost): (&BTreeMap<&str, Looked>, &Dropped),
        out: &mut Vec<Rule>,
    ) -> Result<()> {
        match self {
            Piece::Provenance => out.push(content::provenance(audit)),
            Piece::Count(legacy) => count::rules(audit, legacy, out),
            Piece::Aside(legacy) => {
                aside::rules(audit, legacy, out)?;
                winners::rules(audit, legacy, out)?;
                dropped::rules(audit, legacy, out)?;
                unfit::set_aside(audit, legacy, out)?;
            }
            Piece::Table(table) => {
                tables::rules(audit, table, out)?;
                unfit::migrated(audit, table, out)?;
            }
            Piece::Existing(table) => existing::rules(audit, table, lost, out)?,
            Piece::Ids(table) => id::rules(audit, &table.entity, out)?,
            Piece::MappedIds => id::counted(audit, out)?,
            Piece::Attrs(table) => attr::rules(audit, table, &looked[table.entity.as_str()], out)?,
            Piece::Link(link) => link::rules(audit, link, out)?,
            Piece::Dropped(link) => {
                files::rules(audit, link, lost, out)?;
                held::rules(audit, link, lost, out)?;
            }
            Piece::Refs(legacy) => {
                other_places::rules(audit, legacy, lost, out)?;
                refs::rules(audit, legacy, lost, out)?;
            }
            Piece::Lost => out.extend(files::counted(audit, lost)),
            Piece::Carried => carried::rules(audit, lost, out)?,
            Piece::Order(table) => order::rules(audit, &table.entity, out)?,
            Piece::Written(check) => order::written(audit, check, out)?,
            Piece::Repairs(target) => repair::rules(audit, target, out)?,
            Piece::Values(transform) => {
                let looked = looked.get(transform.target.as_str());
                let counted = looked.and_then(|looked| looked.values.as_ref());
                value::rules(audit, transform, counted, out)?;
            }
            Piece::Kept(transform) => kept::rules(audit, transform, out)?,
            Piece::Content(table) => {
                content::rules(audit, table, &looked[table.entity.as_str()], out);
            }
            Piece::Note(note) => note::rules(audit, note, |entity| looked.get(entity), out)?,
            Piece::Unlisted(transform) => unlisted::rules(audit, transform, out)?,
            Piece::Upper(legacy) => upper::rule(audit, legacy, out)?,
            Piece::Limits => limit::rules(audit, out)?,
            Piece::LeftBehind => left::rules(audit, out)?,
        }
        Ok(())
    }

    /// About how long it takes, in rows.
    fn size(&self, audit: &Audit<'_>) -> u64 {
        let rows = |entity: &str| {
            let (table, legacy) = (audit.tables.get(entity), audit.legacy.get(entity));
            table.map_or(0, Table::rows).max(legacy.map_or(0, |legacy| legacy.rows)) as u64
        };
        match self {
            Piece::Link(link) => rows(&link.on) * 3,
            Piece::Dropped(link) => rows(&link.on) * 2,
            Piece::Attrs(table) | Piece::Order(table) => table.rows() as u64 * 2,
            Piece::Ids(table) | Piece::Table(table) | Piece::Existing(table) => table.rows() as u64,
            Piece::Values(transform) => rows(&transform.target),
            Piece::Kept(transform) if transform.explode.is_some() => rows(&transform.target) * 3,
            Piece::Written(_) => {
                audit.tables.values().map(|table| table.rows() as u64).max().unwrap_or(0)
            }
            Piece::Count(legacy) | Piece::Aside(legacy) | Piece::Refs(legacy) => legacy.rows as u64,
            Piece::Upper(legacy) => legacy.rows as u64 * 2,
            Piece::Note(note) => rows(note.what.entity()) * 2,
            _ => 1,
        }
    }
}
