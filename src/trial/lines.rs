//! Lines that are not what the Parquet file says.

use super::edit;
use super::fault::{Changes, Fault, Told, shown};
use super::ground::Ground;
use super::rows::Planted;
use super::tokens;
use crate::error::{Error, Result};

/// A line of a target table, and the ids of its row and of the next one.
struct Line {
    file: String,
    at: usize,
    texts: [String; 2],
    ids: [String; 2],
}

fn line(ground: &Ground<'_>) -> Result<Option<Line>> {
    for target in ground.targets()?.into_iter().filter(|target| target.table.rows > 1) {
        let file = format!("data/jsonl/{}.jsonl", target.entity());
        let path = ground.bundle.path(&file);
        if !path.exists() {
            continue;
        }
        let at = ground.start(target.table.rows - 1);
        let text = |line: Vec<u8>| {
            String::from_utf8(line).map_err(|error| {
                Error::damaged("the line is no UTF-8").at(path.display()).because(error)
            })
        };
        let texts = [text(edit::line(&path, at)?)?, text(edit::line(&path, at + 1)?)?];
        let id = |at: usize| target.table.row(at).map(|row| shown(row.at(at)));
        let ids = [id(at)?, id(at + 1)?];
        return Ok(Some(Line { file, at, texts, ids }));
    }
    Ok(None)
}

impl Line {
    /// The fault of these lines in place of some.
    fn becomes(&self, lines: Vec<(usize, Vec<&str>)>) -> Fault {
        let put = |changes: Changes, (at, lines): (usize, Vec<&str>)| {
            let lines = lines.into_iter().map(|line| line.as_bytes().to_vec()).collect();
            changes.put_lines(&self.file, at, lines)
        };
        Fault {
            changes: lines.into_iter().fold(Changes::default(), put),
            place: format!("{} line {} ({})", self.file, self.at + 1, self.ids[0]),
            told: Told::Line(vec![self.ids[0].clone()]),
        }
    }
}

/// A letter of a line is another.
pub(super) fn changed(ground: &Ground<'_>) -> Planted {
    let Some(line) = line(ground)? else { return Ok(None) };
    let other = tokens::last_letter(&line.texts[0]);
    Ok(other.map(|other| line.becomes(vec![(line.at, vec![&other])])))
}

/// The time of a row is another in its line.
pub(super) fn other_time(ground: &Ground<'_>) -> Planted {
    let Some(line) = line(ground)? else { return Ok(None) };
    let text = &line.texts[0];
    let time = text.trim_end_matches('}').rfind(|c: char| !c.is_ascii_digit());
    let Some(start) = time.filter(|at| text[..=*at].ends_with("\"createdAt\":")) else {
        return Ok(None);
    };
    let other = format!("{}9{}", &text[..=start], &text[start + 1..]);
    Ok(Some(line.becomes(vec![(line.at, vec![&other])])))
}

/// Two lines stand in each other's place.
pub(super) fn swapped(ground: &Ground<'_>) -> Planted {
    let Some(line) = line(ground)? else { return Ok(None) };
    let [one, two] = &line.texts;
    Ok(Some(line.becomes(vec![(line.at, vec![two]), (line.at + 1, vec![one])])))
}

/// A line is left out.
pub(super) fn dropped(ground: &Ground<'_>) -> Planted {
    Ok(line(ground)?.map(|line| line.becomes(vec![(line.at, Vec::new())])))
}

/// A line stands there twice: the row after it then has a wrong one.
pub(super) fn doubled(ground: &Ground<'_>) -> Planted {
    let Some(line) = line(ground)? else { return Ok(None) };
    let text = line.texts[0].as_str();
    let fault = line.becomes(vec![(line.at, vec![text, text])]);
    let place = format!("{} line {} ({})", line.file, line.at + 2, line.ids[1]);
    Ok(Some(Fault { place, told: Told::Line(vec![line.ids[1].clone()]), ..fault }))
}
