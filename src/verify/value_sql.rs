//! The queries that reproduce the value, repair and `same` rules.

use std::fmt::Write as _;

use super::facts::Audit;
use super::link_sql;
use super::naming::type_of;
use super::split_sql;
use super::sql::{self, name, text};
use super::value::spelled;
use crate::contract::{AttrRule, Constant, Otherwise, Pick, Piece, Template, Transform};
use crate::schema::Type;

/// Migrated rows whose value is not what the rule gives.
pub(super) fn value(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> String {
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let attr = plain(&format!("t.{}", name(&rule.attr)), ty);
    if let Some(query) = split_sql::value(audit, transform, (&rule.attr, ty)) {
        return query;
    }
    let sql = Sql { audit, transform, rule, ty };
    let found = sql::found(audit, "t.id");
    format!("{} WHERE {attr} IS DISTINCT FROM {}", sql.from(&found), sql.expected())
}

/// What a rule gives of every legacy row, but for templates: `r`, `v`.
pub(super) fn gives(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> String {
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let sql = Sql { audit, transform, rule, ty };
    let missing = rule.missing.as_ref().map(|missing| format!(", {}", constant(missing, ty)));
    let missing = missing.unwrap_or_default();
    format!("SELECT s.r, coalesce({}{missing}) AS v FROM ({}) s", sql.mapped(), sql.source())
}

/// What a rule gives of every legacy row, with the text that a template builds of what the rules of its
/// parts give: `r`, `v`.
pub(super) fn claims(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> String {
    let Some(template) = &rule.template else { return gives(audit, transform, rule) };
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let sql = Sql { audit, transform, rule, ty };
    let missing = rule.missing.as_ref().map(|missing| format!(", {}", constant(missing, ty)));
    let mut joins = String::new();
    let mut part = |attr: &str| {
        let Some(part) = transform.attrs.iter().find(|part| part.attr == attr) else {
            return "NULL".to_owned();
        };
        let at = joins.matches(" LEFT JOIN ").count();
        let _ =
            write!(joins, " LEFT JOIN ({}) w{at} ON w{at}.r = s.r", gives(audit, transform, part));
        format!("w{at}.v")
    };
    let text = written(audit, (&transform.target, template), &mut part);
    format!(
        "SELECT s.r, coalesce({}, {text}{}) AS v FROM ({}) s{joins}",
        sql.mapped(),
        missing.unwrap_or_default(),
        sql.source()
    )
}

/// Legacy rows for which no place of a rule has a value: `r`. What a template gives hangs on other
/// values: every row may lack it.
pub(super) fn lacking(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> String {
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let sql = Sql { audit, transform, rule, ty };
    let first = if rule.template.is_some() { "NULL".to_owned() } else { sql.first() };
    format!("SELECT s.r FROM ({}) s WHERE {first} IS NULL", sql.source())
}

/// Legacy rows whose value a rule does not list: `r`.
pub(super) fn unlisted(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> String {
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let sql = Sql { audit, transform, rule, ty };
    format!(
        "SELECT s.r FROM ({}) s WHERE {} IS NOT NULL AND {} = '\u{fffd}refused'",
        sql.source(),
        sql.first(),
        sql.mapped()
    )
}

/// Migrated rows whose listed repairs are not those the rule gives.
pub(super) fn repair(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> String {
    let ty = type_of(&audit.contract.after.schema, &transform.target, &rule.attr);
    let sql = Sql { audit, transform, rule, ty };
    let file = format!("data/repairs/{}.parquet", transform.target);
    let side = sql::side(audit, &file, &["_source_row", "attr", "how", "id"]);
    // Where one row becomes several, each has repairs of its own.
    let (of, row) = if transform.splits() {
        ("(_source_row, id)", "(t._source_row, t.id)")
    } else {
        ("_source_row", "t._source_row")
    };
    let wanted = format!(
        "list_sort(list_filter([{}, {}], lambda x: x IS NOT NULL))",
        sql.how(),
        sql.mapped_how()
    );
    format!(
        "WITH f AS (SELECT {of} AS r, list_sort(list(how)) AS hows, count(*) AS n FROM {side} \
         WHERE attr = {} GROUP BY 1), e AS ({}) SELECT (SELECT count(*) FROM e LEFT JOIN f USING \
         (r) WHERE e.hows IS DISTINCT FROM coalesce(f.hows, [])) + (SELECT coalesce(sum(n), 0) \
         FROM f ANTI JOIN e USING (r))",
        text(&rule.attr),
        sql.from(&format!("{row} AS r, {wanted} AS hows")),
    )
}

/// Migrated rows whose value is not the one of the legacy attribute, no repair being listed.
pub(super) fn same(
    audit: &Audit<'_>,
    transform: &Transform,
    attr: &str,
    source_attr: &str,
) -> String {
    let file = format!("data/repairs/{}.parquet", transform.target);
    let side = sql::side(audit, &file, &["_source_row", "attr"]);
    let rule = transform.attrs.iter().find(|rule| rule.attr == attr);
    let (target_attr, source_attr) = (name(attr), name(source_attr));
    let Some(legacy) = audit.legacy.get(&transform.source) else { return String::new() };
    let is_key = rule.is_some_and(|rule| is_key(audit, transform, rule));
    let absent = if is_key {
        format!("NOT coalesce({}, false)", link_sql::present(&format!("s.{source_attr}")))
    } else {
        format!("s.{source_attr} IS NULL")
    };
    format!(
        "SELECT {} FROM {} t JOIN {} s ON t._origin = 'migrated' AND s._row = t._source_row \
         LEFT JOIN (SELECT DISTINCT _source_row FROM {side} WHERE attr = {}) r ON r._source_row = \
         s._row WHERE t.{target_attr} IS DISTINCT FROM s.{source_attr} AND NOT \
         ({absent} AND r._source_row IS NOT NULL)",
        sql::found(audit, "t.id"),
        sql::target(audit, &transform.target),
        sql::legacy(audit, legacy),
        text(attr),
    )
}

/// Whether a rule fills a key, in which blanks alone are no value.
fn is_key(audit: &Audit<'_>, transform: &Transform, rule: &AttrRule) -> bool {
    let entity = audit.contract.after.schema.entity(&transform.target);
    let attr = entity.and_then(|entity| entity.attr(&rule.attr));
    audit.is_judged_by_source() && attr.is_some_and(|attr| rule.is_key(attr))
}

/// A text whose ASCII letters are small ones.
fn ascii_lower(text: &str) -> String {
    format!("translate({text}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')")
}

/// The text that a template gives of the row `t` of a target; null where a piece of it is.
pub(super) fn built(audit: &Audit<'_>, target: &str, template: &Template) -> String {
    written(audit, (target, template), &mut |attr| format!("t.{}", name(attr)))
}

/// The text of a template out of columns.
fn written(
    audit: &Audit<'_>,
    (target, template): (&str, &Template),
    column: &mut dyn FnMut(&str) -> String,
) -> String {
    let mut piece = |piece: &Piece| match piece {
        Piece::Text(piece) => text(piece),
        Piece::Attr(attr) => {
            let column = column(attr);
            match type_of(&audit.contract.after.schema, target, attr) {
                Type::Number => sql::number_text(&column),
                Type::Date => {
                    format!("strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')")
                }
                _ => format!("{column}::VARCHAR"),
            }
        }
    };
    let pieces: Vec<String> = template.pieces.iter().map(&mut piece).collect();
    format!("({})", pieces.join(" || "))
}

/// A column as it is compared: moments as microseconds.
pub(super) fn plain(column: &str, ty: Type) -> String {
    if ty == Type::Date { format!("epoch_us({column})") } else { column.to_owned() }
}

struct Sql<'a> {
    audit: &'a Audit<'a>,
    transform: &'a Transform,
    rule: &'a AttrRule,
    ty: Type,
}

impl Sql<'_> {
    /// The migrated rows `t` with their source rows `s` and the places `p0`, `p1`, … of the rule.
    fn from(&self, columns: &str) -> String {
        format!(
            "SELECT {columns} FROM (SELECT * FROM {} WHERE _origin = 'migrated') t JOIN ({}) s ON s.r \
             = t._source_row",
            sql::target(self.audit, &self.transform.target),
            self.source(),
        )
    }

    /// The source rows, as `r`, with the places `p0`, `p1`, … of the rule.
    fn source(&self) -> String {
        let Some(legacy) = self.audit.legacy.get(&self.transform.source) else {
            return String::new();
        };
        let picks = || self.rule.from.iter().enumerate();
        let places = picks().map(|(at, pick)| format!(", {} AS p{at}", self.place(pick)));
        let blanks: Vec<String> = picks().map(|(_, pick)| self.blank(pick)).collect();
        let blanks = if self.is_key() && !blanks.is_empty() {
            format!(", {} AS blank", blanks.join(" OR "))
        } else {
            String::new()
        };
        let rows = format!(
            "SELECT _row AS r{}{blanks} FROM {} s",
            places.collect::<String>(),
            sql::legacy(self.audit, legacy)
        );
        match &self.rule.refers {
            Some(entity) if self.audit.is_judged_by_source() => self.referred_rows(&rows, entity),
            _ => rows,
        }
    }

    /// The source rows of a `ref` with the target ids `h0`, `h1`, … of its places whose row is there.
    fn referred_rows(&self, rows: &str, entity: &str) -> String {
        let (audit, transform) = (self.audit, self.transform);
        let order = audit.contract.decision_order();
        let is_by_source = order.is_by_source(&transform.target, &self.rule.attr);
        let main = audit.contract.id_transform(entity).map_or(entity, |main| &main.target);
        let heirs = sql::heirs(audit, entity, main);
        let (mut exists, mut table) = (heirs.clone(), sql::target(audit, main));
        // Of one place nothing has to be chosen.
        if is_by_source && self.rule.from.len() > 1 {
            let legacy = audit.legacy.get(entity).map(|found| sql::legacy(audit, found));
            exists = format!(
                "(SELECT DISTINCT {id} AS old, '' AS id FROM {} WHERE id IS NOT NULL)",
                legacy.unwrap_or_default(),
                id = sql::id("id"),
            );
            table = format!("(SELECT id FROM {table} WHERE _origin = 'existing')");
        }
        let (mut columns, mut joins) = (String::new(), String::new());
        for at in 0..self.rule.from.len() {
            let mapped = self.mapped_id(&format!("s.p{at}"), entity);
            let _ = write!(
                columns,
                ", CASE WHEN x{at}.id IS NOT NULL OR e{at}.id IS NOT NULL THEN coalesce(h{at}.id, \
                 {mapped}) END AS h{at}, coalesce(h{at}.id, {mapped}) AS m{at}"
            );
            let _ = write!(
                joins,
                " LEFT JOIN {exists} x{at} ON x{at}.old = s.p{at} LEFT JOIN {heirs} h{at} ON h{at}.old = \
                 s.p{at} LEFT JOIN {table} e{at} ON e{at}.id = {mapped}"
            );
        }
        format!("SELECT s.*{columns} FROM ({rows}) s{joins}")
    }

    fn is_key(&self) -> bool {
        is_key(self.audit, self.transform, self.rule)
    }

    /// Whether a place has blanks alone.
    fn blank(&self, pick: &Pick) -> String {
        let value = self.value(pick);
        format!("coalesce({value} IS NOT NULL AND NOT {}, false)", link_sql::present(&value))
    }

    /// A place, where blanks alone may be no value.
    fn place(&self, pick: &Pick) -> String {
        let value = self.value(pick);
        if self.is_key() {
            return format!("CASE WHEN {} THEN {value} END", link_sql::present(&value));
        }
        match &self.rule.refers {
            Some(_) if self.audit.is_judged_by_source() => {
                format!("CASE WHEN {} THEN {} END", link_sql::present(&value), sql::id(&value))
            }
            _ => value,
        }
    }

    fn value(&self, pick: &Pick) -> String {
        match pick {
            Pick::Attr(attr) => {
                let before = &self.audit.contract.before.schema;
                let ty = type_of(before, &self.transform.source, attr);
                self.keyed(&plain(&format!("s.{}", name(attr)), ty), ty)
            }
            Pick::Path { attr, keys } => {
                let keys: Vec<String> =
                    keys.iter().map(|key| format!(".\"{}\"", key.replace('"', "\\\""))).collect();
                let (column, path) =
                    (format!("s.{}", name(attr)), text(&format!("${}", keys.concat())));
                let types = match self.ty {
                    Type::Number => "'BIGINT', 'UBIGINT'",
                    Type::Boolean => "'BOOLEAN'",
                    _ => "'VARCHAR'",
                };
                let cast = match self.ty {
                    Type::Number => "::DOUBLE",
                    Type::Boolean => "::BOOLEAN",
                    _ => "",
                };
                format!(
                    "list_transform(list_transform([{column}], lambda h: CASE WHEN json_valid(h) THEN h \
                     ELSE {} END), lambda j: CASE WHEN json_valid(j) THEN CASE WHEN json_type(j, {path}) \
                     IN ({types}) THEN (j ->> {path}){cast} END END)[1]",
                    sql::halves("h")
                )
            }
            Pick::Server => "s._server_created_at * 1000".to_owned(),
            Pick::Linked { link, attr } => self.linked(link, attr),
        }
    }

    /// An id of blanks alone is absent.
    fn keyed(&self, column: &str, ty: Type) -> String {
        if ty == Type::String && self.rule.refers.is_some() {
            format!("CASE WHEN {} THEN {column} END", link_sql::present(column))
        } else {
            column.to_owned()
        }
    }

    /// What stands behind a link, by the first row that the source row names.
    fn linked(&self, label: &str, attr: &str) -> String {
        let before = &self.audit.contract.before.schema;
        let (source, audit) = (&self.transform.source, self.audit);
        let table = |entity: &str| {
            audit.legacy.get(entity).map(|legacy| sql::legacy(audit, legacy)).unwrap_or_default()
        };
        let first = |entity: &str, label: &str| {
            before.link(entity, label).map(|link| {
                let named = link_sql::naming(audit, &table(entity), link, "''");
                format!("(SELECT r, arg_min(old, k) AS old FROM ({named}) GROUP BY 1)")
            })
        };
        let heirs = |entity: &str| {
            let target =
                audit.contract.id_transform(entity).map_or(entity, |found| found.target.as_str());
            sql::heirs(audit, entity, target)
        };
        let (Some(link), Some(named)) = (before.link(source, label), first(source, label)) else {
            return "NULL".to_owned();
        };
        // A `ref` takes ids as the source has them.
        let is_ref = self.rule.refers.is_some() && audit.is_judged_by_source();
        if attr == "id" && is_ref {
            return format!("(SELECT any_value(n.old) FROM {named} n WHERE n.r = s._row)");
        }
        if attr == "id" {
            return format!(
                "(SELECT any_value(h.id) FROM {named} n JOIN {} h ON h.old = n.old WHERE n.r = \
                 s._row)",
                heirs(&link.to)
            );
        }
        let other = format!("{named} n JOIN {} o ON {} = n.old", table(&link.to), sql::id("o.id"));
        if let (Some(next), Some(after)) = (before.link(&link.to, attr), first(&link.to, attr)) {
            let id = if is_ref { "m.old".to_owned() } else { self.mapped_id("m.old", &next.to) };
            return format!(
                "(SELECT any_value({id}) FROM {other} JOIN {after} m ON m.r = o._row WHERE n.r = s._row)"
            );
        }
        let column = plain(&format!("o.{}", name(attr)), type_of(before, &link.to, attr));
        format!("(SELECT any_value({column}) FROM {other} WHERE n.r = s._row)")
    }

    /// The places of a `ref` whose row is there, then all of them.
    fn of_ref(&self, there: &str, any: &str) -> String {
        let places = 0..self.rule.from.len();
        let there = places.clone().map(|at| format!("s.{there}{at}"));
        let all = places.map(|at| format!("CASE WHEN s.p{at} IS NOT NULL THEN s.{any}{at} END"));
        format!("coalesce({})", there.chain(all).collect::<Vec<_>>().join(", "))
    }

    /// The first place that has a value.
    fn first(&self) -> String {
        let places: Vec<String> = (0..self.rule.from.len()).map(|at| format!("s.p{at}")).collect();
        match places.len() {
            0 => "NULL".to_owned(),
            _ => format!("coalesce({})", places.join(", ")),
        }
    }

    fn referred(&self) -> String {
        let first = self.first();
        match &self.rule.refers {
            Some(_) if self.audit.is_judged_by_source() && !self.rule.from.is_empty() => {
                self.of_ref("h", "m")
            }
            Some(entity) => self.mapped_id(&first, entity),
            None => first,
        }
    }

    /// The id of a legacy row as the target has it.
    fn mapped_id(&self, id: &str, entity: &str) -> String {
        match self.audit.contract.id_transform(entity) {
            Some(found) => sql::target_id(id, &self.audit.contract.namespace, &found.target),
            None => sql::id(id),
        }
    }

    fn expected(&self) -> String {
        let mut parts = vec![self.mapped()];
        if let Some(template) = self.template() {
            parts.push(template);
        }
        if let Some(missing) = &self.rule.missing {
            parts.push(constant(missing, self.ty));
        }
        format!("coalesce({})", parts.join(", "))
    }

    fn template(&self) -> Option<String> {
        let template = self.rule.template.as_ref()?;
        Some(built(self.audit, &self.transform.target, template))
    }

    fn mapped(&self) -> String {
        let first = self.referred();
        let Some(values) = &self.rule.values else { return first };
        let other = match &values.otherwise {
            Otherwise::Keep => first.clone(),
            Otherwise::Quarantine => "'\u{fffd}refused'".to_owned(),
            Otherwise::Value(value) => constant(value, Type::String),
        };
        let mut cases = String::new();
        for (from, to) in &values.map {
            let _ = write!(cases, " WHEN {first} = {} THEN {}", text(from), text(to));
        }
        for (from, to) in values.map.iter().filter(|_| values.fold_case) {
            let from = text(&from.to_ascii_lowercase());
            let folded = ascii_lower(&first);
            let _ = write!(cases, " WHEN {folded} = {from} THEN {}", text(to));
        }
        format!("CASE WHEN {first} IS NULL THEN NULL{cases} ELSE {other} END")
    }

    /// What a repair says of the place the value is from.
    fn how(&self) -> String {
        if self.rule.from.is_empty() {
            return "NULL".to_owned();
        }
        let mut cases = String::new();
        let is_ref = self.rule.refers.is_some() && self.audit.is_judged_by_source();
        for column in is_ref.then_some("h").into_iter().chain(["p"]) {
            for (at, pick) in self.rule.from.iter().enumerate() {
                let how = match at {
                    0 => "NULL".to_owned(),
                    _ => text(&format!("from {}", spelled(pick))),
                };
                let _ = write!(cases, " WHEN s.{column}{at} IS NOT NULL THEN {how}");
            }
        }
        if let Some(template) = self.template() {
            let _ = write!(cases, " WHEN {template} IS NOT NULL THEN 'template'");
        }
        let missing = match (&self.rule.missing, self.is_key()) {
            (Some(_), _) => "'missing'",
            (None, true) => "CASE WHEN s.blank THEN 'value blank' END",
            (None, false) => "NULL",
        };
        format!("CASE{cases} ELSE {missing} END")
    }

    /// What a repair says of the mapping of values.
    fn mapped_how(&self) -> String {
        let Some(values) = &self.rule.values else { return "NULL".to_owned() };
        let first = self.referred();
        let listed = |fold: bool| {
            let from = |(from, _): &(String, String)| {
                text(&if fold { from.to_ascii_lowercase() } else { from.clone() })
            };
            values.map.iter().map(from).collect::<Vec<_>>().join(", ")
        };
        let other = match &values.otherwise {
            Otherwise::Keep => "'value kept'",
            Otherwise::Quarantine => "NULL",
            Otherwise::Value(_) => "'value otherwise'",
        };
        let folded = if values.fold_case {
            format!(" WHEN {} IN ({}) THEN 'value folded'", ascii_lower(&first), listed(true))
        } else {
            String::new()
        };
        format!(
            "CASE WHEN {first} IS NULL OR {first} IN ({}) THEN NULL{folded} ELSE {other} END",
            listed(false)
        )
    }
}

fn constant(constant: &Constant, ty: Type) -> String {
    match (constant, ty) {
        (Constant::Text(value), Type::Any) => text(&format!("\"{value}\"")),
        (Constant::Text(value), _) => text(value),
        (Constant::Number(value), Type::Any) => text(&format!("{value}")),
        (Constant::Number(value), _) => format!("{value}::DOUBLE"),
        (Constant::Boolean(value), Type::Any) => text(&format!("{value}")),
        (Constant::Boolean(value), _) => format!("{value}"),
    }
}
