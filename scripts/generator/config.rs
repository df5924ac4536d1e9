//! What an archive says before its rows: `config.json`.

use std::io;

use super::Kind;
use super::random;
use super::schema;
use super::value::{Value, push};
use super::world::{World, uuid_text};

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
        let counted = matches!(world.options.kind, Kind::Archive | Kind::ArchiveFolder);
        let (mut counts, mut triples) = (Vec::new(), 0_u64);
        for table in light.tables().iter().filter(|_| counted) {
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
    out.push_str(&schema::text(&world.options));
    push(
        &mut out,
        format_args!(
            ",\"rules\":{{\"code\":{{\"$default\":{{\"allow\":{{\"$default\":\"false\"}}}}}}}},\
             \"webhooks\":[],\"emailTemplates\":[],\"authorizedRedirectOrigins\":[],\
             \"title\":\"Generated <app> & \\\"data\\\"\",\"appId\":\"{app}\",\
             \"backupAt\":\"2026-08-21T10:11:12.345Z\",\"isn\":\"16/B374D848\",\
             \"description\":\"seed {}\"}}",
            world.options.seed
        ),
    );
    out
}
