//! Which contract a command works by, and the commands about contracts.

use std::path::Path;

use rethread::bundle::Bundle;
use rethread::contract::{self, Contract, Overrides};
use rethread::error::{Error, Result};
use rethread::progress::Progress;
use rethread::storage;

use crate::args::{self, Rules};
use crate::render::Ended;

/// Runs a command about contracts.
pub(crate) fn run(command: &args::Contract, progress: &dyn Progress) -> Result<Ended> {
    match command {
        args::Contract::Show { rules } => show(rules),
        args::Contract::Check { file: Some(file), rules } => {
            check(&Rules { contract: Some(file.clone()), ..rules.clone() })
        }
        args::Contract::Check { file: None, rules } => check(rules),
        args::Contract::Render(it) => crate::documents::render(it, progress),
        args::Contract::Diff(it) => crate::documents::diff(it),
        args::Contract::Init { out, contract } => init(contract.as_deref(), out.as_deref()),
    }
}

fn show(rules: &Rules) -> Result<Ended> {
    let contract = load(rules)?;
    Ok(described(contract::show(&contract), &contract))
}

fn check(rules: &Rules) -> Result<Ended> {
    let contract = load(rules)?;
    let blanks = contract::blanks(&contract);
    let lines = std::iter::once(format!("the contract `{}` is sound\n", contract.name))
        .chain(blanks.iter().map(|blank| format!("blank: {blank}\n")));
    let said: String = lines.collect();
    Ok(described(said, &contract))
}

fn described(text: String, contract: &Contract) -> Ended {
    Ended::told(text)
        .with("contract", contract.name.as_str())
        .with("digest", contract.digest())
        .with("blanks", contract::blanks(contract))
}

fn init(file: Option<&Path>, out: Option<&Path>) -> Result<Ended> {
    let (name, text) = text(file)?;
    let release = contract::init(&text, &name)?;
    let Some(out) = out else {
        return Ok(Ended::told(release.as_str()).with("release", release));
    };
    if out.symlink_metadata().is_ok() {
        return Err(Error::usage("the file to write exists already")
            .at(out.display())
            .help("name another one, or remove it"));
    }
    storage::replace(out, release.as_bytes())?;
    Ok(Ended::made("file", out))
}

/// The contract of the command line, blanks filled, checked.
pub(crate) fn load(rules: &Rules) -> Result<Contract> {
    let (name, text) = text(rules.contract.as_deref())?;
    let release = rules.release.as_deref().map(named).transpose()?;
    contract::load(&text, &name, &Overrides { release, set: rules.set.clone() })
}

/// The contract a bundle was made by, out of the bundle.
pub(crate) fn of_bundle(bundle: &Bundle) -> Result<Contract> {
    in_folder(bundle.root())
}

/// The same with values that a release file and settings change.
pub(crate) fn of_bundle_with(
    bundle: &Bundle,
    release: Option<&Path>,
    set: &[(String, String)],
) -> Result<Contract> {
    let (name, text) = named(&bundle.root().join("data/contract.toml"))?;
    let release = release.map(named).transpose()?;
    contract::load(&text, &name, &Overrides { release, set: set.to_vec() })
}

/// The contract in the folder of a bundle.
pub(crate) fn in_folder(bundle: &Path) -> Result<Contract> {
    let (name, text) = named(&bundle.join("data/contract.toml"))?;
    contract::load(&text, &name, &Overrides::default())
}

/// A contract by the name of a built-in one, or in a file; the first built-in one where none is named.
pub(crate) fn text(said: Option<&Path>) -> Result<(String, String)> {
    let [first, ..] = contract::BUILT_INS;
    let built_in = match said {
        None => Some(first),
        Some(said) => contract::BUILT_INS.into_iter().find(|(name, _)| said == Path::new(name)),
    };
    match (built_in, said) {
        (Some((name, text)), _) => Ok((format!("{name}.toml (built in)"), text.to_owned())),
        (None, Some(path)) if path.extension().is_none() && !path.exists() => {
            Err(Error::usage("there is no contract of that name, and no such file")
                .at(path.display())
                .help(known()))
        }
        (None, path) => named(path.unwrap_or(Path::new(""))),
    }
}

fn known() -> String {
    let names: Vec<String> =
        contract::BUILT_INS.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("name a file, or a built-in contract: {}", names.join(" or "))
}

fn named(path: &Path) -> Result<(String, String)> {
    Ok((path.display().to_string(), storage::read_text(path)?))
}
