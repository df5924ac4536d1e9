//! Rows that claim the same id or the same unique value: one is kept, by dates and content and never
//! by file order; equal ones are merged into it, the others are refused.

mod content;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::*;

use super::frame::{self, Run};
use super::names;
use super::plan::{self, SourcePlan};
use super::{Outcome, codes, existing, split, state, udf};
use crate::contract::Keep;
use crate::error::Result;

/// What is settled about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) outcome: Outcome,
    pub(super) reject: Option<i32>,
    pub(super) winner: Option<i64>,
    pub(super) winner_in: Option<String>,
}

impl Claim {
    pub(super) fn refused(reject: i32) -> Self {
        let (winner, winner_in) = (None, None);
        Self { outcome: Outcome::Quarantined, reject: Some(reject), winner, winner_in }
    }

    fn merged(winner: i64) -> Self {
        let (reject, winner_in) = (None, None);
        Self { outcome: Outcome::Merged, reject, winner: Some(winner), winner_in }
    }

    pub(super) fn stands_in(target: &str) -> Self {
        let (reject, winner) = (None, None);
        Self { outcome: Outcome::Merged, reject, winner, winner_in: Some(target.to_owned()) }
    }
}

/// Claims by `_row`; a row without one stands.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) rows: BTreeMap<i64, Claim>,
    /// Whether two rows of the table, refused ones included, share an id.
    pub(super) shared_ids: bool,
    /// By row: the number before the first of its target rows, where they are numbered.
    pub(super) starts: Vec<u32>,
}

/// A row that shares a value with another one.
struct Rival {
    key: String,
    content: content::Content,
    id: Option<String>,
    digest: String,
    server: Option<i64>,
    row: i64,
}

/// Settles every claim of a legacy table.
pub(super) fn settle(run: &Run<'_>, source: &SourcePlan, facts: &Path) -> Result<Claims> {
    let mut claims = Claims::default();
    let keep = run.plan.contract.duplicates.keep(&source.entity);
    let Some(first) = source.targets.first() else { return Ok(claims) };
    let main = run.plan.main_target(&source.entity).unwrap_or(first);
    claims.shared_ids = !shared(&with_value(facts, &col(names::ID))?)?.is_empty();
    let id = col(names::value(&main.entity, "id"));
    let is_new = col(names::how(&main.entity, "id")).neq(lit(codes::ID_ADOPTED));
    let rivals = rivals(run, source, facts, (&id, &is_new))?;
    let reject = run.plan.reject(&plan::duplicate_rule(&main.entity, "id"))?;
    let groups_of_id = groups(rivals);
    let said = said::read(run, source, differing(&groups_of_id))?;
    for group in groups_of_id {
        same_id(&group, (keep, &said), reject, &mut claims.rows);
    }
    if source.split().is_none() {
        existing::settle(run, source, facts, &mut claims.rows)?;
    }
    for target in &source.targets {
        let unique = plan::unique_attrs(&run.plan.contract, &target.entity);
        // What is built once rows are numbered differs by the number.
        let is_decided =
            |attr: &String| target.decided.iter().any(|decided| decided.rule.attr == *attr);
        for attr in unique.into_iter().filter(is_decided) {
            let is_new = col(names::how(&target.entity, "id")).neq(lit(codes::ID_ADOPTED));
            let value = col(names::value(&target.entity, &attr));
            let mut rivals = self::rivals(run, source, facts, (&value, &is_new))?;
            rivals.retain(|rival| !claims.rows.contains_key(&rival.row));
            let reject = run.plan.reject(&plan::duplicate_rule(&target.entity, &attr))?;
            for group in groups(rivals) {
                same_value(&group, keep, reject, &mut claims.rows);
            }
        }
    }
    follow_winners(&mut claims.rows);
    if let Some((target, split)) = source.split() {
        claims.starts = split::number(run, (source, target, split), facts, &claims.rows)?;
        split::existing(run, (source, target), facts, &mut claims)?;
        follow_winners(&mut claims.rows);
    }
    Ok(claims)
}

/// A row merged into one that was refused after all is refused with it.
fn follow_winners(claims: &mut BTreeMap<i64, Claim>) {
    let refused: Vec<(i64, Claim)> = claims
        .iter()
        .filter_map(|(row, claim)| {
            let winner = claims.get(&claim.winner?)?;
            (winner.outcome == Outcome::Quarantined).then(|| (*row, winner.clone()))
        })
        .collect();
    claims.extend(refused);
}

/// The rows that have a value, as the text `_value`.
fn with_value(facts: &Path, value: &Expr) -> Result<LazyFrame> {
    let value = value.clone().cast(DataType::String).alias("_value");
    Ok(frame::scan(facts)?.with_columns([value]).filter(col("_value").is_not_null()))
}

/// Bytes that a row takes at most while shared values are looked for: its key twice.
pub(super) const ROW_BYTES: u64 = 16;

/// The keys of values that more than one row has.
fn shared(rows: &LazyFrame) -> Result<Vec<u64>> {
    let keys = rows.clone().select([udf::key64(col("_value")).alias("_key")]);
    let found = frame::collect(keys)?;
    let found = found.column("_key").and_then(|column| column.u64().cloned());
    let mut keys: Vec<u64> = found.map_err(frame::failed)?.iter().flatten().collect();
    keys.sort_unstable();
    let mut shared: Vec<u64> =
        keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    shared.dedup();
    Ok(shared)
}

/// The rows, not refused yet, that share a value: few, so they fit in memory.
fn rivals(
    run: &Run<'_>,
    source: &SourcePlan,
    facts: &Path,
    (value, condition): (&Expr, &Expr),
) -> Result<Vec<Rival>> {
    let standing = state::stands(source).and(condition.clone());
    let standing = with_value(facts, value)?.filter(standing);
    let shared = shared(&standing)?;
    if shared.is_empty() {
        return Ok(Vec::new());
    }
    let shared = DataFrame::new_infer_height(vec![Column::new("_key".into(), shared)]);
    let shared = shared.map_err(frame::failed)?;
    let columns = ["_value", names::ROW, names::SERVER, names::DIGEST, names::ID].map(col);
    let keyed = standing.with_columns([udf::key64(col("_value")).alias("_key")]);
    let found = frame::only_in(keyed, shared.lazy(), (col("_key"), col("_key"))).select(columns);
    let found = frame::collect(found)?;
    let contents = content::read(run, source, facts, &found)?;
    read(&found, contents).map_err(frame::failed)
}

fn read(
    found: &DataFrame,
    mut contents: BTreeMap<i64, content::Content>,
) -> PolarsResult<Vec<Rival>> {
    let text = |name: &str| found.column(name)?.str().cloned();
    let whole = |name: &str| found.column(name)?.i64().cloned();
    let (values, digests, ids) = (text("_value")?, text(names::DIGEST)?, text(names::ID)?);
    let (rows, servers) = (whole(names::ROW)?, whole(names::SERVER)?);
    let rival = |at: usize| {
        let row = rows.get(at).unwrap_or_default();
        Rival {
            key: values.get(at).unwrap_or_default().to_owned(),
            content: contents.remove(&row).unwrap_or_default(),
            id: ids.get(at).map(str::to_owned),
            digest: digests.get(at).unwrap_or_default().to_owned(),
            server: servers.get(at),
            row,
        }
    };
    Ok((0..found.height()).map(rival).collect())
}

/// Rows by shared value, each group from the first to the last by dates, then content, then id. Only
/// of rows in which all of that is equal does it matter how the source spells them.
fn groups(rivals: Vec<Rival>) -> Vec<Vec<Rival>> {
    let mut by_value: BTreeMap<String, Vec<Rival>> = BTreeMap::new();
    for rival in rivals {
        by_value.entry(rival.key.clone()).or_default().push(rival);
    }
    let mut groups: Vec<Vec<Rival>> =
        by_value.into_values().filter(|group| group.len() > 1).collect();
    for group in &mut groups {
        group.sort_by(|a, b| {
            let id = |rival: &Rival| rival.id.as_deref().map(|id| udf::ordered_id(id).into_owned());
            let content = a.content.cmp(&b.content).then_with(|| id(a).cmp(&id(b)));
            let spelling = || a.digest.cmp(&b.digest).then_with(|| a.server.cmp(&b.server));
            content.then_with(spelling).then_with(|| a.row.cmp(&b.row))
        });
    }
    groups
}

/// The rows of groups whose digests differ.
fn differing(groups: &[Vec<Rival>]) -> BTreeSet<usize> {
    let differ = |group: &&Vec<Rival>| group.iter().any(|rival| rival.digest != group[0].digest);
    let rows = groups.iter().filter(differ).flatten();
    rows.filter_map(|rival| usize::try_from(rival.row).ok()).collect()
}

/// Rows of one id: those that say the same as the kept one are merged into it, the others are refused.
fn same_id(
    group: &[Rival],
    (keep, said): (Keep, &BTreeMap<i64, u128>),
    reject: i32,
    claims: &mut BTreeMap<i64, Claim>,
) {
    let same = |a: &Rival, b: &Rival| {
        let said_by_both = said.get(&a.row).zip(said.get(&b.row));
        a.digest == b.digest || said_by_both.is_some_and(|(a, b)| a == b)
    };
    let equal = group.iter().all(|rival| same(rival, &group[0]));
    let kept = match keep {
        Keep::None if !equal => None,
        Keep::None | Keep::First => group.first(),
        Keep::Last => group.last(),
    };
    // Of equal rows the first by time and place stands; which one it is changes nothing but lineage.
    let winner = kept.and_then(|kept| group.iter().find(|rival| same(rival, kept)));
    for rival in group {
        let claim = match winner {
            Some(winner) if winner.row == rival.row => continue,
            Some(winner) if same(rival, winner) => Claim::merged(winner.row),
            _ => Claim::refused(reject),
        };
        claims.insert(rival.row, claim);
    }
}

/// Rows of one unique value under different ids: all but one are refused.
fn same_value(group: &[Rival], keep: Keep, reject: i32, claims: &mut BTreeMap<i64, Claim>) {
    let kept = match keep {
        Keep::None => None,
        Keep::First => group.first(),
        Keep::Last => group.last(),
    };
    for rival in group.iter().filter(|rival| Some(rival.row) != kept.map(|kept| kept.row)) {
        claims.insert(rival.row, Claim::refused(reject));
    }
}
