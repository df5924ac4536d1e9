//! The schema delta from an app's schema to the contract's target, as the steps of a schema push.
//!
//! The app's schema is the snapshot's; the target is the app's schema with the contract's model in it,
//! and with the links that follow the rows. The steps are those that InstantDB's own planner makes, in
//! its order; a plan that a server made is matched with them both ways. Each step is held against the
//! rows that are there, before any push. Nothing here reaches a server.

mod attribute;
mod carried;
mod collisions;
mod delta;
mod evidence;
mod given;
mod goal;
mod kind;
mod model;
mod permissions;
mod pushed;
mod rules;
mod written;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::AppSettings;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::snapshot::Snapshot;
use crate::storage;
use delta::{Draft, Ids};
use goal::Goal;
use kind::Kind;
use model::Model;

pub use carried::{CarriedFile, CarriedLink, Fit, carried};
pub use given::Given;
pub use permissions::{
    EntityRules, Given as GivenRules, MovedLink, Opened, Permissions, RulesFrom, opened,
};
pub use rules::{RuleKind, RuleLeft};
pub use written::TargetSchema;

/// The steps that lead from the app's schema to the contract's target, and what is to be said of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaPlan {
    /// Whether the steps were given (a server's own plan) or computed from the two schemas.
    pub given: bool,
    /// Whether the app's schema is known; otherwise the plan starts from nothing.
    #[serde(default)]
    pub from_schema: bool,
    /// The steps, in the order a push takes them.
    pub steps: Vec<Step>,
    /// What does not fit together, or would fail.
    pub findings: Vec<Finding>,
    /// Rules of the app's schema that the target's does not have: they keep no push from going ahead.
    #[serde(default)]
    pub rules_left: Vec<RuleLeft>,
    /// What is known of the app around its rows.
    #[serde(default)]
    pub app: AppSettings,
    /// Who may see and change the rows of the target; absent in a plan of an older program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

/// One step of a schema push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its kind, as `add-attr`.
    pub kind: String,
    /// The push it belongs to: 1, or 2 where the first one has to make room for labels.
    #[serde(default)]
    pub push: u8,
    /// Its parameters, as InstantDB reads them. Ids of what the app has already are null, for no
    /// export says them; those of new attributes are derived from the app's id.
    #[serde(default)]
    pub params: Value,
    /// The entity and the attribute or label, as `entity.attr`.
    pub what: String,
    /// What it does, in a sentence.
    pub description: String,
    /// How much care it wants.
    pub class: Class,
    /// The transforms that need it, by target entity.
    pub needed_by: Vec<String>,
    /// What the data says about it before any push, in a sentence; empty when nothing is to say.
    pub data: String,
    /// Rows whose data would make it fail.
    pub fails: u64,
    /// Ids of the first of them.
    pub samples: Vec<String>,
}

/// How much care a step wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It only adds.
    Safe,
    /// It can fail, or slows writes down.
    Warning,
    /// It can lose data, or break a running app.
    Critical,
}

/// What does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The entity and the attribute or label it is about.
    pub what: String,
    /// What is wrong, in a sentence.
    pub said: String,
    /// What to do, in a sentence.
    pub help: String,
}

impl SchemaPlan {
    /// Whether a push can go ahead: nothing was found, and no step would fail.
    pub fn is_clear(&self) -> bool {
        self.findings.is_empty() && self.failing() == 0
    }

    /// How many steps would fail on the rows that are there.
    pub fn failing(&self) -> usize {
        self.steps.iter().filter(|step| step.fails > 0).count()
    }
}

/// The plan for a snapshot's app, computed from the two schemas.
///
/// # Errors
/// The snapshot cannot be read.
pub fn plan(contract: &Contract, snapshot: &Snapshot) -> Result<SchemaPlan> {
    reconcile(contract, snapshot, None).map(|(plan, _)| plan)
}

/// The same with the carried links as they came out of the rows.
///
/// # Errors
/// The snapshot cannot be read.
pub fn plan_with(
    contract: &Contract,
    snapshot: &Snapshot,
    carried: &[CarriedLink],
) -> Result<SchemaPlan> {
    planned(contract, snapshot, (None, Some(carried))).map(|(plan, _)| plan)
}

/// The plan for a snapshot's app, the one that was given or else the computed one, and the schema that
/// is wanted.
///
/// # Errors
/// The snapshot cannot be read.
pub fn reconcile(
    contract: &Contract,
    snapshot: &Snapshot,
    given: Option<&Given>,
) -> Result<(SchemaPlan, TargetSchema)> {
    planned(contract, snapshot, (given, None))
}

fn planned(
    contract: &Contract,
    snapshot: &Snapshot,
    (given, carried): (Option<&Given>, Option<&[CarriedLink]>),
) -> Result<(SchemaPlan, TargetSchema)> {
    let text = schema_text(snapshot)?;
    let known = text.as_deref().map(|text| parsed(text, snapshot)).transpose()?;
    let known = known.or_else(|| given.and_then(|given| given.current.clone()));
    let from_schema = known.is_some();
    let app = known.unwrap_or_default();
    let mut goal = Goal::new(&app, contract);
    let carried = match carried {
        Some(carried) => carried.to_vec(),
        None => carried::measured(contract, snapshot, (&app, &goal))?,
    };
    goal.carry(&carried, |link| link.pairs(snapshot));
    let rules_left = rules::left(contract, (&app, &goal), (snapshot, &carried));
    let drafts = match given {
        Some(given) => given.steps.iter().map(|step| (step.clone(), 1)).collect(),
        None => computed(&goal, contract, snapshot),
    };
    let mut findings = match given {
        Some(given) => given::findings(given, &app, &goal),
        None => Vec::new(),
    };
    findings.splice(0..0, std::mem::take(&mut goal.collisions.findings));
    let telling = Telling { contract, snapshot, app: &app, goal: &goal };
    let steps = drafts.iter().map(|(draft, push)| telling.step(draft, *push));
    let steps = steps.collect::<Result<_>>()?;
    let schema = TargetSchema::new(&goal, text.as_deref());
    let around = snapshot.app()?;
    let permissions = Permissions::new(&permissions::Given {
        contract,
        rules: &around.rules,
        schema: &Schema { entities: app.entities.clone(), links: app.links.clone() },
        moved: &carried.iter().flat_map(CarriedLink::moved).collect::<Vec<_>>(),
        renamed: &schema.renamed,
        legacy_goes: false,
    });
    let plan = SchemaPlan {
        given: given.is_some(),
        from_schema,
        steps,
        findings,
        rules_left,
        app: around,
        permissions: Some(permissions),
    };
    Ok((plan, schema))
}

/// The app's schema as the snapshot has it, when it has one.
fn app_model(snapshot: &Snapshot) -> Result<Option<Model>> {
    schema_text(snapshot)?.as_deref().map(|text| parsed(text, snapshot)).transpose()
}

/// The same as text.
fn schema_text(snapshot: &Snapshot) -> Result<Option<String>> {
    let path = snapshot.path("data/schema.json");
    if path.exists() { storage::read_text(&path).map(Some) } else { Ok(None) }
}

fn parsed(text: &str, snapshot: &Snapshot) -> Result<Model> {
    Model::parse(text).map_err(|said| {
        Error::damaged(format!("the app's schema cannot be read: {said}"))
            .at(snapshot.path("data/schema.json").display())
            .help("take the snapshot again from a whole backup")
    })
}

/// The steps of a plan of our own, each with the push it belongs to: labels are given up in one, the
/// rest comes in the next.
fn computed(goal: &Goal, contract: &Contract, snapshot: &Snapshot) -> Vec<(Draft, u8)> {
    let app = snapshot.meta().source.app_id.as_deref().unwrap_or_default();
    let ids = Ids::new(&contract.namespace, app);
    let renames = goal.collisions.renames.iter().map(|it| (delta::rename(it), 1));
    let then = if goal.collisions.renames.is_empty() { 1 } else { 2 };
    let steps = delta::steps(&goal.before, &goal.model, ids).into_iter().map(|step| (step, then));
    renames.chain(steps).collect()
}

impl Draft {
    /// The entity and the attribute or label; the id alone where no name is known.
    fn what(&self) -> String {
        if self.entity.is_empty() {
            return self.label.clone();
        }
        format!("{}.{}", self.entity, self.label)
    }
}

/// What is told of a step, and what it is held against.
struct Telling<'a> {
    contract: &'a Contract,
    snapshot: &'a Snapshot,
    app: &'a Model,
    goal: &'a Goal,
}

impl Telling<'_> {
    fn step(&self, draft: &Draft, push: u8) -> Result<Step> {
        let what = draft.what();
        let evidence = evidence::look(draft, self.contract, self.snapshot)?;
        let rename = self.goal.collisions.renames.iter().find(|it| {
            draft.kind == Kind::UpdateAttr
                && (&it.entity, &it.label) == (&draft.entity, &draft.label)
        });
        let needed = self.goal.needed_by(&draft.entity, &draft.label).unwrap_or_default().to_vec();
        let data = match rename {
            Some(it) => format!("`{}.{}` makes room: it becomes `{}`", it.entity, it.label, it.to),
            None => match self.goal.pairs.get(&(draft.entity.clone(), draft.label.clone())) {
                Some(pairs) => self.goal.follows(draft, *pairs),
                None => evidence.said,
            },
        };
        Ok(Step {
            kind: draft.kind.name().to_owned(),
            push,
            description: draft.kind.describe(&what, &draft.params),
            class: draft.kind.class(&draft.params, self.app.entity(&draft.entity).is_none()),
            needed_by: needed,
            data,
            fails: evidence.fails,
            samples: evidence.samples,
            params: draft.params.clone(),
            what,
        })
    }
}
