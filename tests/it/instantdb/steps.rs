//! `POST /admin/transact`: from steps to triples, and what is checked on the way.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rethread::json::{elements, members, string};
use serde_json::json;

use super::checks::{check_size, check_type, merge};
use super::scan::{canonical, scan, uuid, walk_uuids};
use super::store::{Attr, Refusal, Store, refusal};

/// pgjdbc's limit of bind parameters.
const PARAMETERS: usize = 65_535;

/// A step on triples.
enum Op {
    Add { attr: usize, id: String, raw: String },
    Merge { attr: usize, id: String, raw: String },
    Retract { attr: usize, id: String, raw: String },
    Delete { etype: String, id: String },
}

impl Op {
    fn rank(&self) -> usize {
        match self {
            Op::Add { .. } => 0,
            Op::Merge { .. } => 1,
            Op::Retract { .. } => 2,
            Op::Delete { .. } => 3,
        }
    }

    fn parameters(&self) -> usize {
        [5, 5, 4, 2][self.rank()]
    }
}

/// Runs the steps of a body as one transaction; gives its number.
pub(crate) fn transact(store: &mut Store, body: &str) -> Result<u64, Refusal> {
    let malformed = |what: &str| {
        refusal("param-missing", format!("Missing parameter: [\"body\" \"{what}\"]"), "{}")
    };
    let looked = scan(body);
    if looked.depth > 1000 || looked.longest > 20_000_000 {
        let message = "Something went wrong. Sorry about this!".to_owned();
        return Err(Refusal { http: 500, kind: "unknown", message, hint: "{}".to_owned() });
    }
    let body = members(body).map_err(|_| malformed("steps"))?;
    let get = |key: &str| body.iter().find(|(name, _)| name == key).map(|(_, raw)| *raw);
    let steps = get("steps").ok_or_else(|| malformed("steps"))?;
    let strict = get("throw-on-missing-attrs?") == Some("true");
    if looked.has_nul {
        let message = "A value in the transaction contains null bytes, which cannot be stored.";
        return Err(refusal("validation-failed", message, "{}"));
    }
    store.transaction(|store| {
        let run = Run { store, steps, strict, touched: BTreeSet::new(), created: BTreeSet::new() };
        run.all()
    })?;
    for step in elements(steps).unwrap_or_default() {
        let parts = elements(step).unwrap_or_default();
        let text =
            |at: usize| parts.get(at).and_then(|raw| string(raw)).unwrap_or_default().into_owned();
        if text(0) == "update" {
            *store.updates.entry((text(1), text(2))).or_default() += 1;
        }
    }
    Ok(store.tx)
}

struct Run<'a> {
    store: &'a mut Store,
    steps: &'a str,
    strict: bool,
    touched: BTreeSet<(String, String)>,
    created: BTreeSet<(String, String)>,
}

impl Run<'_> {
    fn all(mut self) -> Result<(), Refusal> {
        let steps: Vec<String> = elements(self.steps)
            .map_err(|_| self.invalid("no array", &[]))?
            .iter()
            .map(|step| walk_uuids(step))
            .collect();
        self.check_attributes(&steps)?;
        let mut ops = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            self.expand(at, step, &mut ops)?;
        }
        if ops.iter().map(Op::parameters).sum::<usize>() > PARAMETERS {
            let message = "There are too many parameters in the transaction or query.";
            return Err(refusal("parameter-limit-exceeded", message, "{}"));
        }
        let mut order: Vec<usize> = Vec::new();
        for op in &ops {
            if !order.contains(&op.rank()) {
                order.push(op.rank());
            }
        }
        for rank in order {
            for op in ops.iter().filter(|op| op.rank() == rank) {
                self.apply(op)?;
            }
            self.fill_indexed();
            self.check_unique(&ops)?;
        }
        self.check_required()
    }

    fn invalid(&self, message: &str, place: &[usize]) -> Refusal {
        let error = json!({ "message": message, "in": place });
        let hint = format!(r#"{{"data-type":"steps","input":{},"errors":[{error}]}}"#, self.steps);
        refusal("validation-failed", format!("Validation failed for steps: {message}"), &hint)
    }

    /// With `throw-on-missing-attrs?`, every attribute of every step must be there.
    fn check_attributes(&self, steps: &[String]) -> Result<(), Refusal> {
        if !self.strict {
            return Ok(());
        }
        let mut missing = BTreeSet::new();
        for step in steps {
            let Some((op, etype, args)) = parts(step) else { continue };
            for (label, _) in members(args).unwrap_or_default() {
                let known = match op.as_str() {
                    "link" | "unlink" => self.link(&etype, &label).is_some(),
                    _ => label == "id" || self.store.attr(&etype, &label).is_some(),
                };
                if !known {
                    missing.insert(format!("{etype}.{label}"));
                }
            }
            if self.store.attr(&etype, "id").is_none() {
                missing.insert(format!("{etype}.id"));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = "Attributes are missing in your schema";
        let errors = json!([{ "message": message, "hint": { "attributes": missing } }]);
        let hint = format!(r#"{{"data-type":"steps","input":{},"errors":{errors}}}"#, self.steps);
        Err(refusal("validation-failed", format!("Validation failed for steps: {message}"), &hint))
    }

    /// The link of that label, from either side; true when from the forward one.
    fn link(&self, etype: &str, label: &str) -> Option<(usize, bool)> {
        let forward = self.store.attr(etype, label).filter(|at| self.store.attrs[*at].link);
        forward
            .map(|at| (at, true))
            .or_else(|| self.store.reverse(etype, label).map(|at| (at, false)))
    }

    fn expand(&mut self, at: usize, step: &str, ops: &mut Vec<Op>) -> Result<(), Refusal> {
        let parts = elements(step).map_err(|_| self.invalid("no step", &[at]))?;
        let text = |at: usize| parts.get(at).and_then(|raw| string(raw)).map(Cow::into_owned);
        let (Some(op), Some(etype)) = (text(0), text(1)) else {
            return Err(self.invalid("no step", &[at]));
        };
        self.store_entity(&etype);
        let id = self.entity(at, &etype, parts.get(2).unwrap_or(&"null"))?;
        let args = parts.get(3).copied().unwrap_or("null");
        let strict =
            parts.get(4).is_some_and(|opts| opts.replace(' ', "").contains("\"upsert\":false"));
        let exists = self.store.exists(&etype, &id);
        match op.as_str() {
            "create" if exists => {
                return Err(self.invalid(&format!("Creating entities that exist: {id}"), &[at]));
            }
            "update" | "merge" if strict && !exists => {
                return Err(
                    self.invalid(&format!("Updating entities that don't exist: {id}"), &[at])
                );
            }
            "create" | "update" | "merge" => self.values(&op, (&etype, &id), args, ops)?,
            "link" | "unlink" => self.links(&op, (&etype, &id), args, ops)?,
            "delete" => ops.push(Op::Delete { etype, id }),
            _ => return Err(self.invalid("Unsupported action", &[at, 0])),
        }
        Ok(())
    }

    fn store_entity(&mut self, etype: &str) {
        if !self.strict {
            self.store.declare_entity(etype);
        }
    }

    /// The id of a step: a UUID, or a lookup of an entity that exists.
    fn entity(&self, at: usize, etype: &str, raw: &str) -> Result<String, Refusal> {
        let text = string(raw);
        let wrong = || {
            let shown = text.as_deref().unwrap_or(raw);
            self.invalid(
                &format!(
                    "Invalid entity ID '{shown}'. Entity IDs must be UUIDs or lookup references."
                ),
                &[at, 2],
            )
        };
        if let Some(id) = text.as_deref().and_then(uuid) {
            return Ok(id);
        }
        let pair = elements(raw).ok().filter(|pair| pair.len() == 2).ok_or_else(wrong)?;
        let label = string(pair[0]).ok_or_else(wrong)?;
        let attr = self.store.attr(etype, &label).ok_or_else(wrong)?;
        self.store.having(attr, pair[1]).into_iter().next().ok_or_else(wrong)
    }

    fn values(
        &mut self,
        op: &str,
        (etype, id): (&str, &str),
        args: &str,
        ops: &mut Vec<Op>,
    ) -> Result<(), Refusal> {
        let own = |store: &Store| store.attr(etype, "id").expect("it was checked or made");
        ops.push(Op::Add { attr: own(self.store), id: id.to_owned(), raw: format!("\"{id}\"") });
        for (label, raw) in members(args).unwrap_or_default() {
            if label == "id" {
                continue;
            }
            let attr = self.store.attr(etype, &label).unwrap_or_else(|| {
                let (etype, label) = (etype.to_owned(), label.clone().into_owned());
                self.store.declare(Attr { etype, label, ..Attr::default() })
            });
            let (id, raw) = (id.to_owned(), raw.to_owned());
            if op == "merge" && self.store.attrs[attr].link {
                let message = "merge operation is not supported for links";
                return Err(refusal("sql-raise", message, "{}"));
            }
            ops.push(match op {
                "merge" => Op::Merge { attr, id, raw },
                _ => Op::Add { attr, id, raw },
            });
        }
        Ok(())
    }

    fn links(
        &mut self,
        op: &str,
        (etype, id): (&str, &str),
        args: &str,
        ops: &mut Vec<Op>,
    ) -> Result<(), Refusal> {
        for (label, raw) in members(args).unwrap_or_default() {
            if label == "id" {
                continue;
            }
            let (attr, forward) = self.link(etype, &label).unwrap_or_else(|| {
                let (etype, label) = (etype.to_owned(), label.clone().into_owned());
                let reverse = Some((label.clone(), etype.clone()));
                let made =
                    Attr { etype, label, link: true, many: true, reverse, ..Attr::default() };
                (self.store.declare(made), true)
            });
            let targets =
                if raw.starts_with('[') { elements(raw).unwrap_or_default() } else { vec![raw] };
            for target in targets {
                let target = string(target).and_then(|text| uuid(&text)).ok_or_else(|| {
                    refusal("validation-failed", "Linked value must be a valid uuid.", "{}")
                })?;
                let (from, to) =
                    if forward { (id.to_owned(), target) } else { (target, id.to_owned()) };
                let raw = format!("\"{to}\"");
                ops.push(match op {
                    "link" => Op::Add { attr, id: from, raw },
                    _ => Op::Retract { attr, id: from, raw },
                });
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op) -> Result<(), Refusal> {
        match op {
            Op::Add { attr, id, raw } => self.add(*attr, id, raw),
            Op::Merge { attr, id, raw } => {
                let old = self.store.one(*attr, id).map_or("null", |triple| &triple.raw);
                let merged = merge(old, raw);
                self.add(*attr, id, &merged)
            }
            Op::Retract { attr, id, raw } => {
                self.store.retract(*attr, id, raw);
                self.touch(*attr, id);
                Ok(())
            }
            Op::Delete { etype, id } => {
                self.store.delete(etype, id);
                Ok(())
            }
        }
    }

    fn touch(&mut self, attr: usize, id: &str) {
        self.touched.insert((self.store.attrs[attr].etype.clone(), id.to_owned()));
    }

    fn add(&mut self, attr: usize, id: &str, raw: &str) -> Result<(), Refusal> {
        let declared = &self.store.attrs[attr];
        check_type(declared, id, raw)?;
        check_size(declared, id, raw)?;
        if self.store.demand.is_some_and(|refuses| refuses(&declared.etype, id)) {
            let hint = if self.store.names_them {
                super::checks::blame(declared, id, raw, false)
            } else {
                "{}".to_owned()
            };
            return Err(refusal("sql-raise", "the app does not take it", &hint));
        }
        if declared.label == "id" && !self.store.exists(&declared.etype, id) {
            self.created.insert((declared.etype.clone(), id.to_owned()));
        }
        self.touch(attr, id);
        self.store.put(attr, id, raw);
        Ok(())
    }

    /// Indexed attributes of a new entity get a null.
    fn fill_indexed(&mut self) {
        for (etype, id) in std::mem::take(&mut self.created) {
            let indexed: Vec<usize> = self
                .store
                .of(&etype)
                .filter(|(_, attr)| attr.indexed && !attr.link && attr.label != "id")
                .map(|(at, _)| at)
                .collect();
            for attr in indexed {
                if self.store.values(attr, &id).is_none() {
                    self.store.put(attr, &id, "null");
                }
            }
        }
    }

    fn check_unique(&self, ops: &[Op]) -> Result<(), Refusal> {
        for op in ops {
            let (Op::Add { attr, id, raw } | Op::Merge { attr, id, raw }) = op else { continue };
            let declared = &self.store.attrs[*attr];
            let held =
                self.store.values(*attr, id).is_some_and(|held| held.contains_key(&canonical(raw)));
            let others = || self.store.having(*attr, raw).len() > 1;
            if !declared.unique || declared.label == "id" || raw == "null" || !held || !others() {
                continue;
            }
            let (etype, label) = (&declared.etype, &declared.label);
            let message = format!(
                "`{label}` is a unique attribute on `{etype}` and an entity already exists with `{etype}.{label}` = {raw}"
            );
            let hint = format!(
                r#"{{"record-type":"triple","attr-id":"{}","etype":"{etype}","label":"{label}","value":{raw}}}"#,
                declared.id
            );
            return Err(refusal("record-not-unique", message, &hint));
        }
        Ok(())
    }

    fn check_required(&self) -> Result<(), Refusal> {
        for (etype, id) in &self.touched {
            if !self.store.exists(etype, id) {
                continue;
            }
            for (at, attr) in self.store.of(etype).filter(|(_, attr)| attr.required) {
                if self.store.one(at, id).is_some_and(|triple| triple.raw != "null") {
                    continue;
                }
                let label = &attr.label;
                let message = format!("Missing required attribute `{etype}/{label}`: {id}");
                let record =
                    json!({ "entity_id": id, "attr_id": attr.id, "etype": etype, "label": label });
                let hint = json!({ "records": [record] }).to_string();
                return Err(refusal("validation-failed", message, &hint));
            }
        }
        Ok(())
    }
}

/// Operation, entity and arguments of a step.
fn parts(step: &str) -> Option<(String, String, &str)> {
    let parts = elements(step).ok()?;
    let text = |at: usize| string(parts.get(at)?).map(Cow::into_owned);
    Some((text(0)?, text(1)?, parts.get(3).copied().unwrap_or("null")))
}
