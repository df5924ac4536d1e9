//! Tables, keys and indexes: made from the contract, or found and checked.

use std::collections::BTreeMap;

use super::{Open, Options, Payloads, merge, names};
use crate::error::{Error, Result};
use crate::pg::{self, literal, quoted};
use crate::target::{Column, ColumnKind, Plan, Role, Table};

/// The table of imports.
pub(super) const IMPORTS: &str = "rethread_imports";

/// The logical digest of a row as an import left it: one that still holds it is ours to change.
pub(super) const DIGEST: &str = "_digest";

/// What a job made in the database.
#[derive(Debug, Default)]
pub(super) struct Made {
    schema: bool,
    tables: Vec<String>,
    /// Tables that others made, without the columns of lineage.
    bare: Vec<String>,
}

impl Made {
    /// For the journal: the tables, and an empty name for the schema.
    pub(super) fn names(&self) -> Vec<String> {
        let schema = self.schema.then(String::new);
        schema.into_iter().chain(self.tables.iter().cloned()).collect()
    }

    /// Whether a table keeps lineage and digests.
    pub(super) fn has_lineage(&self, table: &Table) -> bool {
        !self.bare.contains(&table.name)
    }
}

/// A table's full name.
pub(super) fn named(options: &Options, table: &str) -> String {
    format!("{}.{}", quoted(&options.schema), quoted(table))
}

/// The type of a column.
pub(super) fn type_of(column: &Column, options: &Options) -> &'static str {
    match column.kind {
        ColumnKind::Text if column.leads_to.is_some() => "uuid",
        ColumnKind::Text if column.role == Role::Key && column.name == "id" => "uuid",
        ColumnKind::Json if column.role != Role::Lineage => match options.payloads {
            Payloads::Jsonb => "jsonb",
            Payloads::Text => "text",
        },
        ColumnKind::Text | ColumnKind::Json => "text",
        ColumnKind::Number => "double precision",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date => "timestamp with time zone",
        ColumnKind::Whole => "bigint",
    }
}

/// The columns of a table that the database has, the digest left out.
pub(super) fn columns<'t>(
    open: &Open,
    table: &'t Table,
) -> impl Iterator<Item = (usize, &'t Column)> + use<'t> {
    let all = open.fresh || open.made.has_lineage(table);
    let columns = table.columns.iter().enumerate();
    columns.filter(move |(_, column)| all || column.role != Role::Lineage)
}

/// Finds out what is there, makes what is missing, and the temporary tables beside it.
pub(super) fn prepare(open: &mut Open, plan: &Plan) -> Result<()> {
    let what = "the schema cannot be read";
    let name = literal(&open.options.schema);
    let sql = format!("SELECT count(*) FROM pg_namespace WHERE nspname = {name}");
    if open.count(&sql, what)? == 0 {
        if open.job.undoes.is_some() {
            return Err(Error::usage("the schema is not there").at(format!(
                "{}, schema `{}`",
                open.place.shown(),
                open.options.schema
            )));
        }
        let sql = format!("CREATE SCHEMA {}", quoted(&open.options.schema));
        open.run(&sql, "the schema cannot be made")?;
        open.made.schema = true;
    }
    let sql = format!(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {name} AND c.relkind NOT IN ('i', 'I', 'S', 't', 'c') ORDER BY 1"
    );
    let there = open.texts(&sql, what)?;
    if !there.iter().any(|table| table == IMPORTS) {
        make_imports(open)?;
    }
    let missing: Vec<&Table> =
        plan.tables.iter().filter(|table| !there.contains(&table.name)).collect();
    open.made.tables.extend(missing.iter().map(|table| table.name.clone()));
    open.fresh = missing.len() == plan.tables.len() && open.job.undoes.is_none();
    for table in &missing {
        let sql = table_sql(table, &open.options);
        open.run(&sql, "a table cannot be made")?;
    }
    if open.fresh {
        return Ok(());
    }
    let found: Vec<&Table> =
        plan.tables.iter().filter(|table| there.contains(&table.name)).collect();
    check(open, &found)?;
    for table in &missing {
        index(open, table)?;
    }
    for table in &missing {
        lead(open, table)?;
    }
    merge::create(open, plan)
}

fn make_imports(open: &mut Open) -> Result<()> {
    let sql = format!(
        "CREATE TABLE {} (\"run\" text PRIMARY KEY, \"bundle\" text NOT NULL, \
         \"contract\" text NOT NULL, \"program\" text NOT NULL, \"counts\" jsonb NOT NULL, \
         \"at\" timestamptz NOT NULL DEFAULT now())",
        named(&open.options, IMPORTS)
    );
    open.run(&sql, "the table of imports cannot be made")?;
    open.made.tables.push(IMPORTS.to_owned());
    Ok(())
}

fn table_sql(table: &Table, options: &Options) -> String {
    let columns = table.columns.iter().map(|column| {
        let name = quoted(&column.name);
        let null = if column.required { " NOT NULL" } else { "" };
        let is_payload = column.kind == ColumnKind::Json && column.role != Role::Lineage;
        let check = if is_payload && options.payloads == Payloads::Text {
            let rule = quoted(&names::short(&format!("{}.{} is JSON", table.name, column.name)));
            format!(" CONSTRAINT {rule} CHECK ({name} IS NULL OR {name}::json IS NOT NULL)")
        } else {
            String::new()
        };
        format!("{name} {}{null}{check}", type_of(column, options))
    });
    let columns: Vec<String> =
        columns.chain([format!("{} uuid NOT NULL", quoted(DIGEST))]).collect();
    format!("CREATE TABLE {} (\n  {}\n)", named(options, &table.name), columns.join(",\n  "))
}

/// Makes the primary key and the indexes of a table.
fn index(open: &mut Open, table: &Table) -> Result<()> {
    let on = named(&open.options, &table.name);
    let keys: Vec<String> = table.keys().map(|(_, column)| quoted(&column.name)).collect();
    let key = quoted(&names::short(&format!("{}.key", table.name)));
    let mut sql =
        format!("ALTER TABLE {on} ADD CONSTRAINT {key} PRIMARY KEY ({});", keys.join(", "));
    for column in table.columns.iter().filter(|column| column.unique || column.indexed) {
        let unique = if column.unique { "UNIQUE INDEX" } else { "INDEX" };
        let name = quoted(&names::short(&format!("{}.{}.index", table.name, column.name)));
        sql.push_str(&format!("CREATE {unique} {name} ON {on} ({});", quoted(&column.name)));
    }
    open.run(&sql, "a row breaks the target model")
}

/// Makes the foreign keys of a table.
fn lead(open: &mut Open, table: &Table) -> Result<()> {
    let on = named(&open.options, &table.name);
    for column in &table.columns {
        let Some(other) = &column.leads_to else { continue };
        let name = quoted(&names::short(&format!("{}.{}", table.name, column.name)));
        let sql = format!(
            "ALTER TABLE {on} ADD CONSTRAINT {name} FOREIGN KEY ({}) REFERENCES {} (\"id\") \
             DEFERRABLE INITIALLY DEFERRED",
            quoted(&column.name),
            named(&open.options, other)
        );
        open.run(&sql, "a link leads to no row")?;
    }
    Ok(())
}

/// Makes keys, indexes and foreign keys once the rows are there.
pub(super) fn finish(open: &mut Open, plan: &Plan) -> Result<()> {
    plan.tables.iter().try_for_each(|table| index(open, table))?;
    plan.tables.iter().try_for_each(|table| lead(open, table))?;
    let names: Vec<String> =
        plan.tables.iter().map(|table| named(&open.options, &table.name)).collect();
    open.run(&format!("ANALYZE {}", names.join(", ")), "the tables cannot be analysed")
}

/// Checks the tables that are there already, and keeps other writers out of them.
fn check(open: &mut Open, tables: &[&Table]) -> Result<()> {
    let mut wrong = Vec::new();
    for table in tables {
        let on = named(&open.options, &table.name);
        let sql = format!("LOCK TABLE {on} IN SHARE ROW EXCLUSIVE MODE");
        open.run(&sql, "the table cannot be locked")?;
        wrong.extend(misfits(open, table)?);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(10);
    wrong.truncate(10);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    let mut error = Error::refused("the schema has tables that do not fit the contract")
        .at(format!("{}, schema `{}`", open.place.shown(), open.options.schema))
        .help(
            "name another schema with `--schema`, or change these tables; they are never altered",
        );
    error.at.extend(wrong);
    Err(error)
}

/// How a table that is there differs from what the contract wants.
fn misfits(open: &mut Open, table: &Table) -> Result<Vec<String>> {
    let on = literal(&named(&open.options, &table.name));
    let what = "the table cannot be looked at";
    let sql = format!(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef AND attidentity = ''
         FROM pg_attribute WHERE attrelid = {on}::regclass AND attnum > 0 AND NOT attisdropped"
    );
    let rows = open.client.query(&sql, &[]);
    let rows = rows.map_err(|error| pg::failed(&error, &open.place, what))?;
    let found: BTreeMap<String, (String, bool)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let mut wrong = Vec::new();
    for column in table.columns.iter().filter(|column| column.role != Role::Lineage) {
        let wanted = type_of(column, &open.options);
        match found.get(&column.name) {
            None => wrong.push(format!("`{}.{}` is missing", table.name, column.name)),
            Some((ty, _)) if ty != wanted => {
                wrong.push(format!("`{}.{}` is {ty}, not {wanted}", table.name, column.name));
            }
            Some(_) => {}
        }
    }
    let lineage = table.columns.iter().filter(|column| column.role == Role::Lineage);
    let fits = |name: &str, ty: &str| found.get(name).is_some_and(|(found, _)| found == ty);
    let mut lineage = lineage.map(|column| fits(&column.name, type_of(column, &open.options)));
    if !lineage.all(|fits| fits) || !fits(DIGEST, "uuid") {
        open.made.bare.push(table.name.clone());
    }
    let ours: Vec<&str> = columns(open, table).map(|(_, column)| column.name.as_str()).collect();
    let digest = open.made.has_lineage(table);
    for (name, (_, needed)) in &found {
        let is_ours = ours.contains(&name.as_str()) || (digest && name == DIGEST);
        if *needed && !is_ours {
            wrong.push(format!("`{}.{name}` wants a value that no bundle has", table.name));
        }
    }
    wrong.extend(guards(open, table, &on)?);
    Ok(wrong)
}

/// What acts on a table beside us, and whether its key is unique.
fn guards(open: &mut Open, table: &Table, on: &str) -> Result<Vec<String>> {
    let what = "the table cannot be looked at";
    let sql = format!(
        "SELECT tgname::text FROM pg_trigger WHERE tgrelid = {on}::regclass AND NOT tgisinternal
         AND tgenabled <> 'D' ORDER BY 1"
    );
    let triggers = open.texts(&sql, what)?.into_iter();
    let mut wrong: Vec<String> =
        triggers.map(|name| format!("trigger `{name}` acts on `{}`", table.name)).collect();
    let sql =
        format!("SELECT count(*) FROM pg_class WHERE oid = {on}::regclass AND relrowsecurity");
    if open.count(&sql, what)? > 0 {
        wrong.push(format!("row security hides rows of `{}`", table.name));
    }
    let keys: Vec<String> = table.keys().map(|(_, column)| literal(&column.name)).collect();
    let sql = format!(
        "SELECT count(*) FROM pg_index i WHERE i.indrelid = {on}::regclass AND i.indisunique
         AND i.indisvalid AND i.indpred IS NULL AND i.indimmediate AND i.indnkeyatts = {}
         AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = i.indrelid
              AND a.attnum = ANY (i.indkey::int2[]) AND a.attname IN ({})) = {}",
        keys.len(),
        keys.join(", "),
        keys.len()
    );
    if open.count(&sql, what)? == 0 {
        let keys: Vec<String> =
            table.keys().map(|(_, column)| format!("`{}`", column.name)).collect();
        wrong.push(format!("`{}` has no unique index on {}", table.name, keys.join(", ")));
    }
    Ok(wrong)
}
