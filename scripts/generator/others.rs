//! What else the app has: other entities with links to and from events, and rows of the target's
//! model that were there before.

use super::ids::uuid_text;
use super::random;
use super::tables::Table;
use super::value::{DateForm, Row, Value};
use super::words::TITLES;
use super::world::{Entity, Stream, World};

/// Fills a row of another entity of the app.
pub(crate) fn row(world: &World, entity: Entity, n: u64, row: &mut Row) {
    let (family, local) = world.place(entity, n);
    let mut rng = world.rng(Stream::Row, entity, n);
    row.created = 1_704_067_200_000 + i64::try_from(rng.below(63_072_000_000)).unwrap_or(0);
    match entity {
        Entity::User => {
            row.put("email", Value::Text(format!("user{n}@example.org")));
            let picture = Value::Text(format!("https://example.org/u/{n}.png?s=64&d=é"));
            row.put("imageURL", if n.is_multiple_of(3) { picture } else { Value::Null });
            row.put("type", Value::Text("user".to_owned()));
        }
        Entity::Message => {
            row.put("body", Value::Text("¿Sigue en pie lo de mañana? 🙂\n\"sí\"".to_owned()));
            row.put("phone", Value::Text(format!("+34600{:06}", n % 1_000_000)));
            row.put("createdAt", Value::Date(row.created, DateForm::Iso));
            if let Some(event) = linked(world, family, local * 7) {
                row.put("event", Value::Text(event));
            }
        }
        _ => {
            row.put("subject", Value::Text(TITLES[2][1].to_owned()));
            row.put("from", Value::Text(format!("Jürgen \"J\" <j{n}@example.org>")));
            row.put("createdAt", Value::Date(row.created, DateForm::Number));
            let places = [local * 5 + 1, local * 5 + 2, local * 5 + 4];
            let mut events: Vec<String> =
                places.iter().filter_map(|place| linked(world, family, *place)).collect();
            events.sort_unstable();
            row.put("events", Value::Many(events));
        }
    }
}

/// An event of a family; none where the family's events may be set aside.
fn linked(world: &World, family: u64, place: u64) -> Option<String> {
    let local = place % world.per_family(Entity::Event);
    world
        .fault(family)
        .is_none()
        .then(|| world.id(Entity::Event, world.at(Entity::Event, family, local)))
}

/// Adds the user who said an event.
pub(crate) fn put_author(world: &World, event: u64, row: &mut Row) {
    if world.options.plain || event % 2 == 1 {
        return;
    }
    let (family, local) = world.place(Entity::Event, event);
    let user = local / 2 % world.per_family(Entity::User);
    row.put("author", Value::Text(world.id(Entity::User, world.at(Entity::User, family, user))));
}

const CREATED: i64 = 1_735_689_600_000;

/// The rows of the target's model: one whole thread, and one thread that has a context's key.
pub(crate) fn existing(world: &World) -> Vec<Table> {
    let new = Existing { world };
    let adopted = world.context_key(0).unwrap_or_default();
    let mut tables = vec![
        ("thread_threads", vec![new.thread(0, adopted), new.thread(1, "existing:1".to_owned())]),
        ("thread_contexts", vec![new.context()]),
        ("thread_items", (0..3).map(|n| new.item(n)).collect()),
        ("thread_executions", vec![new.execution()]),
        ("thread_steps", (0..2).map(|n| new.step(n)).collect()),
        ("thread_parts", (0..4).map(|n| new.part(n)).collect::<Vec<Row>>()),
    ];
    for (_, rows) in &mut tables {
        rows.sort_by_key(|row| match row.get("id") {
            Some(Value::Text(id)) => id.clone(),
            _ => String::new(),
        });
    }
    tables.into_iter().map(|(name, rows)| Table::Existing(name, rows)).collect()
}

struct Existing<'a> {
    world: &'a World,
}

impl Existing<'_> {
    fn id(&self, table: &str, n: i64) -> Value {
        let name = table.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
        let at = name.wrapping_add(n.unsigned_abs());
        let draw = |half| random::hash(self.world.options.seed, Stream::Nowhere as u64 + half, at);
        Value::Text(uuid_text(draw(64) >> 4, draw(65)))
    }

    fn row(&self, table: &str, n: i64) -> Row {
        let mut row = Row { members: Vec::new(), created: CREATED + n * 1000 };
        row.put("id", self.id(table, n));
        if table != "thread_parts" {
            row.put("createdAt", Value::Date(CREATED + n * 1000, DateForm::Iso));
        }
        row.put("updatedAt", Value::Date(CREATED + n * 2000, DateForm::Number));
        row
    }

    fn thread(&self, n: i64, key: String) -> Row {
        let mut row = self.row("thread_threads", n);
        row.put("key", Value::Text(key));
        row.put("name", text("Already here 🧵"));
        row.put("status", text("open"));
        row
    }

    fn context(&self) -> Row {
        let mut row = self.row("thread_contexts", 0);
        row.put("key", text("existing:1"));
        row.put("status", text("closed"));
        row.put(
            "content",
            Value::Json("{\"title\":\"Already here\",\"z\":1.0,\"a\":[]}".to_owned()),
        );
        row.put("thread", self.id("thread_threads", 1));
        row.put("currentExecution", self.id("thread_executions", 0));
        row
    }

    fn item(&self, n: i64) -> Row {
        let mut row = self.row("thread_items", n);
        row.take("updatedAt");
        row.put("channel", text("web"));
        row.put("type", text(if n == 0 { "input_text" } else { "output_text" }));
        row.put(
            "content",
            Value::Json("{\"parts\":[{\"type\":\"text\",\"text\":\"ok\"}]}".to_owned()),
        );
        row.put("status", Value::Null);
        row.put("context", self.id("thread_contexts", 0));
        row.put("thread", self.id("thread_threads", 1));
        row.put("execution", self.id("thread_executions", 0));
        row
    }

    fn execution(&self) -> Row {
        let mut row = self.row("thread_executions", 0);
        row.put("status", text("completed"));
        row.put("workflowRunId", text("wrun_existing"));
        row.put("context", self.id("thread_contexts", 0));
        row.put("thread", self.id("thread_threads", 1));
        row.put("trigger", self.id("thread_items", 0));
        row.put("reaction", self.id("thread_items", 1));
        row
    }

    fn step(&self, n: i64) -> Row {
        let mut row = self.row("thread_steps", n);
        row.put("status", text("completed"));
        row.put("iteration", Value::Whole(n));
        row.put("executionId", self.id("thread_executions", 0));
        row.put("eventId", self.id("thread_items", 1));
        row.put("continueLoop", Value::Flag(n == 0));
        row.put("execution", self.id("thread_executions", 0));
        row
    }

    fn part(&self, n: i64) -> Row {
        let (step, idx) = (self.id("thread_steps", n / 2), n % 2);
        let mut row = self.row("thread_parts", n);
        if let Value::Text(step) = &step {
            row.put("key", Value::Text(format!("{step}:{idx}")));
        }
        row.put("stepId", step.clone());
        row.put("idx", Value::Whole(idx));
        row.put("type", text("text"));
        row.put("part", Value::Json(format!("{{\"type\":\"text\",\"text\":\"part {n}\"}}")));
        row.put("step", step);
        row
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
