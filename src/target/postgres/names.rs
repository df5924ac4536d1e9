//! Names that PostgreSQL can hold.

use std::collections::BTreeSet;

use super::schema::{DIGEST, IMPORTS};
use crate::error::{Error, Result};
use crate::target::Plan;

/// Longer names are cut by the server, without a word.
const LONGEST: usize = 63;

/// Refuses names of tables and columns that PostgreSQL would cut or cannot tell apart.
pub(super) fn check(plan: &Plan) -> Result<()> {
    let mut tables = BTreeSet::from([IMPORTS]);
    for table in &plan.tables {
        fits(&table.name)?;
        if !tables.insert(table.name.as_str()) {
            return Err(twice(&table.name));
        }
        let mut columns = BTreeSet::from([DIGEST]);
        for column in &table.columns {
            fits(&column.name)?;
            if !columns.insert(column.name.as_str()) {
                return Err(twice(&format!("{}.{}", table.name, column.name)));
            }
        }
    }
    Ok(())
}

/// Refuses a name that PostgreSQL cannot hold.
pub(super) fn fits(name: &str) -> Result<()> {
    if name.len() <= LONGEST && !name.is_empty() && !name.contains('\0') {
        return Ok(());
    }
    Err(Error::usage(format!("PostgreSQL takes no name of {} bytes: `{name}`", name.len()))
        .help("name it otherwise in the contract, in at most 63 bytes"))
}

fn twice(name: &str) -> Error {
    Error::usage(format!("the target has `{name}` twice"))
        .help("name one of them otherwise in the contract")
}

/// A name for an index or a constraint: the wanted one, or a short one with a digest of it.
pub(super) fn short(wanted: &str) -> String {
    if wanted.len() <= LONGEST {
        return wanted.to_owned();
    }
    let digest = crate::bag::sha256_hex(wanted.as_bytes());
    let mut end = LONGEST - 9;
    while !wanted.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}.{}", &wanted[..end], &digest[..8])
}
