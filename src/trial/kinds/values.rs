//! The kinds of fault that are another value of a migrated row.

use super::{Kind, any, text, value};
use crate::schema::Type;
use crate::trial::values::On;
use crate::trial::{letters, rows, tokens, values};

const NO_TEXT: &str = "no text of a migrated row has a place for it";

/// Texts.
pub(super) fn of_texts() -> Vec<Kind> {
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

/// Dates, numbers and booleans.
pub(super) fn of_figures() -> Vec<Kind> {
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

/// Payloads.
pub(super) fn of_payloads() -> Vec<Kind> {
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
    ]
}

/// Payloads in one token.
pub(super) fn of_tokens() -> Vec<Kind> {
    let json = On::Of(Type::Any);
    vec![
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
