//! Who may see the rows afterwards, and what is to be done by hand when an app is switched over.

use super::{Block, Cell, Detail, Mark, Section, Table, clip};
use crate::app::{ACTIONS, Webhook};
use crate::reconcile::{EntityRules, Permissions, SchemaPlan};
use crate::report::Report;

/// The permission rules of the target, and the checklist.
pub(super) fn cutover(report: &Report, detail: Detail) -> Option<Section> {
    let plan = report.schema_plan.as_ref()?;
    let permissions = plan.permissions.as_ref()?;
    let columns = [
        ("entity", false),
        ("its rules", false),
        ("view", false),
        ("create", false),
        ("update", false),
        ("delete", false),
    ];
    let table = Table::new("Who may do what with the rows of the target", &columns);
    let table = table.fill(detail, permissions.entities.iter(), |it| row(permissions, it));
    let mut blocks = vec![Block::List(permissions.remarks(&plan.app.rules)), Block::Table(table)];
    let wrong: Vec<String> = permissions.wrong();
    if !wrong.is_empty() {
        blocks.push(Block::Text(
            "No archive is written and no app is filled before the contract says these:".to_owned(),
        ));
        blocks.push(Block::List(wrong.iter().map(|said| clip(said, 300)).collect()));
    }
    blocks.push(Block::Heading("Switching over".to_owned()));
    blocks.push(Block::Steps(checklist(report, plan)));
    Some(Section {
        id: "cutover",
        title: "Permissions and switching over",
        lead: "InstantDB takes a rule that is missing for `true`. What follows is for the app itself: a \
               database that evaluates no rules has its own."
            .to_owned(),
        blocks,
    })
}

fn row(permissions: &Permissions, it: &EntityRules) -> Vec<Cell> {
    let rule = |action| match permissions.rules.effective(&it.entity, action) {
        Some(rule) => Cell::name(&rule),
        None => Cell::Mark(Mark::Noted, "everybody"),
    };
    let first = [Cell::name(&it.entity), Cell::words(&it.origin())];
    first.into_iter().chain(ACTIONS.map(rule)).collect()
}

/// What a restore leaves out, and what names legacy entities.
fn checklist(report: &Report, plan: &SchemaPlan) -> Vec<String> {
    let becomes = |entity: &str| {
        let tables = report.tables.iter().filter(|table| table.source.as_deref() == Some(entity));
        tables.map(|table| format!("`{}`", clip(&table.entity, 80))).collect::<Vec<_>>().join(", ")
    };
    let legacy = |hook: &Webhook| {
        let names = hook.namespaces.iter().filter(|name| !becomes(name).is_empty());
        names
            .map(|name| format!("`{}` (now {})", clip(name, 80), becomes(name)))
            .collect::<Vec<_>>()
    };
    let hooks = &plan.app.webhooks;
    let old: Vec<String> = hooks.iter().flat_map(legacy).collect();
    let mut steps = vec![
        "Make the app read-only, wait until nothing is written any more, take the backup that is \
         migrated then."
            .to_owned(),
        "Push the schema and the permission rules, or restore the archive, which holds both; look at who \
         may do what before users come back."
            .to_owned(),
        match hooks.len() {
            0 => "The source names no webhook. A restore brings none along: make those the app has again."
                .to_owned(),
            count => format!(
                "A restore brings no webhook along: make the {} again.",
                super::counted(count as u64, "one that the app has", "that the app has")
            ),
        },
    ];
    if !old.is_empty() {
        steps.push(format!(
            "Webhooks listen to legacy entities, which get no new rows: {}.",
            old.join("; ")
        ));
    }
    let mails = &plan.app.email_templates;
    steps.push(match mails.len() {
        0 => "Email senders are not restored: connect those that the app has.".to_owned(),
        count => format!(
            "{} restored without the sender: connect the senders again.",
            super::counted(count as u64, "email template is", "email templates are")
        ),
    });
    steps.push("OAuth clients come without their secrets: enter these again.".to_owned());
    steps.push("The restored app has another admin token: give it to every server.".to_owned());
    steps.push("Switch the clients over, then take the app out of read-only.".to_owned());
    steps
}
