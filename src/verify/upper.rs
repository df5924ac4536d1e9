//! UUIDs that the source writes in upper case: the target has them in lower case.

use super::Rule;
use super::facts::Audit;
use super::key;
use super::legacy::Legacy;
use super::note;
use super::read;
use super::rule::Tally;
use super::sql;
use crate::contract::{Limit, Pick};
use crate::error::Result;
use crate::snapshot::LinksMeta;

/// How many places a rule names.
const SAMPLES: usize = 5;

/// The UUIDs in upper case among some texts.
#[derive(Debug, Default)]
pub(super) struct Upper {
    seen: u64,
    count: u64,
    first: Vec<String>,
}

impl Upper {
    /// Looks at so many ids of a row, and at their texts where some count.
    pub(super) fn see<'t>(
        &mut self,
        ids: usize,
        texts: impl Iterator<Item = &'t str>,
        some_count: impl Fn() -> bool,
    ) {
        self.seen += ids as u64;
        if !some_count() {
            return;
        }
        for text in texts.filter(|text| is_upper(text)) {
            self.count += 1;
            if self.first.len() < SAMPLES {
                self.first.push(key::shown(Some(text)));
            }
        }
    }
}

/// Whether a text is a UUID with a letter in upper case.
fn is_upper(text: &str) -> bool {
    key::uuid_cased(text).is_some_and(|(_, is_lower)| !is_lower)
}

/// Counts the ids and links of a legacy table, of migrated rows, that are UUIDs in upper case.
pub(super) fn rule(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) -> Result<()> {
    let entity = legacy.entity.as_str();
    let (refs, files) = (refs(audit, entity), files(audit, entity));
    let mut tally = note::begin(audit, (entity, ""), Limit::Any)
        .says(format!("{entity}: UUIDs in upper case, which the target has in lower case"))
        .noun(
            format!("UUID of {entity} in upper case, which became lower case"),
            format!("UUIDs of {entity} in upper case, which became lower case"),
        )
        .query(query(audit, legacy, (&refs, &files)));
    tally.check_all(legacy.rows as u64, 0, String::new);
    let upper = (0..legacy.rows).filter(|row| !legacy.upper.is_clear() && legacy.upper.get(*row));
    for row in upper.filter(|row| legacy.is_migrated(*row)) {
        tally.violate(1, || legacy.shown(row));
    }
    for link in audit.contract.before.schema.links_on(entity) {
        add(&mut tally, &audit.firsts(entity, &link.label)?.upper);
    }
    let mut found = Upper::default();
    if let Some(path) = legacy.path.as_ref().filter(|_| !refs.is_empty()) {
        read::scan(path, &refs, &mut |row| {
            let texts = (0..refs.len()).filter_map(|at| row.text(at));
            found.see(refs.len(), texts, || legacy.is_migrated(row.number));
            Ok(())
        })?;
    }
    for (links, ends) in &files {
        read::scan_if_there(&audit.snapshot.path(&links.file), ends, &mut |row| {
            found.see(ends.len(), (0..ends.len()).filter_map(|at| row.text(at)), || true);
            Ok(())
        })?;
    }
    add(&mut tally, &found);
    out.push(tally.finish());
    Ok(())
}

fn add(tally: &mut Tally, found: &Upper) {
    tally.check_all(found.seen, 0, String::new);
    for first in &found.first {
        tally.violate(1, || first.clone());
    }
    let more = found.count - found.first.len() as u64;
    if more > 0 {
        tally.violate(more, || found.first.last().cloned().unwrap_or_default());
    }
}

/// The attributes whose value a rule takes for the id of a row, but for those that may stand for a link.
fn refs<'a>(audit: &'a Audit<'_>, entity: &'a str) -> Vec<&'a str> {
    let schema = &audit.contract.before.schema;
    let rules = audit.contract.transforms_of(entity).flat_map(|transform| &transform.attrs);
    let picks = rules.filter(|rule| rule.refers.is_some()).flat_map(|rule| &rule.from);
    let names = picks.filter_map(|pick| match pick {
        Pick::Attr(name) => Some(name.as_str()),
        Pick::Path { .. } | Pick::Server | Pick::Linked { .. } => None,
    });
    let is_seen = |name: &str| {
        name == "id" || schema.links_on(entity).any(|link| link.also.iter().any(|it| it == name))
    };
    let mut names: Vec<&str> = names.filter(|name| !is_seen(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The link files of the snapshot that are counted with a legacy table, and their ends that are ids of
/// the contract's entities: those its rows hold, and those that other entities of the app hold.
fn files<'a>(audit: &'a Audit<'_>, entity: &str) -> Vec<(&'a LinksMeta, Vec<&'static str>)> {
    let is_legacy = |name: &str| audit.legacy.contains_key(name);
    let is_known = |name: &str| is_legacy(name) || audit.tables.contains_key(name);
    let all = audit.snapshot.meta().links.iter().filter(|links| {
        links.entity == entity || (!is_legacy(&links.entity) && links.target == entity)
    });
    all.map(|links| {
        let ends = [("from", &links.entity), ("to", &links.target)];
        let known = ends.into_iter().filter(|(_, of)| is_known(of)).map(|(end, _)| end);
        (links, known.collect())
    })
    .collect()
}

fn query(
    audit: &Audit<'_>,
    legacy: &Legacy,
    (refs, files): (&[&str], &[(&LinksMeta, Vec<&str>)]),
) -> String {
    let migrated: Vec<String> = legacy
        .onto
        .iter()
        .map(|onto| format!("SELECT r FROM {}", sql::stands(audit, legacy, &onto.target)))
        .collect();
    let schema = &audit.contract.before.schema;
    let labels = schema.columns_of(&legacy.entity).map(|link| link.label.as_str());
    let scalars = schema.links_on(&legacy.entity).flat_map(|link| &link.also);
    let columns = ["id"].into_iter().chain(labels).chain(scalars.map(String::as_str));
    let columns: Vec<String> = columns.chain(refs.iter().copied()).map(sql::name).collect();
    let mut parts = vec![format!(
        "SELECT unnest([{}]) AS v FROM {} SEMI JOIN ({}) m ON m.r = _row",
        columns.join(", "),
        sql::legacy(audit, legacy),
        migrated.join(" UNION ALL "),
    )];
    for (links, ends) in files {
        let file = sql::source(audit, &links.file);
        parts.extend(ends.iter().map(|end| format!("SELECT {} AS v FROM {file}", sql::name(end))));
    }
    format!(
        "SELECT {} FROM ({}) WHERE v <> lower(v) AND regexp_full_match(v, \
         '[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}')",
        sql::found(audit, "v"),
        parts.join(" UNION ALL "),
    )
}
