//! The kinds of fault there are.

use super::cell::Cell;
use super::fault::Fault;
use super::ground::Ground;
use super::rows::Planted;
use super::values::{Column, On};
use super::{aside, described, letters, lines, links, listed, rows, split, tokens, values};
use crate::error::Result;
use crate::schema::Type;

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
            How::Value(on, alter) => values::plant(ground, on, &alter),
            How::Text(on, change) => {
                values::plant(ground, on, &|_, value| values::text_by(value, change))
            }
            How::Any(plant) => plant(ground),
        }
    }
}

/// Every kind of fault, in the order in which they are tried.
pub(super) fn all() -> Vec<Kind> {
    let parts = [whole_rows(), of_splits(), of_links(), of_texts(), of_figures(), of_payloads()];
    let beside = [of_existing(), of_aside(), of_lists(), of_lines(), of_description()];
    parts.into_iter().chain(beside).flatten().collect()
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
        any("the store's time of a row", rows::other_time, NO_ROW),
    ]
}

const NO_SPLIT: &str = "the contract splits no row";
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
        any("a text that is built of others", split::misbuilt, "no text is built of others"),
        any("a row dropped by rule is not listed", split::unlisted, NO_DROP),
        any("a row dropped by rule is listed twice", split::listed_twice, NO_DROP),
        any("a row dropped by another rule", split::other_rule, NO_DROP),
        any("a row dropped by rule is migrated as well", split::migrated_too, NO_DROP),
    ]
}

const NO_LINK: &str = "no migrated row has a link";
const NO_LINK_FILE: &str = "the bundle has no link file with a pair";

fn of_links() -> Vec<Kind> {
    vec![
        any("a link leads to another row", links::moved, NO_LINK),
        any("a link is left out", links::cleared, NO_LINK),
        any("a link leads to no row", links::nowhere, NO_LINK),
        any("a link in upper case", links::upper, NO_LINK),
        any("a link is made up", links::invented, "every migrated row has all its links"),
        any("a pair of a link file is left out", links::pair_dropped, NO_LINK_FILE),
        any("a pair of a link file stands there twice", links::pair_doubled, NO_LINK_FILE),
        any("a pair of a link file has another end", links::pair_moved, NO_LINK_FILE),
    ]
}

const NO_TEXT: &str = "no text of a migrated row has a place for it";

fn of_texts() -> Vec<Kind> {
    let string = On::Of(Type::String);
    vec![
        value("null for an empty text", string, values::null_for_empty, "no text is empty"),
        value("an empty text for null", string, values::empty_for_null, "no text is missing"),
        value("a text is left out", string, values::cleared, NO_TEXT),
        text("a blank at the end of a text", string, letters::trailing_blank, NO_TEXT),
        text("a letter in its other case", string, letters::other_case, NO_TEXT),
        text("a letter that looks the same", string, letters::look_alike, NO_TEXT),
        text("a character that is not seen", string, letters::unseen, NO_TEXT),
        text("a text without its last letter", string, letters::cut, NO_TEXT),
        text(
            "a composed letter of a text taken apart, or the reverse",
            string,
            letters::other_form,
            "no text has a letter that can be written in two ways",
        ),
        value("a status is another one", On::Mapped, values::other_mapped, NO_TEXT),
        value(
            "a value as if it had been missing",
            string,
            values::as_if_missing,
            "no column with a constant for missing values has another value",
        ),
        any("a value in the attribute beside its own", rows::beside, NO_TEXT),
    ]
}

const NO_DATE: &str = "no migrated row has a date";
const NO_NUMBER: &str = "no migrated row has such a number";

fn of_figures() -> Vec<Kind> {
    let (date, number, boolean) = (On::Of(Type::Date), On::Of(Type::Number), On::Of(Type::Boolean));
    vec![
        value("a date + 1 ms", date, values::later, NO_DATE),
        value("a date - 1 ms", date, values::earlier, NO_DATE),
        value("a date + 1 microsecond", date, values::hair_later, NO_DATE),
        value("a date + 1 h, as of another zone", date, values::hour_later, NO_DATE),
        value("a date is left out", date, values::cleared, NO_DATE),
        value("a date for a missing one", date, values::date_for_null, "no date is missing"),
        value("a number + 1", number, values::more, NO_NUMBER),
        value("a number - 1", number, values::less, NO_NUMBER),
        value("a number with the other sign", number, values::negated, NO_NUMBER),
        value("a number in its last bit", number, values::next_double, NO_NUMBER),
        value("a number is left out", number, values::cleared, NO_NUMBER),
        value("a boolean is the other one", boolean, values::flipped, "no boolean is there"),
        value(
            "false for a missing boolean",
            boolean,
            values::false_for_null,
            "no boolean is missing",
        ),
    ]
}

const NO_PAYLOAD: &str = "no payload of a migrated row has a place for it";

fn of_payloads() -> Vec<Kind> {
    let json = On::Of(Type::Any);
    vec![
        text(
            "a letter of a payload past the 10,000th",
            json,
            tokens::far_letter,
            "no payload of a migrated row is that long",
        ),
        text("a letter of a payload", json, tokens::last_letter, NO_PAYLOAD),
        text("members of a payload in another order", json, letters::reordered, NO_PAYLOAD),
        text("a member of a payload twice", json, letters::repeated, NO_PAYLOAD),
        text("a blank between two tokens", json, letters::inner_blank, NO_PAYLOAD),
        text("1.0 for 1 in a payload", json, tokens::other_number, "no payload has a whole number"),
        text(
            "a sign of a number in a payload",
            json,
            tokens::other_sign,
            "no payload has a number but 0",
        ),
        text(
            "the last digit of a number past 2^53",
            json,
            tokens::long_number,
            "no payload of a migrated row has such a number",
        ),
        text("a boolean in a payload", json, tokens::other_boolean, "no payload has a boolean"),
        text(
            "null for an empty text in a payload",
            json,
            tokens::null_for_empty,
            "no payload has an empty text",
        ),
        text(
            "an empty text for null in a payload",
            json,
            tokens::empty_for_null,
            "no payload has a null",
        ),
        text(
            "a character of a payload as an escape",
            json,
            tokens::escaped,
            "every payload is ASCII",
        ),
        text(
            "a composed letter of a payload taken apart, or the reverse",
            json,
            letters::other_form,
            "no payload has a letter that can be written in two ways",
        ),
        text("a payload that is cut off", json, letters::cut, NO_PAYLOAD),
        value("a payload is left out", json, values::cleared, NO_PAYLOAD),
        value(
            "an object for a missing payload",
            json,
            values::object_for_null,
            "no payload is missing",
        ),
        any("the payload of another row", rows::other_payload, NO_PAYLOAD),
    ]
}

const NO_EXISTING: &str = "no such row existed before";

fn of_existing() -> Vec<Kind> {
    vec![
        any("an existing row is left out", rows::existing_dropped, NO_EXISTING),
        any(
            "an existing row given out for a migrated one",
            rows::existing_as_migrated,
            NO_EXISTING,
        ),
        any("a value of an existing row", rows::existing_changed, NO_EXISTING),
        any("what an existing row has beside its columns", rows::existing_beside, NO_EXISTING),
        any("a link of an existing row", rows::existing_link, NO_EXISTING),
    ]
}

const NO_QUARANTINE: &str = "no such row is in quarantine";
const NO_MERGED: &str = "no row was merged into another";
const NO_ADOPTED: &str = "no row stands on an existing one";

fn of_aside() -> Vec<Kind> {
    vec![
        any("a quarantined row is left out", aside::dropped, NO_QUARANTINE),
        any("a quarantined row stands there twice", aside::doubled, NO_QUARANTINE),
        any("a quarantined row is migrated as well", aside::migrated_too, NO_QUARANTINE),
        any("a value of a quarantined row", aside::changed, NO_QUARANTINE),
        any("a quarantined row without a reason", aside::no_reason, NO_QUARANTINE),
        any("a cause that is no quarantined row", aside::other_cause, NO_QUARANTINE),
        any("a cause that is another quarantined row", aside::wrong_cause, NO_QUARANTINE),
        any("a line of the quarantine", aside::line, NO_QUARANTINE),
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
        any("a mapped id is left out of the list", listed::id_dropped, NO_MAPPED),
        any("a mapped id is listed as another", listed::id_otherwise, NO_MAPPED),
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
    vec![
        any("an equation that does not add up", described::equation, NO_FIGURE),
        any("an equation that adds up otherwise", described::shifted, NO_FIGURE),
        any("the count of adopted rows", described::adopted, NO_FIGURE),
        any("the count of migrated rows", described::table, NO_FIGURE),
        any("the count of existing rows", described::existing, NO_FIGURE),
        any("the equation of a link", described::link, NO_FIGURE),
        any("the equation of a link of the rest of the app", described::carried, NO_FIGURE),
        any("the count of a repair", described::repairs, NO_FIGURE),
        any("the count of quarantined rows", described::quarantined, NO_FIGURE),
        any("the count of rows dropped by rule", described::dropped, NO_FIGURE),
        any("the count of results of split rows", described::split, NO_FIGURE),
        any("the count of values without a home", described::homeless, NO_FIGURE),
        any("the count of mapped ids", described::mapped, NO_FIGURE),
        any("the digest of the snapshot", described::snapshot, NO_FIGURE),
        any("the digest of the contract", described::contract, NO_FIGURE),
        any("the digest of a table", described::digest, NO_FIGURE),
        any("the digest of a link file", described::link_digest, NO_FIGURE),
    ]
}
