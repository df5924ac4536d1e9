//! The splitter against a whole parser.

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
    for text in ["[1,]", "[,1]", "[1 2]", "[1}", "[\"a\"\"b\"]", "[]]", "[1]1", "[:]", "{}", ""] {
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
