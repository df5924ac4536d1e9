//! `POST /admin/query`: `InstaQL` over the triples.

use std::borrow::Cow;
use std::cmp::Ordering;

use rethread::json::string;
use rethread::snapshot::parse_date;
use serde_json::{Map, Value};

use super::scan::canonical;
use super::store::{Refusal, Store, refusal};

const OPTIONS: [&str; 12] = [
    "where",
    "order",
    "limit",
    "first",
    "last",
    "offset",
    "after",
    "before",
    "afterInclusive",
    "beforeInclusive",
    "aggregate",
    "fields",
];

fn invalid(message: impl Into<String>) -> Refusal {
    refusal("validation-failed", format!("Validation failed for query: {}", message.into()), "{}")
}

/// Answers the body of a query.
pub(crate) fn query(store: &Store, body: &str) -> Result<String, Refusal> {
    let body: Value = serde_json::from_str(body)
        .map_err(|_| refusal("param-missing", "Missing parameter: [\"body\" \"query\"]", "{}"))?;
    let Some(query) = body["query"].as_object() else {
        return Err(refusal("param-malformed", "Malformed parameter: [\"body\" \"query\"]", "{}"));
    };
    let ask = Ask { store, inference: body["inference?"] == true };
    let mut answer = Vec::new();
    for (etype, form) in query.iter().filter(|(name, _)| !name.starts_with("$$")) {
        let rows = ask.top(etype, form)?;
        answer.push(format!("{}:[{}]", Value::from(etype.as_str()), rows.join(",")));
    }
    Ok(format!("{{{}}}", answer.join(",")))
}

struct Ask<'a> {
    store: &'a Store,
    inference: bool,
}

impl Ask<'_> {
    fn top(&self, etype: &str, form: &Value) -> Result<Vec<String>, Refusal> {
        let empty = Map::new();
        let options = form["$"].as_object().unwrap_or(&empty);
        check_options(options, true)?;
        if self.store.attr(etype, "id").is_none() {
            return Ok(Vec::new());
        }
        let mut ids = self.filter(etype, self.store.ids(etype), options.get("where"));
        self.order(etype, &mut ids, options.get("order"))?;
        let number = |key: &str| {
            options.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok())
        };
        ids.drain(..number("offset").unwrap_or(0).min(ids.len()));
        if let Some(most) = number("limit").or_else(|| number("first")) {
            ids.truncate(most);
        }
        if let Some(most) = number("last") {
            ids.drain(..ids.len().saturating_sub(most));
        }
        if options.contains_key("aggregate") {
            return Ok(Vec::new());
        }
        ids.iter().map(|id| self.row(etype, id, form)).collect()
    }

    fn created(&self, etype: &str, id: &str) -> i64 {
        let attr = self.store.attr(etype, "id");
        attr.and_then(|attr| self.store.one(attr, id)).map_or(0, |triple| triple.at)
    }

    fn row(&self, etype: &str, id: &str, form: &Value) -> Result<String, Refusal> {
        let fields = form["$"]["fields"].as_array();
        let taken = |label: &str| {
            label == "id" || fields.is_none_or(|fields| fields.iter().any(|field| field == label))
        };
        let children: Vec<(&String, &Value)> =
            form.as_object().into_iter().flatten().filter(|(label, _)| *label != "$").collect();
        let is_child = |label: &str| children.iter().any(|(child, _)| *child == label);
        let mut parts = Vec::new();
        for (at, attr) in self.store.of(etype) {
            if attr.many || !taken(&attr.label) || is_child(&attr.label) {
                continue;
            }
            if let Some(triple) = self.store.one(at, id) {
                parts.push(format!("{}:{}", Value::from(attr.label.as_str()), triple.raw));
            }
        }
        for (label, form) in children {
            parts.push(format!(
                "{}:{}",
                Value::from(label.as_str()),
                self.child((etype, id), label, form)?
            ));
        }
        Ok(format!("{{{}}}", parts.join(",")))
    }

    /// An expanded link: an array, in which what does not exist is null.
    fn child(
        &self,
        (etype, id): (&str, &str),
        label: &str,
        form: &Value,
    ) -> Result<String, Refusal> {
        let empty = Map::new();
        let options = form["$"].as_object().unwrap_or(&empty);
        check_options(options, false)?;
        let forward = self.store.attr(etype, label).filter(|at| self.store.attrs[*at].link);
        let (to, mut ids, one) = match (forward, self.store.reverse(etype, label)) {
            (Some(at), _) => {
                let values = self.store.values(at, id).into_iter().flatten();
                let ids: Vec<String> = values
                    .filter_map(|(_, triple)| string(&triple.raw).map(Cow::into_owned))
                    .collect();
                let attr = &self.store.attrs[at];
                let to = attr.reverse.clone().map(|(to, _)| to).unwrap_or_default();
                (to, ids, !attr.many)
            }
            (None, Some(at)) => {
                let attr = &self.store.attrs[at];
                (attr.etype.clone(), self.store.having(at, &format!("\"{id}\"")), attr.unique)
            }
            (None, None) => return Ok("[]".to_owned()),
        };
        ids = self.filter(&to, ids, options.get("where"));
        ids.sort_by_key(|id| (self.created(&to, id), id.clone()));
        let mut rows = Vec::new();
        for id in ids {
            let exists = self.store.exists(&to, &id);
            rows.push(if exists { self.row(&to, &id, form)? } else { "null".to_owned() });
        }
        if self.inference && one {
            return Ok(rows.into_iter().next().unwrap_or_else(|| "null".to_owned()));
        }
        Ok(format!("[{}]", rows.join(",")))
    }

    fn filter(&self, etype: &str, ids: Vec<String>, condition: Option<&Value>) -> Vec<String> {
        let Some(condition) = condition else { return ids };
        ids.into_iter().filter(|id| self.holds(etype, id, condition)).collect()
    }

    fn holds(&self, etype: &str, id: &str, condition: &Value) -> bool {
        let Some(condition) = condition.as_object() else { return false };
        condition.iter().all(|(key, wanted)| {
            let parts = || wanted.as_array().into_iter().flatten();
            match key.as_str() {
                "or" => parts().any(|part| self.holds(etype, id, part)),
                "and" => parts().all(|part| self.holds(etype, id, part)),
                "$entityIdStartsWith" => wanted.as_str().is_some_and(|start| id.starts_with(start)),
                label => {
                    let label = label.strip_suffix(".id").unwrap_or(label);
                    self.store.attr(etype, label).is_some_and(|attr| self.matches(attr, id, wanted))
                }
            }
        })
    }

    fn matches(&self, attr: usize, id: &str, wanted: &Value) -> bool {
        let held = self.store.values(attr, id);
        let is_null = held.is_none_or(|held| held.contains_key("null"));
        let has = |value: &Value| {
            let is_held = |key: String| held.is_some_and(|held| held.contains_key(&key));
            if value.is_null() { is_null } else { is_held(canonical(&value.to_string())) }
        };
        let Some(operators) = wanted.as_object() else { return has(wanted) };
        operators.iter().all(|(operator, value)| match operator.as_str() {
            "$in" => value.as_array().into_iter().flatten().any(has),
            "$not" | "$ne" => !has(value),
            "$isNull" => is_null == (*value == Value::Bool(true)),
            _ => false,
        })
    }

    fn order(&self, etype: &str, ids: &mut [String], order: Option<&Value>) -> Result<(), Refusal> {
        ids.sort_by_key(|id| (self.created(etype, id), id.clone()));
        let Some(order) = order.and_then(Value::as_object) else { return Ok(()) };
        let Some((label, direction)) = order.iter().next().filter(|_| order.len() == 1) else {
            return Err(invalid("Only one order key is supported."));
        };
        if !["asc", "desc"].iter().any(|known| direction == known) {
            return Err(invalid("The direction must be asc or desc."));
        }
        if label != "serverCreatedAt" {
            let attr = self.store.attr(etype, label);
            let sound = attr.filter(|at| {
                let attr = &self.store.attrs[*at];
                attr.indexed && attr.checked.is_some() && !attr.many
            });
            let Some(attr) = sound else {
                return Err(invalid(format!(
                    "The `{etype}.{label}` attribute is not indexed. Only indexed and typed attributes can be used to order by."
                )));
            };
            let value = |id: &str| self.store.one(attr, id).map(|triple| triple.raw.clone());
            ids.sort();
            ids.sort_by(|a, b| compare(value(a).as_deref(), value(b).as_deref()));
        }
        if direction == "desc" {
            ids.reverse();
        }
        Ok(())
    }
}

/// Nulls first; dates by time, numbers by value, texts by UTF-16.
fn compare(a: Option<&str>, b: Option<&str>) -> Ordering {
    let known = |raw: Option<&str>| raw.filter(|raw| *raw != "null").map(str::to_owned);
    let (Some(a), Some(b)) = (known(a), known(b)) else {
        return known(a).is_some().cmp(&known(b).is_some());
    };
    let micros = |raw: &str| string(raw).and_then(|text| parse_date(&text)).map(|date| date.micros);
    match (micros(&a), micros(&b), a.parse::<f64>(), b.parse::<f64>()) {
        (Some(a), Some(b), _, _) => a.cmp(&b),
        (_, _, Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.encode_utf16().cmp(b.encode_utf16()),
    }
}

fn check_options(options: &Map<String, Value>, top: bool) -> Result<(), Refusal> {
    for key in options.keys() {
        if !OPTIONS.contains(&key.as_str()) {
            return Err(invalid("We only support `where`, `order`, `limit`, …"));
        }
        if !top && ["offset", "after", "before"].contains(&key.as_str()) {
            return Err(invalid("We only support pagination at the top level."));
        }
    }
    let limits = ["limit", "first", "last"].iter().filter(|key| options.contains_key(**key));
    if limits.count() > 1 {
        return Err(invalid("We only support one of `limit`, `first`, `last`."));
    }
    Ok(())
}
