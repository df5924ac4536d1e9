//! Rows on their way from a source to the files of a snapshot, over several threads.
//!
//! The thread that reads the source cuts its rows into blocks and numbers them. Typing a block, and
//! writing the next typed one, are tasks that any thread takes, the reading one too when as much is
//! on its way as may be. Blocks are written in their order, so the files do not depend on who did
//! what when; and of several failures the one of the earliest block is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::block::{Block, Blocks};
use super::layout::Layout;
use super::tables::{Tables, Typed, Typing};
use crate::error::{Error, Result};
use crate::source::{Row, Visit};

/// What may be used at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Threads, the caller's among them.
    pub(super) threads: usize,
    /// Bytes of text that are read and not written.
    pub(super) bytes: usize,
}

/// The way of one source's rows.
pub(super) struct Flow<'l> {
    layout: &'l Layout,
    bounds: Bounds,
    state: Mutex<State>,
    changed: Condvar,
    tables: Mutex<Tables<'l>>,
}

#[derive(Default)]
struct State {
    /// Blocks to be typed, in their order.
    blocks: VecDeque<(u64, Block)>,
    /// How many blocks there were.
    count: u64,
    /// How many are being typed.
    typing: usize,
    /// Typed blocks and their bytes of text.
    typed: BTreeMap<u64, (Typed, usize)>,
    /// The next block to be written.
    next: u64,
    /// Whether a block is being written.
    writing: bool,
    /// Bytes of text on their way.
    bytes: usize,
    /// Buffers to be used again.
    spare: Vec<Block>,
    /// The failure of the earliest block.
    failed: Option<(u64, Error)>,
    phase: Phase,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// More blocks may come.
    #[default]
    Open,
    /// All blocks are there.
    Closed,
    /// The source failed: the blocks that are there are typed, for what is wrong in them.
    Unwritten,
    /// A thread panicked.
    Abandoned,
}

enum Task {
    Type(u64, Block),
    Write(u64, Typed, usize),
}

impl State {
    /// The next thing to do. Writing comes first: it frees memory.
    fn task(&mut self) -> Option<Task> {
        if self.failed.is_some() {
            return None;
        }
        if !self.writing
            && self.phase != Phase::Unwritten
            && let Some((typed, bytes)) = self.typed.remove(&self.next)
        {
            self.writing = true;
            return Some(Task::Write(self.next, typed, bytes));
        }
        let (at, block) = self.blocks.pop_front()?;
        self.typing += 1;
        Some(Task::Type(at, block))
    }

    /// Whether nothing is left to do.
    fn is_done(&self) -> bool {
        let idle = self.typing == 0 && !self.writing;
        match self.phase {
            Phase::Abandoned => true,
            Phase::Open => false,
            _ if self.failed.is_some() => idle,
            Phase::Closed => idle && self.blocks.is_empty() && self.typed.is_empty(),
            Phase::Unwritten => idle && self.blocks.is_empty(),
        }
    }

    /// Notes a failure. Every block before it was begun, and its failure would be told instead.
    fn fail(&mut self, at: u64, error: Error) {
        if self.failed.as_ref().is_none_or(|(first, _)| at < *first) {
            self.failed = Some((at, error));
        }
        self.blocks.clear();
        self.typed.clear();
    }
}

impl<'l> Flow<'l> {
    pub(super) fn new(layout: &'l Layout, tables: Tables<'l>, bounds: Bounds) -> Self {
        Self {
            layout,
            bounds,
            state: Mutex::default(),
            changed: Condvar::new(),
            tables: Mutex::new(tables),
        }
    }

    /// Lets `read` push a source's rows, and types and writes them. When `read` fails, the rows
    /// before are still looked at: [`Flow::finish`] tells of the first that is none.
    pub(super) fn run<T>(&mut self, read: impl FnOnce(&mut Visit<'_>) -> Result<T>) -> Result<T> {
        let flow = &*self;
        thread::scope(|scope| {
            let _alarm = Alarm(flow);
            for _ in 1..flow.bounds.threads {
                let help = || flow.work(&mut Typing::new(flow.layout));
                let thread = thread::Builder::new().name("export".to_owned());
                if thread.spawn_scoped(scope, help).is_err() {
                    // The others do its work.
                    break;
                }
            }
            let mut intake =
                Intake { flow, blocks: Blocks::new(flow.layout), typing: Typing::new(flow.layout) };
            let read = read(&mut |row| intake.push(&row));
            // What was pushed before a failure of the source is looked at.
            let pushed = intake.submit();
            let sound = read.is_ok() && pushed.is_ok();
            flow.enter(if sound { Phase::Closed } else { Phase::Unwritten });
            flow.work(&mut intake.typing);
            read
        })
    }

    /// The files as they are written.
    ///
    /// # Errors
    /// That of the first row that is none, or of a disk that failed.
    pub(super) fn finish(self) -> Result<Tables<'l>> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failed {
            Some((_, error)) => Err(error),
            None => Ok(self.tables.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        if state.phase != Phase::Abandoned {
            state.phase = phase;
        }
        self.changed.notify_all();
    }

    /// Takes tasks until none is left.
    fn work(&self, typing: &mut Typing<'l>) {
        let _alarm = Alarm(self);
        let mut state = self.lock();
        while !state.is_done() {
            state = match state.task() {
                Some(task) => {
                    drop(state);
                    self.act(task, typing);
                    self.lock()
                }
                None => self.wait(state),
            };
        }
    }

    fn act(&self, task: Task, typing: &mut Typing<'l>) {
        match task {
            Task::Type(at, mut block) => {
                let typed = typing.block(&block);
                let bytes = block.bytes();
                block.clear();
                let mut state = self.lock();
                state.typing -= 1;
                state.spare.push(block);
                match typed {
                    Ok(typed) => drop(state.typed.insert(at, (typed, bytes))),
                    Err(error) => state.fail(at, error),
                }
            }
            Task::Write(at, typed, bytes) => {
                let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
                let written = tables.write(typed);
                drop(tables);
                let mut state = self.lock();
                state.writing = false;
                state.next = at + 1;
                state.bytes -= bytes;
                if let Err(error) = written {
                    state.fail(at, error);
                }
            }
        }
        self.changed.notify_all();
    }
}

/// The side of the thread that reads the source.
struct Intake<'f, 'l> {
    flow: &'f Flow<'l>,
    blocks: Blocks<'l>,
    typing: Typing<'l>,
}

impl Intake<'_, '_> {
    fn push(&mut self, row: &Row<'_>) -> Result<()> {
        if self.blocks.push(row) { self.submit() } else { Ok(()) }
    }

    /// Puts the open block on its way once there is room, and helps until there is.
    ///
    /// # Errors
    /// A block failed: no more rows are wanted. [`Flow::finish`] tells why.
    fn submit(&mut self) -> Result<()> {
        let mut state = self.flow.lock();
        let spare = state.spare.pop().unwrap_or_default();
        let block = self.blocks.take(spare);
        if block.is_empty() {
            return Ok(());
        }
        let mut waiting = Some(block);
        loop {
            if state.failed.is_some() || state.phase == Phase::Abandoned {
                return Err(Error::bug("rows were pushed after a failure"));
            }
            let room = self.flow.bounds.bytes.saturating_sub(state.bytes);
            let fits = |block: &mut Block| state.bytes == 0 || block.bytes() <= room;
            if let Some(block) = waiting.take_if(fits) {
                state.bytes += block.bytes();
                let at = state.count;
                state.blocks.push_back((at, block));
                state.count += 1;
                self.flow.changed.notify_one();
            }
            let alone = self.flow.bounds.threads == 1;
            if waiting.is_none() && !alone {
                return Ok(());
            }
            state = match state.task() {
                Some(task) => {
                    drop(state);
                    self.flow.act(task, &mut self.typing);
                    self.flow.lock()
                }
                None if waiting.is_none() => return Ok(()),
                None => self.flow.wait(state),
            };
        }
    }
}

/// Wakes the other threads when this one panics, so that none waits for it.
struct Alarm<'f, 'l>(&'f Flow<'l>);

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.enter(Phase::Abandoned);
        }
    }
}

#[cfg(test)]
mod tests;
