//! Payloads as the JSON text an assistant's runtime writes.

use super::random::Rng;
use super::value::push;
use super::words::{BETWEEN, LANGUAGES, PHRASES, TITLES, TOOLS};

/// Size in bytes by position among 65,536: half below 480, one in a hundred above 7,000.
const SIZES: [(u64, u64); 10] = [
    (0, 60),
    (6_554, 110),
    (16_384, 221),
    (32_768, 480),
    (49_152, 980),
    (58_982, 1_900),
    (62_259, 2_900),
    (64_881, 7_000),
    (65_470, 14_000),
    (65_536, 40_000),
];

/// One payload in so many is of 100 kB to 3 MB.
const HUGE: u64 = 20_000;

/// What stands around the text of a payload, and the half of a phrase that it is longer than asked.
const AROUND: u64 = 70;

/// How large payloads are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Times this many percent.
    pub(crate) percent: u64,
    /// No more than this many bytes; 0 leaves the payload out.
    pub(crate) most: u64,
}

impl Size {
    fn draw(self, rng: &mut Rng) -> usize {
        let at = rng.below(65_536);
        let upper = SIZES.iter().position(|(place, _)| at < *place).unwrap_or(SIZES.len() - 1);
        let ((left, low), (right, high)) = (SIZES[upper - 1], SIZES[upper]);
        let mut size = low + (high - low) * (at - left) / (right - left);
        if rng.once_in(HUGE) {
            let base = 100_000 << rng.below(5);
            size = base + rng.below(base);
        }
        let scaled = (size * self.percent / 100).min(self.most);
        usize::try_from(scaled.saturating_sub(AROUND)).unwrap_or(0)
    }
}

/// The payload of a part, and its type.
pub(crate) fn part(rng: &mut Rng, language: usize, size: Size) -> (String, String) {
    if size.most == 0 {
        return Default::default();
    }
    let size = size.draw(rng);
    let mut out = String::with_capacity(size + 256);
    let kind = rng.below(100);
    let ty = match kind {
        0..6 => "step-start".to_owned(),
        6..11 => "source-url".to_owned(),
        11..16 => "file".to_owned(),
        16..20 => ["data-weather", "data-progress"][usize::from(rng.once_in(2))].to_owned(),
        20..45 => format!("tool-{}", rng.pick(&TOOLS)),
        45..60 => "reasoning".to_owned(),
        _ => "text".to_owned(),
    };
    push(&mut out, format_args!("{{\"type\":\"{ty}\""));
    match kind {
        0..6 => {}
        6..11 => source_url(rng, language, &mut out),
        11..16 => file(rng, size, &mut out),
        16..20 => {
            out.push_str(",\"data\":");
            object(rng, language, size, &mut out);
        }
        20..45 => tool(rng, language, size, &mut out),
        45..60 => {
            out.push_str(",\"text\":\"");
            text(rng, language, size, &mut out);
            push(
                &mut out,
                format_args!(
                    "\",\"providerMetadata\":{{\"openai\":{{\"itemId\":\"rs_{:016x}\",\
                     \"encrypted\":null,\"cost\":1e-3}}}}",
                    rng.next()
                ),
            );
        }
        _ => {
            out.push_str(",\"text\":\"");
            text(rng, language, size, &mut out);
            out.push_str("\",\"state\":\"done\"");
        }
    }
    out.push('}');
    (out, ty)
}

fn source_url(rng: &mut Rng, language: usize, out: &mut String) {
    let (id, title) = (rng.next(), rng.pick(&TITLES[language]));
    push(
        out,
        format_args!(
            ",\"sourceId\":\"src-{id:x}\",\"url\":\"https:\\/\\/example.org\\/a?q=1&b=%C3%A9#{id:x}\",\
             \"title\":\"{title}\""
        ),
    );
}

fn file(rng: &mut Rng, size: usize, out: &mut String) {
    let (media, name) = rng.pick(&[
        ("image/png", "captura de pantalla.png"),
        ("application/pdf", "contract \\\"v2\\\".pdf"),
        ("audio/ogg", "ملاحظة صوتية.ogg"),
    ]);
    push(
        out,
        format_args!(
            ",\"mediaType\":\"{media}\",\"filename\":\"{name}\",\"url\":\"data:{media};base64,"
        ),
    );
    base64(rng, size.saturating_sub(80), out);
    out.push('"');
}

fn base64(rng: &mut Rng, size: usize, out: &mut String) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for _ in 0..size / 8 {
        let bits = rng.next();
        out.extend(bits.to_le_bytes().map(|byte| char::from(LETTERS[usize::from(byte & 63)])));
    }
}

fn tool(rng: &mut Rng, language: usize, size: usize, out: &mut String) {
    let failed = rng.once_in(12);
    let state = if failed { "output-error" } else { "output-available" };
    push(out, format_args!(",\"toolCallId\":\"call_{:016x}\",\"state\":\"{state}\"", rng.next()));
    out.push_str(",\"input\":{\"query\":\"");
    text(rng, language, size / 6, out);
    push(
        out,
        format_args!(
            "\",\"limit\":{}.0,\"filters\":{{\"zone\":\"eu\",\"active\":true,\"Account\":null,\"a/b\":[]}}}}",
            rng.below(50)
        ),
    );
    if failed {
        out.push_str(",\"errorText\":\"");
        text(rng, language, size / 4, out);
        out.push('"');
    } else {
        out.push_str(",\"output\":");
        object(rng, language, size * 5 / 8, out);
    }
    out.push_str(",\"providerExecuted\":false");
}

/// A nested object: keys in no order, numbers that lose something when they are read as doubles or
/// written anew.
fn object(rng: &mut Rng, language: usize, size: usize, out: &mut String) {
    let end = out.len() + size;
    push(
        out,
        format_args!(
            "{{\"total\":{}.0,\"rate\":1e3,\"id\":90071992547{:05},\"delta\":-0.0,\"rows\":[",
            rng.below(1000),
            rng.below(100_000)
        ),
    );
    let mut first = true;
    while first || out.len() < end {
        let comma = if first { "" } else { "," };
        first = false;
        push(
            out,
            format_args!(
                "{comma}{{\"z\":{},\"name\":\"{}\",\"b\":{{\"y\":[1,2.50,1E+2],\"x\":null}},\"a\":\"",
                rng.below(1_000_000),
                rng.pick(&TITLES[language])
            ),
        );
        let room = end.saturating_sub(out.len()).min(300);
        text(rng, language, room, out);
        out.push_str("\"}");
    }
    out.push_str("],\"more\":false}");
}

/// Text inside a JSON string, of about `size` bytes.
pub(crate) fn text(rng: &mut Rng, language: usize, size: usize, out: &mut String) {
    let end = out.len() + size;
    loop {
        let phrase = rng.pick(&PHRASES[language % LANGUAGES]);
        let bits = rng.next();
        out.push_str(phrase);
        if out.len() >= end {
            return;
        }
        out.push_str(rng.pick(&BETWEEN));
        if bits & 0x30 == 0 {
            push(out, format_args!("#{:x} ", bits >> 8));
        }
    }
}

/// The content of an event.
pub(crate) fn event(rng: &mut Rng, language: usize, size: Size) -> String {
    if size.most == 0 {
        return String::new();
    }
    let size = size.draw(rng).min(20_000);
    let mut out = String::with_capacity(size + 100);
    out.push_str("{\"parts\":[{\"type\":\"text\",\"text\":\"");
    text(rng, language, size / 2, &mut out);
    out.push_str("\"}");
    if rng.once_in(10) {
        out.push_str(",{\"type\":\"file\"");
        file(rng, size / 2, &mut out);
        out.push('}');
    }
    push(&mut out, format_args!("],\"metadata\":{{\"tokens\":{},\"p\":1.0}}}}", rng.below(4000)));
    out
}

/// The content of a context.
pub(crate) fn context(rng: &mut Rng, title: &str) -> String {
    let (budget, tag) = (rng.below(9), rng.pick(&["vip", "new", "étudiant", "重要"]));
    format!(
        "{{\"title\":\"{title}\",\"tags\":[\"{tag}\"],\"settings\":{{\"z\":{budget}.50,\"a\":true,\
         \"limit\":9007199254740993}}}}"
    )
}

/// Tool calls of a step, and what they gave.
pub(crate) fn calls(rng: &mut Rng, language: usize, size: Size) -> (String, String) {
    if size.most == 0 {
        return Default::default();
    }
    let size = size.draw(rng).min(8_000);
    let (id, tool) = (rng.next(), rng.pick(&TOOLS));
    let mut call =
        format!("[{{\"toolCallId\":\"call_{id:016x}\",\"toolName\":\"{tool}\",\"args\":");
    object(rng, language, size / 3, &mut call);
    call.push_str("}]");
    let mut result =
        format!("[{{\"toolCallId\":\"call_{id:016x}\",\"success\":true,\"message\":\"");
    text(rng, language, size / 3, &mut result);
    result.push_str("\"}]");
    (call, result)
}
