//! The flow of the rows: legacy tables at the left, target tables at the right, and below these what
//! went beside. The widths are rows.

use super::super::svg::{Anchor, Box2, Svg, length, round};
use super::{Screen, short};
use crate::error::grouped;
use crate::report::sections::Flow;

pub(super) const TITLE: &str = "Where the rows went";
pub(super) const SAID: &str = "Legacy tables at the left, target tables at the right; below them the rows \
that another row stands for and those that were set aside. Widths are rows; a row of a table that fills \
two counts in both. The table below has the numbers.";

/// What the shapes mean.
pub(super) fn key(flow: &Flow) -> String {
    let mut key = "<span class=\"migrated\"></span>migrated".to_owned();
    for (at, (class, name)) in BESIDE.into_iter().enumerate() {
        if flow.sources.iter().any(|source| source.parts[at + 1] > 0) {
            key.push_str(&format!(" <span class=\"{class}\"></span>{name}"));
        }
    }
    if flow.targets.iter().any(|target| target.rows > target.filled) {
        key.push_str(" <span class=\"k-existing\"></span>was in the target model before");
    }
    key
}

/// The ways beside, in the order of a source's parts after the migrated.
const BESIDE: [(&str, &str); 3] =
    [("merged", "merged"), ("quarantined", "quarantined"), ("dropped", "dropped by rule")];

/// Where everything stands.
struct Layout {
    screen: Screen,
    /// Height of a row.
    unit: f64,
    /// Width of a bar.
    bar: f64,
    /// The places of the left and of the right bars.
    left: f64,
    right: f64,
}

impl Layout {
    fn new(flow: &Flow, screen: Screen) -> Self {
        let before: u64 = flow.sources.iter().map(|it| it.rows).sum();
        let beside: u64 = flow.sources.iter().map(|it| it.parts[1..].iter().sum::<u64>()).sum();
        let after: u64 = flow.targets.iter().map(|it| it.rows.max(it.filled)).sum::<u64>() + beside;
        let (room, bar, left) = match screen {
            Screen::Wide => (300.0, 14.0, 216.0),
            Screen::Narrow => (240.0, 10.0, 0.0),
        };
        let right = screen.width() - left - bar;
        Self { screen, unit: room / length(before.max(after).max(1)), bar, left, right }
    }

    /// The height of some rows: none is lost to the eye.
    fn height(&self, rows: u64) -> f64 {
        if rows == 0 { 0.0 } else { (length(rows) * self.unit).max(2.0) }
    }

    /// The place of a bar of a height in the next slot, and where the slot after it begins.
    fn slot(&self, y: f64, height: f64) -> (f64, f64) {
        match self.screen {
            Screen::Wide => {
                let slot = height.max(32.0);
                (y + (slot - height) / 2.0, y + slot + 12.0)
            }
            Screen::Narrow => (y + 32.0, y + 32.0 + height + 12.0),
        }
    }

    /// The name of a bar and its rows.
    fn name(&self, svg: &mut Svg, is_left: bool, (y, height): (f64, f64), words: (&str, &str)) {
        let (at, anchor) = match (self.screen, is_left) {
            (Screen::Wide, true) => ((self.left - 12.0, y + height / 2.0 - 2.0), Anchor::End),
            (Screen::Wide, false) => {
                ((self.right + self.bar + 12.0, y + height / 2.0 - 2.0), Anchor::Start)
            }
            (Screen::Narrow, true) => ((0.0, y - 19.0), Anchor::Start),
            (Screen::Narrow, false) => ((self.right + self.bar, y - 19.0), Anchor::End),
        };
        svg.text("node-name", at, anchor, &short(words.0, self.screen.name()));
        svg.text("node-rows", (at.0, at.1 + 14.5), anchor, words.1);
    }

    fn ribbon(&self, svg: &mut Svg, class: &str, [from, to]: [(f64, f64); 2], title: &str) {
        let (x0, x1) = (self.left + self.bar, self.right);
        let middle = round(f64::midpoint(x0, x1));
        let (x0, x1) = (round(x0), round(x1));
        let [a, b, c, d] = [from.0, to.0, to.0 + to.1, from.0 + from.1].map(round);
        let d = format!(
            "M{x0} {a}C{middle} {a} {middle} {b} {x1} {b}V{c}C{middle} {c} {middle} {d} {x0} {d}Z"
        );
        svg.path(&format!("ribbon {class}"), &d, title);
    }
}

/// Draws the flow.
pub(super) fn draw(flow: &Flow, screen: Screen, id: &str) -> String {
    let layout = Layout::new(flow, screen);
    let mut svg = Svg::new(screen.width());
    let mut ends: Vec<[f64; 4]> = Vec::new();
    let mut y = 4.0;
    for source in &flow.sources {
        let heights = source.parts.map(|rows| layout.height(rows));
        let height: f64 = heights.iter().sum();
        let (top, next) = layout.slot(y, height);
        let mut at = top;
        ends.push(heights.map(|height| {
            let begin = at;
            at += height;
            begin
        }));
        bar(&mut svg, &layout, true, ("node", top, height), &source.name);
        let rows = format!("{} rows", grouped(source.rows));
        layout.name(&mut svg, true, (top, height), (&source.name, &rows));
        y = next;
    }
    let bottom = targets(&mut svg, &layout, flow, &ends);
    let bottom = beside(&mut svg, &layout, (flow, &ends), bottom);
    svg.done(id, bottom.max(y), TITLE, &said(flow))
}

fn bar(
    svg: &mut Svg,
    layout: &Layout,
    is_left: bool,
    (class, y, height): (&str, f64, f64),
    title: &str,
) {
    let x = if is_left { layout.left } else { layout.right };
    svg.rect(class, Box2 { x, y, width: layout.bar, height: height.max(1.0) }, title);
}

/// Draws the target tables, and gives where they end.
fn targets(svg: &mut Svg, layout: &Layout, flow: &Flow, ends: &[[f64; 4]]) -> f64 {
    let mut y = 4.0;
    for target in &flow.targets {
        let filled = layout.height(target.filled);
        let before = layout.height(target.rows.saturating_sub(target.filled));
        let (top, next) = layout.slot(y, filled + before);
        if let Some(at) = target.source.filter(|_| target.filled > 0) {
            let source = &flow.sources[at];
            let from = (ends[at][0], layout.height(source.parts[0]));
            let title =
                format!("{} → {}: {} rows", source.name, target.name, grouped(target.filled));
            layout.ribbon(svg, "migrated", [from, (top, filled)], &title);
        }
        bar(svg, layout, false, ("node", top, filled), &target.name);
        if before > 0.0 {
            bar(svg, layout, false, ("existing", top + filled, before), &target.name);
        }
        let rows = match target.rows.saturating_sub(target.filled) {
            _ if layout.screen == Screen::Narrow => format!("{} rows", grouped(target.rows)),
            0 => format!("{} rows", grouped(target.rows)),
            there => format!("{} rows, {} as before", grouped(target.rows), grouped(there)),
        };
        layout.name(svg, false, (top, filled + before), (&target.name, &rows));
        y = next;
    }
    y
}

/// Draws what went beside, and gives where it ends.
fn beside(svg: &mut Svg, layout: &Layout, (flow, ends): (&Flow, &[[f64; 4]]), bottom: f64) -> f64 {
    let mut y = bottom + 6.0;
    for (at, (class, name)) in BESIDE.into_iter().enumerate() {
        let rows: u64 = flow.sources.iter().map(|source| source.parts[at + 1]).sum();
        if rows == 0 {
            continue;
        }
        let height: f64 =
            flow.sources.iter().map(|source| layout.height(source.parts[at + 1])).sum();
        let (top, next) = layout.slot(y, height);
        let mut to = top;
        for (source, ends) in flow.sources.iter().zip(ends) {
            let rows = source.parts[at + 1];
            let height = layout.height(rows);
            if rows > 0 {
                let title = format!("{}: {} {name}", source.name, grouped(rows));
                layout.ribbon(svg, class, [(ends[at + 1], height), (to, height)], &title);
            }
            to += height;
        }
        bar(svg, layout, false, (&format!("node {class}"), top, height), name);
        layout.name(svg, false, (top, height), (name, &format!("{} rows", grouped(rows))));
        y = next;
    }
    y
}

fn said(flow: &Flow) -> String {
    let parts = flow.sources.iter().map(|source| {
        let [migrated, merged, quarantined, dropped] = source.parts.map(grouped);
        format!(
            "{}: {} rows, {migrated} migrated, {merged} merged, {quarantined} quarantined, {dropped} dropped by rule",
            source.name,
            grouped(source.rows)
        )
    });
    parts.collect::<Vec<_>>().join("; ")
}
