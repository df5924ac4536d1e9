//! Section 4: per target entity the source selector, transform rule, target rule and idempotency key.

use super::words::{code, codes, counted, heading, plain, table, text};
use super::{Block, BundleFacts, Measured, schema};
use crate::contract::{
    Contract, Duplicates, Keep, Transform, Unmapped, UnmappedAttrs, attr_words, explode_words,
    id_words, link_words, numbering_words, typed,
};
use crate::error::grouped;
use crate::schema::Schema;

/// The section.
pub(super) fn blocks(contract: &Contract, measured: &Measured) -> Vec<Block> {
    let after = &contract.after.schema;
    let columns = ["Target", "Source selector", "Transform rule", "Target rule", "Idempotency key"];
    let rows = contract.transforms.iter().map(|rules| summary(rules, after, measured));
    let namespace = code(&contract.namespace);
    let mut blocks = vec![
        table(columns, rows),
        text(format!(
            "Derived ids are `uuid5(uuid5(NAMESPACE_URL, namespace), \"<target>:<key>\")` in the \
             namespace {namespace}: the same key gives the same id in every run. A UUID is kept."
        )),
    ];
    for rules in &contract.transforms {
        let (source, target) = (code(&rules.source), code(&rules.target));
        blocks.push(heading(&format!("{source} to {target}")));
        blocks.push(rule_table(rules, after, measured.bundle.as_ref()));
        let more = more(rules);
        if !more.is_empty() {
            blocks.push(Block::List(more));
        }
    }
    blocks.push(heading("What no transform says"));
    blocks.push(Block::List(leftovers(contract)));
    blocks.push(heading("Schema"));
    blocks.extend(schema::blocks(measured));
    blocks
}

fn summary(rules: &Transform, after: &Schema, measured: &Measured) -> [String; 5] {
    let Transform { target, source, id, adopt, order, idempotency, attrs, links, .. } = rules;
    let tables = measured.snapshot.as_ref().map_or(&[][..], |facts| &facts.tables);
    let rows = tables.iter().find(|table| table.entity == *source);
    let rows =
        rows.map_or_else(String::new, |table| format!(" ({})", counted(table.rows, "row", "rows")));
    let adopted = if adopt.is_empty() {
        String::new()
    } else {
        format!("; an existing row with the same {} stands in for a new one", codes(adopt))
    };
    let [required, unique] = [false, true].map(|unique| {
        let declared = after.entity(target).map_or(&[][..], |entity| &entity.attrs);
        let marked =
            declared.iter().filter(|attr| if unique { attr.unique } else { attr.required });
        codes(&marked.map(|attr| attr.name.as_str()).collect::<Vec<_>>())
    });
    let said = |what: &str, names: String| {
        if names.is_empty() { names } else { format!("; {what} {names}") }
    };
    [
        code(target),
        format!("every row of {}{rows}", code(source)),
        format!(
            "id: {}; {} and {} by the rules below",
            plain(&id_words(id, target)),
            counted(attrs.len() as u64, "attribute", "attributes"),
            counted(links.len() as u64, "link", "links"),
        ),
        format!(
            "in the order {}{}{}{adopted}",
            codes(order),
            said("required", required),
            said("unique", unique)
        ),
        code(idempotency),
    ]
}

/// What a transform says beside its attributes and links.
fn more(rules: &Transform) -> Vec<String> {
    let Transform {
        target: _,
        source: _,
        id: _,
        adopt: _,
        order: _,
        idempotency: _,
        attrs: _,
        links: _,
        explode,
        number,
        drop,
    } = rules;
    let split = explode.iter().flat_map(explode_words).map(|(level, said)| {
        let level = "· ".repeat(level.saturating_sub(1));
        format!("{level}{}", plain(&said))
    });
    let numbered = number
        .iter()
        .map(|number| format!("{} is {}", code(&number.attr), plain(&numbering_words(number))));
    let dropped = (!drop.is_empty())
        .then(|| format!("dropped by rule, counted and kept in the snapshot: {}", codes(drop)));
    split.chain(numbered).chain(dropped).collect()
}

fn rule_table(rules: &Transform, after: &Schema, bundle: Option<&BundleFacts>) -> Block {
    let entity = after.entity(&rules.target);
    let id = ["`id`".to_owned(), "id".to_owned(), plain(&id_words(&rules.id, &rules.target))];
    let attrs = rules.attrs.iter().map(|rule| {
        let declared = entity.and_then(|entity| entity.attr(&rule.attr));
        let ty = declared.map(typed).unwrap_or_default();
        [code(&rule.attr), ty, plain(&attr_words(rule))]
    });
    let links = rules.links.iter().map(|rule| {
        let to = after.link(&rules.target, &rule.label).map_or("", |link| &link.to);
        [code(&rule.label), format!("link to {}", code(to)), plain(&link_words(rule))]
    });
    let rows = std::iter::once(id).chain(attrs).chain(links);
    let columns = ["Attribute or link", "Type", "Rule"];
    let Some(bundle) = bundle else { return table(columns, rows) };
    let names = std::iter::once("id")
        .chain(rules.attrs.iter().map(|rule| rule.attr.as_str()))
        .chain(rules.links.iter().map(|rule| rule.label.as_str()));
    let rows = rows
        .zip(names)
        .map(|([name, ty, rule], attr)| [name, ty, rule, repaired(bundle, &rules.target, attr)]);
    let [name, ty, rule] = columns;
    table([name, ty, rule, "Repaired"], rows)
}

/// How many values of an attribute did not come from the first source of its rule.
fn repaired(bundle: &BundleFacts, target: &str, attr: &str) -> String {
    let ours = bundle.repairs.iter().filter(|it| it.target == target && it.attr == attr);
    let said: Vec<String> =
        ours.map(|it| format!("{} ({})", grouped(it.rows), plain(&it.how))).collect();
    if said.is_empty() { "0".to_owned() } else { said.join(", ") }
}

fn leftovers(contract: &Contract) -> Vec<String> {
    let Duplicates { keep } = &contract.duplicates;
    let Unmapped { attrs, carry_links } = contract.unmapped;
    let mut said = vec![
        "Rows with the same id and the same content are merged into one.".to_owned(),
        "Of rows that share an id or a unique value and differ, the first by creation, change, \
         then content is kept and the rest are quarantined."
            .to_owned(),
    ];
    said.extend(keep.iter().map(|(entity, keep)| {
        let kept = match keep {
            Keep::First => "the first is kept",
            Keep::Last => "the last is kept",
            Keep::None => "none is kept",
        };
        format!("Of those of {}, {kept}.", code(entity))
    }));
    said.push(
        "A row that cannot satisfy a rule is quarantined whole, with the rule's name, and so is a \
         row that needs it."
            .to_owned(),
    );
    said.push(
        match attrs {
            UnmappedAttrs::Report => {
                "Attributes without a rule stay in the snapshot and are reported."
            }
            UnmappedAttrs::Fail => "An attribute without a rule stops the run.",
            UnmappedAttrs::Carry => {
                "Attributes without a rule fill the target attribute of their name."
            }
        }
        .to_owned(),
    );
    said.push(if carry_links {
        "Links of the app that the contract does not name follow the rows.".to_owned()
    } else {
        "Links of the app that the contract does not name are reported and not made.".to_owned()
    });
    said
}
