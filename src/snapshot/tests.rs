//! Snapshots of small exports.

use std::sync::Arc;

use arrow::array::*;
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
    assert_snapshot!(shown(&snapshot, "data/tables/context_contexts.parquet"), @r#"
    id=c1 createdAt=2023-11-14T22:13:20.000000Z key=k1 status=open content={\"title\":\"T\",\"n\":1.50} thread=t1 _row=0 _server_created_at=1700000000000
    id=c2 createdAt=2023-11-14T22:13:20.123456Z key=k2 _row=1 _server_created_at=1700000000000 _extra={\"color\":\"red\"}
    "#);
    assert_snapshot!(shown(&snapshot, "data/tables/context_events.parquet"), @r#"
    id=e1 channel=web createdAt=2023-11-14T22:13:20.001500Z type=user.message content={\"a\":[1,{\"b\":null}]} context=c1 _row=0 _server_created_at=1700000000000
    id=7 channel=😀\0 context=c1 _row=1 _server_created_at=1700000000000 _extra={\"context\":[\"c1\"],\"id\":7} _invalid={\"createdAt\":true}
    "#);
    assert_snapshot!(shown(&snapshot, "data/tables/story_steps.parquet"), @r#"id=s1 iteration=2 toolCalls=[] continueLoop=false execution=x1 _row=0 _server_created_at=1700000000000 _extra={\"execution\":{\"id\":\"x1\",\"status\":\"done\"}}"#);
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

fn parquet_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn a_parquet_folder_gives_the_tables_of_its_json() {
    use arrow::datatypes::Int8Type;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let json = rows(&[
        (
            "context_contexts",
            &[
                r#"{"id":"c1","createdAt":1700000000000.5,"content":{"a": 1.0},"x":0.1,"n":3,"thread":"t1","_server_created_at":5}"#,
                r#"{"id":"c2","createdAt":-1,"content":"plain","x":-2,"status":"open","events":["e1","e2"]}"#,
            ],
        ),
        (
            "context_events",
            &[r#"{"id":"e1","context":["c1"],"createdAt":1.000001,"executionId":null}"#],
        ),
    ]);
    let mut events = ListBuilder::new(StringBuilder::new());
    events.append_null();
    events.append_value([Some("e1"), Some("e2")]);
    let status: DictionaryArray<Int8Type> = [None, Some("open")].into_iter().collect();
    let created = TimestampMicrosecondArray::from(vec![1_700_000_000_000_500, -1000]);
    let contexts: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(LargeStringArray::from(vec!["c1", "c2"]))),
        ("createdAt", Arc::new(created.with_timezone("+02:00"))),
        ("content", Arc::new(StringViewArray::from(vec![r#"{"a": 1.0}"#, "plain"]))),
        ("x", Arc::new(Float64Array::from(vec![0.1, -2.0]))),
        ("n", Arc::new(Int64Array::from(vec![Some(3), None]))),
        ("thread", Arc::new(StringArray::from(vec![Some("t1"), None]))),
        ("status", Arc::new(status)),
        ("events", Arc::new(events.finish())),
        ("_server_created_at", Arc::new(TimestampMillisecondArray::from(vec![Some(5), None]))),
    ];
    let created = TimestampNanosecondArray::from(vec![1_000_001]);
    let events: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from(vec!["e1"]))),
        ("context", Arc::new(StringArray::from(vec![r#"["c1"]"#]))),
        ("createdAt", Arc::new(created)),
    ];
    for (entity, _) in &json {
        let columns = match *entity {
            "context_contexts" => contexts.clone(),
            "context_events" => events.clone(),
            _ => vec![("id", new_empty_array(&DataType::Utf8))],
        };
        put(&at.join("parquet").join(format!("{entity}.parquet")), parquet_of(columns));
    }
    let expected = of_dataset(at, &json).unwrap();
    let found = export(&at.join("parquet"), &at.join("s-parquet")).unwrap();
    assert_eq!(found.meta().source.kind, "parquet-folder");
    assert_eq!(content(&found), content(&expected));
    assert_eq!(found.meta().links.len(), 1);
    let events = shown(&found, "data/tables/context_events.parquet");
    assert_snapshot!(events, @r#"id=e1 createdAt=1970-01-01T00:00:00.001000Z context=c1 _row=0 _extra={\"context\":[\"c1\"],\"createdAt\":1.000001}"#);
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
    assert_snapshot!(shown, @r#"
    id=p1 _row=0 _invalid={\"idx\":9007199254740993,\"key\":\"\\ud800\",\"part\":DEEP}
    idx=1 _row=1 _extra={\"id\":\" \",\"x\":DEEP} _invalid={\"type\":[\"a\",\"b\"],\"y\":[1,null]}
    id=p3 part=\"\\ud800\" updatedAt=2024-01-01T00:00:00.123456Z _row=2 _extra={\"updatedAt\":\"2024-01-01T00:00:00.1234567Z\"} _invalid={\"idx\":\"1\",\"step\":[\"s1\",\"s2\"]}
    "#);
    assert_snapshot!(format!("{:?}", snapshot.table("story_parts").unwrap().invalid), @r#"[("idx", 2), ("key", 1), ("part", 1), ("step", 1), ("type", 1), ("y", 1)]"#);
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

/// The link files of a snapshot and their pairs.
fn links_of(snapshot: &Snapshot) -> String {
    let shown = snapshot.meta().links.iter().map(|links| {
        let has = if links.has_one { "one" } else { "many" };
        let LinksMeta { entity, label, target, role, file, rows, .. } = links;
        let pairs = shown(snapshot, file);
        format!("{file} {role} {entity}.{label} -> {target} {has} {rows}\n{pairs}")
    });
    shown.collect::<Vec<_>>().concat()
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
    assert_snapshot!(links_of(&snapshot), @"
    data/links/context_contexts.owner.parquet carried context_contexts.Owner -> $users one 3
    from=c1 to=u1 _row=0 _index=0
    from=c2 to=u1 _row=1 _index=0
    from=c2 to=u2 _row=1 _index=1
    data/links/context_contexts.events.parquet declared context_contexts.events -> context_events many 3
    from=c1 to=e2 _row=0 _index=0
    from=c1 to=e1 _row=0 _index=1
    from=c2 to=e3 _row=1 _index=0
    data/links/context_events.emails.parquet carried context_events.emails -> emails many 1
    from=e1 to=m1 _row=0 _index=0
    data/links/emails.event.parquet carried emails.event -> context_events one 1
    from=m1 to=e1 _row=1 _index=0
    data/links/story_executions.currentof.parquet declared story_executions.currentOf -> context_contexts one 1
    from=x1 to=c1 _row=0 _index=0
    data/links/story_steps.next.parquet carried story_steps.next -> story_steps one 1
    from=s1 to=s2 _row=0 _index=0
    data/links/thread_threads.contexts.parquet declared thread_threads.contexts -> thread_contexts many 1
    from=t1 to=tc1 _row=0 _index=0
    ");
    assert_snapshot!(shown(&snapshot, "data/tables/context_contexts.parquet"), @r#"
    id=c1 _row=0 _server_created_at=1700000000000
    id=c2 _row=1 _server_created_at=1700000000000 _extra={\"events\":[{\"id\":\"e3\",\"x\":1}]}
    id=c3 _row=2 _server_created_at=1700000000000
    _row=3 _server_created_at=1700000000000 _invalid={\"events\":[\"e4\",5.5]}
    "#);
    assert_snapshot!(shown(&snapshot, "data/tables/story_steps.parquet"), @"id=s1 _row=0 _server_created_at=1700000000000");
    assert_snapshot!(format!("{:?}", snapshot.meta().unmapped), @r#"Unmapped { entities: [("emails", 2)], attrs: [] }"#);
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
    for row in same {
        assert_eq!(digest(row), expected, "{row}");
    }
    for row in other {
        assert_ne!(digest(row), expected, "{row}");
    }
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
    assert_snapshot!(told(&error, folder.path()), @"
    Usage: the source has no `context_contexts`, `context_events`, `story_executions`, `story_steps`
    help: name another source, or declare with `optional = true` in the contract what an app may lack
    ");
}

#[test]
fn many_rows_are_written_in_groups() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..70_000).map(|n| format!(r#"{{"id":"p{n}","idx":{n}}}"#)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let rows = super::fixture::rows(&[("story_parts", &rows)]);
    let snapshot = of_dataset(folder.path(), &rows).unwrap();
    let reader = scan(&snapshot.path("data/tables/story_parts.parquet")).unwrap();
    let groups: Vec<i64> = reader
        .metadata()
        .row_groups()
        .iter()
        .map(parquet::file::metadata::RowGroupMetaData::num_rows)
        .collect();
    assert_eq!(groups, [65_536, 70_000 - 65_536]);
    assert_eq!(snapshot.table("story_parts").unwrap().rows, 70_000);
}
