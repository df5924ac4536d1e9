//! Passwords and tokens: carried, never shown.

use std::fmt;

/// What stands in place of a secret wherever a text that held one is shown.
pub const HIDDEN: &str = "[hidden]";

/// A password or a token. Nothing prints it by accident: it has no `Display`, and its `Debug` form is
/// [`HIDDEN`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret over.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text without the secret, whatever its case; an empty secret hides nothing.
    pub fn hide_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let (folded, secret) = (text.to_ascii_lowercase(), self.0.to_ascii_lowercase());
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (at, _) in folded.match_indices(&secret) {
            out.push_str(&text[from..at]);
            out.push_str(HIDDEN);
            from = at + secret.len();
        }
        out.push_str(&text[from..]);
        out
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("Tok-é1");
        assert_eq!(format!("{secret:?}"), HIDDEN);
        assert_eq!(secret.hide_in("ä tok-é1, TOK-é1."), "ä [hidden], [hidden].");
        assert_eq!(Secret::new("").hide_in("abc"), "abc");
    }
}
