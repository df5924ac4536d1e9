//! Horizontal bars in groups: rows before that become a value, and rows after that have it.

use super::super::svg::{Anchor, Box2, Svg, digits, length, round};
use super::axes::Scale;
use super::{Screen, short};
use crate::error::grouped;
use crate::report::sections::{Bars, Figure, Line};

/// What the shapes mean.
pub(super) const KEY: &str = "<span class=\"k-before\"></span>before <span class=\"k-aside\"></span>went \
elsewhere <span class=\"k-solid\"></span>after <span class=\"k-tick\"></span>after, by the rule";

/// The most lines that are drawn; the table beside has more.
const MOST: usize = 80;

/// Draws the bars.
pub(super) fn draw(bars: &Bars, screen: Screen, id: &str, figure: &Figure) -> String {
    let width = screen.width();
    // On a narrow screen a name stands above its bar.
    let (left, line, above) = match screen {
        Screen::Wide => (230.0, 22.0, 0.0),
        Screen::Narrow => (8.0, 34.0, 14.0),
    };
    let lines = &bars.lines[..bars.lines.len().min(MOST)];
    let largest = lines.iter().map(|line| match line {
        Line::Group(_) => 0,
        Line::Before(_, rows, _) => *rows,
        Line::After(_, rows, expected) => *rows.max(expected),
    });
    let largest = largest.max().unwrap_or(0);
    let room = 12.0 + 8.0 * digits(largest);
    let scale =
        Scale::new(largest, if screen == Screen::Wide { 6 } else { 3 }, (left, width - room));
    let is_group = |line: &&Line| matches!(line, Line::Group(_));
    let groups = lines.iter().filter(is_group).count() as u64;
    let count = length(lines.len() as u64 - groups);
    let bottom = 8.0 + count * line + length(groups) * 26.0;
    let mut svg = Svg::new(width);
    scale.horizontal(&mut svg, (4.0, bottom));
    let mut y = 4.0;
    for it in lines {
        match it {
            Line::Group(name) => {
                svg.text(
                    "group",
                    (0.0, y + 18.0),
                    Anchor::Start,
                    &format!("→ {}", short(name, 40)),
                );
                y += 26.0;
                continue;
            }
            Line::Before(name, rows, aside) => {
                let words = format!("before {}", short(name, screen.name()));
                named(&mut svg, (left, y), screen, &words);
                let at = Box2 { x: left, y: y + above + 3.0, width: 0.0, height: 14.0 };
                before(&mut svg, &scale, at, (name, *rows, *aside));
            }
            Line::After(name, rows, expected) => {
                let words = format!("after {}", short(name, screen.name()));
                named(&mut svg, (left, y), screen, &words);
                let at = Box2 { x: left, y: y + above + 3.0, width: 0.0, height: 14.0 };
                after(&mut svg, &scale, at, (name, *rows, *expected));
            }
        }
        y += line;
    }
    svg.text("label", (width, bottom + 30.0), Anchor::End, &bars.unit);
    svg.done(id, bottom + 36.0, &figure.title, &figure.said)
}

fn named(svg: &mut Svg, (left, y): (f64, f64), screen: Screen, words: &str) {
    match screen {
        Screen::Wide => svg.text("name", (left - 10.0, y + 15.0), Anchor::End, words),
        Screen::Narrow => svg.text("name", (left, y + 13.0), Anchor::Start, words),
    }
}

fn before(svg: &mut Svg, scale: &Scale, at: Box2, (name, rows, aside): (&str, u64, u64)) {
    let title =
        format!("before {name}: {} rows, {} of them went elsewhere", grouped(rows), grouped(aside));
    let end = scale.at(rows);
    if rows > 0 {
        svg.rect("before", Box2 { width: (end - at.x).max(1.0), ..at }, &title);
    }
    if aside > 0 {
        let x = scale.at(rows - aside.min(rows));
        svg.rect("aside", Box2 { x, width: (end - x).max(1.5), ..at }, &title);
    }
    svg.text("value", (end + 6.0, at.y + 11.5), Anchor::Start, &grouped(rows));
}

fn after(svg: &mut Svg, scale: &Scale, at: Box2, (name, rows, expected): (&str, u64, u64)) {
    let title = format!("after {name}: {} rows, {} by the rule", grouped(rows), grouped(expected));
    let (end, wanted) = (scale.at(rows), scale.at(expected));
    if rows > 0 {
        svg.rect("solid", Box2 { width: (end - at.x).max(1.0), ..at }, &title);
    }
    let d =
        format!("M{0} {1}V{2}", round(wanted), round(at.y - 2.0), round(at.y + at.height + 2.0));
    svg.path("expected", &d, &title);
    svg.text("value", (end.max(wanted) + 6.0, at.y + 11.5), Anchor::Start, &grouped(rows));
}
