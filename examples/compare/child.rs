//! Runs a command and says how long it took, how much of the processor, and how much memory.

use std::error::Error;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use wait4::Wait4;

/// What became of a command.
pub struct Finished {
    /// From before it was started until it had ended, in seconds.
    pub wall_s: f64,
    /// Seconds of processor, in the program and in the kernel.
    pub cpu_s: f64,
    /// The most memory that it held at once.
    pub peak_bytes: u64,
    pub stdout: String,
}

/// How often the memory of a command is looked at. It is the kernel's own high-water mark that is
/// read, so that only what comes after the last look is missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<Finished, Box<dyn Error>> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not start {command:?}: {error}"))?;
    let id = child.id();
    let (ended, watch) = channel::<()>();
    let watcher = thread::spawn(move || {
        let mut peak = None;
        loop {
            peak = high_water(id).or(peak);
            if watch.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
                return peak;
            }
        }
    });
    let mut pipe = child.stderr.take().ok_or("no standard error")?;
    let errors = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .ok_or("no standard output")?
        .read_to_string(&mut stdout)?;
    let end = child.wait4()?;
    let wall_s = begun.elapsed().as_secs_f64();
    drop(ended);
    let peak = watcher.join().map_err(|_| "the watcher panicked")?;
    let stderr = errors.join().map_err(|_| "the reader panicked")??;
    if !end.status.success() {
        return Err(format!("{command:?} ended with {}: {stderr}", end.status).into());
    }
    Ok(Finished {
        wall_s,
        cpu_s: (end.rusage.utime + end.rusage.stime).as_secs_f64(),
        // What wait4 says begins, on Linux, with the memory of whoever started the command.
        peak_bytes: peak.unwrap_or(end.rusage.maxrss),
        stdout,
    })
}

/// How long a short command takes, in milliseconds: with nobody watching, which would count.
pub fn wall_ms(command: &mut Command) -> Result<f64, Box<dyn Error>> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} ended with {}: {errors}", output.status).into());
    }
    Ok(wall_ms)
}

/// The most memory that a process has held by now, in bytes, where the system tells.
fn high_water(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
