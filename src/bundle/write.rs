//! Writes a bundle: decisions first, then every row once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use arrow::array::RecordBatch;
use serde::Serialize;

use super::{
    Beside, Bundle, Existing, FORMAT, LinksMeta, Meta, Named, Origin, Refs, TableMeta, bundle_id,
};
use super::{
    Equation, account, aside, document, dropped, left_behind, links, residue, rows, sort, table,
};
use crate::bag::{self, Payload};
use crate::contract::Contract;
use crate::digest::TableDigest;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::reconcile;
use crate::resources::Resources;
use crate::schema::Type;
use crate::snapshot::Snapshot;
use crate::storage::{self, HashingFile, Staged, Written};
use crate::threads::Side;
use crate::transform::{self, Decisions, Plan, TargetPlan, names};

/// Bytes that rows on their way take where no limit is set.
const BUFFERS: u64 = 512 << 20;

/// Where the bundle of a snapshot and a contract stands in a folder of bundles.
pub fn folder(contract: &Contract, snapshot: &Snapshot, out: &Path) -> PathBuf {
    out.join(bundle_id(snapshot.digest(), &contract.digest(), (crate::PROGRAM, FORMAT)))
}

/// Transforms a snapshot by a contract and seals the bundle in a folder of bundles. Where that
/// bundle stands already, it is opened and nothing is done.
///
/// # Errors
/// The snapshot does not fit the contract, existing rows contradict each other, the bundle that
/// stands is damaged, or the disk fails; nothing half-written is then left.
pub fn write(
    contract: &Contract,
    snapshot: &Snapshot,
    out: &Path,
    resources: &Resources,
    progress: &dyn Progress,
) -> Result<Bundle> {
    let place = folder(contract, snapshot, out);
    if bag::is_sealed(&place) {
        return Bundle::open(&place, progress);
    }
    let plan = transform::plan(contract, snapshot)?;
    let rows: u64 = snapshot.meta().tables.iter().map(|table| table.rows).sum();
    let said = format!("transform {} rows", crate::error::grouped(rows));
    let buffers = resources.buffers(&said, transform::memory(&plan, snapshot), BUFFERS)?;
    let staged = match Staged::begin(&place) {
        // Another run has made it in the meantime.
        Err(_) if bag::is_sealed(&place) => return Bundle::open(&place, progress),
        begun => begun?,
    };
    let scratch = Scratch::begin(&staged, &place, resources)?;
    let work = scratch.path();
    let decisions = transform::decide(&plan, snapshot, work, progress)?;
    let mut writing = Writing {
        plan: &plan,
        snapshot,
        decisions: &decisions,
        root: staged.path(),
        work,
        payload: Payload::new(),
        buffers,
    };
    let carried = decisions.carried.iter().filter_map(|found| found.link.clone());
    let schema_plan = reconcile::plan_with(contract, snapshot, &carried.collect::<Vec<_>>())?;
    let meta = writing.everything(&schema_plan, progress)?;
    let Writing { mut payload, .. } = writing;
    scratch.remove()?;
    let [filled, facts] = document::files(contract, snapshot, (&meta, &schema_plan), progress)?;
    for (path, text) in [
        ("data/contract.toml", contract.text.clone()),
        filled,
        facts,
        (super::SCHEMA_PLAN, pretty(&schema_plan)?),
        ("data/bundle.json", pretty(&meta)?),
    ] {
        let written = storage::write_new(&staged.path().join(path), text.as_bytes())?;
        payload.insert(path.to_owned(), written);
    }
    let info = [
        ("Source-Organization", "rethread bundle".to_owned()),
        ("Bagging-Software", crate::PROGRAM.to_owned()),
        (
            "External-Identifier",
            bundle_id(snapshot.digest(), &contract.digest(), (crate::PROGRAM, FORMAT)),
        ),
    ];
    bag::seal(staged.path(), &payload, &info)?;
    staged.commit()?;
    let digest = bag::digest(&place)?;
    Ok(Bundle { root: place, meta, digest, schema_plan: Some(schema_plan) })
}

/// The folder of the working files: in the folder that is being made, or where it was asked for.
enum Scratch {
    Inside(PathBuf),
    Apart(Staged),
}

impl Scratch {
    fn begin(staged: &Staged, place: &Path, resources: &Resources) -> Result<Self> {
        let Some(folder) = &resources.temp_dir else {
            let path = staged.path().join("work");
            storage::create_folder(&path)?;
            return Ok(Scratch::Inside(path));
        };
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        Ok(Scratch::Apart(Staged::begin(&folder.join(format!("{name}.work")))?))
    }

    fn path(&self) -> &Path {
        match self {
            Scratch::Inside(path) => path,
            Scratch::Apart(staged) => staged.path(),
        }
    }

    fn remove(self) -> Result<()> {
        match self {
            Scratch::Inside(path) => storage::remove_folder(&path),
            // What is staged and not committed goes.
            Scratch::Apart(staged) => {
                drop(staged);
                Ok(())
            }
        }
    }
}

fn pretty(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value);
    let failed = |error| Error::bug("the description cannot be written").because(error);
    Ok(text.map_err(failed)? + "\n")
}

/// Sees the rows of a table in their order, with the codes beside them.
type See<'a> = dyn FnMut(&RecordBatch) -> Result<()> + 'a;

/// A bundle in the making.
pub(super) struct Writing<'a> {
    pub(super) plan: &'a Plan,
    pub(super) snapshot: &'a Snapshot,
    pub(super) decisions: &'a Decisions,
    pub(super) root: &'a Path,
    pub(super) work: &'a Path,
    pub(super) payload: Payload,
    /// Bytes that rows on their way may take.
    pub(super) buffers: u64,
}

impl Writing<'_> {
    fn everything(
        &mut self,
        schema_plan: &reconcile::SchemaPlan,
        progress: &dyn Progress,
    ) -> Result<Meta> {
        let total = self.decisions.ranks.values().map(|ranks| u64::from(ranks.rows)).sum();
        progress.begin("write", Some(total));
        let mut tables = Vec::new();
        let mut account = account::Account::new(self)?;
        let mut beside = BTreeMap::new();
        for target in &self.plan.targets {
            tables.push(self.table(target, (&mut account, &mut beside), progress)?);
        }
        let (repairs, mapped_ids) = account.finish(self)?;
        let links = self.link_files()?;
        let lost = aside::dropped(self)?;
        let mut equations = Vec::new();
        let mut link_equations = Vec::new();
        let mut quarantine = Vec::new();
        let mut residue = Vec::new();
        let mut dropped_values = Vec::new();
        for source in self.plan.declared() {
            let aside = aside::write(self, source)?;
            link_equations.extend(aside.links(source, &lost));
            quarantine.extend(aside.refused(self.plan, &source.entity));
            let beside = beside.remove(&source.entity);
            residue.push(residue::whole(self, source, &aside.equation, beside)?);
            equations.push(aside.equation);
            dropped_values.extend(dropped::values(self, source)?);
            dropped_values.extend(dropped::paths(self, source)?);
        }
        let residue_links = residue::links(self)?;
        for equation in &mut equations {
            equation.split = self.split(equation, &tables);
        }
        link_equations.extend(links::equations(self, &lost));
        let refs = self.refs(&lost);
        progress.done(&format!("{} rows", crate::error::grouped(total)));
        let meta = self.snapshot.meta();
        Ok(Meta {
            format: FORMAT,
            program: crate::PROGRAM.to_owned(),
            snapshot: Named { name: String::new(), digest: self.snapshot.digest().to_owned() },
            contract: Named {
                name: self.plan.contract.name.clone(),
                digest: self.plan.contract.digest(),
            },
            source: meta.source.clone(),
            taken_by: Some(&meta.program).filter(|by| *by != crate::PROGRAM).cloned(),
            existing: self.existing(&tables),
            tables,
            links,
            equations,
            link_equations,
            refs,
            lost: lost.lines(),
            repairs,
            quarantine,
            mapped_ids,
            dropped_values,
            unmapped: meta.unmapped.clone(),
            left_behind: left_behind::list(self, schema_plan)?,
            residue,
            residue_links,
        })
    }

    /// Writes the rows of a target table in their order, to Parquet and to lines in one pass.
    fn table(
        &mut self,
        target: &str,
        (account, beside): (&mut account::Account, &mut BTreeMap<String, Beside>),
        progress: &dyn Progress,
    ) -> Result<TableMeta> {
        let (sorter, digest) = self.gather(target)?;
        let file = format!("data/parquet/{target}.parquet");
        let jsonl = format!("data/jsonl/{target}.jsonl");
        let mut ledger = account::Account::ledger(self, target)?;
        let mut residue = residue::Ledger::begin(self, target)?;
        let mut see = |rows: &RecordBatch| ledger.add(rows).and_then(|()| residue.add(rows));
        let (parquet, text) = self.put(target, (&file, &jsonl), sorter, (&mut see, progress))?;
        beside.extend(residue.finish(self)?);
        let (migrated, existing) = (ledger.migrated, ledger.existing);
        // The digest is of the rows that went into the sorter, the ledger of those that came out.
        if migrated + existing != digest.rows {
            return Err(Error::bug(format!("the rows of `{target}` are not all written")));
        }
        account.take(self, ledger)?;
        self.payload.insert(file.clone(), parquet);
        self.payload.insert(jsonl.clone(), text);
        Ok(TableMeta {
            entity: target.to_owned(),
            file,
            jsonl,
            rows: digest.rows,
            migrated,
            existing,
            digest: digest.hex(),
        })
    }

    /// Moves the wide rows of a target table into a sorter; their digests are added up beside it.
    fn gather(&self, target: &str) -> Result<(sort::Sorter, TableDigest)> {
        let path = self.work.join(format!("sort.{target}.runs"));
        let room = match self.plan.target(target).and_then(|(source, _)| self.wide(&source.entity))
        {
            Some(wide) => self.room(&wide, self.plan.target(target).map(|(_, target)| target))?,
            None => self.room_of(0),
        };
        let mut sorter = sort::Sorter::new(rows::columns(self.plan, target), path, room);
        std::thread::scope(|scope| {
            let mut digests = table::Digests::new(&self.plan.after, target);
            let digests = Side::begin(scope, "digest", move |batches: Receiver<RecordBatch>| {
                for batch in batches {
                    digests.add(&batch)?;
                }
                Ok(digests.table)
            })?;
            let pushed = rows::push_all(
                self.plan,
                self.snapshot,
                self.decisions,
                target,
                &mut |batch, ranks| {
                    digests.send(batch.clone())?;
                    sorter.push(batch, ranks)
                },
            );
            let digest = digests.end()?;
            pushed.map(|()| (sorter, digest))
        })
    }

    /// Writes the rows of a sorter to Parquet and to lines, side by side.
    fn put(
        &self,
        target: &str,
        (file, jsonl): (&str, &str),
        sorter: sort::Sorter,
        (see, progress): (&mut See<'_>, &dyn Progress),
    ) -> Result<(Written, Written)> {
        let schema = Arc::new(super::columns(&self.plan.after, target));
        let kept: Vec<usize> = (0..schema.fields().len()).collect();
        let attrs = self.plan.after.entity(target).map_or(&[][..], |entity| &entity.attrs);
        let payload =
            attrs.iter().filter(|attr| attr.ty == Type::Any).map(|attr| attr.name.clone());
        let payload: Vec<String> = payload.chain([Origin::EXTRA.to_owned()]).collect();
        let mut parquet = table::Table::with_payload(&self.root.join(file), schema, &payload)?;
        let path = self.root.join(jsonl);
        let mut text = HashingFile::create(&path)?;
        let lines = super::jsonl::Lines::new(&self.plan.after, target);
        std::thread::scope(|scope| {
            let parquet = Side::begin(scope, "parquet", move |batches: Receiver<RecordBatch>| {
                batches.into_iter().try_for_each(|rows| parquet.write(&rows))?;
                parquet.finish()
            })?;
            let text = Side::begin(scope, "lines", move |batches: Receiver<RecordBatch>| {
                let mut buffer = Vec::new();
                for rows in batches {
                    buffer.clear();
                    lines.write(&rows, &mut buffer)?;
                    text.write_all(&buffer).map_err(|error| storage::failed(&path, error))?;
                }
                text.finish()
            })?;
            let sent = sorter.finish(|batch| {
                let rows = batch.project(&kept).map_err(super::read::arrow_failed)?;
                progress.advance(rows.num_rows() as u64);
                parquet.send(rows.clone())?;
                text.send(rows)?;
                see(&batch)
            });
            let (parquet, text) = (parquet.end(), text.end());
            let written = (parquet?, text?);
            sent.map(|()| written)
        })
    }

    /// The file of a legacy table.
    fn wide(&self, entity: &str) -> Option<PathBuf> {
        self.snapshot.table(entity).map(|table| self.snapshot.path(&table.file))
    }

    /// The room for sorting the rows of a table: those columns a target carries, or all of them.
    pub(super) fn room(&self, path: &Path, target: Option<&TargetPlan>) -> Result<sort::Room> {
        let carried = target.map(|target| rows::carried_columns(self.plan, target));
        let bytes = super::read::decoded_bytes(path, carried.as_deref())?;
        let most =
            target.and_then(|target| target.split.as_ref()).map_or(1, transform::Split::most);
        Ok(self.room_of(bytes.saturating_mul(most.max(1) as u64)))
    }

    fn room_of(&self, expected: u64) -> sort::Room {
        sort::Room { bytes: self.buffers, expected }
    }

    fn link_files(&mut self) -> Result<Vec<LinksMeta>> {
        let carried = &self.decisions.carried;
        carried.iter().enumerate().map(|(at, found)| links::write(self, at, found)).collect()
    }

    /// How many target rows the migrated rows of a legacy table became, where one becomes several.
    fn split(&self, equation: &Equation, tables: &[TableMeta]) -> Vec<(String, u64, u64)> {
        let source = self.plan.sources.iter().find(|source| source.entity == equation.source);
        let targets = source.map_or(&[][..], |source| &source.targets).iter();
        let exploded = targets.filter(|target| target.transform.explode.is_some());
        let made = exploded.filter_map(|target| {
            let table = tables.iter().find(|table| table.entity == target.entity)?;
            Some((target.entity.clone(), equation.migrated, table.migrated))
        });
        made.collect()
    }

    /// Where the values of `ref` attributes lead.
    fn refs(&self, lost: &aside::Dropped) -> Vec<Refs> {
        let refs = self.decisions.refs.iter().map(|(target, attr, values)| {
            let source = self.plan.target(target).map_or("", |(source, _)| &source.entity);
            let (quarantined, dropped) = lost.of(source, &names::value(target, attr));
            Refs {
                target: target.clone(),
                attr: attr.clone(),
                values: *values,
                there: values - quarantined - dropped,
                quarantined,
                dropped,
            }
        });
        let place = |found: &Refs| self.plan.targets.iter().position(|name| *name == found.target);
        let mut refs: Vec<Refs> = refs.collect();
        refs.sort_by_key(place);
        refs
    }

    fn existing(&self, tables: &[TableMeta]) -> Vec<Existing> {
        let only_links =
            |entity: &str| self.decisions.only_links.get(entity).copied().unwrap_or_default();
        let with_rows = tables.iter().filter_map(|table| {
            let rows = self.snapshot.table(&table.entity)?.rows;
            Some((table, rows)).filter(|(_, rows)| *rows > 0)
        });
        with_rows
            .map(|(table, rows)| Existing {
                entity: table.entity.clone(),
                rows,
                carried: table.existing,
                merged: rows - table.existing - only_links(&table.entity),
                only_links: only_links(&table.entity),
            })
            .collect()
    }
}
