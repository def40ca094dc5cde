//! What several tests need: records made by hand, and the whole content of a database as text.
#![allow(dead_code)] // each test file uses some of it
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use prochist::model::{Deployment, ExposedPort, Extra, Process, UtcMillis};
use rusqlite::{Connection, OpenFlags, types::ValueRef};

pub fn at(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis).unwrap()
}

/// A process that is starting: created at `created` ms, on no port yet.
pub fn process(id: &str, created: i64) -> Process {
    Process {
        process_id: id.to_owned(),
        app_id: "app-1".to_owned(),
        deployment_id: Deployment::Number(1),
        region: "Tokyo".to_owned(),
        status: "starting".to_owned(),
        rooms_allocated: 0,
        rooms_per_process: 3,
        created_at: at(created),
        started_at: None,
        stopping_at: None,
        terminated_at: None,
        exposed_port: None,
        additional_exposed_ports: Vec::new(),
        extra: Extra::default(),
    }
}

pub fn port(host: &str, port: i64, transport_type: &str) -> ExposedPort {
    ExposedPort {
        host: host.to_owned(),
        port,
        name: "default".to_owned(),
        transport_type: transport_type.to_owned(),
        extra: Extra::default(),
    }
}

/// The answers that may not depend on how history came in: every column of the views about
/// processes, in an order of its own.
pub fn answers(path: &Path) -> String {
    let db = open(path);
    let mut out = String::new();
    for (view, order) in [
        ("processes", "process_id"),
        ("process_versions", "process_id, version"),
        (
            "port_holds",
            "host, port, transport, held_from_ms, process_id",
        ),
        ("lifetimes", "process_id"),
    ] {
        out.push_str(&dump(
            &db,
            &format!("SELECT * FROM {view} ORDER BY {order}"),
        ));
    }
    out
}

/// Everything but the ledger, row for row.
pub fn tables(path: &Path) -> String {
    let db = open(path);
    [
        "word",
        "stream",
        "snapshot",
        "process",
        "sighting",
        "complete_look",
        "complete_app",
        "unknown_look",
        "endpoint",
        "exposed_port",
        "version",
        "hold",
    ]
    .map(|table| dump(&db, &format!("SELECT * FROM {table}")))
    .concat()
}

pub fn open(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The rows of a query, a line each, columns named.
pub fn dump(db: &Connection, sql: &str) -> String {
    let mut statement = db.prepare(sql).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut out = String::new();
    while let Some(row) = rows.next().unwrap() {
        for (i, name) in names.iter().enumerate() {
            let value = match row.get_ref(i).unwrap() {
                ValueRef::Null => continue,
                ValueRef::Integer(n) => n.to_string(),
                ValueRef::Real(x) => x.to_string(),
                ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
                ValueRef::Blob(b) => format!("{b:?}"),
            };
            out.push_str(&format!("{name}={value} "));
        }
        out.push('\n');
    }
    out
}

pub fn one<T: rusqlite::types::FromSql>(db: &Connection, sql: &str) -> T {
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}
