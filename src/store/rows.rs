//! A process's state read back from the views, whole.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Process, UtcMillis};

/// The columns of `processes` and `process_versions` that make up a state, in the order that
/// [`process_from_row`] reads them.
pub(crate) const STATE_COLUMNS: &str = "process_id, app_id, deployment_id, region, status, \
     rooms_allocated, rooms_per_process, created_at_ms, started_at_ms, stopping_at_ms, \
     terminated_at_ms, exposed_port, additional_exposed_ports, extra";

/// How many columns a state takes: the index of the first one after it.
pub(crate) const STATE_WIDTH: usize = 14;

/// Reads a state from a row that begins with [`STATE_COLUMNS`].
pub(crate) fn process_from_row(row: &Row<'_>) -> Result<Process, Error> {
    let text = |i: usize| row.get::<_, String>(i).doing("read a process");
    Ok(Process {
        process_id: text(0)?,
        app_id: text(1)?,
        deployment_id: deployment(row, 2)?,
        region: text(3)?,
        status: text(4)?,
        rooms_allocated: row.get(5).doing("read a process")?,
        rooms_per_process: row.get(6).doing("read a process")?,
        created_at: time(row, 7)?,
        started_at: optional_time(row, 8)?,
        stopping_at: optional_time(row, 9)?,
        terminated_at: optional_time(row, 10)?,
        exposed_port: json(row, 11)?,
        additional_exposed_ports: json(row, 12)?.unwrap_or_default(),
        extra: json(row, 13)?.unwrap_or_default(),
    })
}

pub(crate) fn time(row: &Row<'_>, index: usize) -> Result<UtcMillis, Error> {
    optional_time(row, index)?.ok_or_else(|| Error::Damaged {
        what: "a process without a required time".to_owned(),
    })
}

pub(crate) fn optional_time(row: &Row<'_>, index: usize) -> Result<Option<UtcMillis>, Error> {
    let millis: Option<i64> = row.get(index).doing("read a time")?;
    millis.map(to_time).transpose()
}

pub(crate) fn to_time(millis: i64) -> Result<UtcMillis, Error> {
    UtcMillis::from_millis(millis).map_err(|_| Error::Damaged {
        what: format!("the time {millis} ms"),
    })
}

pub(crate) fn deployment(row: &Row<'_>, index: usize) -> Result<Deployment, Error> {
    match row.get_ref(index).doing("read a deployment")? {
        ValueRef::Integer(number) => Ok(Deployment::Number(number)),
        ValueRef::Text(name) => Ok(Deployment::Name(String::from_utf8_lossy(name).into_owned())),
        other => Err(Error::Damaged {
            what: format!("a deployment of type {}", other.data_type()),
        }),
    }
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, index: usize) -> Result<Option<T>, Error> {
    let text = match row.get_ref(index).doing("read a process")? {
        ValueRef::Text(text) => text,
        _ => return Ok(None),
    };
    serde_json::from_slice(text)
        .map(Some)
        .map_err(|e| Error::Damaged {
            what: format!("JSON that does not read back ({e})"),
        })
}
