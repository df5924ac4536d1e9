//! Every link of the target, as a matrix of target table and link.

use std::collections::BTreeMap;

use super::proofs::{RULE_COLUMNS, of_kinds, rule_row};
use super::{Block, Cell, Detail, Section, Table, counted};
use crate::report::Report;
use crate::verify::{Outcome, Rule};

/// How many links a matrix has columns for; the table of rules has them all.
const COLUMNS: usize = 12;

/// For every link of the target: rows looked at, links missing.
pub(super) fn matrix(report: &Report, detail: Detail) -> Option<Section> {
    let rules = of_kinds(report, &["link"]);
    if rules.is_empty() {
        return None;
    }
    let (mut entities, mut labels) = (Vec::<&str>::new(), Vec::<&str>::new());
    let mut others: Vec<(&str, &str)> = Vec::new();
    let mut cells: BTreeMap<(&str, &str), (u64, u64, Outcome)> = BTreeMap::new();
    for rule in &rules {
        let (entity, label) = (rule.entity.as_str(), rule.attr.as_str());
        let is_target = report.tables.iter().any(|table| table.entity == entity);
        if !is_target && !others.contains(&(entity, label)) {
            others.push((entity, label));
        }
        if is_target && !entities.contains(&entity) {
            entities.push(entity);
        }
        if is_target && !labels.contains(&label) {
            labels.push(label);
        }
        let cell = cells.entry((entity, label)).or_insert((0, 0, Outcome::NothingThere));
        cell.0 = cell.0.max(rule.evaluated);
        cell.1 = cell.1.saturating_add(rule.violations);
        cell.2 = worse(cell.2, rule.outcome);
    }
    let shown = &labels[..labels.len().min(COLUMNS)];
    let mut table = Table::new(
        "Links of the target: rows looked at, links missing",
        &[("target table", false)],
    );
    table.columns.extend(shown.iter().map(|label| (super::clip(label, 40).into(), true)));
    let table = table.fill(detail, entities.iter(), |entity| {
        let cell = |label: &&str| match cells.get(&(*entity, *label)) {
            Some((evaluated, missing, outcome)) => Cell::Ends(*evaluated, *missing, *outcome),
            None => Cell::Empty,
        };
        std::iter::once(Cell::name(entity)).chain(shown.iter().map(cell)).collect()
    });
    let missing: u64 = rules.iter().map(|rule| rule.violations).sum();
    let mut blocks = vec![Block::Table(table)];
    if !others.is_empty() {
        let columns = [("link", false), ("rows looked at, missing", true)];
        let table = Table::new("Links of other entities to the target's tables", &columns);
        blocks.push(Block::Table(table.fill(detail, others.iter(), |(entity, label)| {
            let (evaluated, missing, outcome) = cells[&(*entity, *label)];
            vec![Cell::name(&format!("{entity}.{label}")), Cell::Ends(evaluated, missing, outcome)]
        })));
    }
    let failing: Vec<&Rule> = rules.iter().copied().filter(|rule| rule.violations > 0).collect();
    if !failing.is_empty() {
        let table = Table::new("Link rules that are violated", &RULE_COLUMNS);
        blocks.push(Block::Table(table.fill(detail, failing.into_iter(), rule_row)));
    }
    if detail.full {
        let count = rules.len() as u64;
        let table = Table::new(
            format!("All {} about links", counted(count, "rule", "rules")),
            &RULE_COLUMNS,
        );
        blocks.push(Block::Folded(table.fill(detail, rules.into_iter(), rule_row)));
    }
    Some(Section {
        id: "links",
        title: "Links",
        lead: format!(
            "Each cell stands for the rules about one link: are both ends there, is it there where \
             the contract requires it, does it lead where the source says? {} missing.",
            if missing == 0 {
                "No link is".to_owned()
            } else {
                counted(missing, "link is", "links are")
            }
        ),
        blocks,
    })
}

fn worse(a: Outcome, b: Outcome) -> Outcome {
    let rank = |outcome: Outcome| match outcome {
        Outcome::NothingThere => 0,
        Outcome::Passed => 1,
        Outcome::NotEvaluated => 2,
        Outcome::Failed => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}
