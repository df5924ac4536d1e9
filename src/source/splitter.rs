//! Finds the values of a JSON file of any size through a window that grows to the largest single
//! one.
//!
//! It tells where values begin and end and leaves what stands in them to their reader.

use std::io::Read;
use std::path::PathBuf;

use super::rows::{LONGEST_ROW, Place, too_long};
use crate::error::{Error, Result};
use crate::storage;

/// How much is read at a time.
const CHUNK: usize = 1 << 18;

/// A JSON text that is read from its beginning to its end.
pub(super) struct Splitter<R> {
    input: R,
    path: PathBuf,
    name: String,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the file of the buffer's first byte.
    base: u64,
    chunk: usize,
}

impl<R: Read> Splitter<R> {
    /// Begins at the first byte of a file.
    pub(super) fn new(input: R, path: PathBuf) -> Self {
        Self::with_chunk(input, path, CHUNK)
    }

    fn with_chunk(input: R, path: PathBuf, chunk: usize) -> Self {
        let name = path.display().to_string();
        Self { input, path, name, buffer: Vec::new(), start: 0, end: 0, base: 0, chunk }
    }

    /// How the file is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the next byte stands in the file.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// A misfit at the next byte.
    pub(super) fn wrong(&self, said: &str) -> Error {
        Error::damaged(said)
            .at(Place::Byte(&self.name, self.offset()))
            .help("the file may be cut off or edited: take the source again")
    }

    /// Reads more behind what is there; false at the end of the file.
    fn fill(&mut self) -> Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end as u64 > LONGEST_ROW {
            return Err(too_long(Place::Byte(&self.name, self.offset())));
        }
        if self.buffer.len() - self.end < self.chunk {
            // Doubling keeps the moving of a large value linear.
            self.buffer.resize((self.buffer.len() * 2).max(self.end + self.chunk), 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(storage::failed(&self.path, error)),
            }
        }
    }

    /// Skips the byte order mark that some programs put first.
    pub(super) fn skip_mark(&mut self) -> Result<()> {
        while self.end - self.start < 3 && self.fill()? {}
        if self.buffer[self.start..self.end].starts_with(b"\xef\xbb\xbf") {
            self.start += 3;
        }
        Ok(())
    }

    /// The next byte that is no blank; `None` at the end of the file.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            let rest = &self.buffer[self.start..self.end];
            match rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
                Some(blanks) => {
                    self.start += blanks;
                    return Ok(Some(self.buffer[self.start]));
                }
                None => self.start = self.end,
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Takes the next byte that is no blank, which must be `byte`.
    pub(super) fn expect(&mut self, byte: u8) -> Result<()> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.start += 1;
                Ok(())
            }
            Some(_) => {
                Err(self.wrong(&format!("the JSON is broken: `{}` is missing", byte as char)))
            }
            None => Err(self.wrong("the file ends before its JSON does")),
        }
    }

    /// Goes to the next member or element of the container that was entered: false at its end,
    /// which is taken.
    pub(super) fn next(&mut self, first: bool, close: u8) -> Result<bool> {
        match self.peek()? {
            Some(byte) if byte == close => {
                self.start += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.start += 1;
                if self.peek()? == Some(close) {
                    return Err(self.wrong("the JSON is broken: a value is missing"));
                }
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => Err(self.wrong("the JSON is broken: `,` is missing")),
            None => Err(self.wrong("the file ends before its JSON does")),
        }
    }

    /// The bytes of the next value and the offset they stand at.
    pub(super) fn value(&mut self) -> Result<(u64, &[u8])> {
        if self.peek()?.is_none() {
            return Err(self.wrong("the file ends before its JSON does"));
        }
        let (mut scan, mut seen) = (Scan::default(), 0);
        while !scan.run(&self.buffer[self.start..self.end], &mut seen) {
            if !self.fill()? {
                return Err(self.wrong("the file ends before its JSON does"));
            }
        }
        if seen == 0 {
            return Err(self.wrong("the JSON is broken: a value is missing"));
        }
        let at = self.offset();
        self.start += seen;
        Ok((at, &self.buffer[self.start - seen..self.start]))
    }

    /// Skips the next value, however large.
    pub(super) fn skip(&mut self) -> Result<()> {
        if self.peek()?.is_none() {
            return Err(self.wrong("the file ends before its JSON does"));
        }
        let (mut scan, mut empty) = (Scan::default(), true);
        loop {
            let mut seen = 0;
            let ended = scan.run(&self.buffer[self.start..self.end], &mut seen);
            self.start += seen;
            empty &= seen == 0;
            if ended && empty {
                return Err(self.wrong("the JSON is broken: a value is missing"));
            }
            if ended {
                return Ok(());
            }
            if !self.fill()? {
                return Err(self.wrong("the file ends before its JSON does"));
            }
        }
    }
}

/// Looks for the end of one value, byte range by byte range.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    in_scalar: bool,
}

impl Scan {
    /// Goes on at `at`; true when the value ends there.
    fn run(&mut self, bytes: &[u8], at: &mut usize) -> bool {
        while *at < bytes.len() {
            if self.in_string {
                if self.string(bytes, at) && self.depth == 0 {
                    return true;
                }
                continue;
            }
            match bytes[*at] {
                b'"' | b'{' | b'[' if self.in_scalar => return true,
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth == 0 => return true,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        *at += 1;
                        return true;
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return true,
                _ if self.depth == 0 => self.in_scalar = true,
                _ => {}
            }
            *at += 1;
        }
        false
    }

    /// Goes on in a string; true when it ends.
    fn string(&mut self, bytes: &[u8], at: &mut usize) -> bool {
        if self.escaped {
            self.escaped = false;
            *at += 1;
            return false;
        }
        let Some(skipped) = memchr::memchr2(b'"', b'\\', &bytes[*at..]) else {
            *at = bytes.len();
            return false;
        };
        *at += skipped + 1;
        self.escaped = bytes[*at - 1] == b'\\';
        self.in_string = self.escaped;
        !self.escaped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Hands out at most so many bytes a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = buffer.len().min(self.0.len()).min(self.1);
            buffer[..most].copy_from_slice(&self.0[..most]);
            self.0 = &self.0[most..];
            Ok(most)
        }
    }

    fn elements(text: &str, step: usize, skip: bool) -> Result<Vec<Value>> {
        let input = Dribble(text.as_bytes(), step);
        let mut splitter = Splitter::with_chunk(input, PathBuf::from("t.json"), step);
        let mut found = Vec::new();
        splitter.skip_mark()?;
        splitter.expect(b'[')?;
        let mut first = true;
        while splitter.next(first, b']')? {
            first = false;
            if skip {
                splitter.skip()?;
            } else {
                let (at, bytes) = splitter.value()?;
                let at = usize::try_from(at).unwrap();
                assert_eq!(bytes, &text.as_bytes()[at..at + bytes.len()]);
                found.push(serde_json::from_slice(bytes).unwrap_or(Value::Null));
            }
        }
        match splitter.peek()? {
            None => Ok(found),
            Some(_) => Err(splitter.wrong("more follows")),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC*|[\"\\\\{}\\[\\],:\u{0}-\u{20}]*".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[\"\\\\a-c{}]*", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_are_those_of_a_whole_parser(
            values in prop::collection::vec(json(), 0..8),
            step in 1..40_usize,
            pretty in any::<bool>(),
        ) {
            let list = Value::from(values.clone());
            let text = if pretty {
                serde_json::to_string_pretty(&list).unwrap()
            } else {
                list.to_string()
            };
            prop_assert_eq!(elements(&text, step, false).unwrap(), values);
            prop_assert!(elements(&text, step, true).unwrap().is_empty());
        }

        #[test]
        fn a_text_that_is_cut_off_is_an_error(values in prop::collection::vec(json(), 1..5)) {
            let text = Value::from(values).to_string();
            for (at, _) in text.char_indices() {
                prop_assert!(elements(&text[..at], 7, false).is_err());
                prop_assert!(elements(&text[..at], 7, true).is_err());
            }
        }
    }

    #[test]
    fn broken_lists_are_errors() {
        for text in ["[1,]", "[,1]", "[1 2]", "[1}", "[\"a\"\"b\"]", "[]]", "[1]1", "[:]", "{}", ""]
        {
            for step in [1, 2, 50] {
                assert!(elements(text, step, false).is_err(), "{text}");
                assert!(elements(text, step, true).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn the_window_stays_as_small_as_its_largest_value() {
        let text = format!("[{}1]", "\"0123456789\",".repeat(10_000));
        let input = Dribble(text.as_bytes(), 64);
        let mut splitter = Splitter::with_chunk(input, PathBuf::from("t.json"), 64);
        splitter.expect(b'[').unwrap();
        let mut first = true;
        while splitter.next(first, b']').unwrap() {
            first = false;
            splitter.value().unwrap();
        }
        assert!(splitter.buffer.len() <= 512, "{}", splitter.buffer.len());
        let deep = "[".repeat(1_000_000);
        let mut splitter = Splitter::new(Dribble(deep.as_bytes(), 1 << 16), PathBuf::from("t"));
        assert!(splitter.skip().is_err());
        assert!(splitter.buffer.len() <= 2 * CHUNK);
    }
}
