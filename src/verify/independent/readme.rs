//! What stands beside the script.

use std::fmt::Write as _;

use crate::error::{grouped, printable};
use crate::verify::Rule;
use crate::verify::facts::Audit;

/// The versions of DuckDB that the tests ran the script with.
const TRIED: &str = "1.5.6 (command line) and 2.0.0 (Python)";

/// The text of README.txt.
pub(super) fn text(audit: &Audit<'_>, rules: &[Rule], left_out: &[String]) -> String {
    let meta = audit.bundle.meta();
    let mut out = format!(
        "\
WHAT THIS IS

check.sql is the contract `{contract}` as plain SQL: {count} rules that a bundle of it and its snapshot
must obey. Each derives from the snapshot what the bundle must hold, and counts where it does not: ids
(with uuid5), values with their fallbacks, mappings, templates and references, links, order, counts and
equations, what was merged, quarantined, adopted and repaired, payloads byte for byte, and the JSON lines.
It was written by {program} from the contract; neither that program nor its code is needed to run it.

  contract  SHA-256 {digest}
  snapshot  `{snapshot}`, SHA-256 of its manifest {snapshot_digest}

HOW IT IS RUN

With DuckDB's command line, from this folder:

  duckdb -c \".read check.sql\"

With its Python package:

  python3 -c \"import duckdb; print(duckdb.execute(open('check.sql').read()).fetchall())\"

The two folders stand at the top of check.sql. Where they are elsewhere, name them first:

  duckdb -cmd \"SET VARIABLE bundle = '/archive/bundle'; SET VARIABLE snapshot = '/archive/snapshot'\" \\
    -c \".read check.sql\"

It ends with `no difference`, or with an error after the table of the rules that do not hold. The table
`findings` (rule, kind, entity, attr, violations, sample) has every rule; in a database file
(`duckdb audit.duckdb -c \".read check.sql\"`) it stays to be asked. The views `source.<entity>`,
`target.<entity>`, `quarantine.<entity>`, `merged.<entity>` … are the files as they are.

Whether the files are those that were sealed, their manifests say, in each of the two folders:

  sha256sum -c manifest-sha256.txt && sha256sum -c tagmanifest-sha256.txt

Tried with DuckDB {tried}.

WHAT IT DOES NOT DECIDE

",
        contract = one_line(&audit.contract.name),
        count = grouped(rules.len() as u64),
        program = crate::PROGRAM,
        digest = audit.contract.digest(),
        snapshot = one_line(meta.snapshot_name()),
        snapshot_digest = audit.snapshot.digest(),
        tried = TRIED,
    );
    for limit in LIMITS {
        let _ = writeln!(out, "* {limit}");
    }
    for rule in left_out {
        let _ = writeln!(out, "* No query: {}. SQL has no canonical JSON.", one_line(rule));
    }
    out
}

/// What is decided otherwise than the program does, or not at all.
const LIMITS: [&str; 7] = [
    "JSON paths: of two members of one name below the top of a value DuckDB reads the first, the\n  \
     contract none. A number that is neither a double nor a whole one of 64 bits is read as a double.",
    "Half a surrogate pair (`\\ud800` alone) is no JSON to DuckDB: escaped pairs and halves in payloads\n  \
     are compared as the text they are; a text that is read out of such a payload too.",
    "A line of more than 16 MiB stops the script; set `max_line_size` higher in it.",
    "JSON that a case of the contract builds is compared by what it means: DuckDB does not give the\n  \
     text of a value as it stands. Payloads that are carried are compared byte for byte.",
    "A value behind a link (`link.attr`) of several rows with one id is that of any of them.",
    "A merged row is compared by the digest that the snapshot gives; which of two rows in conflict is\n  \
     kept is decided by their dates alone.",
    "Why a row is quarantined is read in the source for types, ids, required and listed values, cases\n  \
     and links; what hangs on other rows of the target (`unique`, `not taken`, links over links) is\n  \
     taken at its word.",
];

fn one_line(words: &str) -> String {
    printable(words).replace(['\n', '\r'], " ")
}
