//! Rewrites the names of attributes and links in an expression of the Common Expression Language (CEL).
//!
//! Only what can be told from the text alone is rewritten: `data.attr`, `data["attr"]`,
//! `data.ref("label.attr")`, the same of `newData` and `linkedData`, and `auth.ref("$user.label.attr")`.
//! Whatever else is done with them is a reason to leave the expression to its author.

/// What gives the new names.
pub(super) trait Names {
    /// The new name of an attribute of `data` (and `newData`), or of `linkedData`.
    ///
    /// # Errors
    /// Why it has none.
    fn attr(&self, of: Of, attr: &str) -> Result<String, String>;
    /// The new path from there.
    ///
    /// # Errors
    /// Why it has none.
    fn path(&self, of: Of, path: &str) -> Result<String, String>;
}

/// What an attribute or a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The row that the rule is about.
    Data,
    /// The row that it is linked to.
    Linked,
    /// The user who asks.
    User,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    /// A text without an escape.
    Text,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
    at: usize,
}

/// The expression with new names.
///
/// # Errors
/// Why it cannot be rewritten.
pub(super) fn rewritten(code: &str, names: &dyn Names) -> Result<String, String> {
    let tokens = tokens(code)?;
    let mut out = String::with_capacity(code.len());
    let mut done = 0;
    for at in 0..tokens.len() {
        let Some((token, new)) = renamed(&tokens, at, names)? else { continue };
        out.push_str(&code[done..token.at]);
        out.push_str(&new);
        done = token.at + token.text.len();
    }
    out.push_str(&code[done..]);
    Ok(out)
}

/// Whether a name stands in an expression.
pub(super) fn uses(code: &str, name: &str) -> bool {
    if !code.contains(name) {
        return false;
    }
    let tokens = tokens(code).unwrap_or_default();
    tokens.iter().any(|token| token.kind == Kind::Name && token.text == name)
}

/// The token that is renamed where a variable stands at a place, and its new text.
fn renamed<'t>(
    tokens: &[Token<'t>],
    at: usize,
    names: &dyn Names,
) -> Result<Option<(Token<'t>, String)>, String> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let kind = |at: usize| tokens.get(at).map_or(Kind::Other, |token| token.kind);
    if kind(at) != Kind::Name {
        return Ok(None);
    }
    let variable = text(at);
    if variable == "modifiedFields" {
        return Err("`request.modifiedFields` names attributes in a list".to_owned());
    }
    if at > 0 && text(at - 1) == "." {
        return member(tokens, at).map(|()| None);
    }
    let is_asked_for = text(at + 2) == "=" && text(at + 3) == "null";
    let of = match variable {
        "data" | "newData" => Of::Data,
        "linkedData" => Of::Linked,
        "auth" if text(at + 1) == "." && text(at + 2) == "ref" => Of::User,
        "auth" | "request" if text(at + 1) != "." && !is_asked_for => {
            return Err(format!("`{variable}` is used as a whole"));
        }
        _ => return Ok(None),
    };
    let (after, is_call) = (at + 3, text(at + 3) == "(");
    match (text(at + 1), kind(at + 2)) {
        (".", Kind::Name) if text(at + 2) == "ref" && is_call => {
            if kind(after + 1) != Kind::Text || text(after + 2) != ")" {
                return Err(format!("the path of `{variable}.ref` is no plain text"));
            }
            let token = tokens[after + 1];
            let path = inside(token.text);
            let new = match (of, path.strip_prefix("$user.")) {
                (Of::User, Some(rest)) => format!("$user.{}", names.path(of, rest)?),
                (Of::User, None) => return Err(format!("`{path}` does not begin at `$user`")),
                _ => names.path(of, path)?,
            };
            Ok(Some((token, requoted(token.text, &new)?)))
        }
        (".", Kind::Name) if !is_call => {
            let token = tokens[at + 2];
            let new = names.attr(of, token.text)?;
            if !is_name(&new) {
                return Err(format!("`{new}` cannot stand behind a dot"));
            }
            Ok(Some((token, new)))
        }
        ("[", Kind::Text) if text(after) == "]" => {
            let token = tokens[at + 2];
            let new = names.attr(of, inside(token.text))?;
            Ok(Some((token, requoted(token.text, &new)?)))
        }
        _ => Err(format!("`{variable}` is used as a whole")),
    }
}

/// Looks at a name behind a dot.
///
/// # Errors
/// It is none of something that stands before the dot (`.data` is `data`), or follows links from something
/// that has another name here.
fn member(tokens: &[Token<'_>], at: usize) -> Result<(), String> {
    let before = at.checked_sub(2).map(|at| (tokens[at].kind, tokens[at].text));
    let is_member = before.is_some_and(|(kind, text)| {
        text != "in" && (kind != Kind::Other || [")", "]", "}"].contains(&text))
    });
    let holds = ["data", "newData", "linkedData", "auth"];
    let is_held = before.is_some_and(|(_, of)| holds.contains(&of));
    let is_call = tokens.get(at + 1).is_some_and(|token| token.text == "(");
    if !is_member {
        return Err("a name in it begins with a dot".to_owned());
    }
    if tokens[at].text == "ref" && is_call && !is_held {
        return Err("`ref` is called on something under another name".to_owned());
    }
    Ok(())
}

/// What is between the quotes.
fn inside(text: &str) -> &str {
    let width = if text.starts_with("'''") || text.starts_with("\"\"\"") { 3 } else { 1 };
    text.get(width..text.len().saturating_sub(width)).unwrap_or_default()
}

/// Another text between the same quotes.
fn requoted(text: &str, new: &str) -> Result<String, String> {
    if new.contains(['\'', '"', '\\']) || new.chars().any(char::is_control) {
        return Err("a new name needs to be escaped".to_owned());
    }
    let width = (text.len() - inside(text).len()) / 2;
    Ok(format!("{}{new}{}", &text[..width], &text[text.len() - width..]))
}

fn is_name(text: &str) -> bool {
    let is = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(is) && !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty()
}

/// Splits an expression; blanks and comments are left out.
fn tokens(code: &str) -> Result<Vec<Token<'_>>, String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let run = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (kind, width) = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '\'' | '"' => string(rest)?,
            '0'..='9' => (Kind::Other, run(word)),
            'a'..='z' | 'A'..='Z' | '_' => {
                let width = run(word);
                let prefix = matches!(
                    &rest[..width],
                    "r" | "R" | "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB"
                );
                if prefix && rest[width..].starts_with(['\'', '"']) {
                    return Err("a raw text or bytes stand in it".to_owned());
                }
                (Kind::Name, width)
            }
            _ => (Kind::Other, first.len_utf8()),
        };
        found.push(Token { kind, text: &rest[..width], at });
        at += width;
    }
    Ok(found)
}

/// A quoted text at the start of `rest`: [`Kind::Other`] when something in it is escaped.
fn string(rest: &str) -> Result<(Kind, usize), String> {
    let quote = &rest[..1];
    let quote = if rest.starts_with(&quote.repeat(3)) { quote.repeat(3) } else { quote.to_owned() };
    let mut is_escaped = false;
    let mut at = quote.len();
    while let Some(c) = rest[at..].chars().next() {
        if rest[at..].starts_with(&quote) {
            let kind = if is_escaped { Kind::Other } else { Kind::Text };
            return Ok((kind, at + quote.len()));
        }
        at += c.len_utf8();
        if c == '\\' {
            is_escaped = true;
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Err("a text in it has no end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that become longer, but for those that begin with `no`.
    struct Longer;

    impl Names for Longer {
        fn attr(&self, of: Of, attr: &str) -> Result<String, String> {
            if attr.starts_with("no") {
                Err(format!("no {attr}"))
            } else {
                Ok(format!("{attr}_{of:?}"))
            }
        }

        fn path(&self, of: Of, path: &str) -> Result<String, String> {
            self.attr(of, &path.replace('.', "/"))
        }
    }

    #[test]
    fn names_are_rewritten_where_they_are_names_and_nowhere_else() {
        for (code, expected) in [
            ("auth != null && auth.id != null", "auth != null && auth.id != null"),
            ("auth.id in data.ref('owner.id')", "auth.id in data.ref('owner/id_Data')"),
            ("data . ref ( \"a.b\" )", "data . ref ( \"a/b_Data\" )"),
            (
                "data.a == newData.b && linkedData['c'] == 1",
                "data.a_Data == newData.b_Data && linkedData['c_Linked'] == 1",
            ),
            ("'x' in auth.ref('$user.team.id')", "'x' in auth.ref('$user.team/id_User')"),
            ("auth.email == 'data.ref(1)' // data.noa", "auth.email == 'data.ref(1)' // data.noa"),
            ("ruleParams.data == x.data.y", "ruleParams.data == x.data.y"),
            (
                "has(data.a) ? data.a.size() > 1e3 : true",
                "has(data.a_Data) ? data.a_Data.size() > 1e3 : true",
            ),
            ("mydata.a || dataX", "mydata.a || dataX"),
            ("data.ref('''a.b''')", "data.ref('''a/b_Data''')"),
            ("'ü' == data.é", ""),
        ] {
            match rewritten(code, &Longer) {
                Ok(new) => assert_eq!(new, expected, "{code}"),
                Err(_) => assert_eq!("", expected, "{code}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_told_from_the_text_is_left_to_its_author() {
        for (code, expected) in [
            ("data.noa == 1", "no noa"),
            ("data == newData", "`data` is used as a whole"),
            ("data[auth.id]", "`data` is used as a whole"),
            ("data.ref('a' + 'b')", "the path of `data.ref` is no plain text"),
            ("data.ref('a\\'b')", "the path of `data.ref` is no plain text"),
            ("cel.bind(d, data, d.a)", "`data` is used as a whole"),
            ("auth.ref('team.id')", "`team.id` does not begin at `$user`"),
            (
                "request.modifiedFields.all(f, f in ['a'])",
                "`request.modifiedFields` names attributes in a list",
            ),
            ("data.a == 'x", "a text in it has no end"),
            ("data.ref(r'a')", "a raw text or bytes stand in it"),
            ("data.exists(a, true)", "`data` is used as a whole"),
            ("data.?a", "`data` is used as a whole"),
            (".data.a == 1", "a name in it begins with a dot"),
            ("auth.id in .data.ref('a.b')", "a name in it begins with a dot"),
            ("cel.bind(r, request, 'a' in r.x)", "`request` is used as a whole"),
            (
                "cel.bind(r, request.x, 'a' in r.modifiedFields)",
                "`request.modifiedFields` names attributes in a list",
            ),
            ("cel.bind(a, auth, 'x' in a.ref('$user.b'))", "`auth` is used as a whole"),
            ("x.ref('a.b') == y", "`ref` is called on something under another name"),
        ] {
            assert_eq!(rewritten(code, &Longer), Err(expected.to_owned()), "{code}");
        }
    }
}
