//! What an archive says before its rows: `config.json`.

use std::io;

use super::Options;
use super::ids::uuid_text;
use super::random;
use super::schema::{self, Attr, Link, Ty};
use super::value::{Value, push};
use super::world::World;

/// The head of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// `config.json`.
    pub(crate) config: String,
    /// Whether an entry may pass 4 GiB and needs zip64.
    pub(crate) large: bool,
}

impl Head {
    /// Counts what will be written, by going over all rows without their payloads.
    ///
    /// # Errors
    /// None of its own.
    pub(crate) fn of(world: &World) -> io::Result<Self> {
        let light = world.without_payloads();
        let (mut counts, mut triples) = (Vec::new(), 0_u64);
        for table in light.tables().iter().filter(|_| world.options.is_archive()) {
            let mut rows = 0;
            table.visit(&light, &mut |row, _| {
                rows += 1;
                triples += row.members.iter().map(|(_, value)| triples_of(value)).sum::<u64>();
                Ok(())
            })?;
            counts.push((table.name(), rows));
        }
        let percent = world.options.payload_percent.max(100);
        let large = world.options.parts.saturating_mul(2_000 * percent / 100) > 1 << 31;
        Ok(Self { config: config(world, &counts, triples), large })
    }
}

fn triples_of(value: &Value) -> u64 {
    match value {
        Value::Many(ids) => ids.len() as u64,
        _ => 1,
    }
}

fn config(world: &World, counts: &[(&'static str, u64)], triples: u64) -> String {
    let mut out = String::from("{\"counts\":{");
    for (at, (name, rows)) in counts.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        push(&mut out, format_args!("{comma}\"{name}\":{rows}"));
    }
    let draw = |at| random::hash(world.options.seed, u64::MAX, at);
    let app = uuid_text(draw(0) >> 4, draw(1));
    push(&mut out, format_args!("}},\"tripleCount\":{triples},\"schema\":"));
    out.push_str(&schema_text(&world.options));
    push(
        &mut out,
        format_args!(
            ",\"rules\":{{\"$default\":{{\"allow\":{{\"$default\":\"false\"}}}}}},\
             \"webhooks\":[],\"emailTemplates\":[],\"authorizedRedirectOrigins\":[],\
             \"title\":\"Generated <app> & \\\"data\\\"\",\"appId\":\"{app}\",\
             \"backupAt\":\"2026-08-21T10:11:12.345Z\",\"isn\":\"16/B374D848\",\
             \"description\":\"seed {}\"}}",
            world.options.seed
        ),
    );
    out
}

/// The schema as `config.json` has it.
fn schema_text(options: &Options) -> String {
    let mut out = String::from("{\"entities\":{");
    let entities = schema::ENTITIES.iter().filter(|(name, _)| !options.plain || is_model(name));
    for (at, (entity, _)) in entities.enumerate() {
        let comma = if at > 0 { "," } else { "" };
        push(&mut out, format_args!("{comma}\"{entity}\":{{\"attrs\":{{"));
        for (at, attr) in schema::attrs(entity).iter().enumerate() {
            write_attr(attr, at > 0, &mut out);
        }
        out.push_str("},\"links\":{}}");
    }
    out.push_str("},\"links\":{");
    for (at, link) in schema::links(options).iter().enumerate() {
        write_link(link, at > 0, &mut out);
    }
    out.push_str("}}");
    out
}

fn is_model(entity: &str) -> bool {
    ["context_", "story_", "thread_"].iter().any(|prefix| entity.starts_with(prefix))
}

fn write_attr(attr: &Attr, comma: bool, out: &mut String) {
    let ty = match attr.ty {
        Ty::Text | Ty::Many => "string",
        Ty::Number => "number",
        Ty::Flag => "boolean",
        Ty::Date => "date",
        Ty::Json => "json",
    };
    let (comma, marked) = (if comma { "," } else { "" }, |mark| attr.marks.contains(mark));
    push(
        out,
        format_args!(
            "{comma}\"{}\":{{\"valueType\":\"{ty}\",\"required\":{},\"config\":{{\"indexed\":{},\
             \"unique\":{}}}}}",
            attr.name,
            marked('!'),
            marked('^'),
            marked('*')
        ),
    );
}

fn write_link(link: &Link, comma: bool, out: &mut String) {
    let comma = if comma { "," } else { "" };
    let has = |one: bool| if one { "one" } else { "many" };
    let label: String = link
        .label
        .char_indices()
        .map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c })
        .collect();
    push(
        out,
        format_args!(
            "{comma}\"{}{label}\":{{\"forward\":{{\"on\":\"{}\",\"has\":\"{}\",\"label\":\"{}\"}},\
             \"reverse\":{{\"on\":\"{}\",\"has\":\"{}\",\"label\":\"{}\"}}}}",
            link.on,
            link.on,
            has(!link.many),
            link.label,
            link.to,
            has(link.reverse_one),
            link.reverse
        ),
    );
}
