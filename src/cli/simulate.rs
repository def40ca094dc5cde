//! `prochist simulate`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prochist::simulator::{
    Clock, Faults, Fleet, FleetConfig, ServeError, Server, ServerConfig, write_archive,
};
use serde_json::json;

use super::args::SimulateArgs;
use super::clock::now;
use super::failure::Failure;
use super::output::Output;
use super::signals::Ended;
use super::{Done, human};

pub fn run(args: &SimulateArgs, _: &Output) -> Result<Done, Failure> {
    if args.concurrent == 0 || args.concurrent > 1_000_000 {
        return Err(Failure::usage(
            "--concurrent takes a number from 1 to 1000000",
        ));
    }
    match &args.archive {
        Some(path) => archive(args, path),
        None => serve(args),
    }
}

fn serve(args: &SimulateArgs) -> Result<Done, Failure> {
    if !(args.speed > 0.0 && args.speed <= 1e6) {
        return Err(Failure::usage(
            "--speed takes a factor above 0 and up to 1000000",
        ));
    }
    let (start, began, speed) = (now(), Instant::now(), args.speed);
    let clock: Clock = Arc::new(move || {
        start.plus_millis((began.elapsed().as_secs_f64() * speed * 1000.0) as i64)
    });
    let fleet = Fleet::new(FleetConfig::new(args.seed, args.concurrent, start));
    let config = ServerConfig {
        listen: args.listen,
        allow_remote: args.allow_remote,
        token: token(args.seed),
        faults: args.faults,
        fault_seed: args.seed,
    };
    let server = Server::start(config, Arc::new(Mutex::new(fleet)), clock).map_err(|e| {
        let failure = Failure::caused(&e);
        match e {
            ServeError::NotLoopback(_) => failure
                .into_usage()
                .hint("give --allow-remote to serve other machines"),
            _ => failure,
        }
    })?;
    let runtime = super::sync::runtime()?;
    let mut ended = Ended::watch(&runtime)?; // before anyone is told that there is something to end
    let mut out = io::stdout();
    writeln!(
        out,
        "{}",
        json!({
            "base_url": server.base_url(),
            "app_id": server.app_id(),
            "token": server.token(),
        })
    )?;
    out.flush()?;
    let faults = if args.faults == Faults::default() {
        String::new()
    } else {
        format!(" with faults {}", args.faults)
    };
    say!(
        "serving {} simulated processes at {}{faults}; stop with Ctrl-C",
        args.concurrent,
        server.base_url()
    );
    runtime.block_on(ended.told())?;
    Ok(Done::Whole)
}

/// The token of a simulated API: no secret, so that a seed gives the same one.
pub fn token(seed: u64) -> String {
    format!("simulated-{seed}")
}

fn archive(args: &SimulateArgs, path: &Path) -> Result<Done, Failure> {
    if !(args.hours > 0.0 && args.hours <= 24.0 * 366.0) {
        return Err(Failure::usage(
            "--hours takes a number above 0 and up to 8784, a year",
        ));
    }
    let cannot = |e: io::Error| match e.kind() {
        io::ErrorKind::BrokenPipe => Failure::from(e),
        _ => Failure::new(format!("could not write the archive {path:?}: {e}")),
    };
    let config = FleetConfig::new(args.seed, args.concurrent, args.start);
    let duration = Duration::from_secs_f64(args.hours * 3600.0);
    let steps = (duration.as_secs_f64() / args.interval.as_secs_f64()).ceil() as u64 + 1;
    let bar =
        super::import::progress_bar(Some(steps), "{msg} {wide_bar} {pos}/{len} snapshots {eta}");
    bar.set_message("simulating");
    let out: Box<dyn Write> = if path == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(path).map_err(cannot)?)
    };
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let summary = write_archive(config, duration, args.interval, &mut out, |progress| {
        bar.set_position(progress.written.snapshots);
    })
    .map_err(cannot)?;
    out.flush().map_err(cannot)?;
    bar.finish_and_clear();
    say!(
        "wrote {} of {}: {}",
        human::count(summary.snapshots, "snapshot", "snapshots"),
        human::count(summary.processes, "process", "processes"),
        human::count(summary.observations, "observation", "observations"),
    );
    Ok(Done::Whole)
}
