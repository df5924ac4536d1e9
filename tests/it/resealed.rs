//! Sealed folders that somebody changed and sealed again: only what they say can tell.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rethread::bag::{self, Payload};

use crate::support::files;

/// All rows of a Parquet file.
pub(crate) fn rows(path: &Path) -> RecordBatch {
    let file = std::fs::File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let schema = reader.schema().clone();
    let batches: Vec<_> =
        reader.build().expect("rows").map(|batch| batch.expect("a batch")).collect();
    concat_batches(&schema, &batches).expect("one batch")
}

/// Replaces all rows of a Parquet file.
pub(crate) fn put(path: &Path, rows: &RecordBatch) {
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).expect("a writer");
    writer.write(rows).expect("rows");
    writer.close().expect("a file");
}

/// Changes one text of a column: that of the first row which has one.
pub(crate) fn change_text(path: &Path, column: &str, change: impl Fn(&str) -> String) {
    let rows = rows(path);
    let texts = rows.column_by_name(column).expect("a column").as_string::<i32>();
    let first = (0..texts.len()).find(|row| texts.is_valid(*row)).expect("a text");
    let changed = texts
        .iter()
        .enumerate()
        .map(|(row, text)| if row == first { text.map(&change) } else { text.map(str::to_owned) });
    let changed: StringArray = changed.collect();
    replace(path, &rows, column, Arc::new(changed));
}

/// Replaces a column of whole numbers.
pub(crate) fn change_whole(path: &Path, column: &str, change: impl Fn(usize, i64) -> i64) {
    let rows = rows(path);
    let numbers = rows.column_by_name(column).expect("a column");
    let numbers = numbers.as_primitive::<arrow::datatypes::Int64Type>();
    let changed = numbers.iter().enumerate().map(|(row, number)| number.map(|it| change(row, it)));
    let changed: Int64Array = changed.collect();
    replace(path, &rows, column, Arc::new(changed));
}

fn replace(path: &Path, rows: &RecordBatch, column: &str, changed: ArrayRef) {
    let at = rows.schema().index_of(column).expect("a column");
    let mut columns = rows.columns().to_vec();
    assert_ne!(&columns[at], &changed, "the fault changes nothing");
    columns[at] = changed;
    put(path, &RecordBatch::try_new(rows.schema(), columns).expect("rows"));
}

/// Leaves a row out.
pub(crate) fn drop_row(path: &Path, row: usize) {
    let rows = rows(path);
    let kept: BooleanArray = (0..rows.num_rows()).map(|at| Some(at != row)).collect();
    put(path, &filter_record_batch(&rows, &kept).expect("rows"));
}

/// Changes a text file.
pub(crate) fn change_file(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "`{from}` is not in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).expect("a file");
}

/// Seals a folder as it stands now.
pub(crate) fn seal(root: &Path) {
    let info = std::fs::read_to_string(root.join("bag-info.txt")).expect("tags");
    let info: Vec<(&str, String)> = info
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(label, _)| *label != "Payload-Oxum")
        .map(|(label, value)| (label, value.to_owned()))
        .collect();
    for tag in ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        std::fs::remove_file(root.join(tag)).expect("a tag");
    }
    let mut payload = Payload::new();
    for file in files(root.join("data")) {
        let name = file.strip_prefix(root).expect("inside").to_str().expect("UTF-8").to_owned();
        payload.insert(name, bag::sha256_of(&file).expect("a hash"));
    }
    bag::seal(root, &payload, &info).expect("sealed");
}
