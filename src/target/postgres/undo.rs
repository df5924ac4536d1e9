//! Undoing an import.

use super::schema::{DIGEST, IMPORTS, named, type_of};
use super::{Open, Payloads, merge};
use crate::error::{Error, Kind, Result};
use crate::pg::{self, copy::Writer, literal, quoted};
use crate::target::{
    Before, Column, Image, Job, Journal, Plan, Role, Table, Undoing, later_import,
};

/// Note of an import in the journal: it made these tables; an empty name is the schema.
pub(super) const MADE: &str = "made";

/// Note of an import in the journal: how it wrote payloads.
pub(super) const JSON_AS: &str = "json_as";

/// How the import that is to be undone wrote payloads, where its journal says it.
pub(super) fn payloads(job: &Job, journal: &Journal<'_>) -> Option<Payloads> {
    let noted = journal.notes(job.undoes.as_deref()?, JSON_AS).last()?.as_str()?;
    Payloads::ALL.into_iter().find(|payloads| payloads.name() == noted)
}

/// What undoing does with a staged row.
const REMOVED: i16 = 0;
const LEFT: i16 = 1;
const RESTORED: i16 = 2;

/// Says what undoing would do, and decides about every staged row.
pub(super) fn inspect(open: &mut Open, plan: &Plan, before: &Before) -> Result<Vec<Undoing>> {
    refuse_later(open, plan)?;
    mark(open, plan, before)?;
    let found: Result<Vec<Undoing>> =
        plan.tables.iter().enumerate().map(|table| look(open, table)).collect();
    refuse_followers(open, plan)?;
    found
}

/// Refuses while a later import of another bundle stands on this one.
fn refuse_later(open: &mut Open, plan: &Plan) -> Result<()> {
    let (imports, bundle) = (named(&open.options, IMPORTS), literal(&plan.bundle));
    let sql = format!(
        "SELECT \"bundle\" FROM {imports} WHERE \"bundle\" <> {bundle} AND \"at\" >
         (SELECT min(\"at\") FROM {imports} WHERE \"bundle\" = {bundle}) ORDER BY \"at\" DESC"
    );
    match open.texts(&sql, "the imports cannot be read")?.first() {
        None => Ok(()),
        Some(later) => Err(later_import(later).at(open.place.shown())),
    }
}

/// Refuses when rows of other tables would go, or change, with rows of the import: their foreign keys
/// say `CASCADE`, `SET NULL` or `SET DEFAULT`.
fn refuse_followers(open: &mut Open, plan: &Plan) -> Result<()> {
    let what = "the foreign keys cannot be read";
    let ours: Vec<String> = plan
        .tables
        .iter()
        .map(|table| format!("to_regclass({})", literal(&named(&open.options, &table.name))))
        .collect();
    for (at, table) in plan.tables.iter().enumerate() {
        let on = literal(&named(&open.options, &table.name));
        let sql = format!(
            "SELECT format('SELECT count(*) FROM %s f JOIN {} s ON s.%I = f.%I WHERE s.\"_fate\" = {REMOVED}',
                c.conrelid::regclass, a.attname, b.attname)
             FROM pg_constraint c
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = c.confkey[1]
             JOIN pg_attribute b ON b.attrelid = c.conrelid AND b.attnum = c.conkey[1]
             WHERE c.contype = 'f' AND c.confdeltype IN ('c', 'n', 'd')
             AND c.confrelid = {on}::regclass AND c.conrelid <> ALL (ARRAY[{}]::oid[]) ORDER BY 1",
            merge::staged(at),
            ours.join(", ")
        );
        for asked in open.texts(&sql, what)? {
            let rows = open.count(&asked, what)?;
            if rows > 0 {
                let rows = crate::error::grouped(rows);
                let said = format!("{rows} rows that are not ours would follow rows of the import");
                return Err(Error::refused(said)
                    .at(format!("they lead to `{}`, and go or change with it", table.name))
                    .help("let them lead elsewhere, or remove them, then roll back; nothing was changed"));
            }
        }
    }
    Ok(())
}

/// Marks the staged rows that were there before the import.
fn mark(open: &mut Open, plan: &Plan, before: &Before) -> Result<()> {
    let what = "what was there before cannot be compared";
    let sql =
        "CREATE TEMPORARY TABLE \"was\" (n bigint, a text, b text, fate bigint) ON COMMIT DROP";
    open.run(sql, what)?;
    let sql = "COPY pg_temp.\"was\" (n, a, b, fate) FROM STDIN (FORMAT BINARY)";
    let out = open.client.copy_in(sql);
    let out = out.map_err(|error| pg::failed(&error, &open.place, what))?;
    let mut writer = Writer::new(out, &open.place, what);
    before.each(&mut |row| {
        let place = plan.tables.iter().position(|table| table.name == row.table);
        let Some(at) = place.and_then(|at| i64::try_from(at).ok()) else { return Ok(()) };
        writer.row(4)?;
        writer.int8(at);
        for key in [row.key.first(), row.key.get(1)] {
            match key {
                Some(key) => writer.text(key)?,
                None => writer.null(),
            }
        }
        writer.int8(i64::from(if row.was.is_some() { RESTORED } else { LEFT }));
        Ok(())
    })?;
    writer.finish()?;
    for (at, table) in plan.tables.iter().enumerate() {
        let keys: Vec<String> = table
            .keys()
            .zip(["a", "b"])
            .map(|((_, column), was)| format!("s.{}::text = w.{was}", quoted(&column.name)))
            .collect();
        let sql = format!(
            "UPDATE {} s SET \"_fate\" = w.fate FROM pg_temp.\"was\" w WHERE w.n = {at} AND {}",
            merge::staged(at),
            keys.join(" AND ")
        );
        open.run(&sql, what)?;
    }
    Ok(())
}

fn look(open: &mut Open, (at, table): (usize, &Table)) -> Result<Undoing> {
    let what = "the rows cannot be compared";
    let (staged, on) = (merge::staged(at), named(&open.options, &table.name));
    let count = |fate: i16| format!("SELECT count(*) FROM {staged} WHERE \"_fate\" = {fate}");
    let mut undoing = Undoing {
        table: table.name.clone(),
        removed: open.count(&count(REMOVED), what)?,
        restored: open.count(&count(RESTORED), what)?,
        left: open.count(&count(LEFT), what)?,
        ..Undoing::default()
    };
    let keys: Vec<String> =
        table.keys().map(|(_, column)| format!("s.{}::text", quoted(&column.name))).collect();
    let (keys, same) = (keys.join(" || ' -> ' || "), merge::same_key(table));
    let gone = format!(
        "SELECT {keys} FROM {staged} s WHERE s.\"_fate\" <> {LEFT}
         AND NOT EXISTS (SELECT 1 FROM {on} t WHERE {same}) ORDER BY 1"
    );
    for key in open.texts(&gone, what)? {
        undoing.changed.add(|| format!("{key} is gone"));
    }
    let changed = format!(
        "SELECT {keys} FROM {staged} s JOIN {on} t ON {same} WHERE s.\"_fate\" <> {LEFT} AND NOT ({}) ORDER BY 1",
        merge::same_content(table)
    );
    for key in open.texts(&changed, what)? {
        undoing.changed.add(|| key);
    }
    Ok(undoing)
}

/// Removes and restores rows, and drops what the import made and nobody else uses.
pub(super) fn revert(
    open: &mut Open,
    plan: &Plan,
    before: &Before,
    journal: &Journal<'_>,
) -> Result<()> {
    for (at, table) in plan.tables.iter().enumerate().rev() {
        let sql = format!(
            "DELETE FROM {} t USING {} s WHERE {} AND s.\"_fate\" = {REMOVED}",
            named(&open.options, &table.name),
            merge::staged(at),
            merge::same_key(table)
        );
        hanging(open.run(&sql, "a row cannot be removed"))?;
    }
    merge::free_unique(open, plan)?;
    before.each(&mut |row| match (&row.was, plan.tables.iter().find(|t| t.name == row.table)) {
        (Some(image), Some(table)) => restore(open, table, &row.key, image),
        _ => Ok(()),
    })?;
    hanging(open.run("SET CONSTRAINTS ALL IMMEDIATE", "a row cannot be removed"))?;
    let (imports, bundle) = (named(&open.options, IMPORTS), literal(&plan.bundle));
    let sql = format!("DELETE FROM {imports} WHERE \"bundle\" = {bundle}");
    open.run(&sql, "the import cannot be taken off the record")?;
    drop_made(open, plan, journal)
}

/// A row that is not ours leads to a row that would go.
fn hanging(done: Result<()>) -> Result<()> {
    done.map_err(|error| {
        if !error.message.contains("SQLSTATE 23503") {
            return error;
        }
        Error {
            kind: Kind::Refused,
            help: Some(
                "rows that are not ours lead to rows of the import: let them lead elsewhere, or \
                 remove them, then roll back; nothing was changed"
                    .to_owned(),
            ),
            ..error
        }
    })
}

fn restore(open: &mut Open, table: &Table, key: &[String], image: &Image) -> Result<()> {
    let value = |name: &str, ty: &str| match image.get(name).and_then(Option::as_deref) {
        Some(text) => format!("{}::{ty}", literal(text)),
        None => "NULL".to_owned(),
    };
    let held = |column: &&Column| column.role != Role::Key && image.contains_key(&column.name);
    let set = table.columns.iter().filter(held).map(|column| {
        let ty = type_of(column, &open.options);
        format!("{} = {}", quoted(&column.name), value(&column.name, ty))
    });
    let digest = image.contains_key(DIGEST);
    let digest = digest.then(|| format!("{} = {}", quoted(DIGEST), value(DIGEST, "uuid")));
    let set: Vec<String> = set.chain(digest).collect();
    let keys: Vec<String> = table
        .keys()
        .zip(key)
        .map(|((_, column), id)| format!("{} = {}", quoted(&column.name), literal(id)))
        .collect();
    let sql = format!(
        "UPDATE {} SET {} WHERE {}",
        named(&open.options, &table.name),
        set.join(", "),
        keys.join(" AND ")
    );
    open.run(&sql, "a row cannot be restored")
}

/// Drops the tables that the import made, when nothing is left in them.
fn drop_made(open: &mut Open, plan: &Plan, journal: &Journal<'_>) -> Result<()> {
    let what = "a table cannot be dropped";
    let run = open.job.undoes.clone().unwrap_or_default();
    let notes = journal.notes(&run, MADE).filter_map(serde_json::Value::as_array).flatten();
    let mut made: Vec<String> =
        notes.filter_map(serde_json::Value::as_str).map(str::to_owned).collect();
    made.extend(open.made.names());
    let mut empty = Vec::new();
    let names = plan.tables.iter().map(|table| table.name.as_str()).chain([IMPORTS]);
    for name in names.filter(|name| made.iter().any(|made| made == name)) {
        let on = named(&open.options, name);
        if open.count(&format!("SELECT count(*) FROM {on}"), what)? == 0 {
            empty.push(on);
        }
    }
    if !empty.is_empty() {
        drop_or_leave(open, &format!("DROP TABLE {}", empty.join(", ")), what)?;
    }
    let schema = literal(&open.options.schema);
    let left = format!(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema}"
    );
    if made.iter().any(String::is_empty) && open.count(&left, what)? == 0 {
        let sql = format!("DROP SCHEMA {}", quoted(&open.options.schema));
        drop_or_leave(open, &sql, what)?;
    }
    Ok(())
}

/// Drops what is empty, unless something of others depends on it: then it stays, empty.
fn drop_or_leave(open: &mut Open, sql: &str, what: &str) -> Result<()> {
    open.run("SAVEPOINT dropping", what)?;
    match open.run(sql, what) {
        Ok(()) => open.run("RELEASE SAVEPOINT dropping", what),
        Err(error) if error.message.contains("SQLSTATE 2BP01") => {
            open.run("ROLLBACK TO SAVEPOINT dropping", what)
        }
        Err(error) => Err(error),
    }
}
