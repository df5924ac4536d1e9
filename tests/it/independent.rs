//! The contract as plain SQL: DuckDB alone finds no difference in what the program made, and every one
//! that was planted.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::data;
use crate::generator::{Kind, Links, Options, generate};
use crate::support::{Place, copy, fixture};

/// Runs the script and gives the verdict, or the error; then `findings` as lines.
const PYTHON: &str = "
import sys, duckdb
script, bundle = sys.argv[1:3]
db = duckdb.connect()
db.execute(\"SET VARIABLE bundle = '\" + bundle.replace(\"'\", \"''\") + \"'\")
try:
    print(db.execute(open(script).read()).fetchall()[0][0])
except duckdb.Error as error:
    print('ERROR', str(error).splitlines()[0])
try:
    for row in db.execute('FROM findings WHERE violations > allows').fetchall():
        print(row[1], row[2] + '.' + row[3], '|', row[0], '|', row[4], row[5])
except duckdb.Error as error:
    print('NO FINDINGS', error)
";

/// Whether DuckDB's Python package is there; said once where not.
pub(crate) fn has_duckdb() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let found = Command::new("python3").args(["-c", "import duckdb"]).output();
        let there = found.is_ok_and(|output| output.status.success());
        if !there {
            eprintln!("skipped: DuckDB's Python package is not installed");
        }
        there
    })
}

fn python(code: &str, args: &[&Path]) -> String {
    let output = Command::new("python3").arg("-c").arg(code).args(args).output();
    let output = output.expect("python3 starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A bundle and the script that checks it.
pub(crate) struct Made {
    place: Place,
    bundle: PathBuf,
    script: PathBuf,
}

/// Runs a source the whole way and writes its contract as SQL.
pub(crate) fn made(place: Place, source: &str, more: &[&str]) -> Made {
    let free = ["--set", "rollout.max_quarantined=any", "--json"];
    let run = place.run(&[&["run", source], &free[..], more].concat()).ends(0).json();
    let bundle = run["bundle"].as_str().expect("a folder").to_owned();
    let told = place.run(&["verify", &bundle, "--emit-sql", "sql", "--json"]).ends(0).json();
    assert!(told["rules"].as_u64().expect("a count") > 200, "{told}");
    let (bundle, script) = (place.path(&bundle), place.path("sql/check.sql"));
    Made { place, bundle, script }
}

impl Made {
    fn verdict(&self, bundle: &Path) -> String {
        python(PYTHON, &[&self.script, bundle])
    }

    pub(crate) fn holds(&self) {
        let told = self.verdict(&self.bundle);
        assert!(told.starts_with("no difference: "), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

fn dirty(place: &Place, name: &str) {
    let options = Options {
        kind: Kind::Archive,
        parts: 1500,
        seed: 23,
        dirty: 0.05,
        links: Links::Forward,
        payload_percent: 100,
        shuffle: None,
        plain: false,
        sample: false,
        out: place.path(name),
        key: None,
    };
    generate(&options).expect("generated");
}

#[test]
fn duckdb_finds_no_difference_in_the_sample() {
    if has_duckdb() {
        made(Place::new(), &fixture("sample-backup.zip"), &[]).holds();
    }
}

#[test]
fn duckdb_finds_no_difference_in_a_dirty_set() {
    if has_duckdb() {
        let place = Place::new();
        dirty(&place, "dirty.zip");
        made(place, "dirty.zip", &[]).holds();
    }
}

#[test]
fn duckdb_finds_no_difference_in_rows_that_are_split() {
    if has_duckdb() {
        let place = Place::new();
        dirty(&place, "dirty.zip");
        made(place, "dirty.zip", &["--contract", "story-to-events"]).holds();
        made(Place::new(), &fixture("sample-backup.zip"), &["--contract", "story-to-events"])
            .holds();
    }
}

#[test]
fn duckdb_finds_no_difference_where_unfit_texts_are_set_aside() {
    if !has_duckdb() {
        return;
    }
    let place = Place::new();
    let app = crate::unfit::text(&crate::unfit::unfit());
    place.write("app.json", app);
    made(place, "app.json", &["--set", "target.unfit=quarantine"]).holds();
}

#[test]
fn duckdb_finds_no_difference_where_rows_existed() {
    if has_duckdb() {
        let place = Place::new();
        let mut app = data::sound();
        app["thread_threads"] = serde_json::json!([
            { "id": "00000000-0000-4000-8000-000900000001", "createdAt": 1, "key": "ctx-1" },
            { "id": "00000000-0000-4000-8000-000900000002", "createdAt": 2, "key": "o'ther" },
        ]);
        place.write("app.json", app.to_string());
        made(place, "app.json", &[]).holds();
    }
}

#[test]
fn duckdb_finds_no_difference_where_runs_existed() {
    if has_duckdb() {
        let place = Place::new();
        place.write("app.json", crate::order::runs_that_exist().to_string());
        made(place, "app.json", &[]).holds();
    }
}

#[test]
fn duckdb_finds_no_difference_in_a_bundle_of_format_2() {
    if has_duckdb() {
        let place = crate::audit::kept(2);
        place.run(&["verify", "bundle", "--snapshot", "snapshot", "--emit-sql", "sql"]).ends(0);
        let (bundle, script) = (place.path("bundle"), place.path("sql/check.sql"));
        Made { place, bundle, script }.holds();
    }
}

#[test]
fn duckdb_counts_rows_that_the_target_shows_in_another_order() {
    if has_duckdb() {
        let place = Place::new();
        place.write("app.json", crate::order::chat(20).to_string());
        let made = made(place, "app.json", &["--set", "rollout.max_reordered=3"]);
        made.holds();
        let script = std::fs::read_to_string(&made.script).expect("a script");
        let (shown, _) = script
            .split_once("message order of every context is unchanged: sorted by")
            .expect("a rule");
        assert!(shown.len() < script.len());
        // One row fewer is allowed: then the script finds them all.
        let strict = script.replacen(", NULL, 3 FROM (", ", NULL, 2 FROM (", 1).replacen(
            ", told(s), 3 FROM (",
            ", told(s), 2 FROM (",
            1,
        );
        assert_ne!(strict, script);
        std::fs::write(&made.script, strict).expect("written");
        let told = made.verdict(&made.bundle);
        assert!(told.contains("sequence thread_items.context |"), "{told}");
        assert!(told.contains("| 3 "), "{told}");
    }
}

#[test]
fn duckdb_finds_no_difference_in_an_ordinary_app() {
    if has_duckdb() {
        let place = Place::new();
        crate::ordinary::write(&place.path("studio.zip"));
        made(place, "studio.zip", &[]).holds();
        // The same where no link is carried, and the contract allows it.
        let place = Place::new();
        crate::ordinary::write(&place.path("studio.zip"));
        let text = include_str!("../../src/contract/story-to-thread.toml");
        place.write("report.toml", text.replace("links = \"carry\" ", "links = \"report\" "));
        let more = ["--contract", "report.toml", "--set", "rollout.max_left_behind=any"];
        made(place, "studio.zip", &more).holds();
    }
}

#[test]
fn duckdb_finds_no_difference_in_rows_without_an_id_that_are_alike() {
    if has_duckdb() {
        let place = Place::new();
        let mut app = data::sound();
        let part = serde_json::json!({ "idx": 7, "part": {}, "step": app["story_steps"][0]["id"] });
        for _ in 0..2 {
            app["story_parts"].as_array_mut().expect("rows").push(part.clone());
        }
        place.write("app.json", app.to_string());
        made(place, "app.json", &[]).holds();
    }
}

#[test]
fn duckdb_takes_duplicates_that_spell_a_link_in_another_way_for_merged() {
    if has_duckdb() {
        let place = Place::new();
        let one = serde_json::json!({ "stepId": 7, "mood": "\u{1f600}" });
        let other = serde_json::json!({ "step": [{ "id": "7" }], "mood": "\u{1f600}" });
        let mut app = crate::found::twins(&one, &other);
        app["story_parts"][1]["id"] = "00000005-0000-4000-8AAA-000000000001".into();
        place.write("app.json", app.to_string());
        let made = made(place, "app.json", &[]);
        made.holds();
        let merged = made.bundle.join("data/merged/story_parts.parquet");
        assert!(merged.exists());
        // Where the rows differ, the script says so.
        let source = std::fs::read_to_string(&made.script).expect("a script");
        let strict = source.replacen(
            "w._digest = a._digest OR (a.",
            "w._digest = a._digest OR (false AND a.",
            9,
        );
        assert_ne!(source, strict);
        std::fs::write(&made.script, strict).expect("written");
        let told = made.verdict(&made.bundle);
        assert!(told.contains("account story_parts. | every merged"), "{told}");
    }
}

#[test]
fn duckdb_takes_no_refused_run_for_the_latest() {
    if has_duckdb() {
        let place = Place::new();
        let mut app = data::sound();
        let run = |id: u32, second: u32| {
            serde_json::json!({
                "id": format!("00000000-0000-4000-8000-00030000000{id}"), "status": "completed",
                "createdAt": format!("2026-03-01T10:00:0{second}Z"), "workflowRunId": format!("w{id}"),
                "context": app["context_contexts"][0]["id"],
            })
        };
        // The third has the id of the first, and is refused; the latest that stands is the second.
        let runs = serde_json::json!([run(7, 1), run(8, 2), run(7, 3)]);
        app["story_executions"]
            .as_array_mut()
            .expect("rows")
            .extend_from_slice(runs.as_array().expect("rows"));
        app["context_contexts"][0].as_object_mut().expect("a row").remove("currentExecution");
        place.write("app.json", app.to_string());
        made(place, "app.json", &[]).holds();
    }
}

#[test]
fn duckdb_orders_ids_of_one_number_by_their_text() {
    if has_duckdb() {
        let place = Place::new();
        let mut app = data::sound();
        let context = app["context_contexts"][0]["id"].clone();
        let run = |id: &str| {
            serde_json::json!({
                "id": id, "createdAt": "2026-03-01T10:00:09Z", "status": "completed",
                "workflowRunId": format!("w{id}"), "context": context,
            })
        };
        let runs = ["0007", "7", "007", "07"].map(run);
        app["story_executions"].as_array_mut().expect("rows").extend(runs);
        app["context_contexts"][0].as_object_mut().expect("a row").remove("currentExecution");
        place.write("app.json", app.to_string());
        let made = made(place, "app.json", &[]);
        made.holds();
        let rows = std::fs::read_to_string(made.bundle.join("data/jsonl/thread_executions.jsonl"));
        let rows = rows.expect("lines");
        let order: Vec<&str> = rows
            .lines()
            .filter_map(|line| line.split_once("\"workflowRunId\":\"w")?.1.split('"').next())
            .collect();
        assert_eq!(order, ["run_1", "0007", "007", "07", "7"]);
    }
}

/// What is forged, how, and the rules that must tell it.
type Forge = (&'static str, fn(&mut serde_json::Value), &'static [&'static str]);
const DESCRIBED: &str = "count . | bundle.json says what is left behind as the snapshot has it";
const LIMIT: &str = "limit . | link values left behind";

#[test]
fn duckdb_finds_another_list_of_what_is_left_behind() {
    if !has_duckdb() {
        return;
    }
    let place = Place::new();
    crate::ordinary::write(&place.path("studio.zip"));
    let made = made(place, "studio.zip", &[]);
    let forged: [Forge; 4] = [
        ("a count", |meta| meta["left_behind"][0]["count"] = 9.into(), &[DESCRIBED]),
        (
            "nothing is listed",
            |meta| drop(meta.as_object_mut().expect("members").remove("left_behind")),
            &[DESCRIBED],
        ),
        (
            "no attribute",
            |meta| drop(meta["left_behind"].as_array_mut().expect("it").remove(0)),
            &[DESCRIBED],
        ),
        (
            "no link file is listed",
            |meta| meta["links"] = serde_json::json!([]),
            &[DESCRIBED, LIMIT],
        ),
    ];
    let path = made.bundle.join("data/bundle.json");
    let sealed = std::fs::read_to_string(&path).expect("a description");
    for (name, forge, wanted) in forged {
        let mut meta = serde_json::from_str(&sealed).expect("JSON");
        forge(&mut meta);
        std::fs::write(&path, meta.to_string()).expect("a file");
        let told = made.verdict(&made.bundle);
        assert!(told.starts_with("ERROR"), "{name}: {told}");
        for rule in wanted {
            assert!(
                told.lines().any(|line| line.starts_with(rule)),
                "{name}: no `{rule}` in\n{told}"
            );
        }
    }
}

const COUNTS: &str = "
import sys, duckdb
script, bundle = sys.argv[1:3]
db = duckdb.connect()
db.execute(\"SET VARIABLE bundle = '\" + bundle + \"'\")
db.execute(open(script).read())
for row in db.execute(\"SELECT rule, violations FROM findings WHERE kind = 'note' ORDER BY ALL\").fetchall():
    print(row[1], row[0])
";

/// What DuckDB counts of every note and of what is left behind, and the program says.
#[test]
fn duckdb_counts_what_the_program_notes() {
    if !has_duckdb() {
        return;
    }
    let place = Place::new();
    dirty(&place, "dirty.zip");
    let made = made(place, "dirty.zip", &[]);
    let counted = python(COUNTS, &[&made.script, &made.bundle]);
    let found = std::fs::read_to_string(made.bundle.join("report/verification.json"));
    let found: serde_json::Value = serde_json::from_str(&found.expect("a file")).expect("JSON");
    let notes = found["rules"].as_array().expect("rules").iter().filter(|it| it["kind"] == "note");
    let mut said: Vec<(String, u64)> = notes
        .map(|it| {
            (it["rule"].as_str().unwrap_or("").to_owned(), it["violations"].as_u64().unwrap_or(0))
        })
        .collect();
    said.sort();
    assert!(said.iter().filter(|(_, count)| *count > 0).count() >= 3, "{said:#?}");
    let said: String = said.iter().map(|(rule, count)| format!("{count} {rule}\n")).collect();
    assert_eq!(counted, said);
}

/// Rows that claim one unique value by a template, alone or beside a row that has it: one is kept, by
/// verification and by DuckDB.
#[test]
fn duckdb_judges_the_values_that_a_template_builds() {
    if !has_duckdb() {
        return;
    }
    for key in [None, Some("00000000-0000-4000-8000-000400000001:0")] {
        for keep in ["first", "last", "none"] {
            let place = Place::new();
            let mut app = data::sound();
            let mut twin = app["story_parts"][0].clone();
            twin["id"] = "00000000-0000-4000-8000-000500000077".into();
            twin["part"] = serde_json::json!({ "other": true });
            twin["key"] = key.into();
            twin["idx"] = 0.into();
            app["story_parts"][0]["idx"] = 0.into();
            app["story_parts"][0].as_object_mut().expect("a row").remove("key");
            app["story_parts"].as_array_mut().expect("rows").push(twin);
            place.write("app.json", app.to_string());
            let keep = format!("duplicates.keep.story_parts={keep}");
            made(place, "app.json", &["--set", &keep]).holds();
        }
    }
}

/// A file of the bundle, the SQL that gives it anew out of `t`, and the rules that must tell it.
type Fault = (&'static str, &'static str, &'static str, &'static str);

/// `one` is the row that is changed: the one in the middle by id.
const FAULTS: [Fault; 15] = [
    (
        "a moved link",
        "parquet/thread_items",
        "SELECT * REPLACE (CASE WHEN one THEN other.context ELSE t.context END AS context) FROM t",
        "link thread_items.context",
    ),
    (
        "idx + 1",
        "parquet/thread_parts",
        "SELECT * REPLACE (CASE WHEN one THEN idx + 1 ELSE idx END AS idx) FROM t",
        "value thread_parts.idx",
    ),
    (
        "a changed status",
        "parquet/thread_executions",
        "SELECT * REPLACE (CASE WHEN one THEN 'odd' ELSE status END AS status) FROM t",
        "value thread_executions.status",
    ),
    (
        "a changed payload character",
        "parquet/thread_parts",
        "SELECT * REPLACE (CASE WHEN one THEN replace(part, '}', ' }') ELSE part END AS part) FROM t",
        "value thread_parts.part; same thread_parts.part",
    ),
    (
        "a dropped row",
        "parquet/thread_steps",
        "SELECT * FROM t WHERE NOT one",
        "account story_steps.; count story_steps.; link thread_parts.step",
    ),
    (
        "swapped rows",
        "parquet/thread_parts",
        "SELECT * FROM t ORDER BY CASE WHEN one THEN place - 1.5 ELSE place END",
        "order thread_parts.; digest thread_parts.",
    ),
    (
        "a changed id",
        "parquet/thread_items",
        "SELECT * REPLACE (CASE WHEN one THEN uuid()::VARCHAR ELSE id END AS id) FROM t",
        "id thread_items.id; digest thread_items.",
    ),
    (
        "a millisecond",
        "parquet/thread_steps",
        "SELECT * REPLACE (CASE WHEN one THEN \"createdAt\" + INTERVAL 1 MILLISECOND ELSE \
         \"createdAt\" END AS \"createdAt\") FROM t",
        "value thread_steps.createdAt",
    ),
    (
        "another lineage",
        "parquet/thread_items",
        "SELECT * REPLACE (CASE WHEN one THEN other._source_row ELSE t._source_row END AS \
         _source_row) FROM t",
        "account context_events.; id thread_items.id",
    ),
    (
        "a row time",
        "parquet/thread_items",
        "SELECT * REPLACE (CASE WHEN one THEN coalesce(_server_created_at, 0) + 1 ELSE \
         _server_created_at END AS _server_created_at) FROM t",
        "account thread_items.",
    ),
    (
        "a quarantined row taken away",
        "quarantine/story_parts",
        "SELECT * FROM t WHERE NOT one",
        "account story_parts.; count story_parts.",
    ),
    (
        "a quarantined row changed",
        "quarantine/story_parts",
        "SELECT * REPLACE (CASE WHEN one THEN 'odd' ELSE type END AS type) FROM t",
        "account story_parts.",
    ),
    (
        "a repair not listed",
        "repairs/thread_parts",
        "SELECT * FROM t WHERE NOT one",
        "repair thread_parts.",
    ),
    ("an id that is not listed", "ids", "SELECT * FROM t WHERE NOT one", "count .id"),
    (
        "a row shown a year before",
        "parquet/thread_items",
        "SELECT * REPLACE (CASE WHEN one THEN \"createdAt\" - INTERVAL 1 YEAR ELSE \"createdAt\" END AS \
         \"createdAt\") FROM t",
        "value thread_items.createdAt; sequence thread_items.context",
    ),
];

/// Faults in rows that the second contract splits, numbers and drops.
const SPLIT: [Fault; 7] = [
    (
        "a built character",
        "parquet/event_parts",
        "SELECT * REPLACE (CASE WHEN one THEN replace(part, '\"type\":\"', '\"type\":\"x') ELSE part \
         END AS part) FROM t",
        "value event_parts.part",
    ),
    (
        "a number",
        "parquet/event_parts",
        "SELECT * REPLACE (CASE WHEN one THEN idx + 1 ELSE idx END AS idx) FROM t",
        "value event_parts.idx; value event_parts.key",
    ),
    (
        "a kind",
        "parquet/event_parts",
        "SELECT * REPLACE (CASE WHEN one THEN 'odd' ELSE type END AS type) FROM t",
        "value event_parts.type",
    ),
    (
        "one row of a split lost",
        "parquet/event_parts",
        "SELECT * FROM t WHERE NOT one",
        "account story_parts.; count story_parts.",
    ),
    (
        "another id",
        "parquet/event_parts",
        "SELECT * REPLACE (CASE WHEN one THEN uuid()::VARCHAR ELSE id END AS id) FROM t",
        "id event_parts.id",
    ),
    (
        "a dropped row not listed",
        "dropped/story_parts",
        "SELECT * FROM t WHERE NOT one",
        "account story_parts.; count story_parts.",
    ),
    (
        "another row listed as dropped",
        "dropped/story_parts",
        "SELECT * REPLACE (CASE WHEN one THEN _row + 1 ELSE _row END AS _row) FROM t",
        "account story_parts.",
    ),
];

const TAMPER: &str = "
import sys, os, duckdb
file, sql = sys.argv[1:3]
db = duckdb.connect()
db.execute(\"SET TimeZone = 'UTC'\")
db.execute(f\"CREATE TABLE r AS SELECT *, file_row_number AS place FROM read_parquet('{file}', file_row_number = true)\")
rows = db.execute('SELECT count(*) FROM r').fetchone()[0]
assert rows > 1, file
middle = rows // 2
db.execute(f'CREATE TABLE t AS SELECT *, place = {middle} AS one FROM r ORDER BY place')
import re
sql = re.sub(r'other\\.(\\w+)', lambda m: f'(SELECT {m.group(1)} FROM t x WHERE x.place = 0)', sql)
if 'ORDER BY' not in sql:
    sql += ' ORDER BY place'
columns = [c[0] for c in db.execute('DESCRIBE t').fetchall() if c[0] not in ('one', 'place', 'file_row_number')]
names = ', '.join('\"' + c + '\"' for c in columns)
db.execute(f\"COPY (SELECT {names} FROM ({sql})) TO '{file}.new.parquet' (FORMAT parquet)\")
before = db.execute(f\"SELECT list(r::VARCHAR) FROM (SELECT {names} FROM '{file}') r\").fetchall()
after = db.execute(f\"SELECT list(r::VARCHAR) FROM (SELECT {names} FROM '{file}.new.parquet') r\").fetchall()
assert before != after, 'the fault changes nothing'
os.replace(file + '.new.parquet', file)
";

#[test]
fn duckdb_finds_every_fault_that_is_planted() {
    planted(&[], FAULTS.iter().collect());
}

#[test]
fn duckdb_finds_every_fault_that_is_planted_in_split_rows() {
    // A quarter of them: each takes DuckDB seconds, and the program's own self-test plants them all.
    planted(&["--contract", "story-to-events"], SPLIT.iter().step_by(4).collect());
}

fn planted(more: &[&str], faults: Vec<&Fault>) {
    if !has_duckdb() {
        return;
    }
    let place = Place::new();
    dirty(&place, "dirty.zip");
    let made = made(place, "dirty.zip", more);
    let mut left = faults;
    // A round plants one fault in each file: what tells one is about its own entity.
    while !left.is_empty() {
        let mut files = BTreeSet::new();
        let (round, later): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, file, ..)| files.insert(*file));
        left = later;
        let bundle = made.place.path(&format!("tampered-{}", left.len()));
        copy(&made.bundle, &bundle);
        for (_, file, sql, _) in &round {
            let file = bundle.join(format!("data/{file}.parquet"));
            python(TAMPER, &[&file, Path::new(*sql)]);
        }
        let told = made.verdict(&bundle);
        assert!(told.starts_with("ERROR"), "{round:?}: {told}");
        assert!(told.contains("rules do not hold, first: "), "{round:?}: {told}");
        for (name, _, _, wanted) in round {
            for rule in wanted.split("; ") {
                let caught = told.lines().any(|line| line.starts_with(rule));
                assert!(caught, "{name}: no `{rule}` in\n{told}");
            }
        }
    }
}

#[test]
fn the_command_reads_no_row_and_says_how_the_script_is_run() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let run = place.run(&["run", "app.json", "--json"]).ends(0).json();
    let bundle = run["bundle"].as_str().expect("a folder");
    // Tables that cannot be read do not matter: only what stands in the descriptions does.
    let file = "snapshots/app/data/tables/story_parts.parquet";
    assert!(place.path(file).exists());
    place.write(file, "no Parquet");
    let told = place.run(&["verify", bundle, "--emit-sql", "sql"]).ends(0).stdout;
    assert!(told.contains("duckdb -c \".read sql/check.sql\""), "{told}");
    let readme = std::fs::read_to_string(place.path("sql/README.txt")).expect("a file");
    for said in ["duckdb -c \".read check.sql\"", "python3 -c", "No query: bundle.json gives"] {
        assert!(readme.contains(said), "{readme}");
    }
    let again = place.run(&["verify", bundle, "--emit-sql", "sql"]).ends(2);
    assert!(again.error().contains("exists already"), "{}", again.error());
    let script = std::fs::read(place.path("sql/check.sql")).expect("a file");
    place.run(&["verify", bundle, "--emit-sql", "again"]).ends(0);
    assert_eq!(script, std::fs::read(place.path("again/check.sql")).expect("a file"));
}

#[test]
fn names_of_a_contract_and_folders_do_no_harm_in_the_script() {
    if !has_duckdb() {
        return;
    }
    let place = Place::new();
    let mut app = data::sound();
    app["story_parts"][0]["part"] = serde_json::json!("RAW");
    // Half a surrogate pair beside a whole one: no JSON to DuckDB.
    let raw = r#"{"type":"text","text":"\ud800 \ud83d\ude00 \\ud800"}"#;
    place.write("it's; --/app.json", app.to_string().replace("\"RAW\"", raw));
    let text = include_str!("../../src/contract/story-to-thread.toml")
        .replace("rule = \"payloads are unchanged\"", "rule = \"it's\\n'; SELECT error('x'); --\"");
    place.write("contract.toml", text);
    let more = ["--contract", "contract.toml", "--out", "it's; --/out", "--name", "app"];
    made(place, "it's; --/app.json", &more).holds();
}
