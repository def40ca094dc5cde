//! How much is tried, and how it is told.

use std::sync::Mutex;

/// Whether the long versions were asked for.
pub fn is_long() -> bool {
    std::env::var_os("PROCHIST_RELIABILITY").is_some_and(|value| value == "long")
}

/// How often to try: a short run's number or a long one's.
pub fn times(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// The row of docs/reliability.md that a test is. It is printed once all of it held, so that there is
/// nothing else to say of what was lost.
pub fn row(fault: &str, how: &str, tried: &str, lost: &str, test: &str) {
    println!("| {fault} | {how} | {tried} | {lost} | `{test}` |");
}

/// Does all jobs, two at a time.
pub fn each<T: Send>(jobs: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    let jobs = Mutex::new(jobs.into_iter().collect::<Vec<_>>().into_iter());
    let next = || jobs.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(job) = next() {
                    work(job);
                }
            });
        }
    });
}
