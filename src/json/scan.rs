//! The members of an object, and the canonical form of each value, in one pass.
//!
//! It knows ordinary objects only and says so of any other, for which [`super::members`] and
//! [`super::canonical`] are. What it takes, those take alike.

mod pass;
#[cfg(test)]
mod tests;

use pass::Pass;
pub(super) use pass::plain;

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
    /// and stand once; values are no deeper than [`super::MAX_DEPTH`], and numbers have a canonical form.
    pub fn read(&mut self, text: &str) -> bool {
        self.found.clear();
        self.out.clear();
        self.open.clear();
        self.nested.clear();
        let read = Pass::new(text, self).object().is_some();
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
