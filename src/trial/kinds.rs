//! The kinds of fault there are.

mod values;

use super::cell::Cell;
use super::fault::Fault;
use super::ground::Ground;
use super::rows::Planted;
use super::values::{Column, On, text_by};
use super::{aside, described, existing, lines, links, listed, notes, refs, rows, split, unfit};
use crate::error::Result;

/// A kind of fault.
pub(super) struct Kind {
    /// What is done.
    pub(super) name: &'static str,
    how: How,
    /// What the data lacks where the fault has no place.
    pub(super) lack: &'static str,
}

enum How {
    /// One value of a migrated row is another.
    Value(On, fn(&Column<'_>, &Cell<'_>) -> Option<Cell<'static>>),
    /// One text of a migrated row is another.
    Text(On, fn(&str) -> Option<String>),
    /// Anything else.
    Any(fn(&Ground<'_>) -> Planted),
}

impl Kind {
    /// Finds a place for the fault.
    pub(super) fn plant(&self, ground: &Ground<'_>) -> Result<Option<Fault>> {
        match self.how {
            How::Value(on, alter) => super::values::plant(ground, on, &alter),
            How::Text(on, change) => {
                let alter = |_: &Column<'_>, value: &Cell<'_>| text_by(value, change);
                super::values::plant(ground, on, &alter)
            }
            How::Any(plant) => plant(ground),
        }
    }
}

/// Every kind of fault, in the order in which they are tried.
pub(super) fn all() -> Vec<Kind> {
    let parts = [whole_rows(), of_splits(), of_links()];
    let values =
        [values::of_texts(), values::of_figures(), values::of_payloads(), values::of_tokens()];
    let beside = [of_existing(), of_aside(), of_lists(), of_notes(), of_lines(), of_description()];
    parts.into_iter().chain(values).chain(beside).flatten().collect()
}

fn any(name: &'static str, how: fn(&Ground<'_>) -> Planted, lack: &'static str) -> Kind {
    Kind { name, how: How::Any(how), lack }
}

fn value(
    name: &'static str,
    on: On,
    alter: fn(&Column<'_>, &Cell<'_>) -> Option<Cell<'static>>,
    lack: &'static str,
) -> Kind {
    Kind { name, how: How::Value(on, alter), lack }
}

fn text(
    name: &'static str,
    on: On,
    change: fn(&str) -> Option<String>,
    lack: &'static str,
) -> Kind {
    Kind { name, how: How::Text(on, change), lack }
}

const NO_ROW: &str = "no table has a migrated row";
const NO_PAIR: &str = "no table has two such rows next to each other";

fn whole_rows() -> Vec<Kind> {
    vec![
        any("a row is left out", rows::dropped, NO_ROW),
        any("a row stands there twice", rows::doubled, NO_ROW),
        any("a row from elsewhere", rows::foreign, NO_ROW),
        any("a second row of one source row", rows::twin, NO_ROW),
        any("two rows stand in each other's place", rows::swapped, NO_PAIR),
        any("two rows of one time stand in each other's place", rows::swapped_alike, NO_PAIR),
        any("a migrated row given out for an existing one", rows::as_existing, NO_ROW),
        any("an id that no rule gives", rows::other_id, NO_ROW),
        any("an id in upper case", rows::upper_id, "no id has a letter"),
        any("two rows have each other's id", rows::exchanged_ids, NO_PAIR),
        any("two rows have each other's source row", rows::exchanged_sources, NO_PAIR),
        any("a row has its neighbour's source row", rows::other_source, NO_PAIR),
        any("two rows are shown in each other's place", rows::shown_elsewhere, NO_PAIR),
        any("the store's time of a row", rows::other_time, NO_ROW),
    ]
}

const NO_SPLIT: &str = "the contract splits no row";
const NO_BUILT: &str = "no value is built of an object all of which must be kept";
const NO_DROP: &str = "no rule drops a row";

fn of_splits() -> Vec<Kind> {
    vec![
        any("a second result of a split row is left out", split::result_dropped, NO_SPLIT),
        any("two results of a split row have each other's id", split::results_swapped, NO_SPLIT),
        any(
            "a number that the contract gives, + 1",
            split::misnumbered,
            "nothing is numbered anew",
        ),
        any("a built value is emptied of its content", split::emptied, NO_BUILT),
        any("a text that is built of others", split::misbuilt, "no text is built of others"),
        any("a row dropped by rule is not listed", split::unlisted, NO_DROP),
        any("a row dropped by rule is listed twice", split::listed_twice, NO_DROP),
        any("a row dropped by another rule", split::other_rule, NO_DROP),
        any("a row dropped by rule is migrated as well", split::migrated_too, NO_DROP),
    ]
}

const NO_LINK: &str = "no migrated row has a link";
const NO_REF: &str = "no attribute holds the id of another row";
const NO_LOST_REF: &str = "every id of another row leads to one";
const NO_LINK_FILE: &str = "the bundle has no link file with a pair";

fn of_links() -> Vec<Kind> {
    vec![
        any("a link leads to another row", links::moved, NO_LINK),
        any("a link is left out", links::cleared, NO_LINK),
        any("a link leads to no row", links::nowhere, NO_LINK),
        any("a link in upper case", links::upper, NO_LINK),
        any("a link is made up", links::invented, "every migrated row has all its links"),
        any(
            "a link that one row may hold is another's",
            links::rival,
            "no link is for one row alone",
        ),
        any(
            "a link that was found over another row leads elsewhere",
            refs::hop_moved,
            "no link was found over another row",
        ),
        any("an id of another row becomes that of a third", refs::moved, NO_REF),
        any("an id that leads to no row is not listed", refs::unlisted, NO_LOST_REF),
        any("an id that leads to a row is listed as lost", refs::listed_though_there, NO_LOST_REF),
        any(
            "an id in another place of a link is not listed",
            refs::place_unlisted,
            "no two places of a link differ",
        ),
        any("a lost link is told for another reason", refs::other_reason, "no link is lost"),
        any("a pair of a link file is left out", links::pair_dropped, NO_LINK_FILE),
        any("a pair of a link file stands there twice", links::pair_doubled, NO_LINK_FILE),
        any("a pair of a link file has another end", links::pair_moved, NO_LINK_FILE),
    ]
}

const NO_EXISTING: &str = "no such row existed before";

fn of_existing() -> Vec<Kind> {
    vec![
        any("an existing row is left out", existing::dropped, NO_EXISTING),
        any("an existing row given out for a migrated one", existing::as_migrated, NO_EXISTING),
        any("a value of an existing row", existing::changed, NO_EXISTING),
        any("what an existing row has beside its columns", existing::beside, NO_EXISTING),
        any("a link of an existing row", existing::link, NO_EXISTING),
    ]
}

const NO_QUARANTINE: &str = "no such row is in quarantine";
const NO_UNFIT: &str = "the contract sets no row aside for its text";
const NO_MERGED: &str = "no row was merged into another";
const NO_ADOPTED: &str = "no row stands on an existing one";

fn of_aside() -> Vec<Kind> {
    vec![
        any("a text with a NUL character", unfit::nul, NO_UNFIT),
        any("half of a surrogate pair in a payload", unfit::half, NO_UNFIT),
        any("a row set aside for its text has another", unfit::fit, NO_UNFIT),
        any("a quarantined row is left out", aside::dropped, NO_QUARANTINE),
        any("a quarantined row stands there twice", aside::doubled, NO_QUARANTINE),
        any("a quarantined row is migrated as well", aside::migrated_too, NO_QUARANTINE),
        any("a value of a quarantined row", aside::changed, NO_QUARANTINE),
        any("a quarantined row without a reason", aside::no_reason, NO_QUARANTINE),
        any("a cause that is no quarantined row", aside::other_cause, NO_QUARANTINE),
        any("a cause that is another quarantined row", aside::wrong_cause, NO_QUARANTINE),
        any("a line of the quarantine", aside::line, NO_QUARANTINE),
        any("another of two rows in conflict is kept", aside::other_kept, "no rows share an id"),
        any("another winner of a merged row", aside::other_winner, NO_MERGED),
        any("a merged row is left out", aside::merged_dropped, NO_MERGED),
        any("an adopted row is left out", aside::adopted_dropped, NO_ADOPTED),
        any("an adopted row on another existing one", aside::adopted_elsewhere, NO_ADOPTED),
        any("a lost link that is not listed", links::lost_dropped, "no link lost its other end"),
        any(
            "a link that is listed as lost and is not",
            links::lost_invented,
            "no link lost its other end",
        ),
    ]
}

fn of_lists() -> Vec<Kind> {
    const NO_REPAIR: &str = "there was no repair";
    const NO_MAPPED: &str = "every id is a UUID and was kept";
    vec![
        any("a repair is left out", listed::repair_dropped, NO_REPAIR),
        any("a repair is made up", listed::repair_invented, NO_REPAIR),
        any("a repair is told as another", listed::repair_otherwise, NO_REPAIR),
        any("another spelling of a link is told as a repair", refs::spelling_repaired, NO_REPAIR),
        any("a derived id is told as a repair", refs::id_repaired, NO_REPAIR),
        any("a mapped id is left out of the list", listed::id_dropped, NO_MAPPED),
        any("a mapped id is listed as another", listed::id_otherwise, NO_MAPPED),
    ]
}

fn of_notes() -> Vec<Kind> {
    const NO_NOTE: &str = "the contract notes no such thing, or no row has a place for it";
    vec![
        any("a value is left out that the contract notes", notes::null, NO_NOTE),
        any("a payload is a text, which the contract notes", notes::as_text, NO_NOTE),
        any(
            "a text is not the one built of its row, which the contract notes",
            notes::unlike,
            NO_NOTE,
        ),
        any("a row shares values with another, which the contract notes", notes::shared, NO_NOTE),
        any(
            "a link leads elsewhere than another, which the contract notes",
            notes::differ,
            NO_NOTE,
        ),
        any("a value is listed that no mapping lists", notes::unlisted, "there was no repair"),
    ]
}

fn of_lines() -> Vec<Kind> {
    const NO_LINE: &str = "no table has two lines";
    vec![
        any("a letter of a line", lines::changed, NO_LINE),
        any("the time of a row in its line", lines::other_time, NO_LINE),
        any("two lines in each other's place", lines::swapped, NO_LINE),
        any("a line is left out", lines::dropped, NO_LINE),
        any("a line stands there twice", lines::doubled, NO_LINE),
    ]
}

fn of_description() -> Vec<Kind> {
    const NO_FIGURE: &str = "bundle.json has no such figure";
    const NO_LEFT: &str = "nothing is left behind";
    vec![
        any("an equation that does not add up", described::equation, NO_FIGURE),
        any("an equation that adds up otherwise", described::shifted, NO_FIGURE),
        any("the count of adopted rows", described::adopted, NO_FIGURE),
        any("the count of migrated rows", described::table, NO_FIGURE),
        any("the count of existing rows", described::existing, NO_FIGURE),
        any("the equation of a link", described::link, NO_FIGURE),
        any("the equation of a link of the rest of the app", described::carried, NO_FIGURE),
        any("the count of values that lead to no row", described::lost, NO_FIGURE),
        any("the equation of ids of other rows", described::refs, NO_FIGURE),
        any("what a carried link demands", described::demands, NO_FIGURE),
        any("the direction of a carried link", described::direction, NO_FIGURE),
        any("the count of rows that are only links", described::only_links, NO_FIGURE),
        any(
            "the count of existing rows that are only links",
            described::existing_only_links,
            NO_FIGURE,
        ),
        any("the count of a repair", described::repairs, NO_FIGURE),
        any("the count of quarantined rows", described::quarantined, NO_FIGURE),
        any("the count of rows dropped by rule", described::dropped, NO_FIGURE),
        any("the count of results of split rows", described::split, NO_FIGURE),
        any("the count of values without a home", described::homeless, NO_FIGURE),
        any("the count of mapped ids", described::mapped, NO_FIGURE),
        any("something left behind is not named", described::left_out, NO_LEFT),
        any("the count of something left behind", described::left_count, NO_LEFT),
        any("a place of something left behind", described::left_place, NO_LEFT),
        any("something left behind is made up", described::left_more, NO_FIGURE),
        any(
            "a link file that is not listed",
            described::link_file,
            "the bundle has no link file, or the contract lets links be left behind",
        ),
        any("the digest of the snapshot", described::snapshot, NO_FIGURE),
        any("the digest of the contract", described::contract, NO_FIGURE),
        any("the digest of a table", described::digest, NO_FIGURE),
        any("the digest of a link file", described::link_digest, NO_FIGURE),
    ]
}
