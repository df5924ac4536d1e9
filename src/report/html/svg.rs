//! Drawings as SVG text: shapes with classes, texts escaped, a title and a description.

use std::fmt::Write as _;

use super::escape::{escape, plain};

/// Hatches that every drawing of the page uses, so that no colour stands alone.
pub(super) const PATTERNS: &str = "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\
<pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<rect class=\"hatch-ground\" width=\"6\" height=\"6\"/><rect class=\"hatch-line\" width=\"2.4\" height=\"6\"/></pattern>\
<pattern id=\"dots\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">\
<rect class=\"dots-ground\" width=\"5\" height=\"5\"/><circle class=\"dots-dot\" cx=\"2.5\" cy=\"2.5\" r=\"1.1\"/></pattern>\
</defs></svg>";

/// Where a text is anchored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Box2 {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A drawing.
pub(super) struct Svg {
    width: f64,
    out: String,
}

impl Svg {
    pub(super) fn new(width: f64) -> Self {
        Self { width, out: String::new() }
    }

    /// A rectangle; the title shows when it is pointed at.
    pub(super) fn rect(&mut self, class: &str, at: Box2, title: &str) {
        let Box2 { x, y, width, height } = at;
        // Writing to a `String` cannot fail, here and below.
        let _ = write!(
            self.out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            round(x),
            round(y),
            round(width),
            round(height)
        );
        match class {
            "aside" => self.out.push_str(" fill=\"url(#hatch)\""),
            "existing" => self.out.push_str(" fill=\"url(#dots)\""),
            _ => {}
        }
        if title.is_empty() {
            self.out.push_str("/>");
        } else {
            let _ = write!(self.out, "><title>{}</title></rect>", plain(title));
        }
    }

    /// A line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.out,
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            round(from.0),
            round(from.1),
            round(to.0),
            round(to.1)
        );
    }

    /// A path; `d` is numbers and letters of our own making.
    pub(super) fn path(&mut self, class: &str, d: &str, title: &str) {
        let _ = write!(self.out, "<path class=\"{class}\" d=\"{d}\"");
        if title.is_empty() {
            self.out.push_str("/>");
        } else {
            let _ = write!(self.out, "><title>{}</title></path>", plain(title));
        }
    }

    /// A text.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            round(at.0),
            round(at.1),
            escape(text)
        );
    }

    /// The drawing with its title and description.
    pub(super) fn done(self, id: &str, height: f64, title: &str, said: &str) -> String {
        let (width, height) = (round(self.width), round(height));
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">{}</title>\
             <desc id=\"{id}-d\">{}</desc>{}</svg>",
            plain(title),
            plain(said),
            self.out
        )
    }
}

/// A length with at most one digit after the point.
pub(super) fn round(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A count as a length.
#[allow(clippy::cast_precision_loss, reason = "a drawing shows no more than three digits")]
pub(super) fn length(count: u64) -> f64 {
    count as f64
}

/// How many digits and commas a count has.
pub(super) fn digits(count: u64) -> f64 {
    length(crate::error::grouped(count).len() as u64)
}
