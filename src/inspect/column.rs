//! One column in figures: how many rows have a value, which values, from when to when, how large.

use std::collections::BTreeMap;

use serde::Serialize;

use super::parts::{Generation, Parts};
use super::sizes::{Sizes, Spread};
use crate::digest::{self, micros_text};

/// Distinct values of a set.
const MOST_VALUES: usize = 50;
/// Bytes of a value of a set.
const LONGEST: usize = 64;

/// One column in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `string number boolean date any link`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Rows that have a value.
    pub filled: u64,
    /// Its values, where they are short and few.
    pub values: Option<Values>,
    /// The least and the greatest number or moment.
    pub span: Option<Span>,
    /// How large its payloads are.
    pub sizes: Option<Sizes>,
    /// Message parts of the AI SDK among its payloads, by the generation that wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Generation>>,
}

/// A set of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Values {
    /// How many there are; at least so many when there are more than are counted.
    pub distinct: u64,
    /// Whether there are more.
    pub more: bool,
    /// The values, most frequent first; none when there are more.
    pub counts: Vec<Value>,
}

/// A value and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// The value.
    pub value: String,
    /// Rows.
    pub rows: u64,
}

/// From the least to the greatest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// The least.
    pub least: String,
    /// The greatest.
    pub greatest: String,
}

/// Counts one column while its rows pass by.
pub(super) struct Tally {
    filled: u64,
    set: Option<BTreeMap<String, u64>>,
    dates: Option<(i64, i64)>,
    numbers: Option<(f64, f64)>,
    sizes: Option<Spread>,
    parts: Parts,
}

impl Tally {
    /// Begins with no row of a column of this type.
    pub(super) fn new(ty: &str) -> Self {
        Self {
            filled: 0,
            set: matches!(ty, "string" | "boolean").then(BTreeMap::new),
            dates: None,
            numbers: None,
            sizes: (ty == "any").then(Spread::default),
            parts: Parts::default(),
        }
    }

    /// Takes the value of a row in.
    pub(super) fn add(&mut self, value: digest::Value<'_>) {
        use digest::Value;
        self.filled += u64::from(value != Value::Absent);
        match value {
            Value::Absent => {}
            Value::Text(text) => self.count(text),
            Value::Boolean(value) => self.count(if value { "true" } else { "false" }),
            Value::Date(micros) => {
                let (least, greatest) = self.dates.get_or_insert((micros, micros));
                (*least, *greatest) = ((*least).min(micros), (*greatest).max(micros));
            }
            Value::Number(number) => {
                let (least, greatest) = self.numbers.get_or_insert((number, number));
                (*least, *greatest) = (least.min(number), greatest.max(number));
            }
            Value::Json(text) => {
                self.parts.add(text);
                if let Some(sizes) = &mut self.sizes {
                    sizes.add(text.len() as u64);
                }
            }
        }
    }

    fn count(&mut self, text: &str) {
        let Some(set) = &mut self.set else { return };
        if let Some(rows) = set.get_mut(text) {
            *rows += 1;
        } else if text.len() > LONGEST {
            // Long texts are no set of values.
            self.set = None;
        } else if set.len() <= MOST_VALUES {
            set.insert(text.to_owned(), 1);
        }
    }

    /// The figures of the column.
    pub(super) fn finish(self, name: &str, ty: &str) -> Column {
        let dates = self.dates.map(|(least, greatest)| Span {
            least: micros_text(least),
            greatest: micros_text(greatest),
        });
        let numbers = self.numbers.map(|(least, greatest)| Span {
            least: least.to_string(),
            greatest: greatest.to_string(),
        });
        Column {
            name: name.to_owned(),
            ty: ty.to_owned(),
            filled: self.filled,
            values: self.set.filter(|set| !set.is_empty()).map(values),
            span: dates.or(numbers),
            sizes: self.sizes.and_then(Spread::finish),
            parts: self.parts.finish(),
        }
    }
}

fn values(set: BTreeMap<String, u64>) -> Values {
    let more = set.len() > MOST_VALUES;
    let distinct = set.len().min(MOST_VALUES) as u64;
    let mut counts: Vec<Value> = if more {
        Vec::new()
    } else {
        set.into_iter().map(|(value, rows)| Value { value, rows }).collect()
    };
    counts.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
    Values { distinct, more, counts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Value as Held;

    #[test]
    fn a_set_of_values_is_capped() {
        let count = |values: usize| {
            let mut tally = Tally::new("string");
            for value in 0..values {
                tally.add(Held::Text(&value.to_string()));
                tally.add(Held::Text("0"));
            }
            tally.finish("a", "string").values.unwrap()
        };
        let all = count(50);
        assert_eq!((all.distinct, all.more, all.counts.len()), (50, false, 50));
        assert_eq!(all.counts[0], Value { value: "0".to_owned(), rows: 51 });
        let many = count(60);
        assert_eq!((many.distinct, many.more, many.counts.len()), (50, true, 0));
    }

    #[test]
    fn long_texts_are_no_set() {
        let mut tally = Tally::new("string");
        tally.add(Held::Text("short"));
        tally.add(Held::Text(&"x".repeat(65)));
        let column = tally.finish("a", "string");
        assert_eq!((column.filled, column.values), (2, None));
    }
}
