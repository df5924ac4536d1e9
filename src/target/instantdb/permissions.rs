//! Whether the app guards the rows that are to come.

use crate::app::Rules;
use crate::bundle;
use crate::error::{Error, Result};
use crate::instantdb::{Client, Failure};
use crate::reconcile::{self, Permissions};
use crate::target::Plan;

/// Compares the app's permission rules as they are now with those that the target is to have, and gives
/// what is to be said of them.
///
/// # Errors
/// Rows that are guarded, or are to be, would be open to everybody; or the server cannot be asked.
pub(super) fn judge(client: &Client, plan: &Plan, name: &str) -> Result<Vec<String>> {
    let now = client.rules().map_err(Failure::into_error)?;
    if now.is_unknown() {
        return Ok(vec![format!(
            "the permission rules of {name} are not known, for the server does not give them to this \
             token: see for yourself who may view and change the target's rows"
        )]);
    }
    let contract = plan.contract()?;
    let schema_plan = bundle::schema_plan_of(&plan.root)?;
    let known = schema_plan.filter(|plan| !plan.app.rules.is_unknown());
    let wanted = known.and_then(|plan| plan.permissions);
    let opened = match &wanted {
        Some(wanted) => wanted.open_in(&now, &contract),
        None => reconcile::opened(&contract, &now, &now),
    };
    if opened.is_empty() {
        return Ok(said(&now, wanted.as_ref()));
    }
    let mut error = Error::refused(format!(
        "{name} does not guard rows of the target that are guarded, or are to be"
    ));
    error.at =
        opened.iter().map(|opened| format!("`{}`: {}", opened.target, opened.what)).collect();
    let lines = wanted.map(|wanted| wanted.lines_for(opened.iter().map(|it| it.target.as_str())));
    let lines = lines.filter(|lines| !lines.is_empty()).map_or_else(String::new, |lines| {
        format!("; what they are to be, for `instant.perms.ts`:\n{lines}")
    });
    Err(error.help(format!(
        "push the rules before the rows (`rethread plan SNAPSHOT --write-schema instant.schema.ts` writes \
         `instant.perms.ts` beside it, `instant-cli push perms` pushes it), then import again{lines}"
    )))
}

fn said(now: &Rules, wanted: Option<&Permissions>) -> Vec<String> {
    match (now, wanted) {
        (Rules::None, _) => vec![
            "the app has no permission rules: everybody may view and change its rows".to_owned(),
        ],
        (_, None) => vec![
            "what permission rules the source's app had is not known: they are those of the app as it is now"
                .to_owned(),
        ],
        _ => Vec::new(),
    }
}
