//! InstantDB's HTTP API as a client: schema, queries, transactions, backups.
//!
//! A [`Client`] belongs to one thread and drives its own small runtime; [`Client::another`] makes one
//! for the next thread that shares the rate gate, so that one "too many requests" slows all of them.
//! Calls that change nothing are repeated by the client; a transaction is repeated only where it is
//! certain that it did not happen (see [`Class`]).
//!
//! The token goes into one header of API calls and nowhere else: redirects of them are refused, no
//! proxy is read from the environment, and every text of the server that is kept is cut and has the
//! token hidden, since the server echoes it.

mod address;
mod answer;
mod attrs;
mod backup;
mod envelope;
mod failure;
mod gate;
mod send;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::app::Rules;
use crate::error::{Error, Result};
use crate::json;
use crate::secret::Secret;
use address::Address;
use gate::Gate;
use send::Call;

pub use answer::Answer;
pub use attrs::{AppSchema, Attr};
pub use backup::{Backup, BackupFile, Job, JobStatus};
pub use failure::{Class, Failure, Told};
pub use gate::TRIES;

/// The address of Instant Cloud.
pub const CLOUD: &str = "https://api.instantdb.com";

/// The most bytes of a text in an indexed or unique attribute (`INSTANTDB` §1.7).
pub const MOST_INDEXED: usize = 1012;

/// Number of a transaction, given by the server.
pub type TxId = u64;

/// Waits; tests put something in its place that does not.
pub type Sleep = Arc<dyn Fn(Duration) + Send + Sync>;

/// How long a client waits for what.
#[derive(Clone)]
pub struct Settings {
    /// For a connection.
    pub connect: Duration,
    /// For an API call as a whole; of a download, for its next bytes.
    pub whole: Duration,
    /// How it waits between two tries.
    pub sleep: Sleep,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            whole: Duration::from_secs(90),
            sleep: Arc::new(std::thread::sleep),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("connect", &self.connect)
            .field("whole", &self.whole)
            .finish_non_exhaustive()
    }
}

/// A connection to one app, for one thread.
pub struct Client {
    runtime: Runtime,
    /// Talks to the API: no redirect is followed, since it would carry the token elsewhere.
    api: reqwest::Client,
    /// Downloads from signed addresses: follows redirects, never has the token.
    files: OnceLock<reqwest::Client>,
    address: Address,
    token: Secret,
    bearer: HeaderValue,
    settings: Settings,
    gate: Arc<Gate>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the app with that id; `token` is the app's admin token or a personal one.
    ///
    /// # Errors
    /// Address, app id or token are none.
    pub fn new(api_uri: &str, app_id: &str, token: Secret) -> Result<Self> {
        Self::with(api_uri, app_id, token, Settings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with(api_uri: &str, app_id: &str, token: Secret, settings: Settings) -> Result<Self> {
        let address = Address::parse(api_uri, app_id)?;
        Self::build(address, token, settings, Arc::new(Gate::default()))
    }

    /// A client for another thread: same app, same token, same rate gate.
    ///
    /// # Errors
    /// The system has no room for another runtime.
    pub fn another(&self) -> Result<Self> {
        let gate = Arc::clone(&self.gate);
        Self::build(self.address.clone(), self.token.clone(), self.settings.clone(), gate)
    }

    /// The client that downloads, made when it is needed.
    fn files(&self) -> Result<&reqwest::Client> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let files = send::files(&self.settings, &self.address)?;
        Ok(self.files.get_or_init(|| files))
    }

    fn build(address: Address, token: Secret, settings: Settings, gate: Arc<Gate>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::system("the network cannot be used").because(error))?;
        let bearer = bearer(&token)?;
        let (api, files) = (send::api(&settings, &address)?, OnceLock::new());
        Ok(Self { runtime, api, files, address, token, bearer, settings, gate })
    }

    /// The app's id, in lower case.
    pub fn app_id(&self) -> &str {
        self.address.app()
    }

    /// Scheme, host and port of the API.
    pub fn host(&self) -> String {
        self.address.host()
    }

    /// What a user should know before the token travels: that it does so unencrypted.
    pub fn warning(&self) -> Option<String> {
        self.address.warning()
    }

    /// The app's schema.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers something else.
    pub fn schema(&self) -> Result<AppSchema, Failure> {
        let call = Call::get(&["dash", "apps", self.app_id(), "schema", "pull"]);
        self.again(&call, &AppSchema::parse)
    }

    /// The app's permission rules; unknown where the server does not give them.
    ///
    /// # Errors
    /// As [`Client::schema`].
    pub fn rules(&self) -> Result<Rules, Failure> {
        let call = Call::get(&["dash", "apps", self.app_id(), "perms", "pull"]);
        match self.again(&call, &rules) {
            Err(failure) if matches!(failure.told.http, Some(403 | 404)) => Ok(Rules::Unknown),
            found => found,
        }
    }

    /// Runs a query (the `InstaQL` object itself). Links are arrays, never objects.
    ///
    /// # Errors
    /// As [`Client::schema`]; [`Class::Halve`] when the answer is too much for the server, or is
    /// larger than `most` bytes.
    pub fn query(&self, query: &Value, most: u64) -> Result<Answer, Failure> {
        let body = serde_json::json!({ "query": query, "inference?": false }).to_string();
        let call = Call::post(&["admin", "query"], body).at_most(most);
        self.again(&call, &|text| Answer::parse(text.to_owned()))
    }

    /// Runs steps (the text of a JSON array) as one transaction. Unknown attributes are refused,
    /// never made. What certainly did not happen and may be repeated is repeated.
    ///
    /// # Errors
    /// What the server said, classed by what to do: [`Class`].
    pub fn transact(&self, steps: &str) -> Result<TxId, Failure> {
        let body = format!(r#"{{"steps":{steps},"throw-on-missing-attrs?":true}}"#);
        self.unless_done(&Call::post(&["admin", "transact"], body), &tx_id)
    }

    /// Waits before a try that follows `tried` others; false when there were enough.
    pub fn back_off(&self, tried: u32) -> bool {
        let again = tried < TRIES;
        if again {
            (self.settings.sleep)(gate::pause(tried));
        }
        again
    }

    /// Waits so long, by the clock of the settings.
    pub fn sleep(&self, time: Duration) {
        (self.settings.sleep)(time);
    }
}

/// Reads the answer of `GET /dash/apps/:id/perms/pull`.
fn rules(text: &str) -> Option<Rules> {
    let members = json::members(text).ok()?;
    Rules::parse(members.iter().find(|(key, _)| key == "perms")?.1).ok()
}

fn tx_id(text: &str) -> Option<TxId> {
    let members = json::members(text).ok()?;
    members.iter().find(|(key, _)| key == "tx-id")?.1.parse().ok()
}

fn bearer(token: &Secret) -> Result<HeaderValue> {
    let wrong = |said: &str| {
        Error::usage(said).help("give the app's admin token as it stands in the app's dashboard")
    };
    if token.expose().trim().is_empty() {
        return Err(wrong("the token is empty"));
    }
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut bearer = bearer.map_err(|_| wrong("the token holds characters that no token has"))?;
    bearer.set_sensitive(true);
    Ok(bearer)
}
