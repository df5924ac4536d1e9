//! `rethread inspect`: what a snapshot or a bundle holds, in figures.

use serde_json::{Value, json};

use crate::data;
use crate::support::{Place, fixture};

fn figures(place: &Place, folder: &str) -> Value {
    place.run(&["inspect", folder, "--json"]).ends(0).json()["figures"].clone()
}

fn of(figures: &Value, entity: &str) -> Value {
    let tables = figures["tables"].as_array().expect("tables").iter();
    let found = tables.clone().find(|table| table["entity"] == entity);
    found.expect("a table").clone()
}

fn column(table: &Value, name: &str) -> Value {
    let columns = table["columns"].as_array().expect("columns").iter();
    columns.clone().find(|column| column["name"] == name).expect("a column").clone()
}

#[test]
fn the_figures_of_a_small_app() {
    let place = Place::new();
    let mut app = data::sound();
    app["context_events"][1]["status"] = json!("\u{1b}[31m\u{202e}<script>");
    app["context_events"][1].as_object_mut().expect("a row").remove("channel");
    place.write("app.json", app.to_string());
    let bundle = place.run(&["run", "app.json", "--json"]).ends(0).json();
    let bundle = bundle["bundle"].as_str().expect("a folder").to_owned();
    let snapshot = figures(&place, "snapshots/app");
    let events = of(&snapshot, "context_events");
    assert_eq!(events["rows"], 2);
    assert_eq!(column(&events, "channel")["filled"], 1);
    let values = column(&events, "status")["values"]["counts"].clone();
    assert_eq!(values[0]["rows"], 1);
    assert_eq!(values.as_array().map(Vec::len), Some(2));
    let span = column(&events, "createdAt")["span"].clone();
    assert_eq!(span["least"], "2026-03-01T10:00:01.000000Z");
    assert_eq!(span["greatest"], "2026-03-01T10:00:02.000000Z");
    let sizes = column(&events, "content")["sizes"].clone();
    let texts: Vec<u64> = app["context_events"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["content"].to_string().len() as u64)
        .collect();
    assert_eq!(sizes["total"], texts.iter().sum::<u64>());
    assert_eq!(sizes["max"], *texts.iter().max().expect("a size"));
    let by_step = of(&snapshot, "story_parts")["groups"].clone();
    assert_eq!(by_step[0]["largest"][0], json!({ "id": app["story_steps"][0]["id"], "rows": 2 }));
    // The bundle's groups are those whose order the contract looks at.
    let made = figures(&place, &bundle);
    assert_eq!(of(&made, "thread_items")["groups"][0]["link"], "context");
    assert_eq!(of(&made, "thread_steps")["groups"], json!([]));
    assert_eq!(column(&of(&made, "thread_items"), "channel")["filled"], 2);
    for folder in ["snapshots/app", &bundle] {
        let text = place.run(&["inspect", folder]).ends(0).stdout;
        let json = place.run(&["inspect", folder, "--json"]).ends(0).stdout;
        let steers = |c: char| c != '\n' && rethread::error::steers(c);
        assert!(!text.chars().any(steers) && !json.chars().any(steers), "{text}");
        assert!(text.contains("by ") && text.contains(" bytes: median "), "{text}");
    }
    place.run(&["inspect", "snapshots"]).ends(2);
}

#[test]
fn the_figures_of_the_sample_agree_with_its_descriptions() {
    let place = Place::new();
    let json = place.run(&["run", &fixture("sample-backup.zip"), "--json"]).ends(0).json();
    let bundle = json["bundle"].as_str().expect("a folder");
    for (folder, file) in
        [("snapshots/sample-backup", "data/snapshot.json"), (bundle, "data/bundle.json")]
    {
        let text = std::fs::read_to_string(place.path(folder).join(file)).expect("a file");
        let meta: Value = serde_json::from_str(&text).expect("JSON");
        let found = figures(&place, folder);
        let tables = meta["tables"].as_array().expect("tables");
        assert_eq!(found["tables"].as_array().map(Vec::len), Some(tables.len()));
        for table in tables {
            let figures = of(&found, table["entity"].as_str().expect("a name"));
            assert_eq!(figures["rows"], table["rows"]);
            for column in figures["columns"].as_array().expect("columns") {
                assert!(column["filled"].as_u64() <= figures["rows"].as_u64(), "{column}");
                let Some(counts) = column["values"]["counts"].as_array() else { continue };
                let sum: u64 = counts.iter().filter_map(|value| value["rows"].as_u64()).sum();
                assert!(counts.is_empty() || column["filled"] == sum, "{column}");
            }
        }
    }
}
