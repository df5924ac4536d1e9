//! The *Before/After Migration Contract* as plain data.
//!
//! Everything the program knows about a migration stands in here: which entities there are before
//! and after, which rule fills which attribute and link, what happens to duplicates, what is
//! verified and when a bundle may go live. The rules are engine-neutral: they name columns, joins,
//! orders and rejects, and no stage that runs them may give them another meaning.
//!
//! A contract is read by [`load`] (parse with positions, fill the blanks, check) and then never
//! changes.

mod misfit;
mod tree;
mod fields;
mod release;
mod blanks;
mod parse;
mod model;
mod names;
mod sections;
mod transforms;
mod picks;
mod attrs;
mod links;
mod split;
mod builds;
mod answers;
mod cases;
mod splits;
mod written;
mod orders;
mod permissions;
mod taken;
mod note;
mod notes;
mod decisions;
mod check;
mod show;
mod diff;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::schema::{Attr, Schema, Type};

pub use blanks::{blanks, init, purposes};
pub(crate) use blanks::{toml_key, toml_text};
pub use decisions::DecisionOrder;
pub use diff::{Change, diff, diff_text};
pub use note::{Note, NoteColumn, NoteWhat};
pub use orders::{ID_DIGITS, OrderKey};
pub use parse::load;
pub use release::Overrides;
pub use show::show;
pub(crate) use show::{
    attr_rule as attr_words, id as id_words, link_rule as link_words, typed,
    verified as check_words, words::case_head as case_words, words::explode as explode_words,
    words::limit as limit_words, words::noted as noted_words, words::numbering as numbering_words,
};
pub use split::{Build, Case, Demand, Explode, MustBe, Numbering, Path, Pattern, Unlisted, When};

/// The built-in contract that counts where none is named, as text.
pub const BUILT_IN: &str = include_str!("contract/story-to-thread.toml");

/// The built-in contracts by name; the first counts where none is named.
pub const BUILT_INS: [(&str, &str); 2] = [
    ("story-to-thread", BUILT_IN),
    ("story-to-events", include_str!("contract/story-to-events.toml")),
];

/// A checked contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its name.
    pub name: String,
    /// Version of the file format it is written in.
    pub format: u32,
    /// Section 1: what is released.
    pub release: Release,
    /// Section 2: the legacy model.
    pub before: Side,
    /// Section 3: the target model.
    pub after: Side,
    /// Section 3: permission rules of target entities, where they are not those of the entities that
    /// their rows come from: InstantDB's own form, `{allow, bind, fields}`.
    pub rules: Vec<(String, Map<String, Value>)>,
    /// Namespace text of derived ids: `uuid5(uuid5(NAMESPACE_URL, namespace), "<entity>:<key>")`.
    pub namespace: String,
    /// Section 4: the transforms, in order.
    pub transforms: Vec<Transform>,
    /// Rows that share what the target wants unique.
    pub duplicates: Duplicates,
    /// What the contract does not name.
    pub unmapped: Unmapped,
    /// Section 5: the rules that are written, beside those that are derived.
    pub checks: Vec<Check>,
    /// Section 5: what is counted and shown, and stops nothing.
    pub notes: Vec<Note>,
    /// Section 6: rollout and safety.
    pub rollout: Rollout,
    /// Section 6: what becomes of rows with values that not every store holds.
    pub unfit: Unfit,
    /// Section 7: language and reason.
    pub implementation: Implementation,
    /// The file as it was written, with what overrides changed appended as `[[override]]` tables:
    /// what the bundle keeps. Read again without overrides, it gives this contract again.
    pub text: String,
}

/// Section 1 of a contract. A blank is an empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The version that is left.
    pub from: String,
    /// The version that is adopted.
    pub to: String,
    /// What the migration covers.
    pub scope: String,
}

/// Section 2 or 3: one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Runtime entry points.
    pub entrypoints: Vec<String>,
    /// Interfaces in use.
    pub apis: Vec<String>,
    /// Entities and links.
    pub schema: Schema,
}

/// How the rows of one legacy entity become rows of one target entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Transform {
    /// The target entity.
    pub target: String,
    /// The legacy entity.
    pub source: String,
    /// Where the id comes from.
    pub id: IdRule,
    /// Target attributes (unique ones) by which an existing row stands in for a new one.
    pub adopt: Vec<String>,
    /// Global order of the target's rows: target attributes, or `id`, which is the one that a row has in
    /// the source. Ties go by that too.
    pub order: Vec<String>,
    /// The attribute (or `id`) that makes a repeated import harmless.
    pub idempotency: String,
    /// Rules of the attributes, in the order of the target entity's declaration.
    pub attrs: Vec<AttrRule>,
    /// Rules of the links, in the order of the target model's declaration.
    pub links: Vec<LinkRule>,
    /// A legacy row becomes the target rows of its case; `None` where each becomes one.
    pub explode: Option<Explode>,
    /// The target rows are numbered anew.
    pub number: Option<Numbering>,
    /// Legacy attributes without a home: their values are counted and stay in the snapshot.
    pub drop: Vec<String>,
}

/// Where the id of a target row comes from.
///
/// A UUID is kept (in lower case). Any other id is mapped: `uuid5(ns, "<target>:<id>")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRule {
    /// Tried in order: `id`, an attribute, or the label of a has-one link (then the id of an
    /// existing row of the target entity, which is *adopted*).
    pub from: Vec<String>,
    /// Else `uuid5(ns, "<target>:<values of these source columns joined by ':'>")`. `id` is the
    /// row's own id; a link label or an attribute is its text.
    pub derive: Option<Vec<String>>,
}

impl IdRule {
    /// Whether a row that has an id of its own always gets that one, kept or mapped.
    pub fn is_own(&self) -> bool {
        self.from.first().is_some_and(|from| from == "id")
    }
}

/// One place a value may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// A column of the source row (`id` included).
    Attr(String),
    /// A JSON path into a column of type `any`: object keys. Yields text, a whole number or a
    /// boolean out of strict JSON with unique keys; anything else is absent.
    Path {
        /// The column.
        attr: String,
        /// The keys, outermost first.
        keys: Vec<String>,
    },
    /// The row time the exporter knows (`$server`): the creation time of the row in the store.
    Server,
    /// `link.attr`: over a resolved legacy link to the linked row's attribute; `link.id` is the
    /// linked row's *target* id, `link.label` the target id its own link points to.
    Linked {
        /// Label of a has-one link of the source entity.
        link: String,
        /// Attribute, `id`, or label of a has-one link of the linked entity.
        attr: String,
    },
}

/// How one target attribute is filled.
#[derive(Debug, Clone, PartialEq)]
pub struct AttrRule {
    /// The target attribute.
    pub attr: String,
    /// Always this text built from the row, once it is numbered; then nothing else stands in the
    /// rule, and it is no repair.
    pub built: Option<Template>,
    /// Tried in order; the first present value counts. Any but the first is a repair.
    pub from: Vec<Pick>,
    /// Else a text built from the row (`{column}` stands for a column or a `link.id`): a repair.
    pub template: Option<Template>,
    /// Else this constant: a repair.
    pub missing: Option<Constant>,
    /// What the present values become.
    pub values: Option<Values>,
    /// The value is the id of a row of this legacy entity: it is mapped as that row's id is. Of
    /// several places the first whose row is there counts (see [`DecisionOrder`]); where none is, the
    /// first that gives an id.
    pub refers: Option<String>,
}

impl AttrRule {
    /// Whether what a place gives stays the id of a row of a legacy entity.
    pub fn is_ref(&self) -> bool {
        self.refers.is_some() && self.values.is_none()
    }

    /// Whether the rule fills a text that no two rows of the target share: in such a key blanks alone
    /// are no value.
    pub fn is_key(&self, attr: &Attr) -> bool {
        attr.unique && attr.ty == Type::String && self.refers.is_none()
    }
}

/// A text with `{name}` places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Literal texts and names in turn.
    pub pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// The *target* attribute of this name, as resolved in the same row.
    Attr(String),
}

/// A constant of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// A mapping of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// From legacy to target value, in the order written.
    pub map: Vec<(String, String)>,
    /// Whether legacy values are compared without regard to ASCII case. A value that only matches
    /// that way is a repair.
    pub fold_case: bool,
    /// What becomes of a value that is not listed.
    pub otherwise: Otherwise,
}

/// What becomes of a value that `values` does not list.
#[derive(Debug, Clone, PartialEq)]
pub enum Otherwise {
    /// It stays as it is, counted as a repair.
    Keep,
    /// The row is quarantined.
    Quarantine,
    /// It becomes this value, counted as a repair.
    Value(Constant),
}

/// How one has-one target link is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRule {
    /// Its label on the target entity.
    pub label: String,
    /// How it is found.
    pub how: LinkHow,
    /// Whether a row without it may be migrated.
    pub required: Required,
}

/// How a target link is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkHow {
    /// Tried in order, then the latest row: the first that names a row of the source counts, even
    /// when that row was refused. Any but the first is a repair.
    From {
        /// The places.
        picks: Vec<LinkPick>,
        /// Else the latest row that links here.
        latest: Option<Latest>,
    },
    /// The row that the same source row became in this target entity.
    SameRow {
        /// The other target entity.
        target: String,
    },
    /// Over another link of this target row to that row's own link.
    Via {
        /// Label of a link of this target entity.
        link: String,
        /// Label of a link of the entity it leads to.
        take: String,
    },
}

/// One place a link may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkPick {
    /// A has-one legacy link of the source entity, by label, from whichever side holds it.
    Link(String),
    /// Over another legacy row to the row that its own has-one link names in the source, whatever
    /// became of that other row. Of several such rows the migrated ones count, if any is; where they
    /// name different rows, none is named.
    Over {
        /// The way to the other row.
        by: Hop,
        /// The label of a has-one link of it.
        take: String,
    },
    /// The legacy row whose link of this label points here; of several, the first in the declared
    /// order ([`Contract::declared_order`]).
    Reverse {
        /// The legacy entity that holds the link.
        entity: String,
        /// The label there.
        label: String,
    },
    /// The legacy row whose attribute has the value of an attribute of this row.
    Key {
        /// Attribute of this row.
        attr: String,
        /// The other legacy entity.
        entity: String,
        /// Its attribute.
        key: String,
    },
}

/// The way from a legacy row to another one over which a link goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// A has-one legacy link of the row.
    Link(String),
    /// The legacy rows whose link of this label points here.
    Reverse {
        /// The legacy entity that holds the link.
        entity: String,
        /// The label there.
        label: String,
    },
}

impl LinkPick {
    /// The place as a contract and its repairs name it: `label`, `link.label`, `entity.label`,
    /// `entity.label.label`, or `attr = entity.key`.
    pub(crate) fn spelled(&self) -> String {
        match self {
            LinkPick::Link(label) => label.clone(),
            LinkPick::Over { by: Hop::Link(label), take } => format!("{label}.{take}"),
            LinkPick::Over { by: Hop::Reverse { entity, label }, take } => {
                format!("{entity}.{label}.{take}")
            }
            LinkPick::Reverse { entity, label } => format!("{entity}.{label}"),
            LinkPick::Key { attr, entity, key } => format!("{attr} = {entity}.{key}"),
        }
    }
}

/// The latest row of a legacy entity whose link points at this row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The other legacy entity.
    pub entity: String,
    /// Label of its link to this entity.
    pub of: String,
    /// Order by these columns of it, ascending, then by its id in the source; the last is the latest.
    pub by: Vec<String>,
}

/// Whether a row without a link may be migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// It may.
    No,
    /// It is quarantined.
    Yes,
    /// It may when the source names no row or the named row is not in the source; when the named
    /// row is there and was quarantined, this row is too.
    WhenSourceExists,
}

/// What happens to rows that share what the target wants unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// Which row of a conflict is kept, by legacy entity; the first where none is named.
    pub keep: Vec<(String, Keep)>,
}

/// Which row of a conflict is kept, by the entity's dates in declared order, then by content: all declared
/// values and the ids that links name, however the source spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The first.
    First,
    /// The last.
    Last,
    /// None: all are quarantined.
    None,
}

impl Duplicates {
    /// Which row of a conflict in `entity` is kept.
    pub fn keep(&self, entity: &str) -> Keep {
        self.keep.iter().find(|(name, _)| name == entity).map_or(Keep::First, |(_, keep)| *keep)
    }
}

/// What happens to what the contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmapped {
    /// Attributes of legacy rows.
    pub attrs: UnmappedAttrs,
    /// Links between a legacy entity and an entity of the app.
    pub carry_links: bool,
}

/// What happens to attributes the contract does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmappedAttrs {
    /// They stay in the snapshot and are reported.
    Report,
    /// They are an error.
    Fail,
    /// They fill the target attribute of the same name, where there is one without a rule.
    Carry,
}

/// What becomes of rows with text that not every store holds: a NUL character, or half of a surrogate pair
/// in JSON (PostgreSQL and InstantDB refuse both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// They are migrated; a target that cannot hold them refuses the import.
    Refuse,
    /// They are quarantined.
    Quarantine,
}

/// A written verification rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name in every report.
    pub rule: String,
    /// What must hold.
    pub what: CheckWhat,
}

/// What a written verification rule demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckWhat {
    /// Each migrated row of the legacy entity has its own row in the target entity.
    Bijection {
        /// The legacy entity.
        source: String,
        /// The target entity.
        target: String,
        /// Rows that stand on an existing target row are exempt.
        unless_adopted: bool,
    },
    /// Within every row that a link leads to, the order is as it was.
    Sequence {
        /// The legacy entity.
        source: String,
        /// The target entity.
        target: String,
        /// The label of the link, the same on both sides.
        within: String,
        /// The columns of the legacy entity that give the order.
        by: Vec<String>,
    },
    /// Target attribute and legacy attribute hold the same bytes.
    Same {
        /// `(target entity, attribute, legacy entity, attribute)`.
        pairs: Vec<(String, String, String, String)>,
    },
}

/// Section 6 of a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// A real target wants a passed dry run of the same bundle.
    pub dry_run_required: bool,
    /// The first organisation; a blank is an empty text.
    pub canary: String,
    /// How many rows may be quarantined.
    pub max_quarantined: Limit,
    /// How many values may be repaired.
    pub max_repaired: Limit,
    /// How many rows the target may show in another order than the source did.
    pub max_reordered: Limit,
    /// How many link values of migrated rows may be left behind that could be carried.
    pub max_left_behind: Limit,
    /// What leads to a rollback.
    pub rollback_trigger: Vec<String>,
    /// What a rollback does.
    pub rollback_action: String,
}

/// A limit on a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// None.
    Any,
    /// At most so many.
    Rows(u64),
    /// At most this share of all legacy rows, in percent.
    Percent(f64),
}

impl Limit {
    /// Whether `count` of `total` is within it.
    pub fn allows(self, count: u64, total: u64) -> bool {
        self.most(total).is_none_or(|most| count <= most)
    }

    /// The most that it allows of `total`; `None` is any number.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of rows stay far below 2^53, and a share is not negative"
    )]
    pub fn most(self, total: u64) -> Option<u64> {
        match self {
            Limit::Any => None,
            Limit::Rows(most) => Some(most),
            Limit::Percent(share) => Some((total as f64 * share / 100.0).floor() as u64),
        }
    }
}

/// Section 7 of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Implementation {
    /// The language.
    pub language: String,
    /// Why.
    pub reason: String,
}

impl Contract {
    /// The transforms out of one legacy entity.
    pub fn transforms_of<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a Transform> {
        self.transforms.iter().filter(move |transform| transform.source == source)
    }

    /// The transform into one target entity.
    pub fn transform_into(&self, target: &str) -> Option<&Transform> {
        self.transforms.iter().find(|transform| transform.target == target)
    }

    /// The transform whose target rows stand for the rows of a legacy entity wherever one target id
    /// of a legacy row is meant: in links, `ref`, `link.id`, carried links, lists of what was merged.
    /// It is the first that takes the row's own id, in whatever place of its rule; else the first.
    pub fn id_transform(&self, source: &str) -> Option<&Transform> {
        let all = || self.transforms.iter().filter(|rules| rules.source == source);
        all().find(|rules| rules.id.from.iter().any(|from| from == "id")).or_else(|| all().next())
    }

    /// SHA-256 of the contract's text, in hexadecimal.
    pub fn digest(&self) -> String {
        crate::bag::sha256_hex(self.text.as_bytes())
    }
}
