//! PostgreSQL as a source: plain tables.
#![allow(clippy::unwrap_used, reason = "helpers of tests, as the tests")]

use std::path::Path;

use insta::assert_snapshot;
use rethread::contract::{BUILT_IN, Contract, Overrides, load};
use rethread::error::Result;
use rethread::pg::{Login, Place};
use rethread::progress::Silent;
use rethread::resources::Resources;
use rethread::secret::Secret;
use rethread::snapshot::{self, Snapshot};
use rethread::source::{self, Source};
use serde_json::Value;

use crate::data;
use crate::support::postgres::{Database, PASSWORD, server};

pub(crate) fn contract() -> Contract {
    load(BUILT_IN, "story-to-thread.toml", &Overrides::default()).unwrap()
}

/// Column and type of each legacy table; the attribute is the column in camel case.
const TABLES: [(&str, &str); 5] = [
    (
        "context_contexts",
        "id uuid PRIMARY KEY, created_at timestamptz, key text, status varchar(20), content jsonb, \
         current_execution uuid",
    ),
    (
        "context_events",
        "id uuid PRIMARY KEY, \"createdAt\" timestamp, channel text, type text, content json, \
         status status, context uuid",
    ),
    (
        "story_executions",
        "id char(36) PRIMARY KEY, created_at timestamptz(3), status text, \"workflowRunId\" text, \
         context uuid, trigger uuid, reaction uuid",
    ),
    (
        "story_steps",
        "id uuid PRIMARY KEY, created_at timestamptz, status text, iteration smallint, \
         \"triggerEventId\" uuid, \"reactionEventId\" text, \"eventId\" uuid, execution uuid",
    ),
    (
        "story_parts",
        "id uuid PRIMARY KEY, key text, \"stepId\" uuid, idx numeric, type text, part jsonb, step uuid",
    ),
];

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut out, part| {
        out += &part[..1].to_uppercase();
        out + &part[1..]
    })
}

/// Makes the tables in a schema and puts the rows of a dataset into them.
pub(crate) fn fill(database: &Database<'_>, schema: &str, data: &Value) {
    let mut client = database.client();
    let head = format!(
        "CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema}; \
         CREATE TYPE status AS ENUM ('stored', 'other')"
    );
    client.batch_execute(&head).unwrap();
    for (table, columns) in TABLES {
        client.batch_execute(&format!("CREATE TABLE {table} ({columns})")).unwrap();
        let values: Vec<String> = columns
            .split(", ")
            .map(|column| {
                let mut words = column.split_whitespace();
                let name = words.next().unwrap().trim_matches('"');
                let ty = words.next().unwrap();
                let arrow = if ty.starts_with("json") { "->" } else { "->>" };
                format!("(x {arrow} '{}')::{ty}", camel(name))
            })
            .collect();
        let rows = data[table].to_string();
        let insert = format!(
            "INSERT INTO {table} SELECT {} FROM jsonb_array_elements(($1::text)::jsonb) x",
            values.join(", ")
        );
        client.execute(&insert, &[&rows]).unwrap();
    }
}

fn tables(database: &Database<'_>, tables: &[(&str, &str)], schema: &str) -> Box<dyn Source> {
    let place = Place::parse(&database.url()).unwrap();
    let tables: Vec<(String, String)> =
        tables.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    source::postgres(place, Login::default(), &tables, schema, &contract()).unwrap()
}

pub(crate) fn taken(source: &mut dyn Source, place: &Path) -> Result<Snapshot> {
    snapshot::take(source, &contract(), place, &Resources::default(), &Silent)
}

/// What two snapshots of the same rows share.
pub(crate) fn summary(snapshot: &Snapshot) -> Vec<String> {
    let tables = snapshot.meta().tables.iter();
    let tables = tables.map(|table| {
        let (entity, rows, digest) = (&table.entity, table.rows, &table.digest);
        format!("{entity} {rows} {digest} {:?}", table.invalid)
    });
    let links = snapshot.meta().links.iter().map(|link| {
        let (on, label, rows) = (&link.entity, &link.label, link.rows);
        format!("{on}.{label} {} {} {} {rows}", link.target, link.role, link.has_one)
    });
    let unmapped = std::iter::once(format!("{:?}", snapshot.meta().unmapped));
    tables.chain(links).chain(unmapped).collect()
}

/// The objects of the rows of one entity.
pub(crate) fn objects(source: &mut dyn Source, entity: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut visit = |row: source::Row<'_>| {
        if row.entity == entity {
            rows.push(row.open(|object| Ok(object.to_owned()))?.0);
        }
        Ok(())
    };
    source.read(&contract(), &mut visit, &Silent).unwrap();
    rows
}

pub(crate) fn told(error: &rethread::error::Error, database: &Database<'_>) -> String {
    let places = error.at.iter().map(|place| format!("  --> {place}"));
    let help = error.help.iter().map(|help| format!("help: {help}"));
    let said = format!("{:?}: {error}", error.kind);
    let text = std::iter::once(said).chain(places).chain(help).collect::<Vec<_>>().join("\n");
    let url = database.url();
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap();
    text.replace(&format!("{port}/{}", database.name()), "PORT/DB")
}

#[test]
fn tables_give_the_rows_of_a_dataset() {
    let Some(server) = server() else { return };
    let database = server.database();
    let folder = tempfile::tempdir().unwrap();
    let mut data = data::with_parts(700);
    let hostile = "a\"\\\u{1}\u{7f}\u{202e}é😀\r\n".repeat(100_000);
    data["context_events"][0]["content"]["parts"][0]["text"] = hostile.into();
    let deep = "[".repeat(900) + &"]".repeat(900);
    data["context_events"][1]["content"] = serde_json::json!({ "n": 1.5, "deep": "HERE" });
    fill(&database, "public", &data);
    database.run(&format!(
        "UPDATE public.context_events SET content = '{{\"n\": 1.50, \"deep\": {deep}}}' \
         WHERE content->>'deep' = 'HERE'"
    ));
    let text = data.to_string().replace("\"HERE\"", &deep);
    let path = folder.path().join("data.json");
    std::fs::write(&path, text).unwrap();
    let expected = taken(source::open(&path).unwrap().as_mut(), &folder.path().join("a")).unwrap();
    let mut source = tables(&database, &[], "public");
    let found = taken(source.as_mut(), &folder.path().join("b")).unwrap();
    assert_eq!(summary(&found), summary(&expected));
    assert!(found.meta().unmapped.attrs.is_empty(), "{:?}", found.meta().unmapped);
    assert_eq!(found.meta().source.kind, "postgres");
    assert_eq!(found.meta().source.name, database.name());
    let identity = source.identify(&Silent).unwrap();
    assert_eq!(identity, found.meta().source);
    // Taken again it is the same, byte by byte.
    let again = taken(source.as_mut(), &folder.path().join("c")).unwrap();
    assert_eq!(again.digest(), found.digest());
    database.run("UPDATE public.story_parts SET type = 'other' WHERE idx = 3");
    assert_ne!(source.identify(&Silent).unwrap().sha256, identity.sha256);
}

#[test]
fn tables_of_any_name_are_read() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "legacy", &data::sound());
    database.run(
        "CREATE SCHEMA other; ALTER TABLE legacy.context_contexts SET SCHEMA other; \
         ALTER TABLE other.context_contexts RENAME TO \"Con\"\"texts.1\"; \
         CREATE VIEW other.parts AS SELECT * FROM legacy.story_parts; \
         ALTER TABLE legacy.story_steps DROP CONSTRAINT story_steps_pkey",
    );
    let named = [("context_contexts", "other.\"Con\"\"texts.1\""), ("story_parts", "other.parts")];
    let mut source = tables(&database, &named, "legacy");
    let folder = tempfile::tempdir().unwrap();
    let found = taken(source.as_mut(), &folder.path().join("a")).unwrap();
    let rows: Vec<u64> = found.meta().tables.iter().take(5).map(|table| table.rows).collect();
    assert_eq!(rows, [1, 2, 1, 1, 2]);
}

#[test]
fn every_type_becomes_json() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    database.run(
        "DROP TABLE public.story_parts; CREATE DOMAIN public.ms AS timestamptz; \
         CREATE DOMAIN public.ms2 AS public.ms NOT NULL; \
         CREATE TABLE public.story_parts (id bigint PRIMARY KEY, a_text text, i2 int2, n numeric, \
            f4 float4, f8 float8, b bool, ts timestamp, tz public.ms2, d date, j json, jb jsonb, \
            us uuid[], txs text[], ints int[], ms timestamptz[], by bytea, inet inet, iv interval, \
            created_at text, \"createdAt\" text, updated_at timestamptz, step_id text, pt point, \
            gone int); \
         ALTER TABLE public.story_parts DROP gone; \
         INSERT INTO public.story_parts VALUES \
         (10, E'a\"\\\\\\n\\u00e9', -1, 12345678901234567890.1200, 0.1, 1e300, true, \
          '2024-01-02 03:04:05.000006', '2024-01-02 03:04:05.000006+02', '2024-01-02', \
          E'{\"b\" : 1.0,\\n \"b\":\"\\\\ud800\"}', '{\"b\": 1.0, \"a\": 9007199254740993}', \
          '{00000000-0000-4000-8000-00000000000A,NULL}', '{\"a\\\"b\",\"NULL\",NULL,\"{}\"}', '{{1,2},{3,4}}', \
          '{2024-01-01}', '\\x00ff', '10.0.0.1', '1 day 2 hours', 'x', 'y', 'infinity', 's', '(1,2)'), \
         (9, '', 0, 'NaN', 'NaN', '-Infinity', false, '-infinity', '0044-03-15 00:00:00+00 BC', \
          '0044-03-15 BC', 'null', '\"\"', '{}', '{}', '{}', '{}', '', '::/0', '0', '', '', \
          '12024-01-01', '', '(0,0)'), \
         (-1, NULL, NULL, -0.50, 'Infinity', 1e-7, NULL, NULL, '1969-12-31 23:59:59.999999+00', \
          'infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    let rows = objects(tables(&database, &[], "public").as_mut(), "story_parts");
    for row in &rows {
        rethread::json::members(row).expect("an object");
    }
    assert_snapshot!(rows.join("\n"), @r#"
    {"id":-1,"a_text":null,"i2":null,"n":-0.50,"f4":"Infinity","f8":1e-07,"b":null,"ts":null,"tz":"1969-12-31T23:59:59.999999Z","d":"infinity","j":null,"jb":null,"us":null,"txs":null,"ints":null,"ms":null,"by":null,"inet":null,"iv":null,"created_at":null,"createdAt":null,"updatedAt":null,"step_id":null,"pt":null}
    {"id":9,"a_text":"","i2":0,"n":"NaN","f4":"NaN","f8":"-Infinity","b":false,"ts":"-infinity","tz":"-0043-03-15T00:00:00.000000Z","d":"0044-03-15 BC","j":null,"jb":"","us":[],"txs":[],"ints":[],"ms":"{}","by":"\\x","inet":"::/0","iv":"PT0S","created_at":"","createdAt":"","updatedAt":"+12024-01-01T00:00:00.000000Z","step_id":"","pt":"(0,0)"}
    {"id":10,"a_text":"a\"\\\u000aé","i2":-1,"n":12345678901234567890.1200,"f4":0.1,"f8":1e+300,"b":true,"ts":"2024-01-02T03:04:05.000006Z","tz":"2024-01-02T01:04:05.000006Z","d":"2024-01-02","j":{"b" : 1.0,
     "b":"\ud800"},"jb":{"a": 9007199254740993, "b": 1.0},"us":["00000000-0000-4000-8000-00000000000a",null],"txs":["a\"b","NULL",null,"{}"],"ints":[[1,2],[3,4]],"ms":"{\"2024-01-01 00:00:00+00\"}","by":"\\x00ff","inet":"10.0.0.1","iv":"P1DT2H","created_at":"x","createdAt":"y","updatedAt":"infinity","step_id":"s","pt":"(1,2)"}
    "#);
}

#[test]
fn what_is_missing_is_told_with_what_is_there() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    database.run("DROP TABLE public.story_parts; ALTER TABLE public.story_steps RENAME TO steps");
    let error = tables(&database, &[], "public").head(&contract()).unwrap_err();
    assert_snapshot!(told(&error, &database), @"
    Usage: the database has no table `public.story_steps`, `public.story_parts`
      --> postgres@localhost:PORT/DB
    help: name tables with `--table ENTITY=SCHEMA.TABLE`; there is `public.context_contexts`, `public.context_events`, `public.steps`, `public.story_executions`
    ");
    let given = [("thread_items", "nowhere.items")];
    let error = tables(&database, &given, "public").head(&contract()).unwrap_err();
    assert!(told(&error, &database).contains("`nowhere.items`"));
    let place = Place::parse(&database.url()).unwrap();
    let other = [("nothing".to_owned(), "a".to_owned())];
    let error = source::postgres(place, Login::default(), &other, "public", &contract()).err();
    assert_snapshot!(told(&error.unwrap(), &database), @"
    Usage: `nothing` is no entity of the contract
    help: write `--table ENTITY=SCHEMA.TABLE` with an entity that it names
    ");
}

#[test]
fn an_export_sees_one_state_of_the_database() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::with_parts(2000));
    let folder = tempfile::tempdir().unwrap();
    let before = tables(&database, &[], "public").identify(&Silent).unwrap();
    let mut source = tables(&database, &[], "public");
    source.head(&contract()).unwrap();
    let mut seen = 0;
    let mut visit = |_: source::Row<'_>| {
        // Somebody writes while the rows are read.
        if seen % 500 == 0 {
            database.run(
                "UPDATE public.story_parts SET type = type || 'x' WHERE idx % 7 = 0; \
                 DELETE FROM public.story_parts WHERE idx % 11 = 3; \
                 INSERT INTO public.context_contexts (id) VALUES (gen_random_uuid())",
            );
        }
        seen += 1;
        Ok(())
    };
    let (meta, _) = source.read(&contract(), &mut visit, &Silent).unwrap();
    assert_eq!(meta, before);
    assert_ne!(tables(&database, &[], "public").identify(&Silent).unwrap(), before);
    drop(folder);
}

/// What a user is told about the tables; nothing when they can be read.
fn told_to(url: &str, login: &Login, database: &Database<'_>) -> String {
    let place = Place::parse(url).unwrap();
    let mut source = source::postgres(place, login.clone(), &[], "public", &contract()).unwrap();
    let said = source.head(&contract()).map(drop).map_err(|error| told(&error, database));
    said.err().unwrap_or_default()
}

#[test]
fn tables_of_several_parts_are_read_whole_or_not_at_all() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    let told = || told_to(&database.url(), &Login::default(), &database);
    // A policy of a partition does not hold for its table.
    database.run(
        "ALTER TABLE public.story_parts RENAME TO plain; \
         CREATE TABLE public.story_parts (LIKE public.plain) PARTITION BY HASH (id); \
         CREATE TABLE public.one PARTITION OF public.story_parts FOR VALUES WITH (MODULUS 1, REMAINDER 0); \
         ALTER TABLE public.one ENABLE ROW LEVEL SECURITY; \
         INSERT INTO public.story_parts SELECT * FROM public.plain; \
         GRANT USAGE ON SCHEMA public TO guarded; \
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO guarded; \
         CREATE TABLE public.child () INHERITS (public.story_steps)",
    );
    let url = database.url().replace("postgres@", "guarded@");
    let login = Login { password: Some(Secret::new(PASSWORD)), ..Login::default() };
    assert_eq!(told_to(&url, &login, &database), "");
    assert_eq!(told(), "");
    database.run("CREATE TABLE public.grandchild (note text, more int) INHERITS (public.child)");
    assert_snapshot!(told(), @"
    Usage: `public.story_steps` cannot be read whole: tables that inherit from it have columns of their own
      --> postgres@localhost:PORT/DB
      --> `public.grandchild.more`
      --> `public.grandchild.note`
    help: name a view that has these columns, or what inherits, with `--table ENTITY=SCHEMA.TABLE`
    ");
    // A view reads with the rights of its owner.
    database.run(
        "DROP TABLE public.grandchild; ALTER TABLE public.story_parts RENAME TO parts; \
         ALTER TABLE public.parts ENABLE ROW LEVEL SECURITY; \
         CREATE VIEW public.story_parts AS SELECT * FROM public.parts; \
         ALTER VIEW public.story_parts OWNER TO guarded",
    );
    assert_snapshot!(told(), @r#"
    Usage: the tables cannot be read: query would be affected by row-level security policy for table "parts" (SQLSTATE 42501)
      --> postgres@localhost:PORT/DB
    help: grant the user the right, or log in as another
    "#);
}

#[test]
fn rows_that_a_user_may_not_see_are_no_rows_that_are_lost() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    let url = database.url().replace("postgres@", "guarded@");
    let login = Login { password: Some(Secret::new(PASSWORD)), ..Login::default() };
    let told_to_guarded = || told_to(&url, &login, &database);
    assert_snapshot!(told_to_guarded(), @"
    Usage: the tables cannot be read: permission denied for table context_contexts (SQLSTATE 42501)
      --> guarded@localhost:PORT/DB
    help: grant the user the right, or log in as another
    ");
    database.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guarded");
    assert_eq!(told_to_guarded(), "");
    database.run(
        "ALTER TABLE public.story_parts ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY first ON public.story_parts USING (idx = 0)",
    );
    assert_snapshot!(told_to_guarded(), @r#"
    Usage: the tables cannot be read: query would be affected by row-level security policy for table "story_parts" (SQLSTATE 42501)
      --> guarded@localhost:PORT/DB
    help: grant the user the right, or log in as another
    "#);
}
