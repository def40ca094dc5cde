//! Every question, answered by the program from an archive and a second time from what the archive
//! shows of the fleet's stories. What is expected is worked out by the words of the definitions.

mod bursts;
mod coverage;
mod failures;
mod fleet;
mod lifetimes;
mod ports;
mod rollout;
