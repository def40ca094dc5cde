//! Texts, endpoints and ports that repeat, each stored once and known by its number.
//!
//! The numbers already looked up are remembered, up to a bound, because a fleet repeats itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, named_params};

use crate::Error;
use crate::error::Doing;
use crate::model::{Deployment, Difference, ExposedPort, Process, transport_of};

/// How many texts, and how many ports, are remembered before all are forgotten at once.
const REMEMBERED: usize = 20_000;

/// The word that stands for "no text".
pub(crate) const NO_WORD: i64 = 0;

/// Numbers of texts and ports.
#[derive(Debug, Default)]
pub(super) struct Words {
    words: HashMap<String, i64>,
    ports: HashMap<ExposedPort, PortIds>,
    /// App, region and status of what was seen, as far as it is known to be in the file.
    seen: HashSet<(i64, i64, i64)>,
    /// The texts that name which known fields differ, by the fields.
    changes: HashMap<u16, i64>,
    /// The texts of numbers.
    texts: HashMap<i64, Arc<str>>,
}

/// A port's own number, and that of the endpoint it occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortIds {
    pub exposed_port: i64,
    pub endpoint: i64,
}

/// A state as its row holds it.
#[derive(Clone, Debug)]
pub(super) struct StateIds {
    pub app: i64,
    pub region: i64,
    pub status: i64,
    pub extra: i64,
    pub ports: Arc<PortsOfState>,
}

/// The ports of a state.
#[derive(Debug, Default)]
pub(super) struct PortsOfState {
    pub exposed: Option<i64>,
    /// A JSON array of numbers.
    pub additional: Option<String>,
    pub endpoints: Vec<i64>,
}

impl Words {
    /// Forgets everything, because a transaction that stored some of it was rolled back.
    pub fn forget(&mut self) {
        self.words.clear();
        self.ports.clear();
        self.seen.clear();
        self.changes.clear();
        self.texts.clear();
    }

    /// The numbers of all that repeats in a state.
    pub fn state(&mut self, db: &Connection, process: &Process) -> Result<StateIds, Error> {
        let ids = StateIds {
            app: self.word(db, &process.app_id)?,
            region: self.word(db, &process.region)?,
            status: self.word(db, &process.status)?,
            extra: Self::extra(db, &process.extra)?,
            ports: self.ports_of(db, process)?,
        };
        self.see(db, &ids)?;
        Ok(ids)
    }

    /// The same, from those of an earlier state, where it is known in what it differs.
    pub fn state_after(
        &mut self,
        db: &Connection,
        process: &Process,
        mut ids: StateIds,
        difference: Difference,
    ) -> Result<StateIds, Error> {
        if difference.touches(Difference::PLACE) {
            ids.app = self.word(db, &process.app_id)?;
            ids.region = self.word(db, &process.region)?;
            ids.status = self.word(db, &process.status)?;
            self.see(db, &ids)?;
        }
        if difference.touches(Difference::PORTS) {
            ids.ports = self.ports_of(db, process)?;
        }
        if difference.unknown {
            ids.extra = Self::extra(db, &process.extra)?;
        }
        Ok(ids)
    }

    fn ports_of(&mut self, db: &Connection, process: &Process) -> Result<Arc<PortsOfState>, Error> {
        let mut ports = PortsOfState::default();
        if let Some(port) = &process.exposed_port {
            let ids = self.port(db, port)?;
            ports.exposed = Some(ids.exposed_port);
            ports.endpoints.push(ids.endpoint);
        }
        let mut additional = Vec::with_capacity(process.additional_exposed_ports.len());
        for port in &process.additional_exposed_ports {
            let ids = self.port(db, port)?;
            additional.push(ids.exposed_port.to_string());
            ports.endpoints.push(ids.endpoint);
        }
        ports.endpoints.sort_unstable();
        ports.endpoints.dedup();
        ports.additional = (!additional.is_empty()).then(|| format!("[{}]", additional.join(",")));
        Ok(Arc::new(ports))
    }

    /// The number of the text that names what changed from one state to the next.
    pub fn changed(
        &mut self,
        db: &Connection,
        process: &Process,
        earlier: &Process,
        difference: Difference,
    ) -> Result<i64, Error> {
        if let Some(id) = self.changes.get(&difference.known)
            && !difference.unknown
        {
            return Ok(*id);
        }
        let id = self.word(db, &process.changed_since(earlier).join(","))?;
        if !difference.unknown {
            self.changes.insert(difference.known, id);
        }
        Ok(id)
    }

    /// The text of a number.
    pub fn text(&mut self, db: &Connection, id: i64) -> Result<Arc<str>, Error> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = db
            .prepare_cached("SELECT text FROM word WHERE word_id = ?1")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
            .doing("look up a text")?;
        if self.texts.len() >= REMEMBERED {
            self.texts.clear();
        }
        self.texts.insert(id, Arc::clone(&text));
        Ok(text)
    }

    /// The number of a text; it is stored if it is new.
    pub fn word(&mut self, db: &Connection, text: &str) -> Result<i64, Error> {
        if let Some(&id) = self.words.get(text) {
            return Ok(id);
        }
        let id = stored_word(db, text)?;
        if self.words.len() >= REMEMBERED {
            self.words.clear();
        }
        self.words.insert(text.to_owned(), id);
        Ok(id)
    }

    /// Learns in which regions and statuses there are processes.
    fn see(&mut self, db: &Connection, ids: &StateIds) -> Result<(), Error> {
        let seen = (ids.app, ids.region, ids.status);
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        if self.seen.insert(seen) {
            db.prepare_cached("INSERT OR IGNORE INTO seen_filter VALUES (:app, :region, :status)")
                .and_then(|mut statement| {
                    statement.execute(named_params! {
                        ":app": seen.0, ":region": seen.1, ":status": seen.2,
                    })
                })
                .doing("record what was seen")?;
        }
        Ok(())
    }

    fn extra(db: &Connection, extra: &crate::model::Extra) -> Result<i64, Error> {
        if extra.is_empty() {
            return Ok(NO_WORD);
        }
        // Mostly one process's own, so remembering it would only push others out.
        stored_word(db, &extra.to_string())
    }

    fn port(&mut self, db: &Connection, port: &ExposedPort) -> Result<PortIds, Error> {
        if let Some(&ids) = self.ports.get(port) {
            return Ok(ids);
        }
        let endpoint = find_or_insert(
            db,
            "SELECT endpoint_id FROM endpoint
             WHERE host = :host AND port = :port AND transport = :transport",
            "INSERT INTO endpoint (host, port, transport) VALUES (:host, :port, :transport)",
            named_params! {
                ":host": self.word(db, &port.host)?,
                ":port": port.port,
                ":transport": self.word(db, transport_of(&port.transport_type))?,
            },
        )?;
        let exposed_port = find_or_insert(
            db,
            "SELECT exposed_port_id FROM exposed_port
             WHERE endpoint_id = :endpoint AND transport_type = :type AND name = :name
               AND extra = :extra",
            "INSERT INTO exposed_port (endpoint_id, transport_type, name, extra)
             VALUES (:endpoint, :type, :name, :extra)",
            named_params! {
                ":endpoint": endpoint,
                ":type": self.word(db, &port.transport_type)?,
                ":name": self.word(db, &port.name)?,
                ":extra": Self::extra(db, &port.extra)?,
            },
        )?;
        let ids = PortIds {
            exposed_port,
            endpoint,
        };
        if self.ports.len() >= REMEMBERED {
            self.ports.clear();
        }
        self.ports.insert(port.clone(), ids);
        Ok(ids)
    }
}

/// A deployment as a column of any type holds it: a number stays a number.
impl rusqlite::ToSql for Deployment {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Number(number) => number.to_sql(),
            Self::Name(name) => name.to_sql(),
        }
    }
}

fn stored_word(db: &Connection, text: &str) -> Result<i64, Error> {
    find_or_insert(
        db,
        "SELECT word_id FROM word WHERE text = :text",
        "INSERT INTO word (text) VALUES (:text)",
        named_params! { ":text": text },
    )
}

fn find_or_insert(
    db: &Connection,
    find: &str,
    insert: &str,
    values: &[(&str, &dyn rusqlite::ToSql)],
) -> Result<i64, Error> {
    let found = db
        .prepare_cached(find)
        .and_then(|mut statement| statement.query_row(values, |row| row.get(0)).optional())
        .doing("look up a text")?;
    if let Some(id) = found {
        return Ok(id);
    }
    db.prepare_cached(insert)
        .and_then(|mut statement| statement.insert(values))
        .doing("store a text")
}
