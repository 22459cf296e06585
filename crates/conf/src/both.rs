//! Two things at the same time: large files have a lot to look at, and machines have two cores.

use std::{panic::resume_unwind, thread};

/// Runs `aside` in a thread of its own while `here` runs, or before it where no thread can be had.
pub(crate) fn both<A, B: Send>(here: impl FnOnce() -> A, aside: impl Fn() -> B + Sync) -> (A, B) {
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, &aside) {
        Ok(thread) => {
            let here = here();
            (here, thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
        }
        Err(_) => {
            let aside = aside();
            (here(), aside)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_results_come_back_and_a_panic_is_passed_on() {
        assert_eq!(both(|| 1, || 2), (1, 2));
        assert!(
            std::panic::catch_unwind(|| both(|| 1, || resume_unwind(Box::new("aside")))).is_err()
        );
    }
}
