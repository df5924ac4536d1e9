//! What is counted with ids and shown: it stops nothing, unless a limit says so.

use super::{Limit, Template};

/// Something to be counted in the migrated rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// What is counted, as a noun in the plural: `items in no conversation`.
    pub note: String,
    /// The same in the singular; empty where a count of one is shown in other words.
    pub one: String,
    /// What it looks for.
    pub what: NoteWhat,
    /// More than this fails the verification, column by column.
    pub max: Limit,
}

/// A column of a target table: the entity and the name of an attribute or has-one link.
pub type NoteColumn = (String, String);

/// What a note looks for in migrated rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteWhat {
    /// Attributes or has-one links that are null.
    Null(Vec<NoteColumn>),
    /// Attributes of type `any` whose JSON is a string.
    Text(Vec<NoteColumn>),
    /// A text attribute with another value than the text built of attributes of its row. A row in
    /// which either is missing does not count.
    Unlike {
        /// The attribute.
        column: NoteColumn,
        /// The text.
        template: Template,
    },
    /// Rows that share all of these with another row of the table; null is shared with none.
    Shared {
        /// The target entity.
        target: String,
        /// Attributes or has-one links.
        by: Vec<String>,
    },
    /// A has-one link that leads elsewhere than the link of the row that another link leads to. A row
    /// in which either is missing does not count.
    Differ {
        /// The link.
        column: NoteColumn,
        /// The label of the other link of the row.
        over: String,
        /// The label of the link of the row which that one leads to.
        take: String,
    },
}

impl NoteWhat {
    /// What it looks for, one column each.
    pub fn single(&self) -> Vec<NoteWhat> {
        let one = |column: &NoteColumn| vec![column.clone()];
        match self {
            NoteWhat::Null(columns) => {
                columns.iter().map(|column| NoteWhat::Null(one(column))).collect()
            }
            NoteWhat::Text(columns) => {
                columns.iter().map(|column| NoteWhat::Text(one(column))).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// The target entity it looks at, the first where columns of several are named.
    pub fn entity(&self) -> &str {
        match self {
            NoteWhat::Null(columns) | NoteWhat::Text(columns) => {
                columns.first().map_or("", |(entity, _)| entity)
            }
            NoteWhat::Unlike { column, .. } | NoteWhat::Differ { column, .. } => &column.0,
            NoteWhat::Shared { target, .. } => target,
        }
    }

    /// The column it looks at, the first of several; or those that rows share.
    pub fn column(&self) -> String {
        match self {
            NoteWhat::Null(columns) | NoteWhat::Text(columns) => {
                columns.first().map_or_else(String::new, |(_, name)| name.clone())
            }
            NoteWhat::Unlike { column, .. } | NoteWhat::Differ { column, .. } => column.1.clone(),
            NoteWhat::Shared { by, .. } => by.join(", "),
        }
    }
}
