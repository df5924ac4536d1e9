//! The contract as a document, the gate that wants it filled, and what changed from one to another.

mod changes;
mod gate;
mod measured;

use std::path::{Path, PathBuf};

use rethread::bag;
use rethread::bundle::Bundle;
use rethread::document::{Block, Document, markdown};
use rethread::progress::Silent;
use serde_json::Value;

use crate::data;
use crate::support::{Place, files, fixture, released};

/// The folder of a bundle made by a run.
pub(crate) fn bundle(place: &Place, source: &str, args: &[&str]) -> String {
    let output = place.run(&[&["run", source, "--json"], args].concat()).ends(0).json();
    output["bundle"].as_str().expect("a folder").to_owned()
}

fn render(place: &Place, args: &[&str]) -> String {
    place.run(&[&["contract", "render"], args].concat()).ends(0).stdout
}

/// A document without what is another with every version of a file: digests and sizes.
fn lasting(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words = line.split('`').map(|word| {
            let is_digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_digest { "SHA-256" } else { word }
        });
        let line = words.collect::<Vec<_>>().join("`");
        let line = match line.split_once(" of values, ") {
            Some((head, tail)) => {
                let head = head.rsplit_once("| ").expect("a cell before").0;
                let tail = tail.split_once("as Parquet").expect("a cell behind").1;
                format!("{head}| SIZE{tail}")
            }
            None => line,
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[test]
fn the_sample_has_this_document() {
    let place = Place::new();
    let root = bundle(&place, &fixture("sample-backup.zip"), &[]);
    let found = std::fs::read_to_string(place.path(&root).join("data/CONTRACT.md")).expect("it");
    let found = lasting(&found);
    let expected = std::fs::read_to_string(fixture("sample-CONTRACT.md")).expect("the fixture");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sample-CONTRACT.md");
    std::fs::write(&fresh, &found).expect("a file");
    let lines = found.lines().zip(expected.lines()).enumerate();
    let differing: Vec<_> = lines.filter(|(_, (found, expected))| found != expected).collect();
    assert!(differing.is_empty(), "{differing:#?}\nnow it is {}", fresh.display());
    assert_eq!(found.len(), expected.len(), "now it is {}", fresh.display());
}

#[test]
fn a_document_is_the_same_whatever_asks_for_it() {
    let place = Place::new();
    let [release, file] = released();
    let root = bundle(&place, &fixture("sample-backup.zip"), &[&release, &file]);
    let snapshot = "snapshots/sample-backup";
    let of_bundle = render(&place, &["--bundle", &root]);
    let with_both = render(&place, &["--bundle", &root, "--snapshot", snapshot]);
    assert_eq!(of_bundle, with_both, "a bundle keeps what was measured when it was made");
    assert!(!of_bundle.contains('⚠') || of_bundle.contains("does not hold"), "{of_bundle}");
    for said in ["Verified: all", "`migrated_verified`", "read back and equal"] {
        assert!(of_bundle.contains(said), "{said}");
    }
    let of_snapshot = render(&place, &["--snapshot", snapshot, &release, &file]);
    let section = |text: &str, number: u8| {
        let begin = text.find(&format!("\n## {number}) ")).expect("a section");
        text[begin..].split("\n## ").nth(1).expect("its text").to_owned()
    };
    assert_eq!(section(&of_snapshot, 2), section(&of_bundle, 2));
    let json = place.run(&["contract", "render", "--bundle", &root, "--json"]).ends(0).json();
    let document: Document = serde_json::from_value(json["document"].clone()).expect("a document");
    assert_eq!(markdown(&document), of_bundle);
    assert_eq!(
        document.sections.iter().map(|it| it.number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    assert!(document.blanks.is_empty());
    let out = ["contract", "render", "--bundle", &root, "--out", "CONTRACT.md"];
    place.run(&out).ends(0);
    assert_eq!(std::fs::read_to_string(place.path("CONTRACT.md")).expect("a file"), of_bundle);
    assert!(place.run(&out).ends(2).error().contains("exists already"));
}

#[test]
fn nothing_is_made_up_where_nothing_was_measured() {
    let place = Place::new();
    let alone = render(&place, &[]);
    for said in [
        "⚠ not measured: give the snapshot",
        "⚠ not measured: give the bundle",
        "⚠ not verified: `rethread verify BUNDLE`",
        "⚠ not measured: `rethread status`",
    ] {
        assert!(alone.contains(said), "{said}\n{alone}");
    }
    assert!(!alone.contains("holds |") && !alone.contains("passed"), "{alone}");
    place.write("app.json", data::sound().to_string()).run(&["export", "app.json"]).ends(0);
    let text = render(&place, &["--snapshot", "snapshots/app"]);
    assert!(text.contains("⚠ not measured: give the bundle") && text.contains("holds |"), "{text}");
    assert!(!text.contains("give the snapshot"), "{text}");
}

#[test]
fn a_snapshot_goes_with_its_own_bundle_alone() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    place.write("other.json", data::with_an_orphan().to_string()).run(&["export", "other.json"]);
    let root = bundle(&place, "app.json", &[]);
    let told = place
        .run(&["contract", "render", "--bundle", &root, "--snapshot", "snapshots/other"])
        .ends(2)
        .error();
    assert!(told.contains("made from another snapshot"), "{told}");
    place.run(&["contract", "render", "--bundle", &root, "--set", "release.to=2"]).ends(2);
}

#[test]
fn every_blank_is_shown_and_listed() {
    let keys = [
        ("release.from", ""),
        ("release.to", " "),
        ("release.scope", ""),
        ("before.entrypoints", "[]"),
        ("before.apis", "[]"),
        ("after.entrypoints", "[]"),
        ("after.apis", "[]"),
        ("rollout.canary", "\"\""),
        ("rollout.rollback_trigger", "[]"),
        ("rollout.rollback_action", ""),
        ("implementation.language", ""),
        ("implementation.reason", ""),
    ];
    let place = Place::new();
    let [release, file] = released();
    assert!(!render(&place, &[&release, &file]).contains("⚠ blank"));
    for (key, empty) in keys {
        let set = format!("{key}={empty}");
        let args = [&release, &file, "--set", &set];
        let text = render(&place, &args);
        let mark = format!("⚠ blank: `{key}`");
        assert_eq!(text.matches("⚠ blank").count(), 1, "{key}\n{text}");
        assert!(text.contains(&mark) && text.contains(&format!("\n- `{key}`\n")), "{key}\n{text}");
        let args = [&["contract", "render", "--json"], &args[..]].concat();
        let json = place.run(&args).ends(0).json();
        assert_eq!(json["document"]["blanks"], serde_json::json!([key]));
    }
}

/// How many cells a row of a table has.
fn cells(line: &str) -> usize {
    let mut bars = 0;
    let mut escaped = false;
    for c in line.chars() {
        bars += usize::from(c == '|' && !escaped);
        escaped = c == '\\' && !escaped;
    }
    bars - 1
}

#[test]
fn texts_of_a_contract_stay_texts() {
    const HOSTILE: &str = "a | b `c</td></style><script>alert(1)</script>\\n\\n# h\\n| x | \
                           ![i](http://e.x/i)\\u0007\\u202E \\\"><img src=x onerror=f()> =cmd()";
    let contract = rethread::contract::BUILT_IN
        .replace("story deprecated -> thread package adoption", HOSTILE)
        .replace("\"createStory\"", &format!("\"{HOSTILE}\""))
        .replace("canary = \"\"", &format!("canary = \"{HOSTILE}\""))
        .replace("one thread per context", HOSTILE)
        .replace("namespace = \"rethread", &format!("namespace = \"{HOSTILE}"))
        .replace("missing = \"web\"", &format!("missing = \"{HOSTILE}\""));
    assert_eq!(contract.matches("onerror").count(), 6);
    let place = Place::new();
    place.write("hostile.toml", contract);
    let mut app = data::sound();
    app["<img src=x onerror=f()>|`"] = serde_json::json!([{ "id": "x" }]);
    place.write("app.json", app.to_string());
    let root = bundle(&place, "app.json", &["--contract", "hostile.toml"]);
    let text = render(&place, &["--bundle", &root]);
    for wrong in ["<script", "</td", "<img", "\u{7}", "\u{202e}", "![i](", "http://"] {
        assert!(!text.contains(wrong), "{wrong}\n{text}");
    }
    assert!(!text.contains("\n# h") && text.matches("\n## ").count() == 7);
    let mut width = None;
    for line in text.lines() {
        if !line.starts_with('|') {
            width = None;
            continue;
        }
        assert_eq!(cells(line), *width.get_or_insert(cells(line)), "{line}");
        // Outside of code nothing can begin a tag.
        assert!(line.split('`').step_by(2).all(|text| !text.contains('<')), "{line}");
    }
    let told = place.run(&["contract", "diff", "hostile.toml", "hostile.toml"]).ends(0).stdout;
    assert_eq!(told, "nothing changed\n");
    place.write("plain.toml", rethread::contract::BUILT_IN);
    let told = place.run(&["contract", "diff", "plain.toml", "hostile.toml"]).ends(0).stdout;
    assert!(!told.contains('\u{7}') && !told.contains('\u{202e}'), "{told}");
}

#[test]
fn a_bundle_without_a_document_is_as_good() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let root = place.path(&bundle(&place, "app.json", &[]));
    for name in ["CONTRACT.md", "facts.json"] {
        std::fs::remove_file(root.join("data").join(name)).expect("a file");
    }
    seal(&root);
    let root = root.to_str().expect("UTF-8");
    Bundle::open(Path::new(root), &Silent).expect("a bundle");
    place.run(&["verify", root]).ends(0);
    let text = render(&place, &["--bundle", root]);
    assert!(text.contains("⚠ not measured: give the snapshot"), "{text}");
    assert!(text.contains("Verified: all") && text.contains("2 migrated, 0 merged"), "{text}");
    let text = render(&place, &["--bundle", root, "--snapshot", "snapshots/app"]);
    assert!(!text.contains("not measured"), "{text}");
}

/// Seals a folder again.
fn seal(root: &Path) {
    for name in ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        std::fs::remove_file(root.join(name)).expect("a file");
    }
    let payload = files(root.join("data")).into_iter().map(|path: PathBuf| {
        let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned();
        (name, bag::sha256_of(&path).expect("a digest"))
    });
    bag::seal(root, &payload.collect(), &[]).expect("a seal");
}

/// The rows of the tables of a section that have this many columns.
fn rows(document: &Value, number: u64, columns: usize) -> Vec<Vec<String>> {
    let document: Document = serde_json::from_value(document.clone()).expect("a document");
    let section = document.sections.into_iter().find(|it| u64::from(it.number) == number);
    let blocks = section.expect("a section").blocks.into_iter();
    let tables = blocks.filter_map(|block| match block {
        Block::Table { columns: heads, rows } if heads.len() == columns => Some(rows),
        _ => None,
    });
    tables.flatten().collect()
}
