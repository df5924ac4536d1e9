//! What must become of a row: the answer key.

use super::Links;
use super::defects::Defect;
use super::dirty::{Fault, Scene};
use super::shape::Level;
use super::tables::Planted;
use super::world::{Entity, World};

const CASCADE: &str = "cascade";
const DROPPED: &str = "dropped-link";

/// What was planted in a row, or reaches it from another.
pub(crate) fn account(world: &World, entity: Entity, n: u64, copy: u64) -> Vec<Planted> {
    if let Some(defect) = world.leaf(entity, n) {
        let expect = expected(entity, defect, copy);
        return expect.map(|expect| (defect, expect.to_owned())).into_iter().collect();
    }
    if !entity.is_legacy() {
        return Vec::new();
    }
    let (family, local) = world.place(entity, n);
    world
        .scene(family)
        .and_then(|scene| staged(world, entity, (family, local), scene))
        .into_iter()
        .collect()
}

fn expected(entity: Entity, defect: Defect, copy: u64) -> Option<&'static str> {
    Some(match defect {
        Defect::MissingCreatedAt => "repaired:createdAt",
        Defect::MissingStatus | Defect::UpperStatus | Defect::UnknownStatus => "repaired:status",
        Defect::MissingType => "repaired:type",
        Defect::MissingKey => "repaired:key",
        Defect::MissingIdx => "quarantined:thread_parts.idx required",
        Defect::TextIdx | Defect::HugeIdx => "quarantined:story_parts.idx fits its type",
        Defect::MissingChannel => "repaired:channel",
        Defect::MissingIteration => "repaired:iteration",
        Defect::RunId => "repaired:workflowRunId",
        Defect::DanglingStep | Defect::NoStep => "quarantined:thread_parts.step required",
        Defect::DanglingTrigger | Defect::AbsentContext => DROPPED,
        Defect::ContextByKey => "repaired:context",
        Defect::IdenticalDuplicate if copy == 0 => return None,
        Defect::IdenticalDuplicate => "merged",
        Defect::ConflictingDuplicate if copy == 0 => "quarantined:thread_parts.id unique",
        Defect::LoneSurrogate => "quarantined:story_parts.type fits its type",
        Defect::NoContext => "quarantined:thread_executions.context required",
        Defect::DuplicateKey => "quarantined:thread_threads.key unique",
        Defect::BadDate => match entity {
            Entity::Context => "quarantined:context_contexts.createdAt fits its type",
            Entity::Event => "quarantined:context_events.createdAt fits its type",
            Entity::Execution => "quarantined:story_executions.createdAt fits its type",
            _ => "quarantined:story_steps.createdAt fits its type",
        },
        Defect::ConflictingDuplicate
        | Defect::OddId
        | Defect::UndeclaredAttr
        | Defect::HostileText => "kept",
    })
}

/// What a fault of the family means for one of its rows.
fn staged(
    world: &World,
    entity: Entity,
    (family, local): (u64, u64),
    scene: Scene,
) -> Option<Planted> {
    let defect = match scene.fault {
        Fault::NoContext => Defect::NoContext,
        Fault::ContextKey => Defect::DuplicateKey,
        _ => Defect::BadDate,
    };
    let (carrier, place) = match scene.fault {
        Fault::NoContext | Fault::ExecutionDate => (Entity::Execution, scene.execution),
        Fault::EventDate => (Entity::Event, scene.execution * 2),
        Fault::StepDate => (Entity::Step, scene.step),
        Fault::ContextKey | Fault::ContextDate => (Entity::Context, scene.context),
    };
    if (entity, local) == (carrier, place) {
        return Some((defect, expected(entity, defect, 0)?.to_owned()));
    }
    let lineage = Lineage::of(world, entity, family, local);
    if lineage.of_kind(carrier) == Some(place) {
        return Some((defect, CASCADE.to_owned()));
    }
    let forward = world.options.links != Links::Reverse;
    let drops = match (carrier, entity) {
        (Entity::Execution, Entity::Event) => {
            local / 2 == place && world.event_has_execution(world.at(entity, family, local))
        }
        (Entity::Event, Entity::Execution) => local == place / 2,
        _ => false,
    };
    (forward && drops).then(|| (defect, DROPPED.to_owned()))
}

/// The rows a row cannot be without, counted within its family.
#[derive(Debug, Default)]
struct Lineage {
    context: Option<u64>,
    execution: Option<u64>,
    step: Option<u64>,
}

impl Lineage {
    fn of(world: &World, entity: Entity, family: u64, local: u64) -> Self {
        let parent = |level, child| world.shape.share_of(level, family, child).parent;
        let mut lineage = Self::default();
        let execution = match entity {
            Entity::Event => {
                lineage.context = Some(parent(Level::Executions, local / 2));
                return lineage;
            }
            Entity::Execution => local,
            Entity::Step => parent(Level::Steps, local),
            Entity::Part => {
                let step = parent(Level::Parts, local);
                lineage.step = Some(step);
                parent(Level::Steps, step)
            }
            _ => return lineage,
        };
        if entity != Entity::Execution {
            lineage.execution = Some(execution);
        }
        lineage.context = Some(parent(Level::Executions, execution));
        lineage
    }

    fn of_kind(&self, carrier: Entity) -> Option<u64> {
        match carrier {
            Entity::Context => self.context,
            Entity::Execution => self.execution,
            Entity::Step => self.step,
            _ => None,
        }
    }
}
