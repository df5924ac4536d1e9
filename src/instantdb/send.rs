//! One request and its answer, and which of them are repeated.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response};

use super::address::Address;
use super::failure::{Class, Failure, Said};
use super::gate::{self, TRIES};
use super::{Client, Settings};
use crate::error::{Error, Result};

/// The most of an answer that is taken where nothing else is said, in bytes.
const MOST: u64 = 256 << 20;

/// A request to the API.
#[derive(Clone)]
pub(super) struct Call<'a> {
    method: Method,
    route: Vec<&'a str>,
    query: Vec<(&'a str, &'a str)>,
    body: Option<String>,
    most: u64,
}

impl<'a> Call<'a> {
    pub(super) fn get(route: &[&'a str]) -> Self {
        Self {
            method: Method::GET,
            route: route.to_vec(),
            query: Vec::new(),
            body: None,
            most: MOST,
        }
    }

    pub(super) fn post(route: &[&'a str], body: String) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(route) }
    }

    /// With a parameter in its address.
    pub(super) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    /// Takes an answer of so many bytes only.
    pub(super) fn at_most(mut self, most: u64) -> Self {
        self.most = most;
        self
    }
}

/// What both clients have in common.
fn builder(settings: &Settings, address: &Address) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(crate::PROGRAM.replace(' ', "/"))
        .connect_timeout(settings.connect)
        .pool_idle_timeout(Duration::from_secs(20))
        .https_only(address.is_encrypted())
        .no_proxy()
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder
        .build()
        .map_err(|error| Error::system("the network cannot be used").because(error.without_url()))
}

/// The client of the API. Where that is not encrypted, it never meets a certificate: reading the
/// system's is what takes time.
pub(super) fn api(settings: &Settings, address: &Address) -> Result<reqwest::Client> {
    let certificates = address.is_encrypted();
    let builder = builder(settings, address).tls_built_in_root_certs(certificates);
    built(builder.timeout(settings.whole).redirect(reqwest::redirect::Policy::none()))
}

/// The client that downloads.
pub(super) fn files(settings: &Settings, address: &Address) -> Result<reqwest::Client> {
    let builder = builder(settings, address).read_timeout(settings.whole);
    built(builder.redirect(reqwest::redirect::Policy::limited(5)))
}

/// Understands the text of an answer; `None` when it has another shape.
pub(super) type Understand<'a, T> = dyn Fn(&str) -> Option<T> + 'a;

impl Client {
    /// A call that changes nothing, repeated until it succeeds or there were tries enough.
    pub(super) fn again<T>(
        &self,
        call: &Call<'_>,
        shape: &Understand<'_, T>,
    ) -> Result<T, Failure> {
        self.tried(call, shape, true)
    }

    /// A call that changes something, repeated only where it certainly did not.
    pub(super) fn unless_done<T>(
        &self,
        call: &Call<'_>,
        shape: &Understand<'_, T>,
    ) -> Result<T, Failure> {
        self.tried(call, shape, false)
    }

    fn tried<T>(
        &self,
        call: &Call<'_>,
        shape: &Understand<'_, T>,
        harmless: bool,
    ) -> Result<T, Failure> {
        let mut tried = 0;
        loop {
            let seen = self.gate.pass();
            tried += 1;
            let failure = match self.once(call, shape) {
                Ok(found) => return Ok(found),
                Err(failure) => failure.after(tried),
            };
            match &failure.class {
                _ if tried >= TRIES => return Err(failure),
                Class::Retry(asked) => {
                    let time = asked.unwrap_or_else(|| gate::pause(tried));
                    self.gate.hold(seen, time, &self.settings.sleep);
                }
                Class::Ambiguous if harmless => self.sleep(gate::pause(tried)),
                _ => return Err(failure),
            }
        }
    }

    fn once<T>(&self, call: &Call<'_>, shape: &Understand<'_, T>) -> Result<T, Failure> {
        let route = format!("{} {}/{}", call.method, self.address.host(), call.route.join("/"));
        let network = |error| Failure::network(&route, error);
        let (said, body) = self.runtime.block_on(async {
            let mut request = self
                .api
                .request(call.method.clone(), self.address.url(&call.route))
                .query(&call.query)
                .header(AUTHORIZATION, self.bearer.clone())
                .header("app-id", self.app_id());
            if let Some(body) = &call.body {
                request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
            }
            let response = request.send().await.map_err(network)?;
            let said = said(&response);
            let most = if said.http == 200 { call.most } else { MOST };
            Ok((said, take(response, most).await.map_err(network)?))
        })?;
        let Some(body) = body else { return Err(Failure::too_large(&route)) };
        if said.http != 200 {
            return Err(Failure::answered(&route, &said, &body, &self.token));
        }
        let understood = std::str::from_utf8(&body).ok().and_then(shape);
        understood.ok_or_else(|| Failure::shapeless(&route))
    }
}

fn said(response: &Response) -> Said {
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Said { http: response.status().as_u16(), after: after.map(str::to_owned) }
}

/// The body; `None` when it is larger than that.
async fn take(mut response: Response, most: u64) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if (body.len() + chunk.len()) as u64 > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
