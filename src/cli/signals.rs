//! Waits for somebody to end the program: Ctrl-C, or the signal to terminate; and outlives the one by which
//! a limit on file sizes would end it without a word.

use std::io;

use tokio::runtime::Runtime;

use super::failure::Failure;

pub struct Ended {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Ended {
    /// From here on a signal is waited for and no longer kills.
    #[cfg(unix)]
    pub fn watch(runtime: &Runtime) -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(cannot_wait)?,
            terminate: signal(SignalKind::terminate()).map_err(cannot_wait)?,
        })
    }

    /// Returns once a signal came, also one that came before.
    #[cfg(unix)]
    pub async fn told(&mut self) -> Result<(), Failure> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn watch(_: &Runtime) -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub async fn told(&mut self) -> Result<(), Failure> {
        tokio::signal::ctrl_c().await.map_err(cannot_wait)
    }
}

/// From here on a file that may not grow any more is an error like any other. The signal's handler stays
/// when the runtime has gone; where it cannot be had, all is as it was.
#[cfg(unix)]
pub fn outlive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    /// SIGXFSZ, by its number on nearly every system; no other signal that ends a program has it.
    const FILE_SIZE: i32 = 25;
    if let Ok(runtime) = super::sync::runtime() {
        let _inside = runtime.enter();
        let _ = signal(SignalKind::from_raw(FILE_SIZE));
    }
}

#[cfg(not(unix))]
pub fn outlive_file_limits() {}

fn cannot_wait(error: io::Error) -> Failure {
    Failure::new(format!("could not wait for a signal: {error}"))
}
