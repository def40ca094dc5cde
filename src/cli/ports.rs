//! `prochist ports`.

use std::path::Path;

use prochist::model::Endpoint;

use super::args::PortsArgs;
use super::failure::Failure;
use super::output::{Output, gaps};
use super::{Done, history::open};

pub fn run(args: &PortsArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.about.question()?;
    let fail_on_gap = args.about.narrowed.fail_on_gap;
    let Some(endpoint) = &args.endpoint else {
        let answer = open(database)?.ports(&question, args.by.is_some())?;
        if args.by.is_none() {
            return output.answer(&answer, &[], fail_on_gap);
        }
        let fields = [
            "host",
            "holds",
            "reuses",
            "overlaps",
            "min_gap_ms",
            "median_gap_ms",
        ];
        output.rows(&fields, &fields, &answer.rows, &answer)?;
        output.about(&answer)?;
        return Ok(gaps(&answer.coverage, fail_on_gap));
    };
    let (host, port) = Endpoint::split_host_port(endpoint)
        .map_err(|e| Failure::usage(format!("--endpoint: {e}")))?;
    let answer = open(database)?.holders(&host, port, args.at, &question)?;
    output.answer(&answer, &[], fail_on_gap)
}
