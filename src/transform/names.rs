//! Names of the columns in the working files of a transform.

/// `Int64`: the row of the snapshot's table.
pub const ROW: &str = "_row";
/// The row's own id: UUIDs in lower case, any other text as it stands.
pub const ID: &str = "id";
/// In a link file, whether a pair joins a legacy row ([`MIGRATED`]) or only rows that were there
/// before ([`EXISTING`]).
pub const ORIGIN: &str = "_origin";
/// Made from a legacy row.
pub const MIGRATED: &str = "migrated";
/// Was in the app before.
pub const EXISTING: &str = "existing";
/// Epoch milliseconds.
pub const SERVER: &str = "_server_created_at";
/// Logical digest of the legacy row.
pub const DIGEST: &str = "_digest";
/// `Int32`: an [`crate::transform::Outcome`].
pub const OUTCOME: &str = "outcome";
/// `Int32`, nullable: place among [`crate::transform::Plan::rejects`].
pub const REJECT: &str = "reject";
/// `String`, nullable: `<entity>:<id>` of the row whose refusal led here.
pub const CAUSE: &str = "cause";
/// `Int64`, nullable: the legacy row that stands for this one.
pub const WINNER: &str = "winner";
/// `String`, nullable: target entity whose existing row stands for this one.
pub const WINNER_IN: &str = "winner_in";

/// `Int32`: the place of a row's case, or why it has none: see [`crate::transform::explode`].
pub const CASE: &str = "case";
/// `Int32`: how many target rows the legacy row becomes.
pub const RESULTS: &str = "results";
/// `Int32`: which of the target rows of its legacy row a line is about, from 0.
pub const NTH: &str = "nth";
/// `Int64`: the place of a line in its file, where a legacy row has several.
pub const LINE: &str = "line";

/// A legacy attribute that target rows are numbered by.
pub fn number(attr: &str) -> String {
    if attr == "id" { ID.to_owned() } else { format!("number:{attr}") }
}

/// The raw id a legacy link names.
pub fn link(label: &str) -> String {
    format!("link:{label}")
}

/// The raw id that a `ref` value is, where its target id is another text.
pub fn refers(target: &str, attr: &str) -> String {
    format!("ref:{target}.{attr}")
}

/// Why a link leads to no row of the target: the row it names was set aside.
pub const QUARANTINED: &str = "the row it names was quarantined";
/// The source has no row of that id.
pub const NOWHERE: &str = "the row it names is not in the source";
/// A rule of the contract makes no target row of it.
pub const BY_RULE: &str = "a rule drops the row it names";
/// The link that counts names another row.
pub const OTHER_PLACE: &str = "another place names another row";

/// A target attribute, link or id.
pub fn value(target: &str, attr: &str) -> String {
    format!("{target}.{attr}")
}

/// The text that the id of a target row was mapped from, where that may be another than the row's own id.
pub fn id_text(target: &str) -> String {
    format!("{target}.id:text")
}

/// Which place of its rule a value came from; 0 is the first.
pub fn how(target: &str, attr: &str) -> String {
    format!("{target}.{attr}:how")
}

/// What the mapping of values did to it; 0 is a listed value.
pub fn mapped(target: &str, attr: &str) -> String {
    format!("{target}.{attr}:mapped")
}
