//! What proves the result: rules, the target's own checks, hashes.

use super::{Block, Cell, Detail, Section, Table, clip, counted};
use crate::report::{Report, State};
use crate::verify::{Outcome, Rule};

/// The rules that are violated or looked at nothing.
pub(super) fn violated(report: &Report, detail: Detail) -> Option<Section> {
    let wrong = |rule: &&Rule| matches!(rule.outcome, Outcome::Failed | Outcome::NotEvaluated);
    let rules: Vec<&Rule> = report.rules.iter().filter(wrong).collect();
    if rules.is_empty() {
        return None;
    }
    let table = Table::new("Rules that do not hold", &RULE_COLUMNS);
    Some(Section {
        id: "violated",
        title: "What was found",
        lead: format!(
            "{} not hold. A rule that looked at no row although there were rows counts as one.",
            counted(rules.len() as u64, "rule does", "rules do")
        ),
        blocks: vec![Block::Table(table.fill(detail, rules.into_iter(), rule_row))],
    })
}

pub(super) const RULE_COLUMNS: [(&str, bool); 5] = [
    ("rule", false),
    ("outcome", false),
    ("evaluated", true),
    ("violations", true),
    ("first ones", false),
];

pub(super) fn rule_row(rule: &Rule) -> Vec<Cell> {
    vec![
        Cell::words(&rule.rule),
        Cell::outcome(rule.outcome),
        Cell::Count(rule.evaluated),
        Cell::Count(rule.violations),
        samples(&rule.samples),
    ]
}

fn samples(samples: &[String]) -> Cell {
    if samples.is_empty() {
        return Cell::Empty;
    }
    Cell::Lines(samples.iter().take(5).map(|sample| clip(sample, 80)).collect())
}

pub(super) fn of_kinds<'a>(report: &'a Report, kinds: &[&str]) -> Vec<&'a Rule> {
    report.rules.iter().filter(|rule| kinds.contains(&rule.kind.as_str())).collect()
}

/// Whether the order is as it was.
pub(super) fn order(report: &Report, detail: Detail) -> Option<Section> {
    let rules = of_kinds(report, &["order", "sequence"]);
    if rules.is_empty() {
        return None;
    }
    let table = Table::new("Order of the rows", &RULE_COLUMNS);
    Some(Section {
        id: "order",
        title: "Order",
        lead: "Do the rows of every table, and within every parent, stand in the order they had?"
            .to_owned(),
        blocks: vec![Block::Table(table.fill(detail, rules.into_iter(), rule_row))],
    })
}

/// What the target itself checked.
pub(super) fn import(report: &Report, detail: Detail) -> Option<Section> {
    let import = report.import.as_ref()?;
    let columns = [
        ("check", false),
        ("outcome", false),
        ("evaluated", true),
        ("violations", true),
        ("first ones", false),
    ];
    let table = Table::new("Checks by the target's own means", &columns);
    let table = table.fill(detail, import.checks.iter(), |check| {
        vec![
            Cell::words(&check.name),
            Cell::holds(check.violations == 0),
            Cell::Count(check.evaluated),
            Cell::Count(check.violations),
            samples(&check.samples),
        ]
    });
    let counts = import.counts;
    Some(Section {
        id: "import",
        title: "Import",
        lead: format!(
            "The last import into `{}` ({}) created {}, updated {} and found {} unchanged. Every \
             table was read back; its logical digest is the bundle's.",
            clip(&import.name, 80),
            import.target,
            counted(counts.created, "row", "rows"),
            counted(counts.updated, "row", "rows"),
            counted(counts.unchanged, "row", "rows"),
        ),
        blocks: vec![Block::Folded(table)],
    })
}

/// Every rule, by kind, each with its query.
pub(super) fn rules(report: &Report, detail: Detail) -> Option<Section> {
    if report.verdict.state == State::NotVerified || report.rules.is_empty() || !detail.full {
        return None;
    }
    let mut kinds: Vec<&str> = Vec::new();
    for rule in &report.rules {
        if !kinds.contains(&rule.kind.as_str()) {
            kinds.push(&rule.kind);
        }
    }
    let blocks = kinds.into_iter().map(|kind| Block::Folded(rules_of(report, kind, detail)));
    Some(Section {
        id: "rules",
        title: "Every rule",
        lead: "Each can be checked again with DuckDB: run its query in the bundle's folder, with \
               `$SNAPSHOT` replaced by the snapshot's. It returns the violations."
            .to_owned(),
        blocks: blocks.collect(),
    })
}

fn rules_of(report: &Report, kind: &str, detail: Detail) -> Table {
    let rules = of_kinds(report, &[kind]);
    let hold = rules.iter().filter(|rule| matches!(rule.outcome, Outcome::Passed | Outcome::Noted));
    let hold = hold.count() as u64;
    let nothing = rules.iter().filter(|rule| rule.outcome == Outcome::NothingThere).count() as u64;
    let all = rules.len() as u64;
    let mut caption = format!("{}: {hold} of {all} hold", kind_title(kind));
    if nothing > 0 {
        caption = format!("{caption}, {nothing} had nothing to look at");
    }
    let mut columns = RULE_COLUMNS.to_vec();
    if detail.queries {
        columns.push(("query", false));
    }
    Table::new(caption, &columns).fill(detail, rules.into_iter(), |rule| {
        let mut row = rule_row(rule);
        if detail.queries {
            row.push(Cell::Query(clip(&rule.query, 3000)));
        }
        row
    })
}

fn kind_title(kind: &str) -> String {
    let title = match kind {
        "count" => "Counts",
        "account" => "Accounts",
        "link" => "Links",
        "presence" => "Presence",
        "unique" => "Uniqueness",
        "type" => "Types",
        "id" => "Ids",
        "order" => "Order",
        "same" => "Same content",
        "bijection" => "One for one",
        "sequence" => "Sequence",
        "note" => "Notes",
        "repair" => "Repairs",
        "content" => "Content of built values",
        "unfit" => "Texts that not every store holds",
        "digest" => "Digests",
        "limit" => "Limits",
        other => return clip(other, 40),
    };
    title.to_owned()
}

/// Digests, files and the commands that check them.
#[allow(clippy::unnecessary_wraps, reason = "every section may be absent; this one never is")]
pub(super) fn hashes(report: &Report, detail: Detail) -> Option<Section> {
    let digests = [
        ("bundle", &report.bundle, "SHA-256 of `manifest-sha256.txt`"),
        ("snapshot", &report.snapshot, "SHA-256 of the snapshot's `manifest-sha256.txt`"),
        ("contract", &report.contract, "SHA-256 of `data/contract.toml`"),
    ];
    let columns = [("what", false), ("name", false), ("digest", false), ("how", false)];
    let sealed = Table::new("Digests", &columns).fill(detail, digests.iter(), |(what, it, how)| {
        vec![Cell::words(what), Cell::name(&it.name), Cell::name(&it.digest), Cell::words(how)]
    });
    let columns = [("table", false), ("logical digest", false)];
    let entities = report.tables.iter().map(|table| (table.entity.clone(), &table.digest));
    let links = report.link_tables.iter();
    let links = links.map(|links| (format!("{}.{}", links.entity, links.label), &links.digest));
    let all: Vec<_> = entities.chain(links).collect();
    let logical = Table::new("Logical digests of the tables", &columns);
    let logical = logical
        .fill(detail, all.iter(), |(table, digest)| vec![Cell::name(table), Cell::name(digest)]);
    let files = Table::new("Sealed files", &[("file", false), ("SHA-256", false)]);
    let files = files
        .fill(detail, report.files.iter(), |(path, hash)| vec![Cell::name(path), Cell::name(hash)]);
    let mut blocks = vec![Block::Commands(commands(report)), Block::Table(sealed)];
    if detail.full {
        blocks.extend([Block::Folded(logical), Block::Folded(files)]);
    }
    Some(Section {
        id: "hashes",
        title: "Hashes, and how to check them",
        lead: "A logical digest says what the rows say, whatever store holds them: the sum of a \
               hash per row. Parquet, JSONL and database give the same."
            .to_owned(),
        blocks,
    })
}

fn commands(report: &Report) -> Vec<(String, String)> {
    let mut commands = vec![
        ("every file is as it was sealed", "sha256sum -c manifest-sha256.txt"),
        ("the bundle's digest", "sha256sum manifest-sha256.txt"),
        ("the same by BagIt's own tool", "bagit.py --validate ."),
    ];
    if report.import.as_ref().is_some_and(|import| import.target == "sqlite") {
        let check = "sqlite3 DATABASE 'PRAGMA integrity_check; PRAGMA foreign_key_check'";
        commands.push(("the database is whole, every link has both ends", check));
    }
    commands.into_iter().map(|(what, how)| (what.to_owned(), how.to_owned())).collect()
}
