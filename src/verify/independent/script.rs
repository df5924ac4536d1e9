//! The script: variables, views, one `INSERT` a rule, the verdict.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::error::printable;
use crate::verify::Rule;
use crate::verify::facts::Audit;
use crate::verify::sql::{self, text};

const HEAD: &str = "\
-- The two folders. A variable that is set before the script is read counts.
";

const SETTINGS: &str = "
SET TimeZone = 'UTC';
SET enable_progress_bar = false;

-- What stands in a place that is told: printable, and not long.
CREATE OR REPLACE MACRO told(place) AS regexp_replace(left(place, 100), '[^ -~]', '?', 'g');
";

const FINDINGS: &str = "
-- What every rule found. `violations` is 0 where it holds; `sample` is the first place where not: an id,
-- or a row of a file; `allows` is how many the contract allows.
CREATE OR REPLACE TABLE findings
  (rule VARCHAR, kind VARCHAR, entity VARCHAR, attr VARCHAR, violations BIGINT, sample VARCHAR,
   allows BIGINT);
";

/// The script of these rules.
pub(super) fn text_of(audit: &Audit<'_>, rules: &[Rule]) -> String {
    let mut out = format!(
        "-- The contract `{}` (SHA-256 {}) as plain SQL for DuckDB: README.txt says how it is run.\n\n{HEAD}",
        one_line(&audit.contract.name),
        audit.contract.digest()
    );
    variables(audit, &mut out);
    out.push_str(SETTINGS);
    views(audit, &mut out);
    out.push_str(FINDINGS);
    for rule in rules {
        insert(rule, &mut out);
    }
    verdict(rules.len(), &mut out);
    out
}

fn variables(audit: &Audit<'_>, out: &mut String) {
    let Some(views) = audit.views else { return };
    for (name, folder) in [("bundle", views.bundle), ("snapshot", views.snapshot)] {
        let folder = text(&folder.display().to_string());
        // Writing to a `String` cannot fail, here and below.
        let _ = writeln!(
            out,
            "SET VARIABLE {name} = coalesce(getvariable('{name}')::VARCHAR, {folder});"
        );
    }
}

/// One view a file that is there, under the name the queries give it.
fn views(audit: &Audit<'_>, out: &mut String) {
    let (mut made, mut schemas) = (String::new(), BTreeSet::new());
    for (side, file) in files(audit) {
        let view = sql::view(side, &file);
        if let Some((schema, _)) = view.split_once("\".") {
            schemas.insert(format!("{schema}\""));
        }
        let file = text(&format!("/{file}"));
        let _ = writeln!(
            made,
            "CREATE OR REPLACE VIEW {view} AS\n  FROM read_parquet(getvariable('{side}') || {file}, \
             file_row_number = true);"
        );
    }
    out.push_str("\n-- The files.\n");
    for schema in schemas {
        let _ = writeln!(out, "CREATE SCHEMA IF NOT EXISTS {schema};");
    }
    out.push_str(&made);
}

/// The Parquet files of both folders that a rule may ask for.
fn files(audit: &Audit<'_>) -> Vec<(&'static str, String)> {
    let (before, after) = (&audit.contract.before.schema, &audit.contract.after.schema);
    let mut bundle = Vec::new();
    for entity in &after.entities {
        bundle.push(format!("data/parquet/{}.parquet", entity.name));
        bundle.push(format!("data/repairs/{}.parquet", entity.name));
    }
    for entity in &before.entities {
        let side = |folder| format!("data/{folder}/{}.parquet", entity.name);
        bundle.extend(["quarantine", "merged", "adopted", "dropped"].map(side));
    }
    bundle.extend(["data/quarantine/links.parquet".to_owned(), "data/ids.parquet".to_owned()]);
    bundle.extend(audit.bundle.meta().links.iter().map(|links| links.file.clone()));
    bundle.retain(|file| sql::is_there(audit, file));
    let meta = audit.snapshot.meta();
    let tables = meta.tables.iter().map(|table| table.file.clone());
    let mut snapshot: Vec<String> =
        tables.chain(meta.links.iter().map(|links| links.file.clone())).collect();
    snapshot.retain(|file| sql::in_snapshot(audit, file));
    let of = |side| move |file| (side, file);
    bundle.into_iter().map(of("bundle")).chain(snapshot.into_iter().map(of("snapshot"))).collect()
}

fn insert(rule: &Rule, out: &mut String) {
    let tells = rule.query.contains(sql::FIRST);
    let (columns, sample) = if tells { ("(v, s)", "told(s)") } else { ("(v)", "NULL") };
    let _ = write!(
        out,
        "\n-- {kind} {entity}.{attr}: {words}\nINSERT INTO findings\n  SELECT {said}, {kind_text}, \
         {entity_text}, {attr_text}, coalesce(v, 0), {sample}, {allows} FROM (\n{query}\n) AS q{columns};\n",
        kind = one_line(&rule.kind),
        entity = one_line(&rule.entity),
        attr = one_line(&rule.attr),
        words = one_line(&rule.rule),
        said = text(&one_line(&rule.rule)),
        kind_text = text(&rule.kind),
        entity_text = text(&one_line(&rule.entity)),
        attr_text = text(&one_line(&rule.attr)),
        query = rule.query,
        allows = rule.allows,
    );
}

fn verdict(rules: usize, out: &mut String) {
    let _ = write!(
        out,
        "\n-- The rules that found anything, and the verdict: an error when one found more than the contract \
         allows.\n\
         SELECT * FROM findings WHERE violations <> 0 ORDER BY violations <= allows, kind, entity, \
         attr, rule;\n\
         SELECT CASE\n\
         \x20 WHEN count(*) <> {rules} THEN error('only ' || count(*) || ' of {rules} rules were \
         looked at')\n\
         \x20 WHEN count(*) FILTER (violations > allows) > 0 THEN error(count(*) FILTER (violations > allows) \
         || ' of {rules} rules do not hold, first: ' || min(kind || ' ' || entity || '.' || attr || ': \
         ' || rule || coalesce(' (' || sample || ')', '')) FILTER (violations > allows))\n\
         \x20 ELSE 'no difference: {rules} rules hold'\nEND AS verdict FROM findings;\n"
    );
}

fn one_line(words: &str) -> String {
    printable(words).replace(['\n', '\r'], " ")
}
