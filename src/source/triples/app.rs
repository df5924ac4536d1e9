//! One app: its attributes, its schema as a backup has it, and the counts of its rows.

use std::collections::BTreeMap;

use super::WHAT;
use crate::app::Rules;
use crate::error::{Error, Result};
use crate::json;
use crate::pg::{self, Client, Place, literal};
use crate::schema::{Has, Schema};
use crate::source::config;

/// The app that InstantDB's own attributes belong to.
const SYSTEM: &str = "a1111111-1111-1111-1111-111111111ca7";
/// Those of its entities that a backup has; the others hold tokens and codes.
const SHARED: [&str; 3] = ["$users", "$files", "$streams"];

/// What an app's database says before its rows.
#[derive(Debug)]
pub(super) struct App {
    id: String,
    pub(super) title: Option<String>,
    /// By entity, `id` before the others, by label.
    pub(super) attrs: Vec<Attr>,
    pub(super) schema_text: String,
    /// Its permission rules; unknown where the login may not read them.
    pub(super) rules: Rules,
    pub(super) schema: Schema,
    /// Rows by entity, sorted.
    pub(super) counts: Vec<(String, u64)>,
}

/// One attribute or the forward side of a link.
#[allow(clippy::struct_excessive_bools, reason = "the columns of the store's table")]
#[derive(Debug)]
pub(super) struct Attr {
    id: String,
    pub(super) key: [u8; 16],
    pub(super) entity: String,
    pub(super) label: String,
    /// How many ids a link holds.
    pub(super) has: Has,
    unique: bool,
    indexed: bool,
    required: bool,
    ty: Option<String>,
    is_link: bool,
    /// Entity and label of a link's other side, as far as it has one.
    reverse: (Option<String>, Option<String>),
    /// What happens to rows when one at the other end is deleted, seen from the forward and from the
    /// reverse side.
    on_delete: (Option<String>, Option<String>),
}

impl Attr {
    /// Whether it is the attribute that makes a row be there.
    pub(super) fn is_id(&self) -> bool {
        self.label == "id"
    }
}

impl App {
    /// Reads what there is about an app.
    pub(super) fn read(client: &mut Client, place: &Place, id: &str) -> Result<Self> {
        let failed = |error: postgres::Error| {
            let told = pg::failed(&error, place, WHAT);
            match error.code() {
                Some(code) if code.code() == "42P01" => {
                    told.help("name the database of an InstantDB server")
                }
                _ => told,
            }
        };
        let sql = format!("SELECT title::pg_catalog.text FROM public.apps WHERE id = {}", uuid(id));
        let row = client.query_typed_opt(&sql, &[]).map_err(failed)?;
        let row = row.ok_or_else(|| {
            Error::usage(format!("the database has no app `{id}`"))
                .at(place.shown())
                .help("name an app that the server has: the table `apps` lists them")
        })?;
        let attrs = attrs(client, id).map_err(failed)?;
        let schema_text = schema_text(&attrs);
        let schema = config::schema(&schema_text).map_err(|said| {
            Error::damaged(format!("the app's attributes make no schema: {said}")).at(place.shown())
        })?;
        let counts = counts(client, id, &attrs).map_err(failed)?;
        let rules = rules(client, id).map_err(failed)?;
        let rules =
            rules.map_or(Ok(Rules::Unknown), |text| Rules::parse(&text)).map_err(|said| {
                Error::damaged(format!("the app's permission rules: {said}")).at(place.shown())
            })?;
        Ok(Self { id: id.to_owned(), title: row.get(0), attrs, schema_text, rules, schema, counts })
    }

    /// The statement that streams the triples: entity, attribute, value, creation time.
    pub(super) fn select(&self) -> String {
        let ids = list(self.attrs.iter().map(|attr| attr.id.as_str()));
        format!(
            "COPY (SELECT t.entity_id, t.attr_id, t.value::pg_catalog.text, \
             t.created_at::pg_catalog.int8 FROM public.triples AS t \
             WHERE t.app_id = {} AND t.attr_id = ANY ({ids}) \
             ORDER BY t.entity_id, t.attr_id) TO STDOUT (FORMAT BINARY)",
            uuid(&self.id)
        )
    }
}

/// The permission rules as JSON text, `null` for none; `None` where they cannot be read.
fn rules(client: &mut Client, id: &str) -> Result<Option<String>, postgres::Error> {
    let may = "SELECT coalesce(pg_catalog.has_table_privilege(\
               pg_catalog.to_regclass('public.rules'), 'SELECT'), false)";
    if !client.query_typed_one(may, &[])?.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = format!("SELECT code::pg_catalog.text FROM public.rules WHERE app_id = {}", uuid(id));
    let row = client.query_typed_opt(&sql, &[])?;
    Ok(Some(row.and_then(|row| row.get(0)).unwrap_or_else(|| "null".to_owned())))
}

fn uuid(id: &str) -> String {
    format!("{}::pg_catalog.uuid", literal(id))
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let ids = ids.collect::<Vec<_>>().join(",");
    format!("{}::pg_catalog.uuid[]", literal(&format!("{{{ids}}}")))
}

/// The attributes that are not being deleted; where `attrs` does not hold their names itself, those
/// in `idents`.
fn attrs(client: &mut Client, app: &str) -> Result<Vec<Attr>, postgres::Error> {
    let sql = format!(
        "SELECT a.id::pg_catalog.text, COALESCE(a.etype, f.etype)::pg_catalog.text, \
            COALESCE(a.label, f.label)::pg_catalog.text, a.cardinality::pg_catalog.text = 'many', \
            a.is_unique, a.is_indexed, COALESCE(a.is_required, false), \
            a.checked_data_type::pg_catalog.text, \
            a.value_type::pg_catalog.text = 'ref', \
            COALESCE(a.reverse_etype, r.etype)::pg_catalog.text, \
            COALESCE(a.reverse_label, r.label)::pg_catalog.text, \
            a.on_delete::pg_catalog.text, a.on_delete_reverse::pg_catalog.text \
         FROM public.attrs a LEFT JOIN public.idents f ON f.id = a.forward_ident \
              LEFT JOIN public.idents r ON r.id = a.reverse_ident \
         WHERE a.app_id IN ({app}, {system}) AND a.deletion_marked_at IS NULL",
        app = uuid(app),
        system = uuid(SYSTEM),
    );
    let mut attrs = Vec::new();
    for row in client.query_typed(&sql, &[])? {
        let names: (Option<String>, Option<String>) = (row.get(1), row.get(2));
        let (Some(entity), Some(label)) = names else { continue };
        let id: String = row.get(0);
        let key = uuid::Uuid::try_parse(&id).unwrap_or_default().into_bytes();
        attrs.push(Attr {
            id,
            key,
            entity,
            label,
            has: if row.get(3) { Has::Many } else { Has::One },
            unique: row.get(4),
            indexed: row.get(5),
            required: row.get(6),
            ty: row.get(7),
            is_link: row.get(8),
            reverse: (row.get(9), row.get(10)),
            on_delete: (row.get(11), row.get(12)),
        });
    }
    attrs.retain(|attr| !attr.entity.starts_with('$') || SHARED.contains(&attr.entity.as_str()));
    let key = |attr: &Attr| (attr.entity.clone(), !attr.is_id(), attr.label.clone(), attr.key);
    attrs.sort_by_key(key);
    Ok(attrs)
}

/// Rows by entity; InstantDB's own entities only where they have some.
fn counts(
    client: &mut Client,
    app: &str,
    attrs: &[Attr],
) -> Result<Vec<(String, u64)>, postgres::Error> {
    let ids: Vec<&Attr> = attrs.iter().filter(|attr| attr.is_id()).collect();
    let sql = format!(
        "SELECT attr_id::pg_catalog.text, pg_catalog.count(*) FROM public.triples \
         WHERE app_id = {} AND attr_id = ANY ({}) GROUP BY attr_id",
        uuid(app),
        list(ids.iter().map(|attr| attr.id.as_str()))
    );
    let rows = client.query_typed(&sql, &[])?;
    let of = |attr: &Attr| {
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == attr.id);
        row.map_or(0, |row| u64::try_from(row.get::<_, i64>(1)).unwrap_or_default())
    };
    let mut counts = BTreeMap::new();
    for attr in ids {
        let rows = of(attr);
        if rows > 0 || !attr.entity.starts_with('$') {
            *counts.entry(attr.entity.clone()).or_default() += rows;
        }
    }
    Ok(counts.into_iter().collect())
}

/// The schema as the `config.json` of a backup has it.
fn schema_text(attrs: &[Attr]) -> String {
    let mut entities: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut links: BTreeMap<String, String> = BTreeMap::new();
    for attr in attrs {
        let entity = entities.entry(&attr.entity).or_default();
        if attr.is_link {
            links.insert(link_name(attr), link(attr));
        } else if !attr.is_id() {
            entity.push(format!("{}:{}", quoted(&attr.label), blob(attr)));
        }
    }
    let entities: Vec<String> = entities
        .iter()
        .map(|(name, attrs)| {
            format!("{}:{{\"attrs\":{{{}}},\"links\":{{}}}}", quoted(name), attrs.join(","))
        })
        .collect();
    let links: Vec<String> =
        links.iter().map(|(name, link)| format!("{}:{link}", quoted(name))).collect();
    format!("{{\"entities\":{{{}}},\"links\":{{{}}}}}", entities.join(","), links.join(","))
}

fn blob(attr: &Attr) -> String {
    let ty = quoted(attr.ty.as_deref().unwrap_or("json"));
    let (required, indexed, unique) = (attr.required, attr.indexed, attr.unique);
    format!(
        "{{\"valueType\":{ty},\"required\":{required},\
         \"config\":{{\"indexed\":{indexed},\"unique\":{unique}}}}}"
    )
}

/// `events` of `emails` is `emailsEvents`.
fn link_name(attr: &Attr) -> String {
    let mut label = attr.label.chars();
    let first: String = label.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{}{first}{}", attr.entity, label.as_str())
}

/// A link without a reverse has none of its names, and they are null.
fn link(attr: &Attr) -> String {
    let action = |action: &Option<String>| {
        action.as_ref().map_or(String::new(), |name| format!(",\"onDelete\":{}", quoted(name)))
    };
    let name = |name: &Option<String>| name.as_deref().map_or("null".to_owned(), quoted);
    let required = if attr.required { ",\"required\":true" } else { "" };
    format!(
        "{{\"forward\":{{\"on\":{},\"has\":\"{}\",\"label\":{}{required}{}}},\
         \"reverse\":{{\"on\":{},\"has\":\"{}\",\"label\":{}{}}}}}",
        quoted(&attr.entity),
        if attr.has == Has::Many { "many" } else { "one" },
        quoted(&attr.label),
        action(&attr.on_delete.0),
        name(&attr.reverse.0),
        if attr.unique { "one" } else { "many" },
        name(&attr.reverse.1),
        action(&attr.on_delete.1),
    )
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    json::write_string(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}
