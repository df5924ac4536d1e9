//! Text to [`Contract`].

use super::fields::Fields;
use super::misfit::Misfits;
use super::tree::{self, Node};
use super::{Contract, Overrides, UnmappedAttrs};
use super::{check, model, notes, permissions, release, sections, transforms, written};
use crate::error::{Error, Result};

const KEYS: [&str; 14] = [
    "contract",
    "release",
    "before",
    "after",
    "ids",
    "transform",
    "duplicates",
    "unmapped",
    "verify",
    "note",
    "rollout",
    "target",
    "implementation",
    "override",
];

/// Reads a contract: parses it, fills its blanks from the overrides, and checks it.
///
/// `name` is how the user called the file, for messages.
///
/// # Errors
/// Every misfit at once, each as `NAME:LINE:COLUMN: what is wrong`; lines and columns count from 1,
/// columns in characters.
pub fn load(text: &str, name: &str, overrides: &Overrides) -> Result<Contract> {
    let misfits = Misfits::default();
    let file = misfits.file(name, Some(text));
    let mut tree = tree::parse(text, file, &misfits);
    let text = release::overlay(text, tree.as_mut(), overrides, &misfits);
    let contract = tree.as_ref().and_then(|tree| read(tree, text, &misfits));
    misfits.none()?;
    contract.ok_or_else(|| Error::bug("a contract without misfits was not read").at(name))
}

/// Reads the tree; what is a misfit reads as something harmless.
fn read(tree: &Node, text: String, misfits: &Misfits) -> Option<Contract> {
    let root = Fields::open(tree, "", &KEYS, misfits)?;
    let (name, format) = sections::contract(&root);
    let (before, after, model) = model::read(&root);
    let unmapped = sections::unmapped(&root);
    let carry = unmapped.attrs == UnmappedAttrs::Carry;
    let (read, becomes) = transforms::read(&root, &model, (format, carry));
    check::check(&root, &model, &becomes, &read);
    Some(Contract {
        name,
        format,
        release: sections::release(&root),
        before,
        after,
        rules: permissions::read(&root, &model),
        namespace: sections::namespace(&root),
        checks: written::read(&root, &model, &becomes),
        notes: notes::read(&root, &model, &becomes),
        transforms: read.into_iter().map(|read| read.transform).collect(),
        duplicates: sections::duplicates(&root, &model),
        unmapped,
        rollout: sections::rollout(&root),
        unfit: sections::target(&root),
        implementation: sections::implementation(&root),
        text,
    })
}
