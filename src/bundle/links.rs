//! Link files of a bundle: links that are no column of a target table.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema as Columns};

use super::aside::Dropped;
use super::table::Table;
use super::write::Writing;
use super::{Declared, HeldIn, LinkEquation, LinksMeta, Origin, read};
use crate::digest::{RowDigest, TableDigest, Value};
use crate::error::Result;
use crate::reconcile::{CarriedFile, CarriedLink};
use crate::schema::Has;
use crate::snapshot::Snapshot;
use crate::transform::{CarriedLinks, is_held};

/// Writes one link file.
pub(super) fn write(
    writing: &mut Writing<'_>,
    at: usize,
    found: &CarriedLinks,
) -> Result<LinksMeta> {
    let file = format!("data/parquet/links/{}.parquet", file_name(at, found));
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Columns::new(vec![text("from"), text("to"), text(Origin::ORIGIN)]));
    let mut table = Table::create(&writing.root.join(&file), schema.clone())?;
    let mut digest = TableDigest::default();
    let mut row_digest = RowDigest::default();
    let mut reader = read::columns(&found.file, None, None)?;
    while let Some(batch) = read::next(&mut reader, &found.file)? {
        let (from, to) = (read::text(&batch, "from")?, read::text(&batch, "to")?);
        for row in 0..batch.num_rows() {
            let pair = [("from", from.value(row)), ("to", to.value(row))];
            digest.add(row_digest.of(pair.map(|(name, id)| (name, Value::Text(id)))));
        }
        let origin = read::column(&batch, Origin::ORIGIN, &DataType::Utf8)?;
        let columns: Vec<ArrayRef> = vec![Arc::new(from), Arc::new(to), origin];
        table.write(&RecordBatch::try_new(schema.clone(), columns).map_err(read::arrow_failed)?)?;
    }
    writing.payload.insert(file.clone(), table.finish()?);
    Ok(LinksMeta {
        entity: found.entity.clone(),
        label: found.label.clone(),
        target: found.target.clone(),
        role: found.role.clone(),
        declared: found.link.as_ref().map(|carried| declared(carried, writing.snapshot)),
        file,
        rows: digest.rows,
        digest: digest.hex(),
    })
}

fn declared(carried: &CarriedLink, snapshot: &Snapshot) -> Declared {
    let link = &carried.link;
    let held = |file: &CarriedFile| {
        let links = &snapshot.meta().links[file.at];
        let (entity, label) = (links.entity.clone(), links.label.clone());
        HeldIn { entity, label, is_turned: file.is_turned }
    };
    Declared {
        reverse: link.reverse.clone(),
        has_one: link.has == Has::One,
        reverse_has_one: link.reverse_has == Has::One,
        rules: link.rules,
        of: carried.files.iter().map(held).collect(),
    }
}

/// `<entity>.<label>` where a bag allows these characters, else a number as well.
fn file_name(at: usize, found: &CarriedLinks) -> String {
    let name = format!("{}.{}", found.entity, found.label);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let safe: String = name.chars().map(plain).collect();
    if safe == name { name } else { format!("{safe}.{at}") }
}

/// One equation a link file of the snapshot. Pairs of a declared link that are taken up go on in the
/// equation of that link.
pub(super) fn equations(writing: &Writing<'_>, dropped: &Dropped) -> Vec<LinkEquation> {
    let pieces = writing.decisions.carried.iter().flat_map(|found| &found.pieces);
    let carried = pieces.map(|piece| {
        let (quarantined, dropped) = dropped.of_pairs(&piece.entity, &piece.label);
        LinkEquation {
            source: piece.entity.clone(),
            label: piece.label.clone(),
            values: piece.values,
            migrated: piece.different,
            merged: piece.there - piece.different,
            quarantined,
            dropped,
            dropped_rows: 0,
        }
    });
    let mut found: Vec<LinkEquation> = carried.collect();
    for links in &writing.snapshot.meta().links {
        let is_told =
            found.iter().any(|told| told.source == links.entity && told.label == links.label);
        if is_told {
            continue;
        }
        let plan = writing.plan;
        let mut ours = plan.before.links.iter().chain(&plan.after.links);
        // A file that no link of the model reads stays in the snapshot whole.
        let is_read = ours.any(|link| is_held(links, link));
        let (quarantined, lost) = dropped.of_pairs(&links.entity, &links.label);
        let dropped = if is_read { (quarantined + lost).min(links.rows) } else { links.rows };
        found.push(LinkEquation {
            source: links.entity.clone(),
            label: links.label.clone(),
            values: links.rows,
            migrated: links.rows - dropped,
            merged: 0,
            quarantined: 0,
            dropped,
            dropped_rows: 0,
        });
    }
    found
}
