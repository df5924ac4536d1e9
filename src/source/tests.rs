//! Damaged and foreign sources, one fault each.

use std::path::Path;

use insta::assert_snapshot;
use zip::CompressionMethod;

use crate::snapshot::fixture::*;

type Entries = Vec<(String, Vec<u8>)>;

fn sound() -> Entries {
    entries(&rows(&[("story_parts", &[r#"{"id":"p1"}"#, r#"{"id":"p2"}"#])]), "null")
}

fn failing(folder: &Path, path: &Path) -> String {
    let error = export(path, &folder.join("snapshot")).expect_err("a damaged source");
    assert!(!folder.join("snapshot").exists());
    told(&error, folder)
}

/// What is said of a zip file with these bytes.
fn zipped(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    failing(folder.path(), &put(&folder.path().join("backup.zip"), bytes))
}

/// What is said of an archive with one fault.
fn archive(spoil: impl FnOnce(&mut Entries)) -> String {
    let mut entries = sound();
    spoil(&mut entries);
    zipped(&zip(&entries, CompressionMethod::Deflated))
}

/// What is said of an archive one table of which is spoilt.
fn parts(content: &[u8]) -> String {
    archive(|entries| {
        let parts = entries.iter_mut().find(|(name, _)| name.ends_with("parts.jsonl")).unwrap();
        parts.1 = content.to_vec();
    })
}

fn dataset_of(content: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    failing(folder.path(), &put(&folder.path().join("data.json"), content))
}

fn patched(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = zip(&sound(), CompressionMethod::Stored);
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&bytes[at..], from) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to);
        at += to.len();
    }
    bytes
}

#[test]
fn no_zip() {
    assert_snapshot!(zipped(b"hello"), @"
    Damaged: the archive is no zip file, or is cut off
      --> backup.zip
    help: download the backup again
    ");
    assert_snapshot!(zipped(b""), @"
    Damaged: the archive is no zip file, or is cut off
      --> backup.zip
    help: download the backup again
    ");
}

#[test]
fn a_zip_that_is_cut_off() {
    let bytes = zip(&sound(), CompressionMethod::Deflated);
    assert_snapshot!(zipped(&bytes[..bytes.len() - 30]), @"
    Damaged: the archive is no zip file, or is cut off
      --> backup.zip
    help: download the backup again
    ");
    for end in (1..bytes.len()).step_by(97) {
        zipped(&bytes[..end]);
    }
}

#[test]
fn an_encrypted_entry() {
    // The first flag bit of every local and central header.
    let bytes = zip(&sound(), CompressionMethod::Stored);
    let mut spoilt = bytes.clone();
    for (magic, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        for at in memchr::memmem::find_iter(&bytes, magic) {
            spoilt[at + flags] |= 1;
        }
    }
    assert_snapshot!(zipped(&spoilt), @"
    Damaged: an entry is encrypted
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
}

#[test]
fn an_entry_compressed_by_another_method() {
    let bytes = zip(&sound(), CompressionMethod::Stored);
    let mut spoilt = bytes.clone();
    for (magic, method) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        for at in memchr::memmem::find_iter(&bytes, magic) {
            spoilt[at + method] = 93;
        }
    }
    assert_snapshot!(zipped(&spoilt), @"
    Damaged: an entry is compressed by Zstd, which is not read
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
}

#[test]
fn an_entry_with_other_bytes() {
    assert_snapshot!(zipped(&patched(b"\"p1\"", b"\"pX\"")), @"
    Damaged: an entry of the archive is damaged
      --> backup.zip: entities/story_parts.jsonl
    help: download the backup again
    ");
}

#[test]
fn an_entry_that_leads_out() {
    for name in ["../x", "entities/../../x.jsonl", "/etc/x", "C:/x", "a\\..\\x"] {
        let said = archive(|entries| entries.push((name.to_owned(), Vec::new())));
        assert!(said.contains("leads out of the archive"), "{said}");
    }
    assert_snapshot!(archive(|entries| entries.push(("../x".to_owned(), Vec::new()))), @"
    Damaged: an entry's name leads out of the archive
      --> backup.zip: ../x
    help: name a backup archive as InstantDB writes it, or download it again
    ");
}

#[test]
fn an_entry_that_stands_twice() {
    let said = zipped(&patched(b"story_steps.jsonl", b"story_parts.jsonl"));
    assert_snapshot!(said, @"
    Damaged: an entry's name stands twice
      --> backup.zip
    help: name a backup archive as InstantDB writes it, or download it again
    ");
}

#[test]
fn config_json_that_is_missing_or_late() {
    assert_snapshot!(archive(|entries| drop(entries.remove(0))), @"
    Damaged: `config.json` is missing
      --> backup.zip
    help: name a backup archive as InstantDB writes it, or download it again
    ");
    assert_snapshot!(archive(|entries| entries.rotate_left(1)), @"
    Damaged: `config.json` is not the archive's first entry
      --> backup.zip
    help: name a backup archive as InstantDB writes it, or download it again
    ");
}

#[test]
fn config_json_that_is_wrong() {
    let config = |text: &str| archive(|entries| entries[0].1 = text.as_bytes().to_vec());
    assert_snapshot!(config("{"), @"
    Damaged: `config.json` is no JSON object
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
    assert_snapshot!(config("{}"), @"
    Damaged: `config.json` has no `counts`
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
    assert_snapshot!(config(r#"{"counts":{"a":-1}}"#), @"
    Damaged: `counts.a` is no count
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
    assert_snapshot!(config(r#"{"counts":{},"schema":{"links":{"l":{"forward":{"on":"a"}}}}}"#), @"
    Damaged: `schema.links.l.forward.label` is missing
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
    assert_snapshot!(config(r#"{"counts":{},"schema":{"entities":[]}}"#), @"
    Damaged: `schema.entities` is no JSON object
      --> backup.zip: config.json
    help: name a backup archive as InstantDB writes it, or download it again
    ");
}

#[test]
fn counts_that_differ() {
    assert_snapshot!(parts(b"{\"entity\":{\"id\":\"p1\"},\"createdAt\":1}\n\n"), @"
    Damaged: the rows are not those that `counts` of `config.json` says
      --> backup.zip
      --> `story_parts`: 1 read, `counts` says 2
    help: the backup is not whole: download it again
    ");
    let said = archive(|entries| entries.retain(|(name, _)| !name.ends_with("parts.jsonl")));
    assert_snapshot!(said, @"
    Damaged: the rows are not those that `counts` of `config.json` says
      --> backup.zip
      --> `story_parts`: `entities/story_parts.jsonl` is missing, `counts` says 2
    help: the backup is not whole: download it again
    ");
    let said = archive(|entries| entries.push(("entities/more.jsonl".to_owned(), Vec::new())));
    assert_snapshot!(said, @"
    Damaged: the rows are not those that `counts` of `config.json` says
      --> backup.zip
      --> `more`: 0 read, `counts` does not name it
    help: the backup is not whole: download it again
    ");
}

#[test]
fn an_entity_that_counts_nothing_needs_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = sound();
    entries.retain(|(name, _)| !name.ends_with("steps.jsonl"));
    let path = put(&folder.path().join("b.zip"), zip(&entries, CompressionMethod::Deflated));
    let snapshot = export(&path, &folder.path().join("s")).unwrap();
    assert!(snapshot.table("story_steps").unwrap().present);
    assert_eq!(snapshot.meta().source.title.as_deref(), Some("App"));
    assert_eq!(snapshot.meta().source.app_id.as_deref(), Some("a1"));
    assert_eq!(snapshot.meta().source.taken_at.as_deref(), Some("2026-08-20T00:00:00Z"));
}

#[test]
fn lines_that_are_no_rows() {
    assert_snapshot!(parts(b"{\"entity\":{\"id\":\"p1\"},\"createdAt\":1}\n{\"entity\":{"), @"
    Damaged: the line is no JSON object
      --> backup.zip: entities/story_parts.jsonl, line 2
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(parts(b"{\"entity\":{\"id\":\"p1\"},\"createdAt\":1,\"x\":2}\n"), @r#"
    Damaged: the line is not of the form `{"entity":{…},"createdAt":<ms>}`
      --> backup.zip: entities/story_parts.jsonl, line 1
    help: name a backup archive as InstantDB writes it
    "#);
    assert_snapshot!(parts(b"{\"id\":\"p1\"}\n"), @r#"
    Damaged: the line is not of the form `{"entity":{…},"createdAt":<ms>}`
      --> backup.zip: entities/story_parts.jsonl, line 1
    help: name a backup archive as InstantDB writes it
    "#);
    assert_snapshot!(parts(b"\n{\"entity\":{},\"createdAt\":1}\n"), @"
    Damaged: a blank line stands between rows
      --> backup.zip: entities/story_parts.jsonl, line 1
    help: a row may be missing there: take the source again
    ");
    assert_snapshot!(parts(b"\xff\n"), @"
    Damaged: the line is no UTF-8 text
      --> backup.zip: entities/story_parts.jsonl, line 1
    help: take the source again: JSON files are UTF-8
    ");
    assert_snapshot!(parts(b"{\"entity\":{\"\\ud800\":1}}\n"), @"
    Damaged: a row of `story_parts` is no JSON object that can be read
      --> backup.zip: entities/story_parts.jsonl, line 1
    help: repair the row at its place, or take the source again
    ");
    for line in [
        "[]",
        "1",
        "{\"entity\":[]}",
        "{\"createdAt\":1}",
        "{\"entity\":{},\"entity\":{}}",
        "{\"entity\":{},\"createdAt\":1.5}",
        "{\"entity\":{}} {}",
        "{\"entity\":{\"a\":tru}}",
        "{\"entity\":{\"a\":\"\u{1}\"}}",
    ] {
        let said = parts(line.as_bytes());
        assert!(said.contains("story_parts.jsonl, line 1"), "{said}");
    }
}

#[test]
fn an_entity_of_the_app_that_is_no_json() {
    let said = archive(|entries| {
        let config = String::from_utf8(entries[0].1.clone()).unwrap();
        entries[0].1 = config.replace("\"counts\":{", "\"counts\":{\"emails\":1,").into_bytes();
        entries.push(("entities/emails.jsonl".to_owned(), b"{\"entity\":{\"id\":}}".to_vec()));
    });
    assert_snapshot!(said, @"
    Damaged: the line is no JSON object
      --> backup.zip: entities/emails.jsonl, line 1
    help: the file may be cut off or edited: take the source again
    ");
}

#[test]
fn broken_datasets() {
    assert_snapshot!(dataset_of(""), @"
    Damaged: the file ends before its JSON does
      --> data.json, byte 0
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of("[]"), @"
    Damaged: the JSON is broken: `{` is missing
      --> data.json, byte 0
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of(r#"{"data":{"story_parts":[{"id":"p1"},"#), @"
    Damaged: the file ends before its JSON does
      --> data.json, byte 36
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of(r#"{"data":{"story_parts":[{"id":"p1"},{"id":"#), @"
    Damaged: the file ends before its JSON does
      --> data.json, byte 36
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of(r#"{"story_parts":[]} x"#), @"
    Damaged: something follows the JSON
      --> data.json, byte 19
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of(r#"{"story_parts":[{"id":"p1"}, 7]}"#), @"
    Damaged: the element is no JSON object
      --> data.json, element 2 of `story_parts`, byte 29
    help: every element of an entity's list is a row
    ");
    assert_snapshot!(dataset_of(r#"{"story_parts":[{"id":tru}]}"#), @"
    Damaged: a row of `story_parts` is no JSON object that can be read
      --> data.json, element 1 of `story_parts`, byte 16
    help: repair the row at its place, or take the source again
    ");
    assert_snapshot!(dataset_of(r#"{"story_parts":[{"id":"a"},{"id":"b"}],"story_parts":[]}"#), @"
    Damaged: `story_parts` stands twice in the file
      --> data.json, byte 53
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of(r#"{"payload":{"story_parts":{"p1":{}}}}"#), @"
    Damaged: `story_parts` is no list of rows
      --> data.json, byte 26
    help: the file may be cut off or edited: take the source again
    ");
    assert_snapshot!(dataset_of(b"{\"story_parts\":[{\"id\":\"\xff\"}]}"), @"
    Damaged: the element is no UTF-8 text
      --> data.json, element 1 of `story_parts`, byte 16
    help: take the source again: JSON files are UTF-8
    ");
}

#[test]
fn every_envelope_is_read() {
    let all = r#""context_contexts":[],"context_events":[],"story_executions":[],"story_steps":[]"#;
    for envelope in [
        "{DATA}",
        r#"{"data":{DATA}}"#,
        r#"{"payload":{DATA}}"#,
        r#"{"app":{"data":[1]},"payload":{"n":[["x"]],"data":{DATA},"k":null},"z":"}"}"#,
        " { \"errors\" : [ ] , \"data\" : { DATA } } \n",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data = format!(r#"{all},"story_parts":[{{"id":"p1"}}],"data":[{{"id":"d1"}}]"#);
        let path = put(&folder.path().join("d.json"), envelope.replace("DATA", &data));
        let snapshot = export(&path, &folder.path().join("s")).unwrap();
        assert_eq!(snapshot.table("story_parts").unwrap().rows, 1, "{envelope}");
        let others = &snapshot.meta().unmapped.entities;
        assert!(others.contains(&("data".to_owned(), 1)), "{envelope}");
    }
}

#[test]
fn what_is_no_source() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_snapshot!(failing(at, &at.join("nothing")), @"
    System: there is no such file or folder
      --> nothing
    ");
    assert_snapshot!(failing(at, &put(&at.join("x.bin"), "what")), @"
    Usage: there is no source that can be read
      --> x.bin
    help: name a backup archive (`.zip`, or its unzipped folder), a dataset (`.json`), or a folder of `<entity>.jsonl` or `<entity>.parquet` files
    ");
    assert_snapshot!(failing(at, &put(&at.join("x.jsonl"), "{}")), @"
    Usage: the source is a single table
      --> x.jsonl
    help: name the folder that holds one such file per entity
    ");
    put(&at.join("mixed/a.parquet"), "");
    assert_snapshot!(failing(at, &at.join("mixed")), @"
    Damaged: the table is no Parquet file that can be read
      --> mixed/a.parquet
    help: make the file again, or keep files of other kinds out of the folder
    ");
    put(&at.join("mixed/a.jsonl"), "");
    assert_snapshot!(failing(at, &at.join("mixed")), @"
    Usage: the folder holds `.jsonl` and `.parquet` files
      --> mixed
    help: keep one kind in it, so that no row is read twice
    ");
    put(&at.join("empty/readme.txt"), "");
    assert_snapshot!(failing(at, &at.join("empty")), @"
    Usage: there is no source that can be read
      --> empty
    help: name a backup archive (`.zip`, or its unzipped folder), a dataset (`.json`), or a folder of `<entity>.jsonl` or `<entity>.parquet` files
    ");
    put(&at.join("entities-only/entities/a.jsonl"), "");
    assert_snapshot!(failing(at, &at.join("entities-only")), @"
    Damaged: `config.json` is missing
      --> entities-only
    help: name the folder of a whole unzipped backup archive
    ");
}
