//! `prochist demo`: a simulated day, recorded over real HTTP, and a tour of the answers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use prochist::history::FailureRow;
use prochist::model::UtcMillis;
use prochist::simulator::{Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use prochist::source::api::{Client, Options, Token};
use prochist::sync::{Job, Limits, Stop};
use prochist::{Error, Group, History, Question, Store};

use super::args::DemoArgs;
use super::clock::now;
use super::failure::Failure;
use super::failures::comparison;
use super::import::progress_bar;
use super::lifetimes::shapes;
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
    let until = now().start_of_hour();
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
        Err(Error::NotFound { .. } | Error::Empty { .. }) => return Ok(()),
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
    output.prose(&format!(
        "Recorded {} of {} in {:.1} s: {} in {}, from {} looks of {} HTTP requests.\n",
        human::count(recording.hours, "simulated hour", "simulated hours"),
        recording.app_id,
        recording.seconds,
        human::count(status.processes, "process", "processes"),
        human::count(status.versions, "version", "versions"),
        recording.looks,
        recording.requests,
    ))?;

    output.prose(
        "\nHow long do they live? (percentiles of those that ended; survival counts the open ones \
         too)\n\n",
    )?;
    let lifetimes = history.lifetimes(&everything)?;
    output.table_drawn(&lifetimes.rows, &everything, shapes(&lifetimes.rows))?;

    output.prose("\nDid failures rise with a deployment?\n\n")?;
    let by_deployment = everything.clone().by([Group::Deployment]);
    let failures = history.failures(&by_deployment)?;
    output.table_drawn(&failures.rows, &by_deployment, None)?;
    worst(history, &everything, &failures.rows, recording, output)?;
    holders(history, &everything, output)?;
    let gaps = history.coverage(&everything)?.answer.rows;
    output.prose(&match gaps.len() {
        0 => "\nWhat may be missing: nothing; no list was too short to show all that was new.\n"
            .to_owned(),
        n => format!(
            "\nWhat may be missing: {} in which more than ten processes were created between two \
             looks.\n",
            human::count(n as u64, "gap", "gaps")
        ),
    })
}

/// The deployment that failed most, beside the one before it.
fn worst(
    history: &History,
    everything: &Question,
    rows: &[FailureRow],
    recording: &Recording,
    output: &Output,
) -> Result<(), Failure> {
    let low = |row: &FailureRow| row.rate_low.unwrap_or_default();
    let ids = || rows.iter().filter_map(|row| row.key.deployment_id.as_ref());
    let worst = rows.iter().max_by(|a, b| low(a).total_cmp(&low(b)));
    let Some(worst) = worst.and_then(|row| row.key.deployment_id.as_ref()) else {
        return Ok(());
    };
    let Some(before) = ids().take_while(|id| *id != worst).last() else {
        return Ok(());
    };
    let (before, worst) = (before.to_string(), worst.to_string());
    output.prose(&format!(
        "\nWas that chance? (failures --compare {before}..{worst}; the simulator made {} the bad one)\n\n",
        recording.bad_deployment
    ))?;
    let compared = history.compare_failures(&before, &worst, everything)?;
    comparison(&compared, output)
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
    output.prose(&format!(
        "\nWho held {}:{port}, and how soon did the next one get it? (the last {} of {})\n\n",
        busiest.host,
        last.len(),
        holders.len(),
    ))?;
    let fields = [
        "process_id",
        "transport",
        "held_from",
        "held_until",
        "gap_ms",
        "outcome",
    ];
    output.table(&fields, last)
}

fn next_commands(database: &Path) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "prochist".to_owned());
    let database = database.display();
    let commands = [
        "rollout --by region",
        "failures --bursts --by deployment",
        "ports --within 60s",
        "lifetimes --longer-than 2h",
        "concurrency --by hour",
        "usage --by region",
        "at 6h --by deployment",
        "sql 'SELECT outcome, count(*) FROM processes GROUP BY outcome'",
    ];
    let commands = commands.map(|command| format!("  {program} --db {database} {command}\n"));
    format!(
        "\nThe history is in {database}. Try next:\n\n{}",
        commands.concat()
    )
}
