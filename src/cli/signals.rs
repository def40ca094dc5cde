//! Waits for somebody to end the program: Ctrl-C, or the signal to terminate.

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

fn cannot_wait(error: io::Error) -> Failure {
    Failure::new(format!("could not wait for a signal: {error}"))
}
