//! What is left behind: named and counted in bundle.json as the snapshot has it, and link values within
//! a limit.

use super::super::fixture::{Cell, Place, id};
use super::super::{Outcome, Verification};
use super::{failed, rows};
use crate::bundle::{LeftBehind, LeftKind, Meta};
use crate::contract::{self, Limit};

/// The built-in contract with these texts in place of others.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(contract::BUILT_IN.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// Links are not carried, one of the legacy model is taken up by no rule, and two events have attributes
/// that nobody declared.
fn place() -> Place {
    let text = changed(&[
        ("links = \"carry\" ", "links = \"report\" "),
        (
            "[before.links]\n",
            "[before.links]\neventPrevious = { on = \"context_events\", label = \"previous\", to = \
             \"context_events\", reverse = \"next\" }\n",
        ),
    ]);
    rows::place_by(&text, &|entity, rows| {
        if entity == "context_events" {
            let mut add = |row: usize, name: &'static str, cell: Cell| rows[row].push((name, cell));
            add(1, "previous", Cell::Text(id(101)));
            add(2, "previous", Cell::Text(id(102)));
            add(3, "previous", Cell::Text(id(999)));
            add(1, "_extra", Cell::from("{\"mood\":\"glad\",\"stars\":[1]}"));
            add(3, "_extra", Cell::from("{\"mood\":null}"));
        }
    })
}

fn rule<'f>(found: &'f Verification, begins: &str) -> &'f super::Rule {
    found.rules.iter().find(|rule| rule.rule.starts_with(begins)).expect(begins)
}

#[test]
fn every_kind_is_listed_with_counts_and_first_places() {
    let mut place = place();
    place.contract.rollout.max_left_behind = Limit::Any;
    let copy = place.copy("copy");
    let found = copy.verify();
    assert_eq!(failed(&found), Vec::<String>::new());
    let (bundle, _) = copy.sealed();
    let lines = bundle.meta().left_behind.iter().map(|left| {
        let LeftBehind { kind, entity, name, count, samples } = left;
        format!("{kind:?} {entity}.{name}: {count} [{}]\n", samples.join("; "))
    });
    insta::assert_snapshot!(lines.collect::<String>(), @"
    Attribute context_events.mood: 2 [00000000-0000-4000-8000-000000000066; 00000000-0000-4000-8000-000000000068]
    Attribute context_events.stars: 1 [00000000-0000-4000-8000-000000000066]
    Entity emails.: 2 []
    Link context_events.previous: 2 [00000000-0000-4000-8000-000000000066 - 00000000-0000-4000-8000-000000000065; 00000000-0000-4000-8000-000000000067 - 00000000-0000-4000-8000-000000000066]
    Link emails.events: 2 [00000000-0000-4000-8000-0000000003e9 - 00000000-0000-4000-8000-000000000065; 00000000-0000-4000-8000-0000000003e9 - 020e8e2c-7f75-5ba3-ad89-351d3c756a1b]
    ");
}

#[test]
fn link_values_beyond_the_limit_fail_and_the_rest_of_the_list_does_not() {
    let mut place = place();
    let found = place.copy("none is allowed").verify();
    assert_eq!(failed(&found).len(), 1, "{:#?}", failed(&found));
    let limit = rule(&found, "link values left behind");
    assert_eq!((limit.outcome, limit.violations), (Outcome::Failed, 4), "{limit:#?}");
    assert_eq!(limit.samples, ["2 context_events.previous, 2 emails.events"]);
    place.contract.rollout.max_left_behind = Limit::Rows(4);
    assert!(place.copy("four are allowed").verify().passed());
}

#[test]
fn a_list_that_says_otherwise_is_caught() {
    type Forge = (&'static str, fn(&mut Meta));
    let forged: [Forge; 5] = [
        ("an entry is left out", |meta| drop(meta.left_behind.remove(0))),
        ("a count", |meta| meta.left_behind[0].count += 1),
        ("a place", |meta| meta.left_behind[0].samples[0].push('0')),
        ("an entity", |meta| meta.left_behind.retain(|left| left.kind != LeftKind::Entity)),
        ("a link", |meta| meta.left_behind.retain(|left| left.kind != LeftKind::Link)),
    ];
    let mut place = place();
    place.contract.rollout.max_left_behind = Limit::Any;
    for (name, forge) in forged {
        let copy = place.copy(name);
        copy.meta(forge);
        let told = failed(&copy.verify());
        let said = "count . | bundle.json says what is left behind";
        assert!(told.iter().any(|told| told.starts_with(said)), "{name}: {told:#?}");
    }
}

#[test]
fn a_link_file_that_the_bundle_does_not_list_is_left_behind() {
    let place = rows::place();
    let copy = place.copy("not listed");
    copy.meta(|meta| meta.links.clear());
    let found = copy.verify();
    let limit = rule(&found, "link values left behind");
    assert_eq!((limit.outcome, limit.violations), (Outcome::Failed, 2), "{limit:#?}");
}

#[test]
fn a_bundle_of_an_earlier_format_is_asked_for_no_list() {
    let place = place();
    let copy = place.copy("format 2");
    copy.meta(|meta| {
        meta.format = 2;
        meta.left_behind.clear();
    });
    let found = copy.verify();
    assert!(!found.rules.iter().any(|rule| rule.rule.contains("left behind")));
}
