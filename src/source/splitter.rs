//! Finds the values of a JSON file of any size through a window that grows to the largest single
//! one.
//!
//! It tells where values begin and end and leaves what stands in them to their reader.

use std::io::Read;
use std::path::PathBuf;

use super::rows::{At, LONGEST_ROW, too_long};
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

    /// What is read from.
    pub(super) fn into_input(self) -> R {
        self.input
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
            .at(At::Byte(&self.name, self.offset()))
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
            return Err(too_long(At::Byte(&self.name, self.offset())));
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
                match self.peek()? {
                    Some(byte) if byte != close => Ok(true),
                    Some(_) => Err(self.wrong("the JSON is broken: a value is missing")),
                    None => Err(self.wrong("the file ends before its JSON does")),
                }
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
            let is_end =
                matches!(bytes[*at], b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n');
            let is_next_value = self.in_scalar && matches!(bytes[*at], b'"' | b'{' | b'[');
            if self.depth == 0 && (is_end || is_next_value) {
                return true;
            }
            match bytes[*at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        *at += 1;
                        return true;
                    }
                }
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
mod tests;
