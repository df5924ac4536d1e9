//! Generated data: every planted defect goes where the answer key says, and the same data gives the
//! same rows whatever holds it.
//!
//! `RETHREAD_TEST_PARTS` sets the size (default 10,000 parts).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::generator::{Kind, Links, Options, generate};
use crate::support::Place;

const LEGACY: [&str; 5] =
    ["context_contexts", "context_events", "story_executions", "story_steps", "story_parts"];
const TARGETS: [(&str, &str); 6] = [
    ("thread_threads", "context_contexts"),
    ("thread_contexts", "context_contexts"),
    ("thread_items", "context_events"),
    ("thread_executions", "story_executions"),
    ("thread_steps", "story_steps"),
    ("thread_parts", "story_parts"),
];

fn parts() -> u64 {
    std::env::var("RETHREAD_TEST_PARTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

fn options(place: &Place, kind: Kind, name: &str) -> Options {
    Options {
        kind,
        parts: parts(),
        seed: 11,
        dirty: 0.0,
        links: Links::Forward,
        payload_percent: 100,
        shuffle: None,
        plain: false,
        sample: false,
        out: place.path(name),
        key: None,
    }
}

/// Runs the whole way and gives the bundle's folder and description.
fn bundle(place: &Place, source: &str) -> (std::path::PathBuf, Value) {
    let free = ["--set", "rollout.max_quarantined=any", "--json"];
    let output =
        place.run(&[&["run", source, "--out", &format!("out-{source}")], &free[..]].concat());
    let json = output.ends(0).json();
    let root = place.path(json["bundle"].as_str().expect("a folder"));
    let meta = std::fs::read_to_string(root.join("data/bundle.json")).expect("a description");
    (root, serde_json::from_str(&meta).expect("JSON"))
}

/// Reads text columns, and `Int64` ones as text, of a Parquet file.
fn table(path: &Path, names: &[&str]) -> Vec<Vec<Option<String>>> {
    let file = std::fs::File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build();
    let mut rows = Vec::new();
    for batch in reader.expect("a reader") {
        let batch = batch.expect("a batch");
        let columns: Vec<_> = names
            .iter()
            .map(|name| {
                let column = batch.column_by_name(name).expect("a column");
                match column.as_primitive_opt::<Int64Type>() {
                    Some(_) => cast(column, &DataType::Utf8).expect("numbers as text"),
                    None => column.clone(),
                }
            })
            .collect();
        for row in 0..batch.num_rows() {
            let text = |column: &arrow::array::ArrayRef| {
                column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned())
            };
            rows.push(columns.iter().map(text).collect());
        }
    }
    rows
}

/// Where every legacy row went, by table and row.
struct Fate {
    quarantined: BTreeMap<(String, String), String>,
    merged: BTreeSet<(String, String)>,
    repaired: BTreeMap<(String, String), BTreeSet<String>>,
    dropped: BTreeSet<(String, String)>,
}

impl Fate {
    fn of(root: &Path) -> Self {
        let mut fate = Self {
            quarantined: BTreeMap::new(),
            merged: BTreeSet::new(),
            repaired: BTreeMap::new(),
            dropped: BTreeSet::new(),
        };
        let value = |row: &[Option<String>], at: usize| row[at].clone().expect("a value");
        for entity in LEGACY {
            let path = root.join(format!("data/quarantine/{entity}.parquet"));
            for row in table(&path, &["_row", "_rule"]) {
                fate.quarantined.insert((entity.to_owned(), value(&row, 0)), value(&row, 1));
            }
            for row in table(&root.join(format!("data/merged/{entity}.parquet")), &["_row"]) {
                fate.merged.insert((entity.to_owned(), value(&row, 0)));
            }
        }
        for (target, source) in TARGETS {
            let path = root.join(format!("data/repairs/{target}.parquet"));
            for row in table(&path, &["_source_row", "attr"]) {
                let key = (source.to_owned(), value(&row, 0));
                fate.repaired.entry(key).or_default().insert(value(&row, 1));
            }
        }
        for row in table(&root.join("data/quarantine/links.parquet"), &["entity", "_row"]) {
            fate.dropped.insert((value(&row, 0), value(&row, 1)));
        }
        fate
    }

    fn is(&self, key: &(String, String), expected: &str) -> bool {
        let rule = self.quarantined.get(key);
        let migrated = rule.is_none() && !self.merged.contains(key);
        match expected.split_once(':').unwrap_or((expected, "")) {
            ("quarantined", wanted) => rule.is_some_and(|rule| rule == wanted),
            ("cascade", _) => rule.is_some_and(|rule| rule.ends_with(" migrated")),
            ("merged", _) => self.merged.contains(key),
            ("repaired", attr) => {
                migrated && self.repaired.get(key).is_some_and(|attrs| attrs.contains(attr))
            }
            ("dropped-link", _) => migrated && self.dropped.contains(key),
            ("kept", _) => migrated,
            _ => panic!("the answer key says `{expected}`"),
        }
    }
}

fn compare(kind: Kind, name: &str, plain: bool) {
    let place = Place::new();
    let key = place.path("key.jsonl");
    let planted = generate(&Options {
        dirty: 0.05,
        plain,
        key: Some(key.clone()),
        ..options(&place, kind, name)
    });
    let planted = planted.expect("generated").planted;
    let (root, meta) = bundle(&place, name);
    let fate = Fate::of(&root);
    let answers = std::fs::read_to_string(key).expect("an answer key");
    let mut wrong = Vec::new();
    let mut refused = BTreeSet::new();
    let mut seen = 0;
    for line in answers.lines() {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
        let key = (text("entity"), answer["row"].to_string());
        if !fate.is(&key, &text("expect")) {
            wrong.push(format!("{line} went {:?}", fate.quarantined.get(&key)));
        }
        if text("expect").starts_with("quarantined") || text("expect") == "cascade" {
            refused.insert(key);
        }
        seen += 1;
    }
    assert_eq!(seen, planted);
    assert!(seen > 100, "{seen} defects are too few to say anything");
    assert!(wrong.is_empty(), "{} of {seen} went elsewhere:\n{}", wrong.len(), wrong.join("\n"));
    let quarantined: BTreeSet<_> = fate.quarantined.keys().cloned().collect();
    let innocent: Vec<_> = quarantined.difference(&refused).collect();
    assert!(innocent.is_empty(), "sound rows were quarantined: {innocent:?}");
    equations_hold(&meta);
}

fn equations_hold(meta: &Value) {
    let number = |value: &Value, name: &str| value[name].as_u64().expect("a count");
    for equation in meta["equations"].as_array().expect("equations") {
        let parts = ["migrated", "merged", "quarantined"].map(|name| number(equation, name));
        assert_eq!(number(equation, "rows"), parts.iter().sum::<u64>(), "{equation}");
    }
    for equation in meta["link_equations"].as_array().expect("equations") {
        let names = ["migrated", "merged", "quarantined", "dropped"];
        let parts = names.map(|name| number(equation, name));
        assert_eq!(number(equation, "values"), parts.iter().sum::<u64>(), "{equation}");
    }
}

#[test]
fn every_defect_of_an_archive_goes_where_the_answer_key_says() {
    compare(Kind::Archive, "dirty.zip", false);
}

#[test]
fn every_defect_of_an_envelope_goes_where_the_answer_key_says() {
    compare(Kind::Dataset, "dirty.json", false);
}

#[test]
fn every_defect_of_a_parquet_folder_goes_where_the_answer_key_says() {
    compare(Kind::Parquet, "dirty-parquet", true);
}

/// Digests of the target tables and the counts that go with them.
fn content(meta: &Value) -> Value {
    let mut tables = meta["tables"].clone();
    for table in tables.as_array_mut().expect("tables") {
        let table = table.as_object_mut().expect("a table");
        table.remove("file");
        table.remove("jsonl");
    }
    serde_json::json!({
        "tables": tables,
        "equations": meta["equations"],
        "links": meta["link_equations"],
        "repairs": meta["repairs"],
        "quarantine": meta["quarantine"],
        "mapped": meta["mapped_ids"],
    })
}

#[test]
fn the_same_data_gives_the_same_rows_whatever_holds_it() {
    let place = Place::new();
    let plain = |kind, name: &str| Options {
        plain: true,
        parts: parts() / 4,
        dirty: 0.03,
        ..options(&place, kind, name)
    };
    let mut found = BTreeMap::new();
    for (kind, name) in [
        (Kind::Archive, "archive.zip"),
        (Kind::ArchiveFolder, "archive-folder"),
        (Kind::Dataset, "dataset.json"),
        (Kind::Jsonl, "jsonl"),
        (Kind::Parquet, "parquet"),
    ] {
        generate(&plain(kind, name)).expect("generated");
        found.insert(name.to_owned(), content(&bundle(&place, name).1));
    }
    let shuffled = Options { shuffle: Some(5), ..plain(Kind::Archive, "shuffled.zip") };
    generate(&shuffled).expect("generated");
    found.insert("shuffled".to_owned(), content(&bundle(&place, "shuffled.zip").1));
    let first = found["archive.zip"].clone();
    for (name, content) in found {
        assert_eq!(content, first, "{name}");
    }
}

#[test]
fn links_are_found_on_either_side() {
    let place = Place::new();
    let side = |links, kind, name: &str| {
        let made =
            Options { links, plain: true, parts: parts() / 4, ..options(&place, kind, name) };
        generate(&made).expect("generated");
        let tables = content(&bundle(&place, name).1)["tables"].clone();
        tables.as_array().expect("tables").iter().map(|table| table["digest"].clone()).collect()
    };
    let forward: Vec<Value> = side(Links::Forward, Kind::Archive, "forward.zip");
    let reverse: Vec<Value> = side(Links::Reverse, Kind::Archive, "reverse.zip");
    let lists: Vec<Value> = side(Links::Reverse, Kind::Dataset, "lists.json");
    let scalar: Vec<Value> = side(Links::Scalar, Kind::Dataset, "scalar.json");
    assert_eq!(forward, reverse, "an archive that declares the parents' side forward");
    assert_eq!(forward, lists, "an envelope whose parents list their children");
    assert_eq!(forward, scalar, "an envelope with scalars alone");
}
