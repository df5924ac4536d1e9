//! Texts that not every store holds, where the contract sets rows with them aside: no migrated row has one,
//! and every row that was set aside for it does.

use super::Rule;
use super::facts::Audit;
use super::legacy::Legacy;
use super::read;
use super::rule::Tally;
use super::sql;
use super::table::Table;
use crate::bundle::{Origin, Quarantine};
use crate::contract::Unfit;
use crate::error::Result;
use crate::json;
use crate::schema::{Schema, Type};
use crate::snapshot::Extra;

/// What the name of a rule ends with that sets a row aside for its text.
const HELD: &str = " held by every store";

/// The texts of an entity: attribute, and whether it is JSON.
fn texts<'a>(schema: &'a Schema, entity: &str) -> Vec<(&'a str, bool)> {
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let texts = attrs.iter().filter(|attr| matches!(attr.ty, Type::String | Type::Any));
    texts.map(|attr| (attr.name.as_str(), attr.ty == Type::Any)).collect()
}

/// Whether not every store holds a text.
fn is_unfit(text: &str, is_json: bool) -> bool {
    if !is_json {
        return text.contains('\0');
    }
    let found = json::escapes(text);
    found.nul || found.lone_surrogate
}

/// The same as SQL: an escape is one once pairs of backslashes are gone, a half is one once whole pairs are.
fn unfit_sql(name: &str, is_json: bool) -> String {
    let name = sql::name(name);
    if !is_json {
        return format!("contains({name}, chr(0))");
    }
    let plain = format!(r"regexp_replace({name}, '\\\\', '', 'g')");
    let pairs = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}";
    format!(
        r"(contains({plain}, '\u0000') OR regexp_matches(regexp_replace({plain}, '{pairs}', '', 'g'), '\\u[dD][89a-fA-F]'))"
    )
}

fn any_sql(texts: &[(&str, bool)]) -> String {
    let each: Vec<String> = texts.iter().map(|(name, json)| unfit_sql(name, *json)).collect();
    if each.is_empty() { "false".to_owned() } else { each.join(" OR ") }
}

/// As SQL: the rows of a legacy table that have such a text, each with the rule that sets it aside.
pub(super) fn refused_sql(audit: &Audit<'_>, legacy: &Legacy) -> Vec<String> {
    if audit.contract.unfit == Unfit::Refuse {
        return Vec::new();
    }
    let (entity, table) = (&legacy.entity, sql::legacy(audit, legacy));
    let texts = texts(&audit.contract.before.schema, entity);
    let rows = texts.iter().map(|(name, json)| {
        let rule = sql::text(&format!("{entity}.{name}{HELD}"));
        format!("SELECT _row AS r, {rule} AS rule FROM {table} WHERE {}", unfit_sql(name, *json))
    });
    rows.collect()
}

/// No migrated row of a target table has such a text.
pub(super) fn migrated(audit: &Audit<'_>, table: &Table, out: &mut Vec<Rule>) -> Result<()> {
    if audit.contract.unfit == Unfit::Refuse {
        return Ok(());
    }
    let entity = &table.entity;
    let texts = texts(&audit.contract.after.schema, entity);
    let mut names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
    let own = names.len();
    names.extend(["id", "_origin"]);
    let mut tally = Tally::new("unfit", entity, "")
        .says(format!("every store holds the texts of the migrated {entity} rows"))
        .query(format!(
            "SELECT {} FROM {} WHERE _origin = {} AND ({})",
            sql::found(audit, "id"),
            sql::side(audit, &format!("data/parquet/{entity}.parquet"), &names),
            sql::text(Origin::MIGRATED),
            any_sql(&texts)
        ));
    let path = audit.bundle.path(&format!("data/parquet/{entity}.parquet"));
    read::scan_if_there(&path, &names, &mut |row| {
        if row.text(own + 1) == Some(Origin::MIGRATED) {
            let mut all = texts.iter().enumerate();
            let fits =
                !all.any(|(at, (_, json))| row.text(at).is_some_and(|it| is_unfit(it, *json)));
            tally.check(fits, || row.text(own).unwrap_or_default().to_owned());
        }
        Ok(())
    })?;
    out.push(tally.finish());
    Ok(())
}

/// Every row that was set aside for a text has such a one there.
pub(super) fn set_aside(audit: &Audit<'_>, legacy: &Legacy, out: &mut Vec<Rule>) -> Result<()> {
    if audit.contract.unfit == Unfit::Refuse {
        return Ok(());
    }
    let entity = &legacy.entity;
    let texts = texts(&audit.contract.before.schema, entity);
    let rule = |name: &str| format!("{entity}.{name}{HELD}");
    let mut names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
    let own = names.len();
    names.extend([Quarantine::RULE, Extra::ROW, "id"]);
    let file = format!("data/quarantine/{entity}.parquet");
    let cases: Vec<String> = texts
        .iter()
        .map(|(name, json)| {
            format!("WHEN {} THEN {}", sql::text(&rule(name)), unfit_sql(name, *json))
        })
        .collect();
    let holds = if cases.is_empty() {
        "false".to_owned()
    } else {
        format!("CASE _rule {} ELSE false END", cases.join(" "))
    };
    let mut tally = Tally::new("unfit", entity, "")
        .says(format!("every {entity} row set aside for a text that not every store holds has it"))
        .query(format!(
            "SELECT {} FROM {} WHERE ends_with(_rule, {}) AND NOT coalesce({holds}, false)",
            sql::found(audit, "id"),
            sql::side(audit, &file, &names),
            sql::text(HELD),
        ));
    read::scan_if_there(&audit.bundle.path(&file), &names, &mut |row| {
        let said = row.text(own).unwrap_or_default();
        if said.ends_with(HELD) {
            let named = texts.iter().position(|(name, _)| rule(name) == said);
            let text = named.and_then(|at| Some((row.text(at)?, texts[at].1)));
            let source = row.row(own + 1).unwrap_or(usize::MAX);
            tally.check(text.is_some_and(|(text, json)| is_unfit(text, json)), || {
                legacy.place(source)
            });
        }
        Ok(())
    })?;
    out.push(tally.finish());
    Ok(())
}
