//! PostgreSQL behind a pooler: Debian's `pgbouncer`, handing connections on while clients of the app work.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::postgres::{Client, NoTls, SimpleQueryMessage};

use crate::data;
use crate::pg_source::fill;
use crate::pg_target::{bundle_of, dump};
use crate::support::postgres::{Database, PASSWORD, Server, as_unprivileged, free_port, server};
use crate::support::{Place, fixture};

/// A pooler before a database, with three connections to it.
struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// `None`, said on stderr, where none is installed.
    #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start(server: &Server, database: &Database<'_>, user: &str, mode: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter();
        let program = program.clone().find(|path| std::path::Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("skipped: no pgbouncer is installed");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = format!(
            "[databases]\napp = host=127.0.0.1 port={} dbname={} user={user} password='{PASSWORD}'\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             pool_mode = {mode}\ndefault_pool_size = 3\nunix_socket_dir =\n\
             ignore_startup_parameters = extra_float_digits,options\n",
            server.port(),
            database.name()
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config).expect("a file");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("a folder for everybody");
        let mut command = as_unprivileged(program);
        command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("a pooler");
        let pooler = Self { child, port, _folder: folder };
        let begun = Instant::now();
        while pooler.connect().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the pooler does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(pooler)
    }

    fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/app?sslmode=disable", self.port)
    }

    fn connect(&self) -> Result<Client, ::postgres::Error> {
        Client::connect(&self.url(), NoTls)
    }

    /// Runs statements as an app would that leaves something on every connection of the pool.
    fn on_each_connection(&self, sql: &str) {
        let clients = (0..3).map(|_| self.connect().expect("a connection"));
        let mut clients: Vec<Client> = clients.collect();
        for client in &mut clients {
            client.batch_execute(&format!("BEGIN; {sql}")).expect("a transaction");
        }
        for client in &mut clients {
            client.batch_execute("COMMIT").expect("a commit");
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What clients of the app were given: their settings, and what failed.
#[derive(Default)]
struct Seen {
    settings: BTreeSet<String>,
    errors: BTreeSet<String>,
    transactions: u32,
}

/// A client of the app: asks in transactions of its own until it is told to stop.
fn client(pooler: &Pooler, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        if connection.is_none() {
            connection = Some(pooler.connect().expect("a connection"));
        }
        let Some(client) = connection.as_mut() else { continue };
        let sql = "BEGIN; SELECT current_setting('search_path') || '|' || current_setting('row_security') \
                   || '|' || current_setting('DateStyle') || '|' || (SELECT count(*) FROM pg_prepared_statements); \
                   SELECT count(*) FROM story_steps; COMMIT";
        match client.simple_query(sql) {
            Ok(found) => {
                let rows = found.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                });
                seen.settings.extend(rows.take(1));
            }
            Err(error) => {
                seen.errors.insert(error.to_string());
                connection = None;
            }
        }
        seen.transactions += 1;
    }
    seen
}

fn rows_of(dataset: &serde_json::Value) -> u64 {
    let tables = dataset.as_object().expect("tables").values();
    tables.map(|rows| rows.as_array().map_or(0, Vec::len) as u64).sum()
}

/// Works while clients of the app do, and gives what they saw.
fn beside_clients(pooler: &Pooler, work: impl FnOnce()) -> Seen {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| client(pooler, &stop))).collect();
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for client in clients {
            let seen = client.join().expect("a client");
            all.settings.extend(seen.settings);
            all.errors.extend(seen.errors);
            all.transactions += seen.transactions;
        }
        if let Err(panic) = worked {
            std::panic::resume_unwind(panic);
        }
        all
    })
}

#[test]
fn other_clients_of_a_pooled_database_see_nothing_of_an_export_or_a_dry_run() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    let Some(pooler) = Pooler::start(server, &database, "postgres", "transaction") else { return };
    let place = Place::new();
    let made = place.run(&["run", &fixture("sample-backup.zip"), "--json"]).ends(0).json();
    let bundle = made["bundle"].as_str().expect("a bundle");
    let seen = beside_clients(&pooler, || {
        for at in 0..8 {
            let to = format!("s{at}");
            place.run(&["export", &pooler.url(), "--to", &to]).ends(0);
            let meta = std::fs::read(place.path(&to).join("data/snapshot.json")).expect("a file");
            let meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
            let rows = |table: &serde_json::Value| table["rows"].as_u64().unwrap_or_default();
            let found: u64 = meta["tables"].as_array().expect("tables").iter().map(rows).sum();
            assert_eq!(found, rows_of(&data::sound()));
        }
        for schema in ["a", "b", "c", "d"] {
            place.run(&["import", bundle, "--to", &pooler.url(), "--schema", schema]).ends(0);
        }
    });
    assert_eq!(seen.errors, BTreeSet::new());
    assert_eq!(seen.settings, BTreeSet::from(["\"$user\", public|on|ISO, MDY|0".to_owned()]));
    assert!(seen.transactions > 100, "{} transactions", seen.transactions);
}

#[test]
fn rows_that_a_policy_hides_are_refused_behind_a_pooler_too() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    database.run(
        "GRANT USAGE ON SCHEMA public TO guarded; \
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO guarded; \
         ALTER TABLE story_parts ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY p ON story_parts FOR SELECT USING (idx = 0)",
    );
    let Some(pooler) = Pooler::start(server, &database, "guarded", "transaction") else { return };
    let place = Place::new();
    let seen = beside_clients(&pooler, || {
        for at in 0..8 {
            let told = place.run(&["export", &pooler.url(), "--to", &format!("s{at}")]).ends(2);
            assert!(told.error().contains("row-level security policy"), "{}", told.stderr);
        }
    });
    assert_eq!(seen.errors, BTreeSet::new());
}

#[test]
fn an_import_through_a_pooler_is_the_same_as_without() {
    let Some(server) = server() else { return };
    let (place, bundle) = bundle_of(&data::sound());
    for mode in ["transaction", "session"] {
        let database = server.database();
        let Some(pooler) = Pooler::start(server, &database, "postgres", mode) else { return };
        let empty = dump(&database);
        let (to, url) = (database.url(), pooler.url());
        place.run(&["import", &bundle, "--to", &url]).ends(0);
        assert_eq!(dump(&database), empty);
        place.run(&["import", &bundle, "--to", &url, "--execute"]).ends(0);
        // By the server itself it is another target with another journal, and has it already.
        place.run(&["import", &bundle, "--to", &to]).ends(0);
        let again = place.run(&["import", &bundle, "--to", &to, "--execute"]).ends(0);
        assert!(again.stderr.contains("nothing to do: all 8 rows"), "{}", again.stderr);
        place.run(&["rollback", &bundle, "--to", &url, "--execute"]).ends(0);
        assert_eq!(dump(&database), empty);
    }
}

#[test]
fn a_pooler_that_lets_no_transaction_be_is_refused() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    let Some(pooler) = Pooler::start(server, &database, "postgres", "statement") else { return };
    let (place, bundle) = bundle_of(&data::sound());
    let told = place.run(&["export", &pooler.url()]).ends(5).error();
    insta::assert_snapshot!(told.replace(&pooler.port.to_string(), "PORT"), @"
    error: the tables cannot be read: what answers there takes no transaction
      --> app@127.0.0.1:PORT/app
    help: it is a pooler that hands connections on after every statement: name the server itself
    ");
    let told = place.run(&["import", &bundle, "--to", &pooler.url()]).ends(5).error();
    assert!(told.contains("name the server itself"), "{told}");
}

#[test]
fn statements_that_other_clients_left_on_a_connection_are_not_run() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    let Some(pooler) = Pooler::start(server, &database, "postgres", "transaction") else { return };
    pooler.on_each_connection("PREPARE s0 AS SELECT 1");
    let place = Place::new();
    let told = place.run(&["export", &pooler.url()]).ends(5).error();
    insta::assert_snapshot!(told.replace(&pooler.port.to_string(), "PORT"), @r#"
    error: the tables cannot be read: prepared statement "s0" already exists (SQLSTATE 42P05)
      --> app@127.0.0.1:PORT/app
    help: other clients use this connection too, through a pooler that mixes up their prepared statements: name the server itself
    "#);
}

#[test]
fn temporary_tables_that_other_clients_left_are_in_no_ones_way() {
    let Some(server) = server() else { return };
    let database = server.database();
    let Some(pooler) = Pooler::start(server, &database, "postgres", "transaction") else { return };
    pooler.on_each_connection(
        "CREATE TEMP TABLE pg_class (x int); CREATE TEMP TABLE thread_items (x int); \
         CREATE TEMP TABLE rethread_imports (x int)",
    );
    let (place, bundle) = bundle_of(&data::sound());
    let import = ["import", &bundle, "--to", &pooler.url()];
    place.run(&import).ends(0);
    place.run(&[&import[..], &["--execute"]].concat()).ends(0);
    let rows = database.client().query_one("SELECT count(*) FROM thread_items", &[]);
    assert_eq!(rows.expect("a row").get::<_, i64>(0), 2);
}

#[test]
fn a_view_over_a_function_finds_its_tables() {
    let Some(server) = server() else { return };
    let database = server.database();
    fill(&database, "public", &data::sound());
    database.run(
        "CREATE FUNCTION steps_of(text) RETURNS bigint LANGUAGE sql STABLE AS \
           $$ SELECT count(*) FROM story_steps WHERE execution::text = $1 $$; \
         ALTER TABLE story_executions RENAME TO executions; \
         CREATE VIEW story_executions AS SELECT *, steps_of(id::text) AS steps FROM executions",
    );
    let place = Place::new();
    place.run(&["export", &database.url(), "--to", "s"]).ends(0);
}
