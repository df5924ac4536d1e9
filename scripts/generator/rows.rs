//! The legacy rows, attribute by attribute.

use super::defects::Defect;
use super::dirty::Fault;
use super::payload::{self, Size};
use super::random::Rng;
use super::schema::{Story, UNDECLARED};
use super::shape::Level;
use super::value::{DateForm, Row, Value};
use super::words::{HOSTILE, LANGUAGES, TITLES};
use super::world::{Entity, Moment, Stream, World};
use super::{Links, others};

/// The row of an index; `copy` tells the rows of one id apart.
pub(crate) fn row(world: &World, entity: Entity, n: u64, copy: u64) -> Row {
    let mut row = Row::default();
    row.put("id", world.id_value(entity, n));
    let mut rng = world.rng(Stream::Row, entity, n);
    let differs = world.leaf(entity, n) == Some(Defect::ConflictingDuplicate);
    let copy = if differs { copy } else { 0 };
    match entity {
        Entity::Context => context(world, n, &mut rng, &mut row),
        Entity::Event => event(world, n, &mut rng, &mut row),
        Entity::Execution => execution(world, n, &mut rng, &mut row),
        Entity::Step => step(world, n, &mut rng, &mut row),
        Entity::Part => part(world, n, copy, &mut row),
        _ => others::row(world, entity, n, &mut row),
    }
    world.put_links(&mut row, entity, n);
    if let Some(defect) = world.leaf(entity, n) {
        spoil(world, (entity, n), defect, &mut row);
    }
    if has_bad_date(world, entity, n) {
        row.set("createdAt", Value::Text("the day before yesterday".to_owned()));
    }
    for name in world.indexed(entity) {
        if row.get(name).is_none() {
            row.put(name, Value::Null);
        }
    }
    row
}

impl World {
    /// How a context is spoken in.
    fn language(&self, context: u64) -> usize {
        let (_, local) = self.place(Entity::Context, context);
        let drawn = self.rng(Stream::Payload, Entity::Context, context).below(LANGUAGES as u64);
        let language = if self.options.sample { local } else { drawn };
        usize::try_from(language).unwrap_or(0) % LANGUAGES
    }

    /// How a context is reached.
    fn channel(&self, context: u64) -> &'static str {
        let turn = if self.options.sample { context } else { context.wrapping_mul(7) >> 1 };
        ["web", "whatsapp", "email"][usize::try_from(turn % 3).unwrap_or(0)]
    }

    /// The key of a context; a few have none, and a faulty one has another's.
    pub(crate) fn context_key(&self, context: u64) -> Option<String> {
        let (family, local) = self.place(Entity::Context, context);
        let scene = self.scene(family).filter(|scene| scene.fault == Fault::ContextKey);
        let owner = match scene {
            Some(scene) if scene.context == local => self.at(Entity::Context, family, scene.twin),
            _ => context,
        };
        let keyless = self.rng(Stream::Link, Entity::Context, !context).once_in(32);
        if keyless && scene.is_none() && context != 0 {
            return None;
        }
        let uuid = self.uuid(Entity::Context, owner);
        Some(format!("{}:{}", self.channel(owner), uuid.get(..23).unwrap_or_default()))
    }

    fn size(&self) -> Size {
        let most = match (self.light, self.options.sample) {
            (true, _) => 0,
            (_, true) => 6_000,
            _ => u64::MAX,
        };
        Size { percent: self.options.payload_percent, most }
    }
}

fn has_bad_date(world: &World, entity: Entity, n: u64) -> bool {
    let (family, local) = world.place(entity, n);
    world.scene(family).is_some_and(|scene| match (scene.fault, entity) {
        (Fault::ContextDate, Entity::Context) => scene.context == local,
        (Fault::EventDate, Entity::Event) => scene.execution * 2 == local,
        (Fault::ExecutionDate, Entity::Execution) => scene.execution == local,
        (Fault::StepDate, Entity::Step) => scene.step == local,
        _ => false,
    })
}

/// Puts when a row was made; the store wrote it up to two seconds later.
fn put_created(rng: &mut Rng, ms: i64, row: &mut Row) {
    let form = match rng.below(16) {
        0 | 1 => DateForm::Number,
        2 => DateForm::Micros,
        _ => DateForm::Iso,
    };
    row.put("createdAt", Value::Date(ms, form));
    row.created = ms + i64::try_from(rng.below(2000)).unwrap_or(0);
}

/// Puts when a row was changed; one in eight never was.
fn put_updated(rng: &mut Rng, ms: i64, row: &mut Row) {
    let later = i64::try_from(rng.below(600_000)).unwrap_or(0);
    if !rng.once_in(8) {
        row.put("updatedAt", Value::Date(ms + later, DateForm::Iso));
    }
}

fn word(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn context(world: &World, n: u64, rng: &mut Rng, row: &mut Row) {
    let since = world.context_time(n);
    put_created(rng, since, row);
    put_updated(rng, since, row);
    row.put("key", world.context_key(n).map_or(Value::Null, Value::Text));
    let status = rng.pick(&["open", "open", "open", "closed", "closed", "streaming", "failed"]);
    row.put("status", word(status));
    let drawn = rng.pick(&TITLES[world.language(n)]);
    let title = if n == 0 { TITLES[0][2] } else { drawn };
    row.put("content", Value::Json(payload::context(rng, title)));
}

fn event(world: &World, n: u64, rng: &mut Rng, row: &mut Row) {
    let (turn, context) = (world.event_execution(n), world.event_context(n));
    let moment = if n.is_multiple_of(2) { Moment::Triggered } else { Moment::Answered };
    put_created(rng, world.execution_time(turn, moment), row);
    row.put("channel", word(world.channel(context)));
    let ty = match (n % 2, rng.once_in(40)) {
        (0, true) => "system.message",
        (0, false) => "user.message",
        _ => "assistant.message",
    };
    row.put("type", word(ty));
    let status = rng.pick(&["stored", "completed", "completed", ""]);
    row.put("status", if status.is_empty() { Value::Null } else { word(status) });
    if let Some(key) = world.context_key(context).filter(|_| rng.once_in(4)) {
        row.put("contextKey", Value::Text(key));
    }
    let mut rng = world.rng(Stream::Payload, Entity::Event, n);
    let said = payload::event(&mut rng, world.language(context), world.size());
    row.put("content", Value::Json(said));
    others::put_author(world, n, row);
}

fn execution(world: &World, n: u64, rng: &mut Rng, row: &mut Row) {
    let since = world.execution_time(n, Moment::Began);
    put_created(rng, since, row);
    put_updated(rng, since, row);
    let running = !world.has_reaction(n);
    let ended = rng.pick(&["completed", "completed", "completed", "completed", "failed"]);
    row.put("status", word(if running { "executing" } else { ended }));
    let run = format!("wrun_{:016X}{:08X}", rng.next(), rng.next() >> 32);
    row.put("workflowRunId", if rng.once_in(20) { Value::Null } else { Value::Text(run) });
}

fn step(world: &World, n: u64, rng: &mut Rng, row: &mut Row) {
    let execution = world.step_execution(n);
    let (family, local) = world.place(Entity::Step, n);
    let iteration = local - world.shape.share_of(Level::Steps, family, local).start;
    let since = world.execution_time(execution, Moment::Step(iteration));
    put_created(rng, since, row);
    put_updated(rng, since, row);
    let failed = rng.once_in(25);
    row.put("status", word(if failed { "failed" } else { "completed" }));
    row.put("iteration", Value::Whole(i64::try_from(iteration).unwrap_or(0)));
    put_step_ids(world, execution, rng, row);
    let mut payload = world.rng(Stream::Payload, Entity::Step, n);
    if rng.once_in(2) {
        let language = world.language(world.event_context(execution * 2));
        let (calls, results) = payload::calls(&mut payload, language, world.size());
        row.put("toolCalls", Value::Json(calls));
        row.put("toolExecutionResults", Value::Json(results));
    }
    if !rng.once_in(8) {
        row.put("continueLoop", Value::Flag(rng.once_in(2)));
    }
    if failed {
        row.put("errorText", word("Error: tool \"query_db\" timed out after 30 s\n\tat run"));
    }
}

/// The ids a step repeats of its execution and its events; a few steps have none.
fn put_step_ids(world: &World, execution: u64, rng: &mut Rng, row: &mut Row) {
    if world.options.links == Links::Forward {
        row.put("executionId", Value::Text(world.id(Entity::Execution, execution)));
    }
    let known = world.has_reaction(execution);
    if known && rng.once_in(32) {
        return;
    }
    let (trigger, reaction) = (execution * 2, execution * 2 + 1);
    row.put("triggerEventId", Value::Text(world.id(Entity::Event, trigger)));
    if known {
        row.put("reactionEventId", Value::Text(world.id(Entity::Event, reaction)));
    }
    if !rng.once_in(8) {
        let event = if known { reaction } else { trigger };
        row.put("eventId", Value::Text(world.id(Entity::Event, event)));
    }
}

fn part(world: &World, n: u64, copy: u64, row: &mut Row) {
    let (family, local) = world.place(Entity::Part, n);
    let share = world.shape.share_of(Level::Parts, family, local);
    let idx = local - share.start;
    let step = world.at(Entity::Step, family, share.parent);
    let execution = world.step_execution(step);
    let mut rng = world.rng(Stream::Payload, Entity::Part, n ^ (copy << 62));
    let language = world.language(world.event_context(execution * 2));
    let (payload, ty) = payload::part(&mut rng, language, world.size());
    row.put("key", Value::Text(format!("{}:{idx}", world.id(Entity::Step, step))));
    if let Some(step) = world
        .link_id(Story::PartStep, Entity::Part, n)
        .filter(|_| world.options.links == Links::Forward)
    {
        row.put("stepId", Value::Text(step));
    }
    row.put("idx", Value::Whole(i64::try_from(idx).unwrap_or(0)));
    row.put("type", Value::Text(ty));
    row.put("part", Value::Json(payload));
    let since = world.execution_time(execution, Moment::Began);
    let later = i64::try_from(local * 20 + copy * 3_600_000).unwrap_or(0);
    row.put("updatedAt", Value::Date(since + later, DateForm::Iso));
    row.created = since + i64::try_from(local * 20).unwrap_or(0);
}

/// Plants a defect in a row. What concerns links and ids is planted where those are made.
fn spoil(world: &World, (entity, n): (Entity, u64), defect: Defect, row: &mut Row) {
    match defect {
        Defect::MissingCreatedAt => lose(n, "createdAt", row),
        Defect::MissingStatus => lose(n, "status", row),
        Defect::MissingType => lose(n, "type", row),
        Defect::MissingKey => lose(n, "key", row),
        Defect::MissingIdx => lose(n, "idx", row),
        Defect::MissingChannel => lose(n, "channel", row),
        Defect::MissingIteration => lose(n, "iteration", row),
        Defect::UpperStatus => {
            if let Some(Value::Text(status)) = row.take("status") {
                row.put("status", Value::Text(status.to_ascii_uppercase()));
            }
        }
        Defect::UnknownStatus => row.set("status", word("paused")),
        Defect::TextIdx => row.set("idx", Value::Raw("\"3\"".to_owned())),
        Defect::HugeIdx => row.set("idx", Value::Whole(9_007_199_254_740_993)),
        Defect::RunId => {
            row.set("workflowRunId", Value::Null);
            row.put("runId", Value::Text(format!("wrun_old_{n}")));
        }
        Defect::ContextByKey => {
            let key = world.context_key(world.event_context(n));
            row.set("contextKey", key.map_or(Value::Null, Value::Text));
        }
        Defect::AbsentContext => drop(row.take("contextKey")),
        Defect::LoneSurrogate => row.set("type", Value::Raw("\"text\\ud83d\"".to_owned())),
        Defect::UndeclaredAttr => row.put(UNDECLARED, Value::Text(format!("since v{}", n % 7))),
        Defect::HostileText => {
            let name = if entity == Entity::Part { "part" } else { "content" };
            let text =
                format!("{{\"type\":\"text\",\"title\":\"{HOSTILE}\",\"text\":\"{HOSTILE}\"}}");
            row.set(name, Value::Json(text));
            if entity == Entity::Part {
                row.set("type", word("text"));
            }
        }
        _ => {}
    }
}

/// Takes a value away: the store writes null where an index was made, and nothing elsewhere.
fn lose(n: u64, name: &'static str, row: &mut Row) {
    if n.is_multiple_of(2) { row.set(name, Value::Null) } else { drop(row.take(name)) }
}
