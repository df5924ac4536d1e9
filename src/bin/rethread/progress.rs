//! Progress on stderr: bars on a terminal, a line per finished step elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rethread::error::printable;
use rethread::progress::{Progress, Silent};

use crate::args::Args;

/// What hears the stages of this run.
pub(crate) fn for_run(args: &Args) -> Box<dyn Progress> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let hears: Box<dyn Progress> = if args.quiet || args.json {
        Box::new(Silent)
    } else if io::stderr().is_terminal() && !set("NO_COLOR") && !dumb {
        Box::new(Bars::default())
    } else {
        Box::new(Lines::default())
    };
    let stop = std::env::var_os(STOP_AT).and_then(|at| at.to_str()?.parse().ok());
    match stop {
        Some(at) => Box::new(Stopped { at, reached: AtomicU64::new(0), hears }),
        None => hears,
    }
}

/// Names a point, counted from 1, at which the program dies at once, as by `kill -9`: for tests.
const STOP_AT: &str = "RETHREAD_STOP_AT";

/// Dies at one of the points where a kill must do no harm.
struct Stopped {
    at: u64,
    reached: AtomicU64,
    hears: Box<dyn Progress>,
}

impl Progress for Stopped {
    fn begin(&self, step: &str, total: Option<u64>) {
        self.hears.begin(step, total);
    }

    fn advance(&self, units: u64) {
        self.hears.advance(units);
    }

    fn done(&self, outcome: &str) {
        self.hears.done(outcome);
    }

    fn reached(&self, _point: &str) {
        if self.reached.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            std::process::abort();
        }
    }
}

/// One plain line per finished step.
#[derive(Debug, Default)]
struct Lines {
    step: Mutex<String>,
}

impl Progress for Lines {
    fn begin(&self, step: &str, _total: Option<u64>) {
        step.clone_into(&mut self.step.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn advance(&self, _units: u64) {}

    fn done(&self, outcome: &str) {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        // Progress that nobody hears is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{}", line(&step, outcome));
    }
}

/// A bar while a step runs, then its line.
#[derive(Debug, Default)]
struct Bars {
    step: Mutex<Option<(String, ProgressBar)>>,
}

impl Bars {
    fn end(&self) -> String {
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        step.take().map_or_else(String::new, |(name, bar)| {
            bar.finish_and_clear();
            name
        })
    }
}

impl Progress for Bars {
    fn begin(&self, step: &str, total: Option<u64>) {
        self.end();
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let shape = match total {
            Some(_) => "{msg:<16} {wide_bar:.cyan/dim} {human_pos}/{human_len} {eta:>4}",
            None => "{msg:<16} {spinner:.cyan} {human_pos} {elapsed:>4}",
        };
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style);
        }
        bar.set_message(printable(step));
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some((step.to_owned(), bar));
    }

    fn advance(&self, units: u64) {
        if let Some((_, bar)) = &*self.step.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(units);
        }
    }

    fn done(&self, outcome: &str) {
        let step = self.end();
        // Progress that nobody hears is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{}", line(&step, outcome));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.end();
    }
}

fn line(step: &str, outcome: &str) -> String {
    printable(&format!("{step:<16} {outcome}"))
}
