//! What rows of one id say, however they spell it: whether one may stand for another is told by it.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Audit;
use super::key::{self, NONE};
use super::legacy::Legacy;
use super::read;
use super::{link_sql, sql};
use crate::digest::Value;
use crate::error::Result;
use crate::json;
use crate::schema::{Attr, Link, Type};
use crate::snapshot::Extra;

/// What makes up the rows of a legacy table.
struct Parts<'a> {
    /// The declared attributes that spell no link.
    attrs: Vec<&'a Attr>,
    links: Vec<&'a Link>,
    /// What stands aside in another form than its column has, which is an id.
    spelled: BTreeSet<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(audit: &'a Audit<'_>, entity: &'a str) -> Self {
        let before = &audit.contract.before.schema;
        let links: Vec<&Link> = before.columns_of(entity).collect();
        let mut spelled: BTreeSet<&str> = links.iter().flat_map(|link| places(link)).collect();
        let attrs = before.entity(entity).map_or(&[][..], |entity| &entity.attrs);
        let attrs = attrs.iter().filter(|attr| !spelled.contains(attr.name.as_str())).collect();
        let refs = audit.contract.places_of_refs();
        spelled.extend(refs.into_iter().filter(|(of, _)| *of == entity).map(|(_, attr)| attr));
        spelled.insert("id");
        Self { attrs, links, spelled }
    }
}

/// The columns that hold a link, in order.
fn places(link: &Link) -> impl Iterator<Item = &str> {
    std::iter::once(&link.label).chain(&link.also).map(String::as_str)
}

/// What some rows say. Rows that hold links of link files, and those of bundles before format 3, are
/// equal by their digests alone.
pub(super) fn read(
    audit: &Audit<'_>,
    legacy: &Legacy,
    mut rows: BTreeSet<usize>,
) -> Result<BTreeMap<usize, Vec<u128>>> {
    let mut said = BTreeMap::new();
    let Some(path) = legacy.path.as_deref().filter(|_| audit.is_judged_by_source()) else {
        return Ok(said);
    };
    if rows.is_empty() {
        return Ok(said);
    }
    for file in audit.snapshot.meta().links.iter().filter(|file| file.entity == legacy.entity) {
        read::scan_if_there(&audit.snapshot.path(&file.file), &[Extra::ROW], &mut |row| {
            row.row(0).map(|holder| rows.remove(&holder));
            Ok(())
        })?;
    }
    let parts = Parts::of(audit, &legacy.entity);
    let mut columns: Vec<&str> = vec![Extra::EXTRA, Extra::INVALID];
    columns.extend(parts.attrs.iter().map(|attr| attr.name.as_str()));
    columns.extend(parts.links.iter().flat_map(|link| places(link)));
    let picked: Vec<usize> = rows.into_iter().collect();
    let mut at = 0;
    let text = |text: &str| key::value_hash128(Value::Text(text));
    read::pick(path, &columns, &picked, &mut |row| {
        let mut values = vec![row.text(1).map_or(NONE, text)];
        for (column, attr) in (2..).zip(&parts.attrs) {
            values.push(match attr.ty {
                Type::Any => row.text(column).map_or(NONE, text),
                ty => key::value_hash128(row.value(column, ty)),
            });
        }
        let mut column = 2 + parts.attrs.len();
        for link in &parts.links {
            let mut ids: Vec<u128> = Vec::new();
            for _ in places(link) {
                let id = key::link_key(row.text(column));
                if id != NONE && !ids.contains(&id) {
                    ids.push(id);
                }
                column += 1;
            }
            values.extend(ids.into_iter().chain([NONE]));
        }
        for (name, raw) in json::members(row.text(0).unwrap_or("{}")).unwrap_or_default() {
            if !parts.spelled.contains(&*name) {
                values.extend([text(&name), text(raw)]);
            }
        }
        said.insert(picked[at], values);
        at += 1;
        Ok(())
    })?;
    Ok(said)
}

/// Whether the rows `a` and `w` of a legacy table say the same.
pub(super) fn same_sql(audit: &Audit<'_>, entity: &str) -> String {
    if !audit.is_judged_by_source() {
        return "false".to_owned();
    }
    let parts = Parts::of(audit, entity);
    let same =
        |of: &dyn Fn(&str) -> String| format!("{} IS NOT DISTINCT FROM {}", of("a"), of("w"));
    let mut all = vec![same(&|row| format!("{row}.{}", Extra::INVALID))];
    for attr in &parts.attrs {
        all.push(same(&|row| format!("{row}.{}", sql::name(&attr.name))));
    }
    for link in &parts.links {
        all.push(same(&|row| {
            let ids = places(link).map(|place| {
                let column = format!("{row}.{}", sql::name(place));
                format!("CASE WHEN {} THEN {} END", link_sql::present(&column), sql::id(&column))
            });
            let ids = ids.collect::<Vec<_>>().join(", ");
            format!(
                "list_transform([[{ids}]], lambda l: list_filter(l, lambda x, i: x IS NOT NULL AND \
                 list_position(l, x) = i))[1]"
            )
        }));
    }
    let nothing = parts.spelled.iter().map(|name| (*name, serde_json::Value::Null));
    let nothing: BTreeMap<&str, serde_json::Value> = nothing.collect();
    let nothing = serde_json::json!(nothing).to_string();
    all.push(same(&|row| {
        let extra = sql::halves(&format!("coalesce({row}.{}, '{{}}')", Extra::EXTRA));
        format!("json_merge_patch({extra}, {})::VARCHAR", sql::text(&nothing))
    }));
    for file in audit.snapshot.meta().links.iter().filter(|file| file.entity == entity) {
        let file = sql::source(audit, &file.file);
        for row in ["a", "w"] {
            all.push(format!("{row}._row NOT IN (SELECT _row FROM {file} WHERE _row IS NOT NULL)"));
        }
    }
    all.join(" AND ")
}
