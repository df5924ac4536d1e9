//! What fills the contract's blanks in a report.

use crate::bundle::{self, Bundle};
use crate::document::{Import, Measured, Rule, RuleOutcome};
use crate::error::Result;
use crate::import;
use crate::verify::{self, Outcome, Verification};

/// All that is known about a bundle, for its contract to be filled with: what was measured when it was
/// made, what verification found, and where it stands with its targets.
///
/// # Errors
/// A file beside the seal cannot be read.
pub fn measured(bundle: &Bundle, found: Option<&Verification>) -> Result<Measured> {
    let outcome = import::last_outcome(bundle)?;
    let standing = import::status(bundle.root(), bundle.digest())?;
    let imports = standing.into_iter().map(|it| {
        let ours = outcome.as_ref().filter(|outcome| {
            it.state.stands() && outcome.target == it.target && outcome.name == it.name
        });
        let said = it.failure.or_else(|| ours.map(import::Outcome::sentence));
        Import {
            state: it.state.name().to_owned(),
            target: it.target,
            name: it.name,
            at: it.at,
            said: said.unwrap_or_default(),
        }
    });
    let imports = Some(imports.collect());
    let verification = found.map(|found| found.rules.iter().map(rule).collect());
    Ok(Measured { verification, imports, ..bundle::measured(bundle)? })
}

fn rule(rule: &verify::Rule) -> Rule {
    Rule {
        kind: rule.kind.clone(),
        rule: rule.rule.clone(),
        entity: rule.entity.clone(),
        attr: rule.attr.clone(),
        evaluated: rule.evaluated,
        violations: rule.violations,
        outcome: match rule.outcome {
            Outcome::Passed => RuleOutcome::Passed,
            Outcome::Failed => RuleOutcome::Failed,
            Outcome::NotEvaluated => RuleOutcome::NotEvaluated,
            Outcome::Noted => RuleOutcome::Noted,
            Outcome::NothingThere => RuleOutcome::NothingThere,
        },
    }
}
