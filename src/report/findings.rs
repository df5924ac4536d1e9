//! Every finding as a line of CSV, for a spreadsheet.
//!
//! RFC 4180: CRLF ends a line, a field with a comma, a quote or a line end stands in quotes, quotes in it
//! twice. No field can be a formula: one that begins with `=`, `+`, `-`, `@`, TAB or CR (after blanks) has an
//! apostrophe before it, which a spreadsheet shows as text. Control characters are written out.

use super::{Report, Sample};
use crate::bundle::{LeftKind, Refs};
use crate::error::printable;
use crate::verify::Outcome;

const HEAD: [&str; 8] = ["finding", "kind", "entity", "attr", "rule", "rows", "of", "detail"];

/// Renders every finding: rules that do not hold, limits that are exceeded, quarantined rows by reason
/// and the first of them, repairs, links that lead nowhere, merged rows, mapped ids, what is left
/// behind, remarks, blanks, and steps of the schema push that would fail.
pub fn findings(report: &Report) -> String {
    let mut lines = Lines(String::new());
    lines.line(HEAD);
    rules(&mut lines, report);
    rows(&mut lines, report);
    values(&mut lines, report);
    schema(&mut lines, report);
    lines.0
}

struct Lines(String);

impl Lines {
    fn line(&mut self, fields: [&str; 8]) {
        let fields = fields.map(field);
        self.0.push_str(&fields.join(","));
        self.0.push_str("\r\n");
    }
}

fn field(text: &str) -> String {
    // A line end within a text is no line end of the file.
    let text = printable(&text.replace('\n', " "));
    let begin = text.trim_start().chars().next();
    let is_formula = begin.is_some_and(|c| "=+-@|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c));
    // TAB and CR are written out by now, beginning with a backslash.
    let text = if is_formula || text.starts_with('\\') { format!("'{text}") } else { text };
    if text.contains([',', '"', ';', '\'']) || text != text.trim() {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn rules(lines: &mut Lines, report: &Report) {
    if report.rules.is_empty() {
        lines.line(["not verified", "", "", "", "", "", "", "nobody has checked the result yet"]);
    }
    for rule in &report.rules {
        let finding = match rule.outcome {
            Outcome::Failed => "rule violated",
            Outcome::NotEvaluated => "rule not evaluated",
            Outcome::Noted => "noted",
            Outcome::Passed | Outcome::NothingThere => continue,
        };
        let (violations, evaluated) = (rule.violations.to_string(), rule.evaluated.to_string());
        let [kind, entity, attr, words] = [&rule.kind, &rule.entity, &rule.attr, &rule.rule];
        lines.line([finding, kind, entity, attr, words, &violations, &evaluated, ""]);
        for sample in &rule.samples {
            lines.line(["rule sample", kind, entity, attr, words, "1", "", sample]);
        }
    }
    for limit in report.limits.iter().filter(|limit| !limit.holds) {
        let (count, allows) = (limit.count.to_string(), format!("allows {}", limit.allows));
        lines.line(["limit exceeded", "limit", "", "", &limit.name, &count, "", &allows]);
    }
}

fn rows(lines: &mut Lines, report: &Report) {
    for equation in &report.equations {
        let (entity, all) = (equation.source.as_str(), equation.rows.to_string());
        let dropped = super::dropped(equation);
        for (finding, rows) in [("rows merged", equation.merged), ("rows dropped by rule", dropped)]
        {
            if rows > 0 {
                lines.line([finding, "account", entity, "", "", &rows.to_string(), &all, ""]);
            }
        }
        if !equation.holds() {
            lines.line(["rows unaccounted for", "account", entity, "", "", "", &all, ""]);
        }
    }
    for reason in &report.quarantine {
        let (entity, rule) = (reason.count.source.as_str(), reason.count.rule.as_str());
        let rows = reason.count.rows.to_string();
        lines.line(["rows quarantined", "quarantine", entity, "", rule, &rows, "", ""]);
        for sample in &reason.samples {
            let said = sampled(sample);
            lines.line(["quarantined row", "quarantine", entity, "", rule, "1", "", &said]);
        }
    }
    for (entity, ids) in &report.mapped_ids {
        lines.line(["ids mapped", "id", entity, "id", "", &ids.to_string(), "", "no UUID before"]);
    }
}

fn sampled(sample: &Sample) -> String {
    let id = sample.id.as_deref().unwrap_or("a row without id");
    let row = sample.row.map(|row| format!(" (row {row})")).unwrap_or_default();
    let cause = sample.cause.as_deref().map(|cause| format!(", after {cause}"));
    format!("{id}{row}: {}{}", sample.reason, cause.unwrap_or_default())
}

fn values(lines: &mut Lines, report: &Report) {
    for repair in &report.repairs {
        let rows = repair.rows.to_string();
        lines.line([
            "values repaired",
            "repair",
            &repair.target,
            &repair.attr,
            &repair.how,
            &rows,
            "",
            "",
        ]);
    }
    links(lines, report);
    for (entity, attr, rows) in &report.dropped_values {
        let rows = rows.to_string();
        lines.line(["attribute dropped by rule", "unmapped", entity, attr, "", &rows, "", ""]);
    }
    for left in &report.left_behind {
        let finding = match left.kind {
            LeftKind::Attribute => "attribute left behind",
            LeftKind::Entity => "entity left behind",
            LeftKind::Link => "link left behind",
            LeftKind::SchemaRule => "rule of the schema left behind",
        };
        let (count, first) = (left.count.to_string(), left.samples.join("; "));
        lines.line([finding, "left behind", &left.entity, &left.name, "", &count, "", &first]);
    }
    for remark in &report.remarks {
        lines.line(["remark", "format", "", "", "", "", "", remark]);
    }
    for blank in &report.blanks {
        lines.line(["blank to fill", "contract", "", "", blank, "", "", ""]);
    }
    let differing = report.figures.iter().flat_map(|figures| &figures.values);
    for values in differing.filter(|values| values.agrees == Some(false)) {
        let detail = "the target has some value more or less often than the rule makes it";
        lines.line(["values differ", "value", &values.target, &values.attr, "", "", "", detail]);
    }
}

/// Values of links that lead to no row, by reason where the bundle says it.
fn links(lines: &mut Lines, report: &Report) {
    let values = |source: &str, label: &str| {
        let link = report.links.iter().find(|link| link.source == source && link.label == label);
        let is_it = |refs: &&Refs| format!("{}.{}", refs.target, refs.attr) == label;
        let refs = report.refs.iter().find(is_it).map(|refs| refs.values);
        link.map(|link| link.values).or(refs).map_or_else(String::new, |all| all.to_string())
    };
    for lost in &report.lost {
        let (rows, all) = (lost.rows.to_string(), values(&lost.source, &lost.label));
        let [source, label, why] = [&lost.source, &lost.label, &lost.reason];
        lines.line(["links dropped", "link", source, label, "", &rows, &all, why]);
    }
}

fn schema(lines: &mut Lines, report: &Report) {
    let Some(plan) = &report.schema_plan else { return };
    for step in plan.steps.iter().filter(|step| step.fails > 0) {
        let rows = step.fails.to_string();
        lines.line([
            "schema step would fail",
            "schema",
            &step.what,
            "",
            &step.kind,
            &rows,
            "",
            &step.data,
        ]);
    }
    for finding in &plan.findings {
        let detail = format!("{}; {}", finding.said, finding.help);
        lines.line(["schema finding", "schema", &finding.what, "", "", "", "", &detail]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula_and_none_ends_early() {
        let cases = [
            ("plain", "plain"),
            ("=cmd()", "\"'=cmd()\""),
            ("  +1", "\"'  +1\""),
            ("-1", "\"'-1\""),
            ("@sum", "\"'@sum\""),
            ("\t=1", "\"'\\t=1\""),
            ("\r=1", "\"'\\r=1\""),
            ("a\"b,c", "\"a\"\"b,c\""),
            ("a\nb", "a b"),
            ("\u{1b}[31m", "\"'\\u{1b}[31m\""),
        ];
        for (text, expected) in cases {
            assert_eq!(field(text), expected, "{text:?}");
        }
    }
}
