//! Texts that are no contract at all.

use proptest::prelude::*;

use super::*;

#[test]
fn deep_nesting_is_a_misfit() {
    for text in [
        format!("{}x = 1", "a.".repeat(100_000)),
        format!("[{}x]", "a.".repeat(100_000)),
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{ a.b.c.d = ".repeat(75)),
        format!("x = {}1{}", "{ a.b.c.d = ".repeat(75), "}".repeat(75)),
    ] {
        assert!(read(&text).is_err());
        assert!(load(BUILT_IN, "c.toml", &released(&text)).is_err());
        let value = text.trim_start_matches("x = ");
        assert!(load(BUILT_IN, "c.toml", &with(&[("before.apis", value)])).is_err());
    }
}

#[test]
fn names_in_a_contract_cannot_steer_a_terminal() {
    let text = changed(&[("[ids]", "[\"\\u001b[31m\\nids\"]")]);
    let said = shown(&read(&text).unwrap_err());
    assert!(said.contains("`\\u{1b}[31m\\nids`"), "{said}");
    assert!(!said.contains('\u{1b}'));
}

/// Something done to a text at a place.
fn mutate(text: &mut String, how: u8, at: usize, c: char) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = at % lines.len();
    let char_at = text.floor_char_boundary(at % (text.len() + 1));
    match how {
        0 => *text = [&lines[..line], &lines[line + 1..]].concat().concat(),
        1 => *text = [&lines[..=line], &lines[line..]].concat().concat(),
        2 => text.insert(char_at, c),
        3 if char_at < text.len() => drop(text.remove(char_at)),
        _ => text.truncate(char_at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_it_panic(
        changes in prop::collection::vec(
            (0..5_u8, 0..40_000_usize, prop_oneof![
                any::<char>(), Just('"'), Just('['), Just('{'), Just('.'), Just('\n'), Just('=')
            ]),
            1..5,
        ),
    ) {
        let mut text = BUILT_IN.to_owned();
        for (how, at, c) in changes {
            // Cutting the text off is worth one try in many.
            mutate(&mut text, if how == 4 && at % 8 > 0 { 2 } else { how }, at, c);
            if text.is_empty() {
                break;
            }
        }
        if let Err(error) = read(&text) {
            prop_assert_eq!(error.kind, crate::error::Kind::Usage);
            prop_assert!(error.at.iter().all(|at| at.starts_with("c.toml:")));
        }
    }
}
