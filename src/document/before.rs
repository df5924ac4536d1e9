//! Section 2: the legacy model, what of it is in use, and what holds today.

use super::words::{
    NO_SNAPSHOT, NOT_MEASURED, code, codes, counted, heading, or_blanks, plain, size, table, text,
};
use super::{Block, Invariant, Measured, SnapshotFacts, TableFacts};
use crate::contract::{Contract, Side, typed};
use crate::error::grouped;
use crate::schema::{Entity, Has, Link, Schema};

/// How many names that the contract lacks are listed.
const MOST: usize = 100;

/// The section.
pub(super) fn blocks(contract: &Contract, measured: &Measured) -> Vec<Block> {
    let side = &contract.before;
    let facts = measured.snapshot.as_ref();
    let mut blocks = vec![surface("before", side), heading("Entities in use")];
    blocks.push(table(
        ["Entity", "Rows", "Size", "Attributes"],
        side.schema.entities.iter().map(|entity| in_use(entity, facts)),
    ));
    blocks.push(heading("Links"));
    blocks.push(links(&side.schema));
    blocks.push(heading("Invariants that hold today"));
    match facts {
        None => blocks.push(text(NO_SNAPSHOT)),
        Some(facts) => {
            blocks.push(invariants(&facts.invariants));
            blocks.push(text(
                "What does not hold today is repaired, merged, dropped or quarantined by the rules of \
                 section 4, and counted there and in section 5.",
            ));
        }
    }
    if let Some(facts) = facts {
        blocks.push(heading("Beside the contract"));
        blocks.push(Block::List(unmapped(facts)));
    }
    blocks
}

/// Entry points and interfaces of one model.
pub(super) fn surface(name: &str, side: &Side) -> Block {
    let Side { entrypoints, apis, schema: _ } = side;
    table(
        ["Surface", "In use"],
        [
            [
                "Runtime entry points".to_owned(),
                or_blanks(&format!("{name}.entrypoints"), entrypoints),
            ],
            ["Interfaces".to_owned(), or_blanks(&format!("{name}.apis"), apis)],
        ],
    )
}

fn in_use(entity: &Entity, facts: Option<&SnapshotFacts>) -> [String; 4] {
    let [rows, size] = rows_and_size(&entity.name, facts);
    let optional = if entity.optional { " (may be absent)" } else { "" };
    [format!("{}{optional}", code(&entity.name)), rows, size, attrs(entity)]
}

/// How many rows an entity has in the snapshot, and how large they are.
pub(super) fn rows_and_size(entity: &str, facts: Option<&SnapshotFacts>) -> [String; 2] {
    let Some(facts) = facts else { return [NOT_MEASURED.to_owned(), String::new()] };
    match facts.tables.iter().find(|table| table.entity == entity) {
        None | Some(TableFacts { present: false, .. }) => {
            ["not in the source".to_owned(), String::new()]
        }
        Some(table) => {
            let (file, values) = (size(table.file_bytes), size(table.value_bytes));
            [grouped(table.rows), format!("{values} of values, {file} as Parquet")]
        }
    }
}

/// The attributes of an entity and their types.
pub(super) fn attrs(entity: &Entity) -> String {
    let attrs: Vec<String> =
        entity.attrs.iter().map(|attr| format!("{} {}", attr.name, typed(attr))).collect();
    if attrs.is_empty() { "none beside `id`".to_owned() } else { codes(&attrs) }
}

/// The links of a model.
pub(super) fn links(schema: &Schema) -> Block {
    let has = |has| if has == Has::One { "one" } else { "many" }.to_owned();
    let rows = schema.links.iter().map(|link| {
        let Link { name: _, on, label, has: forward, to, reverse, reverse_has, rules: _, also } =
            link;
        let reverse = reverse.as_deref().unwrap_or_default();
        let also = if also.is_empty() { String::new() } else { codes(also) };
        [
            code(&format!("{on}.{label}")),
            format!("{} {}", has(*forward), code(to)),
            format!("{}, {}", code(&format!("{to}.{reverse}")), has(*reverse_has)),
            also,
        ]
    });
    table(["Link", "Leads to", "Seen from there", "Or the id in"], rows)
}

fn invariants(found: &[Invariant]) -> Block {
    let rows = found.iter().map(|it| {
        let holds = match (it.evaluated, it.broken) {
            (0, 0) => "nothing to look at".to_owned(),
            (_, 0) => "holds".to_owned(),
            (_, broken) => format!("⚠ does not hold: {} otherwise", grouped(broken)),
        };
        [code(&it.entity), plain(&it.says), plain(&it.evidence), holds]
    });
    table(["Entity", "Invariant", "Evidence", "Today"], rows)
}

fn unmapped(facts: &SnapshotFacts) -> Vec<String> {
    let entity = |(name, rows): &(String, u64)| {
        let rows = counted(*rows, "row", "rows");
        format!("entity {} with {rows} is not named by the contract; it stays as it is", code(name))
    };
    let attr = |(entity, attr, rows): &(String, String, u64)| {
        let rows = counted(*rows, "row", "rows");
        let name = code(&format!("{entity}.{attr}"));
        format!("attribute {name}, in {rows}, is not declared; the snapshot keeps it")
    };
    let unmapped = &facts.unmapped;
    let said = unmapped.entities.iter().map(entity).chain(unmapped.attrs.iter().map(attr));
    let count = unmapped.entities.len() + unmapped.attrs.len();
    let mut said: Vec<String> = said.take(MOST).collect();
    if count == 0 {
        said.push("every entity and attribute of the source is named by the contract".to_owned());
    } else if count > MOST {
        let more = grouped((count - MOST) as u64);
        said.push(format!("and {more} more, which the snapshot's description lists"));
    }
    said
}
