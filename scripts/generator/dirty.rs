//! Which rows carry a known defect.
//!
//! A defect that concerns its row alone sits on rows of a residue. One that pulls other rows with it
//! sits in a family of its own that carries nothing else, so that what must become of every row is
//! plain. The first family is clean.

use super::defects::{Defect, leaves};
use super::shape::Level;
use super::world::{Entity, World};
use super::{Kind, Links, Options};

/// A defect that pulls other rows with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// [`Defect::NoContext`] on an execution.
    NoContext,
    /// [`Defect::BadDate`] on an event.
    EventDate,
    /// [`Defect::DuplicateKey`] on two contexts.
    ContextKey,
    /// [`Defect::BadDate`] on an execution.
    ExecutionDate,
    /// [`Defect::BadDate`] on a step.
    StepDate,
    /// [`Defect::BadDate`] on a context.
    ContextDate,
}

const FAULTS: [Fault; 6] = [
    Fault::NoContext,
    Fault::EventDate,
    Fault::ContextKey,
    Fault::ExecutionDate,
    Fault::StepDate,
    Fault::ContextDate,
];

/// The rows a fault is about, counted within the family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    /// The fault.
    pub(crate) fault: Fault,
    /// The context that is set aside (keys, dates), or whose execution is.
    pub(crate) context: u64,
    /// The context whose key that one has.
    pub(crate) twin: u64,
    /// The execution; never its context's current one.
    pub(crate) execution: u64,
    /// A step.
    pub(crate) step: u64,
}

/// How often what is planted; strides of 0 plant nothing.
#[derive(Debug, Clone)]
pub(crate) struct Dirt {
    rows: [u64; 5],
    families: u64,
    sample: bool,
    typed: bool,
    reverse: bool,
}

impl Dirt {
    /// Spreads the share over entities: contexts and executions are few and get more.
    pub(crate) fn new(options: &Options) -> Self {
        let per_thousand = [4000.0, 1000.0, 1500.0, 1000.0, 800.0];
        Self {
            rows: per_thousand.map(|times| stride(options.dirty * times / 1000.0)),
            families: stride(options.dirty * 20.0),
            sample: options.sample,
            typed: options.plain || options.kind == Kind::Parquet,
            reverse: options.links == Links::Reverse,
        }
    }

    /// Whether nothing is planted.
    pub(crate) fn is_none(&self) -> bool {
        self.families == 0
    }

    /// Whether the way the rows are written can hold the defect.
    fn fits(&self, entity: Entity, defect: Defect) -> bool {
        match defect {
            Defect::TextIdx | Defect::LoneSurrogate => !self.typed,
            Defect::DanglingTrigger | Defect::AbsentContext => !self.reverse,
            Defect::IdenticalDuplicate => !self.reverse || entity == Entity::Part,
            _ => true,
        }
    }
}

/// Every how many rows a share is one row; at least every second.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is positive, and its inverse a small number"
)]
fn stride(share: f64) -> u64 {
    if share <= 0.0 { 0 } else { (1.0 / share).round().max(2.0) as u64 }
}

impl World {
    /// The defect of a row that concerns it alone.
    pub(crate) fn leaf(&self, entity: Entity, n: u64) -> Option<Defect> {
        if self.dirt.sample {
            return sample_leaf(entity, n);
        }
        let stride = self.dirt.rows.get(entity as usize).copied().filter(|stride| *stride > 0)?;
        let (family, _) = self.place(entity, n);
        if n % stride != stride / 2 || family == 0 || self.fault(family).is_some() {
            return None;
        }
        let kinds = leaves(entity).iter().cycle();
        let turn = usize::try_from(n / stride).unwrap_or(0) % leaves(entity).len();
        let fits = |defect: &Defect| self.dirt.fits(entity, *defect);
        let defect = kinds.skip(turn).take(leaves(entity).len()).copied().find(fits)?;
        let keyless = defect == Defect::ContextByKey && self.context_key_of(n).is_none();
        (!keyless).then_some(defect)
    }

    /// The key of an event's context.
    fn context_key_of(&self, event: u64) -> Option<String> {
        self.context_key(self.event_context(event))
    }

    /// The fault of a family.
    pub(crate) fn fault(&self, family: u64) -> Option<Fault> {
        let stride = self.dirt.families;
        if stride == 0 || family % stride != stride / 2 || family == 0 {
            return None;
        }
        let turn = usize::try_from(family / stride).unwrap_or(0);
        Some(FAULTS[turn % FAULTS.len()])
    }

    /// The rows the fault of a family is about: in its busiest context the first execution, and of
    /// two contexts of one key the later.
    pub(crate) fn scene(&self, family: u64) -> Option<Scene> {
        let fault = self.fault(family)?;
        let shares = (0..self.shape.contexts)
            .map(|context| self.shape.share(Level::Executions, family, context));
        let busiest = shares.max_by_key(|share| share.end - share.start)?;
        let execution = busiest.start;
        let first = self.shape.share(Level::Steps, family, execution).start;
        let step = first.min(self.shape.steps - 1);
        let (mut context, mut twin) = (busiest.parent, (busiest.parent + 1) % self.shape.contexts);
        let since = |local| self.context_time(self.at(Entity::Context, family, local));
        if fault == Fault::ContextKey && since(context) < since(twin) {
            std::mem::swap(&mut context, &mut twin);
        }
        Some(Scene { fault, context, twin, execution, step })
    }
}

/// The few repairs of the sample.
fn sample_leaf(entity: Entity, n: u64) -> Option<Defect> {
    match (entity, n) {
        (Entity::Event, 207) => Some(Defect::MissingCreatedAt),
        (Entity::Execution, 3) => Some(Defect::MissingStatus),
        (Entity::Step, 20) => Some(Defect::MissingIteration),
        (Entity::Part, 110) => Some(Defect::MissingKey),
        _ => None,
    }
}
