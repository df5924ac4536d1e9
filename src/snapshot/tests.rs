//! Snapshots of small exports.

use insta::assert_snapshot;
use zip::CompressionMethod;

use super::fixture::*;
use super::*;
use crate::bag;
use crate::error::Kind;
use crate::progress::Silent;

fn sample() -> Rows {
    rows(&[
        (
            "context_contexts",
            &[
                r#"{"id":"c1","key":"k1","status":"open","createdAt":1700000000000,"content":{"title":"T","n":1.50},"thread":"t1"}"#,
                r#"{"id":"c2","key":"k2","createdAt":"2023-11-14T22:13:20.123456Z","content":null,"color":"red"}"#,
            ],
        ),
        (
            "context_events",
            &[
                r#"{"id":"e1","context":"c1","type":"user.message","createdAt":1700000000001.5,"channel":"web","content":{"a":[1,{"b":null}]}}"#,
                r#"{"id":7,"context":["c1"],"createdAt":true,"channel":"\ud83d\ude00\u0000"}"#,
            ],
        ),
        (
            "story_steps",
            &[
                r#"{"id":"s1","iteration":2,"continueLoop":false,"toolCalls":[],"execution":{"id":"x1","status":"done"}}"#,
            ],
        ),
        ("emails", &[r#"{"id":"m1","subject":"hi"}"#]),
    ])
}

#[test]
fn a_snapshot_holds_the_rows_typed() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = of_archive(folder.path(), &sample(), "null").unwrap();
    assert_snapshot!(shown(&snapshot, "data/tables/context_contexts.parquet"), @"");
    assert_snapshot!(shown(&snapshot, "data/tables/context_events.parquet"), @"");
    assert_snapshot!(shown(&snapshot, "data/tables/story_steps.parquet"), @"");
    assert_eq!(snapshot.meta().unmapped.entities, [("emails".to_owned(), 1)]);
    let attrs = [("context_contexts".to_owned(), "color".to_owned(), 1)];
    assert_eq!(snapshot.meta().unmapped.attrs, attrs);
    let events = snapshot.table("context_events").unwrap();
    assert_eq!((events.rows, &events.invalid), (2, &vec![("createdAt".to_owned(), 1)]));
    let opened = Snapshot::open(snapshot.root(), &Silent).unwrap();
    assert_eq!(opened.meta(), snapshot.meta());
    assert_eq!(opened.digest(), snapshot.digest());
    let threads = snapshot.table("thread_threads").unwrap();
    assert_eq!((threads.present, threads.rows, threads.side.as_str()), (false, 0, "target"));
}

/// What a snapshot says of its tables and links, and the bytes of each.
fn content(snapshot: &Snapshot) -> String {
    let meta = snapshot.meta();
    let files = meta.tables.iter().map(|table| &table.file);
    let files = files.chain(meta.links.iter().map(|links| &links.file));
    let hashes: Vec<String> =
        files.map(|file| bag::sha256_of(&snapshot.path(file)).unwrap().sha256).collect();
    format!("{:?} {:?} {:?} {hashes:?}", meta.tables, meta.links, meta.unmapped)
}

#[test]
fn every_kind_of_source_gives_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (at, rows) = (folder.path(), sample());
    let mut found = Vec::new();
    for (name, method) in
        [("deflated", CompressionMethod::Deflated), ("stored", CompressionMethod::Stored)]
    {
        let path = put(&at.join(format!("{name}.zip")), zip(&entries(&rows, "null"), method));
        found.push(export(&path, &at.join(format!("s-{name}"))).unwrap());
    }
    for (name, content) in entries(&rows, "null") {
        put(&at.join("unzipped").join(name), content);
    }
    found.push(export(&at.join("unzipped"), &at.join("s-unzipped")).unwrap());
    let served = |row: &String| {
        format!("{{\"_server_created_at\":1700000000000,{}", row.strip_prefix('{').unwrap())
    };
    let bare: Rows =
        rows.iter().map(|(entity, rows)| (*entity, rows.iter().map(served).collect())).collect();
    for (entity, rows) in &rows {
        put(&at.join("lines").join(format!("{entity}.jsonl")), lines(rows));
    }
    for (entity, rows) in &bare {
        put(&at.join("bare").join(format!("{entity}.jsonl")), rows.join("\r\n"));
    }
    found.push(export(&at.join("lines"), &at.join("s-lines")).unwrap());
    found.push(export(&at.join("bare"), &at.join("s-bare")).unwrap());
    let path = put(&at.join("data.json"), format!("\u{feff}{}", dataset(&bare)));
    found.push(export(&path, &at.join("s-dataset")).unwrap());
    let kinds: Vec<&str> = found.iter().map(|it| it.meta().source.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["archive", "archive", "archive-folder", "jsonl-folder", "jsonl-folder", "dataset"]
    );
    for snapshot in &found {
        assert_eq!(content(snapshot), content(&found[0]), "{}", snapshot.root().display());
    }
    // The tables of a snapshot are a source themselves; `emails` is in none of them.
    let again = export(&found[0].path("data/tables"), &at.join("s-again")).unwrap();
    for table in &again.meta().tables {
        let first = found[0].table(&table.entity).unwrap();
        assert_eq!((&table.digest, table.rows), (&first.digest, first.rows), "{}", table.entity);
    }
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let first = of_archive(folder.path(), &sample(), "null").unwrap();
    let second = export(&folder.path().join("backup.zip"), &folder.path().join("second")).unwrap();
    assert_eq!(first.digest(), second.digest());
}

#[test]
fn what_does_not_fit_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let parts = [
        format!(r#"{{"id":"p1","idx":9007199254740993,"part":{},"key":"\ud800"}}"#, deep(5000)),
        format!(r#"{{"id":" ","idx":1,"x":{},"type":"a","type":"b","y":1,"y":null}}"#, deep(5000)),
        r#"{"id":"p3","step":["s1","s2"],"part":"\ud800","idx":"1","updatedAt":"2024-01-01T00:00:00.1234567Z"}"#.to_owned(),
    ];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let snapshot = of_dataset(folder.path(), &rows(&[("story_parts", &parts)])).unwrap();
    let shown = shown(&snapshot, "data/tables/story_parts.parquet").replace(&deep(5000), "DEEP");
    assert_snapshot!(shown, @"");
    assert_snapshot!(format!("{:?}", snapshot.table("story_parts").unwrap().invalid), @"");
}

/// An app's schema with these links: name, `on.label has`, `on.label has`.
fn schema(links: &[(&str, [&str; 3], [&str; 3])]) -> String {
    let side = |[on, label, has]: [&str; 3]| {
        format!(r#"{{"on":"{on}","label":"{label}","has":"{has}","onDelete":"cascade"}}"#)
    };
    let links: Vec<String> = links
        .iter()
        .map(|(name, forward, reverse)| {
            format!(r#""{name}":{{"forward":{},"reverse":{}}}"#, side(*forward), side(*reverse))
        })
        .collect();
    format!(
        r#"{{"entities":{{"emails":{{"attrs":{{"subject":{{"valueType":"string","required":true,"config":{{"indexed":true,"unique":false}}}}}}}}}},"links":{{{}}}}}"#,
        links.join(",")
    )
}

#[test]
fn links_are_found_on_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let schema = schema(&[
        ("a", ["context_contexts", "events", "many"], ["context_events", "context", "one"]),
        ("b", ["emails", "event", "one"], ["context_events", "emails", "many"]),
        ("c", ["context_contexts", "Owner", "one"], ["$users", "contexts", "many"]),
        ("d", ["story_steps", "next", "one"], ["story_steps", "previous", "one"]),
        ("e", ["thread_threads", "contexts", "many"], ["thread_contexts", "thread", "one"]),
    ]);
    let rows = rows(&[
        (
            "context_contexts",
            &[
                r#"{"id":"c1","events":["e2","e1"],"Owner":"u1"}"#,
                r#"{"id":"c2","events":[{"id":"e3","x":1}],"Owner":["u1","u2"]}"#,
                r#"{"id":"c3","events":[]}"#,
                r#"{"id":null,"events":["e4",5.5]}"#,
            ],
        ),
        ("context_events", &[r#"{"id":"e1","emails":["m1"]}"#]),
        ("emails", &[r#"{"id":"m9","subject":"x"}"#, r#"{"id":"m1","event":"e1"}"#]),
        ("story_executions", &[r#"{"id":"x1","currentOf":"c1"}"#]),
        ("story_steps", &[r#"{"id":"s1","next":"s2"}"#]),
        ("thread_threads", &[r#"{"id":"t1","contexts":["tc1"]}"#]),
    ]);
    let snapshot = of_archive(folder.path(), &rows, &schema).unwrap();
    let mut out = String::new();
    for links in &snapshot.meta().links {
        let has = if links.has_one { "one" } else { "many" };
        out += &format!(
            "{} {} {}.{} -> {} {has} {}\n{}",
            links.file,
            links.role,
            links.entity,
            links.label,
            links.target,
            links.rows,
            shown(&snapshot, &links.file)
        );
    }
    assert_snapshot!(out, @"");
    assert_snapshot!(shown(&snapshot, "data/tables/context_contexts.parquet"), @"");
    assert_snapshot!(shown(&snapshot, "data/tables/story_steps.parquet"), @"");
    assert_snapshot!(format!("{:?}", snapshot.meta().unmapped), @"");
    let kept = storage::read_text(&snapshot.path("data/schema.json")).unwrap();
    assert_eq!(kept, schema);
}

#[test]
fn a_label_of_two_links_means_the_one_the_app_has() {
    let threads: &[&str] = &[r#"{"id":"t1","contexts":["c1"]}"#];
    let legacy = ["context_contexts", "thread", "one"];
    let target = ["thread_contexts", "thread", "one"];
    let cases = [
        ("null".to_owned(), "thread_contexts"),
        (schema(&[("l", legacy, ["thread_threads", "contexts", "many"])]), "context_contexts"),
        (schema(&[("l", ["thread_threads", "contexts", "many"], legacy)]), "context_contexts"),
        (schema(&[("l", target, ["thread_threads", "contexts", "many"])]), "thread_contexts"),
    ];
    for (schema, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let rows = rows(&[("thread_threads", threads)]);
        let snapshot = of_archive(folder.path(), &rows, &schema).unwrap();
        assert_eq!(snapshot.meta().links[0].target, expected, "{schema}");
        assert_eq!(snapshot.meta().links[0].role, "declared");
    }
}

#[test]
fn rows_that_differ_in_anything_differ_in_their_digest() {
    let base = r#"{"id":"c1","key":"k","events":["e1","e2"],"x":1}"#;
    let same = [
        r#"{"x":1.0,"events":["e2","e1"],"key":"k","id":"c1","status":null,"y":null}"#,
        r#"{"id":"c1","key":"\u006b","events":["e1","e2"],"x":1,"_server_created_at":5}"#,
    ];
    let other = [
        r#"{"id":"c1","key":"k","events":["e1"],"x":1}"#,
        r#"{"id":"c1","key":"k","events":["e1","e2"],"x":2}"#,
        r#"{"id":"c1","key":"k","events":["e1","e2"]}"#,
        r#"{"id":"c1","key":"K","events":["e1","e2"],"x":1}"#,
        r#"{"id":"c1","key":"k","events":["e1","e2"],"x":1,"status":""}"#,
        r#"{"id":"c1","key":"k","events":["e1","e2"],"x":1,"status":1}"#,
        r#"{"id":"c1","key":"k","events":["e1",{"id":"e2"}],"x":1}"#,
    ];
    let digest = |row: &str| {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = of_dataset(folder.path(), &rows(&[("context_contexts", &[row])])).unwrap();
        snapshot.table("context_contexts").unwrap().digest.clone()
    };
    let expected = digest(base);
    same.iter().for_each(|row| assert_eq!(digest(row), expected, "{row}"));
    other.iter().for_each(|row| assert_ne!(digest(row), expected, "{row}"));
}

#[test]
fn a_failed_export_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder.path().join("data.json"), r#"{"context_contexts":[{"id":"c1"}"#);
    let place = folder.path().join("snapshots/s");
    assert_eq!(export(&path, &place).unwrap_err().kind, Kind::Damaged);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("snapshots")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    // What a killed export left is cleared away by the next one.
    put(&folder.path().join("snapshots/.s.partial/data/tables/story_parts.parquet"), "half");
    storage::remove_if_there(&path).unwrap();
    put(&path, dataset(&sample()));
    export(&path, &place).unwrap();
    Snapshot::open(&place, &Silent).unwrap();
    assert_eq!(export(&path, &place).unwrap_err().kind, Kind::Usage);
}

#[test]
fn missing_entities_are_named_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder.path().join("data.json"), r#"{"story_parts":[],"story_steps":null}"#);
    let error = export(&path, &folder.path().join("s")).unwrap_err();
    assert_snapshot!(told(&error, folder.path()), @"");
}

#[test]
fn many_rows_are_written_in_groups() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..70_000).map(|n| format!(r#"{{"id":"p{n}","idx":{n}}}"#)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let rows = super::fixture::rows(&[("story_parts", &rows)]);
    let snapshot = of_dataset(folder.path(), &rows).unwrap();
    let reader = scan(&snapshot.path("data/tables/story_parts.parquet")).unwrap();
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|it| it.num_rows()).collect();
    assert_eq!(groups, [65_536, 70_000 - 65_536]);
    assert_eq!(snapshot.table("story_parts").unwrap().rows, 70_000);
}
