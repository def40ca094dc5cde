//! Did one deployment fail more than another, and how sure is that?

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Exclusions;
use super::deployments::Deployed;
use super::failures::FailureRow;
use super::rates::{Interval, fisher_exact, newcombe_95};
use super::{Answer, Group, History, Question, Reading, Row};
use crate::Error;
use crate::model::Deployment;

/// Two deployments of one app side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// The app.
    pub app_id: String,
    /// The one.
    pub deployment_id: Deployment,
    /// Failed and stopped together.
    pub ended: u64,
    /// Failed.
    pub failed: u64,
    /// `failed` ÷ `ended`; none where none ended.
    pub rate: Option<f64>,
    /// Lower end of the rate's Wilson 95% interval.
    pub rate_low: Option<f64>,
    /// Upper end of the rate's Wilson 95% interval.
    pub rate_high: Option<f64>,
    /// The other, with the same numbers.
    pub other_deployment_id: Deployment,
    /// Of the other: failed and stopped together.
    pub other_ended: u64,
    /// Of the other: failed.
    pub other_failed: u64,
    /// Of the other: `failed` ÷ `ended`.
    pub other_rate: Option<f64>,
    /// Lower end of the other rate's Wilson 95% interval.
    pub other_rate_low: Option<f64>,
    /// Upper end of the other rate's Wilson 95% interval.
    pub other_rate_high: Option<f64>,
    /// The other's rate less the one's, between −1 and 1.
    pub difference: Option<f64>,
    /// Lower end of the difference's Newcombe 95% interval.
    pub difference_low: Option<f64>,
    /// Upper end of the difference's Newcombe 95% interval.
    pub difference_high: Option<f64>,
    /// Fisher's exact two-sided p.
    pub fisher_p: Option<f64>,
    /// What that says and what it does not, in a sentence or two for people.
    pub says: String,
}

impl Row for ComparisonRow {
    const FIELDS: &'static [&'static str] = &[
        "app_id",
        "deployment_id",
        "ended",
        "failed",
        "rate",
        "rate_low",
        "rate_high",
        "other_deployment_id",
        "other_ended",
        "other_failed",
        "other_rate",
        "other_rate_low",
        "other_rate_high",
        "difference",
        "difference_low",
        "difference_high",
        "fisher_p",
        "says",
    ];
}

impl History {
    /// The failure rates of two deployments, their difference with its interval, and Fisher's exact
    /// p, app by app: one row for each app that has a process of either in the window. Reckoned as in
    /// [`History::failures`]; the question's own deployments and grouping are not used.
    ///
    /// Deployments are meant by name, as in [`Question::deployment`]: the number 42 and the text "42"
    /// count together, and the row shows the one that came last.
    ///
    /// # Errors
    /// [`Error::UnknownDeployment`] if no process of either was ever recorded; [`Error::Sqlite`] or
    /// [`Error::Damaged`].
    pub fn compare_failures(
        &self,
        deployment: &str,
        other: &str,
        question: &Question,
    ) -> Result<Answer<ComparisonRow>, Error> {
        self.read(|reading| {
            let about = question
                .clone()
                .only_deployments([deployment, other].map(str::to_owned));
            let rows = reading.compared([deployment, other], question)?;
            reading.answer("failures", &about, Exclusions::default(), rows)
        })
    }
}

impl Reading<'_> {
    fn compared(&self, names: [&str; 2], question: &Question) -> Result<Vec<ComparisonRow>, Error> {
        let [one, other] = names.map(|name| self.deployment_named(name));
        let named = [one?, other?];
        let mut apps: BTreeMap<String, [FailureRow; 2]> = BTreeMap::new();
        for (n, name) in names.into_iter().enumerate() {
            let about = question
                .clone()
                .only_deployments([name.to_owned()])
                .only_by([Group::App]);
            for row in self.failures(&about)?.rows {
                let app_id = row.key.app_id.clone().unwrap_or_default();
                apps.entry(app_id).or_default()[n] = row;
            }
        }
        let known = self.deployments(&Question::default())?;
        let rows = apps.into_iter().map(|(app_id, counts)| {
            let id = |named: &Deployment| {
                let is_it = |d: &&Deployed| {
                    d.app_id == app_id && d.deployment_id.to_string() == named.to_string()
                };
                // They are in order of time; an app may have no such one.
                let latest = known.iter().rfind(is_it);
                latest.map_or(named, |d| &d.deployment_id).clone()
            };
            let ids = [id(&named[0]), id(&named[1])];
            compare(app_id, ids, counts)
        });
        Ok(rows.collect())
    }
}

fn compare(
    app_id: String,
    [a, b]: [Deployment; 2],
    [one, other]: [FailureRow; 2],
) -> ComparisonRow {
    let counts = [(one.failed, one.ended), (other.failed, other.ended)];
    let interval = newcombe_95(counts[1], counts[0]);
    let fisher_p = interval
        .is_some()
        .then(|| fisher_exact(counts[0], counts[1]));
    let difference = other.rate.zip(one.rate).map(|(b, a)| b - a);
    let says = match (one.rate, other.rate, difference, interval, fisher_p) {
        (Some(rate), Some(other_rate), Some(difference), Some(interval), Some(p)) => {
            let beside = one.lost + one.open + other.lost + other.open;
            verdict(&a, &b, [rate, other_rate, difference], interval, p, beside)
        }
        _ => {
            let none = match (one.ended, other.ended) {
                (0, 0) => format!("{a} or {b}"),
                (0, _) => a.to_string(),
                _ => b.to_string(),
            };
            format!("There is nothing to compare: no process of {none} ended in the window.")
        }
    };
    ComparisonRow {
        app_id,
        deployment_id: a,
        ended: one.ended,
        failed: one.failed,
        rate: one.rate,
        rate_low: one.rate_low,
        rate_high: one.rate_high,
        other_deployment_id: b,
        other_ended: other.ended,
        other_failed: other.failed,
        other_rate: other.rate,
        other_rate_low: other.rate_low,
        other_rate_high: other.rate_high,
        difference,
        difference_low: interval.map(|i| i.low),
        difference_high: interval.map(|i| i.high),
        fisher_p,
        says,
    }
}

fn verdict(
    a: &Deployment,
    b: &Deployment,
    [rate, other_rate, difference]: [f64; 3],
    interval: Interval,
    p: f64,
    beside: u64,
) -> String {
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    let points = |share: f64| format!("{:+.1}", share * 100.0);
    let range = format!(
        "{} to {} points",
        points(interval.low),
        points(interval.high)
    );
    let chance = match p {
        p if p < 0.000_1 => "p < 0.0001".to_owned(),
        p => format!("p = {p:.4}"),
    };
    // The two are different reckonings, and near the edge they may fall on either side of it.
    let excludes_none = interval.low > 0.0 || interval.high < 0.0;
    let mut text = if (p < 0.05) != excludes_none {
        format!(
            "Of {b} {} failed, of {a} {}: {} points, with 95% confidence {range}, and {chance} that chance \
             alone would part them so far. That is at the edge: it is no proof of a difference, and none \
             that there is none. More processes would tell.",
            percent(other_rate),
            percent(rate),
            points(difference),
        )
    } else if p < 0.05 {
        let more = if difference > 0.0 { "more" } else { "less" };
        format!(
            "Of {b} {} failed, of {a} {}: {} points, with 95% confidence {range}. If both failed \
             alike, chance alone would seldom part them so far ({chance}), so {b} most likely \
             fails {more} often. That does not say why: they ran at other times and perhaps in other places, under \
             another load.",
            percent(other_rate),
            percent(rate),
            points(difference),
        )
    } else {
        format!(
            "Of {b} {} failed, of {a} {}: {} points, which chance alone may well do ({chance}). That \
             does not say that they fail alike: with 95% confidence the difference is {range}, and \
             only more processes would tell.",
            percent(other_rate),
            percent(rate),
            points(difference),
        )
    };
    text.push_str(
        " Ends are taken as independent: a crash that took 20 at once counts as 20 (see `prochist \
         failures --bursts`).",
    );
    if beside > 0 {
        let are = if beside == 1 {
            "process is"
        } else {
            "processes are"
        };
        text.push_str(&format!(" {beside} open or lost {are} not counted."));
    }
    text
}
