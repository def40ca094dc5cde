//! Reads processes from the file, to remember them.

use std::sync::Arc;

use rusqlite::{Connection, Row, named_params};

use super::recorder::{Recorder, Stream};
use super::rows::{deployment, optional_time, time};
use super::tracked::{Hold, Sighting, Tracked, Unwritten};
use super::words::{NO_WORD, PortsOfState, StateIds, Words};
use crate::Error;
use crate::error::Doing;
use crate::model::{ExposedPort, Extra, Outcome, Process};

const DOING: &str = "look up a process";

/// A process, its latest version and the port of that, from `process p`.
const COLUMNS: &str = "p.process_id, v.deployment, v.rooms_allocated, v.rooms_per_process,
     v.created_ms, v.started_ms, v.stopping_ms, v.terminated_ms,
     v.app, v.region, v.status, v.extra, v.exposed_port, v.additional_ports,
     e.endpoint_id, e.host, e.port, x.transport_type, x.name, x.extra,
     p.process_key, p.versions, p.outcome, p.first_seen_ms, p.lost_ms, s.first_ms";
const LATEST: &str = "JOIN version v ON v.process_key = p.process_key AND v.version = p.versions
     LEFT JOIN exposed_port x ON x.exposed_port_id = v.exposed_port
     LEFT JOIN endpoint e ON e.endpoint_id = x.endpoint_id";
const LAST_SEEN: &str = "(SELECT max(coalesce(i.last_ms, t.last_ms))
     FROM sighting i JOIN stream t USING (stream_id) WHERE i.process_key = p.process_key)";

impl Recorder {
    /// A process that is in the file, as it is there.
    pub(super) fn load(
        &mut self,
        db: &Connection,
        process_id: &str,
    ) -> Result<Option<Box<Tracked>>, Error> {
        let mut statement = db
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, coalesce(p.last_seen_ms, {LAST_SEEN})
                 FROM process p
                 LEFT JOIN sighting s ON s.process_key = p.process_key
                      AND s.stream_id = :stream AND s.last_ms IS NULL
                 {LATEST}
                 WHERE p.process_id = :process_id"
            ))
            .doing(DOING)?;
        let stream = self.stream();
        let mut rows = statement
            .query(named_params! {
                ":process_id": process_id, ":stream": stream.map(|stream| stream.id),
            })
            .doing(DOING)?;
        match rows.next().doing(DOING)? {
            Some(row) => read(db, row, &mut self.words, stream).map(Some),
            None => Ok(None),
        }
    }

    /// Remembers what the stream's latest snapshot showed, so that those that the next one no
    /// longer shows are noticed.
    pub(super) fn load_latest_snapshot(&mut self, db: &Connection) -> Result<(), Error> {
        let Some(stream) = self.stream() else {
            return Ok(());
        };
        // Whatever another stream has seen since can only be told sighting by sighting, whether that stream
        // is over or not.
        let others_may_have_seen = self.others_open() || is_later_look(db, stream.last_ms)?;
        let last_seen = match others_may_have_seen {
            true => LAST_SEEN,
            false => ":last",
        };
        let mut statement = db
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, {last_seen}
                 FROM sighting s
                 JOIN process p ON p.process_key = s.process_key
                 {LATEST}
                 WHERE s.stream_id = :stream AND s.last_ms IS NULL AND :last IS NOT NULL"
            ))
            .doing("read the latest snapshot")?;
        let mut rows = statement
            .query(named_params! { ":stream": stream.id, ":last": stream.last_ms })
            .doing("read the latest snapshot")?;
        while let Some(row) = rows.next().doing("read the latest snapshot")? {
            let tracked = read(db, row, &mut self.words, Some(stream))?;
            let place = self.roster.add(tracked);
            self.roster.show(place);
        }
        self.roster.turn();
        Ok(())
    }
}

/// Whether anything looked later than this.
fn is_later_look(db: &Connection, last_ms: i64) -> Result<bool, Error> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM snapshot WHERE observed_at_ms > :last)")
        .and_then(|mut statement| {
            statement.query_row(named_params! { ":last": last_ms }, |row| row.get(0))
        })
        .doing("read the latest snapshot")
}

fn read(
    db: &Connection,
    row: &Row<'_>,
    words: &mut Words,
    stream: Option<Stream>,
) -> Result<Box<Tracked>, Error> {
    let number = |i: usize| row.get::<_, i64>(i).doing(DOING);
    let maybe = |i: usize| row.get::<_, Option<i64>>(i).doing(DOING);
    let mut ports = PortsOfState {
        exposed: maybe(12)?,
        additional: row.get(13).doing(DOING)?,
        endpoints: maybe(14)?.into_iter().collect(),
    };
    let exposed_port = match ports.exposed {
        Some(_) => Some(ExposedPort {
            host: words.text(db, number(15)?)?.as_ref().to_owned(),
            port: number(16)?,
            transport_type: words.text(db, number(17)?)?.as_ref().to_owned(),
            name: words.text(db, number(18)?)?.as_ref().to_owned(),
            extra: extra(db, words, number(19)?)?,
        }),
        None => None,
    };
    let mut additional_exposed_ports = Vec::new();
    if let Some(ids) = &ports.additional {
        for id in serde_json::from_str::<Vec<i64>>(ids).map_err(|_| Error::Damaged {
            what: format!("the list of ports {ids:?}"),
        })? {
            let (port, endpoint) = port(db, words, id)?;
            additional_exposed_ports.push(port);
            ports.endpoints.push(endpoint);
        }
    }
    ports.endpoints.sort_unstable();
    ports.endpoints.dedup();
    let ids = StateIds {
        app: number(8)?,
        region: number(9)?,
        status: number(10)?,
        extra: number(11)?,
        ports: Arc::new(ports),
    };
    let latest = Process {
        process_id: row.get(0).doing(DOING)?,
        app_id: words.text(db, ids.app)?.as_ref().to_owned(),
        deployment_id: deployment(row, 1)?,
        region: words.text(db, ids.region)?.as_ref().to_owned(),
        status: words.text(db, ids.status)?.as_ref().to_owned(),
        rooms_allocated: number(2)?,
        rooms_per_process: number(3)?,
        created_at: time(row, 4)?,
        started_at: optional_time(row, 5)?,
        stopping_at: optional_time(row, 6)?,
        terminated_at: optional_time(row, 7)?,
        exposed_port,
        additional_exposed_ports,
        extra: extra(db, words, ids.extra)?,
    };
    let outcome = row.get_ref(22).doing(DOING)?.as_str().unwrap_or_default();
    let sighting = maybe(25)?.map(|first_ms| Sighting {
        first_ms,
        is_written: true,
    });
    Ok(Box::new(Tracked {
        key: number(20)?,
        versions: number(21)?,
        outcome: Outcome::from_name(outcome).ok_or_else(|| Error::Damaged {
            what: format!("the outcome {outcome:?}"),
        })?,
        first_seen_ms: number(23)?,
        lost_ms: maybe(24)?,
        last_seen_ms: number(26)?,
        seen_here_ms: match (sighting, stream) {
            (Some(_), Some(stream)) => stream.last_ms,
            _ => i64::MIN,
        },
        sighting,
        latest: Arc::new(latest),
        ids: Some(ids),
        seen_ended_ms: None,
        holds: None,
        late: None,
        unwritten: Unwritten::Nothing,
        pending_version: None,
    }))
}

fn extra(db: &Connection, words: &mut Words, id: i64) -> Result<Extra, Error> {
    if id == NO_WORD {
        return Ok(Extra::default());
    }
    let json = words.text(db, id)?;
    serde_json::from_str(&json).map_err(|_| Error::Damaged {
        what: format!("the unknown fields {json:?}"),
    })
}

/// A port and the endpoint that it occupies.
fn port(db: &Connection, words: &mut Words, id: i64) -> Result<(ExposedPort, i64), Error> {
    let [endpoint, host, port, transport_type, name, more] = db
        .prepare_cached(
            "SELECT e.endpoint_id, e.host, e.port, x.transport_type, x.name, x.extra
             FROM exposed_port x JOIN endpoint e USING (endpoint_id) WHERE x.exposed_port_id = ?1",
        )
        .and_then(|mut statement| {
            statement.query_row([id], |row| {
                let mut numbers = [0; 6];
                for (i, number) in numbers.iter_mut().enumerate() {
                    *number = row.get(i)?;
                }
                Ok(numbers)
            })
        })
        .doing("look up a port")?;
    let port = ExposedPort {
        host: words.text(db, host)?.as_ref().to_owned(),
        port,
        transport_type: words.text(db, transport_type)?.as_ref().to_owned(),
        name: words.text(db, name)?.as_ref().to_owned(),
        extra: extra(db, words, more)?,
    };
    Ok((port, endpoint))
}

/// The holds of a process that the file has.
pub(super) fn holds(db: &Connection, process_key: i64) -> Result<Vec<Hold>, Error> {
    db.prepare_cached(
        "SELECT endpoint_id, held_from_ms, held_until_ms FROM hold WHERE process_key = ?1
         ORDER BY endpoint_id",
    )
    .and_then(|mut statement| {
        statement
            .query_map([process_key], |row| {
                let (from_ms, until_ms) = (row.get(1)?, row.get(2)?);
                Ok(Hold {
                    endpoint: row.get(0)?,
                    from_ms,
                    until_ms,
                    seen_ms: None,
                    written: Some((from_ms, until_ms)),
                })
            })?
            .collect()
    })
    .doing(DOING)
}
