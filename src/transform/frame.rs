//! Polars at arm's length: scans, joins and checkpoints, always in row order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::*;

use super::Plan;
use super::state::State;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;

/// Rows of a row group of a working file. Polars reads 16 groups and more ahead, whatever they hold,
/// so this bounds its memory.
const GROUP_ROWS: usize = 16_384;

/// A running transform: the plan, its input, and the files it has made so far.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) snapshot: &'a Snapshot,
    work: PathBuf,
    states: BTreeMap<String, State>,
    existing: BTreeMap<String, PathBuf>,
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, snapshot: &'a Snapshot, work: &Path) -> Self {
        let (states, existing) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, snapshot, work: work.to_owned(), states, existing }
    }

    /// Scans a table of the snapshot.
    pub(super) fn table(&self, entity: &str) -> Result<LazyFrame> {
        let table = self
            .snapshot
            .table(entity)
            .ok_or_else(|| Error::bug(format!("table `{entity}` is not in the snapshot")))?;
        scan(&self.snapshot.path(&table.file))
    }

    /// Scans what is known of a decided legacy table, one line per id.
    pub(super) fn by_id(&self, entity: &str) -> Result<LazyFrame> {
        self.state(entity)?.by_id()
    }

    /// Scans what is known of a decided legacy table, one line per row.
    pub(super) fn all(&self, entity: &str) -> Result<LazyFrame> {
        self.state(entity)?.all()
    }

    /// Whether rows of a decided legacy table share an id.
    pub(super) fn shares_ids(&self, entity: &str) -> Result<bool> {
        Ok(self.state(entity)?.shares_ids())
    }

    /// The file of the facts about a decided legacy table.
    pub(super) fn facts(&self, entity: &str) -> Result<&Path> {
        Ok(self.state(entity)?.facts())
    }

    /// By row of a decided legacy table, the number before the first of its target rows.
    pub(super) fn starts(&self, entity: &str) -> Result<&[u32]> {
        Ok(self.state(entity)?.starts())
    }

    /// Where a working file stands.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.work.join(format!("{name}.parquet"))
    }

    fn state(&self, entity: &str) -> Result<&State> {
        let missing = || Error::bug(format!("table `{entity}` is not decided yet"));
        self.states.get(entity).ok_or_else(missing)
    }

    pub(super) fn keep_state(&mut self, entity: &str, state: State) {
        self.states.insert(entity.to_owned(), state);
    }

    /// Scans the rows of a target table that exist already; `None` where there are none.
    pub(super) fn existing(&self, target: &str) -> Result<Option<LazyFrame>> {
        self.existing.get(target).map(|path| scan(path)).transpose()
    }

    pub(super) fn keep_existing(&mut self, target: &str, path: PathBuf) {
        self.existing.insert(target.to_owned(), path);
    }

    /// Runs a plan into a working file, in its order, without holding its rows.
    pub(super) fn checkpoint(&self, frame: LazyFrame, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let options = ParquetWriteOptions {
            compression: ParquetCompression::Uncompressed,
            row_group_size: Some(GROUP_ROWS),
            statistics: StatisticsOptions::empty(),
            ..ParquetWriteOptions::default()
        };
        let target = SinkTarget::Path(PlRefPath::try_from_path(&path).map_err(failed)?);
        frame
            .sink(
                SinkDestination::File { target },
                FileWriteFormat::Parquet(Arc::new(options)),
                UnifiedSinkArgs::default(),
            )
            .and_then(|sink| sink.collect_with_engine(Engine::Streaming))
            .map_err(failed)?;
        Ok(path)
    }
}

/// Scans a Parquet file.
pub(super) fn scan(path: &Path) -> Result<LazyFrame> {
    let path = PlRefPath::try_from_path(path).map_err(failed)?;
    let args = ScanArgsParquet { glob: false, low_memory: true, ..ScanArgsParquet::default() };
    LazyFrame::scan_parquet(path, args).map_err(failed)
}

/// Runs a plan whose rows are few and narrow.
pub(super) fn collect(frame: LazyFrame) -> Result<DataFrame> {
    let result = frame.collect_with_engine(Engine::Streaming).map_err(failed)?;
    Ok(result.unwrap_single())
}

/// How many rows a plan gives.
pub(super) fn count(frame: LazyFrame) -> Result<u64> {
    let found = collect(frame.select([len().alias("_rows")]))?;
    let rows = found.column("_rows").and_then(|column| column.get(0).map(|v| v.extract::<u64>()));
    Ok(rows.map_err(failed)?.unwrap_or_default())
}

/// Joins each row to at most one of another frame, in the order of the rows.
pub(super) fn look_up(left: LazyFrame, right: LazyFrame, on: (Expr, Expr)) -> LazyFrame {
    left.join_builder()
        .with(right)
        .how(JoinType::Left)
        .left_on([on.0])
        .right_on([on.1])
        .coalesce(JoinCoalesce::CoalesceColumns)
        .maintain_order(MaintainOrderJoin::Left)
        .finish()
}

/// Keeps the rows whose value is in another frame, in order.
pub(super) fn only_in(left: LazyFrame, right: LazyFrame, on: (Expr, Expr)) -> LazyFrame {
    filtered(left, right, on, JoinType::Semi)
}

/// Keeps the rows whose value is in no row of another frame, in order.
pub(super) fn not_in(left: LazyFrame, right: LazyFrame, on: (Expr, Expr)) -> LazyFrame {
    filtered(left, right, on, JoinType::Anti)
}

fn filtered(left: LazyFrame, right: LazyFrame, on: (Expr, Expr), how: JoinType) -> LazyFrame {
    left.join_builder()
        .with(right)
        .how(how)
        .left_on([on.0])
        .right_on([on.1])
        .maintain_order(MaintainOrderJoin::Left)
        .finish()
}

/// A failure of polars: it reads and writes files, so it is the system's.
pub(super) fn failed(error: PolarsError) -> Error {
    let said = error.to_string();
    // polars hands the system's own words on, without the kind of the failure.
    if said.contains("No space left on device") {
        return Error::system("the disk is full")
            .help("free some room and run the same command again: nothing was left half-written")
            .because(error);
    }
    Error::system("the transform could not go on")
        .help("run the same command again; if it fails the same way, report it as a bug")
        .because(error)
}
