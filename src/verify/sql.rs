//! Pieces of the DuckDB queries that reproduce a rule.
//!
//! A query runs in the bundle's folder, with `$SNAPSHOT` for the snapshot's; or over views of all files
//! ([`super::independent`]).

use super::facts::Audit;
use super::legacy::Legacy;
use crate::contract::ID_DIGITS;

/// A name as SQL quotes it.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL quotes it.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A target table of the bundle.
pub(super) fn target(audit: &Audit<'_>, entity: &str) -> String {
    let declared = crate::bundle::columns(&audit.contract.after.schema, entity);
    bundle_file(audit, &format!("data/parquet/{entity}.parquet"), declared.fields())
}

/// A legacy table of the snapshot.
pub(super) fn legacy(audit: &Audit<'_>, legacy: &Legacy) -> String {
    if in_snapshot(audit, &legacy.file) {
        return source(audit, &legacy.file);
    }
    nothing(crate::snapshot::columns(&audit.contract.before.schema, &legacy.entity).fields())
}

/// A table of the snapshot that a target entity had already.
pub(super) fn existing(audit: &Audit<'_>, entity: &str) -> String {
    match audit.snapshot.table(entity) {
        Some(table) if in_snapshot(audit, &table.file) => source(audit, &table.file),
        _ => {
            let columns = crate::snapshot::columns(&audit.contract.after.schema, entity);
            nothing(columns.fields())
        }
    }
}

/// A side file of the bundle with these columns, numbers where the name says row, else texts.
pub(super) fn side(audit: &Audit<'_>, file: &str, columns: &[&str]) -> String {
    use arrow::datatypes::{DataType, Field};
    let field = |name: &&str| {
        let ty = if name.ends_with("_row") { DataType::Int64 } else { DataType::Utf8 };
        Field::new(*name, ty, true)
    };
    let fields: Vec<_> = columns.iter().map(field).map(std::sync::Arc::new).collect();
    bundle_file(audit, file, &fields)
}

fn bundle_file(
    audit: &Audit<'_>,
    file: &str,
    columns: &[std::sync::Arc<arrow::datatypes::Field>],
) -> String {
    if !is_there(audit, file) {
        return nothing(columns);
    }
    if audit.views.is_some() { view("bundle", file) } else { text(file) }
}

/// A file of the snapshot.
pub(super) fn source(audit: &Audit<'_>, file: &str) -> String {
    if audit.views.is_some() { view("snapshot", file) } else { text(&format!("$SNAPSHOT/{file}")) }
}

/// Whether a file of the bundle is there.
pub(super) fn is_there(audit: &Audit<'_>, file: &str) -> bool {
    audit.views.map_or_else(|| audit.file(file).1, |views| views.bundle.join(file).exists())
}

/// Whether a file of the snapshot is there.
pub(super) fn in_snapshot(audit: &Audit<'_>, file: &str) -> bool {
    let path = audit.views.map_or_else(|| audit.snapshot.path(file), |at| at.snapshot.join(file));
    path.exists()
}

/// The view of a Parquet file: `target."<entity>"` for `data/parquet/<entity>.parquet`, else the folder
/// as the schema.
pub(super) fn view(side: &str, file: &str) -> String {
    let file = file.strip_prefix("data/").unwrap_or(file);
    let file = file.strip_suffix(".parquet").unwrap_or(file);
    let (folder, rest) = file.split_once('/').unwrap_or((side, file));
    let schema = match (side, folder) {
        ("snapshot", "tables") => "source",
        ("snapshot", _) => "source_links",
        (_, "parquet") => "target",
        (_, folder) => folder,
    };
    format!("{}.{}", name(schema), name(rest))
}

/// A table with its rows' places in the file as `file_row_number`.
pub(super) fn numbered(audit: &Audit<'_>, table: &str) -> String {
    // Every view has them.
    if audit.views.is_some() {
        return table.to_owned();
    }
    format!("read_parquet({table}, file_row_number = true)")
}

/// The path of a file that is no table, as a value.
pub(super) fn path(audit: &Audit<'_>, file: &str) -> String {
    if audit.views.is_some() {
        return format!("getvariable('bundle') || {}", text(&format!("/{file}")));
    }
    text(file)
}

/// The path of a file of the snapshot that is no table, as a value.
pub(super) fn source_path(audit: &Audit<'_>, file: &str) -> String {
    if audit.views.is_some() {
        return format!("getvariable('snapshot') || {}", text(&format!("/{file}")));
    }
    text(&format!("$SNAPSHOT/{file}"))
}

/// What a query gives of the rows it finds: how many, and where it is to be told the first by this.
pub(super) fn found(audit: &Audit<'_>, first: &str) -> String {
    if audit.views.is_none() {
        return "count(*)".to_owned();
    }
    format!("count(*) AS violations, min(({first})::VARCHAR) AS {FIRST}")
}

/// The second column of a query that tells the first place.
pub(super) const FIRST: &str = "first_place";

/// How the query of a rule begins that SQL cannot decide.
pub(super) const NO_SQL: &str = "/* SQL has no canonical JSON";

/// A table without a row in place of a file that is not there.
fn nothing(columns: &[std::sync::Arc<arrow::datatypes::Field>]) -> String {
    use arrow::datatypes::DataType;
    let column = |field: &std::sync::Arc<arrow::datatypes::Field>| {
        let ty = match field.data_type() {
            DataType::Int64 => "BIGINT",
            DataType::Float64 => "DOUBLE",
            DataType::Boolean => "BOOLEAN",
            DataType::Timestamp(_, _) => "TIMESTAMPTZ",
            _ => "VARCHAR",
        };
        format!("NULL::{ty} AS {}", name(field.name()))
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!("(SELECT {} WHERE false)", columns.join(", "))
}

/// The rows of a legacy table that became rows of a target: `r` (legacy row), `id` (target id).
pub(super) fn stands(audit: &Audit<'_>, legacy: &Legacy, target_entity: &str) -> String {
    let entity = text(target_entity);
    let adopted =
        side(audit, &format!("data/adopted/{}.parquet", legacy.entity), &["_row", "entity", "id"]);
    format!(
        "(SELECT _source_row AS r, id FROM {} WHERE _origin = 'migrated' \
         UNION ALL SELECT _row, id FROM {adopted} WHERE entity = {entity})",
        target(audit, target_entity),
    )
}

/// The same with the rows that an existing row of the target stands for.
pub(super) fn stands_or_merged(audit: &Audit<'_>, legacy: &Legacy, target_entity: &str) -> String {
    let merged = format!("data/merged/{}.parquet", legacy.entity);
    let merged = side(audit, &merged, &["_row", "_winner_row", "id", "_entity"]);
    format!(
        "(SELECT r, id FROM {} UNION ALL SELECT _row, id FROM {merged} WHERE _entity = {})",
        stands(audit, legacy, target_entity),
        text(target_entity)
    )
}

/// The rows that count where one of several is to be found: see [`Audit::counts`].
pub(super) fn counts(audit: &Audit<'_>, legacy: &Legacy, target_entity: &str) -> String {
    let since_3 = audit.is_judged_by_source();
    let rows = if since_3 { stands_or_merged } else { stands };
    rows(audit, legacy, target_entity)
}

/// Those of a legacy table, as `r`: for each of its targets once.
pub(super) fn counted(audit: &Audit<'_>, entity: &str) -> String {
    let Some(legacy) = audit.legacy.get(entity) else { return String::new() };
    let onto = legacy.onto.iter();
    let rows = onto.map(|onto| format!("SELECT r FROM {}", counts(audit, legacy, &onto.target)));
    rows.collect::<Vec<_>>().join(" UNION ALL ")
}

/// The migrated rows of a legacy table, as `r`: for each of its targets once.
pub(super) fn migrated(audit: &Audit<'_>, entity: &str) -> String {
    let Some(legacy) = audit.legacy.get(entity) else { return String::new() };
    let onto = legacy.onto.iter();
    let rows = onto.map(|onto| format!("SELECT r FROM {}", stands(audit, legacy, &onto.target)));
    rows.collect::<Vec<_>>().join(" UNION ALL ")
}

/// What ids of rows of a legacy (or target) entity lead to in a target: `old`, `id`.
pub(super) fn heirs(audit: &Audit<'_>, entity: &str, target_entity: &str) -> String {
    let Some(from) = audit.legacy.get(entity) else {
        let table = target(audit, target_entity);
        return format!(
            "(SELECT {} AS old, id FROM {table} WHERE _origin = 'existing')",
            self::id("id")
        );
    };
    format!(
        "(SELECT {} AS old, any_value(m.id) AS id FROM {} l LEFT JOIN {} m ON m.r = l._row WHERE l.id \
         IS NOT NULL GROUP BY 1)",
        self::id("l.id"),
        legacy(audit, from),
        stands_or_merged(audit, from, target_entity),
    )
}

/// An id as it is compared: a UUID in lower case, any other text as it stands.
pub(super) fn id(expression: &str) -> String {
    format!(
        "CASE WHEN regexp_full_match({expression}, '[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-\
         [0-9a-fA-F]{{12}}') THEN lower({expression}) ELSE {expression} END"
    )
}

/// An id as ids are put in order: see [`crate::contract::OrderKey::Id`].
pub(super) fn ordered_id(expression: &str) -> String {
    let id = id(expression);
    format!(
        "CASE WHEN regexp_full_match({expression}, '[0-9]+') AND length({expression}) <= {ID_DIGITS} THEN \
         lpad({expression}, {ID_DIGITS}, '0') || ' ' || {expression} ELSE {id} END"
    )
}

/// JSON text in which halves of surrogate pairs, which DuckDB takes for no JSON, are plain text: so are
/// those of whole pairs. What is compared is to go through this on both sides.
pub(super) fn halves(json: &str) -> String {
    format!(
        "CASE WHEN contains({json}, '\\ud') OR contains({json}, '\\uD') THEN regexp_replace({json}, \
         '\\\\(?:\\\\|(u[dD][89a-fA-F][0-9a-fA-F]{{2}}))', '\\\\\\\\\\1', 'g') ELSE {json} END"
    )
}

/// A number as text, without a fraction when it is whole.
pub(super) fn number_text(column: &str) -> String {
    format!(
        "CASE WHEN {column} = trunc({column}) AND abs({column}) < 1e18 THEN \
         {column}::BIGINT::VARCHAR ELSE {column}::VARCHAR END"
    )
}

/// The target id of a legacy id: a UUID in lower case, any other text by uuid5.
pub(super) fn target_id(id: &str, namespace: &str, target: &str) -> String {
    format!(
        "CASE WHEN regexp_full_match({id}, '[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-\
         [0-9a-fA-F]{{12}}') THEN lower({id}) ELSE {} END",
        uuid5(id, namespace, target)
    )
}

/// `uuid5(uuid5(NAMESPACE_URL, namespace), "<target>:<name>")`.
pub(super) fn uuid5(name: &str, namespace: &str, target: &str) -> String {
    let space = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, namespace.as_bytes());
    let sha1 = format!(
        "sha1(unhex('{}') || encode({} || ({name})))",
        space.simple(),
        text(&format!("{target}:"))
    );
    format!(
        "list_transform([{sha1}], lambda h: h[1:8] || '-' || h[9:12] || '-5' || h[14:16] || '-' || \
         substr('89ab', 1 + (strpos('0123456789abcdef', h[17]) - 1) % 4, 1) || h[18:20] || '-' || \
         h[21:32])[1]"
    )
}
