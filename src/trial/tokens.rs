//! JSON changed in one token, as the text it is.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// A string, its quotes included.
    Text,
    Number,
    /// `true`, `false` or `null`.
    Word,
}

/// The tokens of a JSON text that hold something.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = (Token, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let is_start = |byte: &u8| *byte == b'"' || *byte == b'-' || byte.is_ascii_alphanumeric();
        let start = self.at + bytes[self.at..].iter().position(is_start)?;
        let (token, end) = match bytes[start] {
            b'"' => (Token::Text, end_of_text(bytes, start)),
            b'-' | b'0'..=b'9' => (Token::Number, end_of(bytes, start)),
            _ => (Token::Word, end_of(bytes, start)),
        };
        self.at = end;
        Some((token, start..end))
    }
}

fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of(bytes: &[u8], start: usize) -> usize {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    start + bytes[start..].iter().take_while(|byte| inside(byte)).count()
}

/// The text with the first token for which `other` gives one in its place.
fn change(
    text: &str,
    of: Token,
    mut other: impl FnMut(&str, usize) -> Option<String>,
) -> Option<String> {
    let mut tokens = Tokens { text, at: 0 }.filter(|(token, _)| *token == of);
    tokens.find_map(|(_, range)| {
        let instead = other(&text[range.clone()], range.start)?;
        Some(format!("{}{instead}{}", &text[..range.start], &text[range.end..]))
    })
}

/// A letter past the 10,000th byte, as another one.
pub(super) fn far_letter(text: &str) -> Option<String> {
    letter_from(text, 10_000)
}

/// The last string in which there is a letter, with another one.
pub(super) fn last_letter(text: &str) -> Option<String> {
    let texts = Tokens { text, at: 0 }.filter(|(token, _)| *token == Token::Text);
    let with_letter = texts.filter(|(_, range)| letter(&text[range.clone()], 0).is_some());
    letter_from(text, with_letter.last()?.1.start)
}

fn letter_from(text: &str, from: usize) -> Option<String> {
    if text.len() <= from {
        return None;
    }
    change(text, Token::Text, |token, start| {
        let at = letter(token, from.saturating_sub(start))?;
        let other = if token.as_bytes()[at] == b'x' { 'y' } else { 'x' };
        Some(format!("{}{other}{}", &token[..at], &token[at + 1..]))
    })
}

/// Where a string has a letter that is no part of an escape, from a place on.
fn letter(token: &str, from: usize) -> Option<usize> {
    let bytes = token.as_bytes();
    let is_plain = |at: &usize| {
        let before = &bytes[at.saturating_sub(6)..*at];
        bytes[*at].is_ascii_alphabetic() && !before.contains(&b'\\')
    };
    (from.max(1)..bytes.len().saturating_sub(1)).find(is_plain)
}

/// A whole number with a fraction that says nothing.
pub(super) fn other_number(text: &str) -> Option<String> {
    change(text, Token::Number, |token, _| is_whole(token).then(|| format!("{token}.0")))
}

/// A number with the other sign.
pub(super) fn other_sign(text: &str) -> Option<String> {
    change(text, Token::Number, |token, _| match token.strip_prefix('-') {
        Some(positive) => Some(positive.to_owned()),
        None if token == "0" => None,
        None => Some(format!("-{token}")),
    })
}

/// A whole number past 2^53 with another last digit.
pub(super) fn long_number(text: &str) -> Option<String> {
    change(text, Token::Number, |token, _| {
        let digits = token.trim_start_matches('-');
        let is_past =
            digits.len() > 16 || digits.parse::<u64>().is_ok_and(|number| number > 1 << 53);
        let last = token.bytes().next_back()?;
        let other = if last == b'1' { '2' } else { '1' };
        (is_whole(token) && is_past).then(|| format!("{}{other}", &token[..token.len() - 1]))
    })
}

fn is_whole(token: &str) -> bool {
    token.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
}

/// A boolean as the other one.
pub(super) fn other_boolean(text: &str) -> Option<String> {
    change(text, Token::Word, |token, _| match token {
        "true" => Some("false".to_owned()),
        "false" => Some("true".to_owned()),
        _ => None,
    })
}

/// An empty string as `null`.
pub(super) fn null_for_empty(text: &str) -> Option<String> {
    change(text, Token::Text, |token, _| (token == "\"\"").then(|| "null".to_owned()))
}

/// `null` as an empty string.
pub(super) fn empty_for_null(text: &str) -> Option<String> {
    change(text, Token::Word, |token, _| (token == "null" && text != "null").then(|| "\"\"".into()))
}

/// A character beyond ASCII, written as an escape.
pub(super) fn escaped(text: &str) -> Option<String> {
    change(text, Token::Text, |token, _| {
        let (at, found) = token.char_indices().find(|(_, c)| !c.is_ascii() && *c < '\u{10000}')?;
        let rest = &token[at + found.len_utf8()..];
        Some(format!("{}\\u{:04x}{rest}", &token[..at], u32::from(found)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&str) -> Option<String>;

    #[test]
    fn one_token_is_changed() {
        let cases: [(Change, &str, Option<&str>); 16] = [
            (other_number, r#"{"1":"2","n":-3}"#, Some(r#"{"1":"2","n":-3.0}"#)),
            (other_number, r#"{"n":1.5}"#, None),
            (other_sign, "[0,7]", Some("[0,-7]")),
            (other_sign, "[-1e3]", Some("[1e3]")),
            (long_number, "[12,9007199254740993]", Some("[12,9007199254740991]")),
            (long_number, "[9007199254740991]", None),
            (long_number, "[12345678901234567891]", Some("[12345678901234567892]")),
            (other_boolean, r#"["true",true]"#, Some(r#"["true",false]"#)),
            (null_for_empty, r#"{"a":"x","b":""}"#, Some(r#"{"a":"x","b":null}"#)),
            (empty_for_null, r#"{"a":null}"#, Some(r#"{"a":""}"#)),
            (empty_for_null, "null", None),
            (escaped, r#"["aé"]"#, Some(r#"["a\u00e9"]"#)),
            (escaped, r#"["👋"]"#, None),
            (last_letter, r#"{"a":"b\"c","d":1}"#, Some(r#"{"a":"b\"c","x":1}"#)),
            (last_letter, r#"{"\u00e9":1}"#, None),
            (far_letter, r#"["short"]"#, None),
        ];
        for (change, text, expected) in cases {
            assert_eq!(change(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_letter_far_in_is_changed_and_nothing_else() {
        let text = format!(r#"{{"a":"{}\n{}"}}"#, "b".repeat(9_990), "c".repeat(20));
        let changed = far_letter(&text).unwrap();
        let differs = text.bytes().zip(changed.bytes()).filter(|(a, b)| a != b).count();
        assert_eq!((changed.len(), differs), (text.len(), 1));
        let at = text.bytes().zip(changed.bytes()).position(|(a, b)| a != b);
        assert!(at.is_some_and(|at| at >= 10_000));
        assert!(crate::json::is_json(&changed));
    }
}
