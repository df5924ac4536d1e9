//! The steps from the app's schema to the target's.

use super::{Block, Cell, Detail, Mark, Section, Table, clip, counted};
use crate::reconcile::{Class, Step};
use crate::report::Report;

/// The steps of the schema push, and what does not fit together.
pub(super) fn plan(report: &Report, detail: Detail) -> Option<Section> {
    let plan = report.schema_plan.as_ref()?;
    let mut blocks = Vec::new();
    if !plan.findings.is_empty() {
        let columns = [("where", false), ("what is wrong", false), ("what to do", false)];
        let table = Table::new("What does not fit together, or would fail", &columns);
        blocks.push(Block::Table(table.fill(detail, plan.findings.iter(), |finding| {
            vec![Cell::name(&finding.what), Cell::words(&finding.said), Cell::words(&finding.help)]
        })));
    }
    if !plan.rules_left.is_empty() {
        let columns = [("rule of", false), ("what no longer holds", false), ("to keep it", false)];
        let caption = "Rules of the app's schema that the target's does not have";
        let table = Table::new(caption, &columns);
        blocks.push(Block::Table(table.fill(detail, plan.rules_left.iter(), |rule| {
            vec![Cell::name(&rule.of()), Cell::words(&rule.lost), Cell::words(&rule.line)]
        })));
    }
    let count = |class: Class| plan.steps.iter().filter(|step| step.class == class).count() as u64;
    let careful: Vec<&Step> =
        plan.steps.iter().filter(|step| step.class != Class::Safe || step.fails > 0).collect();
    if detail.full {
        let table = steps("The steps, in the order a push takes them", detail, plan.steps.iter());
        blocks.push(if plan.steps.len() > 40 { Block::Folded(table) } else { Block::Table(table) });
    } else if !careful.is_empty() {
        blocks.push(Block::Table(steps("Steps that want care", detail, careful.into_iter())));
    }
    let (safe, warning, critical) =
        (count(Class::Safe), count(Class::Warning), count(Class::Critical));
    let fails = plan.steps.iter().filter(|step| step.fails > 0).count() as u64;
    Some(Section {
        id: "schema",
        title: "Schema plan",
        lead: format!(
            "{} {} lead from the app's schema to the contract's target: {safe} safe, {warning} that \
             can fail, {critical} that can lose data. {}",
            counted(plan.steps.len() as u64, "step", "steps"),
            if plan.given { "of the server's own plan" } else { "computed from the two schemas" },
            match fails {
                0 => "By the data, none would fail.".to_owned(),
                fails => format!("By the data, {} would fail.", counted(fails, "step", "steps")),
            }
        ),
        blocks,
    })
}

fn steps<'a>(caption: &str, detail: Detail, all: impl ExactSizeIterator<Item = &'a Step>) -> Table {
    let columns = [
        ("step", false),
        ("on", false),
        ("class", false),
        ("what it does", false),
        ("needed by", false),
        ("would fail", true),
        ("what the data says", false),
    ];
    Table::new(caption, &columns).fill(detail, all, |step| {
        let mut data = clip(&step.data, 240);
        if !step.samples.is_empty() {
            let samples: Vec<String> =
                step.samples.iter().take(5).map(|sample| clip(sample, 60)).collect();
            data = format!("{data} {}", samples.join(", "));
        }
        let needed: Vec<String> = step.needed_by.iter().map(|name| clip(name, 60)).collect();
        vec![
            Cell::name(&step.kind),
            Cell::name(&step.what),
            class(step),
            Cell::words(&step.description),
            if needed.is_empty() { Cell::Empty } else { Cell::Words(needed.join(", ")) },
            Cell::Count(step.fails),
            if data.trim().is_empty() { Cell::Empty } else { Cell::Words(data) },
        ]
    })
}

fn class(step: &Step) -> Cell {
    match step.class {
        _ if step.fails > 0 => Cell::Mark(Mark::Bad, "would fail"),
        Class::Safe => Cell::Mark(Mark::Good, "safe"),
        Class::Warning => Cell::Mark(Mark::Neutral, "warning"),
        Class::Critical => Cell::Mark(Mark::Bad, "critical"),
    }
}
