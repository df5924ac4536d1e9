//! The app's schema as data: entities, attributes, links.

use super::{Links, Options};

/// What an attribute's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ty {
    /// UTF-8 text.
    Text,
    /// A number; every generated one is whole.
    Number,
    /// True or false.
    Flag,
    /// A moment.
    Date,
    /// Any JSON.
    Json,
    /// A link to some rows, as a column.
    Many,
}

/// An attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attr {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its values are.
    pub(crate) ty: Ty,
    /// `!` required, `*` unique, `^` indexed.
    pub(crate) marks: &'static str,
}

/// The entities and their attributes: `name type`, then `!` required, `*` unique, `^` indexed.
pub(crate) const ENTITIES: [(&str, &str); 15] = [
    ("$users", "email string*^, imageURL string, type string"),
    ("$files", "path string*^, url string"),
    (
        "context_contexts",
        "createdAt date!, updatedAt date, key string^, status string^, content any",
    ),
    (
        "context_events",
        "createdAt date!^, channel string^, type string^, status string^, contextKey string, content any",
    ),
    (
        "story_executions",
        "createdAt date!, updatedAt date, status string^, workflowRunId string^, runId string",
    ),
    (
        "story_steps",
        "createdAt date!^, updatedAt date, status string^, iteration number^, executionId string^, triggerEventId string^, reactionEventId string^, eventId string^, toolCalls any, toolExecutionResults any, continueLoop boolean, errorText string",
    ),
    (
        "story_parts",
        "key string^, stepId string^, idx number^, type string^, part any, updatedAt date",
    ),
    ("whatsapp_messages", "body string, phone string^, createdAt date^"),
    ("emails", "subject string, from string^, createdAt date^"),
    (
        "thread_threads",
        "createdAt date!, updatedAt date, key string*^, name string, status string^",
    ),
    (
        "thread_contexts",
        "createdAt date!, updatedAt date, key string*^, status string^, content any",
    ),
    (
        "thread_items",
        "channel string!^, createdAt date!^, type string^, content any, status string^",
    ),
    ("thread_executions", "createdAt date!, updatedAt date, status string^, workflowRunId string^"),
    (
        "thread_steps",
        "createdAt date!^, updatedAt date, status string^, iteration number!^, executionId string!^, triggerEventId string^, reactionEventId string^, eventId string!^, toolCalls any, toolExecutionResults any, continueLoop boolean, errorText string",
    ),
    (
        "thread_parts",
        "key string!*^, stepId string!^, idx number!^, type string^, part any, updatedAt date",
    ),
];

/// A link: `on.label -> to`, seen from there as `reverse`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The entity that holds it.
    pub(crate) on: &'static str,
    /// Its label there.
    pub(crate) label: &'static str,
    /// Whether it leads to many rows.
    pub(crate) many: bool,
    /// The entity it leads to.
    pub(crate) to: &'static str,
    /// Its label there.
    pub(crate) reverse: &'static str,
    /// Whether a row is linked from one row alone.
    pub(crate) reverse_one: bool,
    /// The attribute that holds the id where there are no links.
    pub(crate) scalar: Option<&'static str>,
}

const fn link(
    on: &'static str,
    label: &'static str,
    to: &'static str,
    reverse: &'static str,
) -> Link {
    Link { on, label, many: false, to, reverse, reverse_one: false, scalar: None }
}

/// The links of the legacy model, by what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// An event's context.
    EventContext,
    /// An event's execution.
    EventExecution,
    /// A context's current execution.
    Current,
    /// An execution's context.
    ExecutionContext,
    /// The event that began an execution.
    Trigger,
    /// The event an execution answered with.
    Reaction,
    /// A step's execution.
    StepExecution,
    /// A part's step.
    PartStep,
}

impl Story {
    /// All of them.
    pub(crate) const ALL: [Story; 8] = [
        Story::EventContext,
        Story::EventExecution,
        Story::Current,
        Story::ExecutionContext,
        Story::Trigger,
        Story::Reaction,
        Story::StepExecution,
        Story::PartStep,
    ];

    /// How the schema declares it.
    pub(crate) fn link(self) -> Link {
        let (events, executions) = ("context_events", "story_executions");
        let contexts = "context_contexts";
        let (declared, scalar) = match self {
            Story::EventContext => (link(events, "context", contexts, "events"), "contextId"),
            Story::EventExecution => {
                (link(events, "execution", executions, "events"), "executionId")
            }
            Story::Current => {
                let current = link(contexts, "currentExecution", executions, "currentOf");
                return Link { reverse_one: true, ..current };
            }
            Story::ExecutionContext => {
                (link(executions, "context", contexts, "executions"), "contextId")
            }
            Story::Trigger => {
                (link(executions, "trigger", events, "executionsAsTrigger"), "triggerEventId")
            }
            Story::Reaction => {
                (link(executions, "reaction", events, "executionsAsReaction"), "reactionEventId")
            }
            Story::StepExecution => {
                (link("story_steps", "execution", executions, "steps"), "executionId")
            }
            Story::PartStep => (link("story_parts", "step", "story_steps", "parts"), "stepId"),
        };
        Link { scalar: Some(scalar), ..declared }
    }
}

/// The links of the app's other entities.
const APP_LINKS: [Link; 3] = [
    link("context_events", "author", "$users", "events"),
    link("whatsapp_messages", "event", "context_events", "whatsappMessages"),
    Link { many: true, ..link("emails", "events", "context_events", "emails") },
];

/// The links of the target's entities.
const THREAD_LINKS: [Link; 11] = [
    link("thread_contexts", "thread", "thread_threads", "contexts"),
    Link {
        reverse_one: true,
        ..link("thread_contexts", "currentExecution", "thread_executions", "currentOf")
    },
    link("thread_items", "context", "thread_contexts", "items"),
    link("thread_items", "thread", "thread_threads", "items"),
    link("thread_items", "execution", "thread_executions", "items"),
    link("thread_executions", "context", "thread_contexts", "executions"),
    link("thread_executions", "thread", "thread_threads", "executions"),
    link("thread_executions", "trigger", "thread_items", "executionsAsTrigger"),
    link("thread_executions", "reaction", "thread_items", "executionsAsReaction"),
    link("thread_steps", "execution", "thread_executions", "steps"),
    link("thread_parts", "step", "thread_steps", "parts"),
];

/// The attributes of an entity.
pub(crate) fn attrs(entity: &str) -> Vec<Attr> {
    let listed = ENTITIES.iter().find(|(name, _)| *name == entity).map_or("", |(_, list)| *list);
    listed.split(", ").filter_map(attr).collect()
}

/// The attributes of an entity that have an index.
pub(crate) fn indexed(entity: &str) -> Vec<&'static str> {
    attrs(entity).iter().filter(|attr| attr.marks.contains('^')).map(|attr| attr.name).collect()
}

fn attr(said: &'static str) -> Option<Attr> {
    let (name, rest) = said.split_once(' ')?;
    let end = rest.find(['!', '*', '^']).unwrap_or(rest.len());
    let ty = match &rest[..end] {
        "string" => Ty::Text,
        "number" => Ty::Number,
        "boolean" => Ty::Flag,
        "date" => Ty::Date,
        _ => Ty::Json,
    };
    Some(Attr { name, ty, marks: &rest[end..] })
}

/// The links as the data holds them: in `reverse` the legacy ones are declared from the other side.
pub(crate) fn links(options: &Options) -> Vec<Link> {
    let turned = options.links == Links::Reverse;
    let story = Story::ALL.iter().map(|story| {
        let link = story.link();
        if !turned {
            return link;
        }
        Link {
            on: link.to,
            label: link.reverse,
            many: !link.reverse_one,
            to: link.on,
            reverse: link.label,
            reverse_one: !link.many,
            scalar: None,
        }
    });
    let app = APP_LINKS.iter().copied().filter(|_| !options.plain);
    story.chain(app).chain(THREAD_LINKS).collect()
}

/// The columns of a flat table: `id`, attributes, links, what is undeclared, the row's time.
pub(crate) fn columns(entity: &str, options: &Options) -> Vec<(&'static str, Ty)> {
    let mut columns = vec![("id", Ty::Text)];
    columns.extend(attrs(entity).into_iter().map(|attr| (attr.name, attr.ty)));
    for link in links(options).into_iter().filter(|link| link.on == entity) {
        let scalar = link.scalar.filter(|_| options.links == Links::Scalar);
        let name = scalar.unwrap_or(link.label);
        if !columns.iter().any(|(column, _)| *column == name) {
            columns.push((name, if link.many { Ty::Many } else { Ty::Text }));
        }
    }
    if options.dirty > 0.0 {
        columns.push((UNDECLARED, Ty::Text));
    }
    columns.push((SERVER, Ty::Number));
    columns
}

/// An attribute no schema and no contract declares.
pub(crate) const UNDECLARED: &str = "legacyNote";
/// The row's time in kinds that have no place of their own for it.
pub(crate) const SERVER: &str = "_server_created_at";
