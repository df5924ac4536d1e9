//! Columns of rows before, with what went elsewhere hatched, and a line of rows after.

use std::fmt::Write as _;

use super::super::svg::{Anchor, Box2, Svg, length, round};
use super::Screen;
use super::axes::Scale;
use crate::error::grouped;
use crate::report::sections::{Columns, Figure, Spot};

/// What the shapes mean.
pub(super) fn key(columns: &Columns) -> String {
    let aside = columns.spots.iter().any(|spot| spot.rows.aside() > 0);
    let aside = if aside {
        " <span class=\"k-aside\"></span>before, and went elsewhere (merged, quarantined, dropped, or on \
         an existing row)"
    } else {
        ""
    };
    format!("<span class=\"k-before\"></span>before{aside} <span class=\"k-after\"></span>after")
}

/// Draws the columns.
pub(super) fn draw(columns: &Columns, screen: Screen, id: &str, figure: &Figure) -> String {
    let (width, height) = match screen {
        Screen::Wide => (screen.width(), 280.0),
        Screen::Narrow => (screen.width(), 240.0),
    };
    let (left, right, top, bottom) = (54.0, width - 8.0, 26.0, height - 42.0);
    let largest = columns.spots.iter().map(|spot| spot.rows.before.max(spot.rows.after)).max();
    let scale = Scale::new(largest.unwrap_or(0), 5, (bottom, top));
    let mut svg = Svg::new(width);
    svg.text("label", (left, 13.0), Anchor::Start, &columns.unit);
    scale.vertical(&mut svg, (left, right));
    let each = (right - left) / length(columns.spots.len().max(1) as u64);
    // Columns of a short series are no wider than a hand.
    let wide = (each - if each > 8.0 { 2.0 } else { each * 0.15 }).min(72.0);
    let mut after = String::new();
    for (at, spot) in columns.spots.iter().enumerate() {
        let x = left + each * length(at as u64) + (each - wide) / 2.0;
        column(&mut svg, (x, wide), &scale, spot);
        let y = scale.at(spot.rows.after);
        // Writing to a `String` cannot fail.
        let _ = if at == 0 || each - wide > 4.0 {
            write!(after, "M{} {}", round(x), round(y))
        } else {
            write!(after, "L{} {}", round(x), round(y))
        };
        let _ = write!(after, "H{}", round(x + wide));
    }
    svg.path("after", &after, "");
    labels(&mut svg, columns, (left, right, each), bottom);
    let middle = f64::midpoint(left, right);
    svg.text("label", (middle, height - 6.0), Anchor::Middle, &columns.axis);
    svg.done(id, height, &figure.title, &figure.said)
}

fn column(svg: &mut Svg, (x, width): (f64, f64), scale: &Scale, spot: &Spot) {
    let rows = &spot.rows;
    let title = format!(
        "{}: {} before, {} after{}",
        spot.label,
        grouped(rows.before),
        grouped(rows.after),
        match rows.aside() {
            0 => String::new(),
            aside => format!(", {} went elsewhere", grouped(aside)),
        }
    );
    let (top, base) = (scale.at(rows.before), scale.at(0));
    if rows.before > 0 {
        let height = (base - top).max(1.0);
        svg.rect("before", Box2 { x, y: base - height, width, height }, &title);
    }
    let aside = rows.aside().min(rows.before);
    if aside > 0 {
        let height = (scale.at(rows.before - aside) - top).max(1.5);
        svg.rect("aside", Box2 { x, y: top, width, height }, &title);
    }
}

/// Names as many columns as there is room for.
fn labels(svg: &mut Svg, columns: &Columns, (left, right, each): (f64, f64, f64), bottom: f64) {
    let room = if columns.is_time { 82.0 } else { 56.0 };
    let count = columns.spots.len();
    let mut every = 1;
    while each * length(every as u64) < room && every < count {
        every += 1;
    }
    for (at, spot) in columns.spots.iter().enumerate().step_by(every) {
        let x = left + each * (length(at as u64) + 0.5);
        svg.line("axis", (x, bottom), (x, bottom + 4.0));
        // A label must not leave the drawing.
        if columns.is_time && x + 34.0 > right {
            continue;
        }
        svg.text("tick", (x, bottom + 17.0), Anchor::Middle, &spot.label);
    }
}
