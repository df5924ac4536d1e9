//! The rules as `JUnit` XML, as build servers show them: a suite a kind, a test case a rule.

use quick_junit::{
    NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite, XmlString,
};

use super::Report;
use super::sections::clip;
use crate::error::{Error, Result, grouped};
use crate::verify::{Outcome, Rule};

/// Renders the rules of the verification. One that is violated or looked at nothing is a failure; one
/// that had nothing to look at is skipped. A bundle that nobody verified has one failing case.
///
/// # Errors
/// None that data can cause.
pub fn junit(report: &Report) -> Result<String> {
    let mut junit = Junit::new("rethread");
    for kind in kinds(report) {
        let mut suite = TestSuite::new(text(kind, 80));
        let rules = report.rules.iter().filter(|rule| rule.kind == kind);
        suite.add_test_cases(rules.map(|rule| case(rule, kind)));
        junit.add_test_suite(suite);
    }
    if report.rules.is_empty() {
        let mut suite = TestSuite::new("verification");
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message("nobody has checked the result yet").set_type("not_verified");
        suite.add_test_case(TestCase::new("the bundle is verified", status));
        junit.add_test_suite(suite);
    }
    junit.to_string().map_err(|error| Error::bug("the rules have no JUnit form").because(error))
}

fn kinds(report: &Report) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    for rule in &report.rules {
        if !kinds.contains(&rule.kind.as_str()) {
            kinds.push(&rule.kind);
        }
    }
    kinds
}

fn case(rule: &Rule, kind: &str) -> TestCase {
    let status = match rule.outcome {
        Outcome::Passed | Outcome::Noted => TestCaseStatus::success(),
        Outcome::Failed => failure("violated", rule),
        Outcome::NotEvaluated => failure("not_evaluated", rule),
        Outcome::NothingThere => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("there was no row to look at");
            status
        }
    };
    let mut case = TestCase::new(text(&rule.rule, 300), status);
    let place = [kind, &rule.entity, &rule.attr];
    let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
    case.set_classname(text(&place.join("."), 200));
    case.set_assertions(usize::try_from(rule.evaluated).unwrap_or(usize::MAX));
    case
}

fn failure(ty: &str, rule: &Rule) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let said = match rule.outcome {
        Outcome::NotEvaluated => "it looked at no row although there were rows".to_owned(),
        _ => format!("{} of {} rows", grouped(rule.violations), grouped(rule.evaluated)),
    };
    let samples: Vec<String> = rule.samples.iter().map(|sample| clip(sample, 200)).collect();
    let query = clip(&rule.query, 3000);
    status.set_message(said).set_type(ty);
    status.set_description(text(&format!("{}\n\n{query}", samples.join("\n")), 6000));
    status
}

/// A text without control characters, no longer than so many characters.
fn text(text: &str, most: usize) -> XmlString {
    let lines: Vec<String> = text.lines().map(|line| clip(line, most)).collect();
    XmlString::new(lines.join("\n"))
}
