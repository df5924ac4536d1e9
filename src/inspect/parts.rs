//! Message parts of the AI SDK by the generation of it that wrote them, told by their shape.

use serde::Serialize;

use crate::json;

/// What a generation is called, in the order in which figures list them.
const GENERATIONS: [&str; 5] = ["4", "4 or later", "5 or later", "6 or later", "7 or later"];
/// Parts of no shape that is known here.
const UNKNOWN: &str = "unknown";

/// How many parts one generation wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Generation {
    /// Versions of the AI SDK that write parts of this shape: `4`, `5 or later` …; `unknown` where none
    /// is known to.
    pub sdk: &'static str,
    /// Rows.
    pub rows: u64,
}

/// A shape of parts: by what they are called and the members they have. (The types of `ai` 4.3.19,
/// 5.0.277, 6.0.326 and 7.0.173.)
struct Shape {
    /// The place of the generation.
    sdk: usize,
    /// The type, or its beginning with a `*` after it.
    kinds: &'static [&'static str],
    /// Members it has: names, a name with one of several texts.
    has: &'static [(&'static str, &'static [&'static str])],
}

const fn shape(
    sdk: usize,
    kinds: &'static [&'static str],
    has: &'static [(&'static str, &'static [&'static str])],
) -> Shape {
    Shape { sdk, kinds, has }
}

/// The first that fits counts.
const SHAPES: [Shape; 18] = [
    shape(0, &["tool-invocation"], &[("toolInvocation", &[])]),
    shape(0, &["tool-call"], &[("toolName", &[]), ("args", &[])]),
    shape(0, &["tool-result"], &[("toolName", &[]), ("result", &[])]),
    shape(0, &["reasoning"], &[("reasoning", &[])]),
    shape(0, &["source"], &[("source", &[])]),
    shape(0, &["file", "image"], &[("mimeType", &[])]),
    shape(0, &["redacted-reasoning"], &[("data", &[])]),
    shape(4, &["custom"], &[("kind", &[])]),
    shape(4, &["reasoning-file"], &[("url", &[])]),
    shape(4, &["steering-message"], &[("parts", &[])]),
    shape(
        3,
        &["tool-*", "dynamic-tool"],
        &[("state", &["approval-requested", "approval-responded", "output-denied"])],
    ),
    shape(3, &["tool-*", "dynamic-tool"], &[("state", &[]), ("approval", &[])]),
    shape(
        2,
        &["tool-*", "dynamic-tool"],
        &[("state", &["input-streaming", "input-available", "output-available", "output-error"])],
    ),
    shape(2, &["tool-call", "tool-result"], &[("toolName", &[]), ("toolCallId", &[])]),
    shape(2, &["reasoning", "text"], &[("text", &[]), ("state", &["streaming", "done"])]),
    shape(2, &["reasoning"], &[("text", &[])]),
    shape(2, &["source-url", "source-document", "file"], &[]),
    shape(1, &["text", "step-start"], &[]),
];

/// Counts the parts of a column while its rows pass by.
#[derive(Debug, Default)]
pub(super) struct Parts {
    known: [u64; GENERATIONS.len()],
    unknown: u64,
}

impl Parts {
    /// Takes a payload in: an object with a text for its `type` is a part.
    pub(super) fn add(&mut self, text: &str) {
        let members = if json::is_object(text) { json::members(text).ok() } else { None };
        let Some(members) = members else { return };
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|it| it.1);
        let Some(kind) = member("type").and_then(json::string) else { return };
        let is = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == **pattern,
        };
        let has = |(name, texts): &(&str, &[&str])| {
            let value = member(name);
            let text = value.and_then(json::string);
            value.is_some() && (texts.is_empty() || text.is_some_and(|it| texts.contains(&&*it)))
        };
        let fits = |shape: &&Shape| shape.kinds.iter().any(is) && shape.has.iter().all(has);
        let is_data = kind.starts_with("data-") && member("data").is_some();
        match SHAPES.iter().find(fits).map(|shape| shape.sdk).or(is_data.then_some(2)) {
            Some(sdk) => self.known[sdk] += 1,
            None => self.unknown += 1,
        }
    }

    /// The figures; `None` of a column without a part that is known.
    pub(super) fn finish(self) -> Option<Vec<Generation>> {
        let known = GENERATIONS.into_iter().zip(self.known);
        let all = known.chain([(UNKNOWN, self.unknown)]).filter(|(_, rows)| *rows > 0);
        let all: Vec<Generation> = all.map(|(sdk, rows)| Generation { sdk, rows }).collect();
        all.iter().any(|generation| generation.sdk != UNKNOWN).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_by_its_shape() {
        let cases = [
            (r#"{"type":"tool-invocation","toolInvocation":{}}"#, "4"),
            (r#"{"type":"tool-invocation","state":"output-available"}"#, "5 or later"),
            (r#"{"type":"tool-call","toolCallId":"c","toolName":"t","args":{}}"#, "4"),
            (r#"{"type":"tool-call","toolCallId":"c","toolName":"t","input":{}}"#, "5 or later"),
            (r#"{"type":"tool-result","toolCallId":"c","toolName":"t","result":null}"#, "4"),
            (r#"{"type":"reasoning","reasoning":"r","details":[]}"#, "4"),
            (r#"{"type":"reasoning","text":"r"}"#, "5 or later"),
            (r#"{"type":"file","mimeType":"a/b","data":"x"}"#, "4"),
            (r#"{"type":"file","mediaType":"a/b","url":"x"}"#, "5 or later"),
            (r#"{"type":"source","source":{"sourceType":"url"}}"#, "4"),
            (r#"{"type":"source-url","url":"u"}"#, "5 or later"),
            (r#"{"type":"data-weather","data":1}"#, "5 or later"),
            (r#"{"type":"dynamic-tool","toolName":"t","state":"output-error"}"#, "5 or later"),
            (r#"{"type":"tool-x","state":"output-denied"}"#, "6 or later"),
            (r#"{"type":"tool-x","state":"output-available","approval":{}}"#, "6 or later"),
            (r#"{"type":"dynamic-tool","state":"approval-requested"}"#, "6 or later"),
            (r#"{"type":"custom","kind":"a.b"}"#, "7 or later"),
            (r#"{"type":"text","text":"t"}"#, "4 or later"),
            (r#"{"type":"text","text":"t","state":"done"}"#, "5 or later"),
            (r#"{"type":"step-start"}"#, "4 or later"),
        ];
        for (part, sdk) in cases {
            let mut parts = Parts::default();
            parts.add(part);
            assert_eq!(parts.finish(), Some(vec![Generation { sdk, rows: 1 }]), "{part}");
        }
    }

    #[test]
    fn a_column_without_a_known_part_has_no_figures() {
        let mut parts = Parts::default();
        for text in ["null", "[]", "{}", r#"{"type":7}"#, r#"{"type":"tool-x"}"#, "\"text\""] {
            parts.add(text);
        }
        assert_eq!(parts.unknown, 1);
        assert_eq!(parts.finish(), None);
        let mut parts = Parts::default();
        parts.add(r#"{"type":"odd"}"#);
        parts.add(r#"{"type":"text"}"#);
        let found = parts.finish().unwrap();
        let found: Vec<(&str, u64)> = found.iter().map(|it| (it.sdk, it.rows)).collect();
        assert_eq!(found, [("4 or later", 1), ("unknown", 1)]);
    }
}
