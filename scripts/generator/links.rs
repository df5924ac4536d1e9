//! The links of the legacy rows, from either side.

use super::defects::Defect;
use super::dirty::Fault;
use super::ids::uuid_text;
use super::schema::Story;
use super::shape::Level;
use super::value::{Row, Value};
use super::world::{Entity, Stream, World};
use super::{Kind, Links};

impl World {
    /// The context an event was said in.
    pub(crate) fn event_context(&self, event: u64) -> u64 {
        let (family, local) = self.place(Entity::Event, event);
        let share = self.shape.share_of(Level::Executions, family, local / 2);
        self.at(Entity::Context, family, share.parent)
    }

    /// The execution an event triggered or answers.
    pub(crate) fn event_execution(&self, event: u64) -> u64 {
        let (family, local) = self.place(Entity::Event, event);
        self.at(Entity::Execution, family, local / 2)
    }

    /// Whether an event itself names its execution; some triggers do not.
    pub(crate) fn event_has_execution(&self, event: u64) -> bool {
        event % 2 == 1 || !self.rng(Stream::Link, Entity::Event, event).once_in(16)
    }

    /// The context of an execution.
    fn execution_context(&self, execution: u64) -> u64 {
        let (family, local) = self.place(Entity::Execution, execution);
        let share = self.shape.share_of(Level::Executions, family, local);
        self.at(Entity::Context, family, share.parent)
    }

    /// Whether an execution is the last of its context.
    pub(crate) fn is_last(&self, execution: u64) -> bool {
        let (family, local) = self.place(Entity::Execution, execution);
        self.shape.share_of(Level::Executions, family, local).end == local + 1
    }

    /// Whether an execution has answered: a last one may still run.
    pub(crate) fn has_reaction(&self, execution: u64) -> bool {
        !self.is_last(execution) || !self.rng(Stream::Link, Entity::Execution, execution).once_in(8)
    }

    /// The execution of a step.
    pub(crate) fn step_execution(&self, step: u64) -> u64 {
        let (family, local) = self.place(Entity::Step, step);
        let share = self.shape.share_of(Level::Steps, family, local);
        self.at(Entity::Execution, family, share.parent)
    }

    /// The step of a part.
    pub(crate) fn part_step(&self, part: u64) -> u64 {
        let (family, local) = self.place(Entity::Part, part);
        self.at(Entity::Step, family, self.shape.share_of(Level::Parts, family, local).parent)
    }

    /// The current execution of a context: its last; a few contexts do not say it.
    fn current(&self, context: u64) -> Option<u64> {
        let (family, local) = self.place(Entity::Context, context);
        let share = self.shape.share(Level::Executions, family, local);
        let silent = self.rng(Stream::Link, Entity::Context, context).once_in(8);
        (share.start < share.end && !silent)
            .then(|| self.at(Entity::Execution, family, share.end - 1))
    }

    fn is_without_context(&self, execution: u64) -> bool {
        let (family, local) = self.place(Entity::Execution, execution);
        self.fault(family) == Some(Fault::NoContext)
            && self.scene(family).is_some_and(|scene| scene.execution == local)
    }

    /// The row a link leads to, when it is whole.
    fn target(&self, link: Story, n: u64) -> Option<(Entity, u64)> {
        let leaf = |entity| self.leaf(entity, n);
        match link {
            Story::EventContext => {
                let broken = [Some(Defect::AbsentContext), Some(Defect::ContextByKey)];
                (!broken.contains(&leaf(Entity::Event)))
                    .then(|| (Entity::Context, self.event_context(n)))
            }
            Story::EventExecution => {
                self.event_has_execution(n).then(|| (Entity::Execution, self.event_execution(n)))
            }
            Story::Current => self.current(n).map(|execution| (Entity::Execution, execution)),
            Story::ExecutionContext => {
                (!self.is_without_context(n)).then(|| (Entity::Context, self.execution_context(n)))
            }
            Story::Trigger => (leaf(Entity::Execution) != Some(Defect::DanglingTrigger))
                .then_some((Entity::Event, n * 2)),
            Story::Reaction => self.has_reaction(n).then_some((Entity::Event, n * 2 + 1)),
            Story::StepExecution => Some((Entity::Execution, self.step_execution(n))),
            Story::PartStep => {
                let broken = [Some(Defect::DanglingStep), Some(Defect::NoStep)];
                (!broken.contains(&leaf(Entity::Part))).then(|| (Entity::Step, self.part_step(n)))
            }
        }
    }

    /// The id a link holds, also where it leads nowhere.
    pub(crate) fn link_id(&self, link: Story, entity: Entity, n: u64) -> Option<String> {
        let dangling = match self.leaf(entity, n) {
            Some(Defect::DanglingStep) => link == Story::PartStep,
            Some(Defect::DanglingTrigger) => link == Story::Trigger,
            Some(Defect::AbsentContext) => link == Story::EventContext,
            _ => false,
        };
        if dangling {
            let mut rng = self.rng(Stream::Nowhere, entity, n);
            return Some(uuid_text(rng.next() >> 4, rng.next()));
        }
        self.target(link, n).map(|(entity, n)| self.id(entity, n))
    }

    /// The rows that may hold a link to a row: a range of `holder`s.
    fn holders(&self, link: Story, to: u64) -> std::ops::Range<u64> {
        let children = |parent: Entity, level: Level, child: Entity, times: u64| {
            let (family, local) = self.place(parent, to);
            let share = self.shape.share(level, family, local);
            self.at(child, family, share.start * times)..self.at(child, family, share.end * times)
        };
        match link {
            Story::EventContext => children(Entity::Context, Level::Executions, Entity::Event, 2),
            Story::ExecutionContext => {
                children(Entity::Context, Level::Executions, Entity::Execution, 1)
            }
            Story::StepExecution => children(Entity::Execution, Level::Steps, Entity::Step, 1),
            Story::PartStep => {
                let parts = children(Entity::Step, Level::Parts, Entity::Part, 1);
                let count = self.count(Entity::Part);
                parts.start.min(count)..parts.end.min(count)
            }
            Story::EventExecution => to * 2..to * 2 + 2,
            Story::Current => {
                let context = self.execution_context(to);
                context..context + 1
            }
            Story::Trigger | Story::Reaction => to / 2..to / 2 + 1,
        }
    }

    /// Adds what a legacy row says about its links.
    pub(crate) fn put_links(&self, row: &mut Row, entity: Entity, n: u64) {
        for link in Story::ALL {
            let declared = link.link();
            if self.options.links == Links::Reverse {
                if declared.to == entity.name() {
                    self.put_reverse(row, link, entity, n);
                }
            } else if declared.on == entity.name() {
                self.put_forward(row, link, entity, n);
            }
        }
    }

    fn put_forward(&self, row: &mut Row, link: Story, entity: Entity, n: u64) {
        let Some(id) = self.link_id(link, entity, n) else { return };
        let declared = link.link();
        if self.options.links == Links::Scalar {
            row.set(declared.scalar.unwrap_or(declared.label), Value::Text(id));
            return;
        }
        let value = match (self.options.kind, n % 16) {
            (Kind::Dataset, 5) => Value::Raw(format!("[{{\"id\":\"{id}\"}}]")),
            (Kind::Dataset, 9) => Value::Raw(format!("{{\"id\":\"{id}\"}}")),
            (Kind::Dataset, 13) => Value::Raw(format!("[\"{id}\"]")),
            _ => Value::Text(id),
        };
        row.put(declared.label, value);
    }

    fn put_reverse(&self, row: &mut Row, link: Story, entity: Entity, n: u64) {
        let declared = link.link();
        let holder = match declared.on {
            "context_contexts" => Entity::Context,
            "context_events" => Entity::Event,
            "story_executions" => Entity::Execution,
            "story_steps" => Entity::Step,
            _ => Entity::Part,
        };
        let mut ids: Vec<String> = self
            .holders(link, n)
            .filter(|holder| self.target(link, *holder) == Some((entity, n)))
            .map(|child| self.id(holder, child))
            .collect();
        if !declared.reverse_one {
            ids.sort_unstable();
            row.put(declared.reverse, Value::Many(ids));
        } else if let Some(id) = ids.pop() {
            row.put(declared.reverse, Value::Text(id));
        }
    }
}
