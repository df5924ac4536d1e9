//! Texts changed by a hair: each function gives the changed text, or nothing when the text has no place
//! for it.

use crate::json;

/// A blank at the end.
#[allow(clippy::unnecessary_wraps, reason = "as every change of a text")]
pub(super) fn trailing_blank(text: &str) -> Option<String> {
    Some(format!("{text} "))
}

/// The first letter in its other case.
pub(super) fn other_case(text: &str) -> Option<String> {
    let at = text.bytes().position(|byte| byte.is_ascii_alphabetic())?;
    let byte = text.as_bytes()[at];
    let other = if byte.is_ascii_lowercase() {
        byte.to_ascii_uppercase()
    } else {
        byte.to_ascii_lowercase()
    };
    Some(format!("{}{}{}", &text[..at], char::from(other), &text[at + 1..]))
}

/// A composed letter taken apart, or a letter and its mark put together: what looks the same and is not.
pub(super) fn other_form(text: &str) -> Option<String> {
    let composed = |c: char| FORMS.iter().find(|(whole, ..)| *whole == c);
    if let Some((at, (whole, letter, mark))) =
        text.char_indices().find_map(|(at, c)| composed(c).map(|form| (at, form)))
    {
        let rest = &text[at + whole.len_utf8()..];
        return Some(format!("{}{letter}{mark}{rest}", &text[..at]));
    }
    let apart = |at: usize| {
        let mut chars = text[at..].chars();
        let (letter, mark) = (chars.next()?, chars.next()?);
        let form = FORMS.iter().find(|(_, l, m)| (*l, *m) == (letter, mark))?;
        Some(format!("{}{}{}", &text[..at], form.0, chars.as_str()))
    };
    text.char_indices().find_map(|(at, _)| apart(at))
}

/// Letters that Unicode writes in two ways: composed (NFC), and apart (NFD).
const FORMS: [(char, char, char); 26] = [
    ('à', 'a', '\u{300}'),
    ('á', 'a', '\u{301}'),
    ('â', 'a', '\u{302}'),
    ('ã', 'a', '\u{303}'),
    ('ä', 'a', '\u{308}'),
    ('å', 'a', '\u{30a}'),
    ('ç', 'c', '\u{327}'),
    ('è', 'e', '\u{300}'),
    ('é', 'e', '\u{301}'),
    ('ê', 'e', '\u{302}'),
    ('ë', 'e', '\u{308}'),
    ('í', 'i', '\u{301}'),
    ('ï', 'i', '\u{308}'),
    ('ñ', 'n', '\u{303}'),
    ('ó', 'o', '\u{301}'),
    ('ô', 'o', '\u{302}'),
    ('õ', 'o', '\u{303}'),
    ('ö', 'o', '\u{308}'),
    ('ú', 'u', '\u{301}'),
    ('ü', 'u', '\u{308}'),
    ('Ä', 'A', '\u{308}'),
    ('Å', 'A', '\u{30a}'),
    ('É', 'E', '\u{301}'),
    ('Ñ', 'N', '\u{303}'),
    ('Ö', 'O', '\u{308}'),
    ('Ü', 'U', '\u{308}'),
];

/// A letter that only looks like the one that was there.
pub(super) fn look_alike(text: &str) -> Option<String> {
    const ALIKE: [(char, char); 5] = [('a', 'а'), ('e', 'е'), ('o', 'о'), ('c', 'с'), ('p', 'р')];
    let alike = |c: char| ALIKE.iter().find(|(latin, _)| *latin == c);
    let found = text.char_indices().find_map(|(at, c)| alike(c).map(|pair| (at, pair.1)));
    found.map(|(at, other)| format!("{}{other}{}", &text[..at], &text[at + 1..]))
}

/// A character that is not seen, after the first.
pub(super) fn unseen(text: &str) -> Option<String> {
    let first = text.chars().next()?;
    let (first, rest) = text.split_at(first.len_utf8());
    Some(format!("{first}\u{200b}{rest}"))
}

/// The last character left out.
pub(super) fn cut(text: &str) -> Option<String> {
    let (last, _) = text.char_indices().next_back()?;
    (last > 0).then(|| text[..last].to_owned())
}

/// A blank that JSON does not mind, in an object or an array.
pub(super) fn inner_blank(json: &str) -> Option<String> {
    let open = json.starts_with(['{', '[']);
    open.then(|| format!("{} {}", &json[..1], &json[1..]))
}

/// The first two members of an object, in the other order.
pub(super) fn reordered(text: &str) -> Option<String> {
    let mut members = json::members(text).ok()?;
    if members.len() < 2 {
        return None;
    }
    members.swap(0, 1);
    object(&members).filter(|changed| changed != text)
}

/// The first member of an object, a second time.
pub(super) fn repeated(text: &str) -> Option<String> {
    let mut members = json::members(text).ok()?;
    let first = members.first()?.clone();
    members.push(first);
    object(&members)
}

fn object(members: &[(std::borrow::Cow<'_, str>, &str)]) -> Option<String> {
    let mut out = vec![b'{'];
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_string(name, &mut out);
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).ok()
}
