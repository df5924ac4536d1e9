//! The end of section 4: the schema push that the transforms need.

use super::words::{NOT_MEASURED, code, codes, counted, heading, plain, table, text};
use super::{Block, Measured};
use crate::app::ACTIONS;
use crate::reconcile::{Class, EntityRules, Finding, RuleLeft, SchemaPlan, Step};

/// The steps of the schema push that the transforms need, and what does not fit together.
pub(super) fn blocks(measured: &Measured) -> Vec<Block> {
    let Some(plan) = &measured.schema else {
        let said = format!("{NOT_MEASURED}: `rethread plan SNAPSHOT` gives the steps.");
        return vec![text(said)];
    };
    let from = if plan.from_schema { "the app's schema" } else { "no schema, for none is known" };
    if plan.steps.is_empty() && plan.findings.is_empty() {
        let nothing = text(format!("From {from}: nothing is to be pushed."));
        return std::iter::once(nothing).chain(rules_left(plan)).chain(permissions(plan)).collect();
    }
    let mut blocks = vec![text(format!(
        "The steps of a schema push from {from}, in its order, held against the rows that are there."
    ))];
    let class = |class: Class| match class {
        Class::Safe => "safe",
        Class::Warning => "warning",
        Class::Critical => "critical",
    };
    let row = |step: &Step| {
        let said = match step.fails {
            0 => plain(&step.data),
            rows => {
                format!("⚠ would fail on {}: {}", counted(rows, "row", "rows"), plain(&step.data))
            }
        };
        let class = class(step.class).to_owned();
        [code(&step.kind), code(&step.what), class, codes(&step.needed_by), said]
    };
    if !plan.steps.is_empty() {
        let columns = ["Step", "What", "Class", "Needed by", "What the data says"];
        blocks.push(table(columns, plan.steps.iter().map(row)));
    }
    if !plan.findings.is_empty() {
        let said = |it: &Finding| {
            format!("⚠ {}: {}; {}", code(&it.what), plain(&it.said), plain(&it.help))
        };
        blocks.push(Block::List(plan.findings.iter().map(said).collect()));
    }
    blocks.extend(rules_left(plan));
    blocks.extend(permissions(plan));
    blocks
}

/// Who may view and change the target's rows.
fn permissions(plan: &SchemaPlan) -> Vec<Block> {
    let Some(permissions) = &plan.permissions else { return Vec::new() };
    let remarks =
        permissions.remarks(&plan.app.rules).into_iter().map(|said| plain(&said)).collect();
    let mut blocks = vec![heading("Permission rules"), Block::List(remarks)];
    let row = |it: &EntityRules| {
        let rule = |action| match permissions.rules.effective(&it.entity, action) {
            Some(rule) => code(&rule),
            None => "⚠ everybody".to_owned(),
        };
        let [view, create, update, delete] = ACTIONS.map(rule);
        [code(&it.entity), plain(&it.origin()), view, create, update, delete]
    };
    let columns = ["Entity", "Its rules", "View", "Create", "Update", "Delete"];
    blocks.push(table(columns, permissions.entities.iter().map(row)));
    let wrong = permissions.wrong();
    let wrong: Vec<String> = wrong.iter().map(|said| format!("⚠ {}", plain(said))).collect();
    if !wrong.is_empty() {
        blocks.push(Block::List(wrong));
    }
    blocks
}

/// The rules of the app's schema that do not come along.
fn rules_left(plan: &SchemaPlan) -> Vec<Block> {
    if plan.rules_left.is_empty() {
        return Vec::new();
    }
    let said =
        "Rules of the app's schema that the target's does not have, and the line that keeps each:";
    let row = |it: &RuleLeft| [code(&it.of()), plain(&it.lost), code(&it.line)];
    let columns = ["Rule of", "What no longer holds", "To keep it"];
    vec![text(said.to_owned()), table(columns, plan.rules_left.iter().map(row))]
}
