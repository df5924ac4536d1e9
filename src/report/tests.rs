use std::path::Path;

use arrow::datatypes::{DataType, Field, Schema as Columns};
use serde_json::{Value as Json, json};

use super::*;
use crate::bundle::{Meta, Quarantine};
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
    use crate::bundle::{Equation, Existing, LinkEquation, Quarantined, Repair};
    let equation = |source: &str, rows, merged, quarantined| Equation {
        source: source.to_owned(),
        rows,
        migrated: rows - merged - quarantined,
        merged,
        quarantined,
        dropped: 0,
        adopted: vec![("threads".to_owned(), 1)],
        split: Vec::new(),
    };
    meta.source.name = odd.to_owned();
    meta.source.title = Some(odd.to_owned());
    meta.equations =
        vec![equation("context_contexts", 1_204, 3, 0), equation("context_events", 48_211, 12, 5)];
    meta.existing = vec![Existing { entity: "threads".to_owned(), rows: 2, carried: 1, merged: 1 }];
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
}

fn rules(odd: &str) -> Vec<Rule> {
    let rule = |kind: &str, rule: &str, violations: u64, outcome: Outcome| Rule {
        kind: kind.to_owned(),
        rule: rule.to_owned(),
        entity: "items".to_owned(),
        attr: "thread".to_owned(),
        evaluated: if outcome == Outcome::NothingThere { 0 } else { 48_194 },
        violations,
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
    ]
}

fn found(bundle: &Bundle, rules: Vec<Rule>) -> Verification {
    Verification { bundle_digest: bundle.digest().to_owned(), rules }
}

/// The report of a bundle whose verification found something.
fn with_findings(odd: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("b1"), odd);
    Report::new(&bundle, &sample::contract(), Some(&found(&bundle, rules(odd))), None)
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
    Report::new(
        verified.bundle(),
        verified.contract(),
        Some(verified.verification()),
        Some(&outcome),
    )
}

#[test]
fn the_verdict_comes_first() {
    insta::assert_snapshot!(imported().verdict().sentence, @"Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; all 3 rules hold; all 6 rows and links are in `thread.sqlite`, read back and equal.");
    insta::assert_snapshot!(with_findings("x").verdict().sentence, @"Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; 1 of 4 rules is violated; nothing was imported.");
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle(&folder.path().join("b1"), "x");
    let report = Report::new(&bundle, &sample::contract(), None, None);
    assert_eq!(report.verdict().state, State::NotVerified);
    insta::assert_snapshot!(report.verdict().sentence, @"Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; nobody has checked the result yet; nothing was imported.");
    let mut other = found(&bundle, rules("x"));
    other.bundle_digest = "0".repeat(64);
    let report = Report::new(&bundle, &sample::contract(), Some(&other), None);
    assert_eq!(report.verdict().state, State::NotVerified, "findings of another bundle");
}

#[test]
fn the_summary_fits_one_screen() {
    insta::assert_snapshot!(text(&imported()), @"
    verified and imported
      Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set
      aside in quarantine; all 3 rules hold; all 6 rows and links are in `thread.sqlite`, read
      back and equal.

      legacy table        rows  migrated  merged  quarantined
      context_contexts   1,204     1,201       3            0
      context_events    48,211    48,194      12            5

      target table  rows  migrated  existing  adopted
      threads          2         1         1        2
      items            3         3         0        0

      rules        2 hold, 0 violated, 0 not evaluated, 1 had nothing to look at
      repairs      1,007 values by 1 rule
      quarantine   5 rows by 2 rules
      links        3 values lead to no row
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
    insta::assert_snapshot!(text(&with_findings("x")), @"
    findings: not fit for import
      Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set
      aside in quarantine; 1 of 4 rules is violated; nothing was imported.

      legacy table        rows  migrated  merged  quarantined
      context_contexts   1,204     1,201       3            0
      context_events    48,211    48,194      12            5

      target table  rows  migrated  existing  adopted
      threads          2         1         1        2
      items            3         3         0        0

      rules        2 hold, 1 violated, 0 not evaluated, 1 had nothing to look at
      repairs      1,007 values by 1 rule
      quarantine   5 rows by 2 rules
      links        3 values lead to no row
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

    Of 49,415 legacy rows, 49,395 were migrated, 15 were merged into others and 5 were set aside in quarantine; 1 of 4 rules is violated; nothing was imported.

    - Source: archive `sample.zip` “sample.zip”
    - Snapshot: `sample`
    - Contract: `sample`
    - Bundle: `b1`
    - Program: rethread 0.1.0

    ## What was found

    1 rule does not hold. A rule that looked at no row although there were rows counts as one.

    Rules that do not hold

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | message order of every context is unchanged | violated | 48,194 | 2 | sample.zip |


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


    ## Links

    For every link of the target: are both ends there? Missing counts the links with an end that is not.

    Links of the target

    | rule | outcome | evaluated | missing | first ones |
    | --- | --- | ---: | ---: | --- |
    | every items row links to its threads row | holds | 48,194 | 0 |  |


    ## Order

    Do the rows of every table, and within every parent, stand in the order they had?

    Order of the rows

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | message order of every context is unchanged | violated | 48,194 | 2 | sample.zip |


    ## Quarantine

    5 legacy rows could not satisfy the contract and stand aside whole, with the rule and the reason, in `data/quarantine/`.

    Quarantined rows by the rule that refused them

    | legacy table | rule | rows | first rows |
    | --- | --- | ---: | --- |
    | `context_events` | items.context required | 1 | e3 (row 5): it was set aside, after context\_contexts:c1 |
    | `context_events` | items.createdAt required | 4 | sample.zip (row 3): it is absent; a row without id (row 4): it is absent; e4 (row 6): it is absent |


    ## Repairs

    1,007 values did not come from the rule's first source. Each is listed in `data/repairs/`.

    Values that did not come from their first source

    | target table | attribute | what was done | rows |
    | --- | --- | --- | ---: |
    | `items` | `createdAt` | from $server | 1,007 |


    ## Mapped ids

    The target takes only UUIDs. Any other id became one that is computed from it; `data/ids.parquet` lists every pair.

    Ids that are no UUID

    | legacy table | ids |
    | --- | ---: |
    | `context_contexts` | 17 |


    ## Where every link went

    Values = migrated + merged + quarantined + dropped. Merged and quarantined values are those of such rows; a dropped value led to no row and is listed in `data/quarantine/links.parquet`.

    Every legacy link value and where it went

    | legacy link | values | migrated | merged | quarantined | dropped |
    | --- | ---: | ---: | ---: | ---: | ---: |
    | `context_events.sample.zip` | 48,000 | 47,990 | 2 | 5 | 3 |


    ## What the contract does not name

    Nothing of this is lost: attributes stay in the snapshot's `_extra` column, other entities in the source.

    Attributes no rule names

    | table | attribute | rows |
    | --- | --- | ---: |
    | `context_events` | `sample.zip` | 9 |

    Entities no rule names

    | entity | rows |
    | --- | ---: |
    | `$users` | 31 |
    | `sample.zip` | 7 |


    ## Contract

    `sample`: a test. The bundle keeps it as `data/contract.toml` and, filled in, as `data/CONTRACT.md`.

    Limits of the contract

    | limit | allows | the data has | outcome |
    | --- | --- | ---: | --- |
    | `rollout.max_quarantined` | 0 | 5 | exceeded |
    | `rollout.max_repaired` | any | 1,007 | within |

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


    ## Every rule

    Each can be checked again with DuckDB: run its query in the bundle's folder, with `$SNAPSHOT` replaced by the snapshot's. It returns the violations.

    Counts: 1 of 1 hold

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | every context\_events row is accounted for | holds | 48,194 | 0 |  |

    Links: 1 of 1 hold

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | every items row links to its threads row | holds | 48,194 | 0 |  |

    Sequence: 0 of 1 hold

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | message order of every context is unchanged | violated | 48,194 | 2 | sample.zip |

    One for one: 0 of 1 hold, 1 had nothing to look at

    | rule | outcome | evaluated | violations | first ones |
    | --- | --- | ---: | ---: | --- |
    | one thread per context | nothing there | 0 | 0 |  |


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

    Logical digests of the tables

    | table | logical digest |
    | --- | --- |
    | `threads` | `9ff2054db5ee7aa9eafe18d1792377ad` |
    | `items` | `a57152e6b058eee8926d242d40e458ee` |
    | `emails.item` | `2fce698a67d99e5f6a8d8781f95c9df6` |

    Sealed files

    | file | SHA-256 |
    | --- | --- |
    | `data/bundle.json` | `<sha256>` |
    | `data/parquet/items.parquet` | `<sha256>` |
    | `data/parquet/links/emails.item.parquet` | `<sha256>` |
    | `data/parquet/threads.parquet` | `<sha256>` |
    | `data/quarantine/context_events.parquet` | `<sha256>` |


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
    assert!(report.json().unwrap().starts_with("{\n  \"report_format\": 1,\n"));
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

#[test]
fn the_page_is_inert_whatever_the_data() {
    let page = html(&with_findings(HOSTILE));
    // Every tag is one this program writes.
    let ours = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "header", "svg",
        "circle", "path", "div", "p", "h1", "h2", "dl", "dt", "dd", "span", "nav", "ul", "ol",
        "li", "a", "section", "table", "caption", "thead", "tbody", "tr", "th", "td", "code",
        "details", "summary", "pre", "rect", "footer",
    ];
    for (at, _) in page.match_indices('<') {
        let tag = page[at + 1..].trim_start_matches('/');
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next().unwrap();
        assert!(ours.contains(&name), "{}", &page[at..at + 60]);
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
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
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
    report.unmapped.attrs = vec![("e".to_owned(), "\u{202e}".repeat(1000), 1); 20_000];
    report.repairs = vec![report.repairs[0].clone(); 20_000];
    let page = html(&report);
    assert!(page.len() <= 1 << 20, "{} bytes", grouped(page.len() as u64));
    assert!(page.contains("and 19,"), "what is left out is counted");
    assert!(text(&report).lines().count() < 40);
}

#[test]
fn reports_are_written_beside_the_seal() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("b1");
    let bundle = bundle(&root, "x");
    let report = Report::new(&bundle, &sample::contract(), None, None);
    let places = write(&report, &root).unwrap();
    let names: Vec<_> =
        places.iter().map(|it| it.strip_prefix(&root).unwrap().display().to_string()).collect();
    assert_eq!(names, ["report/report.json", "report/report.md", "report/report.html"]);
    let before = std::fs::read(&places[2]).unwrap();
    write(&report, &root).unwrap();
    assert_eq!(std::fs::read(&places[2]).unwrap(), before);
    Bundle::open(&root, &Silent).unwrap();
}
