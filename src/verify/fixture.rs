//! A small snapshot with a bit of everything, its bundle, and edits of a sealed bundle.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema as Columns};
use parquet::arrow::ArrowWriter;

use super::read;
use super::{Verification, verify};
use crate::bag::{self, Payload};
use crate::bundle::{self, Bundle};
use crate::contract::{self, Contract, Overrides};
use crate::digest::{RowDigest, TableDigest, Value, row_hex};
use crate::progress::Silent;
use crate::resources::Resources;
use crate::schema::{Schema, Type};
use crate::snapshot::{self, Extra, LinksMeta, Meta, Snapshot, SourceMeta, TableMeta, Unmapped};
use crate::storage;

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Number(f64),
    Boolean(bool),
    Date(i64),
    Whole(i64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Cell::Number(number)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Cell::Boolean(value)
    }
}

/// A moment so many milliseconds after the epoch.
pub(super) fn at(millis: i64) -> Cell {
    Cell::Date(millis * 1000)
}

/// A UUID with this number at its end.
pub(super) fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// A row: column and value; absent columns are null.
pub(super) type Given = Vec<(&'static str, Cell)>;

/// A table with one column of texts.
pub(super) fn texts(name: &str, texts: impl Iterator<Item = String>) -> Edit {
    let schema = Columns::new(vec![Field::new(name, DataType::Utf8, true)]);
    Edit { schema, rows: texts.map(|text| vec![Cell::Text(text)]).collect() }
}

/// A table read whole, to be edited.
pub(super) struct Edit {
    schema: Columns,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Edit {
    pub(super) fn column(&self, name: &str) -> usize {
        self.schema.index_of(name).unwrap()
    }

    /// The first row whose column holds this text.
    pub(super) fn find(&self, name: &str, text: &str) -> usize {
        let column = self.column(name);
        self.rows.iter().position(|row| row[column] == Cell::from(text)).unwrap()
    }

    pub(super) fn cell(&mut self, row: usize, name: &str) -> &mut Cell {
        let column = self.column(name);
        &mut self.rows[row][column]
    }

    pub(super) fn read(path: &Path) -> Self {
        let types = read::types(path).unwrap();
        let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
            storage::open(path).unwrap(),
        );
        let names: Vec<String> =
            builder.unwrap().schema().fields().iter().map(|field| field.name().clone()).collect();
        let fields: Vec<Field> =
            names.iter().map(|name| Field::new(name, types[name].clone(), true)).collect();
        let columns: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut rows = Vec::new();
        read::scan(path, &columns, &mut |row| {
            let cell = |at: usize| match row.value(at, Type::String) {
                Value::Text(text) | Value::Json(text) => Cell::from(text),
                Value::Number(number) => Cell::Number(number),
                Value::Boolean(value) => Cell::Boolean(value),
                Value::Date(micros) => Cell::Date(micros),
                Value::Absent => row.whole(at).map_or(Cell::Null, Cell::Whole),
            };
            rows.push((0..names.len()).map(cell).collect());
            Ok(())
        })
        .unwrap();
        Self { schema: Columns::new(fields), rows }
    }

    pub(super) fn write(&self, path: &Path) {
        storage::remove_if_there(path).unwrap();
        let columns = self.schema.fields().iter().enumerate();
        let columns: Vec<ArrayRef> =
            columns.map(|(at, field)| array(field.data_type(), &self.rows, at)).collect();
        let schema = Arc::new(self.schema.clone());
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let file = storage::HashingFile::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().finish().unwrap();
    }
}

fn array(ty: &DataType, rows: &[Vec<Cell>], at: usize) -> ArrayRef {
    let cells = rows.iter().map(|row| &row[at]);
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => Some(text.clone()),
        _ => None,
    };
    let number = |cell: &Cell| if let Cell::Number(n) = cell { Some(*n) } else { None };
    let boolean = |cell: &Cell| if let Cell::Boolean(b) = cell { Some(*b) } else { None };
    let date = |cell: &Cell| if let Cell::Date(d) = cell { Some(*d) } else { None };
    let whole = |cell: &Cell| if let Cell::Whole(w) = cell { Some(*w) } else { None };
    match ty {
        DataType::Float64 => Arc::new(cells.map(number).collect::<Float64Array>()),
        DataType::Boolean => Arc::new(cells.map(boolean).collect::<BooleanArray>()),
        DataType::Int64 => Arc::new(cells.map(whole).collect::<Int64Array>()),
        DataType::Timestamp(_, _) => {
            Arc::new(cells.map(date).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        _ => Arc::new(cells.map(text).collect::<StringArray>()),
    }
}

/// A folder with a snapshot and its bundle.
pub(super) struct Place {
    pub(super) folder: tempfile::TempDir,
    pub(super) contract: Contract,
    pub(super) root: PathBuf,
}

impl Place {
    /// The bundle that the transform makes of these tables and link files.
    pub(super) fn new(tables: &[(&str, Vec<Given>)], links: &[Pairs]) -> Self {
        Self::by(contract::BUILT_IN, tables, links)
    }

    /// The bundle that the transform makes of these tables by a contract.
    pub(super) fn by(text: &str, tables: &[(&str, Vec<Given>)], links: &[Pairs]) -> Self {
        let overrides = Overrides {
            release: None,
            set: vec![("rollout.max_quarantined".to_owned(), "any".to_owned())],
        };
        let contract = contract::load(text, "built-in", &overrides).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_snapshot(&folder.path().join("snapshot"), &contract, tables, links);
        let snapshot = Snapshot::open(&folder.path().join("snapshot"), &Silent).unwrap();
        let made = bundle::write(
            &contract,
            &snapshot,
            &folder.path().join("out"),
            &Resources::default(),
            &Silent,
        )
        .unwrap();
        Self { root: made.root().to_owned(), folder, contract }
    }

    /// A copy of the bundle, to be edited; the snapshot stays where it is.
    pub(super) fn copy(&self, name: &str) -> Copied<'_> {
        let root = self.folder.path().join(name);
        copy(&self.root, &root);
        Copied { place: self, root }
    }
}

/// A copy of a bundle.
pub(super) struct Copied<'a> {
    place: &'a Place,
    pub(super) root: PathBuf,
}

impl Copied<'_> {
    /// Edits one Parquet file.
    pub(super) fn edit(&self, file: &str, change: impl FnOnce(&mut Edit)) {
        let path = self.root.join(file);
        let mut edit = Edit::read(&path);
        change(&mut edit);
        edit.write(&path);
    }

    /// Edits a text file.
    pub(super) fn text(&self, file: &str, change: impl FnOnce(&str) -> String) {
        let path = self.root.join(file);
        let text = storage::read_text(&path).unwrap();
        let changed = change(&text);
        assert_ne!(text, changed, "the edit of {file} changes nothing");
        storage::replace(&path, changed.as_bytes()).unwrap();
    }

    /// Edits bundle.json.
    pub(super) fn meta(&self, change: impl FnOnce(&mut bundle::Meta)) {
        self.text("data/bundle.json", |text| {
            let mut meta = serde_json::from_str(text).unwrap();
            change(&mut meta);
            serde_json::to_string(&meta).unwrap()
        });
    }

    /// Seals the copy and verifies it.
    pub(super) fn verify(&self) -> Verification {
        self.verify_on(None)
    }

    /// Seals the copy and verifies it on so many threads.
    pub(super) fn verify_on(&self, threads: Option<usize>) -> Verification {
        let threads = threads.and_then(NonZeroUsize::new);
        let resources = Resources { threads, ..Resources::default() };
        let (bundle, snapshot) = self.sealed();
        verify(&bundle, &snapshot, &self.place.contract, &resources, &Silent).unwrap()
    }

    /// Seals the copy. Row counts follow the files, as a forger would have it.
    pub(super) fn sealed(&self) -> (Bundle, Snapshot) {
        let rows = |file: &str| read::rows(&self.root.join(file)).unwrap() as u64;
        let path = self.root.join("data/bundle.json");
        let mut meta: bundle::Meta =
            serde_json::from_str(&storage::read_text(&path).unwrap()).unwrap();
        meta.tables.iter_mut().for_each(|table| table.rows = rows(&table.file));
        meta.links.iter_mut().for_each(|links| links.rows = rows(&links.file));
        storage::replace(&path, serde_json::to_string(&meta).unwrap().as_bytes()).unwrap();
        for tag in ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"] {
            storage::remove_if_there(&self.root.join(tag)).unwrap();
        }
        bag::seal(&self.root, &payload(&self.root), &[]).unwrap();
        let bundle = Bundle::open(&self.root, &Silent).unwrap();
        let snapshot = self.place.folder.path().join("snapshot");
        (bundle, Snapshot::open(&snapshot, &Silent).unwrap())
    }
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let place = to.join(path.strip_prefix(from).unwrap());
        storage::create_folder(place.parent().unwrap()).unwrap();
        std::fs::copy(&path, &place).unwrap();
    }
}

fn payload(root: &Path) -> Payload {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        (name, bag::sha256_of(&path).unwrap())
    };
    files(&root.join("data")).into_iter().map(named).collect()
}

/// A link file of a snapshot.
pub(super) struct Pairs {
    pub(super) entity: &'static str,
    pub(super) label: &'static str,
    pub(super) target: &'static str,
    pub(super) seen_as: &'static str,
    pub(super) role: &'static str,
    pub(super) ids: Vec<(String, String)>,
}

fn write_snapshot(
    root: &Path,
    contract: &Contract,
    tables: &[(&str, Vec<Given>)],
    links: &[Pairs],
) {
    let rows: BTreeMap<&str, &Vec<Given>> =
        tables.iter().map(|(name, rows)| (*name, rows)).collect();
    let none = Vec::new();
    let mut meta = Meta {
        format: snapshot::FORMAT,
        program: crate::PROGRAM.to_owned(),
        source: SourceMeta {
            kind: "archive".into(),
            name: "x.zip".into(),
            ..SourceMeta::default()
        },
        replays: Vec::new(),
        tables: Vec::new(),
        links: Vec::new(),
        unmapped: Unmapped::default(),
    };
    let sides = [("legacy", &contract.before.schema), ("target", &contract.after.schema)];
    for (side, schema) in sides {
        for entity in &schema.entities {
            let rows = rows.get(entity.name.as_str()).copied().unwrap_or(&none);
            meta.tables.push(write_table(root, (side, schema), &entity.name, rows));
        }
    }
    for (number, pairs) in links.iter().enumerate() {
        meta.links.push(write_pairs(root, number, pairs));
    }
    meta.unmapped = unmapped(&meta, tables);
    let side =
        |on: &str, label: &str| serde_json::json!({ "on": on, "label": label, "has": "many" });
    let of_app = links.iter().filter(|pairs| pairs.role == "carried").map(|pairs| {
        let (forward, reverse) =
            (side(pairs.entity, pairs.label), side(pairs.target, pairs.seen_as));
        (pairs.label.to_owned(), serde_json::json!({ "forward": forward, "reverse": reverse }))
    });
    let of_app: serde_json::Map<_, _> = of_app.collect();
    let schema = serde_json::json!({ "entities": {}, "links": of_app }).to_string();
    storage::write_new(&root.join("data/schema.json"), schema.as_bytes()).unwrap();
    let text = serde_json::to_string(&meta).unwrap();
    storage::write_new(&root.join("data/snapshot.json"), text.as_bytes()).unwrap();
    bag::seal(root, &payload(root), &[]).unwrap();
}

/// The members of `_extra`, and the entities of the app that hold a link.
fn unmapped(meta: &Meta, tables: &[(&str, Vec<Given>)]) -> Unmapped {
    let mut attrs: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (entity, cells) in
        tables.iter().flat_map(|(name, rows)| rows.iter().map(move |it| (name, it)))
    {
        let extra = cells.iter().filter(|(name, _)| *name == Extra::EXTRA);
        for (_, cell) in extra {
            let Cell::Text(object) = cell else { panic!("`_extra` is a text") };
            for (name, _) in crate::json::members(object).unwrap() {
                *attrs.entry(((*entity).to_owned(), name.into_owned())).or_default() += 1;
            }
        }
    }
    let known = |entity: &String| meta.tables.iter().any(|table| table.entity == *entity);
    let others = meta.links.iter().map(|links| links.entity.clone());
    Unmapped {
        entities: others.filter(|entity| !known(entity)).map(|entity| (entity, 2)).collect(),
        attrs: attrs.into_iter().map(|((entity, name), rows)| (entity, name, rows)).collect(),
    }
}

fn write_table(
    root: &Path,
    (side, schema): (&str, &Schema),
    entity: &str,
    rows: &[Given],
) -> TableMeta {
    let columns = snapshot::columns(schema, entity);
    let declared = snapshot::declared(schema, entity);
    let any = |name: &str| {
        schema.entity(entity).and_then(|e| e.attr(name)).is_some_and(|attr| attr.ty == Type::Any)
    };
    let mut digest = TableDigest::default();
    let mut edit = Edit { schema: columns.clone(), rows: Vec::new() };
    for (number, given) in (0_i64..).zip(rows) {
        let mut cells: Vec<Cell> = vec![Cell::Null; columns.fields().len()];
        let place = |name: &str| columns.index_of(name).unwrap();
        for (name, cell) in given {
            cells[place(name)] = cell.clone();
        }
        let values = given.iter().filter(|(name, _)| *name != Extra::SERVER).map(|(name, cell)| {
            let value = match cell {
                Cell::Text(text) if any(name) => Value::Json(text),
                Cell::Text(text) => Value::Text(text),
                Cell::Number(number) => Value::Number(*number),
                Cell::Boolean(value) => Value::Boolean(*value),
                Cell::Date(micros) => Value::Date(*micros),
                Cell::Null | Cell::Whole(_) => Value::Absent,
            };
            (*name, value)
        });
        let row = RowDigest::default().of(values);
        digest.add(row);
        cells[place(Extra::ROW)] = Cell::Whole(number);
        cells[place(Extra::DIGEST)] = Cell::Text(row_hex(row));
        edit.rows.push(cells);
    }
    let file = format!("data/tables/{entity}.parquet");
    edit.write(&root.join(&file));
    let ty = |field: &Field| {
        let attr = schema.entity(entity).and_then(|entity| entity.attr(field.name()));
        attr.map_or("link", |attr| attr.ty.name()).to_owned()
    };
    TableMeta {
        entity: entity.to_owned(),
        side: side.to_owned(),
        file,
        rows: rows.len() as u64,
        present: true,
        columns: declared.iter().map(|field| (field.name().clone(), ty(field))).collect(),
        digest: digest.hex(),
        invalid: Vec::new(),
    }
}

fn write_pairs(root: &Path, number: usize, pairs: &Pairs) -> LinksMeta {
    let whole = |name: &str| Field::new(name, DataType::Int64, false);
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Columns::new(vec![text("from"), text("to"), whole("_row"), whole("_index")]);
    let rows = (0_i64..).zip(&pairs.ids).map(|(row, (from, to))| {
        vec![Cell::from(from.as_str()), Cell::from(to.as_str()), Cell::Whole(row), Cell::Whole(0)]
    });
    let file = format!("data/links/{number}.parquet");
    Edit { schema, rows: rows.collect() }.write(&root.join(&file));
    LinksMeta {
        entity: pairs.entity.to_owned(),
        label: pairs.label.to_owned(),
        target: pairs.target.to_owned(),
        role: pairs.role.to_owned(),
        has_one: false,
        seen_as: Some(pairs.seen_as.to_owned()),
        is_reverse: pairs.role == "declared",
        file,
        rows: pairs.ids.len() as u64,
    }
}
