//! An archive shows every process there was, and how each one ended.

use std::collections::HashMap;
use std::time::Duration;

use prochist::model::Process;
use prochist::simulator::{FleetConfig, write_archive};
use serde::Deserialize;

use crate::{HOUR_MS, MINUTE_MS, lived, start};

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "observedAt")]
    observed_at: prochist::model::UtcMillis,
    processes: Vec<Process>,
}

#[test]
fn an_archive_shows_every_process_and_its_final_state() {
    let hours = 6;
    let truth = lived(21, 30, hours);
    let (mut written, mut reports) = (Vec::new(), 0);
    let summary = write_archive(
        FleetConfig::new(21, 30, start()),
        Duration::from_secs(3600 * 6),
        Duration::from_secs(300),
        &mut written,
        |progress| {
            reports += 1;
            assert_eq!(progress.snapshots_in_all, 73);
        },
    )
    .expect("memory takes it");

    let text = String::from_utf8(written).expect("JSON is UTF-8");
    let mut last: HashMap<String, Process> = HashMap::new();
    let (mut snapshots, mut observations) = (0, 0);
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).expect("a snapshot");
        let expected = start().plus_millis(snapshots * 5 * MINUTE_MS);
        assert_eq!(line.observed_at, expected);
        snapshots += 1;
        observations += line.processes.len() as u64;
        last.extend(
            line.processes
                .into_iter()
                .map(|p| (p.process_id.clone(), p)),
        );
    }
    assert_eq!((snapshots, reports), (73, 73));
    assert_eq!(summary.snapshots, 73);
    assert_eq!(summary.observations, observations);
    assert_eq!(summary.processes, last.len() as u64);

    let end = start().plus_millis(hours * HOUR_MS);
    let since = start().plus_millis(-5 * MINUTE_MS);
    let mut expected = 0;
    for story in truth.truth().iter().filter(|s| s.terminated_at > since) {
        expected += 1;
        let shown = last.get(&story.process_id).expect("shown at least once");
        assert_eq!(Some(shown), story.at(end).as_ref(), "as it is at the end");
    }
    assert_eq!(expected, last.len());
}
