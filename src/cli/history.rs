//! `prochist history`, and the opening of a file to read that all questions share.

use std::path::Path;

use prochist::history::{ProcessHistory, Row, VersionRow};
use prochist::{Error, History, Store};

use super::args::HistoryArgs;
use super::failure::Failure;
use super::output::{Format, Output};
use super::{Done, human};

pub fn run(args: &HistoryArgs, database: &Path, output: &Output) -> Result<Done, Failure> {
    let history = open(database)?.process_history(&args.process_id)?;
    if output.format() == Format::Table {
        output.prose(&summary(&history))?;
    }
    output.rows(
        VersionRow::FIELDS,
        &[
            "version",
            "first_seen_at",
            "last_seen_at",
            "changed",
            "status",
            "rooms_allocated",
            "exposed_port",
        ],
        &history.answer.rows,
        &history,
    )?;
    output.about(&history.answer)?;
    Ok(Done::Whole)
}

/// Opens the file to read it; one of an older schema is upgraded first, since a recorder would do
/// the same the next time it ran.
pub fn open(database: &Path) -> Result<History, Failure> {
    match History::open(database) {
        Err(Error::OlderSchema { .. }) => {
            Store::open(database)?;
            Ok(History::open(database)?)
        }
        opened => Ok(opened?),
    }
}

fn summary(history: &ProcessHistory) -> String {
    use super::table::printable;
    let mut text = format!(
        "process {} · {}\n",
        printable(&history.process_id),
        history.outcome
    );
    if let Some(latest) = history.answer.rows.last() {
        text.push_str(&format!(
            "app {} · region {} · deployment {}\n",
            printable(&latest.app_id),
            printable(&latest.region),
            printable(&latest.deployment_id.to_string()),
        ));
    }
    let phases = &history.phases;
    let lengths: Vec<String> = [
        ("provisioning", phases.provisioning_ms),
        ("serving", phases.serving_ms),
        ("stopping", phases.stopping_ms),
        ("lifetime", phases.lifetime_ms),
        ("age when last seen", phases.age_so_far_ms),
    ]
    .into_iter()
    .filter_map(|(name, millis)| Some(format!("{name} {}", human::duration(millis?))))
    .collect();
    if !lengths.is_empty() {
        text.push_str(&format!("{}\n", lengths.join(" · ")));
    }
    for held in &history.endpoints {
        let until = held
            .held_until
            .map_or_else(|| "…".to_owned(), |until| until.to_string());
        text.push_str(&format!(
            "held {}:{}/{} from {} until {until}\n",
            printable(&held.host),
            held.port,
            printable(&held.transport),
            held.held_from
        ));
    }
    text.push('\n');
    text
}
