//! A bundle beside tables that have rows: staged in temporary tables, compared, merged.

use super::load::asked;
use super::schema::{DIGEST, columns, named, type_of};
use super::{Open, values};
use crate::digest::{RowDigest, TableDigest};
use crate::error::{Error, Result};
use crate::pg::copy::{Cells, Reader};
use crate::pg::{self, literal, quoted};
use crate::target::{
    BeforeWriter, Column, ColumnKind, Counts, Held, Image, Noted, OnConflict, Plan, Standing, Table,
};

/// What becomes of a staged row.
const CREATED: i16 = 0;
const UNCHANGED: i16 = 1;
const UPDATED: i16 = 2;
const KEPT: i16 = 3;

/// The temporary table of the table in this place of the plan.
pub(super) fn staged(at: usize) -> String {
    format!("pg_temp.\"staged_{at}\"")
}

/// Makes the temporary tables.
pub(super) fn create(open: &mut Open, plan: &Plan) -> Result<()> {
    for (at, table) in plan.tables.iter().enumerate() {
        let columns = table
            .columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name), type_of(column, &open.options)));
        let columns: Vec<String> = columns.collect();
        let sql = format!(
            "CREATE TEMPORARY TABLE \"staged_{at}\" ({}, {} uuid, \"_fate\" smallint DEFAULT {CREATED}, \
             \"_row\" bigint GENERATED ALWAYS AS IDENTITY) ON COMMIT DROP",
            columns.join(", "),
            quoted(DIGEST)
        );
        open.run(&sql, "a temporary table cannot be made")?;
    }
    Ok(())
}

/// Makes the keys of the filled temporary tables.
pub(super) fn index(open: &mut Open, plan: &Plan) -> Result<()> {
    for (at, table) in plan.tables.iter().enumerate() {
        let keys: Vec<String> = table.keys().map(|(_, column)| quoted(&column.name)).collect();
        let staged = staged(at);
        let sql =
            format!("CREATE UNIQUE INDEX ON {staged} ({}); ANALYZE {staged}", keys.join(", "));
        open.run(&sql, "two rows of the bundle have one key")?;
    }
    Ok(())
}

/// Same key: `s."id" = t."id"`.
pub(super) fn same_key(table: &Table) -> String {
    let keys = table.keys().map(|(_, column)| quoted(&column.name));
    keys.map(|key| format!("s.{key} = t.{key}")).collect::<Vec<_>>().join(" AND ")
}

/// Same content by value: `s."name" IS NOT DISTINCT FROM t."name"` and so on.
pub(super) fn same_content(table: &Table) -> String {
    let all = table.logical().map(|(_, column)| quoted(&column.name));
    let all = all.map(|name| format!("s.{name} IS NOT DISTINCT FROM t.{name}"));
    all.collect::<Vec<_>>().join(" AND ")
}

fn digests(open: &Open, table: &Table) -> String {
    let digest = quoted(DIGEST);
    let theirs =
        if open.made.has_lineage(table) { format!("t.{digest}") } else { "NULL".to_owned() };
    format!("{theirs}::uuid, s.{digest}")
}

/// Reads rows by a query, one by one.
pub(super) fn each(
    open: &mut Open,
    (sql, fields): (&str, usize),
    what: &str,
    visit: &mut dyn FnMut(&Cells<'_>) -> Result<()>,
) -> Result<()> {
    let sql = format!("COPY ({sql}) TO STDOUT (FORMAT BINARY)");
    let out = open.client.copy_out(&sql);
    let out = out.map_err(|error| pg::failed(&error, &open.place, what))?;
    let mut reader = Reader::new(out, fields, &open.place, what)?;
    while let Some(cells) = reader.next_row()? {
        visit(&cells)?;
    }
    Ok(())
}

/// The standing of a table that this import makes.
pub(super) fn all_new(table: &Table) -> Standing {
    let counts = Counts { created: table.rows, ..Counts::default() };
    let none = TableDigest::default();
    let before = Held { rows: none.rows, digest: none.hex() };
    Standing { table: table.name.clone(), counts, before, ..Standing::default() }
}

/// Compares a table and decides about every staged row.
pub(super) fn compare(
    open: &mut Open,
    (at, table): (usize, &Table),
    before: &mut BeforeWriter<'_>,
) -> Result<Standing> {
    let (staged, on) = (staged(at), named(&open.options, &table.name));
    let sql = format!(
        "UPDATE {staged} s SET \"_fate\" = CASE WHEN {} THEN {UNCHANGED} ELSE {UPDATED} END FROM {on} t WHERE {}",
        same_content(table),
        same_key(table)
    );
    open.run(&sql, "the rows cannot be compared")?;
    let mut meeting = Meeting::new(open, table);
    let logical: Vec<&Column> = table.logical().map(|(_, column)| column).collect();
    let names: Vec<String> = logical.iter().map(|column| asked(column, "t")).collect();
    let texts: Vec<String> = meeting
        .columns
        .iter()
        .map(|name| format!("CASE WHEN s.\"_fate\" = {UPDATED} THEN t.{}::text END", quoted(name)))
        .collect();
    let keys: Vec<String> = table.keys().map(|(_, column)| asked(column, "t")).collect();
    let sql = format!(
        "SELECT s.\"_fate\", {}, {}, {}, {} FROM {staged} s JOIN {on} t ON {} WHERE s.\"_fate\" <> {CREATED} ORDER BY s.\"_row\"",
        digests(open, table),
        keys.join(", "),
        names.join(", "),
        texts.join(", "),
        same_key(table)
    );
    let fields = 3 + keys.len() + logical.len() + texts.len();
    each(open, (&sql, fields), "the rows cannot be compared", &mut |cells| {
        meeting.row(cells, &logical, before)
    })?;
    let Meeting { mut standing, held, kept, .. } = meeting;
    keep(open, (at, table), &kept)?;
    find_taken(open, (at, table), before, &mut standing.in_the_way)?;
    let created = format!("SELECT count(*) FROM {staged} WHERE \"_fate\" = {CREATED}");
    standing.counts.created = open.count(&created, "the rows cannot be counted")?;
    standing.before = Held { rows: held.rows, digest: held.hex() };
    Ok(standing)
}

/// The rows that are there already, as they come.
struct Meeting<'t> {
    table: &'t Table,
    on_conflict: OnConflict,
    has_lineage: bool,
    /// Every column that the database has, for images.
    columns: Vec<String>,
    standing: Standing,
    held: TableDigest,
    digest: RowDigest,
    /// Rows that are not to be changed.
    kept: Vec<Vec<String>>,
}

impl<'t> Meeting<'t> {
    fn new(open: &Open, table: &'t Table) -> Self {
        Self {
            table,
            on_conflict: open.job.on_conflict,
            has_lineage: open.made.has_lineage(table),
            columns: columns(open, table).map(|(_, column)| column.name.clone()).collect(),
            standing: Standing { table: table.name.clone(), ..Standing::default() },
            held: TableDigest::default(),
            digest: RowDigest::default(),
            kept: Vec::new(),
        }
    }

    fn row(
        &mut self,
        cells: &Cells<'_>,
        logical: &[&Column],
        before: &mut BeforeWriter<'_>,
    ) -> Result<()> {
        let keys = self.table.keys().count();
        let key = values::key_of(cells, 3, keys);
        let found = values::digest_of(cells, 3 + keys, logical, &mut self.digest);
        self.held.add(found);
        let name = &self.table.name;
        if cells.get(0) == Some(&UNCHANGED.to_be_bytes()[..]) {
            self.standing.counts.unchanged += 1;
            return before.unchanged(name, &key);
        }
        let is_ours = self.has_lineage && values::stored(cells, 1) == Some(found);
        match self.on_conflict {
            OnConflict::Refuse if !is_ours => {
                self.standing.in_the_way.add(|| key.join(" -> "));
                before.in_the_way(name, &key)
            }
            OnConflict::Keep if !is_ours => {
                self.standing.counts.kept += 1;
                before.kept(name, &key)?;
                self.kept.push(key);
                Ok(())
            }
            _ => {
                self.standing.counts.updated += 1;
                let first = 3 + keys + logical.len();
                let mut image = Image::new();
                for (at, name) in self.columns.iter().enumerate() {
                    let text = cells.text(first + at).map(str::to_owned);
                    image.insert(name.clone(), text);
                }
                if self.has_lineage {
                    let left = cells.get(1).map(crate::storage::hex);
                    image.insert(DIGEST.to_owned(), left);
                }
                before.changes(name, &key, image)
            }
        }
    }
}

/// Marks rows that stay as they are.
fn keep(open: &mut Open, (at, table): (usize, &Table), kept: &[Vec<String>]) -> Result<()> {
    for some in kept.chunks(1000) {
        let keys: Vec<String> =
            table.keys().map(|(_, column)| format!("{}::text", quoted(&column.name))).collect();
        let rows: Vec<String> = some
            .iter()
            .map(|key| key.iter().map(|id| literal(id)).collect::<Vec<_>>().join(", "))
            .map(|row| format!("({row})"))
            .collect();
        let sql = format!(
            "UPDATE {} SET \"_fate\" = {KEPT} WHERE ({}) IN (VALUES {})",
            staged(at),
            keys.join(", "),
            rows.join(", ")
        );
        open.run(&sql, "the rows cannot be compared")?;
    }
    Ok(())
}

/// Notes rows that hold a unique value of the bundle's under another key.
fn find_taken(
    open: &mut Open,
    (at, table): (usize, &Table),
    before: &mut BeforeWriter<'_>,
    noted: &mut Noted,
) -> Result<()> {
    let (staged, on) = (staged(at), named(&open.options, &table.name));
    for column in table.columns.iter().filter(|column| column.unique) {
        let name = quoted(&column.name);
        let sql = format!(
            "SELECT t.\"id\"::text FROM {staged} s JOIN {on} t ON t.{name} = s.{name}
             WHERE s.\"_fate\" IN ({CREATED}, {UPDATED}) AND s.\"id\" <> t.\"id\"
             AND NOT EXISTS (SELECT 1 FROM {staged} o WHERE o.\"id\" = t.\"id\" AND o.\"_fate\" = {UPDATED})
             ORDER BY 1"
        );
        for id in open.texts(&sql, "the rows cannot be compared")? {
            noted.add(|| format!("{id} holds a `{}` of the bundle's", column.name));
            before.in_the_way(&table.name, &[id])?;
        }
    }
    Ok(())
}

/// Takes the unique values away from the rows that will be changed, so that rows may pass them on.
pub(super) fn free_unique(open: &mut Open, plan: &Plan) -> Result<()> {
    for (at, table) in plan.tables.iter().enumerate() {
        for column in table.columns.iter().filter(|column| column.unique) {
            let value = match (column.required, column.kind) {
                (false, _) => "NULL",
                (true, ColumnKind::Text) => "'rethread ' || t.\"id\"",
                // Such a value stays; when it is passed on the database refuses.
                (true, _) => continue,
            };
            let sql = format!(
                "UPDATE {} t SET {} = {value} FROM {} s WHERE {} AND s.\"_fate\" = {UPDATED}",
                named(&open.options, &table.name),
                quoted(&column.name),
                staged(at),
                same_key(table)
            );
            open.run(&sql, "the rows cannot be changed")?;
        }
    }
    Ok(())
}

/// Brings the staged rows into their tables; the database counts them.
pub(super) fn apply(open: &mut Open, plan: &Plan) -> Result<()> {
    free_unique(open, plan)?;
    for (at, table) in plan.tables.iter().enumerate() {
        let staged = staged(at);
        let due =
            format!("SELECT count(*) FROM {staged} WHERE \"_fate\" IN ({CREATED}, {UPDATED})");
        let due = open.count(&due, "the rows cannot be counted")?;
        if due == 0 {
            continue;
        }
        let sql = upsert_sql(open, (at, table));
        let done = open.client.execute_typed(&sql, &[]);
        let what = "a row breaks the target model";
        let done = done.map_err(|error| pg::failed(&error, &open.place, what))?;
        if done != due {
            return Err(Error::system(format!("`{}` changed meanwhile", table.name))
                .at(open.place.shown())
                .help("run the same command again: nothing was changed"));
        }
    }
    Ok(())
}

fn upsert_sql(open: &Open, (at, table): (usize, &Table)) -> String {
    let (staged, on) = (staged(at), named(&open.options, &table.name));
    let names = columns(open, table).map(|(_, column)| quoted(&column.name));
    let digest = open.made.has_lineage(table).then(|| quoted(DIGEST));
    let names: Vec<String> = names.chain(digest).collect();
    let keys: Vec<String> = table.keys().map(|(_, column)| quoted(&column.name)).collect();
    let set: Vec<String> = names
        .iter()
        .filter(|name| !keys.contains(name))
        .map(|name| format!("{name} = EXCLUDED.{name}"))
        .collect();
    let differs: Vec<String> = table
        .logical()
        .map(|(_, column)| quoted(&column.name))
        .map(|name| format!("t.{name} IS DISTINCT FROM EXCLUDED.{name}"))
        .collect();
    let otherwise = if set.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {} WHERE {}", set.join(", "), differs.join(" OR "))
    };
    let (names, keys) = (names.join(", "), keys.join(", "));
    format!(
        "INSERT INTO {on} AS t ({names}) SELECT {names} FROM {staged} WHERE \"_fate\" IN ({CREATED}, {UPDATED})
         ORDER BY \"_fate\" DESC, \"_row\" ON CONFLICT ({keys}) DO {otherwise}"
    )
}

/// What reads the bundle's rows of a table back, kept ones as they were staged: columns by name, each
/// asked of `t` (the table) or `s` (staged).
pub(super) fn read_sql(
    open: &Open,
    (at, table): (usize, &Table),
    list: &dyn Fn(&str) -> String,
) -> String {
    let (staged, on) = (staged(at), named(&open.options, &table.name));
    if open.fresh {
        return format!("SELECT {} FROM {on} t", list("t"));
    }
    format!(
        "SELECT {} FROM {staged} s JOIN {on} t ON {} WHERE s.\"_fate\" <> {KEPT}
         UNION ALL SELECT {} FROM {staged} s WHERE s.\"_fate\" = {KEPT}",
        list("t"),
        same_key(table),
        list("s")
    )
}

/// What the database holds of the bundle's keys in a table.
pub(super) fn held(open: &mut Open, (at, table): (usize, &Table)) -> Result<Held> {
    let (mut held, mut digest) = (TableDigest::default(), RowDigest::default());
    let on = named(&open.options, &table.name);
    let there = format!("SELECT count(*) WHERE to_regclass({}) IS NOT NULL", literal(&on));
    if open.count(&there, "the tables cannot be read")? > 0 {
        let logical: Vec<&Column> = table.logical().map(|(_, column)| column).collect();
        let names: Vec<String> = logical.iter().map(|column| asked(column, "t")).collect();
        let sql = format!(
            "SELECT {} FROM {} s JOIN {on} t ON {}",
            names.join(", "),
            staged(at),
            same_key(table)
        );
        each(open, (&sql, logical.len()), "the rows cannot be read", &mut |cells| {
            held.add(values::digest_of(cells, 0, &logical, &mut digest));
            Ok(())
        })?;
    }
    Ok(Held { rows: held.rows, digest: held.hex() })
}
