//! The files of a snapshot while its source is read.

use std::panic;
use std::path::{Path, PathBuf};
use std::thread;

use super::batch::{LinksBatch, Made, Scratch, TableBatch};
use super::block::{Block, Run};
use super::counts::{Counts, Names};
use super::labels::Meanings;
use super::layout::{Layout, TableLayout};
use super::row::TypedRow;
use super::write::Table;
use super::{LinksMeta, TableMeta, Unmapped};
use crate::bag::Payload;
use crate::digest::TableDigest;
use crate::error::{Error, Result};
use crate::source::Row;

/// Bytes of values in all open row groups together; the largest ends when there are more.
pub(super) const OPEN_BYTES: usize = 48 << 20;

/// Files that are put on disk at a time.
const FILES: usize = 8;

/// The rows of one block, typed.
pub(super) struct Typed {
    tables: Vec<(usize, TypedTable)>,
    links: Vec<(usize, Made)>,
}

struct TypedTable {
    made: Made,
    digests: TableDigest,
    extra: Names,
    invalid: Names,
}

/// Types blocks; each thread has one.
pub(super) struct Typing<'l> {
    layout: &'l Layout,
    tables: Vec<Option<TableBatch>>,
    links: Vec<Option<LinksBatch>>,
    scratch: Scratch,
}

impl<'l> Typing<'l> {
    pub(super) fn new(layout: &'l Layout) -> Self {
        Self {
            layout,
            tables: layout.tables.iter().map(|_| None).collect(),
            links: layout.labels.links.iter().map(|_| None).collect(),
            scratch: Scratch::default(),
        }
    }

    /// Types the rows of a block.
    ///
    /// # Errors
    /// A row is none that can be read: the first such.
    pub(super) fn block(&mut self, block: &Block) -> Result<Typed> {
        for run in block.runs() {
            self.run(run, block)?;
        }
        let tables = self.tables.iter_mut().enumerate().filter_map(|(at, batch)| {
            let mut batch = batch.take()?;
            let made = batch.take();
            let TableBatch { digests, extras: extra, invalids: invalid, .. } = batch;
            Some((at, TypedTable { made, digests, extra, invalid }))
        });
        let links = self.links.iter_mut().enumerate();
        let links = links.filter_map(|(at, batch)| Some((at, batch.take()?.take())));
        Ok(Typed { tables: tables.collect(), links: links.collect() })
    }

    fn run(&mut self, run: &Run, block: &Block) -> Result<()> {
        let shape = self.layout.shape(run.entity(), run.table);
        self.scratch.reader.forget();
        for (at, row) in (run.first..).zip(block.rows(run)) {
            let (typed, created_at) =
                row.open(|object| TypedRow::new(shape, object, &mut self.scratch.reader))?;
            let at = i64::try_from(at).unwrap_or(i64::MAX);
            match run.table {
                Some(table) => {
                    let layout = &self.layout.tables[table];
                    let batch = self.tables[table].get_or_insert_with(|| TableBatch::new(layout));
                    let server = created_at.or(typed.server);
                    batch.push(&typed, (at, server), layout, &mut self.scratch);
                }
                None => refuse_misfit(&row, &typed, shape.meanings)?,
            }
            for pairs in &typed.pairs {
                let batch = self.links[pairs.file].get_or_insert_default();
                batch.push(typed.id(), at, pairs);
            }
        }
        Ok(())
    }
}

/// Of another entity's row only its links are kept: one that cannot be read must not be passed over.
fn refuse_misfit(row: &Row<'_>, typed: &TypedRow<'_>, labels: &Meanings) -> Result<()> {
    let mut misfits = typed.invalid.iter().filter(|(label, _)| labels.of(label).is_some());
    let Some((label, _)) = misfits.next() else { return Ok(()) };
    let said = format!("the link `{}.{label}` holds something that is no id", row.entity);
    Err(Error::damaged(said)
        .at(row.at)
        .help("repair the row at its place, or take the source again"))
}

/// Writes typed blocks in their order.
pub(super) struct Tables<'l> {
    root: PathBuf,
    layout: &'l Layout,
    open: Vec<Open>,
    links: Vec<Option<OpenLinks>>,
}

struct Open {
    table: Table,
    rows: TableDigest,
    extra: Counts,
    invalid: Counts,
}

struct OpenLinks {
    table: Table,
    rows: u64,
}

impl<'l> Tables<'l> {
    /// Begins every table.
    pub(super) fn begin(root: &Path, layout: &'l Layout) -> Result<Self> {
        let open = layout.tables.iter().map(|table| {
            let path = root.join(&table.meta.file);
            let file = Table::create(&path, table.columns.clone(), &table.wide)?;
            Ok(Open {
                table: file,
                rows: TableDigest::default(),
                extra: Counts::default(),
                invalid: Counts::default(),
            })
        });
        let open = open.collect::<Result<_>>()?;
        let links = layout.labels.links.iter().map(|_| None).collect();
        Ok(Self { root: root.to_owned(), layout, open, links })
    }

    /// Writes the next block.
    pub(super) fn write(&mut self, typed: Typed) -> Result<()> {
        for (at, typed) in typed.tables {
            let open = &mut self.open[at];
            open.rows.join(typed.digests);
            open.extra.add(typed.extra);
            open.invalid.add(typed.invalid);
            open.table.write(typed.made)?;
        }
        for (at, made) in typed.links {
            let open = match &mut self.links[at] {
                Some(open) => open,
                none => {
                    let path = self.root.join(&self.layout.labels.links[at].file);
                    none.insert(OpenLinks { table: Table::links(&path)?, rows: 0 })
                }
            };
            open.rows += made.rows as u64;
            open.table.write(made)?;
        }
        self.bound()
    }

    /// Ends the largest row groups when all of them together are too large.
    fn bound(&mut self) -> Result<()> {
        loop {
            let links = self.links.iter_mut().flatten().map(|open| &mut open.table);
            let tables: Vec<&mut Table> =
                self.open.iter_mut().map(|open| &mut open.table).chain(links).collect();
            if tables.iter().map(|table| table.open_bytes()).sum::<usize>() <= OPEN_BYTES {
                return Ok(());
            }
            let Some(largest) = tables.into_iter().max_by_key(|table| table.open_bytes()) else {
                return Ok(());
            };
            largest.end_group()?;
        }
    }

    /// Ends every file; `entities` are those the source had.
    pub(super) fn finish(
        self,
        entities: &[(String, u64)],
        payload: &mut Payload,
    ) -> Result<(Vec<TableMeta>, Vec<LinksMeta>, Unmapped)> {
        let mut unmapped = Unmapped::default();
        let (mut tables, mut links, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for (open, layout) in self.open.into_iter().zip(&self.layout.tables) {
            let mut meta = described(&open, layout, entities);
            meta.invalid = open.invalid.into_sorted().collect();
            let names = open.extra.into_sorted();
            unmapped.attrs.extend(names.map(|(name, rows)| (meta.entity.clone(), name, rows)));
            files.push((meta.file.clone(), open.table));
            tables.push(meta);
        }
        for (meta, open) in self.layout.labels.links.iter().zip(self.links) {
            let Some(open) = open else { continue };
            links.push(LinksMeta { rows: open.rows, ..meta.clone() });
            files.push((meta.file.clone(), open.table));
        }
        finish(files, payload)?;
        for (entity, rows) in entities {
            if !tables.iter().any(|table| table.entity == *entity) {
                unmapped.entities.push((entity.clone(), *rows));
            }
        }
        unmapped.entities.sort();
        unmapped.attrs.sort();
        Ok((tables, links, unmapped))
    }
}

/// Ends files, some side by side: what it takes is waiting for the disk.
fn finish(files: Vec<(String, Table)>, payload: &mut Payload) -> Result<()> {
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        let some: Vec<(String, Table)> = files.by_ref().take(FILES).collect();
        let written = thread::scope(|scope| {
            let ends = some.into_iter().map(|(name, table)| {
                let end = scope.spawn(|| table.finish());
                (name, end)
            });
            // All begin before the first is waited for.
            let ends: Vec<_> = ends.collect();
            let written = ends.into_iter().map(|(name, end)| {
                let written = end.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
                Ok((name, written))
            });
            written.collect::<Result<Vec<_>>>()
        });
        payload.extend(written?);
    }
    Ok(())
}

fn described(open: &Open, layout: &TableLayout, entities: &[(String, u64)]) -> TableMeta {
    let meta = &layout.meta;
    TableMeta {
        rows: open.rows.rows,
        digest: open.rows.hex(),
        present: entities.iter().any(|(entity, _)| *entity == meta.entity),
        ..meta.clone()
    }
}
