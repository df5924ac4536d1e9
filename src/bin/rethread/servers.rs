//! How servers are reached: logins and tokens, from files, commands and the environment, never from
//! an argument.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rethread::error::{Error, Result};
use rethread::instantdb::{CLOUD, Client};
use rethread::pg::Login;
use rethread::progress::Progress;
use rethread::secret::Secret;
use rethread::storage;

use crate::args::Keys;

/// Who logs in to PostgreSQL, when the URL does not say it.
pub(crate) fn login(keys: &Keys) -> Result<Login> {
    let told = told(keys.password_file.as_deref(), keys.password_command.as_deref(), "password")?;
    let password = told.or_else(|| variable("PGPASSWORD").map(Secret::new));
    let own = || variable("HOME").map(|home| Path::new(&home).join(".pgpass"));
    let pgpass = variable("PGPASSFILE").map(PathBuf::from).or_else(own);
    let user = variable("PGUSER").or_else(|| variable("USER"));
    Ok(Login { password, pgpass, user })
}

/// A client of an app of an InstantDB server.
pub(crate) fn instantdb(app: &str, keys: &Keys, progress: &dyn Progress) -> Result<Client> {
    let told = told(keys.token_file.as_deref(), keys.token_command.as_deref(), "token")?;
    let token = told.or_else(|| variable("RETHREAD_TOKEN").map(Secret::new));
    let token = token.ok_or_else(|| {
        Error::usage("no token is given for the app")
            .at(format!("instantdb://{app}"))
            .help("give it by `--token-file`, `--token-command` or the variable `RETHREAD_TOKEN`")
    })?;
    let client = Client::new(keys.api_uri.as_deref().unwrap_or(CLOUD), app, token)?;
    if let Some(warning) = client.warning() {
        progress.begin("warning", None);
        progress.done(&warning);
    }
    Ok(client)
}

/// A variable that is set to something.
#[allow(clippy::disallowed_methods, reason = "the binary tells the library the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A secret out of a file or of what a command prints, its last line break left out.
fn told(file: Option<&Path>, command: Option<&str>, what: &str) -> Result<Option<Secret>> {
    let text = match (file, command) {
        (Some(file), _) => storage::read_text(file)?,
        (None, Some(command)) => printed(command, what)?,
        (None, None) => return Ok(None),
    };
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(Error::usage(format!("the {what} is empty"))
            .help(format!("check the file or the command that gives the {what}")));
    }
    Ok(Some(Secret::new(secret)))
}

/// What a command prints; what it says of a failure may hold anything, and is not repeated.
fn printed(command: &str, what: &str) -> Result<String> {
    let failed = |why: String| {
        Error::usage(format!("the command for the {what} {why}"))
            .help("run it by hand to see what is wrong; it must print the secret and nothing else")
    };
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed("cannot be run".to_owned()).because(error))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("prints no text".to_owned()))
}
