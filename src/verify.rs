//! Verification: re-reads snapshot and bundle with arrow and parquet, never with the transform's
//! code, and says rule by rule what holds.

mod bits;
mod index;
mod rule;
mod key;
mod object;
mod cases;
mod numbers;
mod slots;
mod spelled;
mod split;
mod share;
mod facts;
mod table;
mod onto;
mod legacy;
mod sql;
mod count;
mod count_sql;
mod cause;
mod set_aside;
mod aside;
mod winners;
mod dropped;
mod split_sql;
mod answers_sql;
mod kept;
mod kept_sql;
mod tables;
mod existing;
mod naming;
mod firsts;
mod own_ids;
mod row_order;
mod row_order_sql;
mod back;
mod keyed;
mod over;
mod resolve;
mod holders;
mod link;
mod link_sql;
mod repair;
mod refs;
mod refs_sql;
mod derive;
mod value;
mod value_sql;
mod attr;
mod made;
mod id;
mod id_sql;
mod order;
mod sequence;
mod note;
mod note_sql;
mod unfit;
mod unlisted;
mod upper;
mod lines;
mod content;
mod files;
mod files_sql;
mod held;
mod carried;
mod carried_sql;
mod other_places;
mod limit;
mod left;
mod left_sql;
mod only_links;
mod says;
mod rows;
mod whole;
mod steps;
mod memory;
pub mod independent;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, FORMAT};
use crate::contract::Contract;
use crate::error::{Error, Kind, Result, grouped};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::scan as read;
use crate::snapshot::Snapshot;
use facts::Audit;

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It looked at every row there was and found nothing.
    Passed,
    /// It found what people must know of, and what stops nothing.
    Noted,
    /// It found violations.
    Failed,
    /// It looked at no row although there were rows: that is no pass.
    NotEvaluated,
    /// There was no row to look at.
    NothingThere,
}

impl Outcome {
    /// Whether the rule was evaluated and is not violated.
    pub fn holds(self) -> bool {
        match self {
            Outcome::Passed | Outcome::Noted | Outcome::NothingThere => true,
            Outcome::Failed | Outcome::NotEvaluated => false,
        }
    }
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `count`, `account`, `link`, `presence`, `unique`, `type`, `id`, `value`, `order`, `same`,
    /// `bijection`, `sequence`, `content`, `note`, `repair`, `digest` or `limit`.
    pub kind: String,
    /// The rule in words, as `every items row links to its contexts row`.
    pub rule: String,
    /// The target entity it is about; for counts the legacy entity.
    pub entity: String,
    /// The attribute or link it is about, or empty.
    pub attr: String,
    /// Rows it looked at.
    pub evaluated: u64,
    /// Rows that violate it.
    pub violations: u64,
    /// How many violations the contract allows: up to that many the rule is noted, beyond it fails.
    /// [`ANY`] is any number.
    #[serde(default, skip_serializing_if = "is_none")]
    pub allows: u64,
    /// What a violation is called, of one and of several, where it has a name of its own: `item in no
    /// conversation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noun: Option<[String; 2]>,
    /// Up to 5 places: ids and rows, never payload values.
    pub samples: Vec<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// A DuckDB query over the bundle's (and snapshot's) Parquet that reproduces `violations`, run
    /// in the bundle's folder, with `$SNAPSHOT` for the snapshot's.
    pub query: String,
}

/// Any number of violations: the largest number that every reader of JSON and SQL has.
pub const ANY: u64 = i64::MAX.cast_unsigned();

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What a verification found, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// SHA-256 of the bundle's manifest.
    pub bundle_digest: String,
    /// The rules, derived ones first.
    pub rules: Vec<Rule>,
}

impl Verification {
    /// Whether every rule was evaluated and none was violated.
    pub fn passed(&self) -> bool {
        !self.rules.is_empty() && self.rules.iter().all(|rule| rule.outcome.holds())
    }
}

/// A bundle that passed verification: the only key to an import.
#[derive(Debug)]
pub struct VerifiedBundle {
    bundle: Bundle,
    contract: Contract,
    verification: Verification,
}

impl VerifiedBundle {
    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The contract it was made by.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// What verification found.
    pub fn verification(&self) -> &Verification {
        &self.verification
    }
}

/// Checks every rule on every row.
///
/// # Errors
/// A file cannot be read, or the memory limit is too small for the rows there are. What the rules find is no error but the result.
pub fn verify(
    bundle: &Bundle,
    snapshot: &Snapshot,
    contract: &Contract,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Verification> {
    resources.buffers("verify", memory::rows(bundle, snapshot, contract), 0)?;
    let audit = Audit::read(bundle, snapshot, contract, resources.threads())?;
    let mut rules = steps::rules(&audit, progress)?;
    rules.sort_by_key(|rule| matches!(rule.kind.as_str(), "bijection" | "sequence" | "same"));
    let failed = rules.iter().filter(|rule| !rule.outcome.holds()).count();
    let format = bundle.meta().format;
    let by =
        if format < FORMAT { format!(", by the rules of format {format}") } else { String::new() };
    progress.done(&format!("{} rules, {failed} not passed{by}", rules.len()));
    Ok(Verification { bundle_digest: bundle.digest().to_owned(), rules })
}

/// Makes the key to an import, when verification passed.
///
/// # Errors
/// [`crate::error::Kind::Findings`] when it did not.
pub fn permit(
    bundle: Bundle,
    contract: Contract,
    verification: Verification,
) -> Result<VerifiedBundle> {
    if verification.passed() && verification.bundle_digest == bundle.digest() {
        return Ok(VerifiedBundle { bundle, contract, verification });
    }
    if verification.bundle_digest != bundle.digest() {
        return Err(Error::refused("the verification is of another bundle")
            .at(bundle.root().display())
            .help("verify this one (`rethread verify`)"));
    }
    Err(refusal(&bundle, &verification))
}

/// How many places a refusal names.
const PLACES: usize = 10;

fn refusal(bundle: &Bundle, verification: &Verification) -> Error {
    let (rules, wrong) = (&verification.rules, |rule: &&Rule| !rule.outcome.holds());
    let failed = rules.iter().filter(wrong).count() as u64;
    let total = grouped(rules.len() as u64);
    let said = match failed {
        0 => "the verification has no rule".to_owned(),
        _ => format!("{} of {total} verification rules did not pass", grouped(failed)),
    };
    let mut error = Error::new(Kind::Findings, said).at(bundle.root().display());
    for rule in rules.iter().filter(wrong).take(PLACES) {
        let what = match rule.outcome {
            Outcome::NotEvaluated => "not evaluated".to_owned(),
            _ => format!("{} of {}", grouped(rule.violations), grouped(rule.evaluated)),
        };
        let first = rule.samples.first().map(|place| format!("; {place}")).unwrap_or_default();
        error = error.at(format!("{}: {what}{first}", rule.rule));
    }
    error.help("the report lists every rule with its samples (`rethread report`)")
}
