//! Every link of the target, as a matrix of target table and link.

use std::collections::BTreeMap;

use super::proofs::{RULE_COLUMNS, of_kinds, rule_row};
use super::{Block, Cell, Detail, Section, Table, counted};
use crate::report::Report;
use crate::verify::{Outcome, Rule};

/// How many links a matrix has columns for; the table of rules has them all.
const COLUMNS: usize = 12;

/// What the rules about a link found together: rows looked at, violations, the worst outcome.
type Ends = (u64, u64, Outcome);

/// The links of the target's tables and of other entities, as they come.
#[derive(Default)]
struct Links<'r> {
    entities: Vec<&'r str>,
    labels: Vec<&'r str>,
    others: Vec<(&'r str, &'r str)>,
    cells: BTreeMap<(&'r str, &'r str), Ends>,
}

impl<'r> Links<'r> {
    fn of(report: &'r Report, rules: &[&'r Rule]) -> Self {
        let mut links = Self::default();
        for rule in rules {
            let (entity, label) = (rule.entity.as_str(), rule.attr.as_str());
            if report.tables.iter().any(|table| table.entity == entity) {
                add(&mut links.entities, entity);
                add(&mut links.labels, label);
            } else {
                add(&mut links.others, (entity, label));
            }
            let cell = links.cells.entry((entity, label));
            let cell = cell.or_insert((0, 0, Outcome::NothingThere));
            cell.0 = cell.0.max(rule.evaluated);
            cell.1 = cell.1.saturating_add(rule.violations);
            cell.2 = worse(cell.2, rule.outcome);
        }
        links
    }

    fn cell(&self, entity: &str, label: &str) -> Cell {
        match self.cells.get(&(entity, label)) {
            Some((evaluated, missing, outcome)) => Cell::Ends(*evaluated, *missing, *outcome),
            None => Cell::Empty,
        }
    }

    fn tables(&self, detail: Detail) -> Vec<Block> {
        let shown = &self.labels[..self.labels.len().min(COLUMNS)];
        let caption = "Links of the target: rows looked at, links missing";
        let mut table = Table::new(caption, &[("target table", false)]);
        table.columns.extend(shown.iter().map(|label| (super::clip(label, 40).into(), true)));
        let table = table.fill(detail, self.entities.iter(), |entity| {
            let cells = shown.iter().map(|label| self.cell(entity, label));
            std::iter::once(Cell::name(entity)).chain(cells).collect()
        });
        let mut blocks = vec![Block::Table(table)];
        if !self.others.is_empty() {
            let columns = [("link", false), ("rows looked at, missing", true)];
            let table = Table::new("Links of other entities to the target's tables", &columns);
            blocks.push(Block::Table(table.fill(detail, self.others.iter(), |(entity, label)| {
                vec![Cell::name(&format!("{entity}.{label}")), self.cell(entity, label)]
            })));
        }
        blocks
    }
}

fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

/// For every link of the target: rows looked at, links missing.
pub(super) fn matrix(report: &Report, detail: Detail) -> Option<Section> {
    let rules = of_kinds(report, &["link"]);
    if rules.is_empty() {
        return None;
    }
    let mut blocks = Links::of(report, &rules).tables(detail);
    let missing: u64 = rules.iter().map(|rule| rule.violations).sum();
    let failing: Vec<&Rule> = rules.iter().copied().filter(|rule| rule.violations > 0).collect();
    if !failing.is_empty() {
        let table = Table::new("Link rules that are violated", &RULE_COLUMNS);
        blocks.push(Block::Table(table.fill(detail, failing.into_iter(), rule_row)));
    }
    if detail.full {
        let count = rules.len() as u64;
        let caption = format!("All {} about links", counted(count, "rule", "rules"));
        let table = Table::new(caption, &RULE_COLUMNS);
        blocks.push(Block::Folded(table.fill(detail, rules.into_iter(), rule_row)));
    }
    blocks.extend(lost(report, detail));
    blocks.extend(refs(report, detail));
    let missing = match missing {
        0 => "No rule about links is violated.".to_owned(),
        missing => format!("{} missing.", counted(missing, "link is", "links are")),
    };
    let gone: u64 = super::super::lost(report).iter().map(|(_, rows)| rows).sum();
    let gone = match gone {
        0 => String::new(),
        gone => format!(
            " {} to no row of the target; `data/quarantine/links.parquet` lists them.",
            counted(gone, "value of the source leads", "values of the source lead")
        ),
    };
    Some(Section {
        id: "links",
        title: "Links",
        lead: format!(
            "Each cell stands for the rules about one link: are both ends there, is it there where \
             the contract requires it, does it lead where the source says? {missing}{gone}"
        ),
        blocks,
    })
}

/// The values of links that lead to no row of the target, by link and reason.
fn lost(report: &Report, detail: Detail) -> Option<Block> {
    let columns = [("link", false), ("why", false), ("values", true)];
    let table = Table::new("Values of the source that lead to no row of the target", &columns);
    let table = table.fill(detail, report.lost.iter(), |lost| {
        let name = format!("{}.{}", lost.source, lost.label);
        vec![Cell::name(&name), Cell::words(&lost.reason), Cell::Count(lost.rows)]
    });
    (!report.lost.is_empty()).then_some(Block::Table(table))
}

/// Where the attributes lead that hold ids of other rows.
fn refs(report: &Report, detail: Detail) -> Option<Block> {
    let columns = [
        ("attribute", false),
        ("values", true),
        ("lead to a row", true),
        ("to a quarantined one", true),
        ("to none", true),
    ];
    let table = Table::new("Attributes that hold ids of other rows", &columns);
    let table = table.fill(detail, report.refs.iter(), |refs| {
        vec![
            Cell::name(&format!("{}.{}", refs.target, refs.attr)),
            Cell::Count(refs.values),
            Cell::Count(refs.there),
            Cell::Count(refs.quarantined),
            Cell::Count(refs.dropped),
        ]
    });
    (!report.refs.is_empty()).then_some(Block::Table(table))
}

fn worse(a: Outcome, b: Outcome) -> Outcome {
    let rank = |outcome: Outcome| match outcome {
        Outcome::NothingThere => 0,
        Outcome::Passed => 1,
        Outcome::Noted => 2,
        Outcome::NotEvaluated => 3,
        Outcome::Failed => 4,
    };
    if rank(b) > rank(a) { b } else { a }
}
