//! PostgreSQL as a target.

use serde_json::{Value, json};

use crate::data;
use crate::support::postgres::{Database, PASSWORD, server};
use crate::support::{Output, Place, files, released};

/// A folder with a verified bundle, and its name.
pub(crate) fn bundle_of(app: &Value) -> (Place, String) {
    bundle_by(app, "required")
}

/// The same by a contract that asks for a dry run or does not.
pub(crate) fn bundle_by(app: &Value, dry_run: &str) -> (Place, String) {
    let place = Place::new();
    place.write("app.json", app.to_string());
    let set = format!("rollout.dry_run={dry_run}");
    let [release, file] = released();
    let args = ["run", "app.json", "--json", "--set", &set, &release, &file];
    let output = place.run(&args).ends(0).json();
    let bundle = output["bundle"].as_str().expect("a folder").to_owned();
    (place, bundle)
}

/// Everything in a database: tables, columns, indexes, constraints, rows.
pub(crate) fn dump(database: &Database<'_>) -> String {
    let mut client = database.client();
    let mut out = String::new();
    let catalog = "SELECT n.nspname || ' ' || c.relname || ' ' || c.relkind::text || ' ' ||
            coalesce((SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', '
                ORDER BY attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0), '')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1";
    for row in client.query(catalog, &[]).expect("the catalog") {
        let line: String = row.get(0);
        let words: Vec<&str> = line.split(' ').collect();
        out.push_str(&format!("{line}\n"));
        if words[2] == "r" && words[1] != "rethread_imports" {
            let sql = format!("SELECT t::text FROM \"{}\".\"{}\" t ORDER BY 1", words[0], words[1]);
            for row in client.query(&sql, &[]).expect("rows") {
                out.push_str(&format!("  {}\n", row.get::<_, String>(0)));
            }
        }
    }
    out
}

fn count(database: &Database<'_>, sql: &str) -> i64 {
    database.client().query_one(sql, &[]).expect("a row").get(0)
}

/// What an error says, without the port of the server.
fn said(output: &Output, database: &Database<'_>) -> String {
    let place = database.url();
    let place = place.split('@').nth(1).and_then(|rest| rest.split('?').next()).expect("a place");
    let lines: Vec<String> = output
        .error()
        .lines()
        .filter(|line| !line.contains("in-the-way-"))
        .map(|line| line.replace(place, "HOST/DB"))
        .collect();
    lines.join("\n")
}

#[test]
fn a_bundle_is_rehearsed_imported_and_undone() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url();
    let import = ["import", &bundle, "--to", &url];
    let act = [&import[..], &["--execute"]].concat();
    let empty = dump(&database);
    let refused = place.run(&act).ends(5);
    assert!(refused.stderr.contains("asks for a dry run"), "{}", refused.stderr);
    let told = place.run(&import).ends(0);
    assert!(told.stdout.contains("read back and equal, then taken back"), "{}", told.stdout);
    assert_eq!(dump(&database), empty, "a dry run leaves nothing");
    place.run(&act).ends(0);
    assert_eq!(count(&database, "SELECT count(*) FROM thread_parts"), 2);
    let text = "SELECT count(*) FROM thread_items WHERE content->'parts'->0->>'text' = 'שלום'";
    assert_eq!(count(&database, text), 1);
    let full = dump(&database);
    let again = place.run(&act).ends(0);
    assert!(again.stderr.contains("nothing to do: all 8 rows"), "{}", again.stderr);
    assert_eq!(dump(&database), full);
    let state = place.run(&["status"]).ends(0).stdout;
    assert!(state.contains("migrated_verified    postgres `localhost"), "{state}");
    let undo = ["rollback", &bundle, "--to", &url];
    place.run(&undo).ends(0);
    assert_eq!(dump(&database), full, "a dry run undoes nothing");
    place.run(&[&undo[..], &["--execute"]].concat()).ends(0);
    assert_eq!(dump(&database), empty);
    assert!(place.run(&["status"]).ends(0).stdout.contains("rolled_back          postgres"));
}

#[test]
fn the_tables_are_those_of_the_contract() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let import = ["import", &bundle, "--to", &database.url(), "--schema", "thread data"];
    place.run(&import).ends(0);
    place.run(&[&import[..], &["--execute"]].concat()).ends(0);
    let sql =
        "SELECT string_agg(pg_get_constraintdef(oid), E'\n' ORDER BY conname) FROM pg_constraint
        WHERE conrelid = '\"thread data\".thread_steps'::regclass AND contype <> 'n'";
    let found: String = database.client().query_one(sql, &[]).expect("a row").get(0);
    insta::assert_snapshot!(found, @r#"
    FOREIGN KEY (execution) REFERENCES "thread data".thread_executions(id) DEFERRABLE INITIALLY DEFERRED
    PRIMARY KEY (id)
    "#);
    let sql = "SELECT string_agg(indexdef, E'\n' ORDER BY indexname) FROM pg_indexes
        WHERE tablename = 'thread_threads'";
    let found: String = database.client().query_one(sql, &[]).expect("a row").get(0);
    insta::assert_snapshot!(found, @r#"
    CREATE UNIQUE INDEX "thread_threads.key" ON "thread data".thread_threads USING btree (id)
    CREATE UNIQUE INDEX "thread_threads.key.index" ON "thread data".thread_threads USING btree (key)
    CREATE INDEX "thread_threads.status.index" ON "thread data".thread_threads USING btree (status)
    "#);
}

#[test]
fn rows_that_are_not_ours_are_listed_kept_or_replaced_and_come_back() {
    let Some(server) = server() else { return };
    let (place, bundle) = bundle_of(&data::sound());
    for (policy, held) in [("keep", "by hand"), ("replace", "web")] {
        let database = server.database();
        let url = database.url();
        let import = ["import", &bundle, "--to", &url, "--on-conflict", policy];
        // Tables as another program made them: no lineage, one row of theirs, one that differs.
        database.run(
            "CREATE TABLE thread_items (id uuid PRIMARY KEY, channel text NOT NULL,
                \"createdAt\" timestamptz NOT NULL, type text, content jsonb, status text,
                thread uuid, context uuid, execution uuid, note text DEFAULT 'x');
             INSERT INTO thread_items VALUES
               ('00000000-0000-4000-8000-000200000001', 'by hand', now(), 'a', '{}', null, null, null, null),
               ('00000000-0000-4000-8000-000200000099', 'theirs', now(), 'a', '{}', null, null, null, null)",
        );
        let before = dump(&database);
        let refused = place.run(&import[..4]).ends(5);
        let refused = said(&refused, &database);
        assert!(
            refused.contains("1 row of `HOST/DB` is in the way\n  --> `thread_items`: 1 (00000000-0000-4000-8000-000200000001)"),
            "{refused}"
        );
        place.run(&import).ends(0);
        assert_eq!(dump(&database), before);
        place.run(&[&import[..], &["--execute"]].concat()).ends(0);
        let sql = format!(
            "SELECT count(*) FROM thread_items WHERE channel = '{held}' AND id::text LIKE '%01'"
        );
        assert_eq!(count(&database, &sql), 1, "{policy}");
        assert_eq!(count(&database, "SELECT count(*) FROM thread_items"), 3);
        place.run(&["rollback", &bundle, "--to", &url, "--execute"]).ends(0);
        assert_eq!(dump(&database), before, "{policy}");
    }
}

#[test]
fn what_changed_since_the_import_is_not_undone() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url();
    place.run(&["import", &bundle, "--to", &url]).ends(0);
    place.run(&["import", &bundle, "--to", &url, "--execute"]).ends(0);
    let undo = || place.run(&["rollback", &bundle, "--to", &url, "--execute"]);
    database.run("UPDATE thread_parts SET idx = 7 WHERE idx = 1");
    insta::assert_snapshot!(said(&undo().ends(5), &database), @"
    error: 1 row of `HOST/DB` has changed since the import
      --> `thread_parts`: 1 (00000000-0000-4000-8000-000500000002)
    help: bring these rows back to what was imported, then roll back; nothing was changed
    ");
    database.run(
        "UPDATE thread_parts SET idx = 1 WHERE idx = 7;
        CREATE TABLE mine (item uuid REFERENCES thread_items (id));
        INSERT INTO mine SELECT id FROM thread_items LIMIT 1",
    );
    let full = dump(&database);
    let refused = said(&undo().ends(5), &database);
    assert!(refused.contains("rows that are not ours lead to rows of the import"), "{refused}");
    assert_eq!(dump(&database), full);
    database.run("DROP TABLE mine");
    undo().ends(0);
    assert_eq!(count(&database, "SELECT count(*) FROM pg_class WHERE relname LIKE 'thread%'"), 0);
}

#[test]
fn tables_that_do_not_fit_are_named_and_left_alone() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run(
        "CREATE TABLE thread_threads (id text, \"createdAt\" timestamp, key text, must text NOT NULL);
         ALTER TABLE thread_threads ENABLE ROW LEVEL SECURITY;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER spy BEFORE INSERT ON thread_threads FOR EACH ROW EXECUTE FUNCTION f()",
    );
    let before = dump(&database);
    let (place, bundle) = bundle_of(&data::sound());
    let refused = place.run(&["import", &bundle, "--to", &database.url()]).ends(5);
    insta::assert_snapshot!(said(&refused, &database), @"
    error: the schema has tables that do not fit the contract
      --> postgres@HOST/DB, schema `public`
      --> `thread_threads.id` is text, not uuid
      --> `thread_threads.createdAt` is timestamp without time zone, not timestamp with time zone
      --> `thread_threads.updatedAt` is missing
      --> `thread_threads.name` is missing
      --> `thread_threads.status` is missing
      --> `thread_threads.must` wants a value that no bundle has
      --> trigger `spy` acts on `thread_threads`
      --> row security hides rows of `thread_threads`
      --> `thread_threads` has no unique index on `id`
    help: name another schema with `--schema`, or change these tables; they are never altered
    ");
    assert_eq!(dump(&database), before);
}

#[test]
fn what_takes_rows_otherwise_than_they_are_given_is_named_before_one_is_written() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url();
    // The tables as an import makes them.
    let [release, file] = released();
    let made = place.run(&["run", "app.json", "--json", &release, &file]).ends(0).json();
    let filled = made["bundle"].as_str().expect("a folder");
    place.run(&["import", filled, "--to", &url]).ends(0);
    place.run(&["import", filled, "--to", &url, "--execute"]).ends(0);
    database.run(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         ALTER TABLE thread_items RENAME TO items; CREATE VIEW thread_items AS SELECT * FROM items;
         CREATE RULE none AS ON INSERT TO thread_steps DO INSTEAD NOTHING;
         ALTER TABLE thread_threads DROP COLUMN name;
         ALTER TABLE thread_threads ADD COLUMN name text GENERATED ALWAYS AS ('x') STORED;
         ALTER TABLE thread_parts RENAME TO old_parts;
         CREATE TABLE thread_parts (LIKE old_parts, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE all_parts PARTITION OF thread_parts DEFAULT;
         CREATE TRIGGER gone BEFORE INSERT ON all_parts FOR EACH ROW EXECUTE FUNCTION f();
         ALTER TABLE thread_executions ADD COLUMN more text; CREATE TABLE mine () INHERITS (thread_executions);
         ALTER TABLE rethread_imports RENAME TO old_imports;
         CREATE VIEW rethread_imports AS SELECT * FROM old_imports;
         CREATE TRIGGER instead INSTEAD OF INSERT ON rethread_imports FOR EACH ROW EXECUTE FUNCTION f()",
    );
    let before = dump(&database);
    let refused = place.run(&["import", &bundle, "--to", &url]).ends(5);
    insta::assert_snapshot!(said(&refused, &database), @"
    error: the schema has tables that do not fit the contract
      --> postgres@HOST/DB, schema `public`
      --> `thread_threads.name` is generated and takes no value
      --> `thread_items` is a view, not a table
      --> `mine` inherits from `thread_executions`
      --> rule `none` acts on `thread_steps`
      --> trigger `gone` acts on `thread_parts`
      --> `rethread_imports` is a view, not a table
    help: name another schema with `--schema`, or change these tables; they are never altered
    ");
    assert_eq!(dump(&database), before);
}

#[test]
fn a_name_that_something_else_has_is_said_before_a_table_is_made() {
    let Some(server) = server() else { return };
    let database = server.database();
    database.run(
        "CREATE TABLE t (id int); CREATE INDEX thread_threads ON t (id);
         CREATE SEQUENCE thread_parts; CREATE TYPE thread_items AS ENUM ('a');
         CREATE TYPE thread_steps AS (a int); CREATE MATERIALIZED VIEW thread_executions AS SELECT 1;
         CREATE EXTENSION IF NOT EXISTS file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
         CREATE FOREIGN TABLE thread_contexts (id text) SERVER files OPTIONS (filename '/dev/null')",
    );
    let before = dump(&database);
    let (place, bundle) = bundle_of(&data::sound());
    let refused = place.run(&["import", &bundle, "--to", &database.url()]).ends(5);
    insta::assert_snapshot!(said(&refused, &database), @"
    error: the schema has tables that do not fit the contract
      --> postgres@HOST/DB, schema `public`
      --> `thread_threads` is an index, not a table
      --> `thread_contexts` is a foreign table, not a table
      --> `thread_items` is a type, not a table
      --> `thread_executions` is a materialized view, not a table
      --> `thread_steps` is a type, not a table
      --> `thread_parts` is a sequence, not a table
    help: name another schema with `--schema`, or change these tables; they are never altered
    ");
    assert_eq!(dump(&database), before);
}

#[test]
fn what_acts_on_no_row_of_ours_is_no_hindrance() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url();
    // A rule and a policy of a partition do not hold for rows that come through its table.
    database.run(&format!(
        "CREATE TABLE thread_items (id uuid PRIMARY KEY, channel text NOT NULL,
            \"createdAt\" timestamptz NOT NULL, type text, content jsonb, status text,
            thread uuid, context uuid, execution uuid) PARTITION BY HASH (id);
         CREATE TABLE all_items PARTITION OF thread_items FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         CREATE RULE none AS ON INSERT TO all_items DO INSTEAD NOTHING;
         ALTER TABLE all_items ENABLE ROW LEVEL SECURITY;
         CREATE TEMP TABLE thread_threads (id int);
         ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name()
    ));
    place.run(&["import", &bundle, "--to", &url]).ends(0);
    place.run(&["import", &bundle, "--to", &url, "--execute"]).ends(0);
    assert_eq!(count(&database, "SELECT count(*) FROM all_items"), 2);
    place.run(&["rollback", &bundle, "--to", &url, "--execute"]).ends(0);
    assert_eq!(count(&database, "SELECT count(*) FROM all_items"), 0);
}

#[test]
fn a_database_that_looks_after_no_foreign_keys_is_refused() {
    let Some(server) = server() else { return };
    let database = server.database();
    database
        .run(&format!("ALTER DATABASE {} SET session_replication_role = replica", database.name()));
    let (place, bundle) = bundle_of(&data::sound());
    let refused = place.run(&["import", &bundle, "--to", &database.url()]).ends(5);
    insta::assert_snapshot!(said(&refused, &database), @"
    error: the import cannot begin: `session_replication_role` is `replica` and must be `origin`
      --> postgres@HOST/DB
    help: name the server itself, not what pools its connections, and a user for whom no `ALTER ROLE` sets it
    ");
}

#[test]
fn a_rollback_knows_how_payloads_were_written() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url();
    let empty = dump(&database);
    let undo = ["rollback", &bundle, "--to", &url];
    for form in ["text", "jsonb"] {
        let import = ["import", &bundle, "--to", &url, "--json-as", form];
        place.run(&import).ends(0);
        place.run(&[&import[..], &["--execute"]].concat()).ends(0);
        let full = dump(&database);
        if form == "text" {
            let told = place.run(&import[..4]).ends(5).error();
            assert!(told.contains("is text, not jsonb, as `--json-as` has it"), "{told}");
        }
        place.run(&undo).ends(0);
        assert_eq!(dump(&database), full);
        place.run(&[&undo[..], &["--execute", "--json-as", "text"]].concat()).ends(0);
        assert_eq!(dump(&database), empty);
    }
}

#[test]
fn a_table_that_another_session_holds_is_tried_again_later() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url();
    place.run(&["import", &bundle, "--to", &url]).ends(0);
    place.run(&["import", &bundle, "--to", &url, "--execute"]).ends(0);
    let mut other = database.client();
    other.batch_execute("BEGIN; LOCK TABLE thread_items").expect("a lock");
    let told = place.run(&["import", &bundle, "--to", &url, "--json"]).ends(75).stderr;
    assert!(told.contains("\"kind\":\"busy\""), "{told}");
    drop(other);
    place.run(&["import", &bundle, "--to", &url]).ends(0);
}

#[test]
fn a_database_of_another_encoding_is_refused_before_a_row() {
    let Some(server) = server() else { return };
    let (place, bundle) = bundle_of(&data::sound());
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let database =
            server.database_with(&format!("TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"));
        for more in [&[][..], &["--json-as", "text"]] {
            let url = database.url();
            let refused = place.run(&[&["import", &bundle, "--to", &url], more].concat()).ends(5);
            let wanted = format!("the database's encoding is {encoding}; the target must be UTF8");
            assert!(refused.error().contains(&wanted), "{}", refused.stderr);
        }
    }
}

#[test]
fn what_jsonb_cannot_hold_is_named_and_text_holds_it() {
    let Some(server) = server() else { return };
    for (raw, why) in [
        (r#"{"a":"\u0000"}"#, "has a NUL character, which jsonb cannot hold"),
        (r#"{"a":"\ud800"}"#, "has half a surrogate pair, which jsonb cannot hold"),
        (r#"{"a":1,"a":2}"#, "does not hold what the bundle holds"),
        ("[1e400000]", "SQLSTATE 22003"),
    ] {
        let database = server.database();
        let url = database.url();
        let mut app = data::sound();
        app["story_parts"][1]["part"] = json!("RAW");
        let place = Place::new();
        place.write("app.json", app.to_string().replace("\"RAW\"", raw));
        let [release, file] = released();
        let output = place.run(&["run", "app.json", "--json", &release, &file]).ends(0).json();
        let bundle = output["bundle"].as_str().expect("a folder");
        let refused = place.run(&["import", bundle, "--to", &url]);
        assert!(matches!(refused.code, 1 | 3 | 5), "{raw}: {}", refused.stderr);
        let refused = said(&refused, &database);
        assert!(refused.contains(why), "{raw}: {refused}");
        assert!(refused.contains("00000000-0000-4000-8000-000500000002"), "{raw}: {refused}");
        assert!(!refused.contains("e400000") && !refused.contains("u0000"), "{refused}");
        let import = ["import", bundle, "--to", &url, "--json-as", "text"];
        place.run(&import).ends(0);
        place.run(&[&import[..], &["--execute"]].concat()).ends(0);
        let sql = "SELECT part FROM thread_parts WHERE idx = 1";
        let held: String = database.client().query_one(sql, &[]).expect("a row").get(0);
        assert_eq!(held, raw);
        let broken = database.client().execute("UPDATE thread_parts SET part = '{'", &[]);
        assert!(broken.is_err(), "text is checked to be JSON");
    }
}

#[test]
fn two_imports_at_once_exclude_each_other() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (place, bundle) = bundle_of(&data::sound());
    let mut other = database.client();
    // The lock of an import into `public`, as another program of ours would hold it.
    let url = database.url();
    place.run(&["import", &bundle, "--to", &url]).ends(0);
    let key = rethread::bag::sha256_hex(b"rethread public");
    let key = i64::from_str_radix(&key[..15], 16).expect("digits");
    other.batch_execute(&format!("SELECT pg_advisory_lock({key})")).expect("the lock");
    insta::assert_snapshot!(said(&place.run(&["import", &bundle, "--to", &url]).ends(75), &database), @"
    error: another import into this schema is at work
      --> postgres@HOST/DB, schema `public`
    help: wait for it to end; the lock of a run that was killed goes with its connection
    ");
    drop(other);
    place.run(&["import", &bundle, "--to", &url]).ends(0);
}

#[test]
fn a_password_reaches_nothing_but_the_server() {
    let Some(server) = server() else { return };
    let database = server.database();
    database
        .run("GRANT ALL ON SCHEMA public TO guarded; GRANT CREATE ON DATABASE postgres TO guarded");
    let (place, bundle) = bundle_of(&data::sound());
    let url = database.url().replace("postgres@", "guarded@");
    place.write("password", format!("{PASSWORD}\n"));
    let encoded: String = PASSWORD.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let in_url = url.replace("guarded@", &format!("guarded:{encoded}@"));
    let ways: [(&[&str], Option<&str>); 4] = [
        (&["--to", &url, "--password-file", "password"], None),
        (&["--to", &url, "--password-command", "cat password"], None),
        (&["--to", &url], Some(PASSWORD)),
        (&["--to", &in_url], None),
    ];
    let mut outputs = Vec::new();
    for (args, variable) in ways {
        for act in [&[][..], &["--execute"]] {
            let mut command = place.command(&[&["import", &bundle], args, act].concat());
            if let Some(password) = variable {
                command.env("PGPASSWORD", password);
            }
            let output = command.env("PATH", "/usr/bin:/bin").output().expect("it runs");
            assert!(
                output.status.success(),
                "{args:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            outputs.push(output.stdout);
            outputs.push(output.stderr);
        }
    }
    let wrong =
        place.run(&["import", &bundle, "--to", &url.replace("guarded@", "guarded:canary-wrong@")]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    outputs.push(wrong.stderr.into_bytes());
    outputs.push(place.run(&["status", "--json"]).ends(0).stdout.into_bytes());
    std::fs::remove_file(place.path("password")).expect("the file");
    outputs.extend(
        files(place.path(".")).into_iter().map(|path| std::fs::read(path).expect("a file")),
    );
    for output in outputs {
        let text = String::from_utf8_lossy(&output);
        assert!(!text.contains("canary-") && !text.contains(&encoded[..12]), "{text}");
    }
}
