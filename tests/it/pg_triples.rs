//! A self-hosted InstantDB's triples as a source.
#![allow(clippy::unwrap_used, reason = "helpers of tests, as the tests")]

use std::io::Read as _;
use std::path::Path;

use insta::assert_snapshot;
use rethread::pg::{self, Login, Place};
use rethread::progress::Silent;
use rethread::source::{self, Source};
use serde_json::Value;

use crate::pg_source::{contract, objects, summary, taken, told};
use crate::support::fixture;
use crate::support::postgres::{Database, server};

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
    // The other app has the same rows; an attribute is being deleted; a system entity holds a token.
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
fn links_of_any_kind_and_rows_that_are_only_links_are_those_of_a_backup() {
    let Some(server) = server() else { return };
    let database = server.database();
    make_storage(&database);
    let event = "(SELECT t.entity_id FROM public.triples t JOIN public.attrs a ON a.id = t.attr_id \
                 WHERE t.app_id = a.app_id AND a.etype = 'context_events' AND a.label = 'id' ORDER BY 1 LIMIT 1)";
    let add = |id: &str, label: &str, reverse: &str, on_delete: &str| {
        database.run(&format!(
            "INSERT INTO public.attrs (id, app_id, value_type, cardinality, is_unique, is_indexed, \
                is_required, etype, label, reverse_etype, reverse_label, on_delete) \
             VALUES ('{id}', '{APP}', 'ref', 'one', false, false, true, 'context_events', '{label}', \
                {reverse}, {on_delete}); \
             INSERT INTO public.triples SELECT '{APP}', {event}, '{id}', to_jsonb({event}::text), 'x', true, \
                true, false, false, true, 5"
        ));
    };
    let ids = ["00000000-0000-4000-8000-0000000000e1", "00000000-0000-4000-8000-0000000000e2"];
    add(ids[0], "replyTo", "'context_events', 'replies'", "'cascade'");
    add(ids[1], "origin", "NULL, NULL", "NULL");
    database.run(&format!(
        "INSERT INTO public.triples SELECT '{APP}', '{OTHER_APP}', attr_id, to_jsonb({event}::text), 'x', \
            false, true, false, false, true, 7 FROM public.idents WHERE app_id = '{APP}' AND etype = 'emails' \
            AND label = 'events'"
    ));
    let folder = tempfile::tempdir().unwrap();
    let found = taken(triples(&database, APP).as_mut(), &folder.path().join("a")).unwrap();
    let links = |label: &str| {
        let mut links = found.meta().links.iter().filter(|links| links.label == label);
        links.next().map(|links| (links.role.as_str(), links.target.as_str(), links.rows))
    };
    assert_eq!(links("replyTo"), Some(("carried", "context_events", 1)));
    assert_eq!(links("origin"), Some(("carried", "", 1)));
    let text = std::fs::read_to_string(folder.path().join("a/data/schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert_snapshot!(schema["links"]["context_eventsReplyTo"], @r#"{"forward":{"has":"one","label":"replyTo","on":"context_events","onDelete":"cascade","required":true},"reverse":{"has":"many","label":"replies","on":"context_events"}}"#);
    assert_snapshot!(schema["links"]["context_eventsOrigin"], @r#"{"forward":{"has":"one","label":"origin","on":"context_events","required":true},"reverse":{"has":"many","label":null,"on":null}}"#);
    let emails = objects(triples(&database, APP).as_mut(), "emails");
    assert_eq!(
        emails.iter().filter(|email| email.starts_with("{\"events\":")).count(),
        1,
        "{emails:?}"
    );
}

#[test]
fn what_is_no_app_is_told() {
    let Some(server) = server() else { return };
    let database = server.database();
    let error = triples(&database, APP).head(&contract()).unwrap_err();
    assert_snapshot!(told(&error, &database), @r#"
    Usage: the triples cannot be read: relation "public.apps" does not exist (SQLSTATE 42P01)
      --> postgres@localhost:PORT/DB
    help: name the database of an InstantDB server
    "#);
    database.run(STORAGE);
    let error = triples(&database, APP).head(&contract()).unwrap_err();
    assert_snapshot!(told(&error, &database), @"
    Usage: the database has no app `d92ddb12-9b52-4715-8100-8b9f45a2cbc1`
      --> postgres@localhost:PORT/DB
    help: name an app that the server has: the table `apps` lists them
    ");
    let url = format!("instantdb+{}", database.url());
    let error = source::triples_url(&url).unwrap().unwrap_err();
    assert_snapshot!(told(&error, &database), @"
    Usage: the database's URL does not name one app
    help: write `instantdb+postgres://USER@HOST/DATABASE?app=APP_ID`
    ");
    assert!(source::triples_url(&database.url()).is_none());
    let place = Place::parse(&database.url()).unwrap();
    assert!(source::triples(place, Login::default(), "x' OR true").is_err());
}

#[test]
fn an_id_may_be_a_row_of_several_entities_but_has_one_value_each() {
    let Some(server) = server() else { return };
    let database = server.database();
    make_storage(&database);
    let user = "1f942d3a-5279-4dfa-973e-969a4666722a";
    let add = |label: &str, value: &str| {
        database.run(&format!(
            "INSERT INTO public.triples SELECT '{APP}', '{user}', id, '{value}', md5('{value}'), \
                false, false, false, false, false, 5 \
             FROM public.attrs WHERE etype = 'emails' AND label = '{label}'"
        ));
    };
    add("subject", "\"a\"");
    // Without an id it is a row without one, as in a backup.
    let emails = objects(triples(&database, APP).as_mut(), "emails");
    assert!(emails.contains(&r#"{"subject":"a"}"#.to_owned()), "{emails:?}");
    add("id", &format!("\"{user}\""));
    let emails = objects(triples(&database, APP).as_mut(), "emails");
    assert!(emails.contains(&format!(r#"{{"id":"{user}","subject":"a"}}"#)), "{emails:?}");
    assert_eq!(objects(triples(&database, APP).as_mut(), "$users").len(), 3);
    add("subject", "\"canary\"");
    let error = triples(&database, APP).identify(&Silent).unwrap_err();
    assert_snapshot!(told(&error, &database), @"
    Damaged: `subject` has several values, and may have one
      --> `emails` 1f942d3a-5279-4dfa-973e-969a4666722a
    ");
}
