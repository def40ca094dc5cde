//! The examples of docs/deploy and the page that tells of them: what they run works, in a folder of
//! the test and against an API on loopback, and each says what the program says.

// What they are for is there on Unix only.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used)]
#![allow(clippy::print_stdout)] // what is skipped for want of a tool is said

#[path = "cli/place.rs"]
#[allow(dead_code)] // each test file uses some of it
mod place;
#[path = "cli/stub.rs"]
mod stub;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use place::{Place, Ran};
use prochist::source::api::{CONNECT_TIMEOUT, READ_TIMEOUT, REQUEST_TIMEOUT};
use prochist::sync::Limits;
use serde_json::{Value, json};

/// How long a sync waits for another program that writes the file.
const BUSY: Duration = Duration::from_secs(10);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"))
}

fn example(name: &str) -> String {
    read(Path::new("docs/deploy").join(name))
}

fn page() -> String {
    read("docs/operations.md")
}

/// The lines that say something.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What comes after each of these beginnings.
fn after<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    let found: Vec<&str> = lines(text).filter_map(|l| l.strip_prefix(begin)).collect();
    assert!(!found.is_empty(), "no {begin:?}");
    found
}

/// The one thing after this beginning.
fn only<'a>(text: &'a str, begin: &str) -> &'a str {
    let found = after(text, begin);
    assert_eq!(found.len(), 1, "{begin:?}: {found:?}");
    found[0]
}

/// The words of a list such as `["a", "b"]`.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The folders that a machine would have, in one of the test.
struct Machine {
    place: Place,
    api: String,
}

impl Machine {
    fn new() -> Self {
        let place = Place::new();
        let api = stub::stub(|path| match path.contains("/list/") {
            true => (200, "[]".to_owned()),
            false => (404, "{}".to_owned()),
        });
        let machine = Self { place, api };
        let place = &machine.place;
        place.write("etc/prochist.toml", machine.here(&example("prochist.toml")));
        for token in ["etc/token", "handed/token"] {
            let token = place.write(token, "s3cr3t-token\n");
            let owner_s = std::os::unix::fs::PermissionsExt::from_mode(0o400);
            fs::set_permissions(token, owner_s).unwrap();
        }
        fs::create_dir(place.path("var")).unwrap();
        machine
    }

    /// With the folders of the test in place of the machine's.
    fn here(&self, text: &str) -> String {
        let program = assert_cmd::cargo::cargo_bin!("prochist");
        let mut text = text.replace("/usr/local/bin/prochist", program.to_str().unwrap());
        for (there, here) in [
            ("/etc/prochist", "etc"),
            ("/var/lib/prochist", "var"),
            ("/run/secrets", "handed"),
            ("${CREDENTIALS_DIRECTORY}", "handed"),
        ] {
            text = text.replace(there, self.place.path(here).to_str().unwrap());
        }
        text
    }

    /// A command line with the variables that come with it.
    fn command<'a>(
        &self,
        words: &[String],
        env: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Command {
        let words: Vec<String> = words.iter().map(|word| self.here(word)).collect();
        let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let mut command = match words[0].as_str() {
            "prochist" => self.place.command(&args),
            other => self.place.started_by(Command::new(other), &args),
        };
        command.env_remove("PROCHIST_DB");
        command.env("PROCHIST_BASE_URL", &self.api);
        command.envs(
            env.into_iter()
                .map(|(name, value)| (name, self.here(value))),
        );
        command
    }

    /// That a command which ends does so well and without complaint; what it answered.
    #[track_caller]
    fn ends_well(&self, mut command: Command) -> String {
        let ran = Ran::from(command.output().unwrap()).ok();
        assert_eq!(ran.stderr, "");
        ran.stdout
    }

    /// That a command which stays makes a run that is complete, and ends well when it is told to.
    #[track_caller]
    fn stays(&self, mut command: Command) {
        let mut child = command
            .arg("-v")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut before = Vec::new();
        for line in said.map(Result::unwrap) {
            if line.starts_with("note: run 1 ") {
                place::signal(&child, "TERM");
            } else if line.starts_with("error: ") {
                // It may go on, but not here.
                let _ = child.kill();
            }
            before.push(line);
        }
        // The end of what it says is its own end.
        assert_eq!(child.wait().unwrap().code(), Some(0), "{before:#?}");
        assert!(before.iter().any(|line| line.contains("run 1 complete")));
    }

    /// How long ago it was that a sync of this machine was complete: not long.
    #[track_caller]
    fn has_recorded(&self) {
        let status = ["prochist", "status", "--max-age", "1h", "--format", "json"];
        let status = status.map(str::to_owned);
        let database = [("PROCHIST_DB", "/var/lib/prochist/history.db")];
        self.ends_well(self.command(&status, database));
    }
}

/// Whether a field of a crontab names times within these bounds: `*`, `*/5`, `3`, `1-5`, or a list of them.
fn is_time(field: &str, bounds: &RangeInclusive<u32>) -> bool {
    let number = |text: &str| text.parse().ok().filter(|n| bounds.contains(n));
    field.split(',').all(|part| {
        let (times, step) = part.split_once('/').unwrap_or((part, "1"));
        let is_step = step.parse().is_ok_and(|n| (1..=*bounds.end()).contains(&n));
        let is_range = match times.split_once('-') {
            Some((from, to)) => matches!((number(from), number(to)), (Some(a), Some(b)) if a <= b),
            None => times == "*" || (number(times).is_some() && !part.contains('/')),
        };
        is_step && is_range
    })
}

/// The sixth field, which is the user, and the command.
fn scheduled(line: &str) -> Result<(&str, &str), &str> {
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(field)
    };
    for bounds in [0..=59, 0..=23, 1..=31, 1..=12, 0..=7] {
        if !field().is_some_and(|field| is_time(field, &bounds)) {
            return Err("one of the five times is none");
        }
    }
    let user = field().ok_or("no command")?;
    // Cron makes a line break of it.
    if rest.contains('%') {
        return Err("a % in the command");
    }
    Ok((user, rest))
}

#[test]
fn the_times_of_a_crontab_are_read_as_cron_reads_them() {
    for good in [
        "* * * * * u c",
        "*/5 0-23 1,15 */2 7 u c -x",
        "0-30/10\t* * * 1-5  u  c",
    ] {
        assert!(scheduled(good).is_ok(), "{good}");
    }
    for bad in [
        "* * * * u c",
        "60 * * * * u c",
        "*/0 * * * * u c",
        "5/10 * * * * u c",
        "* 24 * * * u c",
        "* * 0 * * u c",
        "* * * 13 * u c",
        "* * * * 8 u c",
        "9-5 * * * * u c",
        ", * * * * u c",
        "* * * * * u date +%F",
    ] {
        assert!(scheduled(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_crontab_runs_as_it_is() {
    let machine = Machine::new();
    let crontab = example("crontab");
    let mut env = Vec::new();
    let mut commands = Vec::new();
    for line in lines(&crontab) {
        match line.split_once('=') {
            Some((name, value)) if !name.contains(' ') => env.push((name, value)),
            _ => commands.push(scheduled(line).unwrap_or_else(|e| panic!("{e}: {line}"))),
        }
    }
    assert_eq!(commands.len(), 2);
    assert!(commands.iter().all(|(user, _)| *user == "prochist"));
    for (_, command) in &commands {
        let shell = ["sh", "-c", command].map(str::to_owned);
        let said = machine.ends_well(machine.command(&shell, env.iter().copied()));
        assert_eq!(said, "", "cron sends it: {command}");
    }
    machine.has_recorded();

    // A run is over before the next begins.
    let words: Vec<&str> = commands[0].1.split(' ').collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag).unwrap();
        humantime::parse_duration(words[at + 1]).unwrap()
    };
    let longest = after("--wait") + after("--deadline");
    assert!(longest <= Duration::from_secs(50), "{longest:?}");
    // Once recording is gone, there is something to send.
    fs::remove_dir_all(machine.place.path("var")).unwrap();
    let shell = ["sh", "-c", commands[1].1].map(str::to_owned);
    let stopped = machine.command(&shell, env).output().unwrap();
    let stopped = Ran::from(stopped).ended(1);
    assert!(stopped.stderr.starts_with("error: "), "{stopped:?}");
    assert_eq!(stopped.stdout, "");
}

const UNITS: [&str; 2] = ["prochist-sync.service", "prochist.service"];

fn seconds(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn the_units_run_what_they_say() {
    for name in UNITS {
        let machine = Machine::new();
        let unit = example(name);
        let words: Vec<String> = only(&unit, "ExecStart=")
            .split(' ')
            .map(str::to_owned)
            .collect();
        assert_eq!(words[0], "/usr/local/bin/prochist");
        let command = machine.command(&words, []);
        let kind = only(&unit, "Type=");
        match words.iter().any(|word| word == "--every") {
            true => machine.stays(command),
            false => assert_eq!(machine.ends_well(command), ""),
        }
        assert_eq!(words.iter().any(|word| word == "--every"), kind == "exec");
        machine.has_recorded();
        // What is handed over is what is taken.
        assert_eq!(
            only(&unit, "LoadCredential="),
            "token:/etc/prochist/token",
            "{name}"
        );
        let token = "--token-file ${CREDENTIALS_DIRECTORY}/token";
        assert!(unit.contains(token), "{name}");
        // What it writes is what it may write.
        let folder = format!("/var/lib/{}/", only(&unit, "StateDirectory="));
        let database = only(&example("prochist.toml"), "database = ").to_owned();
        assert!(database.trim_matches('"').starts_with(&folder), "{name}");
    }
}

#[test]
fn the_units_leave_a_run_the_time_it_takes() {
    let run = Limits::default().deadline + BUSY;
    let once = example(UNITS[0]);
    assert!(!only(&once, "ExecStart=").contains("--deadline"));
    assert!(seconds(only(&once, "TimeoutStartSec=")) > run);
    assert_eq!(only(&once, "SuccessExitStatus="), "3 4");
    // Told to end, it asks no more, but may have to wait for another writer.
    let stays = example(UNITS[1]);
    assert!(seconds(only(&stays, "TimeoutStopSec=")) > BUSY);
    assert_eq!(only(&stays, "KillSignal="), "SIGTERM");
    assert_eq!(only(&stays, "RestartPreventExitStatus="), "2");
    let timer = example("prochist-sync.timer");
    assert_eq!(only(&timer, "WantedBy="), "timers.target");
}

#[test]
fn both_units_live_in_the_same_sandbox() {
    let sandbox = |name: &str| -> Vec<String> {
        let unit = example(name);
        lines(&unit)
            .skip_while(|line| !line.starts_with("User="))
            .take_while(|line| !line.starts_with('['))
            .map(str::to_owned)
            .collect()
    };
    assert!(sandbox(UNITS[0]).len() > 20);
    assert_eq!(sandbox(UNITS[0]), sandbox(UNITS[1]));
}

/// systemd-analyze, if it is there and knows this.
fn analyze(word: &str) -> Option<Command> {
    let help = Command::new("systemd-analyze").arg("--help").output();
    match help {
        Ok(help) if String::from_utf8_lossy(&help.stdout).contains(word) => {
            Some(Command::new("systemd-analyze"))
        }
        _ => {
            println!("skipped: there is no systemd-analyze that knows {word}");
            None
        }
    }
}

/// Copies of the units, of which the service runs the program of this build.
fn copied_units(machine: &Machine) -> Vec<PathBuf> {
    let program = assert_cmd::cargo::cargo_bin!("prochist");
    let copy = |name: &str| {
        let unit = example(name).replace("/usr/local/bin/prochist", program.to_str().unwrap());
        machine.place.write(&format!("units/{name}"), unit)
    };
    [UNITS[0], UNITS[1], "prochist-sync.timer"].map(copy).into()
}

#[test]
fn systemd_understands_the_units() {
    let machine = Machine::new();
    let Some(mut verify) = analyze("verify") else {
        return;
    };
    verify.args(["verify", "--man=no"]);
    let verified = Ran::from(verify.args(copied_units(&machine)).output().unwrap());
    // What is wrong with the machine's own units is not our affair.
    let ours: Vec<&str> = (verified.stderr.lines().chain(verified.stdout.lines()))
        .filter(|line| line.contains("prochist"))
        .collect();
    assert_eq!(ours, [] as [&str; 0]);
}

#[test]
fn systemd_finds_little_that_the_units_leave_open() {
    let machine = Machine::new();
    let Some(_) = analyze("--threshold").and(analyze("--offline")) else {
        return;
    };
    for unit in copied_units(&machine) {
        if unit.extension().is_some_and(|kind| kind == "timer") {
            continue;
        }
        // Of a hundred; without the sandbox it is more than ninety.
        let args = ["security", "--no-pager", "--offline=true", "--threshold=20"];
        let mut security = Command::new("systemd-analyze");
        let security = Ran::from(security.args(args).arg(unit).output().unwrap());
        assert_eq!(security.code, Some(0), "{security:#?}");
    }
}

/// What the image sets for everything that runs in it.
fn image_env(image: &str) -> Vec<(&str, &str)> {
    let set = after(image, "ENV ").into_iter();
    set.map(|set| set.split_once('=').unwrap()).collect()
}

#[test]
fn the_image_runs_with_a_token_and_an_app() {
    let machine = Machine::new();
    let image = example("Containerfile");
    let words = [
        list(only(&image, "ENTRYPOINT ")),
        list(only(&image, "CMD ")),
    ]
    .concat();
    let given = [("HATHORA_APP_ID", "a"), ("HATHORA_TOKEN", "s3cr3t-token")];
    let env = image_env(&image).into_iter().chain(given);
    machine.stays(machine.command(&words, env));
    machine.has_recorded();
}

#[test]
fn the_image_is_built_from_what_is_there() {
    let image = example("Containerfile");
    let copied: BTreeSet<&str> = after(&image, "COPY ")
        .into_iter()
        .filter(|copy| !copy.starts_with("--from="))
        .flat_map(|copy| {
            let paths: Vec<&str> = copy.split(' ').collect();
            paths[..paths.len() - 1].to_vec()
        })
        .collect();
    for path in &copied {
        assert!(root().join(path).exists(), "{path}");
    }
    // Cargo wants to see every target that is named, built or not.
    let manifest = read("Cargo.toml");
    for (table, folder) in [
        ("[[test]]", "tests"),
        ("[[example]]", "examples"),
        ("[[bench]]", "benches"),
    ] {
        assert_eq!(manifest.contains(table), copied.contains(folder), "{table}");
    }
    for path in [
        "src",
        "migrations",
        "docs/schema.md",
        "build.rs",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        assert!(copied.contains(path), "{path}");
    }
    let from = after(&image, "FROM docker.io/library/");
    let wanted = only(&manifest, "rust-version = ").trim_matches('"');
    let builder = format!("rust:{wanted}-slim-bookworm AS builder");
    assert_eq!(from, [&builder, "debian:bookworm-slim"]);
    assert_ne!(only(&image, "USER "), "root");
}

#[test]
fn the_composition_runs_and_checks_its_health() {
    let machine = Machine::new();
    let compose = example("compose.yaml");
    let image = example("Containerfile");
    let entry = list(only(&image, "ENTRYPOINT "));
    let config = only(&compose, "PROCHIST_CONFIG: ");
    let env = || {
        let set = image_env(&image).into_iter();
        set.chain([("PROCHIST_CONFIG", config)])
    };
    let recorder = [entry, list(only(&compose, "command: "))].concat();
    let check = list(only(&compose, "test: "));
    assert_eq!(check[0], "CMD");
    let unhealthy = machine.command(&check[1..], env()).output().unwrap();
    Ran::from(unhealthy).ended(1);
    machine.stays(machine.command(&recorder, env()));
    machine.ends_well(machine.command(&check[1..], env()));
    machine.has_recorded();
    assert!(seconds(only(&compose, "stop_grace_period: ")) > BUSY);

    let folder = root().join("docs/deploy");
    let context = folder.join(only(&compose, "context: "));
    assert!(context.join("Cargo.toml").exists());
    let built_by = context.join(only(&compose, "dockerfile: "));
    assert_eq!(
        built_by.canonicalize().unwrap(),
        folder.join("Containerfile").canonicalize().unwrap()
    );
    let mounted = only(&compose, "- ./");
    let (name, there) = mounted.split_once(':').unwrap();
    assert!(folder.join(name).exists(), "{name}");
    assert_eq!(there, format!("{config}:ro"));
    // A secret is the operator's to make, and nobody's to commit.
    let secret = only(&compose, "file: ./");
    let ignored = read(".gitignore");
    assert!(lines(&ignored).any(|line| line == format!("/docs/deploy/{secret}")));
    let volume = only(&compose, "- history:");
    assert_eq!(only(&image, "VOLUME "), volume);
    assert!(image_env(&image)[0].1.starts_with(volume));
}

/// The rows of `prochist config`.
fn settings(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Vec<Value> {
    let mut command = place.command(&[&["config", "--format", "json"], args].concat());
    command.env_remove("PROCHIST_DB");
    command.envs(env.iter().copied());
    let answer = Ran::from(command.output().unwrap()).ok().json();
    answer["rows"].as_array().unwrap().clone()
}

fn setting<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["setting"] == name).unwrap()
}

/// The keys that the program knows, in its own words.
fn known_keys() -> Vec<String> {
    let place = Place::new();
    place.write("odd.toml", "odd = 1\n");
    let ran = place.run(&["config", "--config", "odd.toml"]).ended(2);
    let (_, list) = ran.stderr.split_once("expected one of ").unwrap();
    let list = list.lines().next().unwrap().split(", ");
    list.map(|key| key.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_configuration_is_whole_and_is_read() {
    let place = Place::new();
    let file = root().join("docs/deploy/prochist.toml");
    let file = file.to_str().unwrap();
    let rows = settings(&place, &["--config", file], &[]);
    let keys = known_keys();
    assert_eq!(keys.len(), 6);
    for key in &keys {
        assert_eq!(setting(&rows, key)["origin"], "file", "{key}");
    }
    let text = example("prochist.toml");
    let named: Vec<&str> = lines(&text)
        .map(|line| line.split(" = ").next().unwrap())
        .collect();
    assert_eq!(named, keys);
}

/// The rows below this heading, cell by cell and without their marks.
fn table(head: &str) -> Vec<Vec<String>> {
    let page = page();
    let mut below = page.lines().skip_while(|line| *line != head);
    assert_eq!(below.next(), Some(head));
    below
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().replace('`', "").to_owned())
                .collect()
        })
        .collect()
}

#[test]
fn the_page_tells_every_key_with_its_default_variable_and_flag() {
    let place = Place::new();
    let usual = settings(&place, &[], &[]);
    let table = table("| key | meaning | default | variable | flag |");
    let keys: Vec<&String> = table.iter().map(|row| &row[0]).collect();
    assert_eq!(keys, known_keys().iter().collect::<Vec<_>>());
    for row in &table {
        let key = row[0].as_str();
        let first = |cell: &str| cell.split(", ").next().unwrap().to_owned();
        let (variable, flag) = (first(&row[3]), first(&row[4]));
        let value = match key {
            "interval" | "concurrency" => row[2].as_str(),
            _ => "http://x",
        };
        let by_flag = settings(&place, &[&flag, value], &[]);
        assert_eq!(setting(&by_flag, key)["origin"], "flag", "{key}");
        assert_eq!(setting(&by_flag, key)["named_by"], json!(flag));
        if !variable.is_empty() {
            // That of the token file is the token.
            let of = if key == "token_file" { "token" } else { key };
            let by_variable = settings(&place, &[], &[(&variable, value)]);
            assert_eq!(setting(&by_variable, of)["named_by"], json!(variable));
        }
        let found = &setting(&usual, key)["value"];
        match key {
            "interval" | "concurrency" => assert_eq!(&setting(&by_flag, key)["value"], found),
            "base_url" => assert_eq!(found, &json!(row[2])),
            "database" => assert!(found.as_str().unwrap().ends_with("/history.db")),
            _ => assert_eq!((found, row[2].as_str()), (&Value::Null, ""), "{key}"),
        }
    }
}

#[test]
fn the_page_tells_the_limits_that_there_are() {
    let limits = Limits::default();
    let length = |length: Duration| {
        let words = humantime::format_duration(length).to_string();
        let unit = words.find(char::is_alphabetic).unwrap();
        format!("{} {}", &words[..unit], &words[unit..])
    };
    let retries = limits.retries;
    let wait = format!(
        "up to {}, doubling up to {}",
        length(retries.first),
        length(retries.longest)
    );
    let expected = [
        length(CONNECT_TIMEOUT),
        length(READ_TIMEOUT),
        length(REQUEST_TIMEOUT),
        format!("up to {} times", retries.times),
        wait,
        length(limits.deadline),
        limits.max_requests.to_string(),
        limits.concurrency.to_string(),
    ];
    let table = table("| limit | value | flag |");
    let told: Vec<&String> = table.iter().map(|row| &row[1]).collect();
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
    let help = Place::new().run(&["sync", "--help"]).ok().stdout;
    for row in table.iter().filter(|row| !row[2].is_empty()) {
        assert!(help.contains(&format!("{} <", row[2])), "{row:?}");
    }
}

#[test]
fn the_line_of_a_log_that_the_page_shows_is_one() {
    let page = page();
    let shown = format!("{{\"time\"{}", only(&page, "{\"time\""));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let machine = Machine::new();
    let words = ["prochist", "sync", "-v", "--log-format", "json"].map(str::to_owned);
    let config = [("PROCHIST_CONFIG", "/etc/prochist/prochist.toml")];
    let said = machine.command(&words, config).output().unwrap();
    let said = Ran::from(said).ok().stderr;
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let keys =
        |line: &Value| -> Vec<String> { line.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&shown), keys(&last));
}

#[test]
fn the_page_names_every_example_and_no_other() {
    let there: BTreeSet<String> = fs::read_dir(root().join("docs/deploy"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "token") // an operator's own
        .collect();
    let page = page();
    let named: BTreeSet<String> = page
        .split("](deploy/")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, there);
    // And what it tells to install is there.
    for name in page.split("docs/deploy/").skip(1) {
        let end = name.find(|c: char| c.is_whitespace() || c == ')').unwrap();
        assert!(there.contains(&name[..end]), "{:?}", &name[..end]);
    }
}
