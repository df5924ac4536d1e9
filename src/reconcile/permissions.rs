//! Who may see and change the rows of the target.
//!
//! A target entity has the rules that the contract says, else those it has in the app already, else those
//! of the entity that its rows come from, with names of attributes and links as the target has them. What
//! cannot be rewritten becomes `false` and is named with the lines that say it: InstantDB takes a missing
//! rule for `true`, so that rows which were guarded would be open to everybody.

mod expression;
mod names;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::names::{At, Scope, Ways};
use crate::app::{ACTIONS, DEFAULT, Rules, binds};
use crate::contract::Contract;
use crate::error::Error;
use crate::schema::Schema;

pub use names::MovedLink;

#[cfg(test)]
mod tests;

/// The permission rules after the migration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// All of them, those of other entities included.
    pub rules: Rules,
    /// Where those of every target entity come from, in the contract's order.
    pub entities: Vec<EntityRules>,
}

/// Where the rules of one target entity come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityRules {
    /// The target entity.
    pub entity: String,
    /// Where they come from.
    pub from: RulesFrom,
    /// The entities that its rows come from.
    pub of: Vec<String>,
    /// What of their rules cannot be rewritten, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// What more people may do than could, as far as it is known: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<String>,
    /// The lines of a contract or a release file that say the rules as far as they could be rewritten.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lines: String,
}

/// Where rules come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulesFrom {
    /// The contract.
    Contract,
    /// The app has them already.
    App,
    /// The entities that the rows come from.
    Source,
    /// It has none of its own: what holds for every entity without any.
    Default,
}

/// What the rules are made of.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// The app's rules.
    pub rules: &'a Rules,
    /// Its schema.
    pub schema: &'a Schema,
    /// Its links that follow the rows.
    pub moved: &'a [MovedLink],
    /// Labels that are given up: entity, label, new label.
    pub renamed: &'a [(String, String, String)],
    /// The legacy entities go: what other entities say of them is rewritten too.
    pub legacy_goes: bool,
}

/// A block of rules on its way into the target.
struct Moving<'a> {
    scope: Scope<'a>,
    /// The entity, for messages.
    entity: &'a str,
    left: Vec<String>,
}

impl EntityRules {
    /// Where they come from, in words.
    pub fn origin(&self) -> String {
        let of: Vec<&str> = self.of.iter().map(String::as_str).collect();
        match self.from {
            RulesFrom::Contract => "by the contract".to_owned(),
            RulesFrom::App => "as the app has them".to_owned(),
            RulesFrom::Source => format!("those of {}", quoted(&of)),
            RulesFrom::Default => "none of its own".to_owned(),
        }
    }
}

impl Permissions {
    /// The rules after the migration.
    pub fn new(given: &Given<'_>) -> Self {
        let Given { contract, rules, .. } = *given;
        let mut after: Option<Map<String, Value>> = match rules {
            Rules::Unknown => Rules::closed().into(),
            known => known.clone().into(),
        };
        let mut entities = Vec::new();
        for entity in &contract.after.schema.entities {
            let said = contract.rules.iter().find(|(name, _)| *name == entity.name);
            let of = sources(contract, &entity.name);
            let (block, left) = given.taken(&entity.name, &of);
            let own = rules.of(&entity.name).filter(|own| !own.is_empty());
            let (from, block) = match (said, own, block) {
                (Some((_, said)), ..) => (RulesFrom::Contract, Some(said.clone())),
                (None, Some(_), _) => (RulesFrom::App, None),
                (None, None, Some(block)) => (RulesFrom::Source, Some(block)),
                (None, None, None) => (RulesFrom::Default, None),
            };
            if let Some(block) = block {
                let block = Value::Object(block);
                after.get_or_insert_default().insert(entity.name.clone(), block);
            }
            let left = if from == RulesFrom::Source { left } else { Vec::new() };
            let (name, of) = (entity.name.clone(), of.iter().map(|it| (*it).to_owned()).collect());
            entities.push(EntityRules {
                entity: name,
                from,
                of,
                left,
                opened: Vec::new(),
                lines: String::new(),
            });
        }
        let mut after: Rules = after.into();
        entities.extend(given.others(&mut after));
        let mut found = Self { rules: after, entities };
        let mut opened = opened(contract, rules, &found.rules);
        opened.extend(given.linked_otherwise(&found));
        for opened in opened {
            if let Some(it) = found.entities.iter_mut().find(|it| it.entity == opened.target) {
                it.opened.push(opened.what);
            }
        }
        for it in &mut found.entities {
            if !(it.left.is_empty() && it.opened.is_empty()) {
                let of: Vec<&str> = it.of.iter().map(String::as_str).collect();
                let wanted = given.taken(&it.entity, &of).0;
                it.lines =
                    lines(&it.entity, wanted.or_else(|| found.rules.of(&it.entity).cloned()));
            }
        }
        found
    }

    /// What is to be said of them, in sentences; `before` is what is known of the app's own.
    pub fn remarks(&self, before: &Rules) -> Vec<String> {
        let mut said = Vec::new();
        match before {
            Rules::Unknown => said.push(
                "the app's permission rules are not known: a backup says them since 2026-08-12, else the \
                 app itself or its database; an archive closes what the contract does not open \
                 (`$default` is `false`)"
                    .to_owned(),
            ),
            Rules::None => said.push(
                "the app has no permission rules: everybody may view and change its rows, the target's \
                 too unless the contract has `[after.rules]`"
                    .to_owned(),
            ),
            Rules::Known(_) => {
                let count = |from: RulesFrom| self.entities.iter().filter(|it| it.from == from).count();
                said.push(format!(
                    "the target's entities have permission rules from where their rows come: {}, of their \
                     own in the app: {}, by the contract: {}, none of their own: {}",
                    count(RulesFrom::Source),
                    count(RulesFrom::App),
                    count(RulesFrom::Contract),
                    count(RulesFrom::Default),
                ));
            }
        }
        said
    }

    /// What everybody may do with rows of the target by other rules, and may not by these.
    pub fn open_in(&self, other: &Rules, contract: &Contract) -> Vec<Opened> {
        let mut found = Vec::new();
        for entity in &contract.after.schema.entities {
            let name = &entity.name;
            let mut add = |what: String| found.push(Opened { target: name.clone(), what });
            for action in ACTIONS.into_iter().filter(|it| self.rules.is_guarded(name, it)) {
                let own = |rules: &Rules| rules.own(name, action).is_some();
                if !other.is_guarded(name, action) {
                    add(format!("everybody may {action} its rows"));
                } else if own(&self.rules) && !own(other) {
                    add(format!("`$default` alone says who may {action} its rows"));
                }
            }
            for attr in &entity.attrs {
                let is_guarded = |rules: &Rules| {
                    let code = rules.field(name, &attr.name);
                    code.is_some_and(|code| !rules.is_open(name, &code))
                };
                if is_guarded(&self.rules) && !is_guarded(other) {
                    add(format!("everybody may view `{}`", attr.name));
                }
            }
        }
        found
    }

    /// All of them as an `instant.perms.ts`.
    pub fn typescript(&self, before: &Rules) -> String {
        let rules: Option<Map<String, Value>> = self.rules.clone().into();
        let rules = serde_json::to_string_pretty(&rules.unwrap_or_default()).unwrap_or_default();
        let mut out = format!(
            "// The app's permission rules with those of the migration's target, written by {}.\n\
             // Look at them before you push them (`instant-cli push perms`).\n",
            crate::PROGRAM
        );
        let remarks = self.remarks(before).into_iter();
        let wrong = self.wrong();
        let wrong = wrong.iter().map(|said| format!("not settled, `false` for now: {said}"));
        for line in remarks.chain(wrong) {
            out.push_str(&format!("// {}\n", crate::error::printable(&line).replace('\n', " ")));
        }
        out.push_str("\nimport type { InstantRules } from \"@instantdb/core\";\n\nconst rules = ");
        for c in rules.chars() {
            match c {
                '\n' | ' '..='~' => out.push(c),
                c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    out.push_str(&format!("\\u{unit:04x}"));
                }),
            }
        }
        out.push_str(" satisfies InstantRules;\n\nexport default rules;\n");
        out
    }

    /// The rules of some entities as an `instant.perms.ts` has them.
    pub fn lines_for<'t>(&self, entities: impl Iterator<Item = &'t str>) -> String {
        let mut names: Vec<&str> = entities.collect();
        names.dedup();
        if names.iter().any(|name| self.rules.of(name).is_none()) {
            names.push(DEFAULT);
        }
        let rules = names.into_iter().filter_map(|name| Some((name, self.rules.of(name)?)));
        rules
            .map(|(name, rules)| format!("  {name:?}: {},\n", Value::Object(rules.clone())))
            .collect()
    }

    /// What is not settled: rules that could not be rewritten, and rows that would be open.
    pub fn wrong(&self) -> Vec<String> {
        let of = |it: &EntityRules| {
            let entity = &it.entity;
            let left = it.left.iter().map(|why| format!("`{entity}`: {why}"));
            let opened = it.opened.iter().map(|what| format!("`{entity}`: {what}"));
            left.chain(opened).collect::<Vec<_>>()
        };
        self.entities.iter().flat_map(of).collect()
    }

    /// Why no store that evaluates the rules may take the rows yet.
    ///
    /// # Errors
    /// Rows that were guarded would be open to everybody, or nobody knows to whom.
    pub fn judge(&self) -> Result<(), Error> {
        let wrong = self.entities.iter().filter(|it| !(it.left.is_empty() && it.opened.is_empty()));
        let wrong: Vec<&EntityRules> = wrong.collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let mut error =
            Error::refused("the permission rules of the app do not guard the target yet");
        error.at = self.wrong();
        let lines: String = wrong.iter().map(|it| it.lines.as_str()).collect();
        Err(error.help(format!(
            "say in the contract or a release file who may do what, and run again; as far as it is known:\n\
             [after.rules]\n{lines}"
        )))
    }
}

/// An action that everybody may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The target entity.
    pub target: String,
    /// What, and where it was guarded.
    pub what: String,
}

/// What everybody may do with rows of the target and could not do with the rows they come from. What the
/// contract says itself is meant so.
pub fn opened(contract: &Contract, before: &Rules, after: &Rules) -> Vec<Opened> {
    let mut found = Vec::new();
    let is_said = |target: &str| contract.rules.iter().any(|(name, _)| name == target);
    for rules in contract.transforms.iter().filter(|rules| !is_said(&rules.target)) {
        let (source, target) = (&rules.source, &rules.target);
        let mut add = |what: String| found.push(Opened { target: target.clone(), what });
        for action in ACTIONS.into_iter().filter(|action| before.is_guarded(source, action)) {
            if !after.is_guarded(target, action) {
                add(format!("everybody may {action} its rows (in `{source}` a rule guards it)"));
            } else if before.own(source, action).is_some() && after.own(target, action).is_none() {
                add(format!(
                    "`$default` alone says who may {action} its rows (`{source}` has a rule of its own)"
                ));
            }
        }
        let fields = before.of(source).and_then(|rules| rules.get("fields")?.as_object());
        for attr in fields.into_iter().flat_map(Map::keys) {
            let is_guarded = |rules: &Rules, entity: &str, attr: &str| {
                rules.field(entity, attr).is_some_and(|code| !rules.is_open(entity, &code))
            };
            if !is_guarded(before, source, attr) {
                continue;
            }
            for shown in names::shown(contract, (source, target), attr) {
                if !is_guarded(after, target, shown) {
                    add(format!(
                        "everybody may view `{shown}` (`{source}.fields.{attr}` guards it)"
                    ));
                }
            }
        }
    }
    found.dedup();
    found
}

/// The legacy entities that the rows of a target entity come from.
fn sources<'a>(contract: &'a Contract, target: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for rules in contract.transforms.iter().filter(|rules| rules.target == target) {
        if !found.contains(&rules.source.as_str()) {
            found.push(&rules.source);
        }
    }
    found
}

/// `entity = '''…'''`: rules as a contract has them, without what no rule is.
fn lines(entity: &str, rules: Option<Map<String, Value>>) -> String {
    let mut rules = rules.unwrap_or_default();
    let is_code = |code: &Value| code.is_string() || code.is_boolean();
    for (key, value) in &mut rules {
        if let Some(table) = value.as_object_mut() {
            table.retain(|name, code| match name.as_str() {
                "link" | "unlink" if key == "allow" => code.is_object(),
                name => {
                    is_code(code) && (key != "allow" || name == DEFAULT || ACTIONS.contains(&name))
                }
            });
        }
    }
    rules.retain(|key, value| match key.as_str() {
        "allow" | "fields" => value.is_object(),
        "bind" => {
            value.is_object()
                || value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
        }
        _ => false,
    });
    if rules.is_empty() {
        put(&mut rules, "allow", DEFAULT, "false".into());
    }
    let text = Value::Object(rules).to_string();
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            ' '..='~' => plain.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    plain.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    let name = crate::contract::toml_key(entity);
    if plain.contains("'''") {
        return format!("{name} = {}\n", crate::contract::toml_text(&plain));
    }
    format!("{name} = '''{plain}'''\n")
}

impl<'a> Given<'a> {
    fn ways(&self) -> Ways<'a> {
        let Given { contract, schema, moved, renamed, .. } = *self;
        Ways { contract, app: schema, moved, renamed }
    }

    /// The rules that a target entity takes from its sources; none where those have none of their own.
    fn taken(&self, target: &'a str, of: &[&'a str]) -> (Option<Map<String, Value>>, Vec<String>) {
        let mut found: Option<Option<Map<String, Value>>> = None;
        let mut left = Vec::new();
        for source in of {
            let data = At::Moved { source, target };
            let scope = Scope { ways: self.ways(), data, linked: At::Unknown };
            let mut moving = Moving { scope, entity: source, left: Vec::new() };
            let block = moving.block(self.rules);
            left.extend(moving.left);
            match &found {
                None => found = Some(block),
                Some(first) if *first == block => {}
                Some(_) => left.push(format!("the rules of {} differ", quoted(of))),
            }
        }
        (found.flatten(), left)
    }

    /// What other entities say: links to rows that are others now are guarded under their new labels too.
    /// Where the legacy entities go, so do their rules, and what others say of them is rewritten.
    fn others(&self, after: &mut Rules) -> Vec<EntityRules> {
        let Rules::Known(rules) = after else { return Vec::new() };
        let (before, target) = (&self.contract.before.schema, &self.contract.after.schema);
        if self.legacy_goes {
            rules.retain(|name, _| before.entity(name).is_none() || target.entity(name).is_some());
        }
        let mut found = Vec::new();
        if let Rules::Known(known) = self.rules {
            // `$default` is of no entity, `$rateLimits` no rule, `attrs` has no rows.
            let has_rows = |name: &str| {
                (!name.starts_with('$') || ["$users", "$files"].contains(&name)) && name != "attrs"
            };
            let names = known.keys().chain(self.schema.entities.iter().map(|it| &it.name));
            let stays = |name: &&String| before.entity(name).is_none() && has_rows(name);
            let made = |name: &&String| target.entity(name).is_some() && known.get(*name).is_none();
            let names: BTreeSet<&String> = names.filter(stays).filter(|name| !made(name)).collect();
            for entity in names {
                let scope =
                    Scope { ways: self.ways(), data: At::Stays(entity), linked: At::Unknown };
                let mut moving = Moving { scope, entity, left: Vec::new() };
                let block = if self.legacy_goes {
                    moving.block(self.rules)
                } else {
                    moving.relinked(self.rules)
                };
                if let Some(block) = block {
                    rules.insert(entity.clone(), Value::Object(block));
                }
                let is_said = self.contract.rules.iter().any(|(name, _)| name == entity);
                if !moving.left.is_empty() && !is_said {
                    found.push(EntityRules {
                        entity: entity.clone(),
                        from: RulesFrom::App,
                        of: Vec::new(),
                        left: moving.left,
                        opened: Vec::new(),
                        lines: String::new(),
                    });
                }
            }
        }
        for (name, said) in &self.contract.rules {
            rules.insert(name.clone(), Value::Object(said.clone()));
        }
        found
    }

    /// Rules of linking that entities have in the app already and that differ from those of their sources.
    fn linked_otherwise(&self, made: &Permissions) -> Vec<Opened> {
        let mut found = Vec::new();
        for it in made.entities.iter().filter(|it| it.from == RulesFrom::App) {
            let of: Vec<&str> = it.of.iter().map(String::as_str).collect();
            let wanted = self.taken(&it.entity, &of).0;
            let own = self.rules.of(&it.entity);
            for action in ["link", "unlink"] {
                let said =
                    |block: Option<&Map<String, Value>>| block?.get("allow")?.get(action).cloned();
                let (wanted, own) = (said(wanted.as_ref()), said(own));
                let guards = of.iter().any(|source| self.rules.is_guarded(source, "update"));
                if wanted.is_some() && wanted != own || wanted.is_none() && own.is_some() && guards
                {
                    let what =
                        format!("who may {action} its rows is not said as for {}", quoted(&of));
                    found.push(Opened { target: it.entity.clone(), what });
                }
            }
        }
        found
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

impl<'a> Moving<'a> {
    /// What the entity says itself, and what `$default` says of it in names that the target does not have.
    fn block(&mut self, rules: &Rules) -> Option<Map<String, Value>> {
        let own = self.own(rules);
        let mut block = own.clone().unwrap_or_default();
        let default = rules.of(DEFAULT);
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for action in ACTIONS.into_iter().filter(|action| rules.own(self.entity, action).is_none())
        {
            let Some(code) = rules.own(DEFAULT, action) else { continue };
            used.extend(code.as_str());
            let left = self.left.len();
            let new = self.code(&format!("$default.allow.{action}"), code);
            if new != *code || self.left.len() > left {
                put(&mut block, "allow", action, new);
            }
        }
        let own_codes = rules.of(self.entity).map(codes).unwrap_or_default();
        used.extend(own_codes);
        let said: Vec<String> =
            binds(Some(&block)).iter().map(|(name, _)| (*name).to_owned()).collect();
        let shared = binds(default);
        let bodies: Vec<&str> = shared.iter().filter_map(|(_, body)| body.as_str()).collect();
        for (name, body) in shared.iter().filter(|(name, _)| !said.iter().any(|it| it == name)) {
            let mut codes = used.iter().chain(&bodies);
            if !codes.any(|code| expression::uses(code, name)) {
                continue;
            }
            let left = self.left.len();
            let new = self.code(&format!("$default.bind.{name}"), body);
            if new != **body || self.left.len() > left {
                bind(&mut block, (*name).to_owned(), new);
            }
        }
        (own.is_some() || !block.is_empty()).then_some(block)
    }

    /// What the entity says itself.
    fn own(&mut self, rules: &Rules) -> Option<Map<String, Value>> {
        let mut block = Map::new();
        for (key, value) in rules.of(self.entity)? {
            let new = match (key.as_str(), value) {
                ("allow", Value::Object(allow)) => Value::Object(self.allow(allow)),
                ("bind", Value::Object(all)) => {
                    let new = |(name, body): (&String, &Value)| {
                        (name.clone(), self.code(&format!("bind.{name}"), body))
                    };
                    Value::Object(all.iter().map(new).collect())
                }
                ("bind", Value::Array(all)) => {
                    let new =
                        all.iter().enumerate().map(|(at, it)| match all.get(at.wrapping_sub(1)) {
                            Some(name) if at % 2 == 1 => self
                                .code(&format!("bind.{}", name.as_str().unwrap_or_default()), it),
                            _ => it.clone(),
                        });
                    Value::Array(new.collect())
                }
                ("fields", Value::Object(fields)) => Value::Object(self.fields(fields)),
                _ => value.clone(),
            };
            block.insert(key.clone(), new);
        }
        Some(block)
    }

    fn allow(&mut self, allow: &Map<String, Value>) -> Map<String, Value> {
        let mut new = Map::new();
        for (action, value) in allow {
            let value = match value {
                Value::Object(labels) => Value::Object(self.labels(action, labels)),
                code => self.code(&format!("allow.{action}"), code),
            };
            new.insert(action.clone(), value);
        }
        new
    }

    /// Rules of linking, by label.
    fn labels(&mut self, action: &str, labels: &Map<String, Value>) -> Map<String, Value> {
        let mut new = Map::new();
        for (label, code) in labels {
            let what = format!("allow.{action}.{label}");
            if label == DEFAULT {
                new.insert(label.clone(), self.code(&what, code));
                continue;
            }
            match self.scope.ways.hop(self.scope.data, label) {
                Ok((name, linked)) => {
                    let before = std::mem::replace(&mut self.scope.linked, linked);
                    new.insert(name, self.code(&what, code));
                    self.scope.linked = before;
                }
                Err(why) => self.leave(&what, code, &why),
            }
        }
        new
    }

    /// Rules of single attributes: whatever shows something of one is guarded alike.
    fn fields(&mut self, fields: &Map<String, Value>) -> Map<String, Value> {
        let Scope { ways, data, .. } = self.scope;
        let shown = |attr: &str| match data {
            At::Moved { source, target } => names::shown(ways.contract, (source, target), attr),
            _ => Vec::new(),
        };
        let mut new: Map<String, Value> = Map::new();
        for (attr, code) in fields {
            let what = format!("fields.{attr}");
            let code = self.code(&what, code);
            if !matches!(data, At::Moved { .. }) {
                new.insert(attr.clone(), code.clone());
            }
            for shown in shown(attr) {
                let other = new.insert(shown.to_owned(), code.clone());
                if other.is_some_and(|other| other != code) {
                    self.leave(&what, &code, &format!("`{shown}` shows other attributes as well"));
                }
            }
        }
        new
    }

    /// What the entity says itself, with rules of linking under the labels that lead to the new rows too.
    fn relinked(&mut self, rules: &Rules) -> Option<Map<String, Value>> {
        let mut block = rules.of(self.entity)?.clone();
        let mut is_changed = false;
        for action in ["link", "unlink"] {
            let labels =
                block.get_mut("allow").and_then(|allow| allow.get_mut(action)?.as_object_mut());
            let Some(labels) = labels else { continue };
            for (label, code) in labels.clone() {
                // Of a link that no row has, there is none to be guarded.
                let Some((name, linked)) = self.followed(&label) else { continue };
                let before = std::mem::replace(&mut self.scope.linked, linked);
                labels.insert(name, self.code(&format!("allow.{action}.{label}"), &code));
                self.scope.linked = before;
                is_changed = true;
            }
        }
        is_changed.then_some(block)
    }

    /// The new label of a link of the entity that follows legacy rows, and the row it leads to.
    fn followed(&self, label: &str) -> Option<(String, At<'a>)> {
        let Scope { ways, data, .. } = self.scope;
        let link = ways.link(self.entity, label)?;
        if !ways.is_legacy(&link.on) && !ways.is_legacy(&link.to) {
            return None;
        }
        ways.hop(data, label).ok().filter(|(name, _)| name != label)
    }

    fn code(&mut self, what: &str, code: &Value) -> Value {
        let Some(text) = code.as_str() else { return code.clone() };
        match expression::rewritten(text, &self.scope) {
            Ok(new) => new.into(),
            Err(why) => {
                self.leave(what, code, &why);
                "false".into()
            }
        }
    }

    fn leave(&mut self, what: &str, code: &Value, why: &str) {
        let entity = self.entity;
        let of =
            if what.starts_with(DEFAULT) { what.to_owned() } else { format!("{entity}.{what}") };
        let code = code.as_str().map_or_else(|| code.to_string(), str::to_owned);
        self.left.push(format!("`{of}`, {code}: {why}"));
    }
}

fn put(block: &mut Map<String, Value>, key: &str, name: &str, value: Value) {
    let table = block.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !table.is_object() {
        *table = Value::Object(Map::new());
    }
    if let Value::Object(table) = table {
        table.insert(name.to_owned(), value);
    }
}

/// Adds a name to a `bind` of either form.
fn bind(block: &mut Map<String, Value>, name: String, body: Value) {
    match block.get_mut("bind") {
        Some(Value::Array(all)) => all.extend([name.into(), body]),
        _ => put(block, "bind", &name, body),
    }
}

/// All expressions of a block.
fn codes(block: &Map<String, Value>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut work: Vec<&Value> = block.values().collect();
    while let Some(value) = work.pop() {
        match value {
            Value::String(code) => found.push(code.as_str()),
            Value::Array(all) => work.extend(all),
            Value::Object(all) => work.extend(all.values()),
            _ => {}
        }
    }
    found
}
