use super::*;
use crate::progress::Silent;
use crate::target::sample::{self, Sample};
use crate::target::{Before, Counts, Held, Noted, Table, Undoing};

/// A target in memory that can lose a row, fail, or have rows in the way.
#[derive(Debug)]
struct Memory {
    lose: bool,
    fail: bool,
    in_the_way: u64,
    manner: Manner,
    rows: Vec<(String, u64)>,
    steps: Vec<&'static str>,
}

impl Default for Memory {
    fn default() -> Self {
        let (rows, steps) = (Vec::new(), Vec::new());
        Self { lose: false, fail: false, in_the_way: 0, manner: Manner::Transaction, rows, steps }
    }
}

fn none() -> Held {
    Held { rows: 0, digest: "0".repeat(32) }
}

impl Target for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn identity(&self) -> String {
        "memory".to_owned()
    }

    fn manner(&self) -> Manner {
        self.manner
    }

    fn open(
        &mut self,
        _plan: &Plan,
        _job: &Job,
        _journal: &Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        self.steps.push("open");
        Ok(())
    }

    fn has_run(&mut self, _run: &str, _journal: &Journal<'_>) -> Result<bool> {
        Ok(!self.rows.is_empty())
    }

    fn compare(
        &mut self,
        plan: &Plan,
        _before: &mut BeforeWriter<'_>,
        _progress: &dyn Progress,
    ) -> Result<Vec<Standing>> {
        self.steps.push("compare");
        let standing = |table: &Table| Standing {
            table: table.name.clone(),
            counts: Counts { created: table.rows, ..Counts::default() },
            in_the_way: Noted { count: self.in_the_way, first: vec!["x".to_owned()] },
            before: none(),
        };
        Ok(plan.tables.iter().map(standing).collect())
    }

    fn apply(
        &mut self,
        plan: &Plan,
        journal: &mut Journal<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.steps.push("apply");
        for table in &plan.tables {
            let mut rows = 0;
            plan.scan(table, progress, &mut |batch| {
                rows += batch.len() as u64;
                Ok(())
            })?;
            self.rows.push((table.name.clone(), rows));
            journal.note("table", table.name.as_str())?;
        }
        if self.fail { Err(Error::system("the disk is full")) } else { Ok(()) }
    }

    fn read_back(
        &mut self,
        _plan: &Plan,
        table: &Table,
        _progress: &dyn Progress,
    ) -> Result<ReadBack> {
        let mine = self.rows.iter().filter(|(name, _)| *name == table.name);
        let rows = mine.map(|(_, rows)| rows).sum::<u64>() - u64::from(self.lose);
        let differing = Noted::default();
        Ok(ReadBack { rows, migrated: None, digest: table.digest.clone(), differing })
    }

    fn check(&mut self, _plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Check>> {
        Ok(Vec::new())
    }

    fn commit(&mut self) -> Result<()> {
        self.steps.push("commit");
        Ok(())
    }

    fn abandon(&mut self) {
        self.steps.push("abandon");
    }

    fn inspect(
        &mut self,
        plan: &Plan,
        _before: &Before,
        _progress: &dyn Progress,
    ) -> Result<Vec<Undoing>> {
        self.steps.push("inspect");
        let undoing = |table: &Table| Undoing {
            table: table.name.clone(),
            removed: table.rows,
            ..Undoing::default()
        };
        Ok(plan.tables.iter().map(undoing).collect())
    }

    fn revert(
        &mut self,
        _plan: &Plan,
        _before: &Before,
        _journal: &mut Journal<'_>,
        _progress: &dyn Progress,
    ) -> Result<()> {
        self.steps.push("revert");
        self.rows.clear();
        Ok(())
    }

    fn held(&mut self, plan: &Plan, _progress: &dyn Progress) -> Result<Vec<Held>> {
        let rows: u64 = self.rows.iter().map(|(_, rows)| rows).sum();
        Ok(plan.tables.iter().map(|_| Held { rows, ..none() }).collect())
    }
}

/// A bundle, and what was done with it.
struct Place {
    _folder: tempfile::TempDir,
    verified: VerifiedBundle,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let verified = Sample::small().verified(&folder.path().join("bundle"));
        Self { _folder: folder, verified }
    }

    fn import(&self, target: &mut Memory, order: &Order<'_>) -> Result<Outcome> {
        import(&self.verified, target, order, &Silent)
    }

    fn state(&self) -> String {
        let bundle = self.verified.bundle();
        let found = status(bundle.root(), bundle.digest()).unwrap();
        found.iter().map(|found| found.state.name()).collect::<Vec<_>>().join(" ")
    }
}

/// What was done to the target since the last time.
fn done(target: &mut Memory) -> String {
    std::mem::take(&mut target.steps).join(" ")
}

const DAY: i64 = 86_400_000_000;

#[test]
fn an_import_compares_writes_reads_back_and_commits() {
    let (place, mut target) = (Place::new(), Memory::default());
    let outcome = place.import(&mut target, &sample::order()).unwrap();
    assert_eq!(done(&mut target), "open compare apply commit");
    assert_eq!(outcome.counts().created, 6);
    assert_eq!(place.state(), "migrated_verified");
    assert_eq!(last_outcome(place.verified.bundle()).unwrap(), Some(outcome));
}

#[test]
fn a_target_that_loses_a_row_is_found_out() {
    let (place, mut target) = (Place::new(), Memory { lose: true, ..Memory::default() });
    let error = place.import(&mut target, &sample::order()).unwrap_err();
    assert_eq!(error.kind, Kind::Findings);
    assert_eq!(done(&mut target), "open compare apply abandon");
    assert_eq!(place.state(), "failed");
    assert_eq!(last_outcome(place.verified.bundle()).unwrap(), None);
}

#[test]
fn a_store_of_steps_has_the_rows_even_when_they_are_not_equal() {
    let manner = Manner::Steps;
    let (place, mut target) = (Place::new(), Memory { lose: true, manner, ..Memory::default() });
    let error = place.import(&mut target, &sample::order()).unwrap_err();
    assert!(!error.message.contains("nothing was imported"), "{error}");
    assert_eq!(done(&mut target), "open compare apply commit abandon");
    assert_eq!(place.state(), "applied_unverified");
}

#[test]
fn a_failing_target_is_left_as_it_was() {
    let (place, mut target) = (Place::new(), Memory { fail: true, ..Memory::default() });
    let error = place.import(&mut target, &sample::order()).unwrap_err();
    assert_eq!(error.kind, Kind::System);
    assert_eq!(done(&mut target), "open compare apply abandon");
}

#[test]
fn rows_in_the_way_stop_before_the_first_write() {
    let (place, mut target) = (Place::new(), Memory { in_the_way: 7, ..Memory::default() });
    let error = place.import(&mut target, &sample::order()).unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    insta::assert_snapshot!(format!("{error} | {}", error.at.join(" | ")), @"21 rows of `memory` are in the way | `threads`: 7 (x and 6 more) | `items`: 7 (x and 6 more) | `emails.item`: 7 (x and 6 more)");
    assert_eq!(done(&mut target), "open compare abandon");
}

#[test]
fn a_foreign_target_wants_a_fresh_dry_run_of_the_same_bundle() {
    let (place, mut target) = (Place::new(), Memory::default());
    let at = |now: i64, execute: bool| {
        let clock: &'static dyn Fn() -> i64 = Box::leak(Box::new(move || now));
        Order { execute, embedded: false, clock, ..sample::order() }
    };
    let refused = |place: &Place, target: &mut Memory, now| {
        let error = place.import(target, &at(now, true)).unwrap_err();
        assert_eq!((error.kind, done(target).as_str()), (Kind::Refused, ""));
        error.message
    };
    insta::assert_snapshot!(refused(&place, &mut target, 0), @"the contract asks for a dry run before the import");
    let outcome = place.import(&mut target, &at(0, false)).unwrap();
    assert_eq!(done(&mut target), "open compare apply abandon");
    insta::assert_snapshot!(outcome.sentence(), @"dry run: 6 rows created, 0 updated, 0 unchanged in `memory`, read back and equal, then taken back");
    assert_eq!(place.state(), "dry_run_ok");
    insta::assert_snapshot!(refused(&place, &mut target, DAY + 1), @"the dry run of this bundle is more than a day old");
    target.rows.clear();
    place.import(&mut target, &at(DAY, true)).unwrap();
    assert_eq!(place.state(), "migrated_verified");
    target.rows.clear();
    place.import(&mut target, &at(DAY, false)).unwrap();
    assert_eq!(place.state(), "migrated_verified", "a rehearsal changes nothing");
}

#[test]
fn a_dry_run_of_a_file_or_of_steps_only_compares() {
    for manner in [Manner::File, Manner::Steps] {
        let (place, mut target) = (Place::new(), Memory { manner, ..Memory::default() });
        let order = Order { execute: false, embedded: false, ..sample::order() };
        let outcome = place.import(&mut target, &order).unwrap();
        assert_eq!(done(&mut target), "open compare abandon");
        assert!(outcome.sentence().ends_with("nothing was written"), "{}", outcome.sentence());
        assert_eq!(place.state(), "dry_run_ok");
    }
}

fn undo(place: &Place, target: &mut Memory, order: &Order<'_>) -> Result<Undone> {
    rollback(place.verified.bundle(), place.verified.contract(), target, (order, &Silent))
}

#[test]
fn an_import_can_be_undone_once() {
    let (place, mut target) = (Place::new(), Memory::default());
    let error = undo(&place, &mut target, &sample::order()).unwrap_err();
    insta::assert_snapshot!(error, @"no import of this bundle into `memory` is on record");
    place.import(&mut target, &sample::order()).unwrap();
    done(&mut target);
    let dry = Order { execute: false, ..sample::order() };
    assert!(undo(&place, &mut target, &dry).unwrap().sentence().starts_with("dry run: 6 rows"));
    assert_eq!(done(&mut target), "open inspect revert abandon");
    assert_eq!(place.state(), "migrated_verified");
    let undone = undo(&place, &mut target, &sample::order()).unwrap();
    insta::assert_snapshot!(undone.sentence(), @"6 rows removed from `memory`, 0 restored, 0 left as they were; it holds what it held before the import");
    assert_eq!(done(&mut target), "open inspect revert commit");
    assert_eq!(place.state(), "rolled_back");
    assert_eq!(last_outcome(place.verified.bundle()).unwrap(), None);
    let again = undo(&place, &mut target, &sample::order()).unwrap();
    insta::assert_snapshot!(again.sentence(), @"nothing is left to undo in `memory`");
}

#[test]
fn a_dry_run_between_a_stopped_import_and_its_end_is_no_matter() {
    let (place, mut target) = (Place::new(), Memory { fail: true, ..Memory::default() });
    place.import(&mut target, &sample::order()).unwrap_err();
    target = Memory::default();
    place.import(&mut target, &Order { execute: false, ..sample::order() }).unwrap();
    target.rows.clear();
    place.import(&mut target, &sample::order()).unwrap();
    assert_eq!(place.state(), "migrated_verified");
    undo(&place, &mut target, &sample::order()).unwrap();
    assert_eq!(place.state(), "rolled_back");
}

#[test]
fn two_imports_of_one_target_exclude_each_other() {
    let (place, mut target) = (Place::new(), Memory::default());
    let plan = Plan::new(place.verified.bundle(), place.verified.contract());
    let order = Order { embedded: false, ..sample::order() };
    let desk = Desk::open(&plan, &target, &order).unwrap();
    let error = place.import(&mut target, &Order { execute: false, ..order }).unwrap_err();
    insta::assert_snapshot!(error, @"another import into `memory` is at work");
    assert_eq!(error.kind, Kind::Busy);
    drop(desk);
    place.import(&mut target, &Order { execute: false, ..order }).unwrap();
}
