//! The strings of a JSON text, found without recursion.

/// What a text holds that the server minds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) depth: usize,
    pub(super) longest: usize,
    pub(super) has_nul: bool,
}

/// Passes every string's place (without its quotes) on; `is_key` says whether it is a key.
fn strings(text: &str, visit: &mut dyn FnMut(std::ops::Range<usize>, bool)) -> Scan {
    let bytes = text.as_bytes();
    let (mut scan, mut depth, mut at) = (Scan::default(), 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at + 1;
                at = start;
                while at < bytes.len() && bytes[at] != b'"' {
                    let escape = bytes[at] == b'\\';
                    scan.has_nul |= escape && bytes[at..].starts_with(b"\\u0000");
                    at += if escape { 2 } else { 1 };
                }
                let end = at.min(bytes.len());
                let next = bytes.get(end + 1..).unwrap_or_default();
                let next = next.iter().find(|byte| !byte.is_ascii_whitespace());
                visit(start..end, next == Some(&b':'));
                scan.longest = scan.longest.max(end - start);
            }
            _ => {}
        }
        scan.depth = scan.depth.max(depth);
        at += 1;
    }
    scan
}

/// Looks a text through.
pub(super) fn scan(text: &str) -> Scan {
    strings(text, &mut |_, _| {})
}

/// The text with every value that looks like a UUID in lower case (`walk-uuids`).
pub(super) fn walk_uuids(text: &str) -> String {
    let mut out = text.to_owned();
    strings(text, &mut |place, is_key| {
        if !is_key && uuid(&text[place.clone()]).is_some() {
            out.replace_range(place.clone(), &text[place].to_ascii_lowercase());
        }
    });
    out
}

/// A UUID in lower case: exactly 36 characters that parse.
pub(super) fn uuid(text: &str) -> Option<String> {
    let parsed = (text.len() == 36).then(|| uuid::Uuid::parse_str(text).ok())??;
    Some(parsed.to_string())
}

/// The canonical form, by which values are the same.
pub(super) fn canonical(raw: &str) -> String {
    let mut out = Vec::new();
    match rethread::json::canonical(raw, &mut out) {
        Ok(()) => String::from_utf8(out).expect("UTF-8"),
        Err(_) => raw.to_owned(),
    }
}
