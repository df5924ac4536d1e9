use serde_json::{Value, json};

use super::*;
use crate::contract::{BUILT_IN, Overrides, load};
use crate::schema::{Has, Link, LinkRules};

fn contract(rules: &[(&str, &str)]) -> Contract {
    let set =
        rules.iter().map(|(entity, rules)| (format!("after.rules.{entity}"), (*rules).to_owned()));
    let overrides = Overrides { set: set.collect(), ..Overrides::default() };
    load(BUILT_IN, "story-to-thread.toml", &overrides).unwrap()
}

fn link(on: &str, label: &str, to: &str, reverse: &str) -> Link {
    Link {
        name: format!("{on}{label}"),
        on: on.to_owned(),
        label: label.to_owned(),
        has: Has::One,
        to: to.to_owned(),
        reverse: Some(reverse.to_owned()),
        reverse_has: Has::Many,
        rules: LinkRules::default(),
        also: Vec::new(),
    }
}

/// The legacy model with an owner of events, a team of contexts and its members.
fn app() -> Schema {
    let mut schema = contract(&[]).before.schema;
    let events = schema.entities.iter_mut().find(|it| it.name == "context_events").unwrap();
    let mut owner = events.attr("channel").unwrap().clone();
    owner.name = "ownerId".to_owned();
    events.attrs.push(owner);
    schema.links.push(link("context_events", "owner", "$users", "events"));
    schema.links.push(link("teams", "contexts", "context_contexts", "team"));
    schema.links.push(link("$users", "team", "teams", "members"));
    schema
}

/// The first two follow the rows, one of them declared from the other side.
fn moved() -> Vec<MovedLink> {
    let app = app().links;
    let of = |on: &str| {
        app.iter()
            .find(|link| link.ahead() == (on, if on == "teams" { "contexts" } else { "owner" }))
            .unwrap()
            .clone()
    };
    vec![
        MovedLink {
            of: of("context_events"),
            link: link("thread_items", "owner", "$users", "events_thread_items"),
            is_turned: false,
        },
        MovedLink {
            of: of("teams"),
            link: link("thread_contexts", "team", "teams", "contexts_thread_contexts"),
            is_turned: true,
        },
    ]
}

fn permissions(rules: &Value, contract: &Contract, legacy_goes: bool) -> Permissions {
    let rules = Rules::parse(&rules.to_string()).unwrap();
    let (schema, moved) = (app(), moved());
    let given = Given {
        contract,
        rules: &rules,
        schema: &schema,
        moved: &moved,
        renamed: &[],
        legacy_goes,
    };
    Permissions::new(&given)
}

/// What becomes of one expression that guards the view of an entity: as rewritten, or why not.
fn view(source: &str, target: &str, code: &str) -> String {
    let found =
        permissions(&json!({ source: { "allow": { "view": code } } }), &contract(&[]), false);
    let it = found.entities.iter().find(|it| it.entity == target).unwrap();
    if it.left.is_empty() {
        return found.rules.effective(target, "view").unwrap_or_else(|| "everybody".to_owned());
    }
    assert_eq!(
        found.rules.effective(target, "view").as_deref(),
        Some("false"),
        "closed until it is said"
    );
    assert!(it.lines.contains(r#""view":"false""#), "{}", it.lines);
    it.left.join("; ").replace(&format!(", {code}"), "")
}

/// Source, target, its expression for `view`, and what becomes of it.
const CASES: &[[&str; 4]] = &[
    [
        "context_events",
        "thread_items",
        "auth.id in data.ref('owner.id')",
        "auth.id in data.ref('owner.id')",
    ],
    // Links of the contract, over two and three hops, to an entity of the app and into the target itself.
    [
        "context_events",
        "thread_items",
        "auth.id in data.ref('context.team.members.id')",
        "auth.id in data.ref('context.team.members.id')",
    ],
    [
        "story_steps",
        "thread_steps",
        "auth.id in data.ref('execution.trigger.owner.id')",
        "auth.id in data.ref('execution.trigger.owner.id')",
    ],
    [
        "context_contexts",
        "thread_contexts",
        "'x' in data.ref('thread.key')",
        "'x' in data.ref('thread.key')",
    ],
    // Reverse sides have other names there.
    [
        "context_contexts",
        "thread_contexts",
        "auth.id in data.ref('events.owner.id')",
        "auth.id in data.ref('items.owner.id')",
    ],
    [
        "story_executions",
        "thread_executions",
        "auth.id in data.ref('events.owner.id')",
        "auth.id in data.ref('items.owner.id')",
    ],
    [
        "context_events",
        "thread_items",
        "size(data.ref('executionsAsTrigger.id')) == 1",
        "size(data.ref('executionsAsTrigger.id')) == 1",
    ],
    // The way of the user leads to new rows too.
    [
        "context_events",
        "thread_items",
        "data.id in auth.ref('$user.events.id')",
        "data.id in auth.ref('$user.events_thread_items.id')",
    ],
    [
        "context_contexts",
        "thread_contexts",
        "data.id in auth.ref('$user.team.contexts.id')",
        "data.id in auth.ref('$user.team.contexts_thread_contexts.id')",
    ],
    // Attributes that are taken as they are.
    [
        "context_events",
        "thread_items",
        "data.content != null && newData['content'] != null",
        "data.content != null && newData['content'] != null",
    ],
    ["story_steps", "thread_steps", "data.continueLoop == true", "data.continueLoop == true"],
    ["context_events", "thread_items", "auth.id != null", "auth.id != null"],
    // What has no name there, or means something else.
    [
        "context_events",
        "thread_items",
        "auth.id in data.ref('author.id')",
        // No row has it, there as here.
        "auth.id in data.ref('author.id')",
    ],
    [
        "context_contexts",
        "thread_contexts",
        "data.status == 'open'",
        "`context_contexts.allow.view`: nothing in `thread_contexts` holds `context_contexts.status` as it is",
    ],
    [
        "context_contexts",
        "thread_threads",
        "data.id == ruleParams.id",
        "`context_contexts.allow.view`: rows of `thread_threads` have other ids than those of `context_contexts`",
    ],
    [
        "context_events",
        "thread_items",
        "data.ownerId == auth.id",
        "`context_events.allow.view`: nothing in `thread_items` holds `context_events.ownerId` as it is",
    ],
    [
        "context_contexts",
        "thread_threads",
        "auth.id in data.ref('team.members.id')",
        "`context_contexts.allow.view`: no link of the target holds what `context_contexts.team` does",
    ],
    [
        "context_events",
        "thread_items",
        "data == newData",
        "`context_events.allow.view`: `data` is used as a whole",
    ],
];

#[test]
fn a_target_entity_takes_the_rules_of_the_entity_its_rows_come_from_in_its_own_names() {
    for [source, target, code, expected] in CASES {
        assert_eq!(view(source, target, code), *expected, "{target}: {code}");
    }
}

#[test]
fn what_default_says_of_legacy_rows_is_said_of_the_targets_in_their_names() {
    let rules = json!({
        "$default": {
            "allow": { "view": "isOwner", "delete": "auth.id in data.ref('events.owner.id')" },
            "bind": ["isOwner", "auth.id in data.ref('events.owner.id')", "free", "auth.id != null"],
        },
        "context_contexts": { "allow": { "create": "free" }, "bind": { "x": "true" } },
    });
    let found = permissions(&rules, &contract(&[]), false);
    let of = |entity: &str| found.rules.of(entity).map(|rules| json!(rules));
    assert_eq!(
        of("thread_contexts"),
        Some(json!({
            "allow": { "create": "free", "delete": "auth.id in data.ref('items.owner.id')" },
            "bind": { "x": "true", "isOwner": "auth.id in data.ref('items.owner.id')" },
        }))
    );
    // Rows of steps have no such link: what holds for every entity fails them, before and after.
    let steps = found.entities.iter().find(|it| it.entity == "thread_steps").unwrap();
    assert_eq!((steps.from, steps.left.len()), (RulesFrom::Default, 0));
}

#[test]
fn labels_of_links_and_attributes_with_rules_of_their_own_are_renamed() {
    let rules = json!({ "context_contexts": {
        "allow": {
            "$default": "false",
            "link": { "events": "linkedData.content != null && auth.id in linkedData.ref('owner.id')" },
            "unlink": { "$default": "false", "nobody": "true" },
        },
        "fields": { "content": "auth.id != null", "status": "false", "threadId": "false" },
    } });
    let found = permissions(&rules, &contract(&[]), false);
    assert_eq!(
        json!(found.rules.of("thread_contexts").unwrap()),
        json!({
            "allow": {
                "$default": "false",
                "link": { "items": "linkedData.content != null && auth.id in linkedData.ref('owner.id')" },
                "unlink": { "$default": "false", "nobody": "true" },
            },
            "fields": { "content": "auth.id != null", "status": "false" },
        })
    );
    let it = found.entities.iter().find(|it| it.entity == "thread_contexts").unwrap();
    assert_eq!((it.left.len(), it.opened.len()), (0, 0));
    // What another entity shows of a guarded value is guarded alike, out of its JSON too.
    let threads = json!(found.rules.of("thread_threads").unwrap());
    assert_eq!(threads["fields"], json!({ "name": "auth.id != null", "status": "false" }));
}

/// What becomes of an expression is not what it was before: each of these opened rows once.
#[test]
fn what_means_something_else_in_the_target_is_not_taken_over() {
    for (source, target, code, why) in [
        ("context_contexts", "thread_threads", "data.currentExecution == null", "as it is"),
        ("context_events", "thread_items", "data.channel == 'web'", "as it is"),
        ("story_executions", "thread_executions", "data.workflowRunId != null", "as it is"),
        ("story_steps", "thread_steps", "data.triggerEventId != null", "as it is"),
        ("story_steps", "thread_steps", ".data.tools == null", "begins with a dot"),
        (
            "story_steps",
            "thread_steps",
            "cel.bind(r, request, 'a' in r.modifiedFields)",
            "modifiedFields",
        ),
        (
            "context_events",
            "thread_items",
            "cel.bind(a, auth, a.id != null)",
            "`auth` is used as a whole",
        ),
    ] {
        let told = view(source, target, code);
        assert!(told.contains(why) || told.contains("used as a whole"), "{code}: {told}");
    }
    let link = json!({ "context_events": { "allow": {
        "link": { "$default": "'x' in linkedData.ref('context.status')" } } } });
    let found = permissions(&link, &contract(&[]), false);
    assert!(found.judge().is_err(), "which row is linked is not known");
    // Several rows of one: the first alone has the id.
    let events = crate::contract::BUILT_INS[1].1;
    let events = load(events, "events.toml", &Overrides::default()).unwrap();
    let parts = json!({ "story_parts": { "allow": { "view": "!(data.id in ['x'])" }, "fields": { "part": "false" } } });
    let found = permissions(&parts, &events, false);
    let it = found.entities.iter().find(|it| it.entity == "event_parts").unwrap();
    assert_eq!(it.left.len(), 1, "{:?}", it.left);
    assert_eq!(json!(found.rules.of("event_parts").unwrap())["fields"]["part"], "false");
}

#[test]
fn what_a_target_entity_says_in_the_app_may_not_be_weaker_than_its_source() {
    let source = json!({ "allow": { "$default": "auth.id in data.ref('owner.id')", "link": { "$default": "false" } } });
    for own in [
        json!({ "allow": { "delete": "false" } }),
        json!({ "allow": { "$default": "(true)" } }),
        json!({ "allow": { "$default": "ok" }, "bind": { "ok": "pub" } }),
        json!({ "allow": { "$default": "auth.id != null" } }),
    ] {
        let rules = json!({
            "$default": { "allow": { "$default": "auth.id != null" }, "bind": ["pub", "true"] },
            "context_events": source, "thread_items": own,
        });
        let found = permissions(&rules, &contract(&[]), false);
        assert!(found.judge().is_err(), "{own}");
    }
    // Nothing said is nothing.
    let rules = json!({ "context_events": source, "thread_items": {} });
    let found = permissions(&rules, &contract(&[]), false);
    assert_eq!(found.rules.of("thread_items").map(|it| json!(it)), Some(source));
}

#[test]
fn a_rule_of_linking_at_the_other_end_guards_the_new_label_too() {
    let rules = json!({ "$users": { "allow": { "link": { "events": "false" }, "unlink": { "team": "false" } } } });
    let found = permissions(&rules, &contract(&[]), false);
    assert_eq!(
        json!(found.rules.of("$users").unwrap()),
        json!({ "allow": { "link": { "events": "false", "events_thread_items": "false" }, "unlink": { "team": "false" } } })
    );
}

#[test]
fn rules_that_a_target_entity_has_in_the_app_stay_and_must_guard() {
    let rules = json!({
        "context_events": { "allow": { "$default": "auth.id != null" } },
        "thread_items": { "allow": { "view": "auth.id != null", "create": "false" } },
    });
    let found = permissions(&rules, &contract(&[]), false);
    let it = found.entities.iter().find(|it| it.entity == "thread_items").unwrap();
    assert_eq!((it.from, it.left.len()), (RulesFrom::App, 0));
    assert_eq!(
        it.opened,
        [
            "everybody may update its rows (in `context_events` a rule guards it)",
            "everybody may delete its rows (in `context_events` a rule guards it)",
        ]
    );
    let refused = found.judge().unwrap_err();
    assert_eq!(refused.kind, crate::error::Kind::Refused);
    // What is said in the contract holds, an open rule as well: somebody wrote it down.
    for said in [r#"{"allow":{"$default":"auth.id != null"}}"#, r#"{"allow":{"$default":"true"}}"#]
    {
        let found = permissions(&rules, &contract(&[("thread_items", said)]), false);
        assert!(found.judge().is_ok());
        let it = found.entities.iter().find(|it| it.entity == "thread_items").unwrap();
        assert_eq!(it.from, RulesFrom::Contract);
        assert_eq!(json!(found.rules.of("thread_items").unwrap()).to_string(), said);
    }
}

#[test]
fn the_lines_that_are_printed_are_a_contracts() {
    let rules = json!({ "context_events": { "allow": { "view": "data.ownerId == auth.id && 'x\"y' != '''z'''" } } });
    let found = permissions(&rules, &contract(&[]), false);
    let it = found.entities.iter().find(|it| it.entity == "thread_items").unwrap();
    let text = format!("{BUILT_IN}\n[after.rules]\n{}", it.lines);
    let read = load(&text, "c.toml", &Overrides::default()).unwrap();
    assert_eq!(json!(read.rules[0].1), json!({ "allow": { "view": "false" } }));
    let found = permissions(&rules, &read, false);
    assert!(found.judge().is_ok());
    for rules in [
        json!({ "context_events": { "allow": null, "fields": { "type": 5 }, "comment": "x" }, "$default": { "allow": { "view": "data.type == 'x'" } } }),
        json!({ "context_events": { "allow": { "view": ".data", "create": null, "a\u{202e}": 5, "link": "false" }, "bind": 7 } }),
        json!({ "context_contexts": { "fields": { "status": "data" } } }),
    ] {
        let found = permissions(&rules, &contract(&[]), false);
        for it in found.entities.iter().filter(|it| !it.lines.is_empty()) {
            let text = format!("{BUILT_IN}\n[after.rules]\n{}", it.lines);
            let read = load(&text, "c.toml", &Overrides::default());
            assert!(read.is_ok(), "{}: {:?}", it.lines, read.map_err(|error| error.at));
        }
    }
}

#[test]
fn no_rules_are_none_and_unknown_ones_close_everything() {
    let (schema, contract) = (app(), contract(&[]));
    let with = |rules: &Rules| {
        Permissions::new(&Given {
            contract: &contract,
            rules,
            schema: &schema,
            moved: &[],
            renamed: &[],
            legacy_goes: false,
        })
    };
    assert_eq!(with(&Rules::None).rules, Rules::None);
    assert!(with(&Rules::None).judge().is_ok());
    let unknown = with(&Rules::Unknown);
    assert!(unknown.rules.is_closed() && unknown.judge().is_ok());
    assert!(!unknown.remarks(&Rules::Unknown).is_empty());
}

#[test]
fn where_the_legacy_entities_go_their_rules_go_and_others_lead_to_the_new_rows() {
    let rules = json!({
        "attrs": { "allow": { "create": "false" } },
        "$default": { "allow": { "$default": "false" } },
        "context_events": { "allow": { "view": "auth.id in data.ref('owner.id')" } },
        "teams": { "allow": { "view": "auth.id in data.ref('contexts.events.owner.id')" } },
        "$users": { "allow": { "view": "size(data.ref('events.id')) > 0" } },
        "other": { "allow": { "view": "size(data.ref('what.ever')) > 0" } },
    });
    let stays = permissions(&rules, &contract(&[]), false);
    assert!(stays.rules.of("context_events").is_some());
    assert_eq!(json!(stays.rules.of("teams")), rules["teams"]);
    let goes = permissions(&rules, &contract(&[]), true);
    assert!(goes.rules.of("context_events").is_none());
    let view = |entity: &str| goes.rules.effective(entity, "view").unwrap();
    assert_eq!(view("thread_items"), "auth.id in data.ref('owner.id')");
    assert_eq!(view("teams"), "auth.id in data.ref('contexts_thread_contexts.items.owner.id')");
    assert_eq!(view("$users"), "size(data.ref('events_thread_items.id')) > 0");
    assert_eq!(view("other"), "size(data.ref('what.ever')) > 0");
    assert!(goes.judge().is_ok());
}

#[test]
fn code_for_a_push_holds_no_character_that_turns_or_ends_a_text() {
    let rules = json!({ "a\u{202e}\u{2028}": { "allow": { "view": "'\u{1f600}' == \"x\"" } } });
    let found = permissions(&rules, &contract(&[]), false);
    let before = Rules::parse(&rules.to_string()).unwrap();
    let code = found.typescript(&before);
    assert!(code.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    let json = code.split_once("const rules = ").unwrap().1.split_once(" satisfies").unwrap().0;
    assert_eq!(Rules::parse(json).unwrap(), found.rules);
}
