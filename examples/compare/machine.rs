//! What the comparison ran on.

use std::fs;
use std::process::Command;
use std::thread;

/// One line for each thing that the numbers depend on.
pub fn describe() -> Vec<(&'static str, String)> {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("processor", processor().unwrap_or_else(unknown)),
        ("cores", cores.to_string()),
        ("memory", memory().unwrap_or_else(unknown)),
        ("system", said_by("uname", &["-srm"])),
        ("rustc", said_by("rustc", &["--version"])),
        ("SQLite", rusqlite::version().to_owned()),
    ]
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok();
    let named = text.as_deref().and_then(|text| field(text, "model name"));
    named.or_else(|| Some(said_by("sysctl", &["-n", "machdep.cpu.brand_string"])))
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes: f64 = field(&text, "MemTotal")?
        .strip_suffix(" kB")?
        .parse()
        .ok()?;
    Some(format!("{:.1} GiB", kibibytes / f64::from(1 << 20)))
}

fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

fn said_by(command: &str, arguments: &[&str]) -> String {
    Command::new(command)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(unknown, |text| text.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
