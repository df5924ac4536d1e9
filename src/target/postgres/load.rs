//! Rows on their way in, by binary COPY.

use std::collections::BTreeMap;

use super::schema::{DIGEST, IMPORTS, columns, named, type_of};
use super::{Open, merge};
use crate::error::{Error, Kind, Result, grouped};
use crate::json::{self, Escapes};
use crate::pg::{self, copy::Writer, literal, quoted};
use crate::progress::Progress;
use crate::target::faults::Faults;
use crate::target::{Column, ColumnKind, Plan, Rows, Table, Value};

/// Copies every row of the bundle: into the tables themselves, or into the temporary ones.
pub(super) fn copy_all(open: &mut Open, plan: &Plan, progress: &dyn Progress) -> Result<()> {
    let mut faults = Faults::default();
    for (at, table) in plan.tables.iter().enumerate() {
        if let Err(error) = copy(open, (at, table), plan, (&mut faults, progress)) {
            return Err(place(error, plan, table));
        }
    }
    faults.refuse(
        |values| format!("`{}` cannot hold {values}", open.place.shown()),
        "keep payloads as text with `--json-as text`, import into a target that holds them, or let the \
         contract set such rows aside (`[target] unfit = \"quarantine\"`); nothing was imported",
    )
}

fn copy(
    open: &mut Open,
    (at, table): (usize, &Table),
    plan: &Plan,
    (faults, progress): (&mut Faults, &dyn Progress),
) -> Result<()> {
    let into = if open.fresh { named(&open.options, &table.name) } else { merge::staged(at) };
    let columns: Vec<(usize, &Column, &str)> = columns(open, table)
        .map(|(at, column)| (at, column, type_of(column, &open.options)))
        .collect();
    let names = columns.iter().map(|(_, column, _)| quoted(&column.name));
    let names: Vec<String> = names.chain([quoted(DIGEST)]).collect();
    let sql = format!("COPY {into} ({}) FROM STDIN (FORMAT BINARY)", names.join(", "));
    let what = format!("`{}` cannot be written", table.name);
    // Once something cannot be held, nothing is written any more: the rest is only looked at.
    let mut writer = None;
    if faults.is_empty() {
        let out = open.client.copy_in(&sql);
        let out = out.map_err(|error| pg::failed(&error, &open.place, &what))?;
        writer = Some(Writer::new(out, &open.place, &what));
    }
    let fields = u16::try_from(names.len()).unwrap_or(u16::MAX);
    plan.scan_digested(table, progress, &mut |rows| {
        for row in 0..rows.len() {
            if let Some((column, why)) = unfit(rows, row, &columns) {
                writer = None;
                let id = rows.key(table, row).join(" -> ");
                faults.add(&table.name, format!("a value of `{}` {why}", column.name), &id);
            } else if let Some(writer) = &mut writer {
                let put = put_row(writer, rows, row, (fields, &columns));
                put.map_err(|error| row_named(error, table, rows, row))?;
            }
        }
        Ok(())
    })?;
    match writer {
        Some(writer) => writer.finish().map(drop),
        None => Ok(()),
    }
}

/// The first value of a row that PostgreSQL cannot hold, and why.
fn unfit<'c>(
    rows: &Rows<'_>,
    row: usize,
    columns: &[(usize, &'c Column, &str)],
) -> Option<(&'c Column, &'static str)> {
    columns.iter().find_map(|(at, column, ty)| {
        let why = match rows.value(*at, row) {
            Value::Text(id) if *ty == "uuid" => {
                let is_uuid = id.len() == 36 && uuid::Uuid::try_parse(id).is_ok();
                (!is_uuid).then_some("is no UUID")
            }
            Value::Json(text) if *ty == "jsonb" => match json::escapes(text) {
                Escapes { nul: true, .. } => Some("has a NUL character, which jsonb cannot hold"),
                Escapes { lone_surrogate: true, .. } => {
                    Some("has half a surrogate pair, which jsonb cannot hold")
                }
                Escapes { .. } => None,
            },
            Value::Text(text) | Value::Json(text) if text.contains('\0') => {
                Some("has a NUL character, which PostgreSQL cannot hold")
            }
            _ => None,
        };
        why.map(|why| (*column, why))
    })
}

fn put_row(
    writer: &mut Writer<'_, '_>,
    rows: &Rows<'_>,
    row: usize,
    (fields, columns): (u16, &[(usize, &Column, &str)]),
) -> Result<()> {
    writer.row(fields)?;
    for (at, _, ty) in columns {
        match rows.value(*at, row) {
            Value::Null => writer.null(),
            Value::Text(id) if *ty == "uuid" => writer.uuid(id)?,
            Value::Json(text) if *ty == "jsonb" => writer.jsonb(text)?,
            Value::Text(text) | Value::Json(text) => writer.text(text)?,
            Value::Number(number) => writer.float8(number),
            Value::Boolean(value) => writer.bool(value),
            Value::Date(micros) => writer.timestamptz(micros)?,
            Value::Whole(number) => writer.int8(number),
        }
    }
    writer.bytes16(&rows.digest(row).to_be_bytes());
    Ok(())
}

fn row_named(error: Error, table: &Table, rows: &Rows<'_>, row: usize) -> Error {
    match error.kind {
        // What the server says comes rows later; its own word for the place is looked at instead.
        Kind::System | Kind::Busy => error,
        _ => error.at(format!("`{}` {}", table.name, rows.key(table, row).join(" -> "))),
    }
}

/// Names the row that the server could not take, when it says which line of the copy it was.
fn place(error: Error, plan: &Plan, table: &Table) -> Error {
    let Some(line) = pg::line_of(&error) else { return error };
    let error = if error.message.contains("SQLSTATE 22") {
        let help = "keep payloads as text with `--json-as text`, or repair the legacy row";
        Error { kind: Kind::Refused, help: Some(help.to_owned()), ..error }
    } else {
        error
    };
    let mut left = line;
    let mut found = None;
    let silent = crate::progress::Silent;
    // A second look at the bundle can only fail as the first one did.
    drop(plan.scan(table, &silent, &mut |rows| {
        let count = rows.len() as u64;
        if found.is_none() && left <= count && left > 0 {
            let row = usize::try_from(left - 1).unwrap_or_default();
            found = Some(rows.key(table, row).join(" -> "));
        }
        left = left.saturating_sub(count);
        Ok(())
    }));
    match found {
        Some(id) => error.at(format!("`{}` {id}", table.name)),
        None => error.at(format!("`{}` row {}", table.name, grouped(line))),
    }
}

/// Whether an import of this bundle is on record.
pub(super) fn is_recorded(open: &mut Open, plan: &Plan) -> Result<bool> {
    let (imports, bundle) = (named(&open.options, IMPORTS), literal(&plan.bundle));
    let sql = format!("SELECT count(*) FROM {imports} WHERE \"bundle\" = {bundle}");
    Ok(open.count(&sql, "the imports cannot be read")? > 0)
}

/// Notes which run wrote which bundle.
pub(super) fn record(open: &mut Open, plan: &Plan) -> Result<()> {
    let counts: BTreeMap<&str, u64> =
        plan.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    // A map of names to counts always has a JSON form.
    let counts = serde_json::to_string(&counts).unwrap_or_default();
    let values = [&open.job.run, &plan.bundle, &plan.contract, &plan.program, &counts];
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    let sql = format!(
        "INSERT INTO {} (\"run\", \"bundle\", \"contract\", \"program\", \"counts\") VALUES ({}) \
         ON CONFLICT (\"run\") DO UPDATE SET \"at\" = now()",
        named(&open.options, IMPORTS),
        values.join(", ")
    );
    open.run(&sql, "the import cannot be recorded")
}

/// How a column is asked for so that its bytes can be read: ids and payloads as text.
pub(super) fn asked(column: &Column, alias: &str) -> String {
    let name = format!("{alias}.{}", quoted(&column.name));
    match column.kind {
        ColumnKind::Text | ColumnKind::Json => format!("{name}::text"),
        _ => name,
    }
}
