//! How long until prochist does anything at all, and how large is it?

use std::error::Error;
use std::path::Path;

use super::bench::Bench;
use super::child;
use super::data::size;
use super::report::{Row, Series, Unit};

/// How often a round starts it.
const TIMES: usize = 50;

/// `prochist --version`, and the size of the binary.
pub fn measure(bench: &Bench) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut medians_ms = Series::default();
    for _ in 0..bench.rounds {
        let mut walls_ms = Series::default();
        for _ in 0..TIMES {
            let mut command = bench.prochist(Path::new("none.db"));
            walls_ms.push(child::wall_ms(command.arg("--version"))?);
        }
        medians_ms.push(walls_ms.median());
    }
    let megabytes = size(&bench.binary)? as f64 / 1e6;
    Ok(vec![
        Row::number("prochist --version", Unit::Millis, medians_ms).below(5.0),
        Row::number("size of the binary", Unit::Megabytes, megabytes.into()).below(15.0),
    ])
}
