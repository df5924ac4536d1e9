//! Tables, keys and indexes: made from the contract, or found and checked.

use super::{Open, Options, Payloads, fits, merge, names};
use crate::error::{Error, Result};
use crate::pg::{literal, quoted};
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
    pub(super) bare: Vec<String>,
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
        ColumnKind::Json if is_payload(column) => match options.payloads {
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

/// Whether a column stands as [`Options::payloads`] says.
pub(super) fn is_payload(column: &Column) -> bool {
    column.kind == ColumnKind::Json && column.role != Role::Lineage
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
    let there = names_in(open)?;
    let (found, missing): (Vec<&Table>, Vec<&Table>) =
        plan.tables.iter().partition(|table| there.contains(&table.name));
    open.fresh = found.is_empty() && open.job.undoes.is_none();
    let has_imports = there.iter().any(|name| name == IMPORTS);
    fits::check(open, &found, has_imports)?;
    if !has_imports {
        make_imports(open)?;
    }
    open.made.tables.extend(missing.iter().map(|table| table.name.clone()));
    for table in &missing {
        let sql = table_sql(table, &open.options);
        open.run(&sql, "a table cannot be made")?;
    }
    if open.fresh {
        return Ok(());
    }
    for table in &missing {
        index(open, table)?;
    }
    for table in &missing {
        lead(open, table)?;
    }
    merge::create(open, plan)
}

/// The names in the schema that a table could have.
fn names_in(open: &mut Open) -> Result<Vec<String>> {
    let schema =
        format!("(SELECT oid FROM pg_namespace WHERE nspname = {})", literal(&open.options.schema));
    let sql = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = {schema}
         UNION SELECT typname::text FROM pg_type WHERE typnamespace = {schema} AND typcategory <> 'A'"
    );
    open.texts(&sql, "the schema cannot be read")
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
        let check = if is_payload(column) && options.payloads == Payloads::Text {
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
