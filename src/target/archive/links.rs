//! The bundle's link files on their way onto rows, and where links lead.

use std::collections::BTreeMap;

use super::routes::Route;
use super::rows::Pairs;
use super::rules::uuid;
use super::tally::Tally;
use crate::error::Result;
use crate::progress::Silent;
use crate::schema::{Link, Schema};
use crate::target::faults::Faults;
use crate::target::{Noted, Plan, Table, Value};

/// Reads the link files that are written onto rows: 32 bytes a pair.
pub(super) fn pairs(
    plan: &Plan,
    routes: &[Route],
    faults: &mut Faults,
) -> Result<BTreeMap<String, Pairs>> {
    let mut found: BTreeMap<String, Pairs> = BTreeMap::new();
    for route in routes.iter().filter(|route| route.written) {
        let pairs = found.entry(route.entity.clone()).or_default();
        let pairs = pairs.entry(route.label.clone()).or_default();
        let Some(table) = table_of(plan, route) else { continue };
        each_pair(plan, table, &mut |from, to| {
            let (ours, other) = if route.swapped { (to, from) } else { (from, to) };
            match (uuid(ours), uuid(other)) {
                (Some(ours), Some(other)) => pairs.push((ours, other)),
                _ => faults.add(&table.name, "a link leads to an id that is no UUID", ours),
            }
            Ok(())
        })?;
    }
    for pairs in found.values_mut().flat_map(BTreeMap::values_mut) {
        pairs.sort_unstable();
        pairs.dedup();
    }
    Ok(found)
}

/// The bundle's table of a route.
pub(super) fn table_of<'p>(plan: &'p Plan, route: &Route) -> Option<&'p Table> {
    plan.tables.iter().find(|table| table.link.is_some() && table.name == route.table)
}

/// Passes both ends of every pair of a link table.
pub(super) fn each_pair(
    plan: &Plan,
    table: &Table,
    visit: &mut dyn FnMut(&str, &str) -> Result<()>,
) -> Result<()> {
    plan.scan(table, &Silent, &mut |rows| {
        for row in 0..rows.len() {
            if let (Value::Text(from), Value::Text(to)) = (rows.value(0, row), rows.value(1, row)) {
                visit(from, to)?;
            }
        }
        Ok(())
    })
}

/// Links of the target model, to say where they lead.
pub(super) fn links_on<'s>(schema: &'s Schema, plan: &'s Plan) -> impl Iterator<Item = &'s Link> {
    schema.links.iter().filter(|link| plan.schema.entity(&link.on).is_some())
}

/// Rows that a link leads away from without leading anywhere.
pub(super) fn dangling(tallies: &BTreeMap<String, Tally>, link: &Link) -> (u64, Noted) {
    let pairs = tallies.get(&link.on).and_then(|tally| tally.links.get(&link.label));
    let pairs = pairs.map_or(&[][..], |pairs| pairs);
    let mut noted = Noted::default();
    let there = tallies.get(&link.to);
    for (_, from) in pairs.iter().filter(|(to, _)| !there.is_some_and(|there| there.has(*to))) {
        noted.add(|| uuid::Uuid::from_u128(*from).to_string());
    }
    (pairs.len() as u64, noted)
}
