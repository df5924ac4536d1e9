//! Texts that not every store holds, where the contract sets rows with them aside.

use super::aside;
use super::cell::{Seen, text};
use super::fault::Fault;
use super::ground::Ground;
use super::rows::Planted;
use crate::bundle::Quarantine;
use crate::contract::Unfit;
use crate::schema::Type;

/// What a rule's name ends with that sets a row aside for its text.
const HELD: &str = " held by every store";

/// The kind of the rules that must find these faults.
const KIND: &str = "unfit";

/// A text of a migrated row ends with a NUL.
pub(super) fn nul(ground: &Ground<'_>) -> Planted {
    migrated(ground, Type::String, &|now| format!("{now}\0"))
}

/// A payload of a migrated row is half of a surrogate pair.
pub(super) fn half(ground: &Ground<'_>) -> Planted {
    migrated(ground, Type::Any, &|_| r#"["\ud83d"]"#.to_owned())
}

fn migrated(ground: &Ground<'_>, ty: Type, change: &dyn Fn(&str) -> String) -> Planted {
    if ground.contract.unfit == Unfit::Refuse {
        return Ok(None);
    }
    for target in ground.targets()? {
        let entity = ground.contract.after.schema.entity(target.entity());
        let attrs = entity.map_or(&[][..], |entity| &entity.attrs).iter();
        for attr in attrs.filter(|attr| attr.ty == ty) {
            let name = attr.name.as_str();
            let there = &mut |row: Seen<'_>| row.text(name).is_some();
            let found = target.pick(ground.start(target.table.rows), &[name], there)?;
            let Some((at, row)) = found else { continue };
            let now = row.at(at).text(name).unwrap_or_default();
            let fault = target.value(at, (name, &text(change(now))))?;
            return Ok(Some(by_kind(fault)));
        }
    }
    Ok(None)
}

/// A row that was set aside for a text has a text there that every store holds.
pub(super) fn fit(ground: &Ground<'_>) -> Planted {
    let holds = |row: Seen<'_>| row.text(Quarantine::RULE).is_some_and(|rule| rule.ends_with(HELD));
    let Some(side) = aside::side(ground, "quarantine", &[Quarantine::RULE], &holds)? else {
        return Ok(None);
    };
    let rule = side.row.at(0).text(Quarantine::RULE).unwrap_or_default();
    let named = rule.strip_suffix(HELD).and_then(|name| name.rsplit_once('.'));
    let Some((_, attr)) = named else { return Ok(None) };
    Ok(side.value(attr, &text("\"fit\""))?.map(by_kind))
}

fn by_kind(fault: Fault) -> Fault {
    let told = fault.told.by(KIND);
    Fault { told, ..fault }
}
