//! Where snapshots come from. Knows nothing of the store.

#[cfg(feature = "sync")]
pub mod api;
#[cfg(feature = "archive")]
pub mod archive;
#[cfg(any(feature = "archive", feature = "sync"))]
mod earlier;
#[cfg(any(feature = "archive", feature = "sync"))]
mod walk;
pub mod wire;
