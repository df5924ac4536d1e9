//! Work on a thread of its own: what is sent there is taken in its order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::error::{Error, Result};

/// How many things may wait for the thread.
const WAITING: usize = 2;

/// A thread that takes things one after another and comes to a result.
#[derive(Debug)]
pub(crate) struct Side<'scope, T, R> {
    to: SyncSender<T>,
    thread: ScopedJoinHandle<'scope, Result<R>>,
}

impl<'scope, T: Send + 'scope, R: Send + 'scope> Side<'scope, T, R> {
    /// Begins `work`, which sees everything that is sent until [`Side::end`].
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        name: &str,
        work: impl FnOnce(Receiver<T>) -> Result<R> + Send + 'scope,
    ) -> Result<Self> {
        let (to, from) = sync_channel(WAITING);
        let thread = Builder::new().name(name.to_owned()).spawn_scoped(scope, move || work(from));
        let failed = |error| Error::system("the system gives no more threads").because(error);
        Ok(Self { to, thread: thread.map_err(failed)? })
    }

    /// Sends one thing, and waits where too many wait already.
    ///
    /// # Errors
    /// The work has stopped; [`Side::end`] says why.
    pub(crate) fn send(&self, thing: T) -> Result<()> {
        self.to.send(thing).map_err(|_| Error::bug("a thread stopped before its work was done"))
    }

    /// Says that nothing more comes, and waits for the result.
    ///
    /// # Errors
    /// Why the work stopped. Its panic goes on here.
    pub(crate) fn end(self) -> Result<R> {
        drop(self.to);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_takes_things_in_order_and_says_why_it_stopped() {
        std::thread::scope(|scope| {
            let side =
                Side::begin(scope, "list", |from| Ok(from.into_iter().collect::<Vec<u32>>()));
            let side = side.unwrap();
            (0..100).for_each(|thing| side.send(thing).unwrap());
            assert_eq!(side.end().unwrap(), (0..100).collect::<Vec<u32>>());

            let work =
                |from: Receiver<u32>| from.recv().map_or(Ok(()), |_| Err(Error::system("full")));
            let side = Side::begin(scope, "fail", work).unwrap();
            while side.send(1).is_ok() {}
            assert_eq!(side.end().unwrap_err().message, "full");
        });
    }
}
