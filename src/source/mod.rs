//! Where snapshots come from. Knows nothing of the store.

pub mod wire;
