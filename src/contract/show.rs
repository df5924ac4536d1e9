//! The resolved contract as a person reads it.

pub(crate) mod words;

use super::blanks::{blanks, keep_name, toml_text};
use super::{
    AttrRule, Check, CheckWhat, Constant, Contract, Duplicates, Hop, IdRule, LinkHow, LinkPick,
    LinkRule, Otherwise, Pick, Piece, Required, Rollout, Side, Template, Transform, Unfit,
    UnmappedAttrs, Values,
};
use crate::error::printable;
use crate::schema::{Attr, Has, Link, Schema};

/// The contract as plain text: both models, every rule in words, and what is still blank.
pub fn show(contract: &Contract) -> String {
    let mut out = Lines::default();
    out.line(0, &format!("contract {}, format {}", contract.name, contract.format));
    let release = &contract.release;
    out.line(0, &format!("from {} to {}", or_blank(&release.from), or_blank(&release.to)));
    out.line(0, &format!("scope: {}", or_blank(&release.scope)));
    side(&mut out, "before", &contract.before);
    side(&mut out, "after", &contract.after);
    for (entity, rules) in &contract.rules {
        let rules = serde_json::Value::Object(rules.clone());
        out.line(1, &format!("permission rules of {entity}: {rules}"));
    }
    out.head(&format!("ids: uuid5 in the namespace {}", toml_text(&contract.namespace)));
    for rules in &contract.transforms {
        transform(&mut out, rules, &contract.after.schema);
    }
    leftovers(&mut out, contract);
    out.head("verified beside the derived rules");
    for check in &contract.checks {
        out.line(1, &verified(check));
    }
    out.head("counted and shown");
    for note in &contract.notes {
        out.line(1, &words::note(note));
    }
    rollout(&mut out, &contract.rollout);
    if contract.unfit == Unfit::Quarantine {
        out.line(1, "rows with text that not every store holds are quarantined");
    }
    let implementation = &contract.implementation;
    let (language, reason) = (or_blank(&implementation.language), or_blank(&implementation.reason));
    out.head(&format!("implementation: {language}; {reason}"));
    let blanks = blanks(contract);
    let blanks = if blanks.is_empty() { "none".to_owned() } else { blanks.join(", ") };
    out.head(&format!("blanks: {blanks}"));
    printable(&out.0)
}

/// Lines with an indent of two spaces a level.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, level: usize, text: &str) {
        for _ in 0..level {
            self.0.push_str("  ");
        }
        self.0.push_str(&text.replace('\n', "\\n"));
        self.0.push('\n');
    }

    fn head(&mut self, text: &str) {
        self.0.push('\n');
        self.line(0, text);
    }
}

/// A text, or that it is blank.
pub(super) fn or_blank(text: &str) -> &str {
    if text.trim().is_empty() { "(blank)" } else { text }
}

fn side(out: &mut Lines, name: &str, side: &Side) {
    out.head(name);
    for (what, texts) in [("entry points", &side.entrypoints), ("interfaces", &side.apis)] {
        out.line(1, &format!("{what}: {}", or_blank(&texts.join(", "))));
    }
    for entity in &side.schema.entities {
        let attrs: Vec<String> = entity.attrs.iter().map(attr).collect();
        let optional = if name == "before" && entity.optional { " (may be absent)" } else { "" };
        out.line(1, &format!("{}{optional}: {}", entity.name, attrs.join(", ")));
    }
    for link in &side.schema.links {
        out.line(1, &link_line(link));
    }
}

fn attr(attr: &Attr) -> String {
    format!("{} {}", attr.name, typed(attr))
}

/// A type with its marks, as a contract writes it.
pub(crate) fn typed(attr: &Attr) -> String {
    let marks = [(attr.required, "!"), (attr.unique, "*"), (attr.indexed, "^")];
    let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    format!("{}{marks}", attr.ty.name())
}

pub(super) fn link_line(link: &Link) -> String {
    let has = |has| if has == Has::One { "one" } else { "many" };
    let ends = format!("{}.{} -> {} {}", link.on, link.label, has(link.has), link.to);
    let (to, reverse) = link.back().unwrap_or_default();
    let back = format!("{to}.{reverse} -> {} {}", has(link.reverse_has), link.on);
    let also = if link.also.is_empty() {
        String::new()
    } else {
        format!(", or the id in {}", link.also.join(", "))
    };
    format!("{ends}{also}; back {back}")
}

fn transform(out: &mut Lines, rules: &Transform, after: &Schema) {
    out.head(&format!("{} -> {}", rules.source, rules.target));
    out.line(1, &format!("id: {}", id(&rules.id, &rules.target)));
    if !rules.adopt.is_empty() {
        let names = rules.adopt.join(", ");
        out.line(1, &format!("an existing row with the same {names} stands in for a new one"));
    }
    out.line(1, &format!("order: {}", rules.order.join(", ")));
    out.line(1, &format!("idempotency key: {}", rules.idempotency));
    let entity = after.entity(&rules.target);
    for rule in &rules.attrs {
        let ty = entity.and_then(|entity| entity.attr(&rule.attr)).map(typed).unwrap_or_default();
        out.line(1, &format!("{} ({ty}): {}", rule.attr, attr_rule(rule)));
    }
    if let Some(number) = &rules.number {
        let ty = entity.and_then(|entity| entity.attr(&number.attr)).map(typed).unwrap_or_default();
        out.line(1, &format!("{} ({ty}): {}", number.attr, words::numbering(number)));
    }
    for rule in &rules.links {
        let to = after.link(&rules.target, &rule.label).map_or("", |link| &link.to);
        out.line(1, &format!("{} -> {to}: {}", rule.label, link_rule(rule)));
    }
    if let Some(explode) = &rules.explode {
        for (level, line) in words::explode(explode) {
            out.line(level, &line);
        }
    }
    if !rules.drop.is_empty() {
        let names = rules.drop.join(", ");
        out.line(1, &format!("dropped by rule, counted and kept in the snapshot: {names}"));
    }
}

/// Where an id comes from, in words.
pub(crate) fn id(rule: &IdRule, target: &str) -> String {
    let mut ways: Vec<String> = rule.from.clone();
    if let Some(names) = &rule.derive {
        ways.push(format!(
            "uuid5 of \"{target}:{}\"",
            names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(":")
        ));
    }
    ways.join(", else ")
}

/// How an attribute is filled, in words.
pub(crate) fn attr_rule(rule: &AttrRule) -> String {
    let mut ways: Vec<String> = rule.from.iter().map(pick).collect();
    ways.extend(rule.built.as_ref().map(template));
    ways.extend(rule.template.as_ref().map(template));
    ways.extend(rule.missing.as_ref().map(constant));
    let mut said = ways.join(", else ");
    if let Some(entity) = &rule.refers {
        let first = if rule.from.len() > 1 { ", the first that is there" } else { "" };
        said.extend(["; the id of a row of ", entity, first, ", mapped as that row's is"]);
    }
    if let Some(map) = &rule.values {
        said.extend(["; ", &values(map)]);
    }
    said
}

pub(super) fn pick(pick: &Pick) -> String {
    match pick {
        Pick::Attr(name) => name.clone(),
        Pick::Path { attr, keys } => format!("{} in the JSON of {attr}", keys.join(".")),
        Pick::Server => "the row's creation time in the store".to_owned(),
        Pick::Linked { link, attr } => format!("{attr} of the row linked as {link}"),
    }
}

pub(super) fn template(template: &Template) -> String {
    let pieces = template.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Attr(name) => format!("{{{name}}}"),
    });
    format!("the text {}", toml_text(&pieces.collect::<String>()))
}

pub(super) fn constant(constant: &Constant) -> String {
    match constant {
        Constant::Text(text) => toml_text(text),
        Constant::Number(number) => number.to_string(),
        Constant::Boolean(is) => is.to_string(),
    }
}

fn values(values: &Values) -> String {
    let map = values
        .map
        .iter()
        .map(|(from, to)| format!("{} becomes {}", toml_text(from), toml_text(to)));
    let fold = if values.fold_case { " in any case" } else { "" };
    let other = match &values.otherwise {
        Otherwise::Keep => "any other stays as it is".to_owned(),
        Otherwise::Quarantine => "a row with any other is quarantined".to_owned(),
        Otherwise::Value(value) => format!("any other becomes {}", constant(value)),
    };
    format!("{}{fold}; {other}", map.collect::<Vec<_>>().join(", "))
}

/// How a link is found, in words.
pub(crate) fn link_rule(rule: &LinkRule) -> String {
    let how = match &rule.how {
        LinkHow::SameRow { target } => format!("what the same legacy row became in {target}"),
        LinkHow::Via { link, take } => format!("{take} of the row linked as {link}"),
        LinkHow::From { picks, latest } => {
            let mut ways: Vec<String> = picks.iter().map(link_pick).collect();
            ways.extend(latest.as_ref().map(|latest| {
                let by = latest.by.join(", ");
                format!(
                    "the latest row of {} by {by} whose {} is this row",
                    latest.entity, latest.of
                )
            }));
            ways.join(", else ")
        }
    };
    let required = match rule.required {
        Required::No => "",
        Required::Yes => "; a row without it is quarantined",
        Required::WhenSourceExists => "; a row is quarantined with the row it names",
    };
    format!("{how}{required}")
}

pub(super) fn link_pick(pick: &LinkPick) -> String {
    match pick {
        LinkPick::Link(label) => format!("the legacy link {label}"),
        LinkPick::Over { by: Hop::Link(label), take } => {
            format!("{take} of the row linked as {label}")
        }
        LinkPick::Over { by: Hop::Reverse { entity, label }, take } => {
            format!("{take} of the row of {entity} whose {label} is this row")
        }
        LinkPick::Reverse { entity, label } => {
            format!("the first row of {entity} whose {label} is this row")
        }
        LinkPick::Key { attr, entity, key } => {
            format!("the row of {entity} whose {key} is this row's {attr}")
        }
    }
}

fn leftovers(out: &mut Lines, contract: &Contract) {
    let Duplicates { keep } = &contract.duplicates;
    out.head("duplicates");
    out.line(1, "identical rows are merged; of conflicting rows the first is kept and the rest are quarantined");
    for (entity, keep) in keep {
        out.line(1, &format!("of {entity}: {} is kept", keep_name(*keep)));
    }
    let attrs = match contract.unmapped.attrs {
        UnmappedAttrs::Report => "are reported",
        UnmappedAttrs::Fail => "are an error",
        UnmappedAttrs::Carry => "go to the target attribute of the same name",
    };
    let links = if contract.unmapped.carry_links { "follow the rows" } else { "are reported" };
    out.head("not named by the contract");
    out.line(1, &format!("attributes {attrs}"));
    out.line(1, &format!("links of the app {links}"));
}

/// What a written rule demands, in words.
pub(crate) fn verified(check: &Check) -> String {
    let what = match &check.what {
        CheckWhat::Bijection { source, target, unless_adopted } => {
            let unless = if *unless_adopted { ", unless it stands on an existing row" } else { "" };
            format!("each row of {source} has its own row of {target}{unless}")
        }
        CheckWhat::Sequence { source, target, within, by } => {
            format!("{target} within {within} are in the order of {source} by {}", by.join(", "))
        }
        CheckWhat::Same { pairs } => {
            let pairs = pairs.iter().map(|(target, attr, source, own)| {
                format!("{target}.{attr} is {source}.{own} byte for byte")
            });
            pairs.collect::<Vec<_>>().join(", ")
        }
    };
    format!("{}: {what}", check.rule)
}

fn rollout(out: &mut Lines, rollout: &Rollout) {
    out.head("rollout");
    let dry_run = if rollout.dry_run_required { "required" } else { "optional" };
    out.line(1, &format!("a dry run is {dry_run}"));
    out.line(1, &format!("first organisation: {}", or_blank(&rollout.canary)));
    for (what, limit) in [
        ("quarantined rows", rollout.max_quarantined),
        ("repairs", rollout.max_repaired),
        ("rows shown in another order", rollout.max_reordered),
        ("link values left behind", rollout.max_left_behind),
    ] {
        out.line(1, &format!("{what}: {}", words::limit(limit)));
    }
    out.line(1, &format!("rolled back on: {}", or_blank(&rollout.rollback_trigger.join(", "))));
    out.line(1, &format!("a rollback: {}", or_blank(&rollout.rollback_action)));
}
