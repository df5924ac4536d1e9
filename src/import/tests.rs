use super::*;
use crate::progress::Silent;
use crate::target::sample::Sample;

/// A target in memory that can lose a row or fail.
#[derive(Debug, Default)]
struct Memory {
    rows: Vec<(String, u64)>,
    lose: bool,
    fail: bool,
    steps: Vec<&'static str>,
}

impl Target for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn begin(&mut self, _plan: &Plan) -> Result<()> {
        self.steps.push("begin");
        Ok(())
    }

    fn write(&mut self, table: &Table, rows: &Rows<'_>) -> Result<Counts> {
        self.rows.push((table.name.clone(), rows.len() as u64));
        if self.fail {
            return Err(Error::system("the disk is full"));
        }
        Ok(Counts { created: rows.len() as u64, ..Counts::default() })
    }

    fn settle(&mut self, _plan: &Plan) -> Result<()> {
        self.steps.push("settle");
        Ok(())
    }

    fn read_back(&mut self, table: &Table, _progress: &dyn Progress) -> Result<ReadBack> {
        let mine = self.rows.iter().filter(|(name, _)| *name == table.name);
        let rows = mine.map(|(_, rows)| rows).sum::<u64>() - u64::from(self.lose);
        let migrated = table.migrated.unwrap_or_default();
        Ok(ReadBack { rows, migrated, digest: table.digest.clone() })
    }

    fn check(&mut self, _plan: &Plan) -> Result<Vec<Check>> {
        Ok(Vec::new())
    }

    fn commit(&mut self) -> Result<()> {
        self.steps.push("commit");
        Ok(())
    }

    fn abandon(&mut self) {
        self.steps.push("abandon");
    }
}

fn steps(mut target: Memory) -> (String, Result<Outcome>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let verified = Sample::small().verified(&folder.path().join("bundle"));
    let outcome = import(&verified, &mut target, &Silent);
    let stored = last_outcome(verified.bundle(), "memory").unwrap();
    assert_eq!(stored.as_ref(), outcome.as_ref().ok());
    (target.steps.join(" "), outcome, stored.is_some())
}

#[test]
fn an_import_writes_reads_back_and_commits() {
    let (steps, outcome, stored) = steps(Memory::default());
    assert_eq!(steps, "begin settle commit");
    assert_eq!(outcome.unwrap().counts().created, 6);
    assert!(stored);
}

#[test]
fn a_target_that_loses_a_row_is_found_out() {
    let (steps, outcome, stored) = steps(Memory { lose: true, ..Memory::default() });
    assert_eq!(steps, "begin settle abandon");
    assert_eq!(outcome.unwrap_err().kind, Kind::Findings);
    assert!(!stored);
}

#[test]
fn a_failing_target_is_left_as_it_was() {
    let (steps, outcome, _) = steps(Memory { fail: true, ..Memory::default() });
    assert_eq!(steps, "begin abandon");
    assert_eq!(outcome.unwrap_err().kind, Kind::System);
}
