//! Batches in flight: a few workers, and the one thread that numbers the batches and notes in the
//! journal what is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use serde_json::json;

use super::Options;
use super::shape::Shape;
use super::wire::Unit;
use super::work::{self, Aside, Batch};
use crate::bag;
use crate::error::{Error, Kind, Result, grouped};
use crate::instantdb::Client;
use crate::target::Journal;

/// The most rows that are set aside before a run ends.
const MOST_ASIDE: usize = 1000;

/// What earlier runs noted about batches, by number.
#[derive(Debug, Default)]
pub(super) struct Noted {
    batches: BTreeMap<u64, (String, Vec<Aside>)>,
}

impl Noted {
    /// Reads the notes of a run; the last one of a batch counts.
    pub(super) fn of(journal: &Journal<'_>, run: &str, key: &str) -> Self {
        let mut batches = BTreeMap::new();
        for note in journal.notes(run, key) {
            let digest = note["digest"].as_str().unwrap_or_default().to_owned();
            let aside = serde_json::from_value(note["aside"].clone()).unwrap_or_default();
            if let Some(number) = note["batch"].as_u64() {
                batches.insert(number, (digest, aside));
            }
        }
        Self { batches }
    }

    /// The rows that were set aside.
    pub(super) fn aside(&self) -> Vec<Aside> {
        let mut aside: Vec<Aside> =
            self.batches.values().flat_map(|(_, aside)| aside.clone()).collect();
        aside.sort();
        aside.dedup_by(|a, b| (&a.table, &a.key) == (&b.table, &b.key));
        aside
    }
}

/// What came of a batch: the worker's number, the batch's number and digest, the rows set aside.
type Done = (usize, u64, String, Result<Vec<Aside>>);

/// The workers and what is known of the batches.
pub(super) struct Crew<'c, 'j> {
    journal: &'c mut Journal<'j>,
    key: &'static str,
    shapes: &'c [Shape],
    options: Options,
    jobs: Vec<SyncSender<Batch>>,
    idle: Vec<usize>,
    done: Receiver<Done>,
    next: u64,
    noted: Noted,
    /// Batches up to this number may have been sent by a run that was stopped.
    sent: u64,
    /// Rows that an earlier run set aside, which are tried again.
    again: BTreeSet<(String, Vec<String>)>,
    /// Rows that this run set aside: nothing more of them is sent.
    aside: BTreeSet<(String, Vec<String>)>,
    /// Nothing is sent before the app was asked.
    careful: bool,
    open: (usize, Vec<Unit>, usize, usize),
}

/// What a crew works on.
pub(super) struct Task<'c> {
    pub(super) client: &'c Client,
    pub(super) shapes: &'c [Shape],
    pub(super) options: Options,
    /// Under which key batches are noted.
    pub(super) key: &'static str,
    /// Nothing is sent before the app was asked.
    pub(super) careful: bool,
    pub(super) resumed: bool,
}

/// Lets `lead` submit batches to a crew, and waits until the last one is done. Gives what is noted.
pub(super) fn with<'c, 'j>(
    task: &Task<'c>,
    journal: &'c mut Journal<'j>,
    lead: impl FnOnce(&mut Crew<'c, 'j>) -> Result<()>,
) -> Result<Noted> {
    let noted = Noted::of(journal, journal.run(), task.key);
    let workers = task.options.workers;
    let again = noted.aside().into_iter().map(|aside| (aside.table, aside.key)).collect();
    // Batches are handed out in order, so the ones that were in flight at a kill come soon.
    let sent = if task.resumed { (noted.batches.len() + Options::MOST_WORKERS) as u64 } else { 0 };
    thread::scope(|scope| {
        let (tell, done) = mpsc::channel();
        let mut jobs = Vec::new();
        for worker in 0..workers {
            let client = task.client.another()?;
            let (job, orders) = mpsc::sync_channel(1);
            let (tell, shapes) = (tell.clone(), task.shapes);
            jobs.push(job);
            scope.spawn(move || serve(worker, &client, shapes, (&orders, &tell)));
        }
        drop(tell);
        let mut crew = Crew {
            journal,
            key: task.key,
            shapes: task.shapes,
            options: task.options,
            jobs,
            idle: (0..workers).rev().collect(),
            done,
            next: 0,
            noted,
            sent,
            again,
            aside: BTreeSet::new(),
            careful: task.careful,
            open: (0, Vec::new(), 0, 0),
        };
        let led = lead(&mut crew);
        // What is in flight is noted, whatever came between.
        let ended = crew.wait();
        led.and(ended)?;
        Ok(crew.noted)
    })
}

fn serve(
    worker: usize,
    client: &Client,
    shapes: &[Shape],
    (orders, tell): (&Receiver<Batch>, &Sender<Done>),
) {
    while let Ok(batch) = orders.recv() {
        let (number, digest) = (batch.number, batch.digest.clone());
        let came = work::bring(client, &shapes[batch.table], batch);
        if tell.send((worker, number, digest, came)).is_err() {
            return;
        }
    }
}

impl Crew<'_, '_> {
    /// Whether this run has set a row aside.
    pub(super) fn is_aside(&self, table: &str, id: &str) -> bool {
        self.aside.contains(&(table.to_owned(), vec![id.to_owned()]))
    }

    /// Sends nothing about a row.
    pub(super) fn leave_out(&mut self, table: &str, key: &[String]) {
        self.aside.insert((table.to_owned(), key.to_vec()));
    }

    /// Notes which rows of a table were left out, where there are some or were some.
    pub(super) fn note_left_out(&mut self, table: usize, left: Vec<Aside>) -> Result<()> {
        let number = u64::MAX - table as u64;
        if left.is_empty() && !self.noted.batches.contains_key(&number) {
            return Ok(());
        }
        self.journal.note(self.key, json!({ "batch": number, "digest": "", "aside": left }))?;
        self.noted.batches.insert(number, (String::new(), left));
        Ok(())
    }

    /// Takes a unit of a table into the batch that is being filled.
    pub(super) fn add(&mut self, table: usize, unit: Unit) -> Result<()> {
        let (of, units, triples, bytes) = &self.open;
        let is_full = triples + unit.triples > self.options.triples
            || bytes + unit.steps.len() > self.options.bytes;
        if !units.is_empty() && (is_full || *of != table) {
            self.flush()?;
        }
        self.open.0 = table;
        self.open.2 += unit.triples;
        self.open.3 += unit.steps.len() + 1;
        self.open.1.push(unit);
        Ok(())
    }

    /// Sends the batch that is being filled, and waits for all of them.
    pub(super) fn barrier(&mut self) -> Result<()> {
        self.flush()?;
        self.wait()
    }

    fn flush(&mut self) -> Result<()> {
        let (table, units, ..) = std::mem::take(&mut self.open);
        if units.is_empty() {
            return Ok(());
        }
        self.next += 1;
        let number = self.next;
        let steps: Vec<&str> = units.iter().map(|unit| unit.steps.as_str()).collect();
        let digest = bag::sha256_hex(steps.join(",").as_bytes())[..16].to_owned();
        let mut batch =
            Batch { number, table, units, settle: self.careful || number <= self.sent, digest };
        let name = self.shapes[table].table.clone();
        let key = |unit: &Unit| (name.clone(), unit.key.clone());
        match self.noted.batches.get(&number) {
            Some((noted, _)) if *noted == batch.digest => {
                batch.units.retain(|unit| self.again.contains(&key(unit)));
                batch.settle = true;
                if batch.units.is_empty() {
                    return Ok(());
                }
            }
            // Batches are cut otherwise than they were: any of them may be done.
            Some(_) => {
                self.careful = true;
                batch.settle = true;
            }
            None => {}
        }
        batch.units.retain(|unit| !self.aside.contains(&key(unit)));
        self.hand_out(batch)
    }

    fn hand_out(&mut self, batch: Batch) -> Result<()> {
        while self.idle.is_empty() {
            self.take()?;
        }
        let worker = self.idle.pop().unwrap_or_default();
        self.jobs[worker].send(batch).map_err(|_| Error::bug("a worker panicked"))
    }

    /// Takes in what came of one batch.
    fn take(&mut self) -> Result<()> {
        let (worker, number, digest, came) =
            self.done.recv().map_err(|_| Error::bug("every worker panicked"))?;
        self.idle.push(worker);
        let aside = came?;
        let note = json!({ "batch": number, "digest": digest, "aside": aside });
        self.journal.note(self.key, note)?;
        self.aside.extend(aside.iter().map(|one| (one.table.clone(), one.key.clone())));
        self.noted.batches.insert(number, (digest, aside));
        if self.aside.len() <= MOST_ASIDE {
            return Ok(());
        }
        let count = grouped(self.aside.len() as u64);
        let said = format!("the server refuses {count} rows so far; the import ends here");
        Err(super::aside::listed(Error::new(Kind::Findings, said), &self.noted.aside())
            .help("change what the server minds, then run the same command again: it goes on"))
    }

    /// Waits until every worker is idle; the first failure is what is told.
    fn wait(&mut self) -> Result<()> {
        let mut ended = Ok(());
        while self.idle.len() < self.jobs.len() {
            let waiting = self.idle.len();
            let taken = self.take();
            let is_lost = self.idle.len() == waiting;
            ended = ended.and(taken);
            if is_lost {
                break;
            }
        }
        ended
    }
}
