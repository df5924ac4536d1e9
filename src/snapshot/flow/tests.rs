//! Many blocks over many threads.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::contract::Contract;
use crate::error::{Error, Kind, Result};
use crate::progress::{Progress, Silent};
use crate::resources::Resources;
use crate::snapshot::fixture::{contract, told};
use crate::snapshot::{Snapshot, scan, take};
use crate::source::{At, Form, Head, Row, Source, SourceMeta, Visit};

/// Rows by number; what `broken` names is no JSON, and the source fails at `fails`.
#[derive(Default, Clone)]
struct Made {
    rows: u64,
    /// Bytes of a part.
    width: usize,
    broken: Vec<u64>,
    fails: Option<u64>,
    panics: Option<u64>,
}

impl Made {
    fn text(&self, row: u64) -> String {
        let wide = "w".repeat(self.width);
        match row {
            _ if self.broken.contains(&row) => r#"{"id":"#.to_owned(),
            _ if row.is_multiple_of(7) => {
                format!(r#"{{"id":"c{row}","events":["e{row}","e0"],"x":{row}}}"#)
            }
            _ => format!(r#"{{"id":"p{row}","idx":{row},"part":{{"b":"{wide}","a":[{row}]}}}}"#),
        }
    }
}

impl Source for Made {
    fn identify(&self, _progress: &dyn Progress) -> Result<SourceMeta> {
        Ok(SourceMeta::default())
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        Ok(Head::default())
    }

    fn read(
        &mut self,
        contract: &Contract,
        visit: &mut Visit<'_>,
        _progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        for row in 0..self.rows {
            if self.fails == Some(row) {
                return Err(Error::system(format!("the source fails at {row}")));
            }
            assert_ne!(self.panics, Some(row), "the source panics");
            let entity = if row.is_multiple_of(7) { "context_contexts" } else { "story_parts" };
            let (text, form) = (self.text(row), Form::Object);
            let at = At::Element("made", entity, row, row * 2);
            visit(Row { entity, text: &text, form, server_created_at: None, at })?;
        }
        let entities = contract.before.schema.entities.iter();
        Ok((SourceMeta::default(), entities.map(|entity| (entity.name.clone(), 0)).collect()))
    }
}

fn export(made: &Made, threads: usize, place: &Path) -> Result<Snapshot> {
    let resources = Resources { threads: NonZeroUsize::new(threads), ..Resources::default() };
    take(&mut made.clone(), &contract(), place, &resources, &Silent)
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let made = Made { rows: 14_000, width: 1000, ..Made::default() };
    let folder = tempfile::tempdir().unwrap();
    let digests: Vec<String> = [1, 2, 3, 8]
        .into_iter()
        .map(|threads| {
            let place = folder.path().join(threads.to_string());
            export(&made, threads, &place).unwrap().digest().to_owned()
        })
        .collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let snapshot = Snapshot::open(&folder.path().join("8"), &Silent).unwrap();
    let contexts = snapshot.table("context_contexts").unwrap();
    assert_eq!((contexts.rows, snapshot.meta().links[0].rows), (2000, 4000));
    assert_eq!(snapshot.meta().unmapped.attrs[0].2, 2000);
}

#[test]
fn the_first_of_several_bad_rows_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let broken = vec![4001, 4002, 5301, 8000];
    let made = Made { rows: 9000, width: 1000, broken, ..Made::default() };
    for threads in [1, 2, 5, 8] {
        for fails in [None, Some(4002), Some(4500), Some(7000)] {
            let made = Made { fails, ..made.clone() };
            let error = export(&made, threads, &folder.path().join("s")).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(told(&error, folder.path()), @"
                Damaged: a row of `story_parts` is no JSON object that can be read
                  --> made, element 4,001 of `story_parts`, byte 8,002
                help: repair the row at its place, or take the source again
                ");
            }
        }
        let made = Made { fails: Some(4000), ..made.clone() };
        let error = export(&made, threads, &folder.path().join("s")).unwrap_err();
        assert_eq!(error.message, "the source fails at 4000");
    }
    assert!(folder.path().read_dir().unwrap().next().is_none());
}

#[test]
fn a_panic_ends_all_threads() {
    let folder = tempfile::tempdir().unwrap();
    let made = Made { rows: 9000, width: 1000, panics: Some(7000), ..Made::default() };
    for threads in [1, 2, 8] {
        let run = || export(&made, threads, &folder.path().join("s"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    }
}

#[test]
fn row_groups_end_by_what_they_are_decoded_to() {
    let folder = tempfile::tempdir().unwrap();
    let made = Made { rows: 140, width: 1 << 20, ..Made::default() };
    let snapshot = export(&made, 2, &folder.path().join("s")).unwrap();
    let file = snapshot.path("data/tables/story_parts.parquet");
    assert!(file.metadata().unwrap().len() < 1 << 20);
    let reader = scan(&file).unwrap();
    let groups = reader.metadata().row_groups().iter();
    let rows: Vec<i64> = groups.map(parquet::file::metadata::RowGroupMetaData::num_rows).collect();
    assert_eq!(rows, [32, 32, 32, 24]);
}

#[test]
fn one_part_may_be_large() {
    let folder = tempfile::tempdir().unwrap();
    let made = Made { rows: 3, width: 64 << 20, ..Made::default() };
    let snapshot = export(&made, 2, &folder.path().join("s")).unwrap();
    assert_eq!(snapshot.table("story_parts").unwrap().rows, 2);
}

#[test]
fn a_memory_limit_too_small_is_said_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("s");
    let resources = Resources { memory: Some(128 << 20), ..Resources::default() };
    let made = Made { panics: Some(0), rows: 1, ..Made::default() };
    let error = take(&mut made.clone(), &contract(), &place, &resources, &Silent).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.message.contains("too small to export"), "{error}");
}
