//! Reads a finished archive back: by the program's own exporter, and by its own table of contents.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::app::{broken, damaged};
use super::content::Content;
use super::lines::{self, Line};
use super::links::{dangling, each_pair, links_on, table_of};
use super::routes::Route;
use super::rules::uuid;
use super::tally::Tally;
use super::write::{CONFIG, entity_of};
use crate::app::{ACTIONS, Rules};
use crate::contract::Contract;
use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::Result;
use crate::json;
use crate::progress::{Progress, Silent};
use crate::reconcile;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::snapshot::{self, Snapshot};
use crate::target::{Check, Noted, Plan, ReadBack, Role, Table};
use crate::{source, storage};

/// A snapshot of a finished archive, in a folder that goes when this does.
#[derive(Debug)]
pub(super) struct Back {
    folder: PathBuf,
    snapshot: Snapshot,
}

impl Drop for Back {
    fn drop(&mut self) {
        drop(storage::remove_folder(&self.folder));
    }
}

impl Back {
    /// Exports the target model out of an archive.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn take(archive: &Path, place: &Path, contract: &Contract) -> Result<Self> {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let folder = place.with_file_name(format!(".{name}.read-back"));
        storage::remove_folder(&folder)?;
        // Without the legacy model its tables are not read, and need not be there.
        let mut contract = contract.clone();
        contract.before.schema = Schema::default();
        let mut from = source::open(archive)?;
        let taken = snapshot::take(from.as_mut(), &contract, &folder, &Resources::default(), QUIET);
        if taken.is_err() {
            storage::remove_folder(&folder)?;
        }
        Ok(Self { snapshot: taken?, folder })
    }

    /// What the archive holds of a table of the bundle's.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn table(
        &self,
        plan: &Plan,
        table: &Table,
        (routes, progress): (&[Route], &dyn Progress),
    ) -> Result<ReadBack> {
        let digest = if table.link.is_some() {
            self.links(plan, table, routes)?
        } else {
            self.rows(plan, table, progress)?
        };
        let differing = Noted::default();
        Ok(ReadBack { rows: digest.rows, migrated: None, digest: digest.hex(), differing })
    }

    fn rows(&self, plan: &Plan, table: &Table, progress: &dyn Progress) -> Result<TableDigest> {
        let mut sum = TableDigest::default();
        let Some(found) = self.snapshot.table(&table.name).filter(|found| found.rows > 0) else {
            return Ok(sum);
        };
        let (there, copy) = self.at(plan, table, &found.file);
        there.scan_digested(&copy, progress, &mut |rows| {
            (0..rows.len()).for_each(|row| sum.add(rows.digest(row)));
            Ok(())
        })?;
        Ok(sum)
    }

    /// The same table in the snapshot.
    fn at(&self, plan: &Plan, table: &Table, file: &str) -> (Plan, Table) {
        let mut copy = Table { file: file.to_owned(), ..table.clone() };
        copy.columns.retain(|column| column.role != Role::Lineage);
        (Plan { root: self.snapshot.root().to_owned(), ..plan.clone() }, copy)
    }

    /// The bundle's pairs that the archive has.
    fn links(&self, plan: &Plan, table: &Table, routes: &[Route]) -> Result<TableDigest> {
        let (mut sum, mut digest) = (TableDigest::default(), RowDigest::default());
        let Some(route) = routes.iter().find(|route| route.table == table.name) else {
            return Ok(sum);
        };
        let files = self.snapshot.meta().links.iter();
        let mut there = Vec::new();
        for file in files.filter(|file| file.entity == route.entity && file.label == route.label) {
            let (from, copy) = self.at(plan, table, &file.file);
            each_pair(&from, &copy, &mut |from, to| {
                there.extend(uuid(from).zip(uuid(to)));
                Ok(())
            })?;
        }
        there.sort_unstable();
        each_pair(plan, table, &mut |from, to| {
            let (ours, other) = if route.swapped { (to, from) } else { (from, to) };
            let pair = uuid(ours).zip(uuid(other));
            if pair.is_some_and(|pair| there.binary_search(&pair).is_ok()) {
                sum.add(digest.of([("from", Value::Text(from)), ("to", Value::Text(to))]));
            }
            Ok(())
        })?;
        Ok(sum)
    }

    /// Link files whose pairs are not exactly the bundle's.
    pub(super) fn check_links(&self, plan: &Plan, routes: &[Route]) -> Result<Check> {
        let mut wanted: BTreeMap<(&str, &str), Vec<(u128, u128)>> = BTreeMap::new();
        for route in routes.iter().filter(|route| route.written) {
            let pairs = wanted.entry((&route.entity, &route.label)).or_default();
            let Some(table) = table_of(plan, route) else { continue };
            each_pair(plan, table, &mut |from, to| {
                let (ours, other) = if route.swapped { (to, from) } else { (from, to) };
                pairs.extend(uuid(ours).zip(uuid(other)));
                Ok(())
            })?;
        }
        let mut check = check("links of other entities are the bundle's alone", 0);
        for ((entity, label), mut pairs) in wanted {
            pairs.sort_unstable();
            pairs.dedup();
            let files = self.snapshot.meta().links.iter();
            let mut files = files.filter(|file| file.entity == entity && file.label == label);
            let found = files.next().map_or(0, |file| file.rows);
            check.evaluated += found;
            if found != pairs.len() as u64 {
                violated(&mut check, format!("{entity}.{label}"));
            }
        }
        Ok(check)
    }
}

/// Checks an archive against itself and against what it was to hold.
///
/// # Errors
/// It cannot be read.
pub(super) fn check_archive(
    archive: &Path,
    content: &Content,
    (plan, contract): (&Plan, &Contract),
) -> Result<Vec<Check>> {
    let file = BufReader::with_capacity(1 << 18, storage::open(archive)?);
    let mut zip = ZipArchive::new(file).map_err(|error| damaged(archive, error))?;
    let wanted = content.counts(plan);
    let mut counts = check("`counts` of `config.json` are the lines", wanted.len() as u64);
    let mut triples = 0;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let config = text_of(&mut zip, archive)?;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|error| damaged(archive, error))?;
        let name = entry.name().map_err(|error| damaged(archive, error))?.into_owned();
        let place = format!("{}: {name}", archive.display());
        if let Some(entity) = entity_of(&name) {
            let mut tally = Tally::default();
            let is_link = |label: &str| content.model.schema.link(entity, label).is_some();
            lines::each(entry, &place, &mut |text| {
                let line =
                    Line::parse(text).unwrap_or(Line { members: Vec::new(), created_at: None });
                tally.add(&line, is_link);
                tally.ids.clear();
                Ok(())
            })?;
            triples += tally.triples;
            found.insert(entity.to_owned(), tally.rows);
        } else {
            let mut entry = entry;
            io::copy(&mut entry, &mut io::sink()).map_err(|error| broken(&place, error))?;
        }
    }
    let said = json::members(&config).unwrap_or_default();
    let said = |wanted: &str| said.iter().find(|(name, _)| name == wanted).map(|(_, raw)| *raw);
    let told = said("counts").and_then(|raw| json::members(raw).ok()).unwrap_or_default();
    for (entity, raw) in &told {
        let rows = found.remove(entity.as_ref()).unwrap_or_default();
        let is = wanted.get(entity.as_ref());
        if raw.parse() != Ok(rows) || is != Some(&rows) {
            violated(&mut counts, entity.to_string());
        }
    }
    for entity in found.into_keys() {
        violated(&mut counts, entity);
    }
    let mut sum = check("`tripleCount` of `config.json` is the triples of all lines", triples);
    if said("tripleCount").and_then(|raw| raw.parse().ok()) != Some(triples) {
        violated(&mut sum, "tripleCount".to_owned());
    }
    let rules = Rules::parse(said("rules").unwrap_or("null"));
    let guard = judge_rules(rules, content, contract);
    // A file that does not match its checksum is an error above.
    let files = check("every file reads back with its checksum", zip.len() as u64);
    Ok(vec![counts, sum, guard, files])
}

/// Whether the rules guard what the app's guarded; everything, where those are not known.
fn judge_rules(written: Result<Rules, String>, content: &Content, contract: &Contract) -> Check {
    let wanted = (contract.transforms.len() * ACTIONS.len()) as u64;
    let mut guard = check(
        "`rules` of `config.json` are those that were made, and leave nothing open that was guarded",
        wanted,
    );
    let Ok(written) = written else {
        violated(&mut guard, "they cannot be read".to_owned());
        return guard;
    };
    for opened in reconcile::opened(contract, &content.rules, &written) {
        violated(&mut guard, format!("`{}`: {}", opened.target, opened.what));
    }
    if written != content.permissions.rules {
        violated(&mut guard, "they are other ones".to_owned());
    }
    if content.rules.is_unknown() && !written.is_closed() {
        violated(&mut guard, "they let everybody".to_owned());
    }
    guard
}

fn text_of(zip: &mut ZipArchive<BufReader<File>>, archive: &Path) -> Result<String> {
    let mut entry = zip.by_name(CONFIG).map_err(|error| damaged(archive, error))?;
    let place = format!("{}: {CONFIG}", archive.display());
    let mut text = String::new();
    io::Read::read_to_string(&mut entry, &mut text).map_err(|error| broken(&place, error))?;
    Ok(text)
}

/// Where links lead. What leads nowhere inside the target model is a violation; what leads nowhere in
/// the rest of the app did so in the source, and is named.
pub(super) fn check_links(content: &Content, plan: &Plan) -> Vec<Check> {
    let links = links_on(&content.model.schema, plan);
    let mut checks = Vec::new();
    for link in links {
        let (evaluated, noted) = dangling(&content.tallies, link);
        let is_ours = plan.schema.link(&link.on, &link.label).is_some();
        if evaluated == 0 && !is_ours {
            continue;
        }
        let mut name = format!("{}.{} leads to {}", link.on, link.label, link.to);
        if !is_ours && noted.count > 0 {
            name = format!("{name}, or to no row of the archive ({})", noted.count);
        }
        let violations = if is_ours { noted.count } else { 0 };
        checks.push(Check { name, evaluated, violations, samples: noted.first });
    }
    checks
}

fn check(name: &str, evaluated: u64) -> Check {
    Check { name: name.to_owned(), evaluated, violations: 0, samples: Vec::new() }
}

fn violated(check: &mut Check, what: String) {
    check.violations += 1;
    if check.samples.len() < 5 {
        check.samples.push(what);
    }
}

/// Hears nothing, for a look that is no step of its own.
pub(super) const QUIET: &dyn Progress = &Silent;
