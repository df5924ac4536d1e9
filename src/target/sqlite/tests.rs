use std::fs;

use rusqlite::types::Value as Stored;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::error::Kind;
use crate::import::{self, Order, Outcome};
use crate::progress::Silent;
use crate::target::sample::{self, Sample};
use crate::target::{Mode, OnConflict};

/// A folder with bundles and databases.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("thread.sqlite")
    }

    fn import(&self, sample: &Sample) -> Result<Outcome> {
        let root = tempfile::tempdir_in(self.0.path()).unwrap();
        let verified = sample.verified(&root.path().join("bundle"));
        import::import(&verified, &mut Sqlite::new(self.database()), &sample::order(), &Silent)
    }

    fn sql(&self, sql: &str) {
        let db = Connection::open(self.database()).unwrap();
        db.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    }

    /// The first row a query gives, its values joined by `|`.
    fn ask(&self, sql: &str) -> String {
        let db = Connection::open(self.database()).unwrap();
        let mut query = db.prepare(sql).unwrap();
        let count = query.column_count();
        let values: Vec<String> = query
            .query_row([], |row| {
                (0..count).map(|at| row.get::<_, Stored>(at).map(|v| text(&v))).collect()
            })
            .unwrap();
        values.join("|")
    }

    /// Every row of every table.
    fn dump(&self) -> String {
        let db = Connection::open(self.database()).unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1";
        let mut tables = db.prepare(tables).unwrap();
        let names: Vec<String> =
            tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut out = String::new();
        for name in names {
            let mut all = db.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1")).unwrap();
            let count = all.column_count();
            let mut rows = all.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values = (0..count).map(|at| text(&row.get::<_, Stored>(at).unwrap()));
                out.push_str(&format!("{name}: {}\n", values.collect::<Vec<_>>().join("|")));
            }
        }
        out
    }

    fn journal(&self) -> Journal<'static> {
        Journal::open(&self.0.path().join("bundle"), &|| 0, &Silent).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.database()).unwrap()
    }

    /// The names in the folder.
    fn names(&self) -> String {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names.join(" ")
    }
}

/// A first import.
fn job() -> Job {
    Job {
        run: "1".to_owned(),
        mode: Mode::Import,
        undoes: None,
        on_conflict: OnConflict::Refuse,
        resumed: false,
    }
}

fn text(value: &Stored) -> String {
    match value {
        Stored::Null => "null".to_owned(),
        Stored::Integer(number) => number.to_string(),
        Stored::Real(number) => format!("{number:?}"),
        Stored::Text(text) => text.escape_debug().to_string(),
        Stored::Blob(_) => "blob".to_owned(),
    }
}

/// An error as a person reads it, without the temporary folder.
fn shown(place: &Place, error: &Error) -> String {
    let places = error.at.iter().filter(|at| !at.contains("in-the-way"));
    let at: Vec<String> = places.map(|at| format!("  --> {at}")).collect();
    let help = error.help.as_deref().unwrap_or("");
    let text = format!("{}: {error}\n{}\nhelp: {help}", error.kind.exit_code(), at.join("\n"));
    text.replace(&place.0.path().display().to_string(), "")
}

#[test]
fn a_new_database_holds_what_the_bundle_holds() {
    let place = Place::new();
    let outcome = place.import(&Sample::small()).unwrap();
    assert_eq!(
        outcome.sentence(),
        "6 rows created, 0 updated, 0 unchanged in `thread.sqlite`, read back and equal"
    );
    assert!(outcome.tables.iter().all(|table| table.equal));
    assert!(outcome.checks.iter().all(|check| check.violations == 0));
    insta::assert_snapshot!(place.ask("SELECT * FROM threads WHERE id = 't1'"), @"t1|1970-01-02T00:00:00.000000Z|a|i2|migrated|0|5|null|478ca4267c9368d3039d9f442cbfc76a");
    insta::assert_snapshot!(place.ask("SELECT * FROM items WHERE id = 'i1'"), @r#"i1|1970-01-02T00:00:00.000000Z|web|1.5|1|{\"b\": 1}|t1|migrated|0|1|null|370e6168c176bb08545f2a10c69fe0ac"#);
    insta::assert_snapshot!(place.ask(r#"SELECT * FROM "emails.item""#), @"e1|i1|migrated|2fce698a67d99e5f6a8d8781f95c9df6");
    insta::assert_snapshot!(place.ask("SELECT datetime(createdAt), julianday(createdAt), strftime('%f', createdAt) FROM items WHERE id = 'i2'"), @"1970-01-02 00:00:00|2440588.5|00.000");
    insta::assert_snapshot!(place.ask("SELECT counts FROM rethread_imports"), @r#"{\"emails.item\":1,\"items\":3,\"threads\":2}"#);
    assert_eq!(place.names(), "thread.sqlite");
}

#[test]
fn the_tables_are_those_of_the_contract() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    let db = Connection::open(place.database()).unwrap();
    let mut all = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let all: Vec<String> =
        all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    insta::assert_snapshot!(all.join(";\n"), @r#"
    CREATE TABLE "rethread_imports" (
      "run" TEXT PRIMARY KEY NOT NULL,
      "bundle" TEXT NOT NULL,
      "contract" TEXT NOT NULL,
      "program" TEXT NOT NULL,
      "counts" TEXT NOT NULL CHECK (json_valid("counts"))
    ) STRICT;
    CREATE TABLE "threads" (
      "id" TEXT PRIMARY KEY NOT NULL,
      "createdAt" TEXT NOT NULL,
      "key" TEXT,
      "head" TEXT REFERENCES "items" ("id") DEFERRABLE INITIALLY DEFERRED,
      "_origin" TEXT NOT NULL,
      "_source_row" INTEGER NOT NULL,
      "_server_created_at" INTEGER,
      "_extra" TEXT CONSTRAINT "_extra is JSON" CHECK (json_valid("_extra") OR length("_extra") - length(replace(replace("_extra", '[', ''), '{', '')) > 1000),
      "_digest" TEXT NOT NULL
    ) STRICT;
    CREATE TABLE "items" (
      "id" TEXT PRIMARY KEY NOT NULL,
      "createdAt" TEXT NOT NULL,
      "channel" TEXT NOT NULL,
      "score" REAL,
      "seen" INTEGER CONSTRAINT "seen is 0 or 1" CHECK ("seen" IN (0, 1)),
      "content" TEXT CONSTRAINT "content is JSON" CHECK (json_valid("content") OR length("content") - length(replace(replace("content", '[', ''), '{', '')) > 1000),
      "thread" TEXT REFERENCES "threads" ("id") DEFERRABLE INITIALLY DEFERRED,
      "_origin" TEXT NOT NULL,
      "_source_row" INTEGER NOT NULL,
      "_server_created_at" INTEGER,
      "_extra" TEXT CONSTRAINT "_extra is JSON" CHECK (json_valid("_extra") OR length("_extra") - length(replace(replace("_extra", '[', ''), '{', '')) > 1000),
      "_digest" TEXT NOT NULL
    ) STRICT;
    CREATE TABLE "emails.item" (
      "from" TEXT NOT NULL,
      "to" TEXT NOT NULL REFERENCES "items" ("id") DEFERRABLE INITIALLY DEFERRED,
      "_origin" TEXT NOT NULL,
      "_digest" TEXT NOT NULL,
      PRIMARY KEY ("from", "to")
    ) STRICT;
    CREATE UNIQUE INDEX "threads.key.index" ON "threads" ("key");
    CREATE UNIQUE INDEX "threads.head.index" ON "threads" ("head");
    CREATE INDEX "items.createdAt.index" ON "items" ("createdAt");
    CREATE INDEX "items.thread.index" ON "items" ("thread");
    CREATE INDEX "emails.item.to.index" ON "emails.item" ("to")
    "#);
}

#[test]
fn a_primary_key_made_after_the_load_is_one() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    assert_eq!(
        place.ask("SELECT group_concat(name) FROM pragma_table_info('items') WHERE pk"),
        "id"
    );
    let plan = place.ask("EXPLAIN QUERY PLAN SELECT * FROM items WHERE id = 'i1'");
    assert!(plan.contains("sqlite_autoindex_items_1 (id=?)"), "{plan}");
    assert_eq!(place.ask("PRAGMA integrity_check"), "ok");
    let db = Connection::open(place.database()).unwrap();
    let insert = |id: &str| {
        db.execute("INSERT INTO threads VALUES (?1, '', ?1, NULL, '', 0, NULL, NULL, '')", [id])
    };
    assert!(insert("t1").unwrap_err().to_string().contains("UNIQUE constraint failed: threads.id"));
    assert_eq!(insert("t3").unwrap(), 1);
    let link = "INSERT INTO \"emails.item\" VALUES ('e1', 'i1', '', '')";
    assert!(db.execute(link, []).unwrap_err().to_string().contains("UNIQUE constraint failed"));
}

#[test]
fn importing_twice_changes_nothing() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    let before = place.bytes();
    let outcome = place.import(&Sample::small()).unwrap();
    assert!(outcome.changed_nothing());
    assert_eq!(outcome.sentence(), "nothing to do: all 6 rows are in `thread.sqlite` already");
    assert!(place.bytes() == before, "the file's bytes changed");
}

#[test]
fn absent_rows_are_added() {
    let place = Place::new();
    let whole = Sample::small();
    let mut part = whole.clone();
    part.items.truncate(2);
    place.import(&part).unwrap();
    let outcome = place.import(&whole).unwrap();
    assert_eq!(outcome.counts(), Counts { created: 1, unchanged: 5, ..Counts::default() });
    assert_eq!(place.ask("SELECT count(*) FROM rethread_imports"), "2");
    place.sql("DELETE FROM items WHERE id = 'i3'");
    assert_eq!(place.import(&whole).unwrap().counts().created, 1);
}

#[test]
fn hostile_values_survive() {
    let place = Place::new();
    let mut sample = Sample::small();
    let deep =
        |levels: usize, inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
    let texts = [
        r#"{"a":"\ud800","b":"\u0000"}"#.to_owned(),
        "1e400".to_owned(),
        "123456789012345678901234567890.5".to_owned(),
        r#"{"k":1,"k":2}"#.to_owned(),
        "null".to_owned(),
        " [1] ".to_owned(),
        "\"\u{202e}\u{1f600}\"".to_owned(),
        deep(1000, "1"),
        deep(1000, "[]"),
        deep(1001, "1"),
        deep(5000, ""),
        format!("\"{}\"", "x".repeat(3_000_000)),
    ];
    sample.items.clear();
    for (at, content) in texts.iter().enumerate() {
        let channel = ["\u{0}", "'; DROP TABLE items; --", "\u{feff}\u{202e}", ""][at % 4];
        sample.items.push(json!([
            format!("i{at}\u{0}{at}"),
            -1,
            channel,
            1e308,
            true,
            content,
            null,
            "migrated",
            at,
            null,
            null
        ]));
    }
    sample.threads.truncate(1);
    sample.threads[0][3] = json!(null);
    sample.links[0][1] = sample.items[3][0].clone();
    place.import(&sample).unwrap();
    for (at, content) in texts.iter().enumerate() {
        let db = Connection::open(place.database()).unwrap();
        let sql = "SELECT content FROM items WHERE _source_row = ?1";
        let held: String =
            db.query_row(sql, [i64::try_from(at).unwrap()], |row| row.get(0)).unwrap();
        assert!(held == *content, "value {at}");
    }
    assert!(place.import(&sample).unwrap().changed_nothing());
}

#[test]
fn a_file_that_is_no_json_is_not_taken_for_deep() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    let db = Connection::open(place.database()).unwrap();
    let update = db.execute("UPDATE items SET content = '{\"a\":' WHERE id = 'i1'", []);
    assert!(update.unwrap_err().to_string().contains("CHECK constraint failed"));
}

/// What an import says after `sql` was done to a loaded database, which must stay as it is.
fn refused(sql: &str) -> String {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    place.sql(sql);
    let before = place.bytes();
    let error = place.import(&Sample::small()).unwrap_err();
    assert!(place.bytes() == before, "the file's bytes changed");
    shown(&place, &error)
}

#[test]
fn rows_that_are_not_ours_are_refused() {
    insta::assert_snapshot!(refused("UPDATE items SET seen = 0 WHERE id = 'i1'"), @"
    5: 1 row of `thread.sqlite` is in the way
      --> `items`: 1 (i1)
    help: look at them; then remove them, or say `--on-conflict keep` or `--on-conflict replace` (a unique value under another id must go); nothing was changed
    ");
    insta::assert_snapshot!(refused("UPDATE items SET createdAt = '1970-01-02' WHERE id = 'i1'"), @"
    5: 1 row of `thread.sqlite` is in the way
      --> `items`: 1 (i1)
    help: look at them; then remove them, or say `--on-conflict keep` or `--on-conflict replace` (a unique value under another id must go); nothing was changed
    ");
    insta::assert_snapshot!(refused("DELETE FROM threads WHERE id = 't1';
        INSERT INTO threads VALUES ('t9', '', 'a', NULL, '', 0, NULL, NULL, '')"), @"
    5: 1 row of `thread.sqlite` is in the way
      --> `threads`: 1 (t9 holds a `key` of the bundle's)
    help: look at them; then remove them, or say `--on-conflict keep` or `--on-conflict replace` (a unique value under another id must go); nothing was changed
    ");
}

#[test]
fn rows_of_others_stay_as_they_are() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    place.sql(
        "INSERT INTO items (id, createdAt, channel, _origin, _source_row, _digest)
         VALUES ('foreign', 'x', '', '', 0, ''); UPDATE items SET _source_row = 9 WHERE id = 'i1'",
    );
    let before = place.bytes();
    assert!(place.import(&Sample::small()).unwrap().changed_nothing());
    assert!(place.bytes() == before, "the file's bytes changed");
}

#[test]
fn a_later_bundle_changes_what_an_import_left_and_nothing_else() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    let mut later = Sample::small();
    later.items[1][2] = json!("mail");
    let outcome = place.import(&later).unwrap();
    assert_eq!(outcome.counts(), Counts { updated: 1, unchanged: 5, ..Counts::default() });
    place.sql("UPDATE items SET channel = 'by hand' WHERE id = 'i2'");
    assert_eq!(place.import(&Sample::small()).unwrap_err().kind, Kind::Refused);
}

/// Imports again after `items` i1 was changed by hand, by a policy, then undoes it; gives what i1 held
/// in between.
fn conflict(on_conflict: OnConflict) -> (Counts, String) {
    let place = Place::new();
    place.sql("CREATE TABLE notes (x); INSERT INTO notes VALUES (1)");
    let mut part = Sample::small();
    part.items.truncate(2);
    part.threads[1][0] = json!("t9");
    part.threads[1][2] = json!("c");
    place.import(&part).unwrap();
    place.sql("UPDATE items SET channel = 'by hand', score = 0.1, seen = 0 WHERE id = 'i1'");
    let before = place.dump();
    let verified = Sample::small().verified(&place.0.path().join("bundle"));
    let order = Order { on_conflict, ..sample::order() };
    let mut target = Sqlite::new(place.database());
    let outcome = import::import(&verified, &mut target, &order, &Silent).unwrap();
    assert!(outcome.tables.iter().all(|table| table.equal));
    let held = place.ask("SELECT channel, score, seen FROM items WHERE id = 'i1'");
    let (bundle, contract) = (verified.bundle(), verified.contract());
    import::rollback(bundle, contract, &mut target, (&order, &Silent)).unwrap();
    assert_eq!(place.dump(), before, "the database holds what it held");
    (outcome.counts(), held)
}

#[test]
fn a_policy_decides_about_rows_that_are_not_ours() {
    let counts = Counts { created: 2, unchanged: 3, ..Counts::default() };
    let (kept, held) = conflict(OnConflict::Keep);
    assert_eq!((kept, held.as_str()), (Counts { kept: 1, ..counts }, "by hand|0.1|0"));
    let (replaced, held) = conflict(OnConflict::Replace);
    assert_eq!((replaced, held.as_str()), (Counts { updated: 1, ..counts }, "web|1.5|1"));
}

#[test]
fn imports_are_undone_one_after_the_other() {
    let place = Place::new();
    let undo = |verified: &crate::verify::VerifiedBundle, target: &mut Sqlite| {
        let (bundle, contract) = (verified.bundle(), verified.contract());
        import::rollback(bundle, contract, target, (&sample::order(), &Silent))
    };
    let first = Sample::small().verified(&place.0.path().join("first"));
    let mut later = Sample::small();
    later.items[1][2] = json!("mail");
    later.items[1][8] = json!(17);
    later.items.push(json!(["i4", 5, "x", null, null, null, "t1", "migrated", 9, null, null]));
    let second = later.verified(&place.0.path().join("second"));
    let mut target = Sqlite::new(place.database());
    let mut import =
        |verified| import::import(verified, &mut target, &sample::order(), &Silent).unwrap();
    import(&first);
    let before = place.dump();
    assert_eq!(import(&second).counts().updated, 1);
    let error = undo(&first, &mut target).unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "the later import stands on the first");
    undo(&second, &mut target).unwrap();
    assert_eq!(place.dump(), before, "every column is as it was");
    undo(&first, &mut target).unwrap();
    assert_eq!(place.names(), "first second");
}

#[test]
fn a_rollback_takes_the_file_away_that_an_import_made() {
    let place = Place::new();
    let verified = Sample::small().verified(&place.0.path().join("bundle"));
    let mut target = Sqlite::new(place.database());
    import::import(&verified, &mut target, &sample::order(), &Silent).unwrap();
    let undo = |target: &mut Sqlite| {
        let (bundle, contract) = (verified.bundle(), verified.contract());
        import::rollback(bundle, contract, target, (&sample::order(), &Silent))
    };
    place.sql("UPDATE items SET channel = 'x' WHERE id = 'i3'; DELETE FROM items WHERE id = 'i2'");
    insta::assert_snapshot!(shown(&place, &undo(&mut target).unwrap_err()), @"
    5: 2 rows of `thread.sqlite` have changed since the import
      --> `items`: 2 (i2 is gone, i3)
    help: bring these rows back to what was imported, then roll back; nothing was changed
    ");
    fs::remove_file(place.database()).unwrap();
    import::import(&verified, &mut target, &sample::order(), &Silent).unwrap();
    place.sql("CREATE TABLE mine (item REFERENCES items (id)); INSERT INTO mine VALUES ('i1')");
    insta::assert_snapshot!(shown(&place, &undo(&mut target).unwrap_err()), @"
    5: 1 row that is not ours leads to rows of the import
      --> /thread.sqlite
      --> `mine` row 1
    help: let them lead elsewhere, or remove them, then roll back; nothing was changed
    ");
    place.sql("DROP TABLE mine");
    undo(&mut target).unwrap();
    assert_eq!(place.names(), "bundle");
}

#[test]
fn another_schema_is_refused() {
    insta::assert_snapshot!(refused("DROP TABLE items; DROP INDEX \"threads.key.index\""), @"
    5: the database has tables that were not made from this contract
      --> /thread.sqlite
      --> index `threads.key.index` is missing
    help: name a database that does not exist yet; this one is left as it is
    ");
    insta::assert_snapshot!(refused("ALTER TABLE items ADD COLUMN note TEXT"), @"
    5: the database has tables that were not made from this contract
      --> /thread.sqlite
      --> table `items` is another one
    help: name a database that does not exist yet; this one is left as it is
    ");
    insta::assert_snapshot!(refused("DROP TABLE items; CREATE VIEW Items AS SELECT * FROM threads"), @"
    5: the database has tables that were not made from this contract
      --> /thread.sqlite
      --> view `Items` has the name of what is to be made
    help: name a database that does not exist yet; this one is left as it is
    ");
    insta::assert_snapshot!(refused("DROP TABLE items; CREATE INDEX ITEMS ON threads (key)"), @"
    5: the database has tables that were not made from this contract
      --> /thread.sqlite
      --> index `ITEMS` has the name of what is to be made
    help: name a database that does not exist yet; this one is left as it is
    ");
    insta::assert_snapshot!(refused("CREATE TRIGGER spy AFTER INSERT ON items BEGIN SELECT 1; END"), @"
    5: the database has tables that were not made from this contract
      --> /thread.sqlite
      --> trigger `spy` acts on table `items`
    help: name a database that does not exist yet; this one is left as it is
    ");
}

#[test]
fn tables_beside_ours_are_left_alone() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    place.sql("CREATE TABLE notes (x); CREATE VIEW v AS SELECT id FROM items");
    assert!(place.import(&Sample::small()).unwrap().changed_nothing());
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let place = Place::new();
    fs::copy("Cargo.toml", place.database()).unwrap();
    let before = place.bytes();
    let error = place.import(&Sample::small()).unwrap_err();
    insta::assert_snapshot!(shown(&place, &error), @"
    5: the file is no SQLite database, or an encrypted one
      --> /thread.sqlite
    help: name another file; this one is left as it is
    ");
    assert!(place.bytes() == before);
}

#[test]
fn a_locked_database_is_an_error_of_the_moment() {
    let place = Place::new();
    place.import(&Sample::small()).unwrap();
    let other = Connection::open(place.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = place.import(&Sample::small()).unwrap_err();
    insta::assert_snapshot!(shown(&place, &error), @"
    75: another program is writing to the database
      --> /thread.sqlite
    help: close it there, then run the same command again: nothing was changed
    ");
}

#[test]
fn places_that_cannot_be_written_say_so() {
    let place = Place::new();
    fs::create_dir(place.database()).unwrap();
    let error = place.import(&Sample::small()).unwrap_err();
    insta::assert_snapshot!(shown(&place, &error), @"
    2: a folder stands where the file goes
      --> /thread.sqlite
    help: name a file
    ");
    let place = Place::new();
    let root = place.0.path().join("bundle");
    let verified = Sample::small().verified(&root);
    let nowhere = root.join("data/bundle.json/thread.sqlite");
    let error = import::import(&verified, &mut Sqlite::new(nowhere), &sample::order(), &Silent)
        .unwrap_err();
    assert_eq!(error.kind, Kind::System);
}

#[test]
fn a_full_disk_leaves_nothing() {
    let place = Place::new();
    let mut sample = Sample::small();
    sample.items[0][5] = json!(format!("\"{}\"", "x".repeat(100_000)));
    let verified = sample.verified(&place.0.path().join("bundle"));
    let bundle = verified.bundle();
    let plan = Plan::new(bundle, &sample::contract());
    let mut target = Sqlite::new(place.database());
    target.open(&plan, &job(), &place.journal(), &Silent).unwrap();
    target.open.as_ref().unwrap().db.pragma_update(None, "max_page_count", 6).unwrap();
    let mut before = BeforeWriter::begin(place.0.path(), "x", false, &Silent).unwrap();
    let error = target.compare(&plan, &mut before, &Silent).unwrap_err();
    insta::assert_snapshot!(shown(&place, &error), @"
    3: the disk is full
      --> /thread.sqlite
      --> `items` i1
    help: free some room and run the same command again: nothing was left half-written
    ");
    target.abandon();
    assert_eq!(place.names(), "bundle");
}

#[test]
fn what_a_killed_import_left_is_made_anew() {
    let place = Place::new();
    fs::copy("Cargo.toml", place.0.path().join(".thread.sqlite.partial")).unwrap();
    place.import(&Sample::small()).unwrap();
    assert_eq!(place.names(), "thread.sqlite");
}

#[test]
fn two_imports_at_once_do_not_mix() {
    let place = Place::new();
    let staged = StagedFile::begin(&place.database()).unwrap();
    let error = place.import(&Sample::small()).unwrap_err();
    insta::assert_snapshot!(shown(&place, &error), @"
    75: another run is making this file right now
      --> /.thread.sqlite.partial
    help: wait for it to end, or name another file
    ");
    drop(staged);
    place.import(&Sample::small()).unwrap();
}

#[test]
fn a_journal_without_its_database_is_refused() {
    let place = Place::new();
    fs::copy("Cargo.toml", place.0.path().join("thread.sqlite-wal")).unwrap();
    let error = place.import(&Sample::small()).unwrap_err();
    insta::assert_snapshot!(shown(&place, &error), @"
    5: the journal of another database stands beside the new one
      --> /thread.sqlite-wal
    help: bring its database back, or remove it, or name another database
    ");
}

/// What a new import of a bundle that verification wrongly let through says.
fn found(change: impl FnOnce(&mut Sample)) -> String {
    let place = Place::new();
    let mut sample = Sample::small();
    change(&mut sample);
    let error = place.import(&sample).unwrap_err();
    assert_eq!(place.names(), "", "no database is put in place");
    shown(&place, &error)
}

#[test]
fn the_database_checks_the_model_once_more() {
    insta::assert_snapshot!(found(|sample| sample.items[1][6] = json!("t9")), @"
    1: `thread.sqlite` does not hold what the bundle holds; nothing was imported
      --> `items.thread` leads to a row of `threads`: 1 of 3 do not (i2)
      --> foreign keys hold: 1 of 6 do not (`items` row 2)
    help: run `rethread verify` on the bundle; if it passes, the target is at fault
    ");
    insta::assert_snapshot!(found(|sample| sample.links[0][1] = json!("i9")), @"
    1: `thread.sqlite` does not hold what the bundle holds; nothing was imported
      --> `emails.item.to` leads to a row of `items`: 1 of 1 do not (i9)
      --> foreign keys hold: 1 of 6 do not (`emails.item` row 1)
    help: run `rethread verify` on the bundle; if it passes, the target is at fault
    ");
    insta::assert_snapshot!(found(|sample| sample.threads[1][2] = json!("a")), @"
    1: a row breaks the target model: UNIQUE constraint failed: threads.key
      --> /thread.sqlite
      --> a unique index of the target model
    help: run `rethread verify` on the bundle; nothing was imported
    ");
    insta::assert_snapshot!(found(|sample| sample.threads[1][0] = json!("t1")), @"
    1: a row breaks the target model: UNIQUE constraint failed: threads.id
      --> /thread.sqlite
      --> a unique index of the target model
    help: run `rethread verify` on the bundle; nothing was imported
    ");
    insta::assert_snapshot!(found(|sample| sample.items[0][2] = json!(null)), @"
    1: a row breaks the target model: NOT NULL constraint failed: items.channel
      --> /thread.sqlite
      --> `items` i1
    help: run `rethread verify` on the bundle; nothing was imported
    ");
    insta::assert_snapshot!(found(|sample| sample.items[0][5] = json!("{")), @"
    1: a row breaks the target model: CHECK constraint failed: content is JSON
      --> /thread.sqlite
      --> `items` i1
    help: run `rethread verify` on the bundle; nothing was imported
    ");
}

#[test]
fn names_that_sqlite_cannot_tell_apart_are_refused() {
    let place = Place::new();
    let sample = Sample::small();
    let verified = sample.verified(&place.0.path().join("bundle"));
    let bundle = verified.bundle();
    let check = |change: fn(&mut Plan)| {
        let mut plan = Plan::new(bundle, &sample::contract());
        change(&mut plan);
        let error = Sqlite::new(place.database())
            .open(&plan, &job(), &place.journal(), &Silent)
            .unwrap_err();
        (error.kind, error.message)
    };
    insta::assert_debug_snapshot!(check(|plan| plan.tables[0].name = "ITEMS".to_owned()), @r#"
    (
        Usage,
        "SQLite cannot tell `items` from `ITEMS`",
    )
    "#);
    insta::assert_debug_snapshot!(check(|plan| plan.tables[0].columns[1].name = "ID".to_owned()), @r#"
    (
        Usage,
        "SQLite cannot tell `threads.ID` from `id`",
    )
    "#);
    insta::assert_debug_snapshot!(check(|plan| plan.tables[0].name = "sqlite_x".to_owned()), @r#"
    (
        Usage,
        "SQLite takes no table of the name `sqlite_x`",
    )
    "#);
}

#[test]
fn the_built_in_contract_fits() {
    use crate::contract::{BUILT_IN, load};
    let contract = load(BUILT_IN, "built-in", &crate::contract::Overrides::default()).unwrap();
    let place = Place::new();
    let bundle = Sample::small().bundle_with(&place.0.path().join("bundle"), |meta, _| {
        let links = meta.links[0].clone();
        let empty = |entity: &str| crate::bundle::TableMeta {
            entity: entity.to_owned(),
            rows: 0,
            migrated: 0,
            ..meta.tables[0].clone()
        };
        let entities = &contract.after.schema.entities;
        meta.tables = entities.iter().map(|entity| empty(&entity.name)).collect();
        meta.tables.iter_mut().for_each(|table| table.rows = 2);
        let target = entities[2].name.clone();
        meta.links = vec![crate::bundle::LinksMeta { target, ..links }];
    });
    let plan = Plan::new(&bundle, &contract);
    let mut target = Sqlite::new(place.database());
    target.open(&plan, &job(), &place.journal(), &Silent).unwrap();
    // The sample's files are not this contract's: the tables alone are looked at.
    let open = target.opened().unwrap();
    schema::create_indexes(&open.db, &plan).unwrap();
    open.db.execute_batch("COMMIT").unwrap();
    schema::reload(&open.db).unwrap();
    let checks = target.check(&plan, &Silent).unwrap();
    assert!(checks.iter().all(|check| check.violations == 0));
    let links = contract.after.schema.links.len() + 1;
    assert_eq!(checks.len(), links + 2, "a check per link, foreign keys, integrity");
    target.commit().unwrap();
    let mut again = Sqlite::new(place.database());
    again.open(&plan, &job(), &place.journal(), &Silent).unwrap();
    assert_eq!(again.opened().unwrap().made, Vec::<String>::new(), "every table is known again");
    again.abandon();
}
