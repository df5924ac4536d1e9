use std::path::Path;

use arrow::datatypes::{DataType, Field, Schema as Columns};
use serde_json::{Value as Json, json};

use super::*;
use crate::app::{AppSettings, Rules, Webhook};
use crate::bundle::{LeftBehind, LeftKind, Meta, Quarantine};
use crate::error::grouped;
use crate::progress::Silent;
use crate::snapshot::Extra;
use crate::target::sample::{self, Sample as SampleBundle};
use crate::target::sqlite::Sqlite;
use crate::verify::{self, Outcome};

/// A bundle with something in every part of its account; `odd` stands wherever data is shown.
fn bundle(root: &Path, odd: &str) -> Bundle {
    SampleBundle::small().bundle_with(root, |meta, payload| {
        fill(meta, odd);
        let file = "data/quarantine/context_events.parquet";
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let columns = Columns::new(vec![
            text("id"),
            text("content"),
            Field::new(Extra::ROW, DataType::Int64, true),
            text(Quarantine::RULE),
            text(Quarantine::REASON),
            text(Quarantine::CAUSE),
        ]);
        let required = "items.createdAt required";
        let rows: Vec<Json> = vec![
            json!([odd, "secret payload", 3, required, "it is absent", null]),
            json!([null, "secret payload", 4, required, "it is absent", null]),
            json!([
                "e3",
                "secret payload",
                5,
                "items.context required",
                "it was set aside",
                "context_contexts:c1"
            ]),
            json!(["e4", "secret payload", 6, required, "it is absent", null]),
            json!(["e5", "secret payload", 7, required, "it is absent", null]),
        ];
        payload.insert(file.to_owned(), sample::parquet(&root.join(file), &columns, &rows));
    })
}

fn fill(meta: &mut Meta, odd: &str) {
    use crate::bundle::{Equation, Existing, LinkEquation, Lost, Refs};
    let equation = |source: &str, rows, merged, quarantined| Equation {
        source: source.to_owned(),
        rows,
        migrated: rows - merged - quarantined,
        merged,
        quarantined,
        only_links: 0,
        dropped: 0,
        adopted: vec![("threads".to_owned(), 1)],
        split: Vec::new(),
    };
    meta.source.name = odd.to_owned();
    meta.source.title = Some(odd.to_owned());
    meta.equations =
        vec![equation("context_contexts", 1_204, 3, 0), equation("context_events", 48_211, 12, 5)];
    let entity = "threads".to_owned();
    meta.existing = vec![Existing { entity, rows: 2, carried: 1, merged: 1, only_links: 0 }];
    meta.link_equations = vec![LinkEquation {
        source: "context_events".to_owned(),
        label: odd.to_owned(),
        values: 48_000,
        migrated: 47_990,
        merged: 2,
        quarantined: 5,
        dropped: 3,
        dropped_rows: 0,
    }];
    let lost = |label: &str, reason: &str, rows| Lost {
        source: "context_events".to_owned(),
        label: label.to_owned(),
        reason: reason.to_owned(),
        rows,
    };
    meta.lost = vec![
        lost(odd, "the row it names is not in the source", 3),
        lost("items.ref", "the row it names is not in the source", 1),
        lost("items.ref", "the row it names was quarantined", 2),
    ];
    meta.refs = vec![Refs {
        target: "items".to_owned(),
        attr: "ref".to_owned(),
        values: 40_000,
        there: 39_997,
        quarantined: 2,
        dropped: 1,
    }];
    fill_aside(meta, odd);
}

fn fill_aside(meta: &mut Meta, odd: &str) {
    use crate::bundle::{Quarantined, Repair};
    meta.repairs = vec![Repair {
        target: "items".to_owned(),
        attr: "createdAt".to_owned(),
        how: "from $server".to_owned(),
        rows: 1_007,
    }];
    let quarantined = |rule: &str, rows| Quarantined {
        source: "context_events".to_owned(),
        rule: rule.to_owned(),
        rows,
    };
    meta.quarantine =
        vec![quarantined("items.context required", 1), quarantined("items.createdAt required", 4)];
    meta.mapped_ids = vec![("context_contexts".to_owned(), 17)];
    meta.unmapped.entities = vec![("$users".to_owned(), 31), (odd.to_owned(), 7)];
    meta.unmapped.attrs = vec![("context_events".to_owned(), odd.to_owned(), 9)];
    let left = |kind, entity: &str, name: &str, count| LeftBehind {
        kind,
        entity: entity.to_owned(),
        name: name.to_owned(),
        count,
        samples: if kind == LeftKind::Entity { Vec::new() } else { vec![odd.to_owned()] },
    };
    meta.left_behind = vec![
        left(LeftKind::Attribute, "context_events", odd, 9),
        left(LeftKind::Entity, "$users", "", 31),
        left(LeftKind::Entity, odd, "", 7),
        left(LeftKind::Link, "context_events", odd, 4),
        left(LeftKind::SchemaRule, "context_events", "owner", 1),
    ];
}

fn rules(odd: &str) -> Vec<Rule> {
    let rule = |kind: &str, rule: &str, violations: u64, outcome: Outcome| Rule {
        kind: kind.to_owned(),
        rule: rule.to_owned(),
        entity: "items".to_owned(),
        attr: "thread".to_owned(),
        evaluated: if outcome == Outcome::NothingThere { 0 } else { 48_194 },
        violations,
        allows: 0,
        noun: None,
        samples: if violations > 0 { vec![odd.to_owned()] } else { Vec::new() },
        outcome,
        query:
            "SELECT count(*) FROM 'data/parquet/items.parquet' WHERE thread IS NULL AND id <> ''"
                .to_owned(),
    };
    vec![
        rule("count", "every context_events row is accounted for", 0, Outcome::Passed),
        rule("link", "every items row links to its threads row", 0, Outcome::Passed),
        rule("sequence", "message order of every context is unchanged", 2, Outcome::Failed),
        rule("bijection", "one thread per context", 0, Outcome::NothingThere),
        Rule {
            noun: Some(["item in no conversation", "items in no conversation"].map(str::to_owned)),
            allows: verify::ANY,
            ..rule("note", "items in no conversation: items without context", 2, Outcome::Noted)
        },
    ]
}

fn found(bundle: &Bundle, rules: Vec<Rule>) -> Verification {
    Verification { bundle_digest: bundle.digest().to_owned(), rules }
}

/// The contract of the sample with its blanks not filled.
fn blank() -> Contract {
    let mut contract = sample::contract();
    contract.release.to.clear();
    for side in [&mut contract.before, &mut contract.after] {
        side.entrypoints.clear();
        side.apis.clear();
    }
    contract.rollout.canary.clear();
    contract.rollout.rollback_trigger.clear();
    contract.rollout.rollback_action.clear();
    contract.implementation.reason.clear();
    contract
}

/// The report of a bundle whose verification found something.
fn with_findings(odd: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("b1"), odd);
    Report::new(&bundle, &blank(), Some(&found(&bundle, rules(odd))), None)
}

/// The report of a bundle that was imported.
fn imported() -> Report {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("b1"), "sample.zip");
    let mut rules = rules("");
    rules.remove(2);
    let found = found(&bundle, rules);
    let verified = verify::permit(bundle, sample::contract(), found).unwrap();
    let mut target = Sqlite::new(folder.path().join("thread.sqlite"));
    let outcome = import::import(&verified, &mut target, &sample::order(), &Silent).unwrap();
    Report::new(verified.bundle(), &blank(), Some(verified.verification()), Some(&outcome))
}

#[test]
fn the_verdict_comes_first() {
    insta::assert_snapshot!(imported().verdict().sentence, @"Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; all 4 rules hold, 1 of them with a note; all 6 rows and links are in `thread.sqlite`, read back and equal.");
    insta::assert_snapshot!(with_findings("x").verdict().sentence, @"Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; 1 of 5 rules is violated; nothing was imported.");
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("b1"), "x");
    let report = Report::new(&bundle, &blank(), None, None);
    assert_eq!(report.verdict().state, State::NotVerified);
    insta::assert_snapshot!(report.verdict().sentence, @"Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; nobody has checked the result yet; nothing was imported.");
    let mut other = found(&bundle, rules("x"));
    other.bundle_digest = "0".repeat(64);
    let report = Report::new(&bundle, &blank(), Some(&other), None);
    assert_eq!(report.verdict().state, State::NotVerified, "findings of another bundle");
}

#[test]
fn the_summary_fits_one_screen() {
    insta::assert_snapshot!(text(&imported()), @"
    verified and imported
      Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set
      aside in quarantine; all 4 rules hold, 1 of them with a note; all 6 rows and links are in
      `thread.sqlite`, read back and equal.

      legacy table        rows  migrated  merged  quarantined
      context_contexts   1,204     1,201       3            0
      context_events    48,211    48,194      12            5

      target table  rows  migrated  existing  adopted
      threads          2         1         1        2
      items            3         3         0        0

      rules        2 hold, 1 noted, 0 violated, 0 not evaluated, 1 had nothing to look at
      noted        2 items in no conversation
      left behind  1 attribute of legacy rows (context_events.sample.zip in 9 rows)
                   4 link values of 1 link (context_events.sample.zip: 4)
                   1 rule of the app's schema (context_events.owner sample.zip)
                   2 other entities stay in the app ($users, sample.zip)
      links        4 values lead to no row: the row it names is not in the source (4)
                   2 values lead to a row that was set aside
      repairs      1,007 values by 1 rule
      quarantine   5 rows by 2 rules
      ids          17 ids were no UUID, and mapped
      import       `thread.sqlite`: 6 created, 0 updated, 0 unchanged
      blanks       release.to, before.entrypoints, before.apis, after.entrypoints, after.apis,
                   rollout.canary, rollout.rollback_trigger, rollout.rollback_action,
                   implementation.reason
      next         Look at the quarantine: repair these rows in the source and export again, or
                   leave them out by `rollout.max_quarantined`. They stand whole in
                   `data/quarantine/`.
      next         Fill the blanks of the contract: `rethread contract init` writes a file for
                   them.
      next         Keep the snapshot and this folder: they prove the result for as long as they
                   are kept.
    ");
}

#[test]
fn the_summary_of_findings_fits_one_screen() {
    insta::assert_snapshot!(text(&with_findings("x")), @"
    findings: not fit for import
      Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set
      aside in quarantine; 1 of 5 rules is violated; nothing was imported.

      legacy table        rows  migrated  merged  quarantined
      context_contexts   1,204     1,201       3            0
      context_events    48,211    48,194      12            5

      target table  rows  migrated  existing  adopted
      threads          2         1         1        2
      items            3         3         0        0

      rules        2 hold, 1 noted, 1 violated, 0 not evaluated, 1 had nothing to look at
      noted        2 items in no conversation (x, …)
      left behind  1 attribute of legacy rows (context_events.x in 9 rows)
                   4 link values of 1 link (context_events.x: 4)
                   1 rule of the app's schema (context_events.owner x)
                   2 other entities stay in the app ($users, x)
      links        4 values lead to no row: the row it names is not in the source (4)
                   2 values lead to a row that was set aside
      repairs      1,007 values by 1 rule
      quarantine   5 rows by 2 rules
      ids          17 ids were no UUID, and mapped
      blanks       release.to, before.entrypoints, before.apis, after.entrypoints, after.apis,
                   rollout.canary, rollout.rollback_trigger, rollout.rollback_action,
                   implementation.reason
      next         Look at the rules that are violated, repair the legacy rows or the contract,
                   and run again. Nothing can be imported before.
      next         Look at the quarantine: repair these rows in the source and export again, or
                   leave them out by `rollout.max_quarantined`. They stand whole in
                   `data/quarantine/`.
      next         Fill the blanks of the contract: `rethread contract init` writes a file for
                   them.
    ");
}

#[test]
fn a_bundle_of_an_earlier_format_names_what_it_counted() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = SampleBundle::small().bundle_with(&folder.path().join("b1"), |meta, _| {
        fill(meta, "odd");
        meta.format = 2;
        meta.left_behind.clear();
        meta.unmapped.attrs.push(("threads".to_owned(), "own".to_owned(), 1));
    });
    let report = Report::new(&bundle, &blank(), None, None);
    // What existing rows of the target have is not left behind.
    let left: Vec<String> = report.left_behind.iter().map(noted::name_of).collect();
    assert_eq!(left, ["context_events.odd", "$users", "odd"]);
    assert_eq!(report.remarks.len(), 1);
    let said = text(&report);
    assert!(said.contains("  remark       The bundle has format 2"), "{said}");
    assert!(
        said.contains("  left behind  1 attribute of legacy rows (context_events.odd in 9 rows)")
    );
}

/// A text whose file hashes do not depend on the version of the Parquet writer.
fn hashless(text: &str) -> String {
    let is_hash = |part: &str| part.len() == 64 && part.bytes().all(|c| c.is_ascii_hexdigit());
    let parts = text.split('`').map(|part| if is_hash(part) { "<sha256>" } else { part });
    parts.collect::<Vec<_>>().join("`")
}

#[test]
#[allow(clippy::too_many_lines, reason = "a golden text")]
fn the_markdown_says_all_of_it() {
    insta::assert_snapshot!(hashless(&markdown(&with_findings("sample.zip"))), @r"
    # Findings: not fit for import

    Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; 1 of 5 rules is violated; nothing was imported.

    - Source: archive `sample.zip` “sample.zip”
    - Snapshot: `sample`
    - Contract: `sample`
    - Bundle: `b1`
    - Program: rethread 0.2.0
    - Noted: 2 items in no conversation (sample.zip, …)
    - Left behind: 1 attribute of legacy rows (context\_events.sample.zip in 9 rows)
    - Left behind: 4 link values of 1 link (context\_events.sample.zip: 4)
    - Left behind: 1 rule of the app's schema (context\_events.owner sample.zip)
    - Left behind: 2 other entities stay in the app ($users, sample.zip)
    - Links: 4 values lead to no row: the row it names is not in the source (4)
    - Links: 2 values lead to a row that was set aside

    ## What was found

    1 rule does not hold. A rule that looked at no row although there were rows counts as one.

    Rules that do not hold

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | message order of every context is unchanged | violated | 48,194 | 2 | sample.zip |


    ## What you should know

    What is noted was counted in the migrated rows, for somebody to look at; it stops nothing but where the contract sets a limit. What is left behind was read and is not in the target: it is still in the source, and in the snapshot (attributes in its `_extra` column, links in `data/links`); other entities stay in the app.

    Noted: counted, and no reason to fail

    | what | how many | first ones |
    | --- | ---: | --- |
    | items in no conversation | 2 | sample.zip |

    Left behind: read, and not in the target

    | what | name | rows or values | first ones |
    | --- | --- | ---: | --- |
    | attribute | `context_events.sample.zip` | 9 | sample.zip |
    | entity | `$users` | 31 |  |
    | entity | `sample.zip` | 7 |  |
    | link | `context_events.sample.zip` | 4 | sample.zip |
    | rule of the schema | `context_events.owner` | 1 | sample.zip |


    ## Where every row went

    For every legacy table: rows = migrated + merged + quarantined. A merged row says the same as another row that stands for it.

    Every legacy row and where it went

    | legacy table | rows | migrated | merged | quarantined | equation |
    | --- | ---: | ---: | ---: | ---: | --- |
    | `context_contexts` | 1,204 | 1,201 | 3 | 0 | holds |
    | `context_events` | 48,211 | 48,194 | 12 | 5 | holds |

    Rows the app had in the target model already

    | target table | rows before | carried | merged |
    | --- | ---: | ---: | ---: |
    | `threads` | 2 | 1 | 1 |


    ## Links

    Each cell stands for the rules about one link: are both ends there, is it there where the contract requires it, does it lead where the source says? No rule about links is violated. 6 values of the source lead to no row of the target; `data/quarantine/links.parquet` lists them.

    Links of the target: rows looked at, links missing

    | target table | thread |
    | --- | ---: |
    | `items` | 48,194 ✓ |

    Values of the source that lead to no row of the target

    | link | why | values |
    | --- | --- | ---: |
    | `context_events.sample.zip` | the row it names is not in the source | 3 |
    | `context_events.items.ref` | the row it names is not in the source | 1 |
    | `context_events.items.ref` | the row it names was quarantined | 2 |

    Attributes that hold ids of other rows

    | attribute | values | lead to a row | to a quarantined one | to none |
    | --- | ---: | ---: | ---: | ---: |
    | `items.ref` | 40,000 | 39,997 | 2 | 1 |


    ## Order

    Do the rows of every table, and within every parent, stand in the order they had?

    Order of the rows

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | message order of every context is unchanged | violated | 48,194 | 2 | sample.zip |


    ## Repairs

    1,007 values did not come from the rule's first source. Each is listed in `data/repairs/`.

    Values that did not come from their first source

    | target table | attribute | what was done | rows |
    | --- | --- | --- | ---: |
    | `items` | `createdAt` | from $server | 1,007 |


    ## Quarantine

    5 legacy rows could not satisfy the contract and stand aside whole, with the rule and the reason, in `data/quarantine/`.

    Quarantined rows by the rule that refused them

    | legacy table | rule | rows | first rows |
    | --- | --- | ---: | --- |
    | `context_events` | items.context required | 1 | e3 (row 5): it was set aside, after context\_contexts:c1 |
    | `context_events` | items.createdAt required | 4 | sample.zip (row 3): it is absent; a row without id (row 4): it is absent; e4 (row 6): it is absent |


    ## Contract

    `sample`: a test. The bundle keeps it as `data/contract.toml` and, filled in, as `data/CONTRACT.md`.

    Limits of the contract

    | limit | allows | the data has | outcome |
    | --- | --- | ---: | --- |
    | `rollout.max_quarantined` | 0 | 5 | exceeded |
    | `rollout.max_repaired` | any | 1,007 | within |
    | `rollout.max_left_behind` | 0 | 4 | exceeded |

    Blanks to fill

    | blank |
    | --- |
    | `release.to` |
    | `before.entrypoints` |
    | `before.apis` |
    | `after.entrypoints` |
    | `after.apis` |
    | `rollout.canary` |
    | `rollout.rollback_trigger` |
    | `rollout.rollback_action` |
    | `implementation.reason` |


    ## The target's tables

    Rows = migrated + existing: existing rows were in the app before and are carried as they are. Adopted: legacy rows that stand on an existing row.

    Rows of every table

    | target table | rows | migrated | existing | adopted |
    | --- | ---: | ---: | ---: | ---: |
    | `threads` | 2 | 1 | 1 | 2 |
    | `items` | 3 | 3 | 0 | 0 |

    Links that are tables of their own

    | link | leads to | what | pairs |
    | --- | --- | --- | ---: |
    | `emails.item` | `items` | carried | 1 |


    ## Where every link went

    Values = migrated + merged + quarantined + dropped. Merged values are those of merged rows. A quarantined value is one of a quarantined row, or leads to one; a dropped value leads to no row for another reason. `data/quarantine/links.parquet` lists the values of migrated rows that lead to no row.

    Every legacy link value and where it went

    | legacy link | values | migrated | merged | quarantined | dropped |
    | --- | ---: | ---: | ---: | ---: | ---: |
    | `context_events.sample.zip` | 48,000 | 47,990 | 2 | 5 | 3 |


    ## Mapped ids

    The target takes only UUIDs. Any other id became one that is computed from it; `data/ids.parquet` lists every pair.

    Ids that are no UUID

    | legacy table | ids |
    | --- | ---: |
    | `context_contexts` | 17 |


    ## Hashes, and how to check them

    A logical digest says what the rows say, whatever store holds them: the sum of a hash per row. Parquet, JSONL and database give the same.

    ```sh
    sha256sum -c manifest-sha256.txt    # every file is as it was sealed
    sha256sum manifest-sha256.txt    # the bundle's digest
    bagit.py --validate .    # the same by BagIt's own tool
    ```

    Digests

    | what | name | digest | how |
    | --- | --- | --- | --- |
    | bundle | `b1` | `<sha256>` | SHA-256 of `manifest-sha256.txt` |
    | snapshot | `sample` | `<sha256>` | SHA-256 of the snapshot's `manifest-sha256.txt` |
    | contract | `sample` | `<sha256>` | SHA-256 of `data/contract.toml` |


    ## What to do next

    1. Look at the rules that are violated, repair the legacy rows or the contract, and run again. Nothing can be imported before.
    2. Look at the quarantine: repair these rows in the source and export again, or leave them out by `rollout.max_quarantined`. They stand whole in `data/quarantine/`.
    3. Fill the blanks of the contract: `rethread contract init` writes a file for them.
    ");
}

#[test]
fn the_json_form_comes_back_the_same() {
    let report = imported();
    let back: Report = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(back, report);
    assert!(report.json().unwrap().starts_with("{\n  \"report_format\": 3,\n"));
}

#[test]
fn samples_are_the_first_of_each_rule_and_no_payload() {
    let report = with_findings("x");
    let ids: Vec<_> =
        report.quarantine[1].samples.iter().map(|it| (it.id.as_deref(), it.row)).collect();
    assert_eq!(ids, [(Some("x"), Some(3)), (None, Some(4)), (Some("e4"), Some(6))]);
    assert_eq!(report.quarantine[0].samples[0].cause.as_deref(), Some("context_contexts:c1"));
    for text in [report.json().unwrap(), html(&report), markdown(&report)] {
        assert!(!text.contains("secret"));
    }
}

const HOSTILE: &str = "</style><script>alert(1)</script>\"><img src=//evil onerror=alert(1)> ' onload=x \
                       `</code>` | [x](http://evil) \u{202e}gnp.\u{0}\u{1b}[31m\n# h\n";

/// The tags this program writes.
const OURS: [&str; 51] = [
    "aside",
    "!doctype",
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "main",
    "header",
    "svg",
    "circle",
    "path",
    "div",
    "p",
    "h1",
    "h2",
    "dl",
    "dt",
    "dd",
    "span",
    "nav",
    "ul",
    "ol",
    "li",
    "a",
    "section",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "details",
    "summary",
    "pre",
    "rect",
    "footer",
    "script",
    "figure",
    "figcaption",
    "strong",
    "desc",
    "defs",
    "pattern",
    "text",
    "line",
    "h3",
    "small",
];

#[test]
fn the_page_is_inert_whatever_the_data() {
    let mut report = with_findings(HOSTILE);
    with_everything(&mut report, HOSTILE);
    let page = html(&report);
    // The script is ours, and the only one that the page allows.
    let (before, rest) = page.split_once("<script>").unwrap();
    let (_, after) = rest.split_once("</script>").unwrap();
    let page = format!("{before}{after}");
    assert!(!page.contains("<script") && page.contains("script-src 'sha256-"));
    // Every tag is one this program writes.
    for (at, _) in page.match_indices('<') {
        let tag = page[at + 1..].trim_start_matches('/');
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next().unwrap();
        assert!(OURS.contains(&name), "{}", &page[at..at + 60]);
        let inside = &tag[..tag.find('>').unwrap()];
        let attributes = inside.split(' ').skip(1).filter_map(|it| it.split_once('='));
        for (attribute, value) in attributes {
            assert!(!attribute.starts_with("on") && attribute != "src", "{inside}");
            assert!(attribute != "href" || value.starts_with("\"#"), "{inside}");
        }
    }
    assert_eq!(page.matches("</style>").count(), 1);
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("//"));
    for c in ['\u{202e}', '\u{0}', '\u{1b}'] {
        assert!(!page.contains(c) && !markdown(&with_findings(HOSTILE)).contains(c));
    }
    assert!(
        page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha")
    );
    for text in [junit(&report).unwrap(), findings(&report)] {
        for c in ['\u{202e}', '\u{0}', '\u{1b}'] {
            assert!(!text.contains(c));
        }
    }
    assert!(!junit(&report).unwrap().contains("<img"));
}

#[test]
fn the_page_stays_small_whatever_the_data() {
    let mut report = with_findings(&HOSTILE.repeat(50));
    report.rules = (0..150).flat_map(|_| report.rules.clone().into_iter().take(4)).collect();
    for rule in &mut report.rules {
        rule.outcome = Outcome::Failed;
        rule.samples = vec!["\"\u{202e}".repeat(100); 5];
        rule.query = "\"".repeat(10_000);
    }
    report.left_behind = vec![report.left_behind[0].clone(); 20_000];
    report.notes = vec![report.notes[0].clone(); 20_000];
    report.remarks = vec!["\u{202e}".repeat(1000); 2];
    with_everything(&mut report, &HOSTILE.repeat(50));
    let figures = report.figures.as_mut().unwrap();
    figures.series = vec![figures.series[0].clone(); 300];
    figures.values = vec![figures.values[0].clone(); 300];
    figures.sizes = vec![figures.sizes[0].clone(); 300];
    let plan = report.schema_plan.as_mut().unwrap();
    plan.steps = vec![plan.steps[0].clone(); 5_000];
    plan.findings = vec![plan.findings[0].clone(); 5_000];
    let document = report.document.as_mut().unwrap();
    for section in &mut document.sections {
        section.blocks = section.blocks.iter().cycle().take(2_000).cloned().collect();
    }
    report.repairs = vec![report.repairs[0].clone(); 20_000];
    let page = html(&report);
    assert!(page.len() <= 1 << 20, "{} bytes", grouped(page.len() as u64));
    assert!(page.contains("and 19,"), "what is left out is counted");
    assert!(markdown(&report).chars().count() <= 65_536, "it fits a pull request");
    assert!(text(&report).lines().count() < 75);
}

#[test]
fn reports_are_written_beside_the_seal() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("b1");
    let bundle = bundle(&root, "x");
    let report = Report::new(&bundle, &blank(), None, None);
    let places = write(&report, &root).unwrap();
    let names: Vec<_> =
        places.iter().map(|it| it.strip_prefix(&root).unwrap().display().to_string()).collect();
    let expected = [
        "report/report.json",
        "report/report.schema.json",
        "report/report.md",
        "report/report.html",
        "report/junit.xml",
        "report/findings.csv",
    ];
    assert_eq!(names, expected);
    let read = || places.iter().map(|place| std::fs::read(place).unwrap()).collect::<Vec<_>>();
    let before = read();
    write(&report, &root).unwrap();
    assert_eq!(read(), before);
    Bundle::open(&root, &Silent).unwrap();
}

/// Adds what other stages bring: figures, the schema plan, the filled-in contract.
#[allow(clippy::too_many_lines, reason = "one value, member by member")]
fn with_everything(report: &mut Report, odd: &str) {
    use crate::document::{Block, Section};
    use crate::reconcile::{
        Class, EntityRules, Finding, Permissions, RuleKind, RuleLeft, RulesFrom, Step,
    };
    use figures::{After, Before, Bin, Moved, Point, Series, Sizes, Unit, Values};
    let odd = || odd.to_owned();
    let rows = Moved { before: 9, merged: 1, quarantined: 2, dropped: 1, adopted: 1, after: 4 };
    let point = |day: u32| Point { from: format!("2026-03-{day:02}"), rows };
    report.figures = Some(Figures {
        bundle_digest: report.bundle.digest.clone(),
        series: vec![Series {
            source: odd(),
            target: odd(),
            attr: odd(),
            rule: Some(odd()),
            unit: Unit::Day,
            points: (1..=28).map(point).collect(),
            earlier: rows,
            later: Moved::default(),
            undated: rows,
            explained: Some(true),
        }],
        values: vec![Values {
            source: odd(),
            from: vec![odd()],
            target: odd(),
            attr: odd(),
            before: vec![
                Before { value: Some(odd()), becomes: Some(odd()), rows: 5, migrated: 4 },
                Before { value: None, becomes: None, rows: 1, migrated: 0 },
            ],
            after: vec![After { value: Some(odd()), expected: 4, rows: 5 }],
            more: 3,
            agrees: Some(false),
        }],
        sizes: vec![Sizes {
            source: odd(),
            from: vec![odd()],
            target: odd(),
            attr: odd(),
            bins: vec![Bin { from: 0, below: 2, rows }, Bin { from: 2, below: 4, rows }],
            absent: rows,
            bytes_before: 9,
            bytes_after: 8,
            largest_before: 3,
            largest_after: 3,
            explained: None,
        }],
    });
    report.schema_plan = Some(SchemaPlan {
        given: false,
        from_schema: true,
        steps: vec![Step {
            kind: "unique".to_owned(),
            push: 1,
            params: Json::Array(vec![Json::String(odd())]),
            what: odd(),
            description: odd(),
            class: Class::Warning,
            needed_by: vec![odd()],
            data: odd(),
            fails: 2,
            samples: vec![odd()],
        }],
        findings: vec![Finding { what: odd(), said: odd(), help: odd() }],
        rules_left: vec![RuleLeft {
            kind: RuleKind::OnDelete,
            entity: odd(),
            label: odd(),
            what: odd(),
            lost: odd(),
            line: odd(),
        }],
        app: AppSettings {
            rules: Rules::parse(&Json::from_iter([(odd(), json!({}))]).to_string()).unwrap(),
            webhooks: vec![Webhook { namespaces: vec![odd()], actions: vec![odd()] }],
            email_templates: vec![odd()],
        },
        permissions: Some(Permissions {
            rules: Rules::closed(),
            entities: vec![EntityRules {
                entity: odd(),
                from: RulesFrom::Source,
                of: vec![odd()],
                left: vec![odd()],
                opened: vec![odd()],
                lines: odd(),
            }],
        }),
    });
    report.document = Some(Document {
        title: odd(),
        sections: vec![Section {
            number: 1,
            title: odd(),
            blocks: vec![
                Block::Heading(odd()),
                Block::Text(odd()),
                Block::List(vec![odd()]),
                Block::Table { columns: vec![odd()], rows: vec![vec![odd()]] },
            ],
        }],
        blanks: vec![odd()],
    });
}

#[test]
fn every_section_has_its_place_and_its_words() {
    let mut report = with_findings("x");
    with_everything(&mut report, "named so");
    let page = html(&report);
    let place = |id: &str| page.find(&format!("<section id=\"{id}\"")).expect(id);
    let ids = [
        "violated",
        "noted",
        "counts",
        "time",
        "values",
        "sizes",
        "links",
        "order",
        "repairs",
        "quarantine",
        "schema",
        "cutover",
        "contract",
        "targets",
        "legacy-links",
        "ids",
        "rules",
        "hashes",
        "next",
    ];
    let places = ids.map(place);
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.find("class=\"sum\"").unwrap() < page.find("id=\"flow-wide-t\"").unwrap());
    assert!(page.find("id=\"flow-wide-t\"").unwrap() < places[0], "the flow stands first");
    for text in [
        "28 days",
        "Not drawn: before the first: 9 before, 4 after; without a time: 9 before, 4 after",
        "✕</span> differs",
        "not comparable",
        "would fail",
        "1. named so",
        "and 3 more",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // Every drawing has its title, its description and a table that says the same.
    let drawings = page.matches("<svg class=\"chart\"").count();
    assert_eq!(drawings, 2 * (1 + 3), "each for wide and for narrow screens");
    assert_eq!(page.matches("</desc>").count(), drawings);
    assert_eq!(page.matches("<summary>The same as").count(), 3);
    let text = markdown(&report);
    assert!(text.contains("## Schema plan") && text.contains("would fail"), "{text}");
    assert!(!text.contains("## Every rule") && !text.contains("<svg"));
}

#[test]
fn a_build_server_sees_what_does_not_hold() {
    let mut report = with_findings("=place(1)");
    report.rules.push(Rule {
        outcome: Outcome::NotEvaluated,
        kind: "order".to_owned(),
        ..report.rules[0].clone()
    });
    insta::assert_snapshot!(junit(&report).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="rethread" tests="6" skipped="1" failures="2" errors="0">
        <testsuite name="count" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="every context_events row is accounted for" classname="count.items.thread" assertions="48194"/>
        </testsuite>
        <testsuite name="link" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="every items row links to its threads row" classname="link.items.thread" assertions="48194"/>
        </testsuite>
        <testsuite name="sequence" tests="1" skipped="0" errors="0" failures="1">
            <testcase name="message order of every context is unchanged" classname="sequence.items.thread" assertions="48194">
                <failure message="2 of 48,194 rows" type="violated">=place(1)

    SELECT count(*) FROM &apos;data/parquet/items.parquet&apos; WHERE thread IS NULL AND id &lt;&gt; &apos;&apos;</failure>
            </testcase>
        </testsuite>
        <testsuite name="bijection" tests="1" skipped="1" errors="0" failures="0">
            <testcase name="one thread per context" classname="bijection.items.thread" assertions="0">
                <skipped message="there was no row to look at"/>
            </testcase>
        </testsuite>
        <testsuite name="note" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="items in no conversation: items without context" classname="note.items.thread" assertions="48194"/>
        </testsuite>
        <testsuite name="order" tests="1" skipped="0" errors="0" failures="1">
            <testcase name="every context_events row is accounted for" classname="order.items.thread" assertions="48194">
                <failure message="it looked at no row although there were rows" type="not_evaluated">

    SELECT count(*) FROM &apos;data/parquet/items.parquet&apos; WHERE thread IS NULL AND id &lt;&gt; &apos;&apos;</failure>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
    report.rules.clear();
    let text = junit(&report).unwrap();
    assert!(text.contains("failures=\"1\"") && text.contains("nobody has checked the result yet"));
}

#[test]
fn a_spreadsheet_gets_every_finding() {
    let mut report = with_findings("=place(1)");
    with_everything(&mut report, "=cmd()");
    insta::assert_snapshot!(findings(&report).replace('\r', ""), @r#"
    finding,kind,entity,attr,rule,rows,of,detail
    rule violated,sequence,items,thread,message order of every context is unchanged,2,48194,
    rule sample,sequence,items,thread,message order of every context is unchanged,1,,"'=place(1)"
    noted,note,items,thread,items in no conversation: items without context,2,48194,
    rule sample,note,items,thread,items in no conversation: items without context,1,,"'=place(1)"
    limit exceeded,limit,,,rollout.max_quarantined,5,,allows 0
    limit exceeded,limit,,,rollout.max_left_behind,4,,allows 0
    rows merged,account,context_contexts,,,3,1204,
    rows merged,account,context_events,,,12,48211,
    rows quarantined,quarantine,context_events,,items.context required,1,,
    quarantined row,quarantine,context_events,,items.context required,1,,"e3 (row 5): it was set aside, after context_contexts:c1"
    rows quarantined,quarantine,context_events,,items.createdAt required,4,,
    quarantined row,quarantine,context_events,,items.createdAt required,1,,"'=place(1) (row 3): it is absent"
    quarantined row,quarantine,context_events,,items.createdAt required,1,,a row without id (row 4): it is absent
    quarantined row,quarantine,context_events,,items.createdAt required,1,,e4 (row 6): it is absent
    ids mapped,id,context_contexts,id,,17,,no UUID before
    values repaired,repair,items,createdAt,from $server,1007,,
    links dropped,link,context_events,"'=place(1)",,3,48000,the row it names is not in the source
    links dropped,link,context_events,items.ref,,1,40000,the row it names is not in the source
    links dropped,link,context_events,items.ref,,2,40000,the row it names was quarantined
    attribute left behind,left behind,context_events,"'=place(1)",,9,,"'=place(1)"
    entity left behind,left behind,$users,,,31,,
    entity left behind,left behind,"'=place(1)",,,7,,
    link left behind,left behind,context_events,"'=place(1)",,4,,"'=place(1)"
    rule of the schema left behind,left behind,context_events,owner,,1,,"'=place(1)"
    blank to fill,contract,,,release.to,,,
    blank to fill,contract,,,before.entrypoints,,,
    blank to fill,contract,,,before.apis,,,
    blank to fill,contract,,,after.entrypoints,,,
    blank to fill,contract,,,after.apis,,,
    blank to fill,contract,,,rollout.canary,,,
    blank to fill,contract,,,rollout.rollback_trigger,,,
    blank to fill,contract,,,rollout.rollback_action,,,
    blank to fill,contract,,,implementation.reason,,,
    values differ,value,"'=cmd()","'=cmd()",,,,the target has some value more or less often than the rule makes it
    schema step would fail,schema,"'=cmd()",,unique,2,,"'=cmd()"
    schema finding,schema,"'=cmd()",,,,,"'=cmd(); =cmd()"
    "#);
}

/// What of a value the schema does not allow; knows the words the schema uses.
fn misfits(root: &Json, schema: &Json, value: &Json, at: &str, out: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &root["$defs"][name.trim_start_matches("#/$defs/")],
        None => schema,
    };
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Json| {
            let mut wrong = Vec::new();
            misfits(root, choice, value, at, &mut wrong);
            wrong.is_empty()
        };
        if choices.iter().filter(fits).count() != 1 {
            out.push(format!("{at}: not one of the choices"));
        }
        return;
    }
    let ty = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Json::String(name) => vec![name.as_str()],
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        _ => vec![ty],
    };
    if !types.contains(&ty) {
        out.push(format!("{at}: {ty}, not {types:?}"));
    }
    let constant = schema.get("const").is_none_or(|wanted| wanted == value);
    let listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
    if !constant || !listed {
        out.push(format!("{at}: another value"));
    }
    match value {
        Json::Array(items) => inside(root, schema, items, at, out),
        Json::Object(members) => members_of(root, schema, members, at, out),
        _ => {}
    }
}

/// What of the items of an array the schema does not allow.
fn inside(root: &Json, schema: &Json, items: &[Json], at: &str, out: &mut Vec<String>) {
    let first = schema["prefixItems"].as_array();
    if first.is_some_and(|first| first.len() != items.len()) {
        out.push(format!("{at}: {} items", items.len()));
    }
    for (number, item) in items.iter().enumerate() {
        let schema = first.and_then(|first| first.get(number)).unwrap_or(&schema["items"]);
        misfits(root, schema, item, &format!("{at}[{number}]"), out);
    }
}

/// What of the members of an object the schema does not allow.
fn members_of(
    root: &Json,
    schema: &Json,
    members: &serde_json::Map<String, Json>,
    at: &str,
    out: &mut Vec<String>,
) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for name in required.iter().filter_map(Json::as_str).filter(|name| !members.contains_key(*name))
    {
        out.push(format!("{at}: no `{name}`"));
    }
    for (name, member) in members.iter().filter(|_| schema["properties"].is_object()) {
        match schema["properties"].get(name) {
            Some(schema) => misfits(root, schema, member, &format!("{at}.{name}"), out),
            None => out.push(format!("{at}: `{name}` is not in the schema")),
        }
    }
}

/// Objects of a value, by where they stand.
fn objects(value: &Json, at: &str, out: &mut Vec<String>) {
    let mut inside = |name: String, value: &Json| objects(value, &format!("{at}/{name}"), out);
    match value {
        Json::Array(items) => {
            items.first().into_iter().for_each(|item| inside("0".to_owned(), item));
        }
        Json::Object(members) => {
            members.iter().for_each(|(name, member)| inside(name.clone(), member));
            out.push(at.to_owned());
        }
        _ => {}
    }
}

/// The members of a report that may be absent.
const MAY_LACK: [&str; 5] = ["refs", "lost", "figures", "schema_plan", "document"];

#[test]
fn the_schema_and_the_types_say_the_same() {
    let schema: Json = serde_json::from_str(SCHEMA).unwrap();
    let mut report = imported();
    with_everything(&mut report, "x");
    let all = serde_json::to_value(&report).unwrap();
    let wrong = |value: &Json| {
        let mut wrong = Vec::new();
        misfits(&schema, &schema, value, "report", &mut wrong);
        wrong
    };
    for report in [report.clone(), with_findings(HOSTILE)] {
        assert_eq!(wrong(&serde_json::to_value(&report).unwrap()), Vec::<String>::new());
    }
    // A member more is refused by both; so is a member less, where it is not one that may be absent.
    let mut places = Vec::new();
    objects(&all, "", &mut places);
    assert!(places.len() > 30, "{places:?}");
    // Permission rules are what InstantDB takes for some.
    places.retain(|place| {
        !["/schema_plan/app/rules", "/schema_plan/permissions/rules"]
            .iter()
            .any(|rules| place.starts_with(rules))
    });
    for place in &places {
        let mut more = all.clone();
        let object = more.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("another".to_owned(), json!(1));
        assert!(!wrong(&more).is_empty(), "{place} with another member fits the schema");
        assert!(serde_json::from_value::<Report>(more).is_err(), "{place} with another member");
        let names: Vec<String> =
            all.pointer(place).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut less = all.clone();
            less.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(&name);
            let may_lack = match place.split('/').nth(1) {
                None => MAY_LACK.contains(&&*name),
                Some("rules") => ["allows", "noun"].contains(&&*name),
                Some("schema_plan") => {
                    [
                        "app",
                        "permissions",
                        "rules",
                        "webhooks",
                        "emailTemplates",
                        "left",
                        "opened",
                        "lines",
                    ]
                    .contains(&&*name)
                        && !place.ends_with("/permissions")
                }
                Some("left_behind") => ["name", "samples"].contains(&&*name),
                Some(_) => false,
            };
            assert_eq!(wrong(&less).is_empty(), may_lack, "{place} without `{name}`");
        }
    }
}
