//! Completions and man pages, made from the command line's own definition.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use rethread::error::{Error, Result};
use rethread::storage;
use serde_json::json;

use crate::args::Args;
use crate::render::Ended;

const NAME: &str = "rethread";

/// Completions of one shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rethread completions bash > ~/.local/share/bash-completion/completions/rethread
  rethread completions zsh > ~/.zfunc/_rethread
  rethread completions fish > ~/.config/fish/completions/rethread.fish
  rethread completions powershell >> $PROFILE")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The man pages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One page a command, as `rethread-verify.1`; pages that stand there are replaced.

Examples:
  rethread man | man -l -
  rethread man --to ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write every page into this folder [default: the main page to stdout]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Writes completions.
pub(crate) fn completions(it: &Completions) -> Result<Ended> {
    let mut script = Vec::new();
    clap_complete::generate(it.shell, &mut Args::command(), NAME, &mut script);
    let script = text(script)?;
    Ok(Ended::told(script.as_str()).with("shell", it.shell.to_string()).with("script", script))
}

/// Writes man pages.
pub(crate) fn man(it: &Man) -> Result<Ended> {
    // `help` is a command of its own only to clap.
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = &it.to else {
        let page = rendered(&Page::new(command))?;
        return Ok(Ended::told(page.as_str()).with("page", page));
    };
    storage::create_folder(folder)?;
    let mut names = Vec::new();
    write(&command, folder, &mut names)?;
    names.sort();
    Ok(Ended::made("folder", folder).with("pages", json!(names)))
}

/// Writes the page of a command, and those of the commands below it.
fn write(command: &Command, folder: &Path, names: &mut Vec<String>) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below, folder, names)?;
    }
    let page = Page::new(command.clone());
    let name = page.get_filename();
    storage::replace(&folder.join(&name), rendered(&page)?.as_bytes())?;
    names.push(name);
    Ok(())
}

fn rendered(page: &Page) -> Result<String> {
    let mut roff = Vec::new();
    page.render(&mut roff)
        .map_err(|error| Error::bug("a man page could not be made").because(error))?;
    // What is not ASCII as escapes: then every reader takes the page, whatever it takes its input for.
    let page = text(roff)?;
    Ok(page.chars().map(|c| if c.is_ascii() { c.into() } else { escape(c) }).collect())
}

fn escape(c: char) -> String {
    format!("\\[u{:04X}]", u32::from(c))
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| Error::bug("a page is no UTF-8").because(error))
}
