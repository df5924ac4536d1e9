//! How a rule is counted while it runs.

use super::{ANY, Outcome, Rule};
use crate::contract::Limit;
use crate::error::printable;

/// How many places a rule names.
const SAMPLES: usize = 5;

/// A rule that is being evaluated.
#[derive(Debug)]
pub(super) struct Tally {
    rule: Rule,
    there: u64,
}

impl Tally {
    /// Begins a rule of a kind about an entity and an attribute (or nothing).
    pub(super) fn new(kind: &str, entity: &str, attr: &str) -> Self {
        let rule = Rule {
            kind: kind.to_owned(),
            rule: String::new(),
            entity: entity.to_owned(),
            attr: attr.to_owned(),
            evaluated: 0,
            violations: 0,
            allows: 0,
            noun: None,
            samples: Vec::new(),
            outcome: Outcome::NothingThere,
            query: String::new(),
        };
        Self { rule, there: 0 }
    }

    /// Says the rule in words.
    pub(super) fn says(mut self, words: impl Into<String>) -> Self {
        self.rule.rule = words.into();
        self
    }

    /// Gives the query that reproduces the violations.
    pub(super) fn query(mut self, sql: String) -> Self {
        self.rule.query = sql;
        self
    }

    /// Up to a limit of the contract on `total` rows, violations are noted.
    pub(super) fn allows(mut self, limit: Limit, total: u64) -> Self {
        self.rule.allows = limit.most(total).unwrap_or(ANY);
        self
    }

    /// Names a violation, of one and of several.
    pub(super) fn noun(mut self, one: impl Into<String>, several: impl Into<String>) -> Self {
        self.rule.noun = Some([one.into(), several.into()]);
        self
    }

    /// Looks at a row, which is as it must be or is not.
    pub(super) fn check(&mut self, holds: bool, place: impl FnOnce() -> String) {
        self.rule.evaluated += 1;
        self.there += 1;
        if !holds {
            self.violate(1, place);
        }
    }

    /// Looks at `rows` rows of which `wrong` are not as they must be.
    pub(super) fn check_all(&mut self, rows: u64, wrong: u64, place: impl FnOnce() -> String) {
        self.rule.evaluated += rows;
        self.there += rows;
        if wrong > 0 {
            self.violate(wrong, place);
        }
    }

    /// Adds violations that are rows of their own.
    pub(super) fn violate(&mut self, wrong: u64, place: impl FnOnce() -> String) {
        self.rule.violations += wrong;
        if self.rule.samples.len() < SAMPLES {
            self.rule.samples.push(one_line(&place()));
        }
    }

    /// Takes in what was seen of some rows; `place` names one.
    pub(super) fn add(&mut self, seen: &Seen, place: impl Fn(usize, u8) -> String) {
        self.check_all(seen.evaluated, 0, String::new);
        self.rule.violations += seen.wrong;
        let room = SAMPLES - self.rule.samples.len();
        for (row, what) in seen.first.iter().take(room) {
            self.rule.samples.push(one_line(&place(*row, *what)));
        }
    }

    /// A row that is there and that the rule cannot look at.
    pub(super) fn skip(&mut self) {
        self.skip_all(1);
    }

    /// So many rows that are there and that the rule cannot look at.
    pub(super) fn skip_all(&mut self, rows: u64) {
        self.there += rows;
    }

    /// How many rows it could not look at.
    pub(super) fn skipped(&self) -> u64 {
        self.there - self.rule.evaluated
    }

    /// Adds to the words.
    pub(super) fn add_words(&mut self, words: &str) {
        self.rule.rule.push_str(words);
    }

    /// Ends the rule.
    pub(super) fn finish(mut self) -> Rule {
        self.rule.outcome = match (self.rule.violations, self.rule.evaluated, self.there) {
            (1.., _, _) if self.rule.violations <= self.rule.allows => Outcome::Noted,
            (1.., _, _) => Outcome::Failed,
            (0, 0, 0) => Outcome::NothingThere,
            (0, 0, _) => Outcome::NotEvaluated,
            _ => Outcome::Passed,
        };
        self.rule
    }
}

fn one_line(place: &str) -> String {
    printable(place).replace('\n', "\\n")
}

/// What a rule saw of some rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    evaluated: u64,
    wrong: u64,
    /// The first rows that are wrong, and a word for how.
    first: Vec<(usize, u8)>,
}

impl Seen {
    /// Looks at a row, which is as it must be or is not.
    pub(super) fn check(&mut self, row: usize, holds: bool) {
        self.check_for(row, (!holds).then_some(0));
    }

    /// Looks at a row, in which this is wrong or nothing.
    pub(super) fn check_for(&mut self, row: usize, wrong: Option<u8>) {
        self.evaluated += 1;
        if let Some(what) = wrong {
            self.wrong += 1;
            if self.first.len() < SAMPLES {
                self.first.push((row, what));
            }
        }
    }

    /// Takes in what was seen of rows that come after these.
    pub(super) fn add(&mut self, next: &Self) {
        self.evaluated += next.evaluated;
        self.wrong += next.wrong;
        let room = SAMPLES - self.first.len();
        self.first.extend(next.first.iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_evaluated_is_no_pass() {
        let ends = |act: fn(&mut Tally)| {
            let mut tally = Tally::new("link", "a", "b");
            act(&mut tally);
            tally.finish().outcome
        };
        assert_eq!(ends(|_| {}), Outcome::NothingThere);
        assert_eq!(ends(Tally::skip), Outcome::NotEvaluated);
        assert_eq!(ends(|tally| tally.check(true, String::new)), Outcome::Passed);
        assert_eq!(ends(|tally| tally.check(false, String::new)), Outcome::Failed);
        assert_eq!(ends(|tally| tally.violate(1, String::new)), Outcome::Failed);
    }

    #[test]
    fn what_a_limit_allows_is_noted() {
        let ends = |limit: Limit, wrong: u64| {
            let mut tally = Tally::new("note", "a", "b").allows(limit, 1000);
            tally.check_all(1000, wrong, String::new);
            tally.finish().outcome
        };
        let cases = [
            (Limit::Rows(0), 0, Outcome::Passed),
            (Limit::Rows(0), 1, Outcome::Failed),
            (Limit::Rows(2), 2, Outcome::Noted),
            (Limit::Rows(2), 3, Outcome::Failed),
            (Limit::Percent(0.1), 1, Outcome::Noted),
            (Limit::Percent(0.1), 2, Outcome::Failed),
            (Limit::Any, 1000, Outcome::Noted),
        ];
        for (limit, wrong, expected) in cases {
            assert_eq!(ends(limit, wrong), expected, "{limit:?}: {wrong}");
        }
    }
}
