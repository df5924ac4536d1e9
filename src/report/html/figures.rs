//! Figures: each drawn twice, for wide and for narrow screens, as pure functions that give SVG.

mod axes;
mod bars;
mod columns;
mod flow;

use super::blocks::mark_html;
use super::escape::words;
use crate::report::sections::{Drawing, Figure, Flow, Mark};

/// The screens a figure is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Screen {
    Wide,
    Narrow,
}

impl Screen {
    /// The width of a drawing; its texts are as large as those of the page then.
    fn width(self) -> f64 {
        match self {
            Screen::Wide => 960.0,
            Screen::Narrow => 350.0,
        }
    }

    /// How many characters of a name fit beside a drawing.
    fn name(self) -> usize {
        match self {
            Screen::Wide => 26,
            Screen::Narrow => 22,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Screen::Wide => "wide",
            Screen::Narrow => "narrow",
        }
    }
}

/// A figure with its caption and its key.
pub(super) fn figure(figure: &Figure, number: usize) -> String {
    let key = match &figure.drawing {
        Drawing::Columns(it) => columns::key(it),
        Drawing::Bars(_) => bars::KEY.to_owned(),
    };
    let drawn = |screen: Screen| {
        let id = format!("f{number}{}", screen.class());
        match &figure.drawing {
            Drawing::Columns(it) => columns::draw(it, screen, &id, figure),
            Drawing::Bars(it) => bars::draw(it, screen, &id, figure),
        }
    };
    framed((&figure.title, figure.mark), &figure.said, &key, drawn)
}

/// The flow of the rows, which stands first.
pub(super) fn flow(flow: &Flow) -> String {
    let drawn = |screen: Screen| flow::draw(flow, screen, &format!("flow-{}", screen.class()));
    framed((flow::TITLE, None), flow::SAID, &flow::key(flow), drawn)
}

fn framed(
    (title, mark): (&str, Option<(Mark, &'static str)>),
    said: &str,
    key: &str,
    drawn: impl Fn(Screen) -> String,
) -> String {
    let mark = mark.map(|(mark, word)| mark_html(mark, word)).unwrap_or_default();
    let drawings: String = [Screen::Wide, Screen::Narrow]
        .into_iter()
        .map(|screen| format!("<div class=\"{}\">{}</div>\n", screen.class(), drawn(screen)))
        .collect();
    format!(
        "<figure>\n<figcaption><strong>{} {mark}</strong> <span class=\"said\">{}</span></figcaption>\n{drawings}\
         <p class=\"key\" aria-hidden=\"true\">{key}</p>\n</figure>\n",
        words(title),
        words(said)
    )
}

/// A name cut to so many characters.
fn short(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}
