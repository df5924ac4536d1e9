//! One object, read strictly: every key once, every value the text it is.

use std::borrow::Cow;

use super::{members, string};

/// The members of an object whose keys all differ.
#[derive(Debug)]
pub struct Object<'t> {
    members: Vec<(Cow<'t, str>, &'t str)>,
}

impl<'t> Object<'t> {
    /// Reads an object; `None` when a key stands twice or is no text.
    pub fn read(text: &'t str) -> Option<Self> {
        let members = members(text).ok()?;
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        let differ = keys.windows(2).all(|pair| pair[0] != pair[1]);
        differ.then_some(Self { members })
    }

    /// The value at a path of keys, as the text it is; below the object's own members a key that
    /// stands twice leads nowhere.
    pub fn raw(&self, keys: &[String]) -> Option<&'t str> {
        let (first, rest) = keys.split_first()?;
        let mut value = self.members.iter().find(|(key, _)| key == first)?.1;
        for key in rest {
            let found = members(value).ok()?;
            let mut hits = found.iter().filter(|(name, _)| name == key);
            let (Some((_, hit)), None) = (hits.next(), hits.next()) else { return None };
            value = hit;
        }
        Some(value)
    }

    /// The members in their order: decoded key, value as the text it is.
    pub fn members(&self) -> &[(Cow<'t, str>, &'t str)] {
        &self.members
    }

    /// The text at a path of keys.
    pub fn text(&self, keys: &[String]) -> Option<Cow<'t, str>> {
        string(self.raw(keys)?)
    }
}

/// Whether a JSON value is an object, by how it begins.
pub fn is_object(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{')
}

/// Whether a JSON value says anything: it is not `null`, no empty text, array or object.
pub fn has_content(text: &str) -> bool {
    let blanks = [' ', '\t', '\r', '\n'];
    let text = text.trim_matches(blanks);
    let inner = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    match inner('[', ']').or_else(|| inner('{', '}')) {
        Some(inner) => !inner.trim_matches(blanks).is_empty(),
        None => !matches!(text, "null" | "\"\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_has_no_content() {
        for text in ["null", "\"\"", "[]", "{}", " { \n} ", "[\t]"] {
            assert!(!has_content(text), "{text}");
        }
        for text in ["false", "0", "\" \"", "[null]", "{\"a\":null}", "\"null\"", "\"[]\""] {
            assert!(has_content(text), "{text}");
        }
    }

    #[test]
    fn values_are_the_texts_they_are() {
        let text = r#" {"a" : {"b": [1.50, "\ud800"] , "c":1,"c":2}, "d":null,"e":"x\u0041"} "#;
        let object = Object::read(text).unwrap();
        let keys = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(object.raw(&keys(path)), expected, "{path}");
        };
        check("a.b", Some(r#"[1.50, "\ud800"]"#));
        check("a.c", None);
        check("a.b.x", None);
        check("d", Some("null"));
        check("f", None);
        assert_eq!(object.text(&keys("e")).as_deref(), Some("xA"));
        assert_eq!(object.text(&keys("d")), None);
    }

    #[test]
    fn an_object_with_a_key_twice_is_not_read() {
        for text in [r#"{"a":1,"\u0061":2}"#, r#"{"\ud800":1}"#, "[]", "1", ""] {
            assert!(Object::read(text).is_none(), "{text}");
        }
        assert!(is_object("\n {}") && !is_object("[{}]") && !is_object("\"{\""));
    }
}
