//! Which deployments there were, and in which order they came. Their ids need not be numbers, so it is
//! the creation of their first process that tells.

use super::answer::NeverRecorded;
use super::question::FILTER;
use super::{History, Question, Reading};
use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, UtcMillis};
use crate::store::{deployment, time};

/// A deployment of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The app.
    pub app_id: String,
    /// The deployment.
    pub deployment_id: Deployment,
    /// When the first of its processes was created.
    pub first_created_at: UtcMillis,
}

/// Where there are processes: what is kept of most, and the rows of those that came since.
pub(super) const PLACES: &str =
    "SELECT app, region, deployment, processes, lost, first_created_ms, last_created_ms,
            first_seen_ms
     FROM place
     UNION ALL
     SELECT app, region, deployment, 1, outcome = 'lost', created_ms, created_ms, first_seen_ms
     FROM process WHERE process_key > (SELECT process_key FROM placed)";

impl History {
    /// The deployments of the apps and in the regions asked about, app by app in order of the creation
    /// of their first process; the window is not used.
    ///
    /// # Errors
    /// [`Error::Sqlite`] or [`Error::Damaged`].
    pub fn deployments(&self, question: &Question) -> Result<Vec<Deployed>, Error> {
        self.read(|reading| reading.deployments(question))
    }
}

impl Reading<'_> {
    /// The deployments of the apps and in the regions asked about, app by app in order of time.
    pub fn deployments(&self, question: &Question) -> Result<Vec<Deployed>, Error> {
        let mut statement = self
            .db
            .prepare_cached(&format!(
                "SELECT app_id, deployment_id, min(first_created_ms) AS first_ms
                 FROM (SELECT a.text AS app_id, r.text AS region, p.deployment AS deployment_id,
                              p.first_created_ms
                       FROM ({PLACES}) p
                       JOIN word a ON a.word_id = p.app
                       JOIN word r ON r.word_id = p.region)
                 WHERE {FILTER}
                 GROUP BY app_id, deployment_id ORDER BY app_id, first_ms, deployment_id"
            ))
            .doing("read deployments")?;
        let mut rows = statement
            .query(&question.filter().and(&[])[..])
            .doing("read deployments")?;
        let mut deployments = Vec::new();
        while let Some(row) = rows.next().doing("read deployments")? {
            deployments.push(Deployed {
                app_id: row.get(0).doing("read deployments")?,
                deployment_id: deployment(row, 1)?,
                first_created_at: time(row, 2)?,
            });
        }
        Ok(deployments)
    }

    /// The deployment of that name in any app.
    ///
    /// # Errors
    /// [`Error::UnknownDeployment`] if there is none.
    pub fn deployment_named(&self, name: &str) -> Result<Deployment, Error> {
        let mut all = self.deployments(&Question::default())?;
        all.sort_by_key(|deployed| std::cmp::Reverse(deployed.first_created_at));
        let ids = all.into_iter().map(|deployed| deployed.deployment_id);
        let mut known = Vec::new();
        for id in ids {
            let id_name = id.to_string();
            if id_name == name {
                return Ok(id);
            }
            if known.len() < NeverRecorded::MOST && !known.contains(&id_name) {
                known.push(id_name);
            }
        }
        Err(Error::UnknownDeployment {
            deployment: name.to_owned(),
            known,
        })
    }
}
