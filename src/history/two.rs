//! The same done with many things, on two threads.

use std::sync::Mutex;

/// Does the same with each of several things, two at a time, and keeps their order.
pub(super) fn in_two<T: Send, R: Send>(things: Vec<T>, what: impl Fn(T) -> R + Sync) -> Vec<R> {
    let waiting = Mutex::new(things.into_iter().enumerate());
    let work = || {
        let mut done = Vec::new();
        loop {
            // Whoever panicked while it had the lock had not begun yet.
            let next = waiting
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .next();
            match next {
                Some((number, thing)) => done.push((number, what(thing))),
                None => return done,
            }
        }
    };
    let mut done = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut done = work();
        done.extend(
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        );
        done
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
