//! Work on several threads: pieces side by side with results in an order of their own, and a side that
//! takes what is sent to it.

mod side;

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::Result;
pub(crate) use side::Side;

/// Does pieces of work of these sizes, the largest first, as many at a time as there are threads,
/// and gives the results in the order of the pieces.
///
/// # Errors
/// The error of the first piece, in that order, that has one.
pub(crate) fn side_by_side<T: Send>(
    threads: usize,
    sizes: &[u64],
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|piece| (Reverse(sizes[*piece]), *piece));
    let next = AtomicUsize::new(0);
    let mut done = each(threads.min(sizes.len()), &|| {
        let mut done = Vec::new();
        while let Some(piece) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*piece, work(*piece)));
        }
        done
    });
    let mut done: Vec<(usize, Result<T>)> = done.drain(..).flatten().collect();
    done.sort_by_key(|(piece, _)| *piece);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does the same on every one of so many threads, this one among them.
pub(crate) fn each<T: Send>(threads: usize, work: &(impl Fn() -> T + Sync)) -> Vec<T> {
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = vec![work()];
        for other in others {
            match other.join() {
                Ok(result) => done.push(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for threads in [0, 1, 2, 4, 100] {
            let sizes: Vec<u64> = (0..50).map(|piece| piece % 7).collect();
            let found = side_by_side(threads, &sizes, |piece| Ok(piece * 2)).unwrap();
            assert_eq!(found, (0..50).map(|piece| piece * 2).collect::<Vec<_>>());
            let failed = side_by_side(threads, &sizes, |piece| match piece {
                0..30 => Ok(()),
                _ => Err(Error::usage(piece.to_string())),
            });
            assert_eq!(failed.unwrap_err().message, "30");
        }
        assert_eq!(side_by_side(2, &[], Ok).unwrap(), Vec::<usize>::new());
    }
}
