//! The contract, resolved against a snapshot into plain data. Nothing in here knows polars: a plan
//! says which column comes from which rule, in which order tables are decided, and which rules
//! reject, so that another engine can run it.

use std::collections::BTreeSet;

use super::explode;
use crate::contract::{
    AttrRule, Contract, DecisionOrder, Explode, Hop, LinkHow, LinkPick, LinkRule, Numbering,
    OrderKey, Otherwise, Pick, Required, Template, Transform, Unfit, UnmappedAttrs,
};
use crate::error::{Error, Result, grouped};
use crate::reconcile::{self, CarriedLink};
use crate::schema::{Has, Link, LinkRules, Schema, Type};
use crate::snapshot::Snapshot;

/// The whole transformation as plain data.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Legacy tables, each after those its required links lead to.
    pub sources: Vec<SourcePlan>,
    /// Target entities in contract order.
    pub targets: Vec<String>,
    /// The legacy model.
    pub before: Schema,
    /// The target model.
    pub after: Schema,
    /// The contract it came from.
    pub contract: Contract,
    /// The order of the tables, and what is judged by the source alone because of it.
    pub order: DecisionOrder,
    /// Links of the app that follow the rows.
    pub carried: Vec<CarriedLink>,
    /// Every rule that can refuse a row; a decision names one by its place here.
    pub rejects: Vec<Reject>,
}

/// A rule that can refuse a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its name, as `<entity>.<attribute> required`.
    pub rule: String,
    /// Why a row is refused, in a sentence.
    pub reason: String,
}

/// How one legacy table is decided.
#[derive(Debug, Clone)]
pub struct SourcePlan {
    /// The legacy entity.
    pub entity: String,
    /// Its has-one links.
    pub links: Vec<Link>,
    /// Its attributes and links that a rule reads: a value that does not fit refuses the row.
    pub mapped: BTreeSet<String>,
    /// What its rows become.
    pub targets: Vec<TargetPlan>,
}

/// How the rows of one target table are decided.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// The target entity.
    pub entity: String,
    /// Its transform.
    pub transform: Transform,
    /// Attributes whose value a decision needs, in declared order.
    pub decided: Vec<Decided>,
    /// Attributes that are only carried: columns of one type, the first present one counts.
    pub carried: Vec<AttrRule>,
    /// How a legacy row becomes several rows, or numbered ones.
    pub split: Option<Split>,
}

impl TargetPlan {
    /// Whether its ids may be made of legacy attributes instead of the rows' own ids.
    pub fn takes_other_ids(&self, source: &SourcePlan) -> bool {
        let is_link = |name: &str| source.links.iter().any(|link| link.label == name);
        self.transform.id.from.iter().any(|name| name != "id" && !is_link(name))
    }
}

/// How the rows of a target table are made where a legacy row does not simply become one.
#[derive(Debug, Clone)]
pub struct Split {
    /// Which rows a legacy row becomes; without it, one.
    pub explode: Option<Explode>,
    /// How they are numbered.
    pub number: Option<Numbering>,
    /// Attributes that are built of each row once it is numbered.
    pub built: Vec<(String, Template)>,
}

impl Split {
    /// How many rows a legacy row becomes at most.
    pub fn most(&self) -> usize {
        self.explode.as_ref().map_or(1, explode::most)
    }
}

impl SourcePlan {
    /// The target whose rows are split or numbered, and how: then it is the only one.
    pub fn split(&self) -> Option<(&TargetPlan, &Split)> {
        self.targets.iter().find_map(|target| Some((target, target.split.as_ref()?)))
    }
}

/// A decided attribute.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Its rule.
    pub rule: AttrRule,
    /// Its type in the target.
    pub ty: Type,
    /// Whether a row without it is refused.
    pub required: bool,
    /// Whether it is a text that no two rows share: then blanks alone are no value.
    pub is_key: bool,
}

/// Resolves a contract against a snapshot.
///
/// # Errors
/// The snapshot lacks a table or a column that the contract reads.
pub fn plan(contract: &Contract, snapshot: &Snapshot) -> Result<Plan> {
    let before = contract.before.schema.clone();
    for entity in &before.entities {
        fits(snapshot, &before, &entity.name)?;
    }
    for entity in &contract.after.schema.entities {
        fits(snapshot, &contract.after.schema, &entity.name)?;
    }
    refuse_unmapped(contract, snapshot)?;
    let mut sources = Vec::new();
    let order = contract.decision_order();
    for entity in &order.entities {
        sources.push(source_plan(contract, entity));
    }
    let rejects = rejects(contract, &sources);
    Ok(Plan {
        sources,
        targets: contract.after.schema.entities.iter().map(|entity| entity.name.clone()).collect(),
        before,
        after: contract.after.schema.clone(),
        contract: contract.clone(),
        order,
        carried: reconcile::carried(contract, snapshot)?,
        rejects,
    })
}

/// Refuses attributes the contract does not name, where it says so.
fn refuse_unmapped(contract: &Contract, snapshot: &Snapshot) -> Result<()> {
    let unmapped = &snapshot.meta().unmapped.attrs;
    if contract.unmapped.attrs != UnmappedAttrs::Fail || unmapped.is_empty() {
        return Ok(());
    }
    let said = match unmapped.len() {
        1 => "1 attribute of the source is not declared".to_owned(),
        many => format!("{} attributes of the source are not declared", grouped(many as u64)),
    };
    let mut error = Error::refused(said)
        .help("declare them in the contract, or set `unmapped.attrs = \"report\"`");
    error.at = unmapped
        .iter()
        .take(20)
        .map(|(entity, attr, rows)| {
            let noun = if *rows == 1 { "row" } else { "rows" };
            format!("`{entity}.{attr}` in {} {noun}", grouped(*rows))
        })
        .collect();
    Err(error)
}

fn fits(snapshot: &Snapshot, schema: &Schema, entity: &str) -> Result<()> {
    let found = snapshot.table(entity).map(|table| &table.columns[..]).unwrap_or_default();
    let known = |name: &str| found.iter().any(|(column, _)| column == name);
    let wanted = crate::snapshot::declared(schema, entity);
    let lacking = wanted.iter().find(|field| !known(field.name()) && field.name() != "id");
    match lacking {
        None if snapshot.table(entity).is_some() => Ok(()),
        lacking => {
            let what = lacking.map_or_else(
                || format!("no table `{entity}`"),
                |field| format!("no column `{entity}.{}`", field.name()),
            );
            Err(Error::usage(format!("the snapshot has {what}, which the contract declares"))
                .at(snapshot.root().display())
                .help(
                    "export the source again with this contract (`rethread export --contract …`)",
                ))
        }
    }
}

/// The places a link rule looks at.
pub(super) fn picks_of(rule: &LinkRule) -> &[LinkPick] {
    match &rule.how {
        LinkHow::From { picks, .. } => picks,
        LinkHow::SameRow { .. } | LinkHow::Via { .. } => &[],
    }
}

/// What a place of a link rule leads to, as a link of the legacy row: one of its own, or one by a label
/// that only this place has. A row that points here is found from the other side, by no link.
pub(super) fn named_by(
    before: &Schema,
    (source, target): (&SourcePlan, &TargetPlan),
    rule: &LinkRule,
    (at, pick): (usize, &LinkPick),
) -> Option<Link> {
    let to = match pick {
        LinkPick::Link(label) => {
            return source.links.iter().find(|link| link.label == *label).cloned();
        }
        LinkPick::Over { by, take } => {
            let middle = match by {
                Hop::Link(label) => &before.link(&source.entity, label)?.to,
                Hop::Reverse { entity, .. } => entity,
            };
            before.link(middle, take)?.to.clone()
        }
        LinkPick::Key { entity, .. } => entity.clone(),
        LinkPick::Reverse { .. } => return None,
    };
    let label = format!("{}.{}:{at}", target.entity, rule.label);
    Some(Link {
        name: label.clone(),
        on: source.entity.clone(),
        label,
        has: Has::One,
        to,
        reverse: None,
        reverse_has: Has::Many,
        also: Vec::new(),
        rules: LinkRules::default(),
    })
}

fn source_plan(contract: &Contract, entity: &str) -> SourcePlan {
    let links: Vec<Link> = contract.before.schema.columns_of(entity).cloned().collect();
    let mut targets: Vec<TargetPlan> =
        contract.transforms_of(entity).map(|transform| target_plan(contract, transform)).collect();
    // A link to the same row's other target row needs that one's id first.
    targets.sort_by_key(|target| {
        target.transform.links.iter().any(|rule| matches!(rule.how, LinkHow::SameRow { .. }))
    });
    let mapped = mapped(contract, entity);
    SourcePlan { entity: entity.to_owned(), links, mapped, targets }
}

fn target_plan(contract: &Contract, transform: &Transform) -> TargetPlan {
    let schema = contract.after.schema.entity(&transform.target);
    let mut decided = Vec::new();
    let mut carried = Vec::new();
    let mut built = Vec::new();
    for rule in &transform.attrs {
        let Some(attr) = schema.and_then(|entity| entity.attr(&rule.attr)) else { continue };
        if let Some(template) = rule.built.as_ref().filter(|_| transform.splits()) {
            built.push((rule.attr.clone(), template.clone()));
        } else if is_carried(contract, transform, rule) {
            carried.push(rule.clone());
        } else {
            let is_key = rule.is_key(attr);
            decided.push(Decided {
                rule: rule.clone(),
                ty: attr.ty,
                required: attr.required,
                is_key,
            });
        }
    }
    let split = transform.splits().then(|| Split {
        explode: transform.explode.clone(),
        number: transform.number.clone(),
        built,
    });
    let (entity, transform) = (transform.target.clone(), transform.clone());
    TargetPlan { entity, transform, decided, carried, split }
}

/// Whether no decision needs the value: plain columns of the target's own type, by which no rows are put
/// in order, not unique, not required, not a date (duplicates are settled by dates).
fn is_carried(contract: &Contract, transform: &Transform, rule: &AttrRule) -> bool {
    let target = contract.after.schema.entity(&transform.target);
    let source = contract.before.schema.entity(&transform.source);
    let Some(attr) = target.and_then(|entity| entity.attr(&rule.attr)) else { return false };
    let same_type = |pick: &Pick| match pick {
        Pick::Attr(name) => {
            source.and_then(|entity| entity.attr(name)).is_some_and(|from| from.ty == attr.ty)
        }
        _ => false,
    };
    let templates =
        transform.attrs.iter().flat_map(|other| other.template.iter().chain(&other.built));
    let in_template = templates
        .into_iter()
        .any(|template| template.pieces.contains(&crate::contract::Piece::Attr(rule.attr.clone())));
    rule.from.iter().all(same_type)
        && rule.values.is_none()
        && rule.refers.is_none()
        && rule.template.is_none()
        && rule.built.is_none()
        && rule.missing.is_none()
        && !attr.required
        && !attr.unique
        && attr.ty != Type::Date
        && !in_template
        && !transform.order.contains(&rule.attr)
        && !contract.order_keys_of(&transform.source).contains(&OrderKey::Rule(rule))
}

/// The columns of a legacy table that a rule reads.
fn mapped(contract: &Contract, entity: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::from(["id".to_owned()]);
    for transform in contract.transforms_of(entity) {
        found.extend(transform.id.from.iter().cloned());
        for rule in &transform.attrs {
            found.extend(rule.from.iter().filter_map(|pick| match pick {
                Pick::Attr(name) | Pick::Path { attr: name, .. } => Some(name.clone()),
                Pick::Linked { link, .. } => Some(link.clone()),
                Pick::Server => None,
            }));
        }
        for rule in &transform.links {
            found.extend(link_columns(rule));
        }
        if let Some(explode) = &transform.explode {
            found.extend(explode.of.iter().chain(&explode.otherwise_by).cloned());
        }
        found.extend(transform.number.iter().flat_map(|number| &number.by).cloned());
    }
    for link in contract.before.schema.columns_of(entity) {
        found.insert(link.label.clone());
        found.extend(link.also.iter().cloned());
    }
    // A row may hold the links of others from the reverse side.
    let held = contract.before.schema.links.iter().filter(|link| link.to == entity);
    found.extend(held.filter_map(|link| link.reverse.clone()));
    found
}

fn link_columns(rule: &LinkRule) -> Vec<String> {
    let column = |pick: &LinkPick| match pick {
        LinkPick::Link(name)
        | LinkPick::Over { by: Hop::Link(name), .. }
        | LinkPick::Key { attr: name, .. } => Some(name.clone()),
        LinkPick::Over { by: Hop::Reverse { .. }, .. } | LinkPick::Reverse { .. } => None,
    };
    picks_of(rule).iter().filter_map(column).collect()
}

fn rejects(contract: &Contract, sources: &[SourcePlan]) -> Vec<Reject> {
    let mut found = Vec::new();
    let mut add =
        |rule: String, reason: &str| found.push(Reject { rule, reason: reason.to_owned() });
    for source in sources {
        for name in &source.mapped {
            add(fits_rule(&source.entity, name), "the value does not fit the declared type");
        }
        for (name, _) in unfit(contract, source) {
            let said = "the text holds a NUL character or half of a surrogate pair";
            add(unfit_rule(&source.entity, &name), said);
        }
        add(id_rule(&source.entity), "the row has no id and no rule derives one");
        for target in &source.targets {
            if let Some(explode) = &target.transform.explode {
                let said = "the value is no JSON object";
                add(object_rule(&target.entity, explode), said);
                let said = "no case of the contract lists the value, or a key stands in it twice";
                add(case_rule(&target.entity, explode), said);
                let said = "no case that lists the value answers for all of it: what the case needs is not \
                            there, or something that is there has no place in the target";
                add(whole_rule(&target.entity, explode), said);
            }
            for decided in &target.decided {
                let name = &decided.rule.attr;
                if decided.required {
                    let said = "no source of the rule has a value";
                    add(required_rule(&target.entity, name), said);
                }
                let quarantines =
                    |values: &crate::contract::Values| values.otherwise == Otherwise::Quarantine;
                if decided.rule.values.as_ref().is_some_and(quarantines) {
                    add(values_rule(&target.entity, name), "the contract does not list the value");
                }
            }
            for rule in target.transform.links.iter().filter(|rule| rule.required != Required::No) {
                let named = required_rule(&target.entity, &rule.label);
                add(named, "the link names no row, or a row that is not in the source");
                let named = cascade_rule(&target.entity, &rule.label);
                add(named, "the row it links to was quarantined");
            }
            for attr in unique_attrs(contract, &target.entity) {
                let said = "another row has the same value and is kept";
                add(duplicate_rule(&target.entity, &attr), said);
            }
            let said = "another row has the same id and other content, and is kept";
            add(duplicate_rule(&target.entity, "id"), said);
            let said = "a row with this id exists already and has other content";
            add(existing_rule(&target.entity, "id"), said);
            for attr in unique_attrs(contract, &target.entity) {
                let said = "a row with this value exists already under another id";
                add(existing_rule(&target.entity, &attr), said);
            }
        }
    }
    found
}

/// The unique attributes of a target entity.
pub(super) fn unique_attrs(contract: &Contract, entity: &str) -> Vec<String> {
    let attrs = contract.after.schema.entity(entity).map(|entity| &entity.attrs[..]);
    let unique = attrs.unwrap_or_default().iter().filter(|attr| attr.unique);
    unique.map(|attr| attr.name.clone()).collect()
}

pub(super) fn fits_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} fits its type")
}

/// The columns of a legacy table whose texts must be such as every store holds, where the contract says
/// so; JSON or plain.
pub(super) fn unfit(contract: &Contract, source: &SourcePlan) -> Vec<(String, Type)> {
    let attrs = contract.before.schema.entity(&source.entity).map_or(&[][..], |it| &it.attrs);
    let attrs = attrs.iter().filter(|_| contract.unfit == Unfit::Quarantine);
    let texts = attrs.filter(|attr| matches!(attr.ty, Type::String | Type::Any));
    let read = texts.filter(|attr| source.mapped.contains(&attr.name));
    read.map(|attr| (attr.name.clone(), attr.ty)).collect()
}

pub(super) fn unfit_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} held by every store")
}

pub(super) fn id_rule(entity: &str) -> String {
    format!("{entity}.id present")
}

pub(super) fn required_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} required")
}

pub(super) fn values_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} listed")
}

pub(super) fn object_rule(entity: &str, explode: &Explode) -> String {
    format!("{entity}.{} an object", explode.of.first().map_or("", String::as_str))
}

pub(super) fn case_rule(entity: &str, explode: &Explode) -> String {
    values_rule(entity, explode.of.first().map_or("", String::as_str))
}

pub(super) fn whole_rule(entity: &str, explode: &Explode) -> String {
    format!("{entity}.{} whole", explode.of.first().map_or("", String::as_str))
}

pub(super) fn cascade_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} migrated")
}

pub(super) fn duplicate_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} unique")
}

pub(super) fn existing_rule(entity: &str, name: &str) -> String {
    format!("{entity}.{name} not taken")
}

impl Plan {
    /// The legacy tables in the order of the contract.
    pub fn declared(&self) -> Vec<&SourcePlan> {
        let place = |source: &&SourcePlan| {
            self.before.entities.iter().position(|entity| entity.name == source.entity)
        };
        let mut sources: Vec<&SourcePlan> = self.sources.iter().collect();
        sources.sort_by_key(place);
        sources
    }

    /// The place of a rule among [`Plan::rejects`].
    pub(super) fn reject(&self, rule: &str) -> Result<i32> {
        let at = self.rejects.iter().position(|reject| reject.rule == rule);
        at.and_then(|at| i32::try_from(at).ok())
            .ok_or_else(|| Error::bug(format!("rule `{rule}` is not planned")))
    }

    /// How the target rows are decided that stand for a legacy entity's rows: see
    /// [`Contract::id_transform`].
    pub fn main_target(&self, entity: &str) -> Option<&TargetPlan> {
        let main = self.contract.id_transform(entity)?;
        self.target(&main.target).map(|(_, target)| target)
    }

    /// Whether the id that a row of a legacy entity has in the target follows from its own.
    pub(super) fn has_own_ids(&self, entity: &str) -> bool {
        self.contract.id_transform(entity).is_some_and(|rules| rules.id.is_own())
    }

    /// How the rows of a target entity are decided, and from which legacy table.
    pub fn target(&self, entity: &str) -> Option<(&SourcePlan, &TargetPlan)> {
        let pairs = self
            .sources
            .iter()
            .flat_map(|source| source.targets.iter().map(move |target| (source, target)));
        pairs.into_iter().find(|(_, target)| target.entity == entity)
    }
}
