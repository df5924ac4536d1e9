//! The one pass against the readers of everything.

use proptest::prelude::*;

use super::*;
use crate::json::{MAX_DEPTH, canonical, members};

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
        let array = (prop::collection::vec(inner.clone(), 0..5), blank)
            .prop_map(|(values, blank)| format!("[{blank}{}]", values.join(&format!("{blank},"))));
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
