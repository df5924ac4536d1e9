//! The last fence: a panic is a bug of this program, and is told as one.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use rethread::error::{Error, Result};

/// Runs the work; a panic becomes an error that says where, and nothing else.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let place = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&place);
    // The message of a panic may hold a piece of the data; its place does not.
    panic::set_hook(Box::new(move |panic| {
        if let Ok(mut seen) = seen.lock() {
            *seen = panic.location().map(ToString::to_string);
        }
    }));
    let ended = panic::catch_unwind(AssertUnwindSafe(work));
    drop(panic::take_hook());
    ended.unwrap_or_else(|_| {
        let place = place.lock().ok().and_then(|mut place| place.take());
        Err(Error::bug("rethread stopped at a mistake of its own")
            .at(place.unwrap_or_else(|| "an unknown place".to_owned()))
            .help(
                "nothing was left half-written; please report it with the command and this place",
            ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_exit_code_70_and_tells_no_data() {
        let error = guarded::<()>(|| panic!("the message says: secret")).expect_err("it panics");
        assert_eq!(error.kind.exit_code(), 70);
        let said = crate::render::as_text(&error);
        assert!(said.contains("guard.rs:") && !said.contains("secret"), "{said}");
    }
}
