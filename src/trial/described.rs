//! Figures of `bundle.json` that are not what the files have.

use super::fault::{Changes, Fault, Told};
use super::ground::Ground;
use super::rows::Planted;
use crate::bundle::{LeftBehind, LeftKind, LinksMeta, Meta};
use crate::contract::Limit;
use crate::error::grouped;

/// What a figure was changed to: the entity a rule about it is of, the figure in words, and how
/// verification says it.
type Edited = (String, String, String);

/// Edits `bundle.json`.
#[allow(clippy::unnecessary_wraps, reason = "as every kind of fault gives it")]
fn edited(ground: &Ground<'_>, edit: impl FnOnce(&mut Meta, usize) -> Option<Edited>) -> Planted {
    let mut meta = ground.bundle.meta().clone();
    let found = edit(&mut meta, ground.turn);
    Ok(found.map(|(entity, figure, said)| Fault {
        changes: Changes { meta: Some(Box::new(meta)), ..Changes::default() },
        place: format!("bundle.json, {figure}"),
        told: Told::Figure(entity, vec![said]),
    }))
}

/// The one whose turn it is.
fn turned<T>(things: &mut [T], turn: usize) -> Option<&mut T> {
    let at = turn.checked_rem(things.len())?;
    things.get_mut(at)
}

fn says(what: &str, rows: u64) -> String {
    format!("{what}: bundle.json says {},", grouped(rows))
}

/// One row more was migrated, it says.
pub(super) fn equation(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let equation = turned(&mut meta.equations, turn)?;
        equation.migrated += 1;
        let source = equation.source.clone();
        Some((source.clone(), format!("equation of {source}"), says("migrated", equation.migrated)))
    })
}

/// A migrated row was quarantined, it says: the equation still adds up.
pub(super) fn shifted(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let equation = turned(&mut meta.equations, turn)?;
        equation.migrated = equation.migrated.checked_sub(1)?;
        equation.quarantined += 1;
        let (source, rows) = (equation.source.clone(), equation.quarantined);
        Some((source.clone(), format!("equation of {source}"), says("quarantined", rows)))
    })
}

/// One row more stands on an existing one, it says.
pub(super) fn adopted(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, _| {
        let equation = meta.equations.iter_mut().find(|equation| !equation.adopted.is_empty())?;
        let (target, rows) = equation.adopted.first_mut()?;
        *rows += 1;
        let said = says(&format!("adopted by {target}"), *rows);
        Some((equation.source.clone(), format!("rows of {target} that were adopted"), said))
    })
}

/// A row of a table was migrated, it says, and existed.
pub(super) fn table(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let table = turned(&mut meta.tables, turn)?;
        (table.migrated, table.existing) = (table.migrated + 1, table.existing.saturating_sub(1));
        let entity = table.entity.clone();
        Some((entity.clone(), format!("rows of {entity}"), says("migrated", table.migrated)))
    })
}

/// One row more existed before, it says.
pub(super) fn existing(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let existing = turned(&mut meta.existing, turn)?;
        existing.rows += 1;
        let entity = existing.entity.clone();
        Some((entity.clone(), format!("existing rows of {entity}"), says("rows", existing.rows)))
    })
}

/// One value more of a link was migrated, it says.
pub(super) fn link(ground: &Ground<'_>) -> Planted {
    link_of(ground, true)
}

/// One value more of a link leads to no row, it says.
pub(super) fn lost(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let lost = turned(&mut meta.lost, turn)?;
        lost.rows += 1;
        let name = format!("{}.{}", lost.source, lost.label);
        let said = says(&format!("{name}, {}", lost.reason), lost.rows);
        Some((String::new(), format!("values of {name} that lead to no row"), said))
    })
}

/// An id that leads to no row leads to one, it says.
pub(super) fn refs(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let refs = turned(&mut meta.refs, turn)?;
        refs.there += 1;
        let name = format!("{}.{}", refs.target, refs.attr);
        let said = says(&format!("{name} there"), refs.there);
        Some((refs.target.clone(), format!("equation of {name}"), said))
    })
}

/// One pair more of a link file was migrated, it says.
pub(super) fn carried(ground: &Ground<'_>) -> Planted {
    link_of(ground, false)
}

/// The equation of a link of the legacy model, or of another link file of the app.
fn link_of(ground: &Ground<'_>, declared: bool) -> Planted {
    let schema = &ground.contract.before.schema;
    let read = |label: &str| ground.bundle.meta().links.iter().any(|links| links.label == label);
    let fault = edited(ground, |meta, turn| {
        let links = meta.link_equations.iter_mut().filter(|link| {
            let is_declared = schema.link(&link.source, &link.label).is_some();
            is_declared == declared && (declared || read(&link.label))
        });
        let mut links: Vec<_> = links.collect();
        let link = turned(&mut links, turn)?;
        link.migrated += 1;
        let name = format!("{}.{}", link.source, link.label);
        let said = says(&format!("{name} migrated"), link.migrated);
        Some((link.source.clone(), format!("equation of {name}"), said))
    })?;
    // The rule may be about the entity that the rows became: the name of the link tells it.
    Ok(fault.map(|fault| match fault.told {
        Told::Figure(_, said) => Fault { told: Told::Line(said), ..fault },
        told => Fault { told, ..fault },
    }))
}

/// A carried link demands one of every row, it says, and some have none.
pub(super) fn demands(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let rows = |entity: &str| meta.tables.iter().find(|table| table.entity == entity);
        let rows = |entity: &str| rows(entity).map_or(0, |table| table.rows);
        let lacking: Vec<bool> =
            meta.links.iter().map(|links| links.rows < rows(&links.entity)).collect();
        let links = meta.links.iter_mut().zip(lacking).filter(|(_, lacks)| *lacks);
        let mut links: Vec<_> = links
            .filter_map(|(links, _)| Some((links.declared.as_mut()?, &links.entity, &links.label)))
            .collect();
        let (declared, entity, label) = turned(&mut links, turn)?;
        declared.rules.required = true;
        let figure = format!("what {entity}.{label} demands");
        Some(((*entity).clone(), figure, " has none".to_owned()))
    })
}

/// The rows of a link of the app are on the other side of the carried link, it says.
pub(super) fn direction(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let declared = meta.links.iter_mut().filter_map(|links| {
            let of = links.declared.as_mut()?.of.first_mut()?;
            Some((of, &links.entity))
        });
        let mut declared: Vec<_> = declared.collect();
        let (of, entity) = turned(&mut declared, turn)?;
        of.is_turned = !of.is_turned;
        let name = format!("{}.{}", of.entity, of.label);
        Some(((*entity).clone(), format!("direction of {name}"), format!("{name} of the snapshot")))
    })
}

/// One quarantined row more is only links, it says.
pub(super) fn only_links(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let equation = turned(&mut meta.equations, turn)?;
        equation.only_links += 1;
        let (source, rows) = (equation.source.clone(), equation.only_links);
        let figure = format!("rows of {source} that are only links");
        Some((source, figure, says("only_links", rows)))
    })
}

/// One existing row more is only links, it says.
pub(super) fn existing_only_links(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let existing = turned(&mut meta.existing, turn)?;
        existing.only_links += 1;
        let (entity, rows) = (existing.entity.clone(), existing.only_links);
        let figure = format!("existing rows of {entity} that are only links");
        Some((entity, figure, says("only_links", rows)))
    })
}

/// A repair was made once more, it says.
pub(super) fn repairs(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let repair = turned(&mut meta.repairs, turn)?;
        repair.rows += 1;
        let what = format!("{} {}", repair.attr, repair.how);
        let name = format!("repairs of {}.{}", repair.target, repair.attr);
        Some((repair.target.clone(), name, says(&what, repair.rows)))
    })
}

/// One row more was quarantined by a rule, it says.
pub(super) fn quarantined(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let rule = turned(&mut meta.quarantine, turn)?;
        rule.rows += 1;
        let name = format!("{} rows quarantined by `{}`", rule.source, rule.rule);
        Some((rule.source.clone(), name, says(&rule.rule, rule.rows)))
    })
}

/// One row more was dropped by a rule, it says.
pub(super) fn dropped(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, _| {
        let equation = meta.equations.iter_mut().find(|equation| equation.dropped > 0)?;
        equation.dropped += 1;
        let (source, rows) = (equation.source.clone(), equation.dropped);
        Some((source.clone(), format!("rows of {source} that were dropped"), says("dropped", rows)))
    })
}

/// One row more was made of rows that were split, it says.
pub(super) fn split(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, _| {
        let equation = meta.equations.iter_mut().find(|equation| !equation.split.is_empty())?;
        let (target, _, made) = equation.split.first_mut()?;
        *made += 1;
        let (figure, said) = (format!("rows of {target} that were made"), says("made", *made));
        Some((equation.source.clone(), figure, said))
    })
}

/// One value more had no home, it says.
pub(super) fn homeless(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let (source, attr, rows) = turned(&mut meta.dropped_values, turn)?;
        *rows += 1;
        let figure = format!("values of {source}.{attr} without a home");
        Some((source.clone(), figure, format!("bundle.json says {},", grouped(*rows))))
    })
}

/// One id more became another, it says.
pub(super) fn mapped(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let (entity, rows) = turned(&mut meta.mapped_ids, turn)?;
        *rows += 1;
        let said = says(entity, *rows);
        Some((String::new(), format!("ids of {entity} that became other ones"), said))
    })
}

/// The last digit of a digest as another.
fn other_digit(digest: &mut String) {
    let last = digest.pop();
    digest.push(if last == Some('0') { '1' } else { '0' });
}

/// It was made from another snapshot, it says.
pub(super) fn snapshot(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, _| {
        other_digit(&mut meta.snapshot.digest);
        let said = format!("bundle.json names {}", meta.snapshot.digest);
        Some((String::new(), "digest of the snapshot".to_owned(), said))
    })
}

/// It was made by another contract, it says.
pub(super) fn contract(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, _| {
        other_digit(&mut meta.contract.digest);
        let said = format!("bundle.json names {}", meta.contract.digest);
        Some((String::new(), "digest of the contract".to_owned(), said))
    })
}

/// A table has another digest, it says.
pub(super) fn digest(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let table = turned(&mut meta.tables, turn)?;
        other_digit(&mut table.digest);
        let entity = table.entity.clone();
        let said = format!("bundle.json {}", table.digest);
        Some((entity.clone(), format!("digest of {entity}"), said))
    })
}

/// A link file has another digest, it says.
pub(super) fn link_digest(ground: &Ground<'_>) -> Planted {
    edited(ground, |meta, turn| {
        let links = turned(&mut meta.links, turn)?;
        other_digit(&mut links.digest);
        let name = format!("digest of {}.{}", links.entity, links.label);
        Some((links.entity.clone(), name, links.file.clone()))
    })
}

/// The name of something that is left behind, as verification says it.
fn left_name(left: &LeftBehind) -> String {
    match left.name.as_str() {
        "" => left.entity.clone(),
        name => format!("{}.{name}", left.entity),
    }
}

fn left(ground: &Ground<'_>, edit: impl FnOnce(&mut Vec<LeftBehind>, usize) -> String) -> Planted {
    edited(ground, |meta, turn| {
        let at = turn.checked_rem(meta.left_behind.len())?;
        let name = left_name(&meta.left_behind[at]);
        let said = edit(&mut meta.left_behind, at);
        Some((String::new(), format!("{name}, which is left behind"), format!("{name}: {said}")))
    })
}

/// Something is left behind that it does not name.
pub(super) fn left_out(ground: &Ground<'_>) -> Planted {
    left(ground, |all, at| {
        all.remove(at);
        "not in bundle.json,".to_owned()
    })
}

/// One row or value more is left behind, it says.
pub(super) fn left_count(ground: &Ground<'_>) -> Planted {
    left(ground, |all, at| {
        all[at].count += 1;
        format!("bundle.json says {},", grouped(all[at].count))
    })
}

/// Another row is the first of what is left behind, it says.
pub(super) fn left_place(ground: &Ground<'_>) -> Planted {
    left(ground, |all, at| {
        all[at].samples = vec!["another".to_owned()];
        format!("bundle.json says {},", grouped(all[at].count))
    })
}

/// An entity is left behind that the source has not, it says.
pub(super) fn left_more(ground: &Ground<'_>) -> Planted {
    if !ground.is_judged_by_source() {
        return Ok(None);
    }
    edited(ground, |meta, _| {
        let entity = "self-test".to_owned();
        let (kind, name, samples) = (LeftKind::Entity, String::new(), Vec::new());
        meta.left_behind.push(LeftBehind { kind, entity, name, count: 1, samples });
        let said = "self-test: bundle.json says 1,".to_owned();
        Some((String::new(), "self-test, which is left behind".to_owned(), said))
    })
}

/// It does not list a link file: its pairs are left behind.
pub(super) fn link_file(ground: &Ground<'_>) -> Planted {
    let allowed = ground.contract.rollout.max_left_behind != Limit::Rows(0);
    let carried = |links: &LinksMeta| links.role == "carried" && links.rows > 0 && !allowed;
    edited(ground, |meta, _| {
        let at = meta.links.iter().position(carried)?;
        let links = meta.links.remove(at);
        // What is left behind goes by the name that it has in the source.
        let held = links.declared.as_ref()?.of.first()?;
        let name = format!("{}.{}", held.entity, held.label);
        Some((String::new(), format!("the list of {}", links.file), name))
    })
}
