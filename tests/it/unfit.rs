//! Texts that not every store holds: told at once by every target, set aside where the contract says so,
//! taken back in once they are corrected.

use serde_json::{Value, json};

use crate::data;
use crate::instantdb_target::scene::{Master, Scene, empty};
use crate::resealed::{change_file, seal};
use crate::support::{Place, released};

/// Two parts with half of a pair, one with a NUL, an event with a NUL in a plain text.
pub(crate) fn unfit() -> Value {
    let mut app = data::with_parts(5);
    for at in [0, 1] {
        app["story_parts"][at]["part"] = json!("HALF");
    }
    app["story_parts"][3]["part"] = json!("NUL");
    app["context_events"][1]["channel"] = json!("web\u{0}");
    app
}

pub(crate) fn text(app: &Value) -> String {
    app.to_string()
        .replace("\"HALF\"", r#"{"a":"x \\\ud83d x"}"#)
        .replace("\"NUL\"", r#"{"b\u0000":"\\u0000 \ud83d\ude00"}"#)
}

fn place() -> Place {
    let place = Place::new();
    place.write("app.json", text(&unfit()));
    place
}

const SET: [&str; 4] = ["--set", "target.unfit=quarantine", "--set", "rollout.max_quarantined=any"];

#[test]
fn every_target_tells_all_of_them_at_once() {
    let place = place();
    let [release, file] = released();
    let made = place.run(&["run", "app.json", "--json", &release, &file]).ends(0).json();
    let bundle = made["bundle"].as_str().expect("a folder");
    let refused = place.run(&["import", bundle, "--to", "new.zip"]).ends(5);
    insta::assert_snapshot!(refused.error(), @r#"
    error: an InstantDB server could not restore 4 values
      --> `thread_items`: a text holds a NUL character (`channel`): 1 (00000000-0000-4000-8000-000200000002)
      --> `thread_parts`: a text holds a NUL character (`part`): 1 (00000000-0000-4000-8000-000500000003)
      --> `thread_parts`: a text holds a lone surrogate (`part`): 2 (00000000-0000-4000-8000-000500000000, 00000000-0000-4000-8000-000500000001)
    help: repair these rows in the source and export again, or let the contract set them aside (`[target] unfit = "quarantine"`); nothing was written
    "#);
    if let Some(server) = crate::support::postgres::server() {
        let database = server.database();
        let refused = place.run(&["import", bundle, "--to", &database.url()]).ends(5);
        let lines = refused.error().replace(&database.url(), "URL");
        let lines: Vec<&str> = lines.lines().skip(1).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
      --> `thread_items`: a value of `channel` has a NUL character, which PostgreSQL cannot hold: 1 (00000000-0000-4000-8000-000200000002)
      --> `thread_parts`: a value of `part` has a NUL character, which jsonb cannot hold: 1 (00000000-0000-4000-8000-000500000003)
      --> `thread_parts`: a value of `part` has half a surrogate pair, which jsonb cannot hold: 2 (00000000-0000-4000-8000-000500000000, 00000000-0000-4000-8000-000500000001)
    help: keep payloads as text with `--json-as text`, import into a target that holds them, or let the contract set such rows aside (`[target] unfit = "quarantine"`); nothing was imported
    "#);
    }
    let scene = Scene::new(&Master::of(&place.path("app.json")), empty());
    let refused = scene.dry_run().expect_err("refused");
    insta::assert_snapshot!(refused.at.join("\n"), @"
    `thread_items`: `channel` holds a NUL character: 1 (00000000-0000-4000-8000-000200000002)
    `thread_parts`: `part` holds a NUL character: 1 (00000000-0000-4000-8000-000500000003)
    `thread_parts`: `part` holds half of a surrogate pair: 2 (00000000-0000-4000-8000-000500000000, 00000000-0000-4000-8000-000500000001)
    ");
}

#[test]
fn the_contract_sets_them_aside_and_every_store_takes_the_rest() {
    let place = place();
    let [release, file] = released();
    let run = [&["run", "app.json", "--json", &release, &file][..], &SET].concat();
    let made = place.run(&run).ends(0).json();
    let bundle = made["bundle"].as_str().expect("a folder");
    let listed = place.run(&["quarantine", bundle, "--json"]).ends(0).json();
    let rules = listed["reasons"].as_array().expect("reasons").iter();
    let rules: Vec<String> =
        rules.map(|it| format!("{} {}", it["count"]["rule"], it["count"]["rows"])).collect();
    insta::assert_snapshot!(rules.join("\n"), @r#"
    "context_events.channel held by every store" 1
    "story_parts.part held by every store" 3
    "#);
    place.run(&["import", bundle, "--to", "new.zip"]).ends(0);
    place.run(&["import", bundle, "--to", "new.zip", "--execute"]).ends(0);
    if let Some(server) = crate::support::postgres::server() {
        let database = server.database();
        place.run(&["import", bundle, "--to", &database.url()]).ends(0);
    }
    let tried = place.run(&["verify", bundle, "--self-test"]).ends(0).stdout;
    for fault in [
        "a text with a NUL character",
        "half of a surrogate pair in a payload",
        "a row set aside for its text has another",
    ] {
        let line = tried.lines().find(|line| line.starts_with(fault)).expect(fault);
        assert!(line.contains("caught       unfit "), "{line}");
    }
    // Corrected rows come back; whatever is left is told.
    let quarantined = place.path(bundle).join("data/quarantine/story_parts.jsonl");
    let lines = std::fs::read_to_string(quarantined).expect("lines");
    let first = lines.lines().next().expect("a line").replace(r"\ud83d", "?");
    place.write("fixed.jsonl", first + "\n");
    let replay = ["quarantine", bundle, "--replay", "fixed.jsonl"];
    let told = place.run(&replay).ends(0).stdout;
    assert!(told.contains("story_parts: 1 row replaced, 0 set aside again"), "{told}");
    assert!(told.contains("\nVerified, not imported yet\n"), "{told}");
    assert!(told.contains("story_parts.part held by every store"), "{told}");
    // The contract of the bundle may be changed on the way.
    let changed = [&replay[..], &["--set", "target.unfit=refuse"]].concat();
    let told = place.run(&changed).ends(0).stdout;
    assert!(told.contains("\n0 rows still set aside\n"), "{told}");
}

#[test]
fn a_migrated_row_that_not_every_store_holds_is_found_where_the_contract_sets_it_aside() {
    let place = place();
    let [release, file] = released();
    let made = place.run(&["run", "app.json", "--json", &release, &file]).ends(0).json();
    let bundle = made["bundle"].as_str().expect("a folder").to_owned();
    let root = place.path(&bundle);
    // What was made by the other setting does not pass for made by this one.
    std::fs::write(
        root.join("data/contract.toml"),
        std::fs::read_to_string(root.join("data/contract.toml")).expect("a contract")
            + "\n[[override]]\nkey = \"target.unfit\"\nvalue = \"quarantine\"\n",
    )
    .expect("a file");
    let digest = rethread::bag::sha256_of(&root.join("data/contract.toml")).expect("a hash").sha256;
    let meta = std::fs::read_to_string(root.join("data/bundle.json")).expect("a description");
    let meta: Value = serde_json::from_str(&meta).expect("JSON");
    let old = meta["contract"]["digest"].as_str().expect("a digest");
    change_file(&root.join("data/bundle.json"), old, &digest);
    seal(&root);
    let found = place.run(&["verify", &bundle, "--json"]).ends(1).json();
    let rules = found["result"]["rules"].as_array().expect("rules").iter();
    let failed: Vec<String> = rules
        .filter(|rule| rule["outcome"] == "failed")
        .map(|rule| format!("{}: {}", rule["rule"], rule["violations"]))
        .collect();
    insta::assert_snapshot!(failed.join("\n"), @r#"
    "every store holds the texts of the migrated thread_items rows": 1
    "every store holds the texts of the migrated thread_parts rows": 3
    "#);
}
