//! A run of a source's rows as it was read, to be typed by any thread.
//!
//! Where a block ends depends on the rows alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::layout::Layout;
use crate::source::{At, Form, Row};

/// Bytes of text after which a block ends.
const BYTES: usize = 1 << 20;
/// Rows after which a block ends.
const ROWS: usize = 4096;

/// Some rows of a source, in its order.
#[derive(Default)]
pub(super) struct Block {
    text: String,
    rows: Vec<Kept>,
    runs: Vec<Run>,
    names: Vec<String>,
}

/// Rows of one entity that stand together.
pub(super) struct Run {
    entity: Arc<str>,
    /// The place of the entity's table.
    pub(super) table: Option<usize>,
    /// Which row of its entity the first one is, from 0.
    pub(super) first: u64,
    rows: Range<usize>,
}

impl Run {
    /// The entity.
    pub(super) fn entity(&self) -> &str {
        &self.entity
    }
}

/// A row of a block; its text begins where the one before ends.
struct Kept {
    end: usize,
    form: Form,
    server: Option<i64>,
    at: Spot,
}

/// A place in the source; files stand in the block's names.
#[derive(Clone, Copy)]
enum Spot {
    Line(usize, u64),
    TableRow(usize, u64),
    Element(usize, u64, u64),
    Byte(usize, u64),
    Named(usize),
}

impl Block {
    /// Whether it is to end here.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= BYTES || self.rows.len() >= ROWS
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of text.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Forgets its rows and keeps its buffers, unless they are large.
    pub(super) fn clear(&mut self) {
        if self.text.capacity() > 4 * BYTES {
            self.text = String::new();
        }
        self.text.clear();
        self.rows.clear();
        self.runs.clear();
        self.names.clear();
    }

    fn push(&mut self, row: &Row<'_>, entity: &Entity) {
        let at = self.rows.len();
        match self.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.entity, &entity.name) => run.rows.end = at + 1,
            _ => self.runs.push(Run {
                entity: Arc::clone(&entity.name),
                table: entity.table,
                first: entity.rows,
                rows: at..at + 1,
            }),
        }
        if self.text.is_empty() {
            self.text.reserve(BYTES + BYTES / 4);
        }
        self.text.push_str(row.text);
        let at = self.spot(row.at);
        let end = self.text.len();
        self.rows.push(Kept { end, form: row.form, server: row.server_created_at, at });
    }

    fn spot(&mut self, at: At<'_>) -> Spot {
        match at {
            At::Line(file, line) => Spot::Line(self.name(file), line),
            At::TableRow(file, row) => Spot::TableRow(self.name(file), row),
            At::Element(file, _, element, byte) => Spot::Element(self.name(file), element, byte),
            At::Byte(file, byte) => Spot::Byte(self.name(file), byte),
            At::Named(name) => Spot::Named(self.name(name)),
        }
    }

    fn name(&mut self, name: &str) -> usize {
        if self.names.last().is_none_or(|last| last != name) {
            self.names.push(name.to_owned());
        }
        self.names.len() - 1
    }

    /// Its rows by entity, in the order of the source.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The rows of one run.
    pub(super) fn rows<'b>(&'b self, run: &'b Run) -> impl Iterator<Item = Row<'b>> {
        let mut start = run.rows.start.checked_sub(1).map_or(0, |before| self.rows[before].end);
        self.rows[run.rows.clone()].iter().map(move |kept| {
            let text = &self.text[start..kept.end];
            start = kept.end;
            Row {
                entity: &run.entity,
                text,
                form: kept.form,
                server_created_at: kept.server,
                at: self.at(kept.at, &run.entity),
            }
        })
    }

    fn at<'b>(&'b self, spot: Spot, entity: &'b str) -> At<'b> {
        match spot {
            Spot::Line(file, line) => At::Line(&self.names[file], line),
            Spot::TableRow(file, row) => At::TableRow(&self.names[file], row),
            Spot::Element(file, element, byte) => {
                At::Element(&self.names[file], entity, element, byte)
            }
            Spot::Byte(file, byte) => At::Byte(&self.names[file], byte),
            Spot::Named(name) => At::Named(&self.names[name]),
        }
    }
}

/// An entity of the source.
struct Entity {
    name: Arc<str>,
    table: Option<usize>,
    rows: u64,
}

/// Puts the rows of a source into blocks.
pub(super) struct Blocks<'l> {
    layout: &'l Layout,
    entities: Vec<Entity>,
    by_name: BTreeMap<Arc<str>, usize>,
    last: usize,
    open: Block,
}

impl<'l> Blocks<'l> {
    pub(super) fn new(layout: &'l Layout) -> Self {
        let (entities, by_name) = (Vec::new(), BTreeMap::new());
        Self { layout, entities, by_name, last: 0, open: Block::default() }
    }

    /// Takes the next row in; true when the block is full.
    pub(super) fn push(&mut self, row: &Row<'_>) -> bool {
        if self.entities.get(self.last).is_none_or(|last| *last.name != *row.entity) {
            self.last = self.find(row.entity);
        }
        let entity = &mut self.entities[self.last];
        self.open.push(row, entity);
        entity.rows += 1;
        self.open.is_full()
    }

    fn find(&mut self, name: &str) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let (name, at) = (Arc::<str>::from(name), self.entities.len());
        self.by_name.insert(Arc::clone(&name), at);
        self.entities.push(Entity { table: self.layout.table(&name), name, rows: 0 });
        at
    }

    /// Gives the block there is, and goes on in an empty one.
    pub(super) fn take(&mut self, next: Block) -> Block {
        std::mem::replace(&mut self.open, next)
    }
}
