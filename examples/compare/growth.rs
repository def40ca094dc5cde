//! Does an import cost more for each observation as the file grows?

use std::error::Error;

use super::bench::Bench;
use super::data::Recipe;
use super::import::{self, Imported};
use super::report::{Row, Series, Unit};

/// The archives, each ten times as long as the one before.
const SIZES: [(&str, f64); 3] = [
    ("growth-100k", 1e5),
    ("growth-1m", 1e6),
    ("growth-10m", 1e7),
];

/// The cost of an observation in each of the archives, and what it came to.
pub fn measure(bench: &Bench) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut archives = Vec::new();
    for (name, observations) in SIZES {
        let recipe = Recipe::growing(name, bench.scale, observations);
        archives.push(recipe.prepare(bench)?);
    }
    let database = bench.folder.join("growth.db");
    let mut walls_s = [(); 3].map(|()| Series::default());
    let mut counts = [0.0; 3];
    // The largest takes long, and averages over much.
    let rounds = bench.rounds.min(3);
    for round in 0..rounds {
        bench.say(&format!("growth: round {} of {rounds}", round + 1));
        for (size, archive) in archives.iter().enumerate() {
            import::remove(&[&database])?;
            let done = import::import(bench, archive, &database)?;
            let said = Imported::read(&done.stdout)?;
            walls_s[size].push(done.wall_s);
            counts[size] = said.processes_seen as f64;
            if round == 0 {
                bench.say(&format!("  {}", said.describe()));
            }
        }
    }
    import::remove(&[&database])?;
    for archive in &archives {
        bench.discard(archive)?;
    }
    let each_us: Vec<Series> = walls_s
        .iter()
        .zip(counts)
        .map(|(wall_s, count)| wall_s.scaled(1e6 / count))
        .collect();
    // What is common to the smaller and the larger falls out: the beginning, where all are new, would
    // hide that what comes later costs more.
    let between_us = |small: usize, large: usize| {
        let seconds = walls_s[large].minus(&walls_s[small]);
        seconds.scaled(1e6 / (counts[large] - counts[small]))
    };
    let whole = "import, per observation: 10 million beside 100 thousand";
    let (small, large) = (&each_us[0], &each_us[2]);
    let after = "import, per observation: beyond the first million beside within it";
    let (within, beyond) = (between_us(0, 1), between_us(1, 2));
    Ok(vec![
        Row::ratio(whole, Unit::Micros, large, "100 thousand", small).below(1.3),
        Row::ratio(after, Unit::Micros, &beyond, "within", &within).below(1.3),
    ])
}
