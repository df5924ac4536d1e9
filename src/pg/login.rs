//! Who logs in, and where the password comes from.

use std::path::{Path, PathBuf};

use super::place::{Host, Place};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::storage;

/// What the program was told beside the URL. The library reads no environment: the binary fills it.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The password, from a file, a command or the environment.
    pub password: Option<Secret>,
    /// libpq's password file; it counts as empty when it is not there.
    pub pgpass: Option<PathBuf>,
    /// The user, when the URL names none.
    pub user: Option<String>,
}

impl Login {
    /// The password of a user on a host: the one that was told, the URL's, the password file's.
    pub(super) fn password_for(
        &self,
        place: &Place,
        host: &Host,
        user: &str,
    ) -> Result<Option<Secret>> {
        if let Some(password) = self.password.as_ref().or(place.password.as_ref()) {
            return Ok(Some(password.clone()));
        }
        match &self.pgpass {
            Some(path) if path.exists() => {
                let text = read(path)?;
                Ok(find(&text, host, &place.database, user))
            }
            _ => Ok(None),
        }
    }
}

fn read(path: &Path) -> Result<String> {
    refuse_open(path)?;
    std::fs::read_to_string(path).map_err(|error| storage::failed(path, error))
}

#[cfg(unix)]
fn refuse_open(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let meta = path.metadata().map_err(|error| storage::failed(path, error))?;
    let others = meta.permissions().mode() & 0o077;
    if others == 0 {
        return Ok(());
    }
    Err(Error::usage("the password file can be read by others than its owner")
        .at(path.display())
        .help("take that away with `chmod 600`"))
}

#[cfg(not(unix))]
fn refuse_open(_path: &Path) -> Result<()> {
    Ok(())
}

/// The password of the first line that fits: `host:port:database:user:password`, `*` for any, `\`
/// before a `:` or a `\` that is meant itself.
fn find(text: &str, host: &Host, database: &str, user: &str) -> Option<Secret> {
    let port = host.port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line.trim_end_matches('\r');
        let fits_host =
            |field: &str| field == host.name || (host.is_socket() && field == "localhost");
        let fits: [&dyn Fn(&str) -> bool; 4] =
            [&fits_host, &|field| field == port, &|field| field == database, &|field| {
                field == user
            }];
        for fits in fits {
            let (field, behind) = field(rest)?;
            let any = rest.starts_with("*:");
            if !any && !fits(&field) {
                return None;
            }
            rest = behind;
        }
        let (password, _) = field(rest).unwrap_or_else(|| (unescaped(rest), ""));
        (!password.is_empty()).then(|| Secret::new(password))
    })
}

/// A field and what stands behind its `:`.
fn field(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((unescaped(&text[..at]), &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, host: &str, expected: Option<&str>) {
        let host = Host { name: host.to_owned(), port: 5432 };
        let found = find(&format!("# a\n\n{line}\n"), &host, "d:b", "me");
        assert_eq!(found.as_ref().map(Secret::expose), expected, "{line}");
    }

    #[test]
    fn a_password_file_is_read_as_libpq_does() {
        check(r"h:5432:d\:b:me:secret", "h", Some("secret"));
        check(r"*:*:*:*:a\\b\:c", "h", Some(r"a\b:c"));
        check("*:*:*:*:päss wörd ", "h", Some("päss wörd "));
        check("localhost:*:*:me:s", "/run/postgresql", Some("s"));
        check("/run/postgresql:*:*:me:s", "/run/postgresql", Some("s"));
        check("localhost:*:*:me:s", "h", None);
        check("h:5433:*:me:s", "h", None);
        check("h:*:*:you:s", "h", None);
        check("h:*:*", "h", None);
        check(r"\*:*:*:*:s", "h", None);
        check("h:*:*:me:first\nh:*:*:me:second", "h", Some("first"));
    }
}
