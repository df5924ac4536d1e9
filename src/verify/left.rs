//! What is left behind: recounted in the snapshot, against what the target got and bundle.json says.

use std::collections::BTreeMap;

use super::Rule;
use super::carried::{self, Group, end, renamed};
use super::facts::{Audit, Heir};
use super::key;
use super::left_sql;
use super::limit;
use super::read;
use super::rule::Tally;
use crate::bundle::{LeftBehind, LeftKind};
use crate::error::{Result, grouped};
use crate::json;
use crate::schema::{Has, Link};
use crate::snapshot::{Extra, LinksMeta, OTHER_NAMES};

/// What is left behind of one kind: by entity and name, the count and the first places.
type Left = BTreeMap<(String, String), (u64, Vec<String>)>;

/// The kinds that are recounted, and how a rule calls them.
const KINDS: [(LeftKind, &str); 4] = [
    (LeftKind::Attribute, "attributes that the contract does not declare"),
    (LeftKind::Entity, "entities that the contract does not declare"),
    (LeftKind::Link, "links between rows of the target that it does not have"),
    (LeftKind::SchemaRule, "rules of the app's schema, as data/plan.json has them"),
];

/// bundle.json says what is left behind as the snapshot has it, and of link values no more than the
/// contract allows.
pub(super) fn rules(audit: &Audit<'_>, out: &mut Vec<Rule>) -> Result<()> {
    // A bundle of an earlier format has no such list, and its contract no such limit.
    if !audit.bundle.meta().is_judged_by_source() {
        return Ok(());
    }
    for (kind, words) in KINDS {
        let found = match kind {
            LeftKind::Attribute => attributes(audit)?,
            LeftKind::Entity => entities(audit),
            LeftKind::Link => links(audit)?,
            LeftKind::SchemaRule => schema_rules(audit),
        };
        out.push(described(audit, (kind, words), &found));
        if kind == LeftKind::Link {
            out.push(limited(audit, &found));
        }
    }
    Ok(())
}

fn attributes(audit: &Audit<'_>) -> Result<Left> {
    let mut left = Left::new();
    let attrs = &audit.snapshot.meta().unmapped.attrs;
    for legacy in audit.legacy.values() {
        let ours = attrs.iter().filter(|(entity, ..)| *entity == legacy.entity);
        let mut found: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
        found.extend(ours.clone().map(|(_, name, _)| (name.as_str(), (0, Vec::new()))));
        let path = legacy.path.as_ref().filter(|_| !found.is_empty());
        let mut add = |name: &str, id: Option<&str>| {
            if let Some((count, first)) = found.get_mut(name) {
                *count += 1;
                first.push(LeftBehind::sample(id));
                first.truncate(LeftBehind::SAMPLES);
            }
        };
        if let Some(path) = path {
            read::scan(path, &["id", Extra::EXTRA], &mut |row| {
                let members = row.text(1).map(json::members);
                let members = members.and_then(std::result::Result::ok).unwrap_or_default();
                for (name, _) in members {
                    add(&name, row.text(0));
                }
                Ok(())
            })?;
        }
        for (entity, name, rows) in ours {
            let mut counted = found.remove(name.as_str()).unwrap_or_default();
            if name == OTHER_NAMES {
                counted.0 = *rows;
            }
            left.insert((entity.clone(), name.clone()), counted);
        }
    }
    Ok(left)
}

fn entities(audit: &Audit<'_>) -> Left {
    let entities = audit.snapshot.meta().unmapped.entities.iter();
    entities.map(|(entity, rows)| ((entity.clone(), String::new()), (*rows, Vec::new()))).collect()
}

fn links(audit: &Audit<'_>) -> Result<Left> {
    let mut left = Left::new();
    let groups = carried::groups(audit);
    let files = audit.snapshot.meta().links.iter();
    for file in files.filter(|file| !is_read(audit, file) && !is_taken(&groups, file)) {
        let found = left.entry((file.entity.clone(), file.label.clone())).or_default();
        pairs(audit, file, found)?;
    }
    for link in untaken(audit) {
        let found = left.entry((link.on.clone(), link.label.clone())).or_default();
        named(audit, link, found)?;
    }
    left.retain(|_, (count, _)| *count > 0);
    Ok(left)
}

/// Whether the pairs of a link file follow their rows: the bundle lists the file that has them.
fn is_taken(groups: &[Group<'_>], file: &LinksMeta) -> bool {
    let mut listed = groups.iter().filter(|group| group.meta.is_some());
    listed.any(|group| group.held.iter().any(|held| held.links.file == file.file))
}

/// Whether a link file is the other side of a link that has columns or a file of its own.
pub(super) fn is_read(audit: &Audit<'_>, file: &LinksMeta) -> bool {
    let (before, after) = (&audit.contract.before.schema, &audit.contract.after.schema);
    let mut links = before.links.iter().filter(|link| link.has == Has::One).chain(&after.links);
    file.role == "declared" && links.any(|link| file.is_back_of(link))
}

/// The has-one links of the legacy model that no rule takes up.
pub(super) fn untaken<'a>(audit: &'a Audit<'_>) -> impl Iterator<Item = &'a Link> {
    let links = audit.contract.before.schema.links.iter();
    links.filter(|link| link.has == Has::One && !audit.contract.takes_up(link))
}

/// The rules that the plan of the schema says are lost.
fn schema_rules(audit: &Audit<'_>) -> Left {
    let mut left = Left::new();
    for rule in audit.bundle.schema_plan().into_iter().flat_map(|plan| &plan.rules_left) {
        let found = left.entry((rule.entity.clone(), rule.label.clone())).or_default();
        found.0 += 1;
        if found.1.len() < LeftBehind::SAMPLES {
            found.1.push(rule.lost.clone());
        }
    }
    left
}

fn add((count, first): &mut (u64, Vec<String>), ends: impl FnOnce() -> [String; 2]) {
    *count += 1;
    if first.len() < LeftBehind::SAMPLES {
        let [from, to] = ends().map(|id| LeftBehind::sample(Some(&id)));
        first.push(format!("{from} - {to}"));
    }
}

/// An end of a pair in the target, and as it is written; none where that row is not there.
fn there<'t>(audit: &Audit<'_>, (entity, id): (&str, Option<&'t str>)) -> Option<(u128, &'t str)> {
    end(audit, entity, key::link_key(id)).zip(id)
}

fn pairs(audit: &Audit<'_>, file: &LinksMeta, found: &mut (u64, Vec<String>)) -> Result<()> {
    let text = |entity: &str, (id, text): (u128, &str)| {
        let is_known = audit.legacy.contains_key(entity)
            || (audit.tables.contains_key(entity) && key::uuid(text).is_some());
        if is_known { key::uuid_text(id) } else { text.to_owned() }
    };
    read::scan_if_there(&audit.snapshot.path(&file.file), &["from", "to"], &mut |row| {
        let ends =
            (there(audit, (&file.entity, row.text(0))), there(audit, (&file.target, row.text(1))));
        if let (Some(from), Some(to)) = ends {
            add(found, || [text(&file.entity, from), text(&file.target, to)]);
        }
        Ok(())
    })
}

fn named(audit: &Audit<'_>, link: &Link, found: &mut (u64, Vec<String>)) -> Result<()> {
    let (legacy, named) = (audit.legacy(&link.on)?, audit.firsts(&link.on, &link.label)?);
    let (own, target) = (renamed(audit, &link.on), renamed(audit, &link.to));
    let table = audit.table(&own)?;
    for row in (0..legacy.rows).filter(|row| legacy.is_migrated(*row)) {
        let ends = (legacy.stands(table, row), named.heir(audit, &target, row));
        if let (Some(from), Heir::Alive(to)) = ends {
            add(found, || [from, to].map(key::uuid_text));
        }
    }
    Ok(())
}

/// bundle.json says the same of a kind.
fn described(audit: &Audit<'_>, (kind, words): (LeftKind, &str), found: &Left) -> Rule {
    let mut tally = Tally::new("count", "", "")
        .says(format!("bundle.json says what is left behind as the snapshot has it: {words}"))
        .query(left_sql::described(audit, kind));
    let said = audit.bundle.meta().left_behind.iter().filter(|left| left.kind == kind);
    let said = said.map(|it| ((it.entity.clone(), it.name.clone()), (it.count, &it.samples)));
    let said: BTreeMap<_, _> = said.collect();
    for key in said.keys().chain(found.keys().filter(|key| !said.contains_key(key))) {
        let name = name_of(key);
        match (said.get(key), found.get(key)) {
            (Some((said, places)), Some((count, first))) => {
                let right = said == count && *places == first;
                tally.check(right, || {
                    let (said, count) = (grouped(*said), grouped(*count));
                    format!("{name}: bundle.json says {said}, there are {count}, first {first:?}")
                });
            }
            (Some((said, _)), None) => tally.check(false, || {
                format!("{name}: bundle.json says {}, there is none", grouped(*said))
            }),
            (None, found) => tally.check(false, || {
                let count = found.map_or(0, |(count, _)| *count);
                format!("{name}: not in bundle.json, there are {}", grouped(count))
            }),
        }
    }
    tally.finish()
}

fn name_of((entity, name): &(String, String)) -> String {
    if name.is_empty() { entity.clone() } else { format!("{entity}.{name}") }
}

/// No more link values are left behind than the contract allows.
fn limited(audit: &Audit<'_>, found: &Left) -> Rule {
    let count = found.values().map(|(count, _)| count).sum();
    let names =
        found.iter().map(|(key, (count, _))| format!("{} {}", grouped(*count), name_of(key)));
    let place = || names.take(LeftBehind::SAMPLES).collect::<Vec<_>>().join(", ");
    let limit = ("link values left behind", audit.contract.rollout.max_left_behind);
    limit::rule(audit, limit, (count, &left_sql::counted(audit)), place)
}
