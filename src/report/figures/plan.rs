//! Which figures a contract gives: what to count in which columns.

use crate::contract::{AttrRule, CheckWhat, Contract, Pick, Transform};
use crate::schema::{Schema, Type};
use crate::snapshot::Extra;

/// One figure: what to count of a legacy table and of the target table it fills.
pub(super) struct Figure<'c> {
    /// The legacy entity.
    pub(super) source: &'c str,
    /// The target entity.
    pub(super) target: &'c str,
    /// The columns of the legacy table, of which the first present value counts.
    pub(super) before: Vec<&'c str>,
    /// The target attribute.
    pub(super) after: &'c str,
    /// Whether a value may come from another place than these columns.
    pub(super) elsewhere: bool,
    /// What to count.
    pub(super) what: What<'c>,
}

/// What a figure counts.
pub(super) enum What<'c> {
    /// Rows by day; the contract's rule about their order, when it has one.
    Days {
        /// The rule's name.
        rule: Option<String>,
    },
    /// Rows by a value that a rule maps.
    Values(&'c AttrRule),
    /// Rows by the size of a payload.
    Sizes,
}

/// The figures of a contract, in its order.
pub(super) fn figures(contract: &Contract) -> Vec<Figure<'_>> {
    let mut figures = Vec::new();
    for transform in &contract.transforms {
        for rule in &transform.attrs {
            if let Some(what) = what(contract, transform, rule) {
                figures.extend(figure(&contract.before.schema, transform, rule, what));
            }
        }
    }
    figures
}

fn what<'c>(
    contract: &'c Contract,
    transform: &'c Transform,
    rule: &'c AttrRule,
) -> Option<What<'c>> {
    let entity = contract.after.schema.entity(&transform.target)?;
    match entity.attr(&rule.attr)?.ty {
        Type::Date if transform.order.first() == Some(&rule.attr) => {
            Some(What::Days { rule: sequence(contract, transform) })
        }
        Type::String if rule.values.is_some() => Some(What::Values(rule)),
        Type::Any => Some(What::Sizes),
        _ => None,
    }
}

/// The name of the rule that demands the order of a transform's rows.
fn sequence(contract: &Contract, transform: &Transform) -> Option<String> {
    let is_it = |what: &CheckWhat| match what {
        CheckWhat::Sequence { source, target, .. } => {
            *source == transform.source && *target == transform.target
        }
        _ => false,
    };
    contract.checks.iter().find(|check| is_it(&check.what)).map(|check| check.rule.clone())
}

fn figure<'c>(
    schema: &'c Schema,
    transform: &'c Transform,
    rule: &'c AttrRule,
    what: What<'c>,
) -> Option<Figure<'c>> {
    let entity = schema.entity(&transform.source)?;
    let wanted = match what {
        What::Days { .. } => Type::Date,
        What::Values(_) => Type::String,
        What::Sizes => Type::Any,
    };
    let mut before = Vec::new();
    let mut elsewhere = rule.template.is_some();
    for pick in &rule.from {
        match pick {
            Pick::Attr(name) if entity.attr(name).is_some_and(|attr| attr.ty == wanted) => {
                before.push(name.as_str());
            }
            Pick::Server if wanted == Type::Date => before.push(Extra::SERVER),
            _ => elsewhere = true,
        }
    }
    (!before.is_empty()).then_some(Figure {
        source: &transform.source,
        target: &transform.target,
        before,
        after: &rule.attr,
        elsewhere,
        what,
    })
}
