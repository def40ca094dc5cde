//! Arguments of the commands that take care of the file.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::length;

#[derive(Debug, Args)]
#[command(
    after_help = "The copy is of one moment, while syncs and questions go on. It is made under another name,
verified as by `prochist verify`, forced to the disk, and only then gets its name, with mode
0600; an earlier backup of that name stays until then. To restore one, stop the recorder and
put it in the place of the history.

Examples:
  prochist backup /backups/history.db
  prochist backup \"/backups/history-$(date +%F).db\""
)]
pub struct BackupArgs {
    /// Where the copy goes; a backup that is there is replaced
    #[arg(value_name = "PATH")]
    pub to: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Reads all of the file: SQLite's own structure, references between rows, each process's
versions, sightings and holds against their rules, and what is kept beside the rows. Changes
nothing. Ends with exit code 1 if anything is broken; `prochist rebuild` mends what is kept
beside the rows, a backup the rest.

Examples:
  prochist verify
  prochist verify --db /backups/history.db --format json"
)]
pub struct VerifyArgs {}

#[derive(Debug, Args)]
#[command(
    after_help = "Removes whole processes, with all their versions: those that had ended, or were lost, and were
last seen so long ago. Those that are not known to have ended stay. The ledger stays, too, and
every answer about the time that they lived in says how many were removed. The file shrinks.
It cannot be undone: take a backup first.

Examples:
  prochist prune --older-than 400d --dry-run      what would go
  prochist backup /backups/history.db && prochist prune --older-than 400d"
)]
pub struct PruneArgs {
    /// How long ago they ended and were last seen
    #[arg(long, value_name = "LENGTH", value_parser = length, allow_hyphen_values = true)]
    pub older_than: Duration,
    /// Only tell what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Two collectors' histories become one, by the rules of an import: answers are those of a
history that was told everything itself, whatever is merged first. What is on record already
is left as it is, so a history that has grown may be merged again. OTHER is only read, though
one of an older schema is upgraded first. All of it is merged, or nothing.

Examples:
  prochist merge tokyo.db
  prochist merge --db fleet.db tokyo.db"
)]
pub struct MergeArgs {
    /// The history to take in
    #[arg(value_name = "OTHER")]
    pub other: PathBuf,
}
