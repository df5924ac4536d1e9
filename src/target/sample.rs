//! A small bundle made by hand, for tests.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema as Columns};
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};

use crate::bag::{self, Payload};
use crate::bundle::{self, Bundle, Equation, LinksMeta, Meta, Named, Origin, TableMeta};
use crate::contract::{
    Contract, Duplicates, Implementation, Limit, Release, Rollout, Side, Unmapped, UnmappedAttrs,
};
use crate::digest::{RowDigest, TableDigest, Value};
use crate::import::Order;
use crate::progress::Silent;
use crate::schema::{Attr, Entity, Has, Link, LinkRules, Schema, Type};
use crate::snapshot::{self, SourceMeta};
use crate::storage::{self, HashingFile, Written};
use crate::target::OnConflict;
use crate::verify::{self, Outcome, Rule, Verification, VerifiedBundle};

/// The rows of the bundle's tables, in the order of [`bundle::columns`].
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) threads: Vec<Json>,
    pub(crate) items: Vec<Json>,
    pub(crate) links: Vec<Json>,
}

impl Sample {
    /// Two threads, three items, one link; one row was there before.
    pub(crate) fn small() -> Self {
        let day = 86_400_000_000_i64;
        Self {
            threads: vec![
                json!(["t1", day, "a", "i2", "migrated", 0, 5, null]),
                json!(["t2", 2 * day, "b", null, "existing", 0, null, "{\"old\":1}"]),
            ],
            items: vec![
                json!(["i1", day, "web", 1.5, true, "{\"b\": 1}", "t1", "migrated", 0, 1, null]),
                json!(["i2", day + 1, "", null, false, null, "t1", "migrated", 2, null, null]),
                json!(["i3", day + 2, "e\u{0}x", -0.0, null, "[]", "t2", "migrated", 1, 3, null]),
            ],
            links: vec![json!(["e1", "i1", "migrated"])],
        }
    }

    /// Writes and seals the bundle.
    pub(crate) fn bundle(&self, root: &Path) -> Bundle {
        self.bundle_with(root, |_, _| {})
    }

    /// The same after a change of its description and its files.
    pub(crate) fn bundle_with(
        &self,
        root: &Path,
        change: impl FnOnce(&mut Meta, &mut Payload),
    ) -> Bundle {
        let schema = schema();
        let mut payload = Payload::new();
        let tables = [("threads", &self.threads), ("items", &self.items)].map(|(entity, rows)| {
            let file = format!("data/parquet/{entity}.parquet");
            let columns = bundle::columns(&schema, entity);
            payload.insert(file.clone(), parquet(&root.join(&file), &columns, rows));
            let origin = columns.index_of(Origin::ORIGIN).unwrap();
            let migrated = rows.iter().filter(|row| row[origin] == Origin::MIGRATED).count() as u64;
            TableMeta {
                entity: entity.to_owned(),
                jsonl: format!("data/jsonl/{entity}.jsonl"),
                rows: rows.len() as u64,
                migrated,
                existing: rows.len() as u64 - migrated,
                digest: digest(&schema, entity, &columns, rows),
                file,
            }
        });
        let file = "data/parquet/links/emails.item.parquet".to_owned();
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let columns = Columns::new(vec![text("from"), text("to"), text(Origin::ORIGIN)]);
        payload.insert(file.clone(), parquet(&root.join(&file), &columns, &self.links));
        let links = LinksMeta {
            entity: "emails".to_owned(),
            label: "item".to_owned(),
            target: "items".to_owned(),
            role: "carried".to_owned(),
            declared: None,
            rows: self.links.len() as u64,
            digest: digest(&schema, "", &columns, &self.links),
            file,
        };
        let mut meta = meta(tables.to_vec(), links);
        change(&mut meta, &mut payload);
        let text = serde_json::to_vec(&meta).unwrap();
        let path = root.join("data/bundle.json");
        payload.insert("data/bundle.json".to_owned(), storage::write_new(&path, &text).unwrap());
        bag::seal(root, &payload, &[]).unwrap();
        Bundle::open(root, &Silent).unwrap()
    }

    /// The same, with the permit to import it.
    pub(crate) fn verified(&self, root: &Path) -> VerifiedBundle {
        let bundle = self.bundle(root);
        let verification = verification(&bundle);
        verify::permit(bundle, contract(), verification).unwrap()
    }
}

/// An order to import into a store of one's own.
pub(crate) fn order() -> Order<'static> {
    Order {
        execute: true,
        on_conflict: OnConflict::Refuse,
        embedded: true,
        clock: &|| 0,
        memory: None,
    }
}

/// A verification that passed.
pub(crate) fn verification(bundle: &Bundle) -> Verification {
    let rule = Rule {
        kind: "count".to_owned(),
        rule: "rows of legacy = migrated + merged + quarantined".to_owned(),
        entity: "legacy".to_owned(),
        attr: String::new(),
        evaluated: 4,
        violations: 0,
        allows: 0,
        noun: None,
        samples: Vec::new(),
        outcome: Outcome::Passed,
        query: "SELECT 0".to_owned(),
    };
    Verification { bundle_digest: bundle.digest().to_owned(), rules: vec![rule] }
}

fn meta(tables: Vec<TableMeta>, links: LinksMeta) -> Meta {
    let rows = tables.iter().map(|table| table.migrated).sum();
    Meta {
        format: bundle::FORMAT,
        program: crate::PROGRAM.to_owned(),
        snapshot: Named { name: "sample".to_owned(), digest: "5".repeat(64) },
        contract: Named { name: "sample".to_owned(), digest: contract().digest() },
        taken_by: None,
        source: SourceMeta { kind: "archive".to_owned(), ..SourceMeta::default() },
        tables,
        links: vec![links],
        equations: vec![Equation {
            source: "legacy".to_owned(),
            rows,
            migrated: rows,
            merged: 0,
            quarantined: 0,
            only_links: 0,
            dropped: 0,
            adopted: Vec::new(),
            split: Vec::new(),
        }],
        existing: Vec::new(),
        link_equations: Vec::new(),
        refs: Vec::new(),
        lost: Vec::new(),
        repairs: Vec::new(),
        quarantine: Vec::new(),
        mapped_ids: Vec::new(),
        dropped_values: Vec::new(),
        unmapped: snapshot::Unmapped::default(),
        left_behind: Vec::new(),
        residue: Vec::new(),
        residue_links: Vec::new(),
    }
}

/// Threads and items: every type, a unique attribute, a has-one link of either kind.
pub(crate) fn schema() -> Schema {
    let attr = |name: &str, ty: Type, flags: &str| Attr {
        name: name.to_owned(),
        ty,
        required: flags.contains('!'),
        unique: flags.contains('*'),
        indexed: flags.contains('^'),
    };
    let entity =
        |name: &str, attrs: Vec<Attr>| Entity { name: name.to_owned(), attrs, optional: false };
    let link = |on: &str, label: &str, to: &str, reverse_has: Has| Link {
        name: format!("{on}{label}"),
        on: on.to_owned(),
        label: label.to_owned(),
        has: Has::One,
        to: to.to_owned(),
        reverse: Some(format!("{on}By{label}")),
        reverse_has,
        rules: LinkRules::default(),
        also: Vec::new(),
    };
    Schema {
        entities: vec![
            entity(
                "threads",
                vec![attr("createdAt", Type::Date, "!"), attr("key", Type::String, "*^")],
            ),
            entity(
                "items",
                vec![
                    attr("createdAt", Type::Date, "!^"),
                    attr("channel", Type::String, "!"),
                    attr("score", Type::Number, ""),
                    attr("seen", Type::Boolean, ""),
                    attr("content", Type::Any, ""),
                ],
            ),
        ],
        links: vec![
            link("threads", "head", "items", Has::One),
            link("items", "thread", "threads", Has::Many),
        ],
    }
}

/// A contract about that model, without rules.
pub(crate) fn contract() -> Contract {
    let text = |text: &str| text.to_owned();
    let side = |schema| Side { entrypoints: vec![text("main")], apis: vec![text("use")], schema };
    Contract {
        name: "sample".to_owned(),
        format: 1,
        release: Release { from: text("1.0"), to: text("2.0"), scope: text("a test") },
        before: side(Schema::default()),
        after: side(schema()),
        rules: Vec::new(),
        namespace: "sample".to_owned(),
        transforms: Vec::new(),
        duplicates: Duplicates { keep: Vec::new() },
        unmapped: Unmapped { attrs: UnmappedAttrs::Report, carry_links: true },
        checks: Vec::new(),
        notes: Vec::new(),
        rollout: Rollout {
            dry_run_required: true,
            canary: text("first"),
            max_quarantined: Limit::Rows(0),
            max_repaired: Limit::Any,
            max_reordered: Limit::Rows(0),
            max_left_behind: Limit::Rows(0),
            rollback_trigger: vec![text("findings")],
            rollback_action: text("rollback"),
        },
        unfit: crate::contract::Unfit::Refuse,
        implementation: Implementation { language: text("rust"), reason: text("a test") },
        text: "sample".to_owned(),
    }
}

/// Writes rows of JSON arrays as a Parquet file.
pub(crate) fn parquet(path: &Path, columns: &Columns, rows: &[Json]) -> Written {
    let columns = Arc::new(columns.clone());
    let arrays = columns.fields().iter().enumerate();
    let arrays = arrays.map(|(at, field)| array(field, rows.iter().map(|row| &row[at]))).collect();
    let batch = RecordBatch::try_new(Arc::clone(&columns), arrays).unwrap();
    let mut file = HashingFile::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(&mut file, columns, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file.finish().unwrap()
}

fn array<'a>(field: &Field, values: impl Iterator<Item = &'a Json>) -> ArrayRef {
    match field.data_type() {
        DataType::Utf8 => Arc::new(values.map(Json::as_str).collect::<StringArray>()),
        DataType::Int64 => Arc::new(values.map(Json::as_i64).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(values.map(Json::as_f64).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(values.map(Json::as_bool).collect::<BooleanArray>()),
        _ => Arc::new(
            values.map(Json::as_i64).collect::<TimestampMicrosecondArray>().with_timezone("UTC"),
        ),
    }
}

/// The digest as the bundle format defines it, from the same literals.
fn digest(schema: &Schema, entity: &str, columns: &Columns, rows: &[Json]) -> String {
    let (mut table, mut digest) = (TableDigest::default(), RowDigest::default());
    for row in rows {
        let declared = columns.fields().iter().enumerate();
        let declared = declared.filter(|(_, field)| !field.name().starts_with('_'));
        let values: Vec<_> = declared
            .map(|(at, field)| {
                let attr = schema.entity(entity).and_then(|entity| entity.attr(field.name()));
                (field.name().as_str(), value(&row[at], attr.map_or(Type::String, |attr| attr.ty)))
            })
            .collect();
        table.add(digest.of(values));
    }
    table.hex()
}

fn value(value: &Json, ty: Type) -> Value<'_> {
    match (value, ty) {
        (Json::Null, _) => Value::Absent,
        (Json::String(text), Type::Any) => Value::Json(text),
        (Json::String(text), _) => Value::Text(text),
        (Json::Bool(value), _) => Value::Boolean(*value),
        (number, Type::Date) => Value::Date(number.as_i64().unwrap()),
        (number, _) => Value::Number(number.as_f64().unwrap()),
    }
}
