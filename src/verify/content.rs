//! Logical digests: what the Parquet and the JSONL files say, row by row and as a whole.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::Rule;
use super::facts::{Audit, Table};
use super::key;
use super::read::{self, Row};
use super::rule::Tally;
use super::sql;
use crate::bundle::Origin;
use crate::digest::{RowDigest, TableDigest, Value, micros_text};
use crate::error::Result;
use crate::json;
use crate::schema::Type;
use crate::storage;

/// The digest and the lines of every target table.
pub(super) fn rules(audit: &Audit<'_>, out: &mut Vec<Rule>) -> Result<()> {
    for entity in &audit.contract.after.schema.entities {
        let table = audit.table(&entity.name)?;
        table_rules(audit, table, out)?;
    }
    Ok(())
}

/// A declared column: its name and type.
type Column = (String, Type);

fn declared(audit: &Audit<'_>, entity: &str) -> Vec<Column> {
    let schema = &audit.contract.after.schema;
    let attrs = schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
    let attrs = attrs.iter().map(|attr| (attr.name.clone(), attr.ty));
    let links = schema.columns_of(entity).map(|link| (link.label.clone(), Type::String));
    std::iter::once(("id".to_owned(), Type::String)).chain(attrs).chain(links).collect()
}

fn table_rules(audit: &Audit<'_>, table: &Table, out: &mut Vec<Rule>) -> Result<()> {
    let entity = &table.entity;
    let declared = declared(audit, entity);
    let mut names: Vec<&str> = declared.iter().map(|(name, _)| name.as_str()).collect();
    names.extend([Origin::SERVER, Origin::EXTRA]);
    let (created, extra) = (declared.len(), declared.len() + 1);
    let query = lines_sql(audit, entity, &declared);
    let mut rows = Tally::new("digest", entity, "")
        .says(format!("every line of {entity}.jsonl is its Parquet row, in the same order"))
        .query(query.clone());
    let mut lines = Lines::open(&audit.bundle.path(&format!("data/jsonl/{entity}.jsonl")))?;
    let (mut of_rows, mut of_lines) = (TableDigest::default(), TableDigest::default());
    let mut digest = RowDigest::default();
    read::scan_if_there(&table.path, &names, &mut |row| {
        let place = || table.place(row.number);
        let row_digest = digest.of(values(&declared, row));
        of_rows.add(row_digest);
        let Some(line) = lines.next()? else {
            rows.check(false, || format!("{}: no line", place()));
            return Ok(());
        };
        let expected = Beside { created: row.whole(created), extra: row.text(extra) };
        match line_digest(&mut digest, &declared, line, &expected) {
            Some(found) => {
                of_lines.add(found);
                rows.check(found == row_digest, place);
            }
            None => rows.check(false, || format!("{}: the line is not as it must be", place())),
        }
        Ok(())
    })?;
    let mut more = 0;
    while lines.next()?.is_some() {
        more += 1;
    }
    if more > 0 {
        rows.violate(more, || format!("{more} lines after the last row"));
    }
    out.push(rows.finish());
    out.push(said(audit, table, (of_rows, of_lines), query));
    Ok(())
}

/// bundle.json gives the digest that both files have.
fn said(
    audit: &Audit<'_>,
    table: &Table,
    (rows, lines): (TableDigest, TableDigest),
    query: String,
) -> Rule {
    let entity = &table.entity;
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

fn values<'a>(declared: &'a [Column], row: Row<'a>) -> impl Iterator<Item = (&'a str, Value<'a>)> {
    declared.iter().enumerate().map(move |(at, (name, ty))| (name.as_str(), row.value(at, *ty)))
}

/// What a row has beside its declared columns.
struct Beside<'a> {
    created: Option<i64>,
    extra: Option<&'a str>,
}

/// The digest of a line `{"entity":{…},"createdAt":ms}`; `None` when it is no such line, or says
/// more than the row.
fn line_digest(
    digest: &mut RowDigest,
    declared: &[Column],
    line: &str,
    expected: &Beside<'_>,
) -> Option<u128> {
    let members = json::members(line).ok()?;
    let (mut entity, mut created) = (None, None);
    for (name, value) in &members {
        match name.as_ref() {
            "entity" if entity.is_none() => entity = Some(*value),
            "createdAt" if created.is_none() => created = Some(value.parse::<i64>().ok()?),
            _ => return None,
        }
    }
    if expected.created.is_some() && created != expected.created {
        return None;
    }
    let fields = json::members(entity?).ok()?;
    let extra = expected.extra.map_or(Some(Vec::new()), |extra| json::members(extra).ok())?;
    let mut found: Vec<(&str, Given<'_>)> = Vec::new();
    for (name, value) in &fields {
        match declared.iter().find(|(column, _)| column.as_str() == name.as_ref()) {
            Some((column, _)) if found.iter().any(|(other, _)| other == column) => return None,
            Some((column, ty)) => found.push((column, given(value, *ty)?)),
            // What the columns do not hold stands in `_extra`, as it is.
            None => {
                extra.iter().find(|(known, text)| known == name && text == value)?;
            }
        }
    }
    Some(digest.of(found.iter().map(|(name, given)| (*name, given.value()))))
}

/// A value out of a line.
enum Given<'a> {
    Text(std::borrow::Cow<'a, str>),
    Plain(Value<'a>),
}

impl Given<'_> {
    fn value(&self) -> Value<'_> {
        match self {
            Given::Text(text) => Value::Text(text),
            Given::Plain(value) => *value,
        }
    }
}

/// A member of a line as a contract's type has it; `None` when it does not fit.
fn given(text: &str, ty: Type) -> Option<Given<'_>> {
    if text == "null" {
        return Some(Given::Plain(Value::Absent));
    }
    Some(match ty {
        Type::String => Given::Text(json::string(text)?),
        Type::Any => Given::Plain(Value::Json(text)),
        Type::Number => Given::Plain(Value::Number(text.parse().ok()?)),
        Type::Boolean => Given::Plain(Value::Boolean(text.parse().ok()?)),
        Type::Date => Given::Plain(Value::Date(match json::string(text) {
            Some(text) => moment(&text)?,
            None => text.parse::<i64>().ok()?.checked_mul(1000)?,
        })),
    })
}

/// The microseconds of an ISO moment in UTC.
fn moment(text: &str) -> Option<i64> {
    let form = "%Y-%m-%dT%H:%M:%S%.fZ";
    let moment = chrono::NaiveDateTime::parse_from_str(text, form).ok()?;
    let micros = moment.and_utc().timestamp_micros();
    // Nothing may hide below a microsecond.
    let exact = moment.and_utc().timestamp_subsec_nanos().is_multiple_of(1000);
    (exact && (micros_text(micros) == text || !text.contains('+'))).then_some(micros)
}

/// The lines of a file, one in memory.
struct Lines {
    reader: Option<BufReader<std::fs::File>>,
    line: Vec<u8>,
    path: std::path::PathBuf,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let reader = match path.exists() {
            true => Some(BufReader::with_capacity(1 << 18, storage::open(path)?)),
            false => None,
        };
        Ok(Self { reader, line: Vec::new(), path: path.to_owned() })
    }

    /// The next line without its end; one that is no UTF-8 is given empty.
    fn next(&mut self) -> Result<Option<&str>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        self.line.clear();
        let read = reader
            .read_until(b'\n', &mut self.line)
            .map_err(|error| storage::failed(&self.path, error))?;
        if read == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok(Some(std::str::from_utf8(&self.line).unwrap_or_default()))
    }
}

/// Rows of one file that the other has not. The digest itself is `rethread`'s; rows that say the same
/// in both files have the same one.
fn lines_sql(audit: &Audit<'_>, entity: &str, declared: &[Column]) -> String {
    let (_, lines) = audit.file(&format!("data/jsonl/{entity}.jsonl"));
    let (_, rows) = audit.file(&format!("data/parquet/{entity}.parquet"));
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
                Type::Any => format!("json({column})::VARCHAR AS {column}"),
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
    let file = sql::text(&format!("data/jsonl/{entity}.jsonl"));
    format!(
        "WITH p AS (SELECT file_row_number AS f, {} FROM read_parquet({}, file_row_number = true)), \
         l AS (SELECT row_number() OVER () - 1 AS f, {} FROM (SELECT json AS j FROM \
         read_ndjson_objects({file}))) SELECT count(*) FROM p FULL JOIN l USING (f) WHERE p IS \
         DISTINCT FROM l",
        ours.join(", "),
        sql::target(audit, entity),
        theirs.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_microsecond() {
        let cases = [
            ("1970-01-01T00:00:00.000001Z", Some(1)),
            ("1970-01-01T00:00:00.001Z", Some(1000)),
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("1969-12-31T23:59:59.999999Z", Some(-1)),
            ("1970-01-01T00:00:00.0000001Z", None),
            ("1970-01-01", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(moment(text), expected, "{text}");
        }
    }

    #[test]
    fn a_line_says_what_its_row_says() {
        let declared = vec![
            ("id".to_owned(), Type::String),
            ("n".to_owned(), Type::Number),
            ("at".to_owned(), Type::Date),
        ];
        let mut digest = RowDigest::default();
        let row = digest.of([
            ("id", Value::Text("x")),
            ("n", Value::Number(1.0)),
            ("at", Value::Date(1000)),
        ]);
        let beside = Beside { created: Some(7), extra: Some(r#"{"z":[1]}"#) };
        let mut check = |line: &str, same: bool| {
            let found = line_digest(&mut digest, &declared, line, &beside);
            assert_eq!(found == Some(row), same, "{line}");
        };
        check(
            r#"{"entity":{"id":"x","n":1,"at":"1970-01-01T00:00:00.001000Z"},"createdAt":7}"#,
            true,
        );
        check(r#"{"entity":{"id":"x","n":1.0,"at":1,"z":[1]},"createdAt":7}"#, true);
        check(r#"{"entity":{"id":"x","n":1,"at":1},"createdAt":8}"#, false);
        check(r#"{"entity":{"id":"x","n":1,"at":2},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":1,"at":1,"y":2},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":1,"at":1,"n":1},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","n":"1","at":1},"createdAt":7}"#, false);
        check(r#"{"entity":{"id":"x","at":1},"createdAt":7}"#, false);
        check("", false);
    }
}
