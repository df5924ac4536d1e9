//! Sources with one change: what is refused, what is carried over.

use super::*;

/// A dataset with one change, and what the archive says about it.
fn check_refused(change: impl FnOnce(&mut Value)) -> String {
    let mut data = data::sound();
    change(&mut data);
    let world = World::dataset(&data);
    let error = world.import(KEEP, false).expect_err("a row that no server takes");
    assert!(!world.place().exists());
    let text = told(&error, &world);
    let fault: Vec<&str> = text.lines().filter(|line| line.starts_with("  at ")).collect();
    assert_eq!(error.kind.exit_code(), 5);
    fault.join("\n")
}

#[test]
fn rows_that_no_server_could_restore_are_refused() {
    let set = |row: &'static str, label: &'static str, value: Value| {
        check_refused(move |data| data[row][0][label] = value)
    };
    let long = "é".repeat(507);
    insta::assert_snapshot!(set("context_events", "status", json!(long)), @"  at `thread_items`: an indexed or unique text is longer than 1,012 bytes (`status`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(set("context_contexts", "key", json!(long)), @"
    at `thread_contexts`: an indexed or unique text is longer than 1,012 bytes (`key`): 1 (00000000-0000-4000-8000-000100000001)
    at `thread_threads`: an indexed or unique text is longer than 1,012 bytes (`key`): 1 (6d448ae9-8a6c-5f9f-8256-c4e89a813c8e)
    ");
    insta::assert_snapshot!(set("context_events", "content", json!({ "a": "x\u{0}y" })), @"  at `thread_items`: a text holds a NUL character (`content`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(set("story_steps", "errorText", json!("\u{0}")), @"  at `thread_steps`: a text holds a NUL character (`errorText`): 1 (00000000-0000-4000-8000-000400000001)");
    let text = data::sound().to_string();
    let raw = |value: &str| {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("app.json");
        std::fs::write(&path, text.replace("\"Hello 👋\"", value)).expect("a file");
        let world = World::of(&path);
        let error = world.import(KEEP, false).expect_err("a row that no server takes");
        error.at.join("\n")
    };
    insta::assert_snapshot!(raw(r#""\ud83d""#), @"`thread_items`: a text holds a lone surrogate (`content`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(raw(&("[".repeat(996) + &"]".repeat(996))), @"`thread_items`: the JSON is nested deeper than 1,000 levels (`content`): 1 (00000000-0000-4000-8000-000200000001)");
    insta::assert_snapshot!(raw(&format!("\"{}\"", "x".repeat(20_000_001))), @"`thread_items`: a text is longer than 20,000,000 characters (`content`): 1 (00000000-0000-4000-8000-000200000001)");
}

/// The sample's files, to be changed.
fn sample_files() -> Vec<(String, Vec<u8>)> {
    files(fixture("sample-backup.zip"))
}

fn world_of(files: &[(String, Vec<u8>)]) -> World {
    let files: Vec<_> =
        files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    World::archive(&files)
}

/// The sample after a change of its `config.json`.
fn with_config(change: impl FnOnce(&mut Value)) -> Vec<(String, Vec<u8>)> {
    let mut files = sample_files();
    let mut config = json_of(&files, "config.json");
    change(&mut config);
    files[0].1 = config.to_string().into_bytes();
    files
}

/// The files after a change of the text of one.
fn with_text(
    mut files: Vec<(String, Vec<u8>)>,
    name: &str,
    change: impl FnOnce(String) -> String,
) -> Vec<(String, Vec<u8>)> {
    let at = files.iter().position(|(found, _)| found == name).expect("a file");
    let text = String::from_utf8(std::mem::take(&mut files[at].1)).expect("text");
    files[at].1 = change(text).into_bytes();
    files
}

fn refusal_of(files: &[(String, Vec<u8>)], options: Options) -> String {
    let world = world_of(files);
    let error = world.import(options, false).expect_err("a refusal");
    assert_eq!(error.kind.exit_code(), 5, "{error}");
    std::iter::once(error.message).chain(error.at).collect::<Vec<_>>().join("\n")
}

#[test]
fn schemas_that_contradict_each_other_are_refused() {
    let files = with_config(|config| {
        let schema = &mut config["schema"];
        let items = &mut schema["entities"]["thread_items"]["attrs"];
        items["type"]["valueType"] = json!("number");
        items["status"]["config"]["unique"] = json!(true);
        items["execution"] = json!({ "valueType": "string", "required": false });
        let links = schema["links"].as_object_mut().expect("links");
        links.remove("thread_itemsExecution");
        links["thread_itemsContext"]["forward"]["has"] = json!("many");
        links["whatsapp_messagesEvent"]["forward"]["on"] = json!("emails");
    });
    insta::assert_snapshot!(refusal_of(&files, KEEP), @"
    the app's schema and the contract's model contradict each other
    `thread_items.type` is `number` in the app, `string` in the contract
    `thread_items.status` is `string, unique` in the app, `string` in the contract
    the app's link `thread_itemsContext` is `thread_items.context` (many) to `thread_contexts.items` (many), the contract's is `thread_items.context` (one) to `thread_contexts.items` (many)
    `thread_items.execution` of the contract's link `threadExecutionItems` belongs to an attribute in the app
    ");
    let files = with_config(|config| {
        let links = config["schema"]["links"].as_object_mut().expect("links");
        links.remove("thread_contextsThread");
        links.insert(
            "old".to_owned(),
            json!({
                "forward": { "on": "context_contexts", "has": "one", "label": "thread" },
                "reverse": { "on": "thread_threads", "has": "many", "label": "contexts" },
            }),
        );
    });
    insta::assert_snapshot!(refusal_of(&files, KEEP), @"
    the app's schema and the contract's model contradict each other
    `thread_threads.contexts` of the contract's link `threadContextsThread` belongs to the link `old` in the app
    ");
    // The label is free once the legacy entities go.
    world_of(&files).import(DROP, false).expect("a dry run");
}

#[test]
fn an_index_that_only_the_contract_wants_is_added() {
    let files = with_config(|config| {
        let attr = &mut config["schema"]["entities"]["thread_items"]["attrs"]["type"];
        attr["config"]["indexed"] = json!(false);
        config["schema"]["entities"]["thread_items"]["attrs"]["mood"] =
            json!({ "valueType": "string" });
    });
    let world = world_of(&files);
    world.written(KEEP);
    let config = json_of(&self::files(world.place()), "config.json");
    let attrs = &config["schema"]["entities"]["thread_items"]["attrs"];
    assert_eq!(attrs["type"]["config"]["indexed"], true);
    assert_eq!(attrs["mood"], json!({ "valueType": "string" }));
}

#[test]
fn rows_that_the_apps_schema_does_not_fit_are_refused() {
    let item = "entities/thread_items.jsonl";
    let mood = |text: String| text.replacen("{\"entity\":{", "{\"entity\":{\"mood\":\"low\",", 1);
    let with_mood = with_text(sample_files(), item, mood);
    insta::assert_snapshot!(refusal_of(&with_mood, KEEP), @"
    an InstantDB server could not restore 1 value
    `thread_items`: the app's schema has no such label (`mood`): 1 (72549f45-2625-458f-96c9-d274be4e9fc7)
    ");
    let declared = |attr: Value| {
        let files = with_config(|config| {
            config["schema"]["entities"]["thread_items"]["attrs"]["mood"] = attr;
        });
        with_text(files, item, mood)
    };
    let world = world_of(&declared(json!({ "valueType": "string" })));
    world.written(KEEP);
    let rows = rows(&files(world.place()), "thread_items");
    assert_eq!(rows.values().filter(|row| row["entity"]["mood"] == "low").count(), 1);
    let wrong = declared(json!({ "valueType": "number" }));
    insta::assert_snapshot!(refusal_of(&wrong, KEEP), @"
    an InstantDB server could not restore 1 value
    `thread_items`: the value is not of the attribute's type (`mood`): 1 (72549f45-2625-458f-96c9-d274be4e9fc7)
    ");
    let needed = declared(json!({ "valueType": "string", "required": true }));
    insta::assert_snapshot!(refusal_of(&needed, KEEP), @"
    an InstantDB server could not restore 262 values
    `thread_items`: a required value is missing (`mood`): 262 (33396937-83a0-4ab8-b587-3ad4b2a47367, 0dbe94cc-c0d8-4077-9fa6-7559500c75ac, 01d892dc-8903-4e1b-ae24-9bc14db293a5, 48aa76da-e3be-48e6-92f7-3262fb8729f6, b18fa26c-8640-4c35-9108-b86913f5cd8b and 257 more)
    ");
    let demanded = with_config(|config| {
        config["schema"]["links"]["owner"] = json!({
            "forward": { "on": "thread_items", "has": "one", "label": "owner", "required": true },
            "reverse": { "on": "$users", "has": "many", "label": "owned" },
        });
    });
    insta::assert_snapshot!(refusal_of(&demanded, KEEP), @"
    an InstantDB server could not restore 263 values
    `thread_items`: a required value is missing (`owner`): 263 (33396937-83a0-4ab8-b587-3ad4b2a47367, 0dbe94cc-c0d8-4077-9fa6-7559500c75ac, 01d892dc-8903-4e1b-ae24-9bc14db293a5, 48aa76da-e3be-48e6-92f7-3262fb8729f6, b18fa26c-8640-4c35-9108-b86913f5cd8b and 258 more)
    ");
}

#[test]
fn a_carried_link_says_no_more_of_how_many_than_its_rows_hold() {
    let several = with_config(|config| {
        config["schema"]["links"]["emailsEvents"]["reverse"]["has"] = json!("one");
    });
    let twice = |text: String| {
        let first: Value = serde_json::from_str(text.lines().next().expect("a row")).expect("JSON");
        let id = "0ad5faf4-80c4-4c89-b593-000000000000";
        let row =
            json!({ "entity": { "id": id, "events": first["entity"]["events"] }, "createdAt": 1 });
        format!("{text}{row}\n")
    };
    let count = |mut files: Vec<(String, Vec<u8>)>| {
        let mut config = json_of(&files, "config.json");
        config["counts"]["emails"] = json!(7);
        files[0].1 = config.to_string().into_bytes();
        files
    };
    let has = |files: &[(String, Vec<u8>)], name: &str| {
        let world = world_of(files);
        assert!(world.written(KEEP).is_read_back());
        let link =
            json_of(&super::files(world.place()), "config.json")["schema"]["links"][name].clone();
        let end = |side: &str| link[side]["has"].as_str().expect("how many").to_owned();
        (end("forward"), end("reverse"))
    };
    let ends = |on: &str, to: &str| (on.to_owned(), to.to_owned());
    assert_eq!(has(&several, "thread_items_emails"), ends("one", "many"));
    let several = count(with_text(several, "entities/emails.jsonl", twice));
    assert_eq!(has(&several, "thread_items_emails"), ends("many", "many"));
    let shared = with_config(|config| {
        config["schema"]["links"]["context_eventsAuthor"]["reverse"]["has"] = json!("one");
    });
    assert_eq!(has(&shared, "thread_items_author"), ends("one", "many"));
}

#[test]
fn links_to_ids_that_no_server_takes_are_refused() {
    let user = "991ae5d5-03ea-4f06-a985-44a863c1d48e";
    let no_id =
        |text: String| text.replacen(&format!("\"author\":\"{user}\""), "\"author\":\"nobody\"", 1);
    let nobody = with_text(sample_files(), "entities/context_events.jsonl", no_id);
    insta::assert_snapshot!(refusal_of(&nobody, KEEP), @"
    an InstantDB server could not restore 1 value
    `thread_items.author`: a link leads to an id that is no UUID: 1 (06136caf-d2bf-4516-b7eb-65e2248bdee0)
    ");
}

#[test]
fn files_and_unknown_entries_are_carried_over_in_order() {
    let mut old = sample_files();
    old.insert(1, ("notes.txt".to_owned(), b"kept".to_vec()));
    old.push(("files/b".to_owned(), vec![0; 100_000]));
    old.push(("files/a".to_owned(), (0..=255).collect()));
    let world = world_of(&old);
    world.written(KEEP);
    let new = files(world.place());
    let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[names.len() - 3..], ["files/b", "files/a", "notes.txt"]);
    for name in ["files/b", "files/a", "notes.txt", "entities/emails.jsonl"] {
        assert_eq!(file(&new, name), file(&old, name), "{name}");
    }
}

#[test]
fn a_damaged_source_is_found_before_anything_is_written() {
    let mut old = sample_files();
    old.push(("files/a".to_owned(), b"a rather plain text".to_vec()));
    let world = world_of(&old);
    // The hash would tell: so it is the check of the content that is tried here.
    let source = world.source.clone().expect("a source");
    let mut bytes = std::fs::read(&source).expect("a file");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&source, bytes).expect("a file");
    let error = world.import(KEEP, false).expect_err("another file");
    assert!(error.message.contains("not the archive that the snapshot was taken from"), "{error}");
}

#[test]
fn an_unzipped_archive_is_a_source_too() {
    let folder = TempDir::new().expect("a folder");
    for (name, content) in sample_files() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    let (unzipped, zipped) = (World::of(folder.path()), World::sample());
    for options in [KEEP, DROP] {
        unzipped.written(options);
        zipped.written(options);
        assert_eq!(files(unzipped.place()), files(zipped.place()));
        unzipped.rollback(true).expect("a rollback");
        zipped.rollback(true).expect("a rollback");
    }
}

#[test]
fn links_that_another_entity_holds_itself_stay_there() {
    let mut files = with_config(|config| {
        let links = config["schema"]["links"].as_object_mut().expect("links");
        links.insert(
            "emailsItem".to_owned(),
            json!({
                "forward": { "on": "emails", "has": "one", "label": "item" },
                "reverse": { "on": "thread_items", "has": "many", "label": "mails" },
            }),
        );
    });
    let item = "72549f45-2625-458f-96c9-d274be4e9fc7";
    let gone = "72549f45-2625-458f-96c9-000000000000";
    let mut left = vec![gone, item];
    files = with_text(files, "entities/emails.jsonl", |text| {
        let with = |line: &str| match left.pop() {
            Some(id) => {
                line.replacen("\"events\"", &format!("\"item\":\"{id}\",\"events\""), 1) + "\n"
            }
            None => format!("{line}\n"),
        };
        text.lines().map(with).collect()
    });
    for options in [KEEP, DROP] {
        let world = world_of(&files);
        assert!(world.written(options).is_read_back());
        let new = self::files(world.place());
        let there = String::from_utf8_lossy(file(&new, "entities/emails.jsonl")).into_owned();
        assert!(there.contains(item) && there.contains(gone));
        assert!(rows(&new, "thread_items")[item]["entity"].get("mails").is_none());
    }
}

#[test]
#[ignore = "takes a minute in a debug build"]
fn an_archive_of_more_files_than_a_plain_zip_counts() {
    let mut old = sample_files();
    old.extend((0..66_000).map(|number| (format!("files/{number:05}"), Vec::new())));
    let world = world_of(&old);
    world.written(KEEP);
    let zip = std::fs::File::open(world.place()).expect("a file");
    assert_eq!(ZipArchive::new(zip).expect("a zip").len(), old.len());
    let python = Command::new("python3")
        .args(["-c", "import sys,zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))"])
        .arg(world.place())
        .output();
    if let Ok(output) = python {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "66015\n");
    }
}
