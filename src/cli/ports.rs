//! `prochist ports`.

use std::path::Path;

use prochist::history::{PortRow, Row};
use prochist::model::{Endpoint, millis};

use super::args::PortsArgs;
use super::failure::Failure;
use super::output::{Output, gaps};
use super::{Done, history::open};

pub fn run(args: &PortsArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let question = args.about.question()?;
    let fail_on_gap = args.about.narrowed.fail_on_gap;
    let history = open(database)?;
    if args.conflicts {
        return output.answer(&history.conflicts(&question)?, &[], fail_on_gap);
    }
    if let Some(within) = args.within {
        let answer = history.too_soon(millis(within), &question)?;
        return output.answer(&answer, &[], fail_on_gap);
    }
    if let Some(endpoint) = &args.endpoint {
        let (host, port) = Endpoint::split_host_port(endpoint)
            .map_err(|e| Failure::usage(format!("--endpoint: {e}")))?;
        let answer = history.holders(&host, port, args.at, &question)?;
        return output.answer(&answer, &[], fail_on_gap);
    }
    let answer = history.ports(&question, args.by.is_some())?;
    if args.by.is_none() {
        return output.answer(&answer, &[], fail_on_gap);
    }
    let of_endpoints = ["port", "transport"];
    let fields: Vec<&str> = PortRow::FIELDS
        .iter()
        .copied()
        .filter(|field| !of_endpoints.contains(field))
        .collect();
    output.rows(&fields, &fields, &answer.rows, &answer)?;
    output.about(&answer)?;
    Ok(gaps(&answer.coverage, fail_on_gap))
}
