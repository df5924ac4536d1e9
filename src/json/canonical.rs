//! The canonical form of a JSON value, written without recursion.

use super::{MAX_DEPTH, write_escape};

/// Why a text has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCanonical {
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// It is no JSON.
    Malformed,
}

/// Appends the canonical form of a JSON value: no blanks, keys sorted at every level, strings with
/// the fewest escapes, numbers by value (`1.0`, `1` and `10e-1` are one; exact at any length).
///
/// A key that stands twice stays twice, in its order; a lone surrogate stays an escape.
///
/// # Errors
/// The value is no JSON or too deep; `out` then ends in an unspecified partial form.
pub fn canonical(text: &str, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    Canonical { text: text.as_bytes(), at: 0, out, open: Vec::new() }.run()
}

struct Canonical<'a> {
    text: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
    open: Vec<Open>,
}

enum Open {
    Array,
    Object { start: usize, members: Vec<Member>, sorted: bool },
}

#[derive(Clone, Copy)]
struct Member {
    key: (usize, usize),
    end: usize,
}

impl Canonical<'_> {
    fn run(mut self) -> Result<(), NotCanonical> {
        self.value_or_open()?;
        while let Some(open) = self.open.pop() {
            self.resume(open)?;
        }
        self.blanks();
        if self.at == self.text.len() { Ok(()) } else { Err(NotCanonical::Malformed) }
    }

    /// Writes a scalar or an empty container; opens any other container.
    fn value_or_open(&mut self) -> Result<(), NotCanonical> {
        self.blanks();
        match self.peek()? {
            b'"' => self.string(),
            b'[' => self.open_array(),
            b'{' => self.open_object(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn open_array(&mut self) -> Result<(), NotCanonical> {
        self.at += 1;
        self.out.push(b'[');
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            self.out.push(b']');
            return Ok(());
        }
        self.push(Open::Array)?;
        self.value_or_open()
    }

    fn open_object(&mut self) -> Result<(), NotCanonical> {
        self.at += 1;
        self.out.push(b'{');
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            self.out.push(b'}');
            return Ok(());
        }
        let start = self.out.len();
        let key = self.key()?;
        let members = vec![Member { key, end: 0 }];
        self.push(Open::Object { start, members, sorted: true })?;
        self.value_or_open()
    }

    fn push(&mut self, open: Open) -> Result<(), NotCanonical> {
        if self.open.len() >= MAX_DEPTH {
            return Err(NotCanonical::TooDeep);
        }
        self.open.push(open);
        Ok(())
    }

    /// Goes on with a container after one of its values.
    fn resume(&mut self, open: Open) -> Result<(), NotCanonical> {
        self.blanks();
        let next = self.peek()?;
        self.at += 1;
        match (open, next) {
            (Open::Array, b',') => {
                self.out.push(b',');
                self.open.push(Open::Array);
                self.value_or_open()
            }
            (Open::Array, b']') => {
                self.out.push(b']');
                Ok(())
            }
            (Open::Object { start, mut members, mut sorted }, b',') => {
                self.end_member(&mut members);
                self.out.push(b',');
                self.blanks();
                let key = self.key()?;
                if let Some(last) = members.last() {
                    sorted &= self.out[last.key.0..last.key.1] <= self.out[key.0..key.1];
                }
                members.push(Member { key, end: 0 });
                self.open.push(Open::Object { start, members, sorted });
                self.value_or_open()
            }
            (Open::Object { start, mut members, sorted }, b'}') => {
                self.end_member(&mut members);
                if !sorted {
                    self.sort(start, members);
                }
                self.out.push(b'}');
                Ok(())
            }
            _ => Err(NotCanonical::Malformed),
        }
    }

    fn end_member(&self, members: &mut [Member]) {
        if let Some(last) = members.last_mut() {
            last.end = self.out.len();
        }
    }

    fn sort(&mut self, start: usize, mut members: Vec<Member>) {
        let body = self.out.split_off(start);
        let key = |member: &Member| &body[member.key.0 - start..member.key.1 - start];
        members.sort_by(|a, b| key(a).cmp(key(b)));
        for (at, member) in members.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(&body[member.key.0 - start..member.end - start]);
        }
    }

    fn key(&mut self) -> Result<(usize, usize), NotCanonical> {
        if self.peek()? != b'"' {
            return Err(NotCanonical::Malformed);
        }
        let from = self.out.len();
        self.string()?;
        let to = self.out.len();
        self.blanks();
        if self.peek()? != b':' {
            return Err(NotCanonical::Malformed);
        }
        self.at += 1;
        self.out.push(b':');
        Ok((from, to))
    }

    fn string(&mut self) -> Result<(), NotCanonical> {
        self.at += 1;
        self.out.push(b'"');
        loop {
            let rest = &self.text[self.at..];
            let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(NotCanonical::Malformed)?;
            self.out.extend_from_slice(&rest[..stop]);
            self.at += stop + 1;
            if rest[stop] == b'"' {
                self.out.push(b'"');
                return Ok(());
            }
            escape(self.text, &mut self.at, self.out)?;
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotCanonical> {
        if !self.text[self.at..].starts_with(word) {
            return Err(NotCanonical::Malformed);
        }
        self.at += word.len();
        self.out.extend_from_slice(word);
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotCanonical> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        write_number(&rest[..end], self.out).ok_or(NotCanonical::Malformed)?;
        self.at += end;
        Ok(())
    }

    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, NotCanonical> {
        self.text.get(self.at).copied().ok_or(NotCanonical::Malformed)
    }
}

/// Takes an escape, behind its backslash, and appends what stands for it.
pub(super) fn escape(text: &[u8], at: &mut usize, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    let kind = *text.get(*at).ok_or(NotCanonical::Malformed)?;
    *at += 1;
    let code = match kind {
        b'b' => 0x08,
        b't' => 0x09,
        b'n' => 0x0a,
        b'f' => 0x0c,
        b'r' => 0x0d,
        b'"' | b'\\' | b'/' => u32::from(kind),
        b'u' => unicode_escape(text, at).ok_or(NotCanonical::Malformed)?,
        _ => return Err(NotCanonical::Malformed),
    };
    match char::from_u32(code) {
        Some(c) if code >= 0x20 && c != '"' && c != '\\' => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => write_escape(code, out),
    }
    Ok(())
}

/// The code point of a `\u` escape, or of a pair of them; a lone surrogate stays itself.
fn unicode_escape(text: &[u8], at: &mut usize) -> Option<u32> {
    let high = hex4(text, *at)?;
    *at += 4;
    if !(0xd800..0xdc00).contains(&high) || !text[*at..].starts_with(b"\\u") {
        return Some(high);
    }
    match hex4(text, *at + 2) {
        Some(low) if (0xdc00..0xe000).contains(&low) => {
            *at += 6;
            Some(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
        }
        _ => Some(high),
    }
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    digits
        .iter()
        .try_fold(0, |code, digit| char::from(*digit).to_digit(16).map(|value| code * 16 + value))
}

/// Appends a decimal number by value: whole numbers of up to 20 digits as they read, any other as
/// `<digits>e<exponent>` with no zero at either end of the digits.
pub fn write_number(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => {
            let digits = std::str::from_utf8(&text[at + 1..]).ok()?;
            (&text[..at], digits.trim_start_matches('+').parse::<i64>().ok()?)
        }
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &b""[..]),
    };
    let mut digits: Vec<u8> = whole.iter().chain(fraction).copied().collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent = exponent.checked_add(1)?;
    }
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[leading..];
    if digits.is_empty() {
        out.push(b'0');
        return Some(());
    }
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(digits);
    match usize::try_from(exponent) {
        Ok(zeros) if zeros + digits.len() <= 20 => out.resize(out.len() + zeros, b'0'),
        _ => out.extend_from_slice(format!("e{exponent}").as_bytes()),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::is_json;

    fn check(input: &str, expected: &str) {
        let mut out = Vec::new();
        assert_eq!(canonical(input, &mut out), Ok(()), "{input}");
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{input}");
    }

    #[test]
    fn canonical_form_is_by_value() {
        check(" { \"b\" : 1.0 , \"a\" : [ ] } ", r#"{"a":[],"b":1}"#);
        check(
            r#"{"b":{"d":1,"c":{}},"a":[{"z":1,"y":2}]}"#,
            r#"{"a":[{"y":2,"z":1}],"b":{"c":{},"d":1}}"#,
        );
        check(r#""\u0041\n\/\ud83d\ude00\ud800x\u0000""#, "\"A\\u000a/😀\\ud800x\\u0000\"");
        check(r#"{"a":2,"a":1}"#, r#"{"a":2,"a":1}"#);
        for (number, expected) in [
            ("10e-1", "1"),
            ("-0.0", "0"),
            ("1e2", "100"),
            ("0.10", "1e-1"),
            ("9007199254740993", "9007199254740993"),
            ("1e400", "1e400"),
            ("-12.50", "-125e-1"),
        ] {
            check(number, expected);
        }
    }

    #[test]
    fn what_is_no_json_has_no_canonical_form() {
        for text in
            ["", "{", "[1,]", "{\"a\"}", "\"a", "tru", "1 2", "{\"a\":1,}", "\"\\x\"", "-", "1e"]
        {
            assert_eq!(canonical(text, &mut Vec::new()), Err(NotCanonical::Malformed), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(canonical(&nested(MAX_DEPTH), &mut Vec::new()), Ok(()));
        assert_eq!(canonical(&nested(1_000_000), &mut Vec::new()), Err(NotCanonical::TooDeep));
        assert!(is_json(&nested(1_000_000)));
    }
}
