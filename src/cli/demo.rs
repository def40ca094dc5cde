//! `prochist demo`: a simulated day, recorded over real HTTP, and a tour of the answers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use prochist::history::{FailureRow, LifetimeRow, Row, wilson_95};
use prochist::model::{Deployment, UtcMillis};
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use prochist::source::api::{Client, Options, Token};
use prochist::sync::{Job, Limits, Stop};
use prochist::{Error, Group, History, Question, Store};

use super::args::DemoArgs;
use super::clock::now;
use super::failure::Failure;
use super::import::progress_bar;
use super::output::{Format, Output};
use super::sync::{api, runtime};
use super::{Done, human};

const HOUR_MS: i64 = 3_600_000;
/// Simulated time between two looks.
const INTERVAL_MS: i64 = 60_000;
/// Processes running at once: few enough that ten rows a minute show nearly all that is new.
const CONCURRENT: usize = 40;
/// How many holders of a port are shown.
const HOLDERS_SHOWN: usize = 6;

pub fn run(args: &DemoArgs, database: Option<&Path>, output: &Output) -> Result<Done, Failure> {
    if output.format() != Format::Table {
        return Err(
            Failure::usage("the demo tells its tour in words and tables only")
                .hint("ask the file that it leaves behind in any format"),
        );
    }
    let database = database.map_or_else(|| PathBuf::from("prochist-demo.db"), Path::to_owned);
    clear(&database)?;
    let until = start_of_hour(now());
    let day = Day {
        since: until.plus_millis(-args.hours * HOUR_MS),
        until,
        seed: args.seed,
    };
    let recorded = day.record(&database)?;
    tour(&History::open(&database)?, &recorded, output)?;
    output.text(&next_commands(&database))?;
    Ok(Done::Whole)
}

/// Takes the database of an earlier demo away, and nothing else.
fn clear(database: &Path) -> Result<(), Failure> {
    let history = match History::open(database) {
        Ok(history) => history,
        Err(Error::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !history.sources()?.iter().all(|source| is_demo(source)) {
        return Err(
            Failure::new(format!("{database:?} holds a history that is not a demo's"))
                .hint("name another file with --db PATH"),
        );
    }
    drop(history);
    for suffix in ["", "-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::new(format!("could not replace {path:?}: {e}")));
            }
            _ => {}
        }
    }
    say!("replacing the database of an earlier demo");
    Ok(())
}

fn is_demo(source: &str) -> bool {
    source.starts_with("demo ")
}

struct Day {
    since: UtcMillis,
    until: UtcMillis,
    seed: u64,
}

/// What recording the day took.
struct Recording {
    app_id: String,
    bad_deployment: i64,
    hours: u64,
    looks: u64,
    requests: u64,
    seconds: f64,
}

impl Day {
    /// Looks at a simulated fleet every simulated minute of the day.
    fn record(&self, database: &Path) -> Result<Recording, Failure> {
        let began = Instant::now();
        let clock = ManualClock::new(self.since);
        let fleet = Fleet::new(FleetConfig::new(self.seed, CONCURRENT, self.since));
        let bad_deployment = fleet.bad_deployment();
        let token = super::simulate::token(self.seed);
        let server = Server::start(
            ServerConfig::local(token.clone()),
            Arc::new(Mutex::new(fleet)),
            clock.clock(),
        )
        .map_err(|e| Failure::caused(&e))?;
        let token = Token::new(token).map_err(|e| Failure::caused(&e))?;
        let client = Client::new(&server.base_url(), token, Options::default()).map_err(api)?;
        let app_id = server.app_id().to_owned();
        let job = Job {
            api: &format!("demo {}", self.seed),
            apps: std::slice::from_ref(&app_id),
            limits: Limits::default(),
        };
        let mut store = Store::open(database)?;
        store.force_commits(false)?; // a simulated day can be simulated again
        let runtime = runtime()?;

        let looks = (self.until.millis_since(self.since) / INTERVAL_MS).cast_unsigned();
        let bar = progress_bar(
            Some(looks),
            "{msg} {wide_bar} {pos}/{len} simulated minutes {eta}",
        );
        bar.set_message("recording a simulated fleet over HTTP");
        for _ in 0..looks {
            let time = clock.advance_millis(INTERVAL_MS);
            let ran = prochist::sync::run(&mut store, &client, &job, Stop::never(), || time);
            let ran = runtime.block_on(ran)?;
            if let Some(error) = ran.apps.into_iter().find_map(|app| app.error) {
                return Err(Failure::caused(&error));
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Recording {
            app_id,
            bad_deployment,
            hours: (self.until.millis_since(self.since) / HOUR_MS).cast_unsigned(),
            looks,
            requests: server.requests(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

fn tour(history: &History, recording: &Recording, output: &Output) -> Result<(), Failure> {
    let everything = Question::default().app(&recording.app_id);
    let status = history.status()?;
    let Some(status) = status.rows.first() else {
        return Err(Failure::new("the demo recorded nothing"));
    };
    output.text(&format!(
        "Recorded {} of {} in {:.1} s: {} in {}, from {} looks of {} HTTP requests.\n",
        human::count(recording.hours, "simulated hour", "simulated hours"),
        recording.app_id,
        recording.seconds,
        human::count(status.processes, "process", "processes"),
        human::count(status.versions, "version", "versions"),
        recording.looks,
        recording.requests,
    ))?;

    output.text("\nHow long do they live? (percentiles of those that ended; survival counts the open ones too)\n\n")?;
    let lifetimes = history.lifetimes(&everything)?;
    output.table(LifetimeRow::FIELDS, &lifetimes.rows)?;

    output.text("\nDid failures rise with a deployment?\n\n")?;
    let failures = history.failures(&everything.clone().by([Group::Deployment]))?;
    let fields: Vec<&str> = ["deployment_id"]
        .iter()
        .chain(FailureRow::FIELDS)
        .copied()
        .collect();
    output.table(&fields, &failures.rows)?;
    output.text(&verdict(&failures.rows, recording))?;
    holders(history, &everything, output)?;
    let gaps = history.coverage(&everything)?.answer.rows;
    output.text(&match gaps.len() {
        0 => "\nWhat may be missing: nothing; no list was too short to show all that was new.\n"
            .to_owned(),
        n => format!(
            "\nWhat may be missing: {} in which more than ten processes were created between two \
             looks.\n",
            human::count(n as u64, "gap", "gaps")
        ),
    })
}

/// Whether one deployment's failure rate lies, with its interval, above that of all others.
fn verdict(rows: &[FailureRow], recording: &Recording) -> String {
    let bad = Deployment::Number(recording.bad_deployment);
    let is_bad = |row: &&FailureRow| row.key.deployment_id.as_ref() == Some(&bad);
    let worst = rows
        .iter()
        .max_by(|a, b| low(a).total_cmp(&low(b)))
        .filter(|worst| {
            let others = rows.iter().filter(|row| row.key != worst.key);
            let (failed, ended) = others.fold((0, 0), |(failed, ended), row| {
                (failed + row.failed, ended + row.ended)
            });
            wilson_95(failed, ended).is_some_and(|others| low(worst) > others.high)
        });
    let made = if rows.iter().any(|row| is_bad(&row) && row.ended > 0) {
        format!("The simulator made {bad} the bad one.")
    } else {
        format!("The simulator's bad one, {bad}, comes later than this.")
    };
    match worst {
        Some(worst) => format!(
            "\nDeployment {} stands out: with 95% confidence at least {} of its processes fail, \
             more than of all others together. {made}\n",
            worst.key.deployment_id.as_ref().unwrap_or(&bad),
            human::percent(low(worst)),
        ),
        None => format!("\nNone stands out from the others. {made}\n"),
    }
}

fn low(row: &FailureRow) -> f64 {
    row.rate_low.unwrap_or_default()
}

/// The port that most processes held, and who they were.
fn holders(history: &History, everything: &Question, output: &Output) -> Result<(), Failure> {
    let ports = history.ports(everything, false)?;
    let Some(busiest) = ports.rows.iter().max_by_key(|row| row.holds) else {
        return Ok(());
    };
    let port = busiest.port.unwrap_or_default();
    let holders = history.holders(&busiest.host, port, None, everything)?.rows;
    let last = &holders[holders.len().saturating_sub(HOLDERS_SHOWN)..];
    output.text(&format!(
        "\nWho held {}:{port}, and how soon did the next one get it? (the last {} of {})\n\n",
        busiest.host,
        last.len(),
        holders.len(),
    ))?;
    let fields = ["process_id", "held_from", "held_until", "gap_ms", "outcome"];
    output.table(&fields, last)
}

fn next_commands(database: &Path) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "prochist".to_owned());
    let database = database.display();
    format!(
        "\nThe history is in {database}. Try next:\n\n\
         \x20 {program} --db {database} lifetimes --by region\n\
         \x20 {program} --db {database} at 6h\n\
         \x20 {program} --db {database} sql 'SELECT outcome, count(*) FROM processes GROUP BY outcome'\n"
    )
}

fn start_of_hour(time: UtcMillis) -> UtcMillis {
    time.plus_millis(-time.millis().rem_euclid(HOUR_MS))
}
