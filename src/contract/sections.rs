//! The sections that hold no rule: 1, 6, 7, and what becomes of duplicates and the unmapped.

use super::fields::{Fields, wrong};
use super::misfit::{Misfits, hint, quoted};
use super::model::Model;
use super::tree::{Node, Value};
use super::{
    Duplicates, Implementation, Keep, Limit, Release, Rollout, Unfit, Unmapped, UnmappedAttrs,
};

/// The newest version of the file format. Since 2 a case that splits rows answers for all of an object.
pub(super) const FORMAT: u32 = 2;

fn open<'a>(root: &Fields<'a>, name: &'a str, keys: &[&str]) -> Option<Fields<'a>> {
    Fields::open(root.need(name)?, name, keys, root.misfits)
}

/// `[contract]`: name and format.
pub(super) fn contract(root: &Fields<'_>) -> (String, u32) {
    let fields = open(root, "contract", &["name", "format"]);
    let name = fields.map(|fields| fields.owned("name")).unwrap_or_default();
    if let Some(node) = fields.and_then(|fields| fields.get("name"))
        && name.trim().is_empty()
        && matches!(node.value, Value::Text(_))
    {
        root.misfits.add(node.place, "a contract has a name");
    }
    let mut format = FORMAT;
    if let Some(node) = fields.and_then(|fields| fields.need("format")) {
        match node.value {
            Value::Whole(said) => match u32::try_from(said) {
                Ok(known @ 1..=FORMAT) => format = known,
                _ => {
                    let said = format!("this program reads formats 1 to {FORMAT}");
                    root.misfits.add(node.place, said);
                }
            },
            _ => wrong(node, "format", "a whole number", root.misfits),
        }
    }
    (name, format)
}

/// `[release]`.
pub(super) fn release(root: &Fields<'_>) -> Release {
    let fields = open(root, "release", &["from", "to", "scope"]);
    let text = |key| fields.map(|fields| fields.owned(key)).unwrap_or_default();
    Release { from: text("from"), to: text("to"), scope: text("scope") }
}

/// `[ids]`: the namespace of derived ids.
pub(super) fn namespace(root: &Fields<'_>) -> String {
    let fields = open(root, "ids", &["namespace"]);
    let Some(said) = fields.and_then(|fields| fields.need_text("namespace")) else {
        return String::new();
    };
    if let Some(node) = fields.and_then(|fields| fields.get("namespace"))
        && said.trim().is_empty()
    {
        root.misfits.add(node.place, "a blank `namespace` is shared with every other migration");
    }
    said.to_owned()
}

/// `[duplicates]`.
pub(super) fn duplicates(root: &Fields<'_>, model: &Model) -> Duplicates {
    let misfits = root.misfits;
    let keys = ["identical", "conflicting", "keep"];
    let fields = root.get("duplicates");
    let fields = fields.and_then(|node| Fields::open(node, "duplicates", &keys, misfits));
    let Some(fields) = fields else { return Duplicates { keep: Vec::new() } };
    fields.choice("identical", &[("merge", ())]);
    fields.choice("conflicting", &[("quarantine", ())]);
    let keep = fields.get("keep").and_then(|node| Fields::map(node, "keep", misfits));
    let mut kept = Vec::new();
    for entry in keep.iter().flat_map(Fields::entries) {
        if model.before.entity(&entry.key).is_none() {
            let known = model.before.entities.iter().map(|entity| entity.name.as_str());
            let said = format!("no legacy entity {} is declared", quoted(&entry.key));
            misfits.add(entry.place, format!("{said}{}", hint(&entry.key, known)));
        }
        let choices = [("first", Keep::First), ("last", Keep::Last), ("none", Keep::None)];
        let choice = keep.and_then(|keep| keep.choice(&entry.key, &choices));
        kept.extend(choice.map(|choice| (entry.key.clone(), choice)));
    }
    Duplicates { keep: kept }
}

/// `[unmapped]`.
pub(super) fn unmapped(root: &Fields<'_>) -> Unmapped {
    let fields = root.get("unmapped");
    let fields =
        fields.and_then(|node| Fields::open(node, "unmapped", &["attrs", "links"], root.misfits));
    let attrs = [
        ("report", UnmappedAttrs::Report),
        ("fail", UnmappedAttrs::Fail),
        ("carry", UnmappedAttrs::Carry),
    ];
    let attrs = fields.and_then(|fields| fields.choice("attrs", &attrs));
    let links =
        fields.and_then(|fields| fields.choice("links", &[("carry", true), ("report", false)]));
    Unmapped { attrs: attrs.unwrap_or(UnmappedAttrs::Report), carry_links: links.unwrap_or(true) }
}

/// `[rollout]`.
pub(super) fn rollout(root: &Fields<'_>) -> Rollout {
    let keys = [
        "dry_run",
        "canary",
        "max_quarantined",
        "max_repaired",
        "max_reordered",
        "max_left_behind",
        "rollback_trigger",
        "rollback_action",
    ];
    let fields = open(root, "rollout", &keys);
    let text = |key| fields.map(|fields| fields.owned(key)).unwrap_or_default();
    let limit = |key| {
        let node = fields.and_then(|fields| fields.need(key));
        node.and_then(|node| self::limit(node, key, root.misfits)).unwrap_or(Limit::Any)
    };
    // Keys that a contract of an older program lacks: not one row, where nothing is said.
    let optional = |key| {
        let node = fields.and_then(|fields| fields.get(key));
        node.and_then(|node| self::limit(node, key, root.misfits)).unwrap_or(Limit::Rows(0))
    };
    let triggers = fields.and_then(|fields| fields.need_texts("rollback_trigger"));
    let triggers = triggers.unwrap_or_default();
    let dry_run = fields.and_then(|fields| {
        fields.need("dry_run")?;
        fields.choice("dry_run", &[("required", true), ("optional", false)])
    });
    Rollout {
        dry_run_required: dry_run.unwrap_or(true),
        canary: text("canary"),
        max_quarantined: limit("max_quarantined"),
        max_repaired: limit("max_repaired"),
        max_reordered: optional("max_reordered"),
        max_left_behind: optional("max_left_behind"),
        rollback_trigger: triggers.into_iter().map(|(text, _)| text.to_owned()).collect(),
        rollback_action: text("rollback_action"),
    }
}

/// `[target]`: what becomes of rows with values that not every store holds.
pub(super) fn target(root: &Fields<'_>) -> Unfit {
    let fields = root.get("target");
    let fields = fields.and_then(|node| Fields::open(node, "target", &["unfit"], root.misfits));
    let choices = [("refuse", Unfit::Refuse), ("quarantine", Unfit::Quarantine)];
    fields.and_then(|fields| fields.choice("unfit", &choices)).unwrap_or(Unfit::Refuse)
}

/// A number of rows, a share of them as `"0.1%"`, or `"any"`.
pub(super) fn limit(node: &Node, name: &str, misfits: &Misfits) -> Option<Limit> {
    let limit = match &node.value {
        Value::Whole(rows) => u64::try_from(*rows).ok().map(Limit::Rows),
        Value::Text(text) if text == "any" => Some(Limit::Any),
        Value::Text(text) => text.strip_suffix('%').and_then(share).map(Limit::Percent),
        _ => None,
    };
    if limit.is_none() {
        let said = "must be a number of rows, a share of them as \"0.1%\", or \"any\"";
        misfits.add(node.place, format!("{} {said}", quoted(name)));
    }
    limit
}

/// A share in plain digits, at most 100.
fn share(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let share: f64 = text.parse().ok().filter(|_| plain)?;
    (0.0..=100.0).contains(&share).then_some(share)
}

/// `[implementation]`.
pub(super) fn implementation(root: &Fields<'_>) -> Implementation {
    let fields = open(root, "implementation", &["language", "reason"]);
    let text = |key| fields.map(|fields| fields.owned(key)).unwrap_or_default();
    Implementation { language: text("language"), reason: text("reason") }
}
