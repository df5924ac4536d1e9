//! Writes a bundle: decisions first, then every row once.

use std::path::{Path, PathBuf};

use super::{Bundle, Existing, FORMAT, LinksMeta, Meta, Named, TableMeta, bundle_id};
use super::{account, aside, links, rows, sort, table};
use crate::bag::{self, Payload};
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::resources::Resources;
use crate::snapshot::Snapshot;
use crate::storage::{self, HashingFile, Staged};
use crate::transform::{self, Decisions, Plan};

/// Where the bundle of a snapshot and a contract stands in a folder of bundles.
pub fn folder(contract: &Contract, snapshot: &Snapshot, out: &Path) -> PathBuf {
    out.join(bundle_id(snapshot.digest(), &contract.digest(), crate::PROGRAM))
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
    let staged = Staged::begin(&place)?;
    let work = staged.path().join("work");
    storage::create_folder(&work)?;
    let decisions = transform::decide(&plan, snapshot, &work, progress)?;
    let mut writing = Writing {
        plan: &plan,
        snapshot,
        decisions: &decisions,
        root: staged.path(),
        work: &work,
        payload: Payload::new(),
    };
    let meta = writing.everything(progress)?;
    let Writing { mut payload, .. } = writing;
    storage::remove_folder(&work)?;
    for (path, text) in
        [("data/contract.toml", contract.text.clone()), ("data/bundle.json", pretty(&meta)?)]
    {
        let written = storage::write_new(&staged.path().join(path), text.as_bytes())?;
        payload.insert(path.to_owned(), written);
    }
    let info = [
        ("Source-Organization", "rethread bundle".to_owned()),
        ("Bagging-Software", crate::PROGRAM.to_owned()),
        ("External-Identifier", bundle_id(snapshot.digest(), &contract.digest(), crate::PROGRAM)),
    ];
    bag::seal(staged.path(), &payload, &info)?;
    staged.commit()?;
    let digest = bag::digest(&place)?;
    Ok(Bundle { root: place, meta, digest })
}

fn pretty(meta: &Meta) -> Result<String> {
    let text = serde_json::to_string_pretty(meta);
    let failed = |error| Error::bug("the description cannot be written").because(error);
    Ok(text.map_err(failed)? + "\n")
}

/// A bundle in the making.
pub(super) struct Writing<'a> {
    pub(super) plan: &'a Plan,
    pub(super) snapshot: &'a Snapshot,
    pub(super) decisions: &'a Decisions,
    pub(super) root: &'a Path,
    pub(super) work: &'a Path,
    pub(super) payload: Payload,
}

impl Writing<'_> {
    fn everything(&mut self, progress: &dyn Progress) -> Result<Meta> {
        let total = self.decisions.ranks.values().map(|ranks| u64::from(ranks.rows)).sum();
        progress.begin("write", Some(total));
        let mut tables = Vec::new();
        let mut account = account::Account::new(self)?;
        for target in &self.plan.targets {
            tables.push(self.table(target, &mut account, progress)?);
        }
        let (repairs, mapped_ids) = account.finish(self)?;
        let links = self.link_files()?;
        let dropped = aside::dropped(self)?;
        let mut equations = Vec::new();
        let mut link_equations = Vec::new();
        let mut quarantine = Vec::new();
        for source in &self.plan.sources {
            let aside = aside::write(self, source)?;
            link_equations.extend(aside.links(source, &dropped));
            quarantine.extend(aside.refused(self.plan, &source.entity));
            equations.push(aside.equation);
        }
        link_equations.extend(links::equations(self, &dropped));
        progress.done(&format!("{} rows", crate::error::grouped(total)));
        let meta = self.snapshot.meta();
        let name = self.snapshot.root().file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Meta {
            format: FORMAT,
            program: crate::PROGRAM.to_owned(),
            snapshot: Named {
                name: name.unwrap_or_default(),
                digest: self.snapshot.digest().to_owned(),
            },
            contract: Named {
                name: self.plan.contract.name.clone(),
                digest: self.plan.contract.digest(),
            },
            source: meta.source.clone(),
            existing: self.existing(&tables),
            tables,
            links,
            equations,
            link_equations,
            repairs,
            quarantine,
            mapped_ids,
            unmapped: meta.unmapped.clone(),
        })
    }

    /// Writes the rows of a target table in their order, to Parquet and to lines in one pass.
    fn table(
        &mut self,
        target: &str,
        account: &mut account::Account,
        progress: &dyn Progress,
    ) -> Result<TableMeta> {
        let columns = rows::columns(self.plan, target);
        let mut sorter = sort::Sorter::new(columns, self.work.join(format!("sort.{target}")));
        rows::push_all(self.plan, self.snapshot, self.decisions, target, &mut sorter)?;
        let schema = std::sync::Arc::new(super::columns(&self.plan.after, target));
        let kept: Vec<usize> = (0..schema.fields().len()).collect();
        let file = format!("data/parquet/{target}.parquet");
        let jsonl = format!("data/jsonl/{target}.jsonl");
        let mut parquet = table::Table::create(&self.root.join(&file), schema)?;
        let mut text = HashingFile::create(&self.root.join(&jsonl))?;
        let lines = super::jsonl::Lines::new(&self.plan.after, target);
        let mut digests = table::Digests::new(&self.plan.after, target);
        let mut buffer = Vec::new();
        let mut ledger = account::Account::ledger(self, target)?;
        sorter.finish(|batch| {
            let rows = batch.project(&kept).map_err(super::read::arrow_failed)?;
            parquet.write(&rows)?;
            digests.add(&rows)?;
            buffer.clear();
            lines.write(&rows, &mut buffer)?;
            std::io::Write::write_all(&mut text, &buffer)
                .map_err(|error| storage::failed(&self.root.join(&jsonl), error))?;
            progress.advance(rows.num_rows() as u64);
            ledger.add(batch)
        })?;
        let (migrated, existing) = (ledger.migrated, ledger.existing);
        account.take(self, ledger)?;
        self.payload.insert(file.clone(), parquet.finish()?);
        self.payload.insert(jsonl.clone(), text.finish()?);
        Ok(TableMeta {
            entity: target.to_owned(),
            file,
            jsonl,
            rows: digests.table.rows,
            migrated,
            existing,
            digest: digests.table.hex(),
        })
    }

    fn link_files(&mut self) -> Result<Vec<LinksMeta>> {
        let carried = &self.decisions.carried;
        carried.iter().enumerate().map(|(at, found)| links::write(self, at, found)).collect()
    }

    fn existing(&self, tables: &[TableMeta]) -> Vec<Existing> {
        let with_rows = tables.iter().filter_map(|table| {
            let rows = self.snapshot.table(&table.entity)?.rows;
            Some((table, rows)).filter(|(_, rows)| *rows > 0)
        });
        with_rows
            .map(|(table, rows)| Existing {
                entity: table.entity.clone(),
                rows,
                carried: table.existing,
                merged: rows - table.existing,
            })
            .collect()
    }
}
