//! What a transform that splits, numbers or drops may not say beside it.

use super::fields::Fields;
use super::misfit::{Place, quoted};
use super::transforms::Scope;
use super::{AttrRule, Pick, Piece, Template, Transform};

/// Checks the rules of one transform together.
pub(super) fn check(
    scope: &Scope<'_>,
    transform: &Transform,
    fields: &Fields<'_>,
    drop: &[(&str, Place)],
) {
    for (name, place) in drop {
        if reads(transform, name) {
            scope.misfits.add(*place, format!("{} is read by a rule of its own", quoted(name)));
        }
    }
    for rule in &transform.attrs {
        let place = fields.get("attrs").and_then(|attrs| attrs.get(&rule.attr));
        let place = place.map_or(fields.place(), |node| node.place);
        for (template, late) in [(&rule.template, false), (&rule.built, true)] {
            names((scope, transform), (&rule.attr, template.as_ref(), late), place);
        }
    }
    if transform.splits() {
        alone(scope, transform, fields);
    }
}

/// Whether a rule reads an attribute of the legacy row.
fn reads(transform: &Transform, name: &str) -> bool {
    let picks = transform.attrs.iter().flat_map(|rule| &rule.from);
    let explode = transform.explode.as_ref();
    picks.into_iter().any(|pick| match pick {
        Pick::Attr(attr) | Pick::Path { attr, .. } => attr == name,
        Pick::Linked { .. } | Pick::Server => false,
    }) || transform.id.from.iter().chain(transform.id.derive.iter().flatten()).any(|id| id == name)
        || explode.is_some_and(|rule| rule.of.iter().any(|of| of == name))
        || explode.and_then(|rule| rule.otherwise_by.as_deref()) == Some(name)
        || transform.number.as_ref().is_some_and(|number| number.by.iter().any(|by| by == name))
}

/// A template sees what is there when it is filled: the number only when it is built last.
fn names(
    (scope, transform): (&Scope<'_>, &Transform),
    (rule, template, late): (&str, Option<&Template>, bool),
    place: Place,
) {
    let is_built = |name: &str| {
        let built = |rule: &&AttrRule| rule.built.is_some() && rule.attr == name;
        transform.attrs.iter().any(|rule| built(&rule))
    };
    let is_numbered =
        |name: &str| transform.number.as_ref().is_some_and(|number| number.attr == name);
    let by_case = transform.case_attrs();
    for piece in template.iter().flat_map(|template| &template.pieces) {
        let Piece::Attr(name) = piece else { continue };
        if by_case.contains(&name.as_str()) || is_built(name) || (is_numbered(name) && !late) {
            let said = format!("the template names {}, which is filled after it", quoted(name));
            scope.misfits.add(place, said);
        } else if late && !is_numbered(name) {
            always(scope, (rule, name), place);
        }
    }
}

/// A text that is always built and that the target requires is built of what is always there.
fn always(scope: &Scope<'_>, (rule, name): (&str, &str), place: Place) {
    let required = |name: &str| {
        let found = scope.model.attr(&scope.model.after, scope.target, name).yes();
        found.map(|attr| attr.required)
    };
    if required(rule) == Some(true) && required(name) == Some(false) {
        let said = format!("{} is required, and {} may be absent", quoted(rule), quoted(name));
        scope.misfits.add(place, said);
    }
}

/// Rows that are split or numbered come out of one transform alone and stand on no existing row.
fn alone(scope: &Scope<'_>, transform: &Transform, fields: &Fields<'_>) {
    let at = |key: &str| fields.get(key).map_or(fields.place(), |node| node.place);
    let place = if transform.explode.is_some() { at("explode") } else { at("number") };
    if !scope.becomes.is_only(scope.source) {
        let said = format!("{} has another transform; split rows allow none", quoted(scope.source));
        scope.misfits.add(place, said);
    }
    if !transform.adopt.is_empty() {
        scope.misfits.add(at("adopt"), "rows that are split or numbered adopt no existing row");
    }
    let schema = &scope.model.before;
    for name in &transform.id.from {
        if schema.link(scope.source, name).is_some() {
            let said = format!("{} is a link; split rows have ids of their own", quoted(name));
            scope.misfits.add(at("id"), said);
        }
    }
    for name in transform.case_attrs() {
        if transform.order.iter().any(|order| order == name) {
            let said = format!("rows are ordered before a case fills {}", quoted(name));
            scope.misfits.add(at("order"), said);
        }
    }
}
