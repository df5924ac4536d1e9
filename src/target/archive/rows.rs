//! Rows of the target model as they go into the archive: the bundle's lines, with the links that no
//! column holds, and every rule of the server's checked.
//!
//! A line always says `createdAt`, the time of the row's `id` triple in the store: that of the legacy
//! row (of a derived row, the legacy row it was derived from); where the source knows none, the row's
//! first required date, else its first date, else 0. An indexed attribute without a value is there as
//! `null`, as the server itself stores it (INSTANTDB §2.5): without that triple no query that orders
//! by the attribute finds the row.

use std::collections::BTreeMap;

use super::lines::Line;
use super::model::Model;
use super::rules::{attr_fault, text_fault, uuid};
use super::tally::Tally;
use crate::json;
use crate::schema::{Attr, Has, Type};
use crate::snapshot::parse_date;
use crate::target::faults::Faults;

/// Links that are written onto rows: by label, (row, other end), sorted, each once.
pub(super) type Pairs = BTreeMap<String, Vec<(u128, u128)>>;

/// How rows of one target entity become lines.
pub(super) struct Rows<'m> {
    entity: &'m str,
    model: &'m Model,
    attrs: BTreeMap<&'m str, &'m Attr>,
    links: BTreeMap<&'m str, Has>,
    required: Vec<&'m str>,
    filled: Vec<&'m str>,
    dates: Vec<&'m str>,
    pairs: &'m Pairs,
}

impl<'m> Rows<'m> {
    /// Rows of an entity of the merged schema.
    pub(super) fn new(entity: &'m str, model: &'m Model, pairs: &'m Pairs) -> Self {
        let attrs = model.schema.entity(entity).map_or(&[][..], |entity| &entity.attrs);
        let links = model.schema.links_on(entity);
        let links: BTreeMap<_, _> = links.map(|link| (link.label.as_str(), link.has)).collect();
        let needed = attrs.iter().filter(|attr| attr.required).map(|attr| attr.name.as_str());
        let demanded = model.required.iter().filter(|(on, _)| on == entity);
        let mut dates: Vec<_> = attrs.iter().filter(|attr| attr.ty == Type::Date).collect();
        dates.sort_by_key(|attr| !attr.required);
        Self {
            entity,
            model,
            attrs: attrs.iter().map(|attr| (attr.name.as_str(), attr)).collect(),
            links,
            required: needed.chain(demanded.map(|(_, label)| label.as_str())).collect(),
            filled: attrs.iter().filter(|attr| attr.indexed).map(|attr| &*attr.name).collect(),
            dates: dates.into_iter().map(|attr| attr.name.as_str()).collect(),
            pairs,
        }
    }

    /// Appends a row's line, takes it into the tally, and notes what the server would not take.
    pub(super) fn write(
        &self,
        text: &str,
        out: &mut Vec<u8>,
        tally: &mut Tally,
        faults: &mut Faults,
    ) {
        let line = Line::parse(text);
        let id = line.as_ref().and_then(Line::id).unwrap_or_default();
        let Some((line, key)) = line.zip(uuid(&id)) else {
            return faults.add(self.entity, "the id is no UUID", &id);
        };
        let start = out.len();
        let mut row = Row { rows: self, id: &id, key, out, tally, faults, first: true };
        row.out.extend_from_slice(b"{\"entity\":{");
        for (label, raw) in &line.members {
            row.member(label, raw);
        }
        row.filled(&line);
        row.links();
        row.required(&line);
        let created_at = self.created_at(&line);
        out.extend_from_slice(format!("}},\"createdAt\":{created_at}}}\n").as_bytes());
        tally.bytes += (out.len() - start) as u64;
        tally.rows += 1;
        tally.ids.push(key);
    }

    fn created_at(&self, line: &Line<'_>) -> i64 {
        if let Some(time) = line.created_at.and_then(|time| time.parse().ok()) {
            return time;
        }
        let value = |label: &&str| line.members.iter().find(|(name, _)| name == label);
        let mut dates = self.dates.iter().filter_map(value).filter_map(|(_, raw)| millis(raw));
        dates.next().unwrap_or_default()
    }

    /// The ends of a row's links by a label that are written onto it.
    fn ends(&self, label: &str, key: u128) -> &'m [(u128, u128)] {
        let pairs = self.pairs.get(label).map_or(&[][..], |pairs| pairs);
        let from = pairs.partition_point(|(row, _)| *row < key);
        let to = pairs.partition_point(|(row, _)| *row <= key);
        &pairs[from..to]
    }
}

/// A date as milliseconds, cut.
#[allow(clippy::cast_possible_truncation, reason = "a date's milliseconds are far below 2^63")]
fn millis(raw: &str) -> Option<i64> {
    match json::string(raw) {
        Some(text) => parse_date(&text).map(|date| date.micros.div_euclid(1000)),
        None => raw.parse::<f64>().ok().map(|millis| millis.floor() as i64),
    }
}

/// One row on its way.
struct Row<'w, 'm> {
    rows: &'w Rows<'m>,
    id: &'w str,
    key: u128,
    out: &'w mut Vec<u8>,
    tally: &'w mut Tally,
    faults: &'w mut Faults,
    first: bool,
}

impl Row<'_, '_> {
    fn fault(&mut self, label: &str, said: &str) {
        self.faults.add(self.rows.entity, format!("{said} (`{label}`)"), self.id);
    }

    fn put(&mut self, label: &str, raw: &str, triples: u64) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        json::write_string(label, self.out);
        self.out.push(b':');
        self.out.extend_from_slice(raw.as_bytes());
        self.tally.triples += triples;
    }

    /// What the bundle's line holds.
    fn member(&mut self, label: &str, raw: &str) {
        let key = (self.rows.entity.to_owned(), label.to_owned());
        if self.rows.pairs.contains_key(label) || self.rows.model.dropped.contains(&key) {
            return;
        }
        if label == "id" {
            return self.put(label, raw, 1);
        }
        if let Some(attr) = self.rows.attrs.get(label) {
            if let Some(fault) = attr_fault(attr, raw).or_else(|| text_fault(raw)) {
                self.fault(label, fault);
            }
            return self.put(label, raw, 1);
        }
        match self.rows.links.get(label) {
            Some(has) => self.held(label, raw, *has),
            None => self.fault(label, "the app's schema has no such label"),
        }
    }

    /// A link that the bundle's line holds.
    fn held(&mut self, label: &str, raw: &str, has: Has) {
        let many = raw.starts_with('[');
        if many && has == Has::One {
            return self.fault(label, "a link to one holds a list");
        }
        if raw == "null" {
            return self.put(label, raw, 1);
        }
        let ends = if many { json::elements(raw).unwrap_or_default() } else { vec![raw] };
        for end in &ends {
            match json::string(end).and_then(|id| uuid(&id)) {
                Some(to) => self.tally.link(label, self.key, to),
                None => self.fault(label, "a link leads to an id that is no UUID"),
            }
        }
        if has == Has::Many && !many {
            return self.put(label, &format!("[{raw}]"), 1);
        }
        self.put(label, raw, ends.len() as u64);
    }

    /// `null` for every indexed attribute that the line does not hold.
    fn filled(&mut self, line: &Line<'_>) {
        for label in &self.rows.filled {
            if !line.members.iter().any(|(name, _)| name == label) {
                self.put(label, "null", 1);
            }
        }
    }

    /// The links that are written onto the row.
    fn links(&mut self) {
        for label in self.rows.pairs.keys() {
            let ends = self.rows.ends(label, self.key);
            if ends.is_empty() {
                continue;
            }
            let texts: Vec<String> =
                ends.iter().map(|(_, to)| format!("\"{}\"", uuid::Uuid::from_u128(*to))).collect();
            for (_, to) in ends {
                self.tally.link(label, self.key, *to);
            }
            match self.rows.links.get(label.as_str()) {
                Some(Has::One) if ends.len() > 1 => {
                    self.fault(label, "a link to one holds a list");
                }
                Some(Has::One) => self.put(label, &texts[0], 1),
                _ => self.put(label, &format!("[{}]", texts.join(",")), ends.len() as u64),
            }
        }
    }

    fn required(&mut self, line: &Line<'_>) {
        for label in &self.rows.required {
            let is_there = line.members.iter().any(|(name, raw)| name == label && *raw != "null");
            if !is_there && self.rows.ends(label, self.key).is_empty() {
                let is_null = line.members.iter().any(|(name, _)| name == label);
                // A null of an attribute was noted where it stands.
                if !(is_null && self.rows.attrs.contains_key(label)) {
                    self.fault(label, "a required value is missing");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Entity, Link, LinkRules, Schema};

    const ID: &str = "00000001-0000-4000-8000-000000000001";
    const TO: &str = "00000002-0000-4000-8000-000000000002";

    fn model() -> Model {
        let attr = |name: &str, ty: Type, flags: &str| Attr {
            name: name.to_owned(),
            ty,
            required: flags.contains('!'),
            unique: false,
            indexed: flags.contains('^'),
        };
        let link = |label: &str, has: Has| Link {
            name: label.to_owned(),
            on: "a".to_owned(),
            label: label.to_owned(),
            has,
            to: "b".to_owned(),
            reverse: Some(format!("{label}Of")),
            reverse_has: Has::Many,
            rules: LinkRules::default(),
            also: Vec::new(),
        };
        let attrs = vec![
            attr("at", Type::Date, ""),
            attr("made", Type::Date, "!"),
            attr("state", Type::String, "^"),
            attr("any", Type::Any, ""),
        ];
        let entity = Entity { name: "a".to_owned(), attrs, optional: false };
        let links = vec![link("one", Has::One), link("many", Has::Many), link("old", Has::One)];
        Model {
            schema: Schema { entities: vec![entity], links },
            dropped: [("a".to_owned(), "gone".to_owned())].into(),
            ..Model::default()
        }
    }

    /// The line that a row becomes, or what is wrong with it.
    fn written(entity: &str, rest: &str, pairs: &Pairs) -> String {
        let model = model();
        let rows = Rows::new("a", &model, pairs);
        let (mut out, mut tally, mut faults) = (Vec::new(), Tally::default(), Faults::default());
        rows.write(&format!("{{\"entity\":{entity}{rest}}}"), &mut out, &mut tally, &mut faults);
        let said: Vec<String> =
            faults.found().map(|(_, said, noted)| format!("{said}: {}", noted.ids())).collect();
        if said.is_empty() {
            let line = String::from_utf8(out).unwrap();
            assert_eq!(tally.bytes, line.len() as u64);
            format!("{} {}", tally.triples, line.trim_end().replace(ID, "ID").replace(TO, "TO"))
        } else {
            said.join("; ").replace(ID, "ID")
        }
    }

    fn check(members: &str, expected: &str) {
        let made = "\"made\":\"2024-01-01T00:00:00.001Z\"";
        let entity = format!("{{\"id\":\"{ID}\",{made}{members}}}");
        let found = written(&entity, "", &Pairs::new());
        assert_eq!(found.replace(made, "MADE"), expected);
    }

    #[test]
    fn a_row_becomes_a_line_that_the_server_restores() {
        let line = |triples: u64, members: &str| {
            format!(
                "{triples} {{\"entity\":{{\"id\":\"ID\",MADE{members}}},\"createdAt\":1704067200001}}"
            )
        };
        check("", &line(3, ",\"state\":null"));
        check(
            ",\"state\":\"x\",\"any\":{\"a\":[1.0]}",
            &line(4, ",\"state\":\"x\",\"any\":{\"a\":[1.0]}"),
        );
        check(",\"gone\":\"x\"", &line(3, ",\"state\":null"));
        let linked = format!(",\"one\":\"{TO}\",\"many\":[\"{TO}\",\"{ID}\"]");
        check(&linked, &line(6, ",\"one\":\"TO\",\"many\":[\"TO\",\"ID\"],\"state\":null"));
        check(&format!(",\"many\":\"{TO}\""), &line(4, ",\"many\":[\"TO\"],\"state\":null"));
    }

    #[test]
    fn what_the_server_would_not_take_is_named() {
        for (members, expected) in [
            (",\"nobody\":1", "the app's schema has no such label (`nobody`): ID"),
            (",\"one\":[]", "a link to one holds a list (`one`): ID"),
            (",\"one\":\"x\"", "a link leads to an id that is no UUID (`one`): ID"),
            (",\"many\":[1]", "a link leads to an id that is no UUID (`many`): ID"),
            (",\"state\":1", "the value is not of the attribute's type (`state`): ID"),
            (",\"any\":\"\\ud800\"", "a text holds a lone surrogate (`any`): ID"),
        ] {
            check(members, expected);
        }
        let none = Pairs::new();
        assert_eq!(written("{\"id\":\"thread_1\"}", "", &none), "the id is no UUID: thread_1");
        assert_eq!(written("{}", "", &none), "the id is no UUID: ");
        let bare = format!("{{\"id\":\"{ID}\"}}");
        assert_eq!(written(&bare, "", &none), "a required value is missing (`made`): ID");
    }

    #[test]
    fn links_of_the_bundle_come_onto_the_row() {
        let (id, to) = (uuid(ID).unwrap(), uuid(TO).unwrap());
        let entity = format!("{{\"id\":\"{ID}\",\"made\":1.5,\"state\":\"\",\"old\":\"{ID}\"}}");
        let of = |pairs: &[(u128, u128)]| {
            let pairs = [("old".to_owned(), pairs.to_vec())].into();
            written(&entity, ",\"createdAt\":7", &pairs)
        };
        let line = |triples: u64, link: &str| {
            format!(
                "{triples} {{\"entity\":{{\"id\":\"ID\",\"made\":1.5,\"state\":\"\"{link}}},\"createdAt\":7}}"
            )
        };
        // What the link file says counts, and nothing of another row.
        assert_eq!(of(&[(id, to)]), line(4, ",\"old\":\"TO\""));
        assert_eq!(of(&[(0, to), (to, id)]), line(3, ""));
        assert_eq!(of(&[(id, id), (id, to)]), "a link to one holds a list (`old`): ID");
    }

    #[test]
    fn the_time_of_a_row_is_never_missing() {
        let at = |members: &str, rest: &str| {
            let mut model = model();
            model.schema.entities[0].attrs[1].required = false;
            let none = Pairs::new();
            let rows = Rows::new("a", &model, &none);
            let text = format!("{{\"entity\":{{\"id\":\"{ID}\"{members}}}{rest}}}");
            rows.created_at(&Line::parse(&text).unwrap())
        };
        assert_eq!(at("", ""), 0);
        assert_eq!(at(",\"at\":-0.5", ""), -1);
        assert_eq!(at(",\"made\":8,\"at\":9", ""), 9);
        assert_eq!(at(",\"at\":9", ",\"createdAt\":7"), 7);
    }
}
