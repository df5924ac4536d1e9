//! What was set aside: quarantined, merged and adopted rows that are lost, invented or changed.

use super::cell::{Cell, Row, Seen, text};
use super::fault::{Changes, Fault, Told, numbered, short};
use super::ground::Ground;
use super::rows::{Planted, strange_id};
use super::table::Table;
use super::tokens;
use crate::bundle::{Origin, Quarantine};
use crate::error::Result;
use crate::schema::Type;

/// A row of a side file, and the legacy entity it is of.
pub(super) struct Side<'a> {
    entity: &'a str,
    table: Table,
    at: usize,
    pub(super) row: Row,
}

/// A row of one of the side files of a kind (`quarantine`, `merged`, `adopted`, `dropped`).
pub(super) fn side<'a>(
    ground: &Ground<'a>,
    kind: &str,
    columns: &[&str],
    holds: &dyn Fn(Seen<'_>) -> bool,
) -> Result<Option<Side<'a>>> {
    for entity in ground.legacy() {
        let file = format!("data/{kind}/{entity}.parquet");
        let Some(table) = Table::open(ground.root(), &file)? else { continue };
        let columns = [&["_row"], columns].concat();
        let start = ground.start(table.rows);
        let at = table.find(&columns, start, &mut |row| holds(row).then_some(row.number))?;
        if let Some(at) = at {
            let row = table.row(at)?;
            return Ok(Some(Side { entity, table, at, row }));
        }
    }
    Ok(None)
}

impl Side<'_> {
    fn source(&self) -> i64 {
        self.row.at(0).whole("_row").unwrap_or(-1)
    }

    /// The fault of these rows in place of the one, which verification calls by its place in the source.
    pub(super) fn becomes(&self, rows: Vec<Row>) -> Fault {
        let name = numbered(self.entity, self.source());
        Fault {
            changes: Changes::default().put(&self.table.file, self.at, rows),
            place: format!(
                "{} row {} ({} row {})",
                self.table.file,
                self.at,
                self.entity,
                self.source()
            ),
            told: Told::Row(vec![name]),
        }
    }

    /// The fault of another value in one column.
    pub(super) fn value(&self, column: &str, value: &Cell<'_>) -> Planted {
        let fault = self.becomes(vec![self.row.with(column, value)?]);
        Ok(Some(Fault { place: format!("{}, `{column}`", fault.place), ..fault }))
    }
}

/// A quarantined row is left out.
pub(super) fn dropped(ground: &Ground<'_>) -> Planted {
    let found = side(ground, "quarantine", &[], &|_| true)?;
    Ok(found.map(|side| side.becomes(Vec::new())))
}

/// A quarantined row stands there twice.
pub(super) fn doubled(ground: &Ground<'_>) -> Planted {
    let found = side(ground, "quarantine", &[], &|_| true)?;
    Ok(found.map(|side| side.becomes(vec![side.row.clone(), side.row.clone()])))
}

/// A quarantined row was migrated as well.
pub(super) fn migrated_too(ground: &Ground<'_>) -> Planted {
    as_well(ground, "quarantine")
}

/// A row that was set aside in this way was migrated as well.
pub(super) fn as_well(ground: &Ground<'_>, kind: &str) -> Planted {
    for target in ground.targets()? {
        let source = &target.transform.source;
        let file = format!("data/{kind}/{source}.parquet");
        let Some(refused) = Table::open(ground.root(), &file)? else { continue };
        let refused = refused.row(ground.start(refused.rows))?;
        let number = refused.at(0).whole("_row").unwrap_or(-1);
        let start = ground.start(target.table.rows);
        let Some((at, row)) = target.pick(start, &[], &mut |_| true)? else { continue };
        let new = row.with("id", &text(strange_id("migrated")))?;
        let new = new.with(Origin::SOURCE_ROW, &Cell::Whole(number))?;
        let place = format!("{} row {} ({source} row {number})", target.entity(), at + 1);
        let fault = target.fault(place, vec![(at, vec![row, new])]);
        let told = Told::Row(vec![numbered(source, number), strange_id("migrated")]);
        return Ok(Some(Fault { told, ..fault }));
    }
    Ok(None)
}

/// A value of a quarantined row is another.
pub(super) fn changed(ground: &Ground<'_>) -> Planted {
    for entity in ground.legacy() {
        let attrs = ground.contract.before.schema.entity(entity);
        let attrs = attrs.map_or(&[][..], |entity| &entity.attrs);
        for attr in attrs.iter().filter(|attr| matches!(attr.ty, Type::String | Type::Any)) {
            let name = attr.name.as_str();
            let is_text = |row: Seen<'_>| row.text(name).is_some();
            let Some(side) = side(ground, "quarantine", &[name], &is_text)? else { continue };
            let value = side.row.at(0).text(name).unwrap_or_default();
            return side.value(name, &text(format!("{value} ")));
        }
    }
    Ok(None)
}

/// A quarantined row has no reason.
pub(super) fn no_reason(ground: &Ground<'_>) -> Planted {
    let found = side(ground, "quarantine", &[], &|_| true)?;
    found.map_or(Ok(None), |side| side.value(Quarantine::REASON, &text("")))
}

/// Of two rows in conflict the other one is kept: it is the source of the target row, and the one that
/// was kept is in quarantine.
pub(super) fn other_kept(ground: &Ground<'_>) -> Planted {
    for target in ground.targets()? {
        let rule = format!("{}.id unique", target.entity());
        let is_it =
            |row: Seen<'_>| row.text(Quarantine::RULE) == Some(&rule) && row.text("id").is_some();
        let found = side(ground, "quarantine", &[Quarantine::RULE, "id"], &is_it)?;
        let Some(side) = found else { continue };
        let id = side.row.at(0).text("id").unwrap_or_default().to_ascii_lowercase();
        let has_id = &mut |row: Seen<'_>| row.text("id") == Some(&id);
        let Some((at, kept)) = target.pick(0, &[], has_id)? else { continue };
        let (now, source) = (kept.at(at).whole(Origin::SOURCE_ROW).unwrap_or(-1), side.source());
        let instead = kept.with(Origin::SOURCE_ROW, &Cell::Whole(source))?;
        let aside = side.becomes(vec![side.row.with("_row", &Cell::Whole(now))?]);
        let names = [now, source].map(|row| numbered(side.entity, row)).into_iter();
        let names = names.chain(target.names(kept.at(at))).collect();
        let changes = aside.changes.put(&target.table.file, at, vec![instead]);
        return Ok(Some(Fault { changes, place: aside.place, told: Told::Row(names) }));
    }
    Ok(None)
}

/// A row in quarantine because of another names a row that is in none.
pub(super) fn other_cause(ground: &Ground<'_>) -> Planted {
    let has_cause = |row: Seen<'_>| row.text(Quarantine::CAUSE).is_some();
    let found = side(ground, "quarantine", &[Quarantine::CAUSE], &has_cause)?;
    let Some(side) = found else { return Ok(None) };
    let cause = side.row.at(0).text(Quarantine::CAUSE).unwrap_or_default();
    let entity = cause.split_once(':').map_or("", |(entity, _)| entity);
    let other = format!("{entity}:{}", strange_id("cause"));
    side.value(Quarantine::CAUSE, &text(other))
}

/// A row in quarantine because of another names another one that is there too.
pub(super) fn wrong_cause(ground: &Ground<'_>) -> Planted {
    let has_cause = |row: Seen<'_>| row.text(Quarantine::CAUSE).is_some();
    let found = side(ground, "quarantine", &[Quarantine::CAUSE], &has_cause)?;
    let Some(side) = found else { return Ok(None) };
    let cause = side.row.at(0).text(Quarantine::CAUSE).unwrap_or_default();
    let Some((entity, id)) = cause.split_once(':') else { return Ok(None) };
    let file = format!("data/quarantine/{entity}.parquet");
    let Some(table) = Table::open(ground.root(), &file)? else { return Ok(None) };
    let other = table.find(&["id"], ground.start(table.rows), &mut |row| {
        row.text("id").filter(|other| *other != id).map(str::to_owned)
    })?;
    other
        .map_or(Ok(None), |other| side.value(Quarantine::CAUSE, &text(format!("{entity}:{other}"))))
}

/// A line of the quarantine says something else than its row.
pub(super) fn line(ground: &Ground<'_>) -> Planted {
    let Some(side) = side(ground, "quarantine", &[], &|_| true)? else { return Ok(None) };
    let file = format!("data/quarantine/{}.jsonl", side.entity);
    let line = super::edit::line(&ground.bundle.path(&file), side.at)?;
    let line = String::from_utf8(line).ok().and_then(|line| tokens::last_letter(&line));
    let place = format!("{file} line {} ({} row {})", side.at + 1, side.entity, side.source());
    Ok(line.map(|line| Fault {
        changes: Changes::default().put_lines(&file, side.at, vec![line.into_bytes()]),
        place,
        told: Told::Line(vec![numbered(side.entity, side.source())]),
    }))
}

/// Another row stands for a merged one.
pub(super) fn other_winner(ground: &Ground<'_>) -> Planted {
    const WINNER: &str = "_winner_row";
    let is_won = |row: Seen<'_>| row.whole(WINNER).is_some();
    let Some(side) = side(ground, "merged", &[WINNER], &is_won)? else { return Ok(None) };
    let winner = side.row.at(0).whole(WINNER).unwrap_or_default();
    let other = if winner == 0 { 1 } else { winner - 1 };
    side.value(WINNER, &Cell::Whole(other))
}

/// A merged row is left out.
pub(super) fn merged_dropped(ground: &Ground<'_>) -> Planted {
    Ok(side(ground, "merged", &[], &|_| true)?.map(|side| side.becomes(Vec::new())))
}

/// A row that stands on an existing one is left out.
pub(super) fn adopted_dropped(ground: &Ground<'_>) -> Planted {
    Ok(side(ground, "adopted", &[], &|_| true)?.map(|side| side.becomes(Vec::new())))
}

/// A row that stands on an existing one is said to stand on another.
pub(super) fn adopted_elsewhere(ground: &Ground<'_>) -> Planted {
    let Some(side) = side(ground, "adopted", &[], &|_| true)? else { return Ok(None) };
    let (now, entity) = (side.row.at(0).text("id"), side.row.at(0).text("entity"));
    let other =
        super::links::other_end(ground, entity.unwrap_or_default(), now.unwrap_or_default());
    other?.map_or(Ok(None), |id| side.value("id", &text(short(&id))))
}
