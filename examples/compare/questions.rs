//! How long do the standing questions take over millions of processes, beside DuckDB over the same rows?

use std::error::Error;
use std::path::Path;

use serde::Deserialize;

use super::agree::{self, Rows};
use super::bench::Bench;
use super::child;
use super::data::Recipe;
use super::duck::{self, Duck};
use super::import::{self, Imported};
use super::report::{Row, Series, Unit};

/// A standing question: the command, and what tells its rows apart.
struct Asked {
    command: &'static [&'static str],
    keys: &'static [&'static str],
}

const ASKED: [Asked; 4] = [
    Asked {
        command: &["lifetimes", "--by", "region,deployment"],
        keys: &["region", "deployment_id", "phase"],
    },
    Asked {
        command: &["failures", "--by", "day,region"],
        keys: &["day", "region"],
    },
    Asked {
        command: &["ports", "--by", "host"],
        keys: &["host"],
    },
    Asked {
        command: &["concurrency"],
        keys: &[],
    },
];

/// Every question in turn: the whole command beside the query alone, warm.
pub fn measure(bench: &Bench) -> Result<Vec<Row>, Box<dyn Error>> {
    let recipe = Recipe::ended(bench.scale);
    let database = bench.file(recipe.name, "db");
    if !database.exists() {
        bench.say("preparing the processes to ask about");
        let archive = recipe.prepare(bench)?;
        let done = import::import(bench, &archive, &database)?;
        let said = Imported::read(&done.stdout)?;
        bench.say(&format!("  {}", said.describe()));
        bench.discard(&archive)?;
    }
    let mut duck = if duck::is_there(&bench.python) {
        bench.say("loading the same processes into DuckDB");
        let duck = Duck::load(bench, &database)?;
        bench.say(&format!("  DuckDB {}", duck.version));
        Some(duck)
    } else {
        bench.say(&format!(
            "DuckDB is not there for {:?}, so that the questions are held against nothing. To have it: \
             python3 -m venv FOLDER && FOLDER/bin/pip install duckdb, then --python FOLDER/bin/python",
            bench.python
        ));
        None
    };
    let rows = ask_all(bench, &database, duck.as_mut());
    if let Some(duck) = duck {
        duck.end(bench)?;
    }
    if !bench.keep {
        import::remove(&[&database])?;
    }
    rows
}

fn ask_all(
    bench: &Bench,
    database: &Path,
    mut duck: Option<&mut Duck>,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut ours_ms = [(); 4].map(|()| Series::default());
    let mut ducks_ms = [(); 4].map(|()| Series::default());
    let mut peaks_mb = [(); 4].map(|()| Series::default());
    // Before the first round one that does not count, so that both are warm; it is checked.
    for round in 0..=bench.rounds {
        bench.say(&match round {
            0 => "questions: checking the answers".to_owned(),
            _ => format!("questions: round {round} of {}", bench.rounds),
        });
        for (place, asked) in ASKED.iter().enumerate() {
            let mut command = bench.prochist(database);
            let ours = child::run(command.args(["--format", "json"]).args(asked.command))?;
            let theirs = match duck.as_mut() {
                Some(duck) => Some(duck.ask(asked.command[0])?),
                None => None,
            };
            if round == 0 {
                if let Some(theirs) = theirs {
                    check(asked, &ours.stdout, &theirs.rows)?;
                }
                continue;
            }
            ours_ms[place].push(ours.wall_s * 1e3);
            peaks_mb[place].push(ours.peak_bytes as f64 / 1e6);
            if let Some(theirs) = theirs {
                ducks_ms[place].push(theirs.wall_ms);
            }
        }
    }
    let mut rows = Vec::new();
    for (place, asked) in ASKED.iter().enumerate() {
        let what = format!("prochist {}", asked.command.join(" "));
        let (ours, ducks) = (&ours_ms[place], &ducks_ms[place]);
        rows.push(match duck {
            Some(_) => Row::ratio(&what, Unit::Millis, ours, "DuckDB", ducks).at_most(1.0),
            None => Row::number(&what, Unit::Millis, ours.clone()),
        });
        let what = format!("{what}: peak memory");
        rows.push(Row::number(&what, Unit::Megabytes, peaks_mb[place].clone()));
    }
    Ok(rows)
}

fn check(asked: &Asked, ours: &str, theirs: &Rows) -> Result<(), Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Answer {
        rows: Rows,
    }
    let ours: Answer = serde_json::from_str(ours)?;
    match agree::difference(asked.keys, &ours.rows, theirs) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "MISMATCH between prochist and DuckDB in {}: {difference}",
            asked.command.join(" ")
        )
        .into()),
    }
}
