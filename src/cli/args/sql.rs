//! The arguments of `prochist sql`.

use std::time::Duration;

use clap::Args;
use prochist::history::{SqlParam, parse_param};

use super::length;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prochist sql 'SELECT region, count(*) FROM processes GROUP BY region'
  prochist sql 'SELECT * FROM port_holds WHERE host = :host AND port = :port' \\
    --param host=1.proxy.example --param port=31234
  prochist sql --format csv - < question.sql
  prochist sql --schema                           every view, column by column
  prochist sql --schema processes gaps            only these

A value of --param that reads as a number in full is one, null is none, and all else is text, as is
what stands in single quotes: --param \"deployment='42'\".")]
pub struct SqlArgs {
    /// The query, or - to read it from standard input
    #[arg(value_name = "QUERY", default_value = "-", allow_hyphen_values = true)]
    pub query: String,
    /// Stop after this long, not counting how long the output's reader takes
    #[arg(long, value_name = "LENGTH", value_parser = length, default_value = "10s",
          allow_hyphen_values = true)]
    pub timeout: Duration,
    /// Stop after so many rows; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_rows: u64,
    /// Fail rather than take more memory, in MiB: what is sorted is held in memory, and never in a file
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub max_memory: u32,
    /// Give a parameter its value: NAME is that of :NAME, @NAME or $NAME, and 1 that of ?1 (may be
    /// given again)
    #[arg(long, value_name = "NAME=VALUE", value_parser = param)]
    pub param: Vec<(String, SqlParam)>,
    /// Instead of asking, show the views, or those named, and what their columns mean
    #[arg(long, value_name = "VIEW", num_args = 0.., conflicts_with_all = ["query", "param"])]
    pub schema: Option<Vec<String>>,
}

/// A parameter of an SQL statement and its value.
fn param(text: &str) -> Result<(String, SqlParam), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), parse_param(value))),
        _ => Err("give a name and a value, such as region=Tokyo".to_owned()),
    }
}
