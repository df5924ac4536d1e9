//! What fills the blanks, and the text that keeps it.

use proptest::prelude::*;

use super::*;

#[test]
fn what_a_release_says_wrong_is_told_with_its_place() {
    let overrides = Overrides {
        release: Some((
            "release.toml".to_owned(),
            "[release]\nform = \"1\"\n[before.entities.context_event]\noptional = true\n\
             [transform]\ntarget = \"x\"\n[duplicates.keep]\nstory_steps = \"newest\"\n\
             [rollout]\nmax_repaired = 1.5\n"
                .to_owned(),
        )),
        set: vec![
            ("rollout.canry".to_owned(), "acme".to_owned()),
            ("rollout.max_quarantined".to_owned(), "-3".to_owned()),
            ("after.apis".to_owned(), "useThread".to_owned()),
        ],
    };
    let error = load(BUILT_IN, "c.toml", &overrides).unwrap_err();
    insta::assert_snapshot!(shown(&error), @r#"
    error: the contract has 8 misfits
      --> release.toml:2:1: `release.form` is nothing a release fills; did you mean `release.from`?
      --> release.toml:4:1: no legacy entity `context_event` is declared; did you mean `context_events`?
      --> release.toml:5:2: `transform` is nothing a release fills
      --> release.toml:8:15: `story_steps` must be `first`, `last` or `none`, not `newest`
      --> release.toml:10:16: `max_repaired` must be a number of rows, a share of them as "0.1%", or "any"
      --> --set rollout.canry: `rollout.canry` is nothing a release fills; did you mean `rollout.canary`?
      --> --set rollout.max_quarantined: `max_quarantined` must be a number of rows, a share of them as "0.1%", or "any"
      --> --set after.apis: `apis` must be a list, not a text
    help: correct each place, then run `rethread contract check` on it
    "#);
}

#[test]
fn overrides_become_part_of_the_text() {
    let overrides = with(&[
        ("release.to", "2.0"),
        ("release.from", "\"1.9 \\\"x\\\"\""),
        ("before.entities.story_parts.optional", "true"),
        ("duplicates.keep.story_steps", "none"),
        ("rollout.max_quarantined", "0.1%"),
        ("rollout.rollback_trigger", "[\"a\", \"b\\nc\"]"),
        ("rollout.canary", ""),
    ]);
    let contract = load(BUILT_IN, "c.toml", &overrides).unwrap();
    assert_eq!(read(&contract.text).unwrap(), contract);
    assert_eq!(contract.release.from, "1.9 \"x\"");
    assert_eq!(contract.release.to, "2.0");
    assert_eq!(contract.rollout.max_quarantined, Limit::Percent(0.1));
    assert_eq!(contract.duplicates.keep("story_steps"), Keep::None);
    assert!(contract.before.schema.entity("story_parts").unwrap().optional);
    insta::assert_snapshot!(contract.text[BUILT_IN.len()..].trim_start(), @r#"
    # overrides
    [[override]]
    key = "before.entities.story_parts.optional"
    value = true
    [[override]]
    key = "duplicates.keep.story_steps"
    value = "none"
    [[override]]
    key = "release.from"
    value = "1.9 \"x\""
    [[override]]
    key = "release.to"
    value = "2.0"
    [[override]]
    key = "rollout.max_quarantined"
    value = "0.1%"
    [[override]]
    key = "rollout.rollback_trigger"
    value = ["a", "b\nc"]
    "#);
    let again = load(&contract.text, "c.toml", &with(&[("release.to", "3")])).unwrap();
    assert_eq!((again.release.from.as_str(), again.release.to.as_str()), ("1.9 \"x\"", "3"));
    assert_eq!(read(&again.text).unwrap(), again);
}

#[test]
fn an_override_that_changes_nothing_leaves_the_text() {
    let overrides = with(&[("release.scope", "story deprecated -> thread package adoption")]);
    assert_eq!(load(BUILT_IN, "c.toml", &overrides).unwrap().text, BUILT_IN);
    let both = Overrides {
        set: vec![("release.to".to_owned(), String::new())],
        ..released("release.to = \"2\"")
    };
    assert_eq!(load(BUILT_IN, "c.toml", &both).unwrap().text, BUILT_IN);
}

#[test]
fn inline_overrides_are_refused() {
    let text = format!("override = [{{ key = \"release.to\", value = \"2\" }}]\n{BUILT_IN}");
    let error = read(&text).unwrap_err();
    assert_eq!(error.at, ["c.toml:1:1: overrides are written as `[[override]]` tables"]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a golden text")]
fn a_new_release_file_changes_nothing_until_it_is_filled() {
    let file = init(BUILT_IN, "c.toml").unwrap();
    let contract = load(BUILT_IN, "c.toml", &released(&file)).unwrap();
    assert_eq!(contract, read(BUILT_IN).unwrap());
    insta::assert_snapshot!(blanks(&contract).join("\n"), @r"
    release.from
    release.to
    before.entrypoints
    after.entrypoints
    rollout.canary
    ");
    let filled =
        file.replace("from = \"\"", "from = \"1\"").replace("points = []", "points = [\"a\"]");
    let contract = load(BUILT_IN, "c.toml", &released(&filled)).unwrap();
    insta::assert_snapshot!(blanks(&contract).join("\n"), @r"
    release.to
    rollout.canary
    ");
    let uncommented = file.replace("\n# ", "\n");
    let (_, uncommented) = uncommented.split_once("[release]").unwrap();
    let contract = load(BUILT_IN, "c.toml", &released(&format!("[release]{uncommented}"))).unwrap();
    let plain = read(BUILT_IN).unwrap();
    assert_eq!(
        Contract { text: String::new(), duplicates: plain.duplicates.clone(), ..contract },
        Contract { text: String::new(), ..plain }
    );
    insta::assert_snapshot!(file, @r#"
    # A release file of the contract `story-to-thread`: fill the blanks, then give it by `--release FILE`.
    # What stands as a comment is what the contract says; take the `# ` away to change it.

    [release]
    from = ""   # the version that is left
    to = ""   # the version that is adopted
    # scope = "story deprecated -> thread package adoption"   # what the migration covers

    [before]
    entrypoints = []   # runtime entry points of the legacy model
    # apis = ["createStory", "useStory"]   # interfaces of the legacy model in use

    [before.entities.context_contexts]
    # optional = false   # whether a source may lack the entity

    [before.entities.context_events]
    # optional = false   # whether a source may lack the entity

    [before.entities.story_executions]
    # optional = false   # whether a source may lack the entity

    [before.entities.story_steps]
    # optional = false   # whether a source may lack the entity

    [before.entities.story_parts]
    # optional = false   # whether a source may lack the entity

    [after]
    entrypoints = []   # runtime entry points of the target model
    # apis = ["createThread", "useThread"]   # interfaces of the target model in use

    [duplicates.keep]
    # context_contexts = "first"   # which of conflicting rows is kept: first, last or none
    # context_events = "first"   # which of conflicting rows is kept: first, last or none
    # story_executions = "first"   # which of conflicting rows is kept: first, last or none
    # story_steps = "first"   # which of conflicting rows is kept: first, last or none
    # story_parts = "last"   # which of conflicting rows is kept: first, last or none

    [rollout]
    # dry_run = "required"   # required or optional
    canary = ""   # the first organisation
    # max_quarantined = 0   # rows, a share ("0.1%"), or "any"
    # max_repaired = "any"   # values, a share of the rows, or "any"
    # max_reordered = 0   # rows shown in another order, a share, or "any"
    # max_left_behind = 0   # link values not carried, a share, or "any"
    # rollback_trigger = ["count mismatch", "link violation", "business rule failed", "quarantine over limit"]   # what leads to a rollback
    # rollback_action = "remove what this bundle wrote, restore what it changed; legacy rows are never touched"   # what a rollback does

    [target]
    # unfit = "refuse"   # rows with text that not every store holds: refuse or quarantine

    [implementation]
    # language = "rust (polars)"   # what the migration is written in
    # reason = "columnar, deterministic, one binary; the template's ts or python would re-read every row as objects"   # why
    "#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn text_and_contract_go_together(
        a in prop::collection::vec((0..5_usize, "[a-z\"\\\\\n\u{7f}é#]{0,4}"), 0..4),
        b in prop::collection::vec((0..5_usize, "[a-z]{0,1}"), 0..4),
    ) {
        let keys =
            ["release.from", "release.to", "rollout.canary", "implementation.reason", "release.scope"];
        let mut texts = Vec::new();
        for set in [a, b] {
            let set: Vec<_> = set.iter().map(|(key, value)| (keys[*key], value.as_str())).collect();
            let contract = load(BUILT_IN, "c.toml", &with(&set)).unwrap();
            prop_assert_eq!(&read(&contract.text).unwrap(), &contract);
            texts.push((contract.text.clone(), Contract { text: String::new(), ..contract }));
        }
        prop_assert_eq!(texts[0].0 == texts[1].0, texts[0].1 == texts[1].1);
    }
}

#[test]
fn limits_are_numbers_shares_or_any() {
    for (said, expected) in [
        ("5_000", Limit::Rows(5000)),
        ("0x10", Limit::Rows(16)),
        ("any", Limit::Any),
        ("\"any\"", Limit::Any),
        ("0.1%", Limit::Percent(0.1)),
        ("100%", Limit::Percent(100.0)),
    ] {
        let overrides = with(&[("rollout.max_quarantined", said)]);
        let contract = load(BUILT_IN, "c.toml", &overrides).unwrap();
        assert_eq!(contract.rollout.max_quarantined, expected, "{said}");
        assert_eq!(read(&contract.text).unwrap(), contract);
    }
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_are_read() {
    let text = format!("\u{feff}{}", BUILT_IN.replace('\n', "\r\n"));
    let contract = load(&text, "c.toml", &with(&[("release.to", "2")])).unwrap();
    assert_eq!(read(&contract.text).unwrap(), contract);
    let plain = load(BUILT_IN, "c.toml", &with(&[("release.to", "2")])).unwrap();
    assert_eq!(Contract { text: plain.text.clone(), ..contract }, plain);
}
