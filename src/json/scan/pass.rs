//! The pass over the text of an object.

use super::{Member, Nested, Open, Scan};
use crate::json::MAX_DEPTH;
use crate::json::canonical::{escape, write_number};

/// One pass over one text; [`None`] ends it where the text is not ordinary.
pub(super) struct Pass<'s, 't> {
    text: &'t [u8],
    at: usize,
    scan: &'s mut Scan,
}

impl<'s, 't> Pass<'s, 't> {
    /// Begins at the first byte.
    pub(super) fn new(text: &'t str, scan: &'s mut Scan) -> Self {
        Self { text: text.as_bytes(), at: 0, scan }
    }

    /// Goes over the whole text, which is one object.
    pub(super) fn object(&mut self) -> Option<()> {
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
pub(in crate::json) fn plain(text: &[u8]) -> usize {
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
