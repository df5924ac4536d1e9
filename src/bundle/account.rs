//! The account of values: every repair and every mapped id, row by row, counted by rule.

use std::collections::BTreeMap;

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema as Columns};

use super::table::Table;
use super::write::Writing;
use super::{Origin, Repair, read, rows};
use crate::contract::{LinkHow, Pick};
use crate::error::Result;
use crate::transform::{SourcePlan, TargetPlan, codes};

/// Repairs and mapped ids of all target tables.
pub(super) struct Account {
    repairs: BTreeMap<(String, String, String), u64>,
    mapped: BTreeMap<String, u64>,
    ids: Table,
}

/// Repairs by rule, and mapped ids by legacy entity.
pub(super) type Counts = (Vec<Repair>, Vec<(String, u64)>);

const IDS: &str = "data/ids.parquet";

impl Account {
    /// An empty account.
    pub(super) fn new(writing: &Writing<'_>) -> Result<Self> {
        let ids =
            Table::create(&writing.root.join(IDS), texts(&["entity", "target", "from", "to"]))?;
        Ok(Self { repairs: BTreeMap::new(), mapped: BTreeMap::new(), ids })
    }

    /// The ledger of one target table.
    pub(super) fn ledger(writing: &Writing<'_>, target: &str) -> Result<Ledger> {
        let path = format!("data/repairs/{target}.parquet");
        let table = Table::create(&writing.root.join(&path), repair_columns())?;
        let plan =
            writing.plan.target(target).map(|(source, target)| (source.clone(), target.clone()));
        let rules = plan.as_ref().map(|(_, target)| rules(target)).unwrap_or_default();
        Ok(Ledger {
            plan,
            rules,
            path,
            table,
            counts: BTreeMap::new(),
            ids: Vec::new(),
            migrated: 0,
            existing: 0,
            mapped: 0,
        })
    }

    /// Takes a finished ledger in.
    pub(super) fn take(&mut self, writing: &mut Writing<'_>, ledger: Ledger) -> Result<()> {
        let Ledger { plan, path, table, counts, ids, mapped, .. } = ledger;
        writing.payload.insert(path, table.finish()?);
        let Some((source, target)) = plan else { return Ok(()) };
        for ((attr, how), rows) in counts {
            self.repairs.insert((target.entity.clone(), attr, how), rows);
        }
        for batch in ids {
            self.ids.write(&batch)?;
        }
        let is_main = writing.plan.main_target(&source.entity).map(|main| &main.entity);
        if mapped > 0 && is_main == Some(&target.entity) {
            self.mapped.insert(source.entity, mapped);
        }
        Ok(())
    }

    /// The counts, with the list of mapped ids written.
    pub(super) fn finish(self, writing: &mut Writing<'_>) -> Result<Counts> {
        writing.payload.insert(IDS.to_owned(), self.ids.finish()?);
        let repair = |((target, attr, how), rows)| Repair { target, attr, how, rows };
        Ok((self.repairs.into_iter().map(repair).collect(), self.mapped.into_iter().collect()))
    }
}

/// What one column of codes says: the attribute, and the words of each code that is a repair. A derived
/// id and another spelling of a link's first place are none.
struct Rule {
    column: String,
    attr: String,
    words: BTreeMap<i32, String>,
}

fn rules(target: &TargetPlan) -> Vec<Rule> {
    let word = |code: i32, words: &str| (code, words.to_owned());
    let mut found = vec![Rule {
        column: rows::how("id"),
        attr: "id".to_owned(),
        words: BTreeMap::from([word(codes::ID_MAPPED, "mapped")]),
    }];
    for rule in target.transform.attrs.iter().filter(|rule| rule.built.is_none()) {
        let mut words = BTreeMap::new();
        for (at, pick) in rule.from.iter().enumerate().skip(1) {
            words.insert(codes::number(at), format!("from {}", spelled(pick)));
        }
        words.extend([
            word(codes::number(rule.from.len()), "template"),
            word(codes::number(rule.from.len() + 1), "missing"),
        ]);
        found.push(Rule { column: rows::how(&rule.attr), attr: rule.attr.clone(), words });
        let words = BTreeMap::from([
            word(codes::FOLDED, "value folded"),
            word(codes::KEPT, "value kept"),
            word(codes::OTHERWISE, "value otherwise"),
            word(codes::BLANK, "value blank"),
        ]);
        found.push(Rule { column: rows::mapped(&rule.attr), attr: rule.attr.clone(), words });
    }
    for rule in &target.transform.links {
        let LinkHow::From { picks, latest } = &rule.how else { continue };
        let mut words = BTreeMap::new();
        for (at, pick) in picks.iter().enumerate().skip(1) {
            words.insert(codes::number(at), format!("from {}", pick.spelled()));
        }
        if let Some(latest) = latest {
            words.insert(codes::number(picks.len()), format!("from latest {}", latest.entity));
        }
        found.push(Rule { column: rows::how(&rule.label), attr: rule.label.clone(), words });
    }
    found
}

fn spelled(pick: &Pick) -> String {
    match pick {
        Pick::Attr(name) => name.clone(),
        Pick::Path { attr, keys } => format!("{attr}.{}", keys.join(".")),
        Pick::Server => "$server".to_owned(),
        Pick::Linked { link, attr } => format!("{link}.{attr}"),
    }
}

/// The account of one target table while its rows pass by in order.
pub(super) struct Ledger {
    plan: Option<(SourcePlan, TargetPlan)>,
    rules: Vec<Rule>,
    path: String,
    table: Table,
    counts: BTreeMap<(String, String), u64>,
    ids: Vec<RecordBatch>,
    /// Rows from legacy rows so far.
    pub(super) migrated: u64,
    /// Rows that existed so far.
    pub(super) existing: u64,
    mapped: u64,
}

impl Ledger {
    /// Takes the rows of a batch, with the codes of how each value came about.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let origins = read::text(batch, Origin::ORIGIN)?;
        let migrated = origins.iter().filter(|origin| *origin == Some(Origin::MIGRATED)).count();
        self.migrated += migrated as u64;
        self.existing += (batch.num_rows() - migrated) as u64;
        if migrated == 0 {
            return Ok(());
        }
        let mut lines: Vec<(usize, &str, &str)> = Vec::new();
        for rule in &self.rules {
            let codes = read::column(batch, &rule.column, &DataType::Int32)?;
            let codes = codes.as_primitive::<Int32Type>();
            for (row, code) in codes.iter().enumerate() {
                let Some(words) = code.and_then(|code| rule.words.get(&code)) else { continue };
                lines.push((row, &rule.attr, words));
            }
        }
        lines.sort_unstable();
        for (_, attr, how) in &lines {
            *self.counts.entry(((*attr).to_owned(), (*how).to_owned())).or_default() += 1;
        }
        let repairs = repairs(batch, &lines)?;
        self.table.write(&repairs)?;
        self.map_ids(batch)
    }

    fn map_ids(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some((source, target)) = &self.plan else { return Ok(()) };
        let hows = read::column(batch, &rows::how("id"), &DataType::Int32)?;
        let hows = hows.as_primitive::<Int32Type>();
        let (from, to) = (read::text(batch, rows::LEGACY_ID)?, read::text(batch, "id")?);
        let mapped: Vec<usize> = (0..hows.len())
            .filter(|row| hows.is_valid(*row) && hows.value(*row) == codes::ID_MAPPED)
            .collect();
        if mapped.is_empty() {
            return Ok(());
        }
        self.mapped += mapped.len() as u64;
        let constant = |text: &str| -> StringArray { mapped.iter().map(|_| Some(text)).collect() };
        let picked = |texts: &StringArray| -> StringArray {
            mapped.iter().map(|row| texts.is_valid(*row).then(|| texts.value(*row))).collect()
        };
        let columns: Vec<Arc<dyn Array>> = vec![
            Arc::new(constant(&source.entity)),
            Arc::new(constant(&target.entity)),
            Arc::new(picked(&from)),
            Arc::new(picked(&to)),
        ];
        let schema = texts(&["entity", "target", "from", "to"]);
        self.ids.push(RecordBatch::try_new(schema, columns).map_err(read::arrow_failed)?);
        Ok(())
    }
}

fn repairs(batch: &RecordBatch, lines: &[(usize, &str, &str)]) -> Result<RecordBatch> {
    let ids = read::text(batch, "id")?;
    let rows = read::whole(batch, Origin::SOURCE_ROW)?;
    let id: StringArray = lines.iter().map(|(row, ..)| Some(ids.value(*row))).collect();
    let row: Int64Array = lines.iter().map(|(row, ..)| Some(rows.value(*row))).collect();
    let attr: StringArray = lines.iter().map(|(_, attr, _)| Some(*attr)).collect();
    let how: StringArray = lines.iter().map(|(.., how)| Some(*how)).collect();
    let columns: Vec<Arc<dyn Array>> =
        vec![Arc::new(id), Arc::new(row), Arc::new(attr), Arc::new(how)];
    RecordBatch::try_new(repair_columns(), columns).map_err(read::arrow_failed)
}

fn repair_columns() -> Arc<Columns> {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let row = Field::new(Origin::SOURCE_ROW, DataType::Int64, false);
    Arc::new(Columns::new(vec![text("id"), row, text("attr"), text("how")]))
}

/// A table of texts.
pub(super) fn texts(names: &[&str]) -> Arc<Columns> {
    let text = |name: &&str| Field::new(*name, DataType::Utf8, true);
    Arc::new(Columns::new(names.iter().map(text).collect::<Vec<_>>()))
}
