//! The table of what was measured, with its spread and whether it meets its target. Pure.

use std::fmt::Write;

/// The same thing measured once a round.
#[derive(Clone, Debug, Default)]
pub struct Series(pub Vec<f64>);

impl Series {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The middle one, or half-way between the two in the middle.
    pub fn median(&self) -> f64 {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        }
    }

    /// This by that, round by round: what both had to bear in a round falls out.
    pub fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    pub fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a - b).collect())
    }

    pub fn scaled(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|value| value * factor).collect())
    }
}

impl From<f64> for Series {
    fn from(value: f64) -> Self {
        Self(vec![value])
    }
}

/// What a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Times,
    Seconds,
    Millis,
    Micros,
    Megabytes,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Times => "×",
            Self::Seconds => " s",
            Self::Millis => " ms",
            Self::Micros => " µs",
            Self::Megabytes => " MB",
        }
    }

    fn show(self, value: f64) -> String {
        let digits = match (self, value.abs()) {
            (Self::Times, _) => 2,
            (_, size) if size >= 100.0 => 0,
            (_, size) if size >= 10.0 => 1,
            _ => 2,
        };
        format!("{value:.digits$}{}", self.name())
    }
}

/// One measurement, and what it should be.
#[derive(Clone, Debug)]
pub struct Row {
    what: String,
    ours: String,
    yardstick: String,
    value: Series,
    unit: Unit,
    target: Option<Target>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    AtMost(f64),
    Below(f64),
}

impl Row {
    /// How many times the yardstick's this is.
    pub fn ratio(what: &str, unit: Unit, ours: &Series, name: &str, theirs: &Series) -> Self {
        Self {
            what: what.to_owned(),
            ours: unit.show(ours.median()),
            yardstick: format!("{name}: {}", unit.show(theirs.median())),
            value: ours.over(theirs),
            unit: Unit::Times,
            target: None,
        }
    }

    /// A number that is held against nothing but its target.
    pub fn number(what: &str, unit: Unit, value: Series) -> Self {
        Self {
            what: what.to_owned(),
            ours: unit.show(value.median()),
            yardstick: String::new(),
            value,
            unit,
            target: None,
        }
    }

    /// Names another's number beside it, for comparison.
    pub fn beside(self, name: &str, theirs: &Series) -> Self {
        let yardstick = format!("{name}: {}", self.unit.show(theirs.median()));
        Self { yardstick, ..self }
    }

    pub fn at_most(self, target: f64) -> Self {
        let target = Some(Target::AtMost(target));
        Self { target, ..self }
    }

    pub fn below(self, target: f64) -> Self {
        let target = Some(Target::Below(target));
        Self { target, ..self }
    }

    fn cells(&self) -> [String; 8] {
        let median = self.value.median();
        let (target, met) = match self.target {
            None => (String::new(), ""),
            Some(Target::AtMost(most)) => (
                format!("≤ {}", self.unit.show(most)),
                verdict(median <= most),
            ),
            Some(Target::Below(limit)) => (
                format!("< {}", self.unit.show(limit)),
                verdict(median < limit),
            ),
        };
        [
            self.what.clone(),
            self.ours.clone(),
            self.yardstick.clone(),
            self.unit.show(self.value.min()),
            self.unit.show(median),
            self.unit.show(self.value.max()),
            target,
            met.to_owned(),
        ]
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "yes" } else { "NO" }
}

const HEADER: [&str; 8] = [
    "measured",
    "prochist",
    "yardstick",
    "min",
    "median",
    "max",
    "target",
    "met",
];

/// The table as lines of text: in columns, or as Markdown.
pub fn table(rows: &[Row], markdown: bool) -> String {
    let cells: Vec<[String; 8]> = [HEADER.map(str::to_owned)]
        .into_iter()
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..8).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        let padded = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                // Numbers to the right.
                let width = *width;
                if matches!(column, 1 | 3..=5) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        let padded: Vec<String> = padded.collect();
        let line = if markdown {
            format!("| {} |", padded.join(" | "))
        } else {
            padded.join("  ").trim_end().to_owned()
        };
        let _ = writeln!(text, "{line}"); // writing to a text cannot fail
        if markdown && number == 0 {
            text.push_str("| --- | ---: | --- | ---: | ---: | ---: | --- | --- |\n");
        }
    }
    text
}
