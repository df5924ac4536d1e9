//! The queries that reproduce the counts of notes.

use super::facts::Audit;
use super::naming::type_of;
use super::sql::{self, name};
use super::value_sql;
use crate::contract::NoteWhat;
use crate::schema::Type;

/// The migrated rows of a target that a note on one column counts.
pub(super) fn query(audit: &Audit<'_>, (entity, what): (&str, &NoteWhat)) -> String {
    let table = sql::target(audit, entity);
    let found = sql::found(audit, "t.id");
    let migrated = |holds: &str| {
        format!("SELECT {found} FROM {table} t WHERE t._origin = 'migrated' AND {holds}")
    };
    let column = |name: &str| format!("t.{}", sql::name(name));
    match what {
        NoteWhat::Null(columns) => {
            let name = columns.first().map_or("", |(_, name)| name);
            let ty = type_of(&audit.contract.after.schema, entity, name);
            let null = format!("{} IS NULL", column(name));
            let json = format!("({null} OR {} = 'null')", column(name));
            migrated(if ty == Type::Any { &json } else { &null })
        }
        NoteWhat::Text(columns) => {
            let name = columns.first().map_or("", |(_, name)| name);
            migrated(&format!("starts_with(ltrim({}, E' \\t\\r\\n'), '\"')", column(name)))
        }
        NoteWhat::Unlike { column: (_, attr), template } => {
            migrated(&format!("{} <> {}", column(attr), value_sql::built(audit, entity, template)))
        }
        NoteWhat::Shared { by, .. } => {
            let by: Vec<String> = by.iter().map(|column| name(column)).collect();
            let there: Vec<String> = by.iter().map(|name| format!("{name} IS NOT NULL")).collect();
            format!(
                "SELECT {found} FROM (SELECT id, _origin, count(*) OVER (PARTITION BY {}) AS n FROM \
                 {table} WHERE {}) t WHERE n > 1 AND _origin = 'migrated'",
                by.join(", "),
                there.join(" AND "),
            )
        }
        NoteWhat::Differ { column: (_, label), over, take } => {
            let next = audit.contract.after.schema.link(entity, over);
            let next = sql::target(audit, next.map_or("", |link| &link.to));
            format!(
                "SELECT {found} FROM {table} t JOIN {next} n ON n.id = {} WHERE t._origin = 'migrated' \
                 AND {} <> n.{}",
                column(over),
                column(label),
                name(take),
            )
        }
    }
}
