//! Where settings come from: flags, the environment, the configuration file, and what there is
//! without any of them.

use serde_json::{Map, Value, json};

use crate::fleet::{looks, ndjson};
use crate::place::{Place, Ran};
use crate::stub::stub;

/// The rows of `prochist config` by setting, with nothing in the environment but this.
fn settings(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Map<String, Value> {
    let ran = config(place, &[args, &["--format", "json"]].concat(), env).ok();
    let rows = ran.json()["rows"].as_array().unwrap().clone();
    rows.into_iter()
        .map(|row| {
            let name = row["setting"].as_str().unwrap().to_owned();
            (name, json!([row["value"], row["origin"], row["named_by"]]))
        })
        .collect()
}

fn config(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = place.command(&[&["config"], args].concat());
    command.env_remove("PROCHIST_DB");
    command.envs(env.iter().copied());
    Ran::from(command.output().unwrap())
}

const WHOLE: &str = r#"
database = "kept/file.db"
base_url = "https://file.example"
apps = ["from", "file", "from"]
token_file = "secret/token"
interval = "90s"
concurrency = 3
"#;

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let place = Place::new();
    let file = place
        .write("conf/prochist.toml", WHOLE)
        .display()
        .to_string();
    let in_file = |name: &str| place.path("conf").join(name).display().to_string();
    let usual = settings(&place, &[], &[]);
    assert_eq!(usual["config_exists"], json!([false, null, null]));
    assert_eq!(usual["config"][1], "default");
    for (setting, flag, variable, from_file, without) in [
        (
            "database",
            Some(("--db", "flag.db", json!("flag.db"))),
            Some(("PROCHIST_DB", "env.db", json!("env.db"))),
            json!(in_file("kept/file.db")),
            json!([place.path("prochist/history.db"), "default", null]),
        ),
        (
            "base_url",
            Some(("--base-url", "http://flag", json!("http://flag"))),
            Some(("PROCHIST_BASE_URL", "http://env", json!("http://env"))),
            json!("https://file.example"),
            json!(["https://api.hathora.dev", "default", null]),
        ),
        (
            "apps",
            Some(("--app-id", "flag,flag", json!(["flag,flag"]))),
            Some(("HATHORA_APP_ID", "one, two,one", json!(["one", "two"]))),
            json!(["from", "file"]),
            json!([null, null, null]),
        ),
        (
            "token_file",
            Some(("--token-file", "flag-token", json!("flag-token"))),
            None,
            json!(in_file("secret/token")),
            json!([null, null, null]),
        ),
        (
            "interval",
            Some(("--every", "5s", json!("5s"))),
            None,
            json!("1m 30s"),
            json!(["1m", "default", null]),
        ),
        (
            "concurrency",
            Some(("--concurrency", "256", json!(256))),
            None,
            json!(3),
            json!([8, "default", null]),
        ),
        (
            "config",
            None,
            Some(("PROCHIST_CONFIG", file.as_str(), json!(file))),
            Value::Null,
            usual["config"].clone(),
        ),
    ] {
        assert_eq!(usual[setting], without, "{setting}");
        let named = ["--config", &file];
        let flags = flag.as_ref().map_or(vec![], |flag| vec![flag.0, flag.1]);
        let env = variable.as_ref().map_or(vec![], |env| vec![(env.0, env.1)]);
        let all = settings(&place, &[&named[..], &flags].concat(), &env);
        let by_env = settings(&place, if from_file.is_null() { &[] } else { &named }, &env);
        let empty: Vec<_> = env.iter().map(|(name, _)| (*name, "")).collect();
        let by_file = settings(&place, &named, &empty);
        if let Some((name, _, value)) = flag {
            assert_eq!(all[setting], json!([value, "flag", name]), "{setting}");
        }
        if let Some((name, _, value)) = variable {
            assert_eq!(
                by_env[setting],
                json!([value, "environment", name]),
                "{setting}"
            );
        }
        if from_file.is_null() {
            assert_eq!(by_file[setting], json!([file, "flag", "--config"]));
        } else {
            assert_eq!(
                by_file[setting],
                json!([from_file, "file", file]),
                "{setting}"
            );
        }
    }
    // `--every` alone takes the interval that is configured.
    let every = settings(&place, &["--config", &file, "--every"], &[]);
    assert_eq!(every["interval"], json!(["1m 30s", "file", file]));
}

#[test]
fn the_token_is_shown_as_set_and_never_itself() {
    let place = Place::new();
    place.write("conf/token", "s3cr3t-in-configuration");
    place.write("flag-token", "s3cr3t-in-flag");
    let file = place.write("conf/prochist.toml", "token_file = 'token'");
    let file = file.display().to_string();
    let flag = ["--token-file", "flag-token"];
    let conf = ["--config", &file];
    let both = [flag, conf].concat();
    let env = [("HATHORA_TOKEN", "s3cr3t-in-environment")];
    for (args, env, expected) in [
        (&both[..], &env[..], json!(["set", "flag", "--token-file"])),
        (&conf, &env, json!(["set", "environment", "HATHORA_TOKEN"])),
        (&conf, &[], json!(["set", "file", file])),
        (
            &conf,
            &[("HATHORA_TOKEN", "")],
            json!(["set", "file", file]),
        ),
        (&[], &env, json!(["set", "environment", "HATHORA_TOKEN"])),
        (&[], &[], json!(["unset", null, null])),
        (
            &["--token-file", "nowhere"],
            &env,
            json!(["unset", "flag", "--token-file"]),
        ),
    ] {
        assert_eq!(settings(&place, args, env)["token"], expected, "{args:?}");
        for format in ["table", "json", "ndjson", "csv", "markdown"] {
            let ran = config(&place, &[args, &["--format", format]].concat(), env).ok();
            let said = ran.stdout + &ran.stderr;
            assert!(!said.contains("s3cr3t"), "{format}: {said}");
            assert!(!said.contains("21"), "its length: {said}"); // that of the environment's
        }
    }
    // A password does not belong there, but may have been put there.
    let url = settings(&place, &["--base-url", "http://u:hunter2@x"], &[]);
    assert_eq!(url["base_url"][0], "…");
}

#[test]
fn config_answers_in_every_format() {
    let place = Place::new();
    place.write("prochist.toml", "apps = [\"a\", \"b\"]\ninterval = '30s'\n");
    let run = |format: &str| {
        let args = ["--config", "prochist.toml", "--format", format];
        let ran = config(&place, &args, &[]).ok();
        assert_eq!(ran.stderr, "");
        ran.stdout
    };
    let whole: Value = serde_json::from_str(&run("json")).unwrap();
    let rows = whole["rows"].as_array().unwrap();
    let names: Vec<&Value> = rows.iter().map(|row| &row["setting"]).collect();
    let expected = [
        "config",
        "config_exists",
        "database",
        "base_url",
        "apps",
        "token_file",
        "token",
        "interval",
        "concurrency",
    ];
    assert_eq!(names, expected);
    assert_eq!(rows[1]["value"], true);
    let lines = run("ndjson");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, rows);
    let csv = run("csv");
    assert!(csv.starts_with("setting,value,origin,named_by\nconfig,prochist.toml,flag,--config\n"));
    assert!(
        csv.contains("\napps,\"[\"\"a\"\",\"\"b\"\"]\",file,prochist.toml\n"),
        "{csv}"
    );
    assert!(csv.contains("\ntoken,unset,,\n"), "{csv}");
    let markdown = run("markdown");
    assert!(
        markdown.contains("\n| interval | 30s | file | prochist.toml |\n"),
        "{markdown}"
    );
    let table = run("table");
    let apps = table
        .lines()
        .find(|line| line.starts_with(" apps "))
        .unwrap();
    let words: Vec<&str> = apps.split_whitespace().collect();
    assert_eq!(words, ["apps", "a,", "b", "file", "prochist.toml"]);
}

#[test]
fn a_file_in_its_usual_place_is_used_by_every_command() {
    let place = Place::new();
    let usual = settings(&place, &[], &[])["config"][0].clone();
    let usual = std::path::PathBuf::from(usual.as_str().unwrap());
    let name = usual.strip_prefix(place.folder()).unwrap().to_owned();
    let url = stub(|path| match path.contains("/list/") {
        true => (200, "[]".to_owned()),
        false => (404, "{}".to_owned()),
    });
    let content = format!(
        "database = 'mine.db'\nbase_url = '{url}'\napps = ['a', 'b']\ntoken_file = 'token'\n"
    );
    place.write(name.to_str().unwrap(), content);
    let folder = name.parent().unwrap();
    place.write(folder.join("token").to_str().unwrap(), "t0ken\n");
    let run = |args: &[&str]| {
        let mut command = place.command(args);
        Ran::from(command.env_remove("PROCHIST_DB").output().unwrap())
    };
    run(&["sync"]).ok();
    assert!(
        place
            .path(folder.join("mine.db").to_str().unwrap())
            .exists()
    );
    place.write("looks", ndjson(&looks()));
    run(&["import", "looks"]).ok();
    let rows = run(&["sql", "SELECT source FROM sync_runs", "--format", "csv"]);
    assert_eq!(rows.ok().stdout, format!("source\n{url} a b\nlooks\n"));

    // What it names is a real history, and no place for a demo's.
    place
        .run(&["import", "looks", "--db", "prochist-demo.db"])
        .ok();
    let demo = run(&["demo"]).ended(1);
    assert!(
        demo.stderr
            .starts_with("error: \"prochist-demo.db\" holds a history"),
        "{demo:?}"
    );
}

#[test]
fn a_file_that_is_broken_is_one_clear_line() {
    let place = Place::new();
    for (content, line, says) in [
        (
            "databse = 'x'",
            1,
            "unknown field `databse`, expected one of `database`, `base_url`, `apps`, `token_file`, `interval`, `concurrency`",
        ),
        (
            "\n[sync]\nevery = 1",
            2,
            "unknown field `sync`, expected one of",
        ),
        (
            "apps = ['a']\ntoken = 's3cr3t'",
            2,
            "unknown field `token`, expected one of",
        ),
        (
            "\n\ninterval = 60",
            3,
            "interval: invalid type: integer `60`, expected a string",
        ),
        (
            "interval = 'soon'",
            1,
            "interval: \"soon\" is not a length of time",
        ),
        (
            "interval = '0s'",
            1,
            "interval: \"0s\" is too short: give 1ms or more",
        ),
        (
            "concurrency = 0",
            1,
            "concurrency: takes a number from 1 to 256",
        ),
        (
            "concurrency = 257",
            1,
            "concurrency: takes a number from 1 to 256",
        ),
        (
            "concurrency = -1",
            1,
            "concurrency: takes a number from 1 to 256",
        ),
        ("concurrency = '8'", 1, "concurrency: invalid type: string"),
        (
            "apps = 'a'",
            1,
            "apps: invalid type: string \"a\", expected a sequence",
        ),
        ("apps = [\n'a',\n'']", 1, "apps: an app id is empty"),
        (
            "apps = [1]",
            1,
            "apps: invalid type: integer `1`, expected a string",
        ),
        ("database = ''", 1, "database: is empty"),
        (
            "base_url = true",
            1,
            "base_url: invalid type: boolean `true`",
        ),
        ("\nbase_url = ", 2, "base_url: "),
        ("base_url = 'x", 1, "base_url: "),
        ("apps = []\napps = []", 2, "apps: duplicate key"),
        ("<html>", 1, ""),
    ] {
        place.write("bad.toml", content);
        let expected = format!("error: configuration file \"bad.toml\", line {line}: {says}");
        for args in [&["config"][..], &["sync"], &["failures"], &["import", "x"]] {
            let ran = place
                .run(&[args, &["--config", "bad.toml"]].concat())
                .ended(2);
            assert_eq!(ran.stdout, "");
            assert!(
                ran.stderr.starts_with(&expected),
                "{content}: {}",
                ran.stderr
            );
            assert!(!ran.stderr.contains("s3cr3t"), "{ran:?}");
            let lines: Vec<&str> = ran.stderr.lines().collect();
            assert_eq!(lines.len(), 2, "{ran:?}");
            assert!(lines[1].starts_with("hint: "), "{ran:?}");
        }
    }
    // Those who do not use it do not mind.
    let ran = place.run(&[
        "simulate",
        "--archive",
        "-",
        "--hours",
        "0.1",
        "--config",
        "bad.toml",
    ]);
    ran.ok();
    // An empty one is fine, and so is an empty list.
    for content in ["", "apps = []\n"] {
        place.write("fine.toml", content);
        let fine = settings(&place, &["--config", "fine.toml"], &[]);
        assert_eq!(fine["apps"], json!([null, null, null]));
    }
}

#[test]
fn a_file_that_was_named_must_be_readable() {
    let place = Place::new();
    place.write("latin1.toml", b"database = '\xe9.db'");
    for name in ["nowhere.toml", ".", "latin1.toml"] {
        let by_flag = config(&place, &["--config", name], &[]).ended(2);
        let by_env = config(&place, &[], &[("PROCHIST_CONFIG", name)]).ended(2);
        for ran in [by_flag, by_env] {
            let says = format!("error: could not read the configuration file {name:?}: ");
            assert!(ran.stderr.starts_with(&says), "{ran:?}");
            assert_eq!(ran.stderr.lines().count(), 2, "{ran:?}");
        }
    }
    settings(&place, &[], &[("PROCHIST_CONFIG", "")]);
}
