//! Where the API is, and which app is meant.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::{Error, Result};

/// The address of an app's API.
#[derive(Debug, Clone)]
pub(super) struct Address {
    base: Url,
    app: String,
}

impl Address {
    /// Checks an address and an app's id. Without a scheme, `https` is meant; on the machine's own
    /// addresses, `http`.
    pub(super) fn parse(api_uri: &str, app_id: &str) -> Result<Self> {
        let wrong = |said: &str| {
            Error::usage(format!("the API's address {said}"))
                .help("name it as `https://api.example.com`, or `http://localhost:8888`")
        };
        let given = api_uri.trim();
        let text = if given.contains("://") {
            given.to_owned()
        } else {
            let secure = format!("https://{given}");
            let local = Url::parse(&secure).is_ok_and(|url| is_loopback(&url));
            if local { format!("http://{given}") } else { secure }
        };
        let base = Url::parse(&text).map_err(|error| wrong("is no URL").because(error))?;
        if !matches!(base.scheme(), "https" | "http") || base.host_str().is_none() {
            return Err(wrong("is neither `https` nor `http`"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("holds a user or a password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("has more than a host and a path"));
        }
        Ok(Self { base, app: app(app_id)? })
    }

    pub(super) fn app(&self) -> &str {
        &self.app
    }

    pub(super) fn warning(&self) -> Option<String> {
        let open = self.base.scheme() == "http" && !is_loopback(&self.base);
        open.then(|| format!("the token travels unencrypted to `{}`", self.host()))
    }

    /// Whether nothing may be fetched without encryption, the API itself and what it leads to.
    pub(super) fn is_encrypted(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// Whether files may be fetched from there.
    pub(super) fn allows(&self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && !self.is_encrypted())
    }

    /// Scheme, host and port, for messages.
    pub(super) fn host(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The address of a route, each segment escaped.
    pub(super) fn url(&self, route: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(route);
        url.query_pairs_mut().append_pair("app_id", &self.app);
        url
    }
}

/// An app's id in lower case.
fn app(app_id: &str) -> Result<String> {
    let wrong = || {
        Error::usage("the app's id is no UUID")
            .help("name the app as `instantdb://01234567-89ab-4cde-8f01-23456789abcd`")
    };
    let id = app_id.trim();
    if id.len() != 36 {
        return Err(wrong());
    }
    uuid::Uuid::parse_str(id).map(|id| id.to_string()).map_err(|_| wrong())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "D92DDB12-9b52-4715-8100-8b9f45a2cbc1";

    fn check(uri: &str, expect: &str) {
        let found = Address::parse(uri, APP).map_or_else(
            |error| error.to_string(),
            |address| {
                let url = address.url(&["a", "b/c"]).to_string();
                format!("{url}{}", if address.warning().is_some() { " open" } else { "" })
            },
        );
        assert_eq!(found, expect, "{uri}");
    }

    #[test]
    fn an_address_is_encrypted_unless_it_says_otherwise() {
        let end = "a/b%2Fc?app_id=d92ddb12-9b52-4715-8100-8b9f45a2cbc1";
        check("https://api.instantdb.com", &format!("https://api.instantdb.com/{end}"));
        check("api.example.com/in/", &format!("https://api.example.com/in/{end}"));
        check("localhost:8888", &format!("http://localhost:8888/{end}"));
        check("[::1]:1", &format!("http://[::1]:1/{end}"));
        check("http://10.0.0.1", &format!("http://10.0.0.1/{end} open"));
        check("ftp://x", "the API's address is neither `https` nor `http`");
        check("https://me:pw@x", "the API's address holds a user or a password");
        check("https://x?y", "the API's address has more than a host and a path");
    }

    #[test]
    fn an_app_is_a_uuid_of_36_characters() {
        for id in
            ["", "app", "d92ddb129b52471581008b9f45a2cbc1", "../../../../../../../../../../../../"]
        {
            assert!(Address::parse("https://x", id).is_err(), "{id}");
        }
    }
}
