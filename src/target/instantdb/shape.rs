//! The plan's tables as the app's schema has them, and what the schema lacks.

use crate::error::{Error, Kind, Result, grouped};
use crate::instantdb::{AppSchema, Attr};
use crate::target::{Column, ColumnKind, Plan, Role, Table};

/// One table of the plan in the app.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The table's name in the plan.
    pub(super) table: String,
    /// The entity whose rows are asked for; of a link table the one it leads from.
    pub(super) etype: String,
    /// Attributes and has-one links, in the plan's order; none of a link table.
    pub(super) columns: Vec<Field>,
    /// Of a link table: its link.
    pub(super) side: Option<Side>,
    /// Attributes of the app that the contract does not name.
    pub(super) extras: Vec<Attr>,
    /// Links of the app at this entity that are no columns, from either side.
    pub(super) others: Vec<Side>,
}

/// One attribute or has-one link.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "they are the app's own flags")]
pub(super) struct Field {
    /// Its place among the plan's columns.
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    pub(super) is_link: bool,
    /// It leads to a table that comes later, and need not be there at once.
    pub(super) is_late: bool,
    pub(super) required: bool,
    pub(super) unique: bool,
    pub(super) indexed: bool,
}

/// A link as one of its entities sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) label: String,
    pub(super) to: String,
    /// Its label on the other side.
    pub(super) other: String,
    /// An entity of this side has at most one.
    pub(super) one: bool,
    /// An entity of the other side has at most one.
    pub(super) unique: bool,
    /// It is declared on this side.
    pub(super) forward: bool,
}

impl Shape {
    pub(super) fn is_link(&self) -> bool {
        self.side.is_some()
    }
}

/// The plan's tables in the app.
///
/// # Errors
/// The app's schema cannot take them: everything that is missing or of another kind is listed.
pub(super) fn shapes(plan: &Plan, schema: &AppSchema, app: &str) -> Result<Vec<Shape>> {
    let mut lacks = Lacks::default();
    let mut shapes = Vec::new();
    for (number, table) in plan.tables.iter().enumerate() {
        match &table.link {
            None => shapes.push(entity(plan, schema, (number, table), &mut lacks)),
            Some(label) => shapes.extend(link_table(plan, schema, (table, label), &mut lacks)),
        }
    }
    lacks.told(app)?;
    Ok(shapes)
}

#[derive(Default)]
struct Lacks {
    list: Vec<String>,
    busy: Vec<String>,
}

impl Lacks {
    fn add(&mut self, name: &str, why: &str) {
        self.list.push(format!("`{name}` {why}"));
    }

    fn told(self, app: &str) -> Result<()> {
        let (kind, said, help, list) = if !self.list.is_empty() {
            let count = grouped(self.list.len() as u64);
            (
                Kind::Refused,
                format!(
                    "the schema of the app `{app}` does not fit the target model: {count} things"
                ),
                "`rethread plan` lists the steps that bring it there; add them to the app's schema, \
                 push it, then run the same command again; nothing was sent",
                self.list,
            )
        } else if !self.busy.is_empty() {
            (
                Kind::Busy,
                format!("the schema of the app `{app}` is being changed right now"),
                "wait until its indexing and type checks have ended, then run the same command again",
                self.busy,
            )
        } else {
            return Ok(());
        };
        let mut error = Error::new(kind, said).help(help);
        error.at = list;
        Err(error)
    }
}

fn entity(
    plan: &Plan,
    schema: &AppSchema,
    (number, table): (usize, &Table),
    lacks: &mut Lacks,
) -> Shape {
    let etype = &table.name;
    if schema.of(etype).next().is_none() {
        lacks.add(etype, "is missing: an entity");
    }
    let mut columns = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        if column.role != Role::Content {
            continue;
        }
        let name = format!("{etype}.{}", column.name);
        let Some(attr) = schema.attr(etype, &column.name) else {
            lacks.add(&name, &format!("is missing: {}", described(plan, etype, column)));
            continue;
        };
        if attr.busy {
            lacks.busy.push(format!("`{name}`"));
        }
        match column.leads_to {
            Some(_) => check_link(plan, (etype, column), attr, lacks),
            None => check_attr(&name, column, attr, lacks),
        }
        let place = |to: &String| plan.tables.iter().position(|table| table.name == *to);
        let leads = column.leads_to.as_ref();
        columns.push(Field {
            at,
            name: column.name.clone(),
            kind: column.kind,
            is_link: leads.is_some(),
            is_late: !attr.required && leads.and_then(place).is_some_and(|to| to > number),
            required: attr.required,
            unique: attr.unique,
            indexed: attr.indexed,
        });
    }
    let named = |label: &str| table.columns.iter().any(|column| column.name == label);
    let extras: Vec<Attr> = schema
        .of(etype)
        .filter(|attr| !attr.is_link && attr.label != "id" && !named(&attr.label))
        .cloned()
        .collect();
    for attr in schema.of(etype).filter(|attr| attr.required && !named(&attr.label)) {
        if attr.label != "id" {
            lacks.add(
                &format!("{etype}.{}", attr.label),
                "is required there; the target model does not know it",
            );
        }
    }
    let others =
        sides(schema, etype).into_iter().filter(|side| !(side.forward && named(&side.label)));
    let (table, etype, others) = (etype.clone(), etype.clone(), others.collect());
    Shape { table, etype, columns, side: None, extras, others }
}

/// What a column is, for people: `an attribute, date, required, indexed`.
fn described(plan: &Plan, etype: &str, column: &Column) -> String {
    let flag = |is: bool, name: &str| if is { format!(", {name}") } else { String::new() };
    match &column.leads_to {
        Some(to) => {
            let reverse = plan.schema.link(etype, &column.name);
            let reverse = reverse.and_then(|link| link.reverse.as_ref());
            let reverse =
                reverse.map_or(String::new(), |label| format!(", seen there as `{label}`"));
            let from = if column.unique { "one" } else { "many" };
            format!("a link that has one of `{to}`{reverse}, which has {from}")
        }
        None => format!(
            "an attribute, {}{}{}{}",
            kind_name(column.kind),
            flag(column.required, "required"),
            flag(column.unique, "unique"),
            flag(column.indexed, "indexed")
        ),
    }
}

fn kind_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "string",
        ColumnKind::Number => "number",
        ColumnKind::Boolean => "boolean",
        ColumnKind::Date => "date",
        ColumnKind::Json | ColumnKind::Whole => "any",
    }
}

/// An attribute that checks no type holds ours as well.
fn check_attr(name: &str, column: &Column, attr: &Attr, lacks: &mut Lacks) {
    let wanted = kind_name(column.kind);
    if attr.is_link || attr.is_many {
        return lacks.add(name, &format!("is a link there, and {wanted} in the target model"));
    }
    if let Some(checked) = attr.checked
        && checked.name() != wanted
    {
        lacks.add(name, &format!("is {} there, and {wanted} in the target model", checked.name()));
    }
    if attr.unique && !column.unique {
        lacks.add(name, "is unique there, and not in the target model");
    }
    if attr.required && !column.required {
        lacks.add(name, "is required there, and not in the target model");
    }
}

fn check_link(plan: &Plan, (etype, column): (&str, &Column), attr: &Attr, lacks: &mut Lacks) {
    let name = format!("{etype}.{}", column.name);
    if !attr.is_link {
        return lacks.add(&name, "is an attribute there, and a link in the target model");
    }
    if attr.is_many {
        lacks.add(&name, "has many there, and one in the target model");
    }
    if attr.unique != column.unique {
        let word = |unique: bool| if unique { "one" } else { "many" };
        let (there, here) = (word(attr.unique), word(column.unique));
        lacks.add(&name, &format!("is had by {there} there, and by {here} in the target model"));
    }
    let Some(link) = plan.schema.link(etype, &column.name) else { return };
    let (to, label) = attr.reverse.clone().unwrap_or_default();
    let (wanted_to, wanted) = link.back().unwrap_or_default();
    if (to.as_str(), label.as_str()) != (wanted_to, wanted) {
        let (there, here) = (format!("`{to}.{label}`"), format!("`{wanted_to}.{wanted}`"));
        lacks.add(&name, &format!("leads to {there} there, and to {here} in the target model"));
    }
}

fn link_table(
    plan: &Plan,
    schema: &AppSchema,
    (table, label): (&Table, &str),
    lacks: &mut Lacks,
) -> Option<Shape> {
    let links = plan
        .meta
        .links
        .iter()
        .find(|links| format!("{}.{}", links.entity, links.label) == table.name)?;
    let etype = &links.entity;
    let sides: Vec<Side> =
        sides(schema, etype).into_iter().filter(|side| side.to == links.target).collect();
    let named = sides.iter().find(|side| side.label == label);
    // The app may call it otherwise; then the only link that is none of ours says what is meant.
    let is_ours = |side: &&Side| {
        let tables = plan.meta.links.iter();
        let mut tables = tables.map(|links| (links.entity.as_str(), links.label.as_str()));
        tables.any(|ours| ours == (etype.as_str(), side.label.as_str()))
            || plan.schema.links.iter().any(|link| link.is_under(etype, &side.label))
    };
    let mut others = sides.iter().filter(|side| !is_ours(side));
    let only = others.next().filter(|_| others.next().is_none());
    let Some(side) = named.or(only).cloned() else {
        let found = schema.attr(etype, label).is_some();
        let why = if found {
            "leads elsewhere there; under another label, it misses"
        } else {
            "is missing:"
        };
        // Neither a push nor a query of the API knows a link without a label on its other side.
        let is_unknown = links.declared.as_ref().is_some_and(|declared| declared.reverse.is_none());
        let why = if is_unknown {
            "has no label on its other side: an archive holds it, the API cannot".to_owned()
        } else {
            format!("{why} a link to `{}`", links.target)
        };
        lacks.add(&table.name, &why);
        return None;
    };
    if let Some(declared) = &links.declared {
        for (one, ours, end) in [
            (side.one, declared.has_one, "has"),
            (side.unique, declared.reverse_has_one, "is had by"),
        ] {
            if one && !ours {
                lacks.add(&table.name, &format!("{end} one there, and many in the bundle"));
            }
        }
    }
    Some(Shape {
        table: table.name.clone(),
        etype: etype.clone(),
        columns: Vec::new(),
        side: Some(side),
        extras: Vec::new(),
        others: Vec::new(),
    })
}

/// The links of an entity as it sees them, from either side.
fn sides(schema: &AppSchema, etype: &str) -> Vec<Side> {
    let mut sides = Vec::new();
    for attr in schema.attrs.iter().filter(|attr| attr.is_link) {
        let Some((to, other)) = attr.reverse.clone() else { continue };
        let (one, many) = (!attr.is_many, attr.unique);
        if attr.etype == etype {
            let (to, other, label) = (to.clone(), other.clone(), attr.label.clone());
            sides.push(Side { label, to, other, one, unique: many, forward: true });
        }
        if to == etype {
            let (to, label, other) = (attr.etype.clone(), other, attr.label.clone());
            sides.push(Side { label, to, other, one: many, unique: one, forward: false });
        }
    }
    sides
}
