//! PostgreSQL as a source: plain tables, and a self-hosted InstantDB's triples.

use std::io::Read as _;
use std::path::Path;

use insta::assert_snapshot;
use rethread::contract::{BUILT_IN, Contract, Overrides, load};
use rethread::error::Result;
use rethread::pg::{self, Login, Place};
use rethread::progress::Silent;
use rethread::snapshot::{self, Snapshot};
use rethread::source::{self, Source};
use serde_json::Value;

use crate::data;
use crate::support::fixture;
use crate::support::postgres::{Database, server};

fn contract() -> Contract {
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
         trigger_event_id uuid, reaction_event_id text, event_id uuid, execution uuid",
    ),
    (
        "story_parts",
        "id uuid PRIMARY KEY, key text, step_id uuid, idx numeric, type text, part jsonb, step uuid",
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
fn fill(database: &Database<'_>, schema: &str, data: &Value) {
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

fn taken(source: &mut dyn Source, place: &Path) -> Result<Snapshot> {
    snapshot::take(source, &contract(), place, &Silent)
}

/// What two snapshots of the same rows share.
fn summary(snapshot: &Snapshot) -> Vec<String> {
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

/// The rows of one entity, as they are passed.
fn objects(source: &mut dyn Source, entity: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut visit = |row: source::Row<'_>| {
        if row.entity == entity {
            rows.push(row.object.to_owned());
        }
        Ok(())
    };
    source.read(&contract(), &mut visit, &Silent).unwrap();
    rows
}

fn told(error: &rethread::error::Error, database: &Database<'_>) -> String {
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
    assert_snapshot!(rows.join("\n"), @"");
}

#[test]
fn what_is_missing_is_told_with_what_is_there() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    database.run("DROP TABLE public.story_parts; ALTER TABLE public.story_steps RENAME TO steps");
    let error = tables(&database, &[], "public").head(&contract()).unwrap_err();
    assert_snapshot!(told(&error, &database), @"");
    let given = [("thread_items", "nowhere.items")];
    let error = tables(&database, &given, "public").head(&contract()).unwrap_err();
    assert!(told(&error, &database).contains("`nowhere.items`"));
    let place = Place::parse(&database.url()).unwrap();
    let other = [("nothing".to_owned(), "a".to_owned())];
    let error = source::postgres(place, Login::default(), &other, "public", &contract()).err();
    assert_snapshot!(told(&error.unwrap(), &database), @"");
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

const SYSTEM: &str = "a1111111-1111-1111-1111-111111111ca7";
const APP: &str = "d92ddb12-9b52-4715-8100-8b9f45a2cbc1";
const OTHER_APP: &str = "00000000-0000-4000-8000-000000000099";

/// The tables as `INSTANTDB.md` §5.1 describes them.
const STORAGE: &str = "
    CREATE TYPE public.checked_data_type AS ENUM ('string', 'number', 'boolean', 'date');
    CREATE TABLE public.apps (id uuid PRIMARY KEY, title text NOT NULL);
    CREATE TABLE public.idents (id uuid PRIMARY KEY, app_id uuid, attr_id uuid, etype text, label text);
    CREATE TABLE public.attrs (id uuid PRIMARY KEY, app_id uuid NOT NULL, value_type text NOT NULL,
        cardinality text NOT NULL, is_unique bool NOT NULL, is_indexed bool NOT NULL,
        is_required bool, forward_ident uuid, reverse_ident uuid, etype text, label text,
        reverse_etype text, reverse_label text, checked_data_type public.checked_data_type,
        checking_data_type bool, indexing bool, setting_unique bool, on_delete text,
        on_delete_reverse text, inferred_types bit(32), deletion_marked_at timestamptz, metadata jsonb);
    CREATE TABLE public.triples (app_id uuid, entity_id uuid, attr_id uuid, value jsonb NOT NULL,
        value_md5 text, ea bool NOT NULL, eav bool NOT NULL, av bool NOT NULL, ave bool NOT NULL,
        vae bool NOT NULL, created_at bigint NOT NULL,
        checked_data_type public.checked_data_type, pg_size int,
        PRIMARY KEY (app_id, entity_id, attr_id, value_md5));
    CREATE TABLE public.loaded (entity_id uuid, etype text, label text, value jsonb, created_at bigint);
";

/// Turns the rows that were loaded into triples of an app.
fn settle(app: &str) -> String {
    format!(
        "INSERT INTO public.triples SELECT '{app}', l.entity_id, a.id, l.value, md5(l.value::text), \
            a.cardinality = 'one', a.value_type = 'ref', a.is_unique, a.is_indexed, \
            a.value_type = 'ref', l.created_at, a.checked_data_type \
         FROM public.loaded l JOIN public.attrs a ON a.etype = l.etype AND a.label = l.label; \
         DELETE FROM public.loaded"
    )
}

/// Attributes and links of a schema as rows of `attrs`; names of some stand in `idents` alone.
fn make_attrs(client: &mut pg::Client, schema: &Value) {
    let blob = "WITH made AS (INSERT INTO public.attrs (id, app_id, value_type, cardinality, \
            is_unique, is_indexed, is_required, etype, label, checked_data_type) \
         VALUES (gen_random_uuid(), ($1::text)::uuid, 'blob', 'one', $2, $3, $4, $5, $6, \
            ($7::text)::public.checked_data_type) RETURNING id) SELECT 1 FROM made";
    for (etype, entity) in schema["entities"].as_object().unwrap() {
        let app = if etype.starts_with('$') { SYSTEM } else { APP };
        client.execute(blob, &[&app, &true, &true, &true, &etype, &"id", &None::<&str>]).unwrap();
        for (label, attr) in entity["attrs"].as_object().unwrap() {
            let is_set = |value: &Value| value.as_bool().unwrap();
            let ty = attr["valueType"].as_str().filter(|ty| *ty != "json");
            let (unique, indexed) = (&attr["config"]["unique"], &attr["config"]["indexed"]);
            let flags = (is_set(unique), is_set(indexed), is_set(&attr["required"]));
            client
                .execute(blob, &[&app, &flags.0, &flags.1, &flags.2, &etype, &label, &ty])
                .unwrap();
        }
    }
    let link = "INSERT INTO public.attrs (id, app_id, value_type, cardinality, is_unique, \
            is_indexed, etype, label, reverse_etype, reverse_label) \
         VALUES (gen_random_uuid(), ($1::text)::uuid, 'ref', $2, $3, false, $4, $5, $6, $7)";
    for made in schema["links"].as_object().unwrap().values() {
        let text = |side: &str, key: &str| made[side][key].as_str().unwrap().to_owned();
        let unique = text("reverse", "has") == "one";
        let (has, on, label) =
            (text("forward", "has"), text("forward", "on"), text("forward", "label"));
        let (to, reverse) = (text("reverse", "on"), text("reverse", "label"));
        client.execute(link, &[&APP, &has, &unique, &on, &label, &to, &reverse]).unwrap();
    }
    client
        .batch_execute(
            "UPDATE public.attrs SET forward_ident = gen_random_uuid(), reverse_ident = gen_random_uuid(); \
             INSERT INTO public.idents SELECT forward_ident, app_id, id, etype, label FROM public.attrs; \
             INSERT INTO public.idents SELECT reverse_ident, app_id, id, reverse_etype, reverse_label \
               FROM public.attrs WHERE value_type = 'ref'",
        )
        .unwrap();
}

/// Loads the lines of an archive.
fn load_lines(
    client: &mut pg::Client,
    place: &Place,
    archive: &mut zip::ZipArchive<std::fs::File>,
) {
    let sink = client.copy_in("COPY public.loaded FROM STDIN (FORMAT BINARY)").unwrap();
    let mut out = pg::copy::Writer::new(sink, place, "the rows cannot be loaded");
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let name = entry.name().unwrap().into_owned();
        let Some(etype) = name.strip_prefix("entities/").and_then(|n| n.strip_suffix(".jsonl"))
        else {
            continue;
        };
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        for line in text.lines() {
            put_line(&mut out, etype, line);
        }
    }
    out.finish().unwrap();
}

fn put_line(out: &mut pg::copy::Writer<'_, '_>, etype: &str, line: &str) {
    use rethread::json;
    let members = json::members(line).unwrap();
    let entity = json::members(members[0].1).unwrap();
    let created_at: i64 = members[1].1.parse().unwrap();
    let id = entity.iter().find(|(label, _)| label == "id").unwrap().1.trim_matches('"');
    for (label, raw) in &entity {
        // Only a has-many link has an array of ids in the sample's schema.
        let values = match (etype, label.as_ref()) {
            ("emails", "events") => json::elements(raw).unwrap(),
            _ => vec![*raw],
        };
        for value in values {
            out.row(5).unwrap();
            out.uuid(id).unwrap();
            out.text(etype).unwrap();
            out.text(label).unwrap();
            out.jsonb(value).unwrap();
            out.int8(created_at);
        }
    }
}

/// The sample archive as an InstantDB server holds it, among other things that are not of the app.
fn make_storage(database: &Database<'_>) {
    database.run(STORAGE);
    let place = Place::parse(&database.url()).unwrap();
    let mut client = database.client();
    let file = std::fs::File::open(fixture("sample-backup.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let config: Value = serde_json::from_reader(archive.by_name("config.json").unwrap()).unwrap();
    assert_eq!(config["appId"], APP);
    make_attrs(&mut client, &config["schema"]);
    load_lines(&mut client, &place, &mut archive);
    let expected = config["tripleCount"].as_i64().unwrap();
    client.batch_execute(&settle(APP)).unwrap();
    let count = client.query_one("SELECT count(*) FROM public.triples", &[]).unwrap();
    assert_eq!(count.get::<_, i64>(0), expected);
    let title = config["title"].as_str().unwrap();
    let app = "INSERT INTO public.apps VALUES (($1::text)::uuid, $2)";
    client.execute(app, &[&APP, &title]).unwrap();
    client.execute(app, &[&OTHER_APP, &"other"]).unwrap();
    // The other app has the same rows; an attribute is being deleted; a system entity holds a token;
    // values of a row that is gone are left.
    client
        .batch_execute(&format!(
            "INSERT INTO public.triples SELECT '{OTHER_APP}', entity_id, attr_id, value, value_md5, \
                ea, eav, av, ave, vae, created_at FROM public.triples; \
             INSERT INTO public.attrs (id, app_id, value_type, cardinality, is_unique, is_indexed, \
                etype, label, deletion_marked_at) \
             VALUES ('00000000-0000-4000-8000-0000000000d1', '{APP}', 'blob', 'one', false, false, \
                'story_parts', 'x_deleted$text', now()); \
             INSERT INTO public.attrs (id, app_id, value_type, cardinality, is_unique, is_indexed, etype, label) \
             VALUES ('00000000-0000-4000-8000-0000000000d2', '{SYSTEM}', 'blob', 'one', true, true, '$magicCodes', 'id'); \
             INSERT INTO public.triples SELECT app_id, entity_id, '00000000-0000-4000-8000-0000000000d1', \
                '\"gone\"', 'x', true, false, false, false, false, 1 FROM public.triples WHERE ea AND app_id = '{APP}' \
                ON CONFLICT DO NOTHING; \
             INSERT INTO public.triples VALUES ('{APP}', '{OTHER_APP}', '00000000-0000-4000-8000-0000000000d2', \
                '\"canary\"', 'x', true, false, true, true, false, 1); \
             INSERT INTO public.triples SELECT '{APP}', '{OTHER_APP}', id, '\"ghost\"', 'x', true, false, \
                false, false, false, 1 FROM public.attrs WHERE etype = 'story_parts' AND label = 'type'; \
             UPDATE public.attrs SET etype = NULL, label = NULL, reverse_etype = NULL, reverse_label = NULL \
              WHERE forward_ident IS NOT NULL AND value_type = 'ref'",
        ))
        .unwrap();
}

fn triples(database: &Database<'_>, app: &str) -> Box<dyn Source> {
    let url = format!("instantdb+{}&app={app}", database.url());
    let (place, app) = source::triples_url(&url).unwrap().unwrap();
    source::triples(place, Login::default(), &app).unwrap()
}

#[test]
fn triples_give_the_rows_of_a_backup() {
    let Some(server) = server() else { return };
    let database = server.database();
    make_storage(&database);
    let folder = tempfile::tempdir().unwrap();
    let archive = fixture("sample-backup.zip");
    let mut backup = source::open(Path::new(&archive)).unwrap();
    let expected = taken(backup.as_mut(), &folder.path().join("a")).unwrap();
    let mut source = triples(&database, APP);
    let found = taken(source.as_mut(), &folder.path().join("b")).unwrap();
    assert_eq!(summary(&found), summary(&expected));
    let meta = &found.meta().source;
    assert_eq!(meta.kind, "instantdb-postgres");
    assert_eq!(meta.app_id.as_deref(), Some(APP));
    assert_eq!(meta.title, expected.meta().source.title);
    assert_eq!(source.identify(&Silent).unwrap(), *meta);
    let again = taken(source.as_mut(), &folder.path().join("c")).unwrap();
    assert_eq!(again.digest(), found.digest());
    // The schema is the one of the backup but for what has no rows in the database: its order.
    let schema = |name: &str| -> Value {
        let text = std::fs::read_to_string(folder.path().join(name).join("data/schema.json"));
        serde_json::from_str(&text.unwrap()).unwrap()
    };
    assert_eq!(schema("b"), schema("a"));
}

#[test]
fn rows_of_triples_are_those_of_a_backup_line_by_line() {
    let Some(server) = server() else { return };
    let database = server.database();
    make_storage(&database);
    let archive = fixture("sample-backup.zip");
    let mut backup = source::open(Path::new(&archive)).unwrap();
    for entity in ["emails", "$users", "thread_items"] {
        let lines = |source: &mut dyn Source| -> Vec<Value> {
            let objects = objects(source, entity);
            objects.iter().map(|object| serde_json::from_str(object).unwrap()).collect()
        };
        assert_eq!(lines(triples(&database, APP).as_mut()), lines(backup.as_mut()), "{entity}");
    }
}

#[test]
fn what_is_no_app_is_told() {
    let Some(server) = server() else { return };
    let database = server.database();
    let error = triples(&database, APP).head(&contract()).unwrap_err();
    assert_snapshot!(told(&error, &database), @"");
    database.run(STORAGE);
    let error = triples(&database, APP).head(&contract()).unwrap_err();
    assert_snapshot!(told(&error, &database), @"");
    let url = format!("instantdb+{}", database.url());
    let error = source::triples_url(&url).unwrap().unwrap_err();
    assert_snapshot!(told(&error, &database), @"");
    assert!(source::triples_url(&database.url()).is_none());
    let place = Place::parse(&database.url()).unwrap();
    assert!(source::triples(place, Login::default(), "x' OR true").is_err());
}
