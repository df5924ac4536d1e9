//! Reading a database's URL.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::config::{ChannelBinding, TargetSessionAttrs};

use super::place::{Host, Place, Roots, TlsMode};
use crate::error::{Error, Result};
use crate::secret::Secret;

const PARAMETERS: [&str; 12] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "options",
    "password",
    "port",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

const FORM: &str = "write it as `postgres://USER@HOST:PORT/DATABASE`, and other characters in a name \
                    as `%` and two hexadecimal digits";

/// What follows the scheme of a database's URL.
pub(super) fn rest(url: &str) -> Option<&str> {
    url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))
}

fn wrong(said: impl Into<String>) -> Error {
    Error::usage(said).help(FORM)
}

/// Reads a URL; see [`Place::parse`].
pub(super) fn parse(url: &str) -> Result<Place> {
    let rest = rest(url).ok_or_else(|| wrong("this is no URL of a PostgreSQL database"))?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if tail.contains('@') {
        let said = "a `@` stands behind the host of the database's URL";
        return Err(wrong(said).help("write `/`, `?` and `@` of a password as `%2F`, `%3F`, `%40`"));
    }
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    let mut said = parameters(query)?;
    let mut over = |name: &str, text: &str| -> Result<Option<String>> {
        let text = decoded(text)?;
        Ok(said.remove(name).or(Some(text)).filter(|text| !text.is_empty()))
    };
    let user = over("user", user)?;
    let password = over("password", password.unwrap_or_default())?.map(Secret::new);
    let database = over("dbname", path.strip_prefix('/').unwrap_or(path))?;
    let database = database
        .or_else(|| user.clone())
        .ok_or_else(|| wrong("the database's URL names no database"))?;
    let hosts = self::hosts(hosts, said.remove("host"), said.remove("port"))?;
    let roots = said.remove("sslrootcert").map(|file| match file.as_str() {
        "system" => Roots::System,
        _ => Roots::File(file.into()),
    });
    let default = if roots == Some(Roots::System) { "verify-full" } else { "prefer" };
    let mut choice = |name: &str, default: &str| said.remove(name).unwrap_or(default.to_owned());
    Ok(Place {
        tls: tls(&choice("sslmode", default))?,
        session: session(&choice("target_session_attrs", "any"))?,
        binding: binding(&choice("channel_binding", "prefer"))?,
        patience: patience(&choice("connect_timeout", "0"))?,
        application: said.remove("application_name"),
        options: said.remove("options"),
        hosts,
        user,
        password,
        database,
        roots,
    })
}

fn parameters(query: &str) -> Result<BTreeMap<String, String>> {
    let mut said = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !PARAMETERS.contains(&name) {
            // What follows a password in a query may be a piece of it.
            let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let shown = is_name && name.len() <= 40 && !said.contains_key("password");
            let name = if shown { format!(" `{name}`") } else { String::new() };
            let known = PARAMETERS.map(|name| format!("`{name}`")).join(", ");
            return Err(Error::usage(format!("the database's URL has an unknown parameter{name}"))
                .help(format!("known are {known}; write `&` in a value as `%26`")));
        }
        said.insert(name.to_owned(), decoded(value)?);
    }
    Ok(said)
}

fn hosts(spec: &str, names: Option<String>, ports: Option<String>) -> Result<Vec<Host>> {
    let mut hosts = Vec::new();
    for one in spec.split(',') {
        hosts.push(host(one)?);
    }
    if let Some(names) = names.filter(|names| !names.is_empty()) {
        let names: Vec<&str> = names.split(',').collect();
        let ports: Vec<u16> = hosts.iter().map(|host| host.port).collect();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        hosts = (names.iter().enumerate())
            .map(|(at, name)| Host { name: (*name).to_owned(), port: port(at) })
            .collect();
    }
    if let Some(ports) = ports.filter(|ports| !ports.is_empty()) {
        let ports = ports.split(',').map(port).collect::<Result<Vec<u16>>>()?;
        if ports.len() != 1 && ports.len() != hosts.len() {
            return Err(wrong("the database's URL has not as many ports as hosts"));
        }
        for (at, host) in hosts.iter_mut().enumerate() {
            host.port = *ports.get(at).unwrap_or(&ports[0]);
        }
    }
    for host in &mut hosts {
        if host.name.is_empty() {
            "localhost".clone_into(&mut host.name);
        }
    }
    Ok(hosts)
}

fn host(spec: &str) -> Result<Host> {
    if let Some(spec) = spec.strip_prefix('[') {
        let (name, rest) = spec
            .split_once(']')
            .ok_or_else(|| wrong("an address in the database's URL has no `]`"))?;
        let port = port(rest.strip_prefix(':').unwrap_or(rest))?;
        return Ok(Host { name: decoded(name)?, port });
    }
    let (name, text) = spec.split_once(':').unwrap_or((spec, ""));
    Ok(Host { name: decoded(name)?, port: port(text)? })
}

fn port(text: &str) -> Result<u16> {
    if text.is_empty() {
        return Ok(5432);
    }
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| wrong("a port in the database's URL is no number from 1 to 65535"))
}

/// Takes percent-encoding off.
fn decoded(text: &str) -> Result<String> {
    let bad = || wrong("the database's URL has a `%` without two hexadecimal digits behind it");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = behind;
            continue;
        }
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        bytes.push(u8::from_str_radix(digits.ok_or_else(bad)?, 16).map_err(|_| bad())?);
        rest = &behind[2..];
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.ok_or_else(|| wrong("the database's URL is no UTF-8 text"))
}

fn misfit(name: &str, known: &str) -> Error {
    Error::usage(format!("`{name}` in the database's URL has no value that is known"))
        .help(format!("write {known}"))
}

fn tls(text: &str) -> Result<TlsMode> {
    Ok(match text {
        "disable" => TlsMode::Disable,
        "prefer" | "allow" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => {
            let known = "`disable`, `prefer`, `require`, `verify-ca` or `verify-full`";
            return Err(misfit("sslmode", known));
        }
    })
}

fn session(text: &str) -> Result<TargetSessionAttrs> {
    Ok(match text {
        "any" => TargetSessionAttrs::Any,
        "read-write" => TargetSessionAttrs::ReadWrite,
        "read-only" => TargetSessionAttrs::ReadOnly,
        _ => return Err(misfit("target_session_attrs", "`any`, `read-write` or `read-only`")),
    })
}

fn binding(text: &str) -> Result<ChannelBinding> {
    Ok(match text {
        "disable" => ChannelBinding::Disable,
        "prefer" => ChannelBinding::Prefer,
        "require" => ChannelBinding::Require,
        _ => return Err(misfit("channel_binding", "`disable`, `prefer` or `require`")),
    })
}

fn patience(text: &str) -> Result<Option<Duration>> {
    let seconds: u32 = text.parse().map_err(|_| misfit("connect_timeout", "whole seconds"))?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}
