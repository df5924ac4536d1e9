//! Links of an app that the contract does not name, what its schema says of links, and rows that are only
//! links: what becomes of them in bundle, archive and plan.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::data;
use crate::support::{Place, fixture};

/// The id of a row of the sound dataset: contexts 1, events 2, executions 3, steps 4, parts 5; others
/// from 6 on.
fn id(kind: u32, at: u32) -> String {
    format!("00000000-0000-4000-8000-{kind:04}{at:08}")
}

/// An app: rows by entity, and the links of its schema.
pub(crate) struct App {
    pub(crate) rows: Value,
    links: Map<String, Value>,
}

/// An app in which one message answers another.
pub(crate) fn talking() -> App {
    let mut app = App::sound();
    app.link(side("context_events", "one", "replyTo"), side("context_events", "many", "replies"));
    app.set("context_events", 1, "replyTo", json!(id(2, 1)));
    app
}

/// One side of a link in a schema.
fn side(on: &str, has: &str, label: &str) -> Value {
    json!({ "on": on, "has": has, "label": label })
}

impl App {
    /// The sound dataset with an existing thread, two users, and the contract's own links.
    fn sound() -> Self {
        let mut rows = data::sound();
        rows["$users"] = json!([{ "id": id(6, 1) }, { "id": id(6, 2) }]);
        rows["emails"] = json!([{ "id": id(7, 1), "subject": "hello" }]);
        rows["thread_threads"] = json!([{ "id": id(8, 1), "createdAt": 5, "key": "old" }, { "id": id(8, 2), "createdAt": 6 }]);
        let mut app = Self { rows, links: Map::new() };
        let legacy = [
            ("context_events", "context", "context_contexts", "events"),
            ("story_executions", "context", "context_contexts", "executions"),
            ("story_executions", "trigger", "context_events", "executionsAsTrigger"),
            ("story_executions", "reaction", "context_events", "executionsAsReaction"),
            ("story_steps", "execution", "story_executions", "steps"),
            ("story_parts", "step", "story_steps", "parts"),
        ];
        for (on, label, to, reverse) in legacy {
            app.link(side(on, "one", label), side(to, "many", reverse));
        }
        app.link(
            side("context_contexts", "one", "currentExecution"),
            side("story_executions", "one", "currentOf"),
        );
        app
    }

    fn link(&mut self, forward: Value, reverse: Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = format!("{}-{}", text(&forward["on"]), text(&forward["label"]));
        let sides = [("forward".to_owned(), forward), ("reverse".to_owned(), reverse)];
        self.links.insert(name, Value::Object(sides.into_iter().collect()));
    }

    fn set(&mut self, entity: &str, row: usize, label: &str, value: Value) {
        self.rows[entity][row][label] = value;
    }

    /// Appends a row, whatever it is.
    fn push(&mut self, entity: &str, row: Value) {
        if self.rows[entity].is_null() {
            self.rows[entity] = json!([]);
        }
        self.rows[entity].as_array_mut().expect("rows").push(row);
    }

    fn schema(&self) -> Value {
        let labels: BTreeSet<(&str, &str)> = self
            .links
            .values()
            .flat_map(|link| [&link["forward"], &link["reverse"]])
            .filter_map(|side| Some((side["on"].as_str()?, side["label"].as_str()?)))
            .collect();
        let mut entities = Map::new();
        for (entity, rows) in self.rows.as_object().expect("entities") {
            let mut attrs = Map::new();
            let rows = rows.as_array().expect("rows").iter();
            let names = rows.flat_map(|row| row.as_object().expect("a row").keys());
            let is_attr = |name: &&String| {
                *name != "id" && !labels.contains(&(entity.as_str(), name.as_str()))
            };
            for name in names.filter(is_attr) {
                let attr = json!({ "valueType": "json", "required": false,
                                   "config": { "indexed": false, "unique": false } });
                attrs.insert(name.clone(), attr);
            }
            if !entity.starts_with("thread_") {
                entities.insert(entity.clone(), json!({ "attrs": attrs, "links": {} }));
            }
        }
        json!({ "entities": entities, "links": self.links })
    }

    /// The app as a backup.
    pub(crate) fn write(&self, path: &Path) {
        let entities = self.rows.as_object().expect("entities");
        let counts: Map<String, Value> = entities
            .iter()
            .map(|(entity, rows)| (entity.clone(), json!(rows.as_array().map_or(0, Vec::len))))
            .collect();
        let config = json!({ "counts": counts, "tripleCount": 0, "schema": self.schema(),
                             "rules": {}, "title": "An app", "appId": id(9, 9) });
        let mut zip = ZipWriter::new(File::create(path).expect("a file"));
        let mut put = |name: &str, text: &str| {
            zip.start_file(name, SimpleFileOptions::default()).expect("an entry");
            zip.write_all(text.as_bytes()).expect("content");
        };
        put("config.json", &config.to_string());
        for (entity, rows) in entities {
            let line = |row: &Value| {
                let created_at = if row.get("id").is_some() { 1_700_000_000_000_u64 } else { 0 };
                json!({ "entity": row, "createdAt": created_at }).to_string() + "\n"
            };
            let lines: Vec<String> = rows.as_array().expect("rows").iter().map(line).collect();
            if !lines.is_empty() {
                put(&format!("entities/{entity}.jsonl"), &lines.concat());
            }
        }
        zip.finish().expect("a zip");
    }
}

/// An app that went the whole way.
struct Made {
    place: Place,
    bundle: String,
    meta: Value,
}

impl Made {
    fn of(app: &App) -> Self {
        let place = Place::new();
        app.write(&place.path("backup.zip"));
        Self::run(place)
    }

    fn run(place: Place) -> Self {
        let release = fixture("release.toml");
        let output = place.run(&["run", "backup.zip", "--release", &release, "--json"]);
        assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
        let bundle = output.json()["bundle"].as_str().expect("a folder").to_owned();
        let text = std::fs::read_to_string(place.path(&bundle).join("data/bundle.json"));
        let meta = serde_json::from_str(&text.expect("a description")).expect("JSON");
        Self { place, bundle, meta }
    }

    /// The pairs of a link file, as `from to`, sorted; the link itself.
    fn pairs(&self, entity: &str, label: &str) -> (Vec<String>, Value) {
        let links = self.meta["links"].as_array().expect("links").iter();
        let mut links = links.filter(|link| link["entity"] == entity && link["label"] == label);
        let link =
            links.next().unwrap_or_else(|| panic!("{entity}.{label}: {}", self.meta["links"]));
        assert!(links.next().is_none());
        let query =
            format!("SELECT \"from\" || ' ' || \"to\" FROM \"{entity}.{label}\" ORDER BY 1");
        let store = rusqlite::Connection::open(self.place.path(&self.bundle).join("thread.sqlite"));
        let store = store.expect("a database");
        let mut found = store.prepare(&query).expect("a table");
        let rows = found.query_map([], |row| row.get(0)).expect("rows");
        (rows.map(|row| row.expect("a pair")).collect(), link.clone())
    }

    /// The rules of a verification that noted something: kind, entity, attribute, count, first place.
    fn noted(&self) -> Vec<String> {
        let output = self.place.run(&["verify", &self.bundle, "--json"]).ends(0).json();
        let mut found = Vec::new();
        each_object(&output, &mut |object| {
            if object.get("outcome") == Some(&json!("noted")) {
                let text = |name: &str| object[name].as_str().unwrap_or_default();
                let first = object["samples"][0].as_str().unwrap_or_default();
                found.push(format!(
                    "{} {} {}: {}, {first}",
                    text("kind"),
                    text("entity"),
                    text("attr"),
                    object["violations"]
                ));
            }
        });
        found.sort();
        found.dedup();
        found
    }

    /// The archive that comes of it: config, and lines by file.
    fn archive(&self) -> (Value, Vec<(String, String)>) {
        let import = ["import", &self.bundle, "--to", "new.zip", "--source", "backup.zip"]
            .map(str::to_owned);
        for more in [&[][..], &["--execute"][..]] {
            let args: Vec<&str> =
                import.iter().map(String::as_str).chain(more.iter().copied()).collect();
            let output = self.place.run(&args);
            assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
        }
        let files = texts(&self.place.path("new.zip"));
        let config = files.iter().find(|(name, _)| name == "config.json").expect("a config");
        (serde_json::from_str(&config.1).expect("JSON"), files)
    }

    /// The plan of the schema push.
    fn plan(&self, more: &[&str]) -> Value {
        let release = fixture("release.toml");
        let args = ["plan", "snapshots/backup", "--release", &release, "--json"];
        let output = self.place.run(&[&args[..], more].concat());
        output.json()["plan"].clone()
    }
}

fn each_object(value: &Value, visit: &mut dyn FnMut(&Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_object(item, visit)),
        Value::Object(members) => {
            visit(members);
            members.values().for_each(|member| each_object(member, visit));
        }
        _ => {}
    }
}

fn texts(path: &Path) -> Vec<(String, String)> {
    let mut zip = ZipArchive::new(File::open(path).expect("a file")).expect("a zip");
    let mut found = Vec::new();
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).expect("an entry");
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        found.push((entry.name().expect("a name").into_owned(), text));
    }
    found
}

/// One declared link, as `on.label has -> to.reverse has`, with what else it demands.
fn declared(config: &Value, on: &str, label: &str) -> String {
    let links = config["schema"]["links"].as_object().expect("links").values();
    let mut found =
        links.filter(|link| link["forward"]["on"] == on && link["forward"]["label"] == label);
    let link =
        found.next().unwrap_or_else(|| panic!("{on}.{label}: {}", config["schema"]["links"]));
    assert!(found.next().is_none(), "{on}.{label} twice");
    let side = |side: &Value| {
        let more =
            ["required", "onDelete"].iter().filter_map(|name| Some((name, side.get(*name)?)));
        let more: String = more.map(|(name, value)| format!(" {name}={value}")).collect();
        let text = |name: &str| side[name].as_str().unwrap_or("-").to_owned();
        format!("{}.{} {}{more}", text("on"), text("label"), text("has"))
    };
    format!("{} -> {}", side(&link["forward"]), side(&link["reverse"]))
}

#[test]
fn links_inside_the_models_follow_the_rows() {
    let mut app = talking();
    app.link(side("story_parts", "one", "event"), side("context_events", "many", "parts"));
    app.link(
        side("story_executions", "one", "mirroredThread"),
        side("thread_threads", "many", "mirrors"),
    );
    app.link(
        side("thread_threads", "many", "related"),
        side("thread_threads", "many", "relatedBy"),
    );
    app.set("story_parts", 0, "event", json!(id(2, 2)));
    app.set("story_executions", 0, "mirroredThread", json!(id(8, 1)));
    app.set("thread_threads", 0, "related", json!([id(8, 2), id(8, 1)]));
    let made = Made::of(&app);
    let pair = |from: &str, to: &str| format!("{from} {to}");
    assert_eq!(made.pairs("thread_items", "replyTo").0, [pair(&id(2, 2), &id(2, 1))]);
    assert_eq!(made.pairs("thread_parts", "event").0, [pair(&id(5, 1), &id(2, 2))]);
    assert_eq!(made.pairs("thread_executions", "mirroredThread").0, [pair(&id(3, 1), &id(8, 1))]);
    let related = [pair(&id(8, 1), &id(8, 1)), pair(&id(8, 1), &id(8, 2))];
    assert_eq!(made.pairs("thread_threads", "related").0, related);
    let (config, files) = made.archive();
    for (on, label, expected) in [
        ("thread_items", "replyTo", "thread_items.replyTo one -> thread_items.replies many"),
        ("thread_parts", "event", "thread_parts.event one -> thread_items.parts many"),
        (
            "thread_executions",
            "mirroredThread",
            "thread_executions.mirroredThread one -> thread_threads.mirrors_thread_executions many",
        ),
    ] {
        assert_eq!(declared(&config, on, label), expected);
    }
    let line = |file: &str, part: &str| {
        let file = files.iter().find(|(name, _)| name == file).expect("a file");
        assert!(file.1.contains(part), "{part}: {}", file.1);
    };
    line("entities/thread_items.jsonl", &format!("\"replyTo\":\"{}\"", id(2, 1)));
    line(
        "entities/thread_threads.jsonl",
        &format!("\"related\":[\"{}\",\"{}\"]", id(8, 1), id(8, 2)),
    );
    // A second migration finds the links of the first: nothing is new, nothing stands there twice.
    let place = Place::new();
    std::fs::copy(made.place.path("new.zip"), place.path("backup.zip")).expect("a copy");
    let again = Made::run(place);
    assert_eq!(again.pairs("thread_items", "replyTo").0, [pair(&id(2, 2), &id(2, 1))]);
    assert_eq!(again.pairs("thread_threads", "related").0, related);
    assert_eq!(again.plan(&[])["steps"], json!([]));
    let (second, lines) = again.archive();
    assert_eq!(second["schema"], config["schema"]);
    assert_eq!(second["tripleCount"], config["tripleCount"]);
    assert_eq!(lines[1..], files[1..]);
}

#[test]
fn links_of_any_shape_get_labels_of_their_own() {
    let mut app = App::sound();
    // Two links between the same two entities; labels that the contract gives to its own.
    app.link(side("context_events", "one", "author"), side("$users", "many", "written"));
    app.link(side("context_events", "many", "readers"), side("$users", "many", "read"));
    app.link(side("context_events", "one", "thread"), side("emails", "many", "items"));
    app.link(side("emails", "one", "about"), side("story_steps", "one", "execution_of"));
    // An entity without a row, and a link without one.
    app.link(side("context_contexts", "one", "room"), side("rooms", "many", "contexts"));
    app.link(side("context_contexts", "one", "nothing"), side("rooms", "many", "nothingOf"));
    app.rows["rooms"] = json!([]);
    app.set("context_events", 0, "author", json!(id(6, 1)));
    app.set("context_events", 1, "author", json!(id(6, 1)));
    app.set("context_events", 0, "readers", json!([id(6, 1), id(6, 2)]));
    app.set("context_events", 0, "thread", json!(id(7, 1)));
    app.set("emails", 0, "about", json!(id(4, 1)));
    app.set("context_contexts", 0, "room", json!(id(9, 1)));
    let made = Made::of(&app);
    assert_eq!(made.pairs("thread_items", "author").0.len(), 2);
    assert_eq!(made.pairs("thread_items", "readers").0.len(), 2);
    assert_eq!(made.pairs("thread_items", "thread_emails").0.len(), 1);
    assert_eq!(made.pairs("thread_steps", "execution_of").0.len(), 1);
    assert_eq!(made.pairs("thread_contexts", "room").0.len(), 1);
    assert!(!made.meta["links"].to_string().contains("nothing"));
    let (config, _) = made.archive();
    for (on, label, expected) in [
        ("thread_items", "author", "thread_items.author one -> $users.written_thread_items many"),
        ("thread_items", "readers", "thread_items.readers many -> $users.read_thread_items many"),
        (
            "thread_items",
            "thread_emails",
            "thread_items.thread_emails one -> emails.items_thread_items many",
        ),
        (
            "thread_steps",
            "execution_of",
            "thread_steps.execution_of one -> emails.about_thread_steps one",
        ),
        (
            "thread_contexts",
            "room",
            "thread_contexts.room one -> rooms.contexts_thread_contexts many",
        ),
    ] {
        assert_eq!(declared(&config, on, label), expected);
    }
    // The contract's own link is untouched.
    let own = declared(&config, "thread_items", "thread");
    assert_eq!(own, "thread_items.thread one -> thread_threads.items many");
}

#[test]
fn both_spellings_of_a_link_are_one_and_another_name_of_the_contracts_is_its_own() {
    let mut app = talking();
    app.set("context_events", 0, "replies", json!([id(2, 2)]));
    // The app declares the contract's link from the other side, under another label.
    app.links.remove("context_events-context");
    app.link(
        side("context_contexts", "many", "messages"),
        side("context_events", "one", "context"),
    );
    app.set("context_contexts", 0, "messages", json!([id(2, 1), id(2, 2)]));
    for row in 0..2 {
        app.rows["context_events"][row].as_object_mut().expect("a row").remove("context");
    }
    let made = Made::of(&app);
    let (pairs, link) = made.pairs("thread_items", "replyTo");
    assert_eq!(pairs, [format!("{} {}", id(2, 2), id(2, 1))]);
    assert_eq!(link["declared"]["of"].as_array().expect("files").len(), 2);
    let text = std::fs::read_to_string(
        made.place.path(&made.bundle).join("data/jsonl/thread_items.jsonl"),
    );
    let text = text.expect("lines");
    assert_eq!(text.matches(&format!("\"context\":\"{}\"", id(1, 1))).count(), 2, "{text}");
    let unmapped = &made.meta["unmapped"]["attrs"];
    assert_eq!(*unmapped, json!([]));
}

#[test]
fn a_link_without_a_reverse_is_read_and_written_back_without_one() {
    let mut app = App::sound();
    let none = json!({ "on": null, "has": "many", "label": null });
    app.link(side("emails", "one", "sender"), none.clone());
    app.link(side("context_events", "one", "origin"), none);
    app.set("emails", 0, "sender", json!(id(6, 1)));
    app.set("context_events", 0, "origin", json!(id(7, 1)));
    let made = Made::of(&app);
    assert_eq!(made.pairs("thread_items", "origin").0, [format!("{} {}", id(2, 1), id(7, 1))]);
    let (config, _) = made.archive();
    assert_eq!(declared(&config, "emails", "sender"), "emails.sender one -> -.- many");
    assert_eq!(declared(&config, "thread_items", "origin"), "thread_items.origin one -> -.- many");
    let plan = made.plan(&["--write-schema", "s.json", "--write-schema", "s.ts"]);
    let steps = plan["steps"].as_array().expect("steps").iter();
    let mut steps = steps.filter(|step| step["what"] == "thread_items.origin");
    let step = steps.next().expect("a step");
    assert_eq!(step["description"], "Link thread_items.origin, with no label on the other side.");
    assert_eq!(step["params"].get("reverse-identity"), None);
    let text = std::fs::read_to_string(made.place.path("s.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let written = declared(&json!({ "schema": schema }), "thread_items", "origin");
    assert_eq!(written, "thread_items.origin one -> -.- many");
    let code = std::fs::read_to_string(made.place.path("s.ts")).expect("a schema");
    for name in ["emails.sender", "thread_items.origin"] {
        assert!(code.contains(&format!("// \"{name}\" has no reverse label")), "{code}");
    }
}

/// The rules that are left, as `kind of: what`.
fn left(plan: &Value) -> Vec<String> {
    let rules = plan["rules_left"].as_array().expect("rules").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rules
        .map(|rule| {
            let [kind, entity, label, lost] =
                ["kind", "entity", "label", "lost"].map(|name| text(&rule[name]));
            format!("{kind} {entity}.{label}: {lost}")
        })
        .collect()
}

#[test]
fn a_carried_link_demands_what_the_app_does_as_far_as_its_rows_hold_it() {
    let mut app = App::sound();
    let with = |mut side: Value, name: &str, value: Value| {
        side[name] = value;
        side
    };
    let owner = with(side("context_events", "one", "owner"), "onDelete", json!("cascade"));
    app.link(with(owner, "required", json!(true)), side("$users", "many", "owned"));
    let card = with(side("context_events", "one", "card"), "required", json!(true));
    app.link(card, with(side("emails", "one", "cardOf"), "onDelete", json!("cascade")));
    for row in 0..2 {
        app.set("context_events", row, "owner", json!(id(6, 1)));
    }
    app.set("context_events", 0, "card", json!(id(7, 1)));
    // The contract's own: a context takes its events along, and events need one.
    let own = with(side("context_events", "one", "context"), "onDelete", json!("cascade"));
    app.link(with(own, "required", json!(true)), side("context_contexts", "many", "events"));
    let made = Made::of(&app);
    let (config, _) = made.archive();
    assert_eq!(
        declared(&config, "thread_items", "owner"),
        "thread_items.owner one required=true onDelete=\"cascade\" -> $users.owned_thread_items many"
    );
    // One of the two events has a card, so not every row has one.
    assert_eq!(
        declared(&config, "thread_items", "card"),
        "thread_items.card one -> emails.cardOf_thread_items one onDelete=\"cascade\""
    );
    let text = std::fs::read_to_string(made.place.path(&made.bundle).join("data/plan.json"));
    let sealed: Value = serde_json::from_str(&text.expect("a plan")).expect("JSON");
    assert_eq!(
        left(&sealed),
        [
            "required context_events.card: a row of `thread_items` may be without one",
            "required context_events.context: a row of `thread_items` may be without one",
            "on_delete context_events.context: deleting a row of `thread_contexts` no longer deletes its rows of `thread_items`",
        ]
    );
    assert_eq!(
        sealed["rules_left"][2]["line"],
        "\"threadItemsContext\": { forward: { on: \"thread_items\", has: \"one\", label: \"context\", required: true, onDelete: \"cascade\" }, reverse: { on: \"thread_contexts\", has: \"many\", label: \"items\" } },"
    );
    // A push cannot ask for it before the rows are there.
    let plan = made.plan(&["--write-schema", "s.ts"]);
    let steps = plan["steps"].as_array().expect("steps").iter();
    let step = steps.clone().find(|step| step["what"] == "thread_items.owner").expect("a step");
    assert_eq!(
        (&step["params"]["required?"], &step["params"]["on-delete"]),
        (&json!(false), &json!("cascade"))
    );
    assert_eq!(
        step["data"],
        "2 links of the app follow the rows; add `required: true` once the rows are there, as it is in the app"
    );
    let code = std::fs::read_to_string(made.place.path("s.ts")).expect("a schema");
    let line =
        "forward: { on: \"thread_items\", has: \"one\", label: \"owner\", onDelete: \"cascade\" },";
    assert!(code.contains(line), "{code}");
    let told = made.place.run(&["plan", "snapshots/backup", "--release", &fixture("release.toml")]);
    assert!(
        told.stdout.contains("rules of the app's schema that the target does not have"),
        "{}",
        told.stdout
    );
}

#[test]
fn rows_that_are_only_links_are_noted_and_stop_nothing() {
    let mut app = App::sound();
    app.link(side("emails", "many", "events"), side("context_events", "many", "emails"));
    app.link(side("thread_items", "one", "thread"), side("thread_threads", "many", "items"));
    app.link(side("thread_items", "one", "author"), side("$users", "many", "written"));
    app.push("emails", json!({ "events": [id(2, 1)] }));
    app.push("context_events", json!({ "context": id(1, 1), "emails": [] }));
    app.push("story_executions", json!({ "trigger": id(2, 1) }));
    app.push("thread_items", json!({ "thread": id(8, 1), "author": id(6, 1) }));
    app.push(
        "thread_items",
        json!({ "id": id(2, 9), "createdAt": 5, "channel": "web", "thread": id(8, 1) }),
    );
    let made = Made::of(&app);
    let equations = made.meta["equations"].as_array().expect("equations").iter();
    let mut counts: Vec<String> = Vec::new();
    for equation in equations.filter(|equation| equation["quarantined"] != 0) {
        counts.push(format!(
            "{} {}/{}",
            equation["source"], equation["quarantined"], equation["only_links"]
        ));
    }
    counts.sort();
    assert_eq!(counts, ["\"context_events\" 1/1", "\"story_executions\" 1/1"]);
    let rules = made.meta["quarantine"].as_array().expect("rules").iter();
    let rules: Vec<&str> = rules.map(|rule| rule["rule"].as_str().expect("a rule")).collect();
    assert_eq!(rules, ["context_events.id present", "story_executions.id present"]);
    let existing = made.meta["existing"].as_array().expect("equations").iter();
    let mut existing = existing.filter(|existing| existing["entity"] == "thread_items");
    let expected =
        json!({ "entity": "thread_items", "rows": 2, "carried": 1, "merged": 0, "only_links": 1 });
    assert_eq!(existing.next(), Some(&expected));
    assert_eq!(
        made.noted(),
        [
            "account context_events : 1, context_events row 2 (no id)",
            "account emails events: 1, emails row 1 (no id; data/links/emails.events.parquet row 0)",
            "account story_executions : 1, story_executions row 1 (no id)",
            "account thread_items : 1, thread_items of the snapshot row 0 (no id)",
        ]
    );
    // No server restores a line without an id.
    let (config, files) = made.archive();
    for (entity, rows) in
        [("emails", 1), ("context_events", 2), ("story_executions", 1), ("thread_items", 3)]
    {
        assert_eq!(config["counts"][entity], rows, "{entity}");
        let name = format!("entities/{entity}.jsonl");
        let lines = &files.iter().find(|(file, _)| *file == name).expect("a file").1;
        assert_eq!(lines.lines().count(), rows, "{lines}");
        assert!(lines.lines().all(|line| line.contains("\"id\":")), "{lines}");
    }
}

#[test]
fn an_existing_row_that_cannot_be_carried_is_named_by_its_line() {
    let mut app = App::sound();
    let item = |id: Value, channel: &str| {
        let mut row = json!({ "createdAt": 5, "channel": channel });
        if !id.is_null() {
            row["id"] = id;
        }
        row
    };
    app.push("thread_items", item(json!(id(2, 8)), "web"));
    app.push("thread_items", item(Value::Null, "web"));
    app.push("thread_items", item(json!(id(2, 9)), "web"));
    app.push("thread_items", item(json!(id(2, 8)), "mail"));
    let place = Place::new();
    app.write(&place.path("backup.zip"));
    let output = place.run(&["run", "backup.zip"]).ends(1);
    insta::assert_snapshot!(output.error(), @"
    error: 3 rows of `thread_items` that the app has already cannot be carried
      --> backup.zip: entities/thread_items.jsonl, line 1: its id 00000000-0000-4000-8000-000200000008 stands on another row too, with other content
      --> backup.zip: entities/thread_items.jsonl, line 2: it has values and no id
      --> backup.zip: entities/thread_items.jsonl, line 4: its id 00000000-0000-4000-8000-000200000008 stands on another row too, with other content
    help: repair these rows in the app and export again: each needs an id of its own
    ");
}

#[test]
fn links_of_rows_that_are_set_aside_are_listed_with_the_reason() {
    let mut app = talking();
    app.set("context_events", 0, "replyTo", json!(id(2, 77)));
    app.set("context_events", 0, "createdAt", json!("never"));
    let place = Place::new();
    app.write(&place.path("backup.zip"));
    let free = ["run", "backup.zip", "--set", "rollout.max_quarantined=any", "--json"];
    let output = place.run(&free).ends(0).json();
    let bundle = place.path(output["bundle"].as_str().expect("a folder"));
    let explained = place.run(&["explain", &id(2, 1), bundle.to_str().expect("UTF-8")]);
    assert!(explained.stdout.contains("a row it joins was quarantined"), "{}", explained.stdout);
}

#[test]
fn a_link_of_the_app_under_a_label_of_another_meaning_is_refused() {
    let mut app = App::sound();
    app.link(side("context_events", "one", "channel"), side("emails", "many", "uses"));
    app.link(side("story_steps", "many", "parts"), side("emails", "many", "madeOf"));
    app.link(
        side("context_contexts", "many", "pinned"),
        side("context_events", "one", "contextId"),
    );
    app.link(side("emails", "one", "chat"), side("context_contexts", "one", "threadId"));
    let place = Place::new();
    app.write(&place.path("backup.zip"));
    let told = place.run(&["run", "backup.zip"]).ends(5);
    insta::assert_snapshot!(told.error(), @"
    error: the app has links under labels of another meaning in the contract
      --> `context_contexts.threadId` is a link to `emails` in the app; the contract's leads to `thread_threads`
      --> `context_events.channel` is a link to `emails` in the app; the contract has an attribute there
      --> `story_steps.parts` is a link to `emails` in the app; the contract's leads to `story_parts`
    help: rename these links in the app, or the attributes and links in the contract
    ");
    assert!(!place.path("snapshots").join("backup").exists());
}

#[test]
fn the_two_sides_of_a_link_of_the_contract_are_not_taken_for_two_links_of_the_app() {
    let mut app = App::sound();
    app.links.remove("context_events-context");
    app.link(
        side("context_events", "one", "context"),
        side("context_contexts", "many", "messages"),
    );
    app.link(side("context_events", "one", "pinnedIn"), side("context_contexts", "many", "events"));
    let place = Place::new();
    app.write(&place.path("backup.zip"));
    let told = place.run(&["run", "backup.zip"]).ends(5);
    let wanted = "`context_contexts.events` is a link to `context_events` in the app; the contract's is \
                  the other side of `context_events.context`";
    assert!(told.error().contains(wanted), "{}", told.stderr);
    // Another name for the other side alone is the same link.
    app.links.remove("context_events-pinnedIn");
    Made::of(&app);
}

#[test]
fn all_values_of_a_has_one_link_are_carried_where_a_row_has_several() {
    let mut app = App::sound();
    app.link(side("context_events", "one", "owner"), side("$users", "many", "owned"));
    app.set("context_events", 0, "owner", json!([id(6, 1), id(6, 2)]));
    app.set("context_events", 1, "owner", json!(id(6, 1)));
    let made = Made::of(&app);
    assert_eq!(made.pairs("thread_items", "owner").0.len(), 3);
    let left = made.meta["left_behind"].as_array().expect("a list").iter();
    let rules: Vec<&Value> = left.filter(|left| left["kind"] == "schema_rule").collect();
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(rules[0]["name"], "owner");
}
