//! Gathers what is known about a bundle into a [`Report`].

use super::{
    FORMAT, Imported, LimitState, Report, State, TargetTable, Totals, UNTOLD, Verdict, dropped,
    figures, filled, noted, samples,
};
use crate::bundle::{Bundle, LinkEquation, Lost, Meta, Named};
use crate::contract::{self, Contract, Limit};
use crate::document;
use crate::error::grouped;
use crate::import;
use crate::storage;
use crate::verify::{Outcome, Verification};

/// How many sealed files a report lists.
const FILES: usize = 500;

pub(super) fn report(
    bundle: &Bundle,
    contract: &Contract,
    verification: Option<&Verification>,
    outcome: Option<&import::Outcome>,
) -> Report {
    let meta = bundle.meta();
    let totals = totals(meta);
    let name = bundle.root().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut report = Report {
        report_format: FORMAT,
        verdict: verdict(&totals, verification, outcome),
        program: meta.program.clone(),
        bundle: Named { name, digest: bundle.digest().to_owned() },
        snapshot: Named {
            name: meta.snapshot_name().to_owned(),
            digest: meta.snapshot.digest.clone(),
        },
        contract: meta.contract.clone(),
        scope: contract.release.scope.clone(),
        source: meta.source.clone(),
        totals,
        equations: meta.equations.clone(),
        existing: meta.existing.clone(),
        tables: target_tables(meta, contract),
        link_tables: meta.links.clone(),
        links: meta.link_equations.clone(),
        refs: meta.refs.clone(),
        lost: lost(meta),
        rules: verification.map_or_else(Vec::new, |found| found.rules.clone()),
        import: outcome.map(imported),
        repairs: meta.repairs.clone(),
        quarantine: samples::quarantine(bundle),
        mapped_ids: meta.mapped_ids.clone(),
        dropped_values: meta.dropped_values.clone(),
        unmapped: meta.unmapped.clone(),
        notes: verification.map(noted::notes).unwrap_or_default(),
        left_behind: noted::left_behind(meta),
        remarks: remarks(bundle),
        blanks: contract::blanks(contract),
        limits: limits(contract, &totals, meta),
        files: files(bundle),
        next: Vec::new(),
        figures: figures::kept(bundle),
        schema_plan: bundle.schema_plan().cloned(),
        // A bundle whose journal cannot be read has a report all the same.
        document: filled::measured(bundle, verification)
            .ok()
            .map(|measured| document::document(contract, &measured)),
    };
    report.next = next(&report);
    report
}

/// What is to be said of the files, and of permission rules that do not guard what was guarded.
fn remarks(bundle: &Bundle) -> Vec<String> {
    let meta = bundle.meta();
    let mut remarks = meta.remarks();
    let plan = bundle.schema_plan().and_then(|plan| Some((plan, plan.permissions.as_ref()?)));
    let Some((plan, permissions)) = plan else { return remarks };
    if plan.app.rules.is_unknown() && meta.source.kind.starts_with("archive") {
        remarks.extend(permissions.remarks(&plan.app.rules));
    }
    let wrong = permissions.wrong();
    if let Some(first) = wrong.first() {
        remarks.push(format!(
            "permission rules are not settled, so no archive and no app takes the rows yet: {first}{}",
            if wrong.len() > 1 { format!("; and {} more", wrong.len() - 1) } else { String::new() }
        ));
    }
    remarks
}

fn totals(meta: &Meta) -> Totals {
    let mut totals = Totals::default();
    for equation in &meta.equations {
        totals.legacy += equation.rows;
        totals.migrated += equation.migrated;
        totals.merged += equation.merged;
        totals.quarantined += equation.quarantined;
        totals.dropped += dropped(equation);
    }
    totals.target = meta.tables.iter().map(|table| table.rows).sum();
    totals.repaired = meta.repairs.iter().map(|repair| repair.rows).sum();
    totals
}

fn verdict(
    totals: &Totals,
    verification: Option<&Verification>,
    outcome: Option<&import::Outcome>,
) -> Verdict {
    let state = match verification {
        None => State::NotVerified,
        Some(found) if found.passed() => State::Verified,
        Some(_) => State::Findings,
    };
    let imported = outcome.is_some();
    let title = match (state, imported) {
        (State::Verified, true) => "Verified and imported",
        (State::Verified, false) => "Verified, not imported yet",
        (State::Findings, false) => "Findings: not fit for import",
        (State::Findings, true) => "Findings in a bundle that was imported before",
        (State::NotVerified, false) => "Not verified yet",
        (State::NotVerified, true) => "Imported, the verification is not on record",
    };
    let sentence = [rows_part(totals), rules_part(verification), import_part(outcome)].join("; ");
    Verdict { state, imported, title: title.to_owned(), sentence: sentence + "." }
}

fn rows_part(totals: &Totals) -> String {
    let dropped = match totals.dropped {
        0 => String::new(),
        dropped => format!(", {} dropped by rule", were(dropped)),
    };
    format!(
        "Of {} legacy {}, {} migrated, {} merged into others{dropped} and {} set aside in quarantine",
        grouped(totals.legacy),
        rows(totals.legacy),
        were(totals.migrated),
        were(totals.merged),
        were(totals.quarantined)
    )
}

fn were(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "was" } else { "were" })
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn rows(count: u64) -> &'static str {
    if count == 1 { "row" } else { "rows" }
}

fn rules_part(verification: Option<&Verification>) -> String {
    let Some(Verification { rules, .. }) = verification else {
        return "nobody has checked the result yet".to_owned();
    };
    let count = |wanted: Outcome| rules.iter().filter(|rule| rule.outcome == wanted).count() as u64;
    let all = grouped(rules.len() as u64);
    match (count(Outcome::Failed), count(Outcome::NotEvaluated)) {
        (0, 0) if rules.is_empty() => "verification had no rule to check".to_owned(),
        (0, 0) => match count(Outcome::Noted) {
            0 => format!("all {all} rules hold"),
            noted => format!("all {all} rules hold, {} of them with a note", grouped(noted)),
        },
        (failed, 0) => format!("{} of {all} rules {} violated", grouped(failed), are(failed)),
        (0, unseen) => format!("{} of {all} rules looked at no row", grouped(unseen)),
        (failed, unseen) => format!(
            "{} of {all} rules {} violated and {} looked at no row",
            grouped(failed),
            are(failed),
            grouped(unseen)
        ),
    }
}

fn import_part(outcome: Option<&import::Outcome>) -> String {
    let Some(outcome) = outcome else { return "nothing was imported".to_owned() };
    let rows: u64 = outcome.tables.iter().map(|table| table.rows).sum();
    let kept = outcome.counts().kept;
    let (rows, name) = (grouped(rows - kept.min(rows)), &outcome.name);
    let kept = match kept {
        0 => String::new(),
        kept => format!("; {} stay there as they were", grouped(kept)),
    };
    if outcome.changed_nothing() {
        return format!(
            "all {rows} rows and links were in `{name}` already, read back and equal{kept}"
        );
    }
    format!("all {rows} rows and links are in `{name}`, read back and equal{kept}")
}

fn target_tables(meta: &Meta, contract: &Contract) -> Vec<TargetTable> {
    let adopted = |entity: &str| {
        let all = meta.equations.iter().flat_map(|equation| &equation.adopted);
        all.filter(|(name, _)| name == entity).map(|(_, rows)| rows).sum()
    };
    let tables = meta.tables.iter().map(|table| TargetTable {
        entity: table.entity.clone(),
        source: contract.transform_into(&table.entity).map(|rules| rules.source.clone()),
        rows: table.rows,
        migrated: table.migrated,
        existing: table.existing,
        adopted: adopted(&table.entity),
        digest: table.digest.clone(),
    });
    tables.collect()
}

fn imported(outcome: &import::Outcome) -> Imported {
    Imported {
        target: outcome.target.clone(),
        name: outcome.name.clone(),
        counts: outcome.counts(),
        tables: outcome.tables.clone(),
        checks: outcome.checks.clone(),
    }
}

fn limits(contract: &Contract, totals: &Totals, meta: &Meta) -> Vec<LimitState> {
    let state = |name: &str, limit: Limit, count: u64| LimitState {
        name: name.to_owned(),
        allows: match limit {
            Limit::Any => "any".to_owned(),
            Limit::Rows(most) => grouped(most),
            Limit::Percent(share) => format!("{share}%"),
        },
        count,
        holds: limit.allows(count, totals.legacy),
    };
    let only_links = meta.equations.iter().map(|it| it.only_links);
    vec![
        state(
            "rollout.max_quarantined",
            contract.rollout.max_quarantined,
            // Rows that are only links have nothing that could be migrated.
            totals.quarantined.saturating_sub(only_links.sum()),
        ),
        state("rollout.max_repaired", contract.rollout.max_repaired, totals.repaired),
        state("rollout.max_left_behind", contract.rollout.max_left_behind, meta.left_links()),
    ]
}

fn files(bundle: &Bundle) -> Vec<(String, String)> {
    // The bundle was opened, so its manifest is there.
    let manifest = storage::read_text(&bundle.path("manifest-sha256.txt")).unwrap_or_default();
    let lines = manifest.lines().filter_map(|line| line.split_once("  "));
    lines.take(FILES).map(|(hash, path)| (path.to_owned(), hash.to_owned())).collect()
}

fn next(report: &Report) -> Vec<String> {
    let mut next = Vec::new();
    match report.verdict.state {
        State::NotVerified => next.push("Run `rethread verify` on the bundle."),
        State::Findings => next.push(
            "Look at the rules that are violated, repair the legacy rows or the contract, and run \
             again. Nothing can be imported before.",
        ),
        State::Verified if !report.verdict.imported => {
            next.push("Run `rethread import` on the bundle.");
        }
        State::Verified => {}
    }
    if report.totals.quarantined > 0 {
        next.push(
            "Look at the quarantine: repair these rows in the source and export again, or leave \
             them out by `rollout.max_quarantined`. They stand whole in `data/quarantine/`.",
        );
    }
    if !report.blanks.is_empty() {
        next.push(
            "Fill the blanks of the contract: `rethread contract init` writes a file for them.",
        );
    }
    if report.verdict.state == State::Verified && report.verdict.imported {
        next.push(
            "Keep the snapshot and this folder: they prove the result for as long as they are kept.",
        );
    }
    next.into_iter().map(str::to_owned).collect()
}

/// The values of links that lead to no row; a bundle before format 3 does not say why.
fn lost(meta: &Meta) -> Vec<Lost> {
    if meta.is_judged_by_source() {
        return meta.lost.clone();
    }
    let links = meta.link_equations.iter().filter(|link| link.dropped > 0);
    let untold = |link: &LinkEquation| Lost {
        source: link.source.clone(),
        label: link.label.clone(),
        reason: UNTOLD.to_owned(),
        rows: link.dropped,
    };
    links.map(untold).collect()
}
