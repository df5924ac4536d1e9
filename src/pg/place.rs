//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use postgres::config::{ChannelBinding, TargetSessionAttrs};

use super::url;
use crate::error::Result;
use crate::secret::Secret;

/// How a connection is secured, as libpq's `sslmode` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never TLS.
    Disable,
    /// TLS when the server has it, without a look at its certificate; else none.
    Prefer,
    /// TLS; the certificate's chain is checked when `sslrootcert` is given.
    Require,
    /// TLS with a certificate that leads to a root.
    VerifyCa,
    /// The same, and it names the host.
    VerifyFull,
}

/// What certificates lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// The machine's own.
    System,
    /// Those of a file.
    File(PathBuf),
}

/// One of a database's hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// A name, an address, or the folder of a socket.
    pub(super) name: String,
    pub(super) port: u16,
}

impl Host {
    pub(super) fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Points a configuration at this host.
    pub(super) fn aim(&self, config: &mut postgres::Config) {
        config.host(&self.name).port(self.port);
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            return write!(f, "[{}]:{}", self.name, self.port);
        }
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// A database, as a URL names it: `postgres://USER@HOST:PORT/DATABASE?…`.
///
/// A password in the URL is kept as a [`Secret`]; nothing shows it.
#[derive(Debug, Clone)]
pub struct Place {
    pub(super) hosts: Vec<Host>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: String,
    pub(super) tls: TlsMode,
    pub(super) roots: Option<Roots>,
    pub(super) application: Option<String>,
    pub(super) options: Option<String>,
    pub(super) patience: Option<Duration>,
    pub(super) session: TargetSessionAttrs,
    pub(super) binding: ChannelBinding,
}

impl Place {
    /// Reads a URL as libpq does. Without a host it means `localhost`; without a database, the one
    /// of the user's name.
    ///
    /// # Errors
    /// It is no such URL, or has a parameter that is not known. No part of it is repeated that
    /// could be a piece of a password.
    pub fn parse(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// Whether a text is the URL of a database.
    pub fn is_url(text: &str) -> bool {
        url::rest(text).is_some()
    }

    /// `USER@HOST:PORT/DATABASE` without any secret: for names, errors and reports.
    pub fn shown(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{user}{}/{}", self.hosts_text(), self.database)
    }

    /// Text that names the database, whoever logs in.
    pub fn identity(&self) -> String {
        format!("postgresql://{}/{}", self.hosts_text().to_lowercase(), self.database)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// How the connection is to be secured.
    pub fn tls(&self) -> TlsMode {
        self.tls
    }

    fn hosts_text(&self) -> String {
        self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}
