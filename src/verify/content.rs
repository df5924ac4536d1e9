//! Logical digests: what the Parquet and the JSONL files say, row by row and as a whole.

use super::Rule;
use super::facts::Audit;
use super::rows::{self, Looked};
use super::rule::Tally;
use super::sql;
use super::table::Table;
use crate::digest::TableDigest;
use crate::schema::Type;

/// The bundle names the snapshot and the contract it is held against.
pub(super) fn provenance(audit: &Audit<'_>) -> Rule {
    let meta = audit.bundle.meta();
    let (snapshot, contract) = (audit.snapshot.digest(), audit.contract.digest());
    let mut tally = Tally::new("digest", "", "")
        .says("the bundle was made of this snapshot by this contract")
        .query(format!(
            "SELECT (snapshot.digest <> {})::INT + (contract.digest <> {})::INT FROM \
             read_json({})",
            sql::text(snapshot),
            sql::text(&contract),
            sql::path(audit, "data/bundle.json")
        ));
    for (what, said, found) in [
        ("snapshot", &meta.snapshot.digest, snapshot),
        ("contract", &meta.contract.digest, contract.as_str()),
    ] {
        tally.check(said == found, || format!("the {what} has {found}, bundle.json names {said}"));
    }
    tally.finish()
}

/// A declared column: its name and type.
pub(super) type Column = (String, Type);

/// The declared columns of a target table: `id`, attributes, has-one links.
pub(super) fn declared(audit: &Audit<'_>, entity: &str) -> Vec<Column> {
    let schema = &audit.contract.after.schema;
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let attrs = attrs.iter().map(|attr| (attr.name.clone(), attr.ty));
    let links = schema.columns_of(entity).map(|link| (link.label.clone(), Type::String));
    std::iter::once(("id".to_owned(), Type::String)).chain(attrs).chain(links).collect()
}

/// The digest and the lines of a target table.
pub(super) fn rules(audit: &Audit<'_>, table: &Table, looked: &Looked, out: &mut Vec<Rule>) {
    let entity = &table.entity;
    let mut rows = Tally::new("digest", entity, "")
        .says(format!("every line of {entity}.jsonl is its Parquet row, in the same order"))
        .query(lines_sql(audit, entity, &declared(audit, entity)));
    rows.add(&looked.lines, |row, what| {
        let place = table.place(row);
        match what {
            rows::NO_LINE => format!("{place}: no line"),
            rows::NO_SUCH_LINE => format!("{place}: the line is not as it must be"),
            _ => place,
        }
    });
    if looked.more > 0 {
        rows.violate(looked.more, || format!("{} lines after the last row", looked.more));
    }
    out.push(rows.finish());
    out.push(said(audit, table, (looked.of_rows, looked.of_lines)));
}

/// bundle.json gives the digest that both files have.
fn said(audit: &Audit<'_>, table: &Table, (rows, lines): (TableDigest, TableDigest)) -> Rule {
    let entity = &table.entity;
    let differs =
        |digest: TableDigest| format!("(d IS DISTINCT FROM {})::INT", sql::text(&digest.hex()));
    let query = format!(
        "{}: these are the digests that were recomputed */ SELECT {} + {} FROM (SELECT (SELECT \
         t.digest FROM (SELECT unnest(tables) AS t FROM read_json({})) WHERE t.entity = {}) AS d)",
        sql::NO_SQL,
        differs(rows),
        differs(lines),
        sql::path(audit, "data/bundle.json"),
        sql::text(entity)
    );
    let mut tally = Tally::new("digest", entity, "")
        .says(format!("bundle.json gives the digest that the files of {entity} have"))
        .query(query);
    let meta = audit.bundle.meta();
    let said = meta.tables.iter().find(|said| said.entity == *entity);
    let wanted = said.map_or("", |said| said.digest.as_str());
    let there = rows.rows;
    let wrong = [("the Parquet file", rows), ("the JSONL file", lines)]
        .into_iter()
        .filter(|(_, digest)| digest.hex() != wanted);
    let wrong: Vec<String> = wrong
        .map(|(file, digest)| format!("{file} has {}, bundle.json {wanted}", digest.hex()))
        .collect();
    tally.check_all(there, wrong.len() as u64, || wrong.join("; "));
    tally.finish()
}

/// The longest line that DuckDB reads, in bytes: the longest object that it reads as JSON lines.
const LINE: u32 = 16 << 20;

/// Rows of one file that the other has not. The digest itself is `rethread`'s; rows that say the same
/// in both files have the same one.
fn lines_sql(audit: &Audit<'_>, entity: &str, declared: &[Column]) -> String {
    let lines = sql::is_there(audit, &format!("data/jsonl/{entity}.jsonl"));
    let rows = sql::is_there(audit, &format!("data/parquet/{entity}.parquet"));
    if !lines || !rows {
        return "SELECT 0".to_owned();
    }
    let path = |name: &str| sql::text(&format!("$.entity.\"{name}\""));
    let ours: Vec<String> = declared
        .iter()
        .map(|(name, ty)| {
            let column = sql::name(name);
            match ty {
                Type::Date => format!("epoch_us({column}) AS {column}"),
                Type::Any => format!(
                    "list_transform([{}], lambda j: CASE WHEN json_valid(j) THEN json(j)::VARCHAR ELSE j \
                     END)[1] AS {column}",
                    sql::halves(&column)
                ),
                _ => column,
            }
        })
        .collect();
    let theirs: Vec<String> = declared
        .iter()
        .map(|(name, ty)| {
            let text = format!("(j ->> {})", path(name));
            let value = match ty {
                Type::String => text,
                Type::Number => format!("{text}::DOUBLE"),
                Type::Boolean => format!("{text}::BOOLEAN"),
                Type::Any => format!("json(j -> {})::VARCHAR", path(name)),
                Type::Date => format!(
                    "coalesce(try_cast({text} AS BIGINT) * 1000, epoch_us({text}::TIMESTAMPTZ))"
                ),
            };
            format!("{value} AS {}", sql::name(name))
        })
        .collect();
    let file = sql::path(audit, &format!("data/jsonl/{entity}.jsonl"));
    format!(
        "WITH p AS (SELECT file_row_number AS f, {} FROM {}), l AS (SELECT row_number() OVER () - 1 \
         AS f, {} FROM (SELECT {} AS j FROM read_csv({file}, columns = {{'j': 'VARCHAR'}}, delim = \
         E'\\x01', quote = '', escape = '', header = false, auto_detect = false, max_line_size = \
         {LINE}))) SELECT {} FROM p FULL \
         JOIN l USING (f) WHERE p IS DISTINCT FROM l",
        ours.join(", "),
        sql::numbered(audit, &sql::target(audit, entity)),
        theirs.join(", "),
        sql::halves("j"),
        sql::found(audit, "'row ' || f"),
    )
}
