//! The schema plan: the steps from the app's schema to the contract's target, and what the data says.

use serde_json::{Value, json};

use crate::support::{Output, Place, fixture};

/// An app as a backup folder: its rows, and a schema that is the target already.
struct App {
    place: Place,
    schema: Value,
    rows: Value,
}

impl App {
    fn new() -> Self {
        let place = Place::new();
        let rows = crate::data::sound();
        place.write("app.json", rows.to_string());
        place.run(&["export", "app.json"]).ends(0);
        place.run(&["plan", "snapshots/app", "--write-schema", "target.json"]).ends(0);
        let schema = std::fs::read_to_string(place.path("target.json")).expect("a schema");
        Self { schema: serde_json::from_str(&schema).expect("JSON"), place, rows }
    }

    fn attr(&mut self, entity: &str, attr: &str) -> &mut Value {
        &mut self.schema["entities"][entity]["attrs"][attr]
    }

    fn lose(&mut self, entity: &str, attr: &str) {
        self.schema["entities"][entity]["attrs"].as_object_mut().expect("attrs").remove(attr);
    }

    fn rows(&mut self, entity: &str, rows: &[Value]) {
        self.rows[entity] = rows.into();
    }

    /// Writes the backup under a name and takes its snapshot.
    fn export(&self, name: &str) -> String {
        let mut counts = serde_json::Map::new();
        for (entity, rows) in self.rows.as_object().expect("tables") {
            let rows = rows.as_array().expect("rows");
            let lines: String = rows
                .iter()
                .map(|row| format!("{}\n", json!({ "entity": row, "createdAt": 1 })))
                .collect();
            self.place.write(&format!("{name}/entities/{entity}.jsonl"), lines);
            counts.insert(entity.clone(), rows.len().into());
        }
        let config = json!({ "schema": self.schema, "counts": counts, "appId": "an-app" });
        self.place.write(&format!("{name}/config.json"), config.to_string());
        self.place.run(&["export", name]).ends(0);
        format!("snapshots/{name}")
    }

    fn plan(&self, args: &[&str]) -> Output {
        let snapshot = self.export("backup");
        self.place.run(&[&["plan", &snapshot], args].concat())
    }
}

/// The steps in short: `kind what class`, and `-- fails samples` where one would fail.
fn short(plan: &Value) -> String {
    let steps = plan["plan"]["steps"].as_array().expect("steps");
    let line = |step: &Value| {
        let text = |key: &str| step[key].as_str().expect("a text").to_owned();
        let mut said = format!("{} {} {}", text("kind"), text("what"), text("class"));
        if step["fails"] != 0 {
            said += &format!(" -- {} {}", step["fails"], step["samples"]);
        }
        said
    };
    steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn check(change: impl FnOnce(&mut App), expected: &str) {
    let mut app = App::new();
    change(&mut app);
    let found = app.plan(&["--json", "--write-schema", "pushed.json"]).ends(0).json();
    assert_eq!(short(&found), expected);
    // The steps as a server would give them lead where the contract wants to be.
    let steps = found["plan"]["steps"].as_array().expect("steps").iter();
    let tuples: Vec<Value> = steps.map(|step| json!([step["kind"], step["params"]])).collect();
    app.place.write("plan.json", json!({ "steps": tuples }).to_string());
    app.place.run(&["plan", "snapshots/backup", "--schema-plan", "plan.json"]).ends(0);
    settled(&app);
}

/// Once the schema that was written is pushed, nothing is left to do.
fn settled(app: &App) {
    let pushed = std::fs::read_to_string(app.place.path("pushed.json")).expect("a schema");
    let schema = serde_json::from_str(&pushed).expect("JSON");
    let after = App { schema, rows: app.rows.clone(), place: Place::new() };
    let found = after.plan(&["--json", "--write-schema", "again.json"]).ends(0).json();
    assert_eq!(short(&found), "", "after the push");
    let again = std::fs::read_to_string(after.place.path("again.json")).expect("a schema");
    assert_eq!(pushed, again, "the schema reads back as it is");
}

#[test]
fn the_sample_needs_the_links_that_follow_its_rows() {
    let place = Place::new();
    place.run(&["export", &fixture("sample-backup.zip")]).ends(0);
    let said = place.run(&["plan", "snapshots/sample-backup"]).ends(0).stdout;
    insta::assert_snapshot!(said, @r#"
    from the app's schema to what the contract wants: 3 steps
      step      class  what                           needed by
      add-attr  safe   thread_items.author            thread_items
      add-attr  safe   thread_items.emails            thread_items
      add-attr  safe   thread_items.whatsappMessages  thread_items

      Link thread_items.author to $users.events_thread_items.
        130 links of the app follow the rows
      Link thread_items.emails to emails.events_thread_items.
        18 links of the app follow the rows
      Link thread_items.whatsappMessages to whatsapp_messages.event_thread_items.
        12 links of the app follow the rows

    permission rules of the target
      the target's entities have permission rules from where their rows come: 0, of their own in the app: 0, by the contract: 0, none of their own: 6
    "#);
}

#[test]
fn nothing_is_to_do_where_the_target_is_there() {
    check(|_| (), "");
}

#[test]
fn each_difference_is_one_step() {
    let set = |entity: &'static str, attr: &'static str, at: &'static str, value: Value| {
        move |app: &mut App| {
            *app.attr(entity, attr).pointer_mut(at).expect("a member") = value;
        }
    };
    check(|app| app.lose("thread_items", "status"), "add-attr thread_items.status safe");
    check(|app| app.lose("thread_items", "createdAt"), "add-attr thread_items.createdAt warning");
    check(
        set("thread_items", "status", "/config/indexed", false.into()),
        "index thread_items.status warning",
    );
    // Of the app nothing is taken away: its queries may sort by it.
    check(set("thread_threads", "name", "/config/indexed", true.into()), "");
    check(
        set("thread_threads", "key", "/config/unique", false.into()),
        "unique thread_threads.key warning",
    );
    check(
        set("thread_threads", "name", "/config/unique", true.into()),
        "remove-unique thread_threads.name critical",
    );
    check(
        set("thread_items", "createdAt", "/required", false.into()),
        "required thread_items.createdAt warning",
    );
    check(
        set("thread_items", "type", "/required", true.into()),
        "remove-required thread_items.type warning",
    );
    check(
        set("thread_steps", "iteration", "/valueType", "json".into()),
        "check-data-type thread_steps.iteration warning",
    );
    check(
        set("thread_items", "content", "/valueType", "string".into()),
        "remove-data-type thread_items.content critical",
    );
    let another = |required: bool| json!({ "valueType": "string", "required": required, "config": { "indexed": false, "unique": false } });
    check(
        move |app| *app.attr("thread_items", "own") = another(true),
        "remove-required thread_items.own warning",
    );
    check(move |app| *app.attr("thread_items", "own") = another(false), "");
}

#[test]
fn each_difference_of_a_link_is_one_step() {
    let link = |name: &'static str, side: &'static str, key: &'static str, value: Value| {
        move |app: &mut App| app.schema["links"][name][side][key] = value
    };
    check(
        link("threadItemsContext", "forward", "has", "many".into()),
        "update-attr thread_items.context critical",
    );
    check(
        link("threadItemsContext", "reverse", "has", "one".into()),
        "update-attr thread_items.context critical",
    );
    check(
        link("threadItemsContext", "forward", "required", true.into()),
        "remove-required thread_items.context warning",
    );
    // Every row has one by the contract, so the app may go on demanding it.
    check(link("threadStepsExecution", "forward", "required", true.into()), "");
    check(link("threadStepsExecution", "forward", "onDelete", "cascade".into()), "");
    check(
        |app| drop(app.schema["links"].as_object_mut().expect("links").remove("threadPartsStep")),
        "add-attr thread_parts.step safe",
    );
}

#[test]
fn a_new_entity_comes_first() {
    let change = |app: &mut App| {
        app.schema["entities"].as_object_mut().expect("entities").remove("thread_parts");
        app.schema["links"].as_object_mut().expect("links").remove("threadPartsStep");
        app.lose("thread_items", "status");
    };
    check(
        change,
        "add-attr thread_parts.id safe
add-attr thread_items.status safe
add-attr thread_parts.key safe
add-attr thread_parts.stepId safe
add-attr thread_parts.idx safe
add-attr thread_parts.type safe
add-attr thread_parts.part safe
add-attr thread_parts.updatedAt safe
add-attr thread_parts.step safe",
    );
}

#[test]
fn a_step_has_the_form_that_the_server_reads() {
    let mut app = App::new();
    app.lose("thread_items", "status");
    app.attr("thread_steps", "iteration")["valueType"] = "json".into();
    app.schema["links"].as_object_mut().expect("links").remove("threadPartsStep");
    let found = app.plan(&["--json"]).ends(0).json();
    let tuples = found["plan"]["steps"].as_array().expect("steps").iter();
    let tuples: Vec<Value> = tuples.map(|step| json!([step["kind"], step["params"]])).collect();
    let lines: Vec<String> = tuples.iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    ["add-attr",{"cardinality":"one","checked-data-type":"string","forward-identity":["e6e680f1-5109-5709-ab5b-2003149e2d74","thread_items","status"],"id":"cb507e4e-41e6-572e-aebd-f69ee9bdebbd","index?":true,"required?":false,"unique?":false,"value-type":"blob"}]
    ["check-data-type",{"attr-id":null,"checked-data-type":"number","forward-identity":[null,"thread_steps","iteration"]}]
    ["add-attr",{"cardinality":"one","forward-identity":["e154da89-a5e4-5503-8fde-abb63f510a34","thread_parts","step"],"id":"1ea5d0bd-a217-521c-b349-db53b89b9136","index?":false,"on-delete":null,"on-delete-reverse":null,"required?":false,"reverse-identity":["a3bb140c-1643-5ef9-b746-7ec49aa79a2e","thread_steps","parts"],"unique?":false,"value-type":"ref"}]
    "#);
}

fn item(id: u32, more: &Value) -> Value {
    let mut row = json!({
        "id": format!("00000000-0000-4000-8000-9000{id:08}"), "channel": "web",
        "createdAt": "2026-01-01T00:00:00Z", "type": "input_text",
    });
    row.as_object_mut().expect("a row").extend(more.as_object().expect("members").clone());
    row
}

/// What the plan says of the one step about `what`, and that it ends with 1.
fn fails(app: &App, what: &str) -> String {
    let found = app.plan(&["--json"]).ends(1).json();
    let steps = found["plan"]["steps"].as_array().expect("steps");
    let step = steps.iter().find(|step| step["what"] == what).expect("the step");
    let text = |key: &str| step[key].as_str().expect("a text");
    format!("{} {}: {} {}", text("kind"), step["fails"], text("data"), step["samples"])
}

#[test]
fn rows_that_share_a_value_are_named_before_unique() {
    let mut app = App::new();
    app.attr("thread_threads", "key")["config"]["unique"] = false.into();
    let thread = |id: u32, key: Value| json!({ "id": format!("00000000-0000-4000-8000-8000{id:08}"), "createdAt": 1, "key": key });
    let rows = [
        thread(5, "b".into()),
        thread(1, "a".into()),
        thread(2, "a".into()),
        thread(3, Value::Null),
        thread(4, Value::Null),
        thread(6, "b".into()),
        thread(7, "c".into()),
    ];
    app.rows("thread_threads", &rows);
    insta::assert_snapshot!(fails(&app, "thread_threads.key"), @r#"unique 4: of 7 rows there, 4 rows share a value: `00000000-0000-4000-8000-800000000001` and `00000000-0000-4000-8000-800000000002`; `00000000-0000-4000-8000-800000000005` and `00000000-0000-4000-8000-800000000006`; 1 row of `context_contexts` to come, checked before any import ["00000000-0000-4000-8000-800000000001","00000000-0000-4000-8000-800000000002","00000000-0000-4000-8000-800000000005","00000000-0000-4000-8000-800000000006"]"#);
}

#[test]
fn rows_that_lack_a_value_are_named_before_required() {
    let mut app = App::new();
    app.attr("thread_items", "createdAt")["required"] = false.into();
    let rows = [
        item(1, &json!({})),
        item(2, &json!({ "createdAt": null })),
        item(3, &json!({ "createdAt": "never" })),
    ];
    app.rows("thread_items", &rows);
    // A value of another type is one.
    insta::assert_snapshot!(fails(&app, "thread_items.createdAt"), @r#"required 1: of 3 rows there, 1 row lacks it; 2 rows of `context_events` to come, checked before any import ["00000000-0000-4000-8000-900000000002"]"#);
    app.lose("thread_items", "createdAt");
    app.rows("thread_items", &[json!({ "id": item(1, &json!({}))["id"], "channel": "web" })]);
    let app = App { place: Place::new(), ..app };
    insta::assert_snapshot!(fails(&app, "thread_items.createdAt"), @r#"add-attr 1: of the one row there, 1 row lacks it; 2 rows of `context_events` to come, checked before any import ["00000000-0000-4000-8000-900000000001"]"#);
}

#[test]
fn values_of_another_type_are_named_before_it_is_checked() {
    let mut app = App::new();
    app.attr("thread_items", "createdAt")["valueType"] = "json".into();
    app.rows("thread_items", &[item(1, &json!({})), item(2, &json!({ "createdAt": "never" }))]);
    insta::assert_snapshot!(fails(&app, "thread_items.createdAt"), @r#"check-data-type 1: of 2 rows there, 1 row holds something else; 2 rows of `context_events` to come, checked before any import ["00000000-0000-4000-8000-900000000002"]"#);
}

#[test]
fn values_too_long_for_an_index_are_named() {
    let mut app = App::new();
    app.attr("thread_items", "status")["config"]["indexed"] = false.into();
    let rows = [
        item(1, &json!({ "status": "é".repeat(506) })),
        item(2, &json!({ "status": "é".repeat(507) })),
    ];
    app.rows("thread_items", &rows);
    insta::assert_snapshot!(fails(&app, "thread_items.status"), @r#"index 1: of 2 rows there, 1 row holds more than 1,012 bytes; 2 rows of `context_events` to come, checked before any import ["00000000-0000-4000-8000-900000000002"]"#);
}

#[test]
fn links_that_would_not_stay_one_are_named() {
    let mut app = App::new();
    app.schema["links"]["threadContextsCurrentExecution"]["reverse"]["has"] = "many".into();
    app.schema["links"]["threadItemsContext"]["forward"]["has"] = "many".into();
    let id = |kind: u32, at: u32| format!("00000000-0000-4000-8000-{kind:04}{at:08}");
    let context =
        |at: u32| json!({ "id": id(7000, at), "createdAt": 1, "currentExecution": id(7001, 1) });
    app.rows("thread_contexts", &[context(1), context(2)]);
    app.rows("thread_items", &[item(1, &json!({ "context": [id(7000, 1), id(7000, 2)] }))]);
    let found = app.plan(&["--json"]).ends(1).json();
    insta::assert_snapshot!(short(&found), @r#"
    update-attr thread_contexts.currentExecution critical -- 2 ["00000000-0000-4000-8000-700000000001","00000000-0000-4000-8000-700000000002"]
    update-attr thread_items.context critical -- 1 ["00000000-0000-4000-8000-900000000001"]
    "#);
}

#[test]
fn what_is_said_does_not_depend_on_the_order_of_rows() {
    let mut app = App::new();
    app.attr("thread_items", "status")["config"]["unique"] = false.into();
    app.lose("thread_items", "createdAt");
    let mut rows: Vec<Value> = (0..40)
        .map(|at| item(at, &json!({ "status": "é".repeat(600), "createdAt": null })))
        .collect();
    app.rows("thread_items", &rows);
    let first = app.plan(&["--json"]).ends(1).stdout;
    rows.reverse();
    app.rows("thread_items", &rows);
    let app = App { place: Place::new(), ..app };
    assert_eq!(first, app.plan(&["--json"]).ends(1).stdout);
}

#[test]
fn a_legacy_link_that_owns_a_label_makes_room_first() {
    let mut app = App::new();
    app.schema["entities"]["context_contexts"] = json!({ "attrs": {} });
    let links = app.schema["links"].as_object_mut().expect("links");
    links.remove("threadContextsThread");
    links.insert(
        "contextThread".to_owned(),
        json!({ "forward": { "on": "context_contexts", "has": "one", "label": "thread" },
                "reverse": { "on": "thread_threads", "has": "many", "label": "contexts" } }),
    );
    let out = app.plan(&["--write-schema", "pushed.json"]).ends(1);
    insta::assert_snapshot!(out.stdout.replace("pushed.json", "[file]"), @r#"
    from the app's schema to what the contract wants: 2 steps

    push 1 of 2
      step         class     what                     needed by
      update-attr  critical  thread_threads.contexts  thread_contexts

      Update attribute thread_threads.contexts.
        `thread_threads.contexts` makes room: it becomes `contexts_context_contexts`

    push 2 of 2
      step      class  what                    needed by
      add-attr  safe   thread_contexts.thread  thread_contexts

      Link thread_contexts.thread to thread_threads.contexts.
        no row is there yet; 1 row of `context_contexts` to come, checked before any import

    finding: `thread_threads.contexts`, which the target's link `threadContextsThread` wants, belongs to the link `contextThread` (`context_contexts.thread` to `thread_threads.contexts`) in the app: InstantDB refuses a second thing under one label
      help: push twice: first rename `thread_threads.contexts` to `thread_threads.contexts_context_contexts` and let the running app read it there, then push the rest; or bring its data over and delete it before

    permission rules of the target
      the app's permission rules are not known: a backup says them since 2026-08-12, else the app itself or its database; an archive closes what the contract does not open (`$default` is `false`)
      schema       [file]
    "#);
    insta::assert_snapshot!(out.error(), @r#"
    error: the schema plan: 1 thing does not fit together
      --> thread_threads.contexts
    help: bring the rows or the schema in line before any push; the plan says how
    "#);
    settled(&app);
}

#[test]
fn an_attribute_under_a_label_of_the_target_makes_room_first() {
    let mut app = App::new();
    app.schema["links"].as_object_mut().expect("links").remove("threadItemsThread");
    *app.attr("thread_items", "thread") = json!({ "valueType": "string", "required": false, "config": { "indexed": true, "unique": false } });
    let found = app.plan(&["--json", "--write-schema", "pushed.json"]).ends(1).json();
    insta::assert_snapshot!(short(&found), @r#"
    update-attr thread_items.thread critical
    add-attr thread_items.thread safe
    "#);
    insta::assert_snapshot!(found["plan"]["findings"][0]["said"].as_str().expect("a text"), @"`thread_items.thread`, which the target's link `threadItemsThread` wants, belongs to an attribute in the app: InstantDB refuses a second thing under one label");
    settled(&app);
}

#[test]
fn a_link_that_stands_the_other_way_round_is_a_finding() {
    let mut app = App::new();
    let link = &mut app.schema["links"]["threadItemsThread"];
    *link = json!({ "forward": link["reverse"], "reverse": link["forward"] });
    let found = app.plan(&["--json"]).ends(1).json();
    assert_eq!(short(&found), "");
    insta::assert_snapshot!(found["plan"]["findings"][0]["said"].as_str().expect("a text"), @"the app declares the target's link `threadItemsThread` from its other side, `thread_threads.items`: InstantDB cannot turn a link around");
}

#[test]
fn a_plan_of_a_server_is_matched_both_ways() {
    let mut app = App::new();
    app.lose("thread_items", "status");
    app.attr("thread_threads", "key")["config"]["unique"] = false.into();
    let own = app.plan(&["--json"]).ends(0).json();
    let tuple = |step: &Value| json!([step["kind"], step["params"]]);
    let steps = own["plan"]["steps"].as_array().expect("steps");
    let whole: Vec<Value> = steps.iter().map(tuple).collect();
    let given = |steps: &[Value]| {
        let plan = json!({ "steps": steps, "current-attrs": [
            { "id": "x-1", "forward-identity": ["i", "emails", "subject"], "value-type": "blob" },
        ]});
        app.place.write("plan.json", plan.to_string());
        app.place.run(&["plan", "snapshots/backup", "--schema-plan", "plan.json", "--json"])
    };
    let found = given(&whole).ends(0).json();
    assert_eq!((&found["plan"]["given"], short(&found)), (&json!(true), short(&own)));

    let short_of_one = given(&whole[..1]).ends(1).json();
    insta::assert_snapshot!(short_of_one["plan"]["findings"][0]["said"].as_str().unwrap(), @"after the push `thread_threads.key` is not as the contract wants it: it is not unique, and the transform into `thread_threads` needs it");
    let nothing = given(&[]).ends(1).json();
    insta::assert_snapshot!(nothing["plan"]["findings"][0]["said"].as_str().unwrap(), @"no step and no schema provides `thread_items.status`, and the transform into `thread_items` needs it");

    let on = |entity: &str, label: &str| json!({ "attr-id": "x", "forward-identity": ["i", entity, label] });
    let more = [
        json!(["delete-attr", "x-1"]),
        json!(["index", on("emails", "subject")]),
        json!(["remove-index", on("thread_items", "channel")]),
    ];
    let too_much = given(&[&whole[..], &more].concat()).ends(1).json();
    let said: Vec<&str> = too_much["plan"]["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["said"].as_str().expect("a text"))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    the step `delete-attr` of `emails.subject` is needed by no transform
    the step `index` of `emails.subject` is needed by no transform
    after the push `thread_items.channel` is not as the contract wants it: it is not indexed, and the transform into `thread_items` needs it
    "#);
}

#[test]
fn the_platform_sdk_and_the_cli_are_understood_too() {
    let mut app = App::new();
    app.lose("thread_items", "status");
    app.attr("thread_threads", "key")["config"]["unique"] = false.into();
    app.export("backup");
    let given = |steps: Value| {
        app.place.write("plan.json", json!({ "steps": steps }).to_string());
        app.place.run(&["plan", "snapshots/backup", "--schema-plan", "plan.json", "--json"])
    };
    let status = ["a", "thread_items", "status"];
    let attr = |index: bool| {
        json!({ "id": "a", "value-type": "blob", "cardinality": "one", "forward-identity": status,
                "unique?": false, "index?": index, "required?": false, "checked-data-type": "string" })
    };
    let key = json!(["b", "thread_threads", "key"]);
    given(json!([
        { "type": "add-attr", "friendlyDescription": "…", "attr": attr(true) },
        { "type": "unique", "friendlyDescription": "…", "attrId": "b", "forwardIdentity": key },
    ]))
    .ends(0);
    given(json!([
        ["add-attr", attr(false)],
        ["index", { "attr-id": "a", "forward-identity": status }],
        ["unique", { "attr-id": "b", "forward-identity": key }],
    ]))
    .ends(0);
}

#[test]
fn attributes_that_the_server_tells_stand_for_a_schema() {
    let place = Place::new();
    place.write("app.json", crate::data::sound().to_string());
    place.run(&["export", "app.json"]).ends(0);
    let own = place.run(&["plan", "snapshots/app", "--json"]).ends(0).json();
    let attrs: Vec<&Value> = own["plan"]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| &step["params"])
        .collect();
    let given = |attrs: &[&Value]| {
        let plan = json!({ "steps": [], "current-attrs": attrs });
        place.write("plan.json", plan.to_string());
        place.run(&["plan", "snapshots/app", "--schema-plan", "plan.json", "--json"])
    };
    given(&attrs).ends(0);
    let lacks = given(&attrs[..attrs.len() - 1]).ends(1).json();
    assert_eq!(lacks["plan"]["findings"].as_array().map(Vec::len), Some(1));
    assert_eq!(lacks["plan"]["findings"][0]["what"], "thread_parts.step");
}

#[test]
fn a_plan_that_is_none_is_refused() {
    let app = App::new();
    for text in [
        "",
        "[]",
        "{}",
        r#"{"steps":[1]}"#,
        r#"{"steps":[["drop-all",{}]]}"#,
        r#"{"steps":[["index",{}]]}"#,
    ] {
        app.place.write("plan.json", text);
        let out = app.place.run(&["plan", "snapshots/app", "--schema-plan", "plan.json"]).ends(2);
        assert!(out.stderr.contains("plan.json"), "{}", out.stderr);
    }
}

#[test]
fn names_of_the_app_are_inert() {
    let hostile = "\u{1b}[31m\u{202e}\"}), evil(\n`</script>";
    let mut app = App::new();
    app.schema["entities"][hostile] = json!({ "attrs": { hostile: { "valueType": "string" } } });
    *app.attr("thread_items", hostile) = json!({ "valueType": "number", "required": true });
    app.schema["links"][hostile] = json!({
        "forward": { "on": hostile, "has": "many", "label": hostile },
        "reverse": { "on": "thread_items", "has": "one", "label": "thread" } });
    app.schema["links"].as_object_mut().expect("links").remove("threadItemsThread");
    let out =
        app.plan(&["--write-schema", "pushed.json", "--write-schema", "instant.schema.ts"]).ends(1);
    for text in [&out.stdout, &out.stderr] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    assert_eq!(out.stdout.matches("evil(").count(), out.stdout.matches("evil(\\n").count());
    let code = std::fs::read_to_string(app.place.path("instant.schema.ts")).expect("a file");
    let name = r#"\u001b[31m\u202e\"}), evil(\u000a`</script>"#;
    assert_eq!(code.matches("evil").count(), code.matches(name).count());
    assert!(code.is_ascii());
    settled(&app);
}

#[test]
fn the_target_is_written_as_typescript() {
    let mut app = App::new();
    app.schema["links"]["threadPartsStep"]["forward"]["onDelete"] = "cascade".into();
    app.schema["links"]["threadPartsStep"]["forward"]["required"] = true.into();
    app.plan(&["--write-schema", "instant.schema.ts"]).ends(0);
    let code = std::fs::read_to_string(app.place.path("instant.schema.ts")).expect("a file");
    let lines: Vec<&str> = code.lines().collect();
    let part = |from: &str, lines_of_it: usize| {
        let at = lines.iter().position(|line| line.contains(from)).expect("the line");
        lines[at..at + lines_of_it].join("\n")
    };
    let shown =
        [part("import {", 4), part("\"thread_parts\": i", 8), part("\"threadPartsStep\"", 4)];
    insta::assert_snapshot!(shown.join("\n…\n"), @r#"
    import { i } from "@instantdb/core";

    const _schema = i.schema({
      entities: {
    …
        "thread_parts": i.entity({
          "idx": i.number().indexed(),
          "key": i.string().unique().indexed(),
          "part": i.json().optional(),
          "stepId": i.string().indexed(),
          "type": i.string().indexed().optional(),
          "updatedAt": i.date().optional(),
        }),
    …
        "threadPartsStep": {
          forward: { on: "thread_parts", has: "one", label: "step", required: true, onDelete: "cascade" },
          reverse: { on: "thread_steps", has: "many", label: "parts" },
        },
    "#);
}

#[test]
fn files_are_new_and_their_names_say_their_form() {
    let app = App::new();
    let write = |file: &str| app.place.run(&["plan", "snapshots/app", "--write-schema", file]);
    write("schema.txt").ends(2);
    write("schema").ends(2);
    write("target.json").ends(2);
    write("new.ts").ends(0);
}

#[test]
fn a_source_without_a_schema_starts_from_none() {
    let place = Place::new();
    place.write("app.json", crate::data::sound().to_string());
    place.run(&["export", "app.json"]).ends(0);
    let said = place.run(&["plan", "snapshots/app"]).ends(0).stdout;
    assert_eq!(
        said.lines().next(),
        Some("the source has no schema of the app, so the plan starts from none: 54 steps")
    );
    let found = place.run(&["plan", "snapshots/app", "--json"]).ends(0).json();
    let steps = found["plan"]["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|step| step["kind"] == "add-attr" && step["class"] == "safe"));
}

#[test]
fn a_bundle_keeps_the_plan() {
    let mut app = App::new();
    app.attr("thread_threads", "key")["config"]["unique"] = false.into();
    let plan = app.plan(&["--json"]).ends(0).json();
    let made = app.place.run(&["transform", "snapshots/backup", "--json"]).ends(0).json();
    let file = app.place.path(made["bundle"].as_str().expect("a folder")).join("data/plan.json");
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
    assert_eq!(kept, plan["plan"]);
}
