//! The members of an object, and the canonical form of each value, in one pass.
//!
//! It knows ordinary objects only and says so of any other, for which [`super::members`] and
//! [`super::canonical`] are. What it takes, those take alike.

use super::MAX_DEPTH;
use super::canonical::{escape, write_number};

/// Reads objects one after the other and keeps its buffers.
#[derive(Debug, Default)]
pub struct Scan {
    /// The members as they stand, and sorted.
    found: Vec<Member>,
    members: Vec<Member>,
    out: Vec<u8>,
    open: Vec<Open>,
    nested: Vec<Nested>,
    sorting: Vec<u8>,
    /// The keys of the object before as they stood, one behind the other, and their ends.
    keys: Vec<u8>,
    ends: Vec<usize>,
    /// Their places when they are sorted.
    order: Vec<usize>,
    repeats: bool,
}

/// A member of an object; places are byte ranges of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The key without its quotes; it has no escape.
    pub key: (usize, usize),
    /// The value.
    pub raw: (usize, usize),
    /// The canonical form of the value, in [`Scan::form`].
    pub form: (usize, usize),
}

/// A container within a value.
#[derive(Debug, Clone, Copy)]
enum Open {
    Array,
    /// Where its first member stands in the output, and among the nested ones; whether the keys
    /// are in order so far.
    Object {
        start: usize,
        first: usize,
        sorted: bool,
    },
}

/// A member of an object within a value: its key and its end in the output.
#[derive(Debug, Clone, Copy)]
struct Nested {
    key: (usize, usize),
    end: usize,
}

impl Scan {
    /// Reads an object: false when it is not ordinary, or none. Ordinary keys are without escapes
    /// and stand once; values are no deeper than [`MAX_DEPTH`], and numbers have a canonical form.
    pub fn read(&mut self, text: &str) -> bool {
        self.found.clear();
        self.out.clear();
        self.open.clear();
        self.nested.clear();
        let read = Pass { text: text.as_bytes(), at: 0, scan: self }.object().is_some();
        self.repeats = read && self.same_keys(text.as_bytes());
        let ordinary = self.repeats || (read && self.sort(text.as_bytes()));
        if !ordinary {
            self.ends.clear();
            self.order.clear();
            return false;
        }
        self.members.clear();
        self.members.extend(self.order.iter().map(|at| self.found[*at]));
        true
    }

    /// Whether the keys are those of the object before, in the same order.
    fn same_keys(&self, text: &[u8]) -> bool {
        if self.found.len() != self.ends.len() {
            return false;
        }
        let mut start = 0;
        self.found.iter().zip(&self.ends).all(|(member, end)| {
            let same = text[member.key.0..member.key.1] == self.keys[start..*end];
            start = *end;
            same
        })
    }

    /// Sorts the members by their keys; false when one stands twice.
    fn sort(&mut self, text: &[u8]) -> bool {
        self.keys.clear();
        self.ends.clear();
        for member in &self.found {
            self.keys.extend_from_slice(&text[member.key.0..member.key.1]);
            self.ends.push(self.keys.len());
        }
        let key = |at: &usize| &text[self.found[*at].key.0..self.found[*at].key.1];
        self.order.clear();
        self.order.extend(0..self.found.len());
        self.order.sort_unstable_by(|a, b| key(a).cmp(key(b)));
        self.order.windows(2).all(|pair| key(&pair[0]) != key(&pair[1]))
    }

    /// Whether the object that was read has the keys of the one read before it.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// The members of the object that was read, sorted by their keys.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The canonical form of a value of the object that was read.
    pub fn form(&self, form: (usize, usize)) -> &[u8] {
        &self.out[form.0..form.1]
    }

    /// Puts the members of a nested object, from the one at `first` on, in order.
    fn sort_nested(&mut self, start: usize, first: usize) {
        let (out, sorting) = (&mut self.out, &mut self.sorting);
        sorting.clear();
        sorting.extend_from_slice(&out[start..]);
        out.truncate(start);
        let part = |from: usize, to: usize| &sorting[from - start..to - start];
        let members = &mut self.nested[first..];
        members.sort_by(|a, b| part(a.key.0, a.key.1).cmp(part(b.key.0, b.key.1)));
        for (at, member) in members.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(part(member.key.0, member.end));
        }
    }
}

struct Pass<'s, 't> {
    text: &'t [u8],
    at: usize,
    scan: &'s mut Scan,
}

impl Pass<'_, '_> {
    fn object(&mut self) -> Option<()> {
        self.take(b'{')?;
        self.blanks();
        if self.text.get(self.at) == Some(&b'}') {
            self.at += 1;
            return self.end();
        }
        loop {
            self.take(b'"')?;
            let start = self.at;
            self.at += plain(&self.text[start..]);
            let key = (start, self.at);
            self.next_is(b'"')?;
            self.take(b':')?;
            self.blanks();
            let (raw, form) = (self.at, self.scan.out.len());
            self.value()?;
            let (raw, form) = ((raw, self.at), (form, self.scan.out.len()));
            self.scan.found.push(Member { key, raw, form });
            self.blanks();
            match self.text.get(self.at)? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.end()
    }

    fn end(&mut self) -> Option<()> {
        self.blanks();
        (self.at == self.text.len()).then_some(())
    }

    /// One value, without recursion.
    fn value(&mut self) -> Option<()> {
        loop {
            match self.text.get(self.at)? {
                b'"' => self.string()?,
                b'[' => {
                    if self.open_array()? {
                        continue;
                    }
                }
                b'{' => {
                    if self.open_object()? {
                        continue;
                    }
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            if self.close()? {
                return Some(());
            }
        }
    }

    /// After a value: ends the containers that end here. True when the outermost value ended, else
    /// the next value stands here.
    fn close(&mut self) -> Option<bool> {
        while let Some(open) = self.scan.open.last().copied() {
            self.blanks();
            let next = *self.text.get(self.at)?;
            self.at += 1;
            if let Open::Object { .. } = open
                && let Some(member) = self.scan.nested.last_mut()
            {
                member.end = self.scan.out.len();
            }
            match (open, next) {
                (Open::Array, b',') => {
                    self.scan.out.push(b',');
                    self.blanks();
                    return Some(false);
                }
                (Open::Object { first, .. }, b',') => {
                    self.scan.out.push(b',');
                    self.nested_key(first)?;
                    return Some(false);
                }
                (Open::Array, b']') => self.scan.out.push(b']'),
                (Open::Object { start, first, sorted }, b'}') => {
                    if !sorted {
                        self.scan.sort_nested(start, first);
                    }
                    self.scan.nested.truncate(first);
                    self.scan.out.push(b'}');
                }
                _ => return None,
            }
            self.scan.open.pop();
        }
        Some(true)
    }

    /// Enters an array: true when it has an element, which stands here.
    fn open_array(&mut self) -> Option<bool> {
        self.deeper()?;
        self.scan.out.push(b'[');
        if self.next_is(b']').is_some() {
            self.scan.out.push(b']');
            return Some(false);
        }
        self.scan.open.push(Open::Array);
        Some(true)
    }

    /// Enters an object: true when it has a member, whose value stands here.
    fn open_object(&mut self) -> Option<bool> {
        self.deeper()?;
        self.scan.out.push(b'{');
        if self.next_is(b'}').is_some() {
            self.scan.out.push(b'}');
            return Some(false);
        }
        let (start, first) = (self.scan.out.len(), self.scan.nested.len());
        self.scan.open.push(Open::Object { start, first, sorted: true });
        self.nested_key(first)?;
        Some(true)
    }

    fn deeper(&mut self) -> Option<()> {
        self.at += 1;
        self.blanks();
        (self.scan.open.len() < MAX_DEPTH).then_some(())
    }

    /// The key of a member of the innermost object, up to its value.
    fn nested_key(&mut self, first: usize) -> Option<()> {
        self.blanks();
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        let from = self.scan.out.len();
        self.string()?;
        let key = (from, self.scan.out.len());
        self.take(b':')?;
        self.scan.out.push(b':');
        self.blanks();
        let before = self.scan.nested[first..].last().map(|before| before.key);
        let follows = before
            .is_none_or(|before| self.scan.out[before.0..before.1] <= self.scan.out[key.0..key.1]);
        if let Some(Open::Object { sorted, .. }) = self.scan.open.last_mut() {
            *sorted &= follows;
        }
        self.scan.nested.push(Nested { key, end: 0 });
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        let out = &mut self.scan.out;
        out.push(b'"');
        loop {
            let rest = &self.text[self.at..];
            let length = plain(rest);
            out.extend_from_slice(&rest[..length]);
            self.at += length + 1;
            match rest.get(length)? {
                b'"' => break,
                b'\\' => escape(self.text, &mut self.at, out).ok()?,
                _ => return None,
            }
        }
        out.push(b'"');
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].strip_prefix(word)?;
        self.at += word.len();
        self.scan.out.extend_from_slice(word);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let digits_at = usize::from(rest.first() == Some(&b'-'));
        let digits = digits_of(&rest[digits_at..]);
        let whole = digits_at + digits;
        if digits == 0 || (digits > 1 && rest[digits_at] == b'0') {
            return None;
        }
        let end = if matches!(rest.get(whole), Some(b'.' | b'e' | b'E')) {
            end_of_number(rest, whole)?
        } else {
            whole
        };
        self.at += end;
        if end == whole && digits < 20 && rest[digits_at] != b'0' {
            self.scan.out.extend_from_slice(&rest[..end]);
            return Some(());
        }
        write_number(&rest[..end], &mut self.scan.out)
    }

    /// Takes a byte that may stand after blanks.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        self.next_is(byte)
    }

    fn next_is(&mut self, byte: u8) -> Option<()> {
        if self.text.get(self.at) != Some(&byte) {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }
}

fn digits_of(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where a number ends whose whole part ends at `at`, and that has more.
fn end_of_number(text: &[u8], mut at: usize) -> Option<usize> {
    if text[at] == b'.' {
        let digits = digits_of(&text[at + 1..]);
        at += 1 + digits;
        if digits == 0 {
            return None;
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let digits = digits_of(text.get(at..)?);
        at += digits;
        if digits == 0 {
            return None;
        }
    }
    Some(at)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes stand before the first quote, backslash or control character.
pub(super) fn plain(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<8>();
    for (at, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let (quote, backslash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
        // The lowest high bit that is set stands for the first byte that is meant; one above it may
        // be set by a borrow.
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if found & HIGHS != 0 {
            return at * 8 + (found & HIGHS).trailing_zeros() as usize / 8;
        }
    }
    let start = chunks.len() * 8;
    let is_plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    start + text[start..].iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::{canonical, members};

    /// What is read must be what the two readers of everything say.
    fn check(text: &str) -> Result<bool, TestCaseError> {
        let mut scan = Scan::default();
        // What was read before leaves no trace.
        scan.read(r#"{"b":{"y":[1,{"x":{}}],"a":2},"z":7}"#);
        scan.read(r#"{"b":{"y":[1,{"x":{}}],"a":2},"a":"#);
        if !scan.read(text) {
            return Ok(false);
        }
        prop_assert!(!scan.repeats() || scan.members().is_empty());
        prop_assert!(scan.read(text) && scan.repeats());
        let Ok(mut expected) = members(text) else {
            return Err(TestCaseError::fail(format!("{text} is no object")));
        };
        expected.sort();
        prop_assert_eq!(scan.members().len(), expected.len(), "{}", text);
        for (member, (key, raw)) in scan.members().iter().zip(expected) {
            prop_assert_eq!(&text[member.key.0..member.key.1], key.as_ref());
            prop_assert_eq!(&text[member.raw.0..member.raw.1], raw);
            let mut form = Vec::new();
            prop_assert_eq!(canonical(raw, &mut form), Ok(()), "{}", raw);
            prop_assert_eq!(scan.form(member.form), &form[..], "{}", raw);
        }
        Ok(true)
    }

    fn value() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            "\"[a-c\u{e9} ]{0,12}\"",
            Just(r#""\u0041\n\/\ud83d\ude00\ud800x\u0000\"\\ and more text""#.to_owned()),
            Just(r#""""#.to_owned()),
        ];
        let number = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?";
        let word = prop_oneof![Just("true".to_owned()), Just("null".to_owned())];
        let leaf = prop_oneof![text, number, word];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let blank = "[ \n]{0,1}";
            let array =
                (prop::collection::vec(inner.clone(), 0..5), blank).prop_map(|(values, blank)| {
                    format!("[{blank}{}]", values.join(&format!("{blank},")))
                });
            let member = (r#""[a-e]{0,2}(\\u0061)?""#, blank, inner, blank)
                .prop_map(|(key, a, value, b)| format!("{a}{key}{b}:{a}{value}{b}"));
            let object = prop::collection::vec(member, 0..6)
                .prop_map(|members| format!("{{{}}}", members.join(",")));
            prop_oneof![array, object]
        })
    }

    proptest! {
        #[test]
        fn ordinary_objects_are_read(values in prop::collection::vec(value(), 0..5)) {
            let members = values.iter().enumerate().map(|(at, raw)| format!("\"k{}\" : {raw}", 9 - at));
            let text = format!(" {{{}}} ", members.collect::<Vec<_>>().join(" ,"));
            prop_assert!(check(&text)?, "{}", text);
        }

        #[test]
        fn what_is_read_is_json(value in value(), at in 0..1000_usize, other in "[\\]\\[{}\",:0-9eE.\\\\\u{1}+-]") {
            let text = format!("{{\"a\":{value},\"b\":{value}}}");
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places[places.len() * at / 1000];
            let rest = &text[at + text[at..].chars().next().unwrap().len_utf8()..];
            check(&format!("{}{other}{rest}", &text[..at]))?;
            check(&format!("{}{rest}", &text[..at]))?;
            check(&text[..at])?;
        }
    }

    #[test]
    fn what_is_not_ordinary_is_left_to_others() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(&nested(MAX_DEPTH)).unwrap());
        for text in [
            nested(MAX_DEPTH + 1),
            r#"{"a":1,"a":1}"#.to_owned(),
            r#"{"a":1,"\u0061":1}"#.to_owned(),
            r#"{"a":1e99999999999999999999}"#.to_owned(),
            r#"{"a":01}"#.to_owned(),
            "{\"a\":\"\u{1f}\"}".to_owned(),
            "[]".to_owned(),
            "{} {}".to_owned(),
            String::new(),
        ] {
            assert!(!Scan::default().read(&text), "{text}");
        }
    }

    #[test]
    fn plain_text_ends_where_it_does() {
        for stop in [b'"', b'\\', 0x1f, 0] {
            for length in 0..40 {
                let mut text = vec![0x7f; length];
                text.extend([stop, 0x80, b'"', 0x21, 0xff]);
                assert_eq!(plain(&text), length, "{stop}");
                assert_eq!(plain(&text[..length]), length);
            }
        }
        assert_eq!(plain(&[0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xff, 0xa2, 0xdc]), 10);
    }
}
