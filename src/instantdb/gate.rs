//! How long to wait between two tries, and the gate that all clients of a run pass.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Sleep;

/// How often a call is tried.
pub const TRIES: u32 = 6;

/// The longest wait that a server may ask for before it is an error.
pub(super) const LONGEST: Duration = Duration::from_mins(10);

/// The wait after `tried` tries: half a second, doubling up to half a minute.
pub(super) fn pause(tried: u32) -> Duration {
    let doubled = 500_u64 << tried.saturating_sub(1).min(6);
    Duration::from_millis(doubled.min(30_000))
}

/// Every request passes it; who is told to slow down holds it shut while waiting. Those who were
/// told the same meanwhile do not wait once more.
#[derive(Debug, Default)]
pub(super) struct Gate {
    waits: Mutex<u64>,
}

impl Gate {
    /// Passes, once nobody waits; gives how many waits there were.
    pub(super) fn pass(&self) -> u64 {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, unless somebody did since `seen`.
    pub(super) fn hold(&self, seen: u64, time: Duration, sleep: &Sleep) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if *waits == seen {
            sleep(time);
            *waits += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn waits_double_up_to_a_cap() {
        let waits: Vec<u128> = (1..9).map(|tried| pause(tried).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn one_wait_serves_all_who_were_told_at_the_same_time() {
        let (gate, slept) = (Gate::default(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&slept);
        let sleep: Sleep = Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let seen = [gate.pass(), gate.pass()];
        for seen in seen {
            gate.hold(seen, Duration::ZERO, &sleep);
        }
        assert_eq!(slept.load(Ordering::SeqCst), 1);
        gate.hold(gate.pass(), Duration::ZERO, &sleep);
        assert_eq!(slept.load(Ordering::SeqCst), 2);
    }
}
