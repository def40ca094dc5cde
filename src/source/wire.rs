//! The JSON of `ProcessV2`, read without losing anything and written back as it came.
//!
//! Strict where a wrong guess would invent a fact: a required field that is missing, a field given
//! twice and a number that is none are errors. Lenient where nothing is lost: the nullable fields
//! and `additionalExposedPorts` may be left out, as encoders that omit empty values do, and no
//! additional ports may be written as null, as encoders that know no empty list do.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{ExposedPort, Extra, Process};

/// The additional ports of a process that are read. The API has two at most; the work of recording
/// grows with their square, and no process has a hundred thousand.
const MAX_PORTS: usize = 1024;

/// Reads one process from its JSON text.
///
/// # Errors
/// What is wrong with the text, in one line, with its place.
pub fn parse_process(json: &str) -> Result<Process, serde_json::Error> {
    serde_json::from_str(json)
}

/// Writes one process as the API would: camelCase, times in UTC with milliseconds, unknown fields
/// at the end.
pub fn write_process(process: &Process) -> String {
    // Only a value that is no JSON can fail here, and `Extra` holds none.
    serde_json::to_string(process).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Process;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a ProcessV2 object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Process, A::Error> {
                let mut process_id = None;
                let mut app_id = None;
                let mut deployment_id = None;
                let mut region = None;
                let mut status = None;
                let mut rooms_allocated = None;
                let mut rooms_per_process = None;
                let mut created_at = None;
                let mut started_at = None;
                let mut stopping_at = None;
                let mut terminated_at = None;
                let mut exposed_port = None;
                let mut additional_exposed_ports = None;
                let mut extra = Extra::default();
                while let Some(Key(name)) = map.next_key()? {
                    match &*name {
                        "processId" => read(&mut map, "processId", &mut process_id)?,
                        "appId" => read(&mut map, "appId", &mut app_id)?,
                        "deploymentId" => read(&mut map, "deploymentId", &mut deployment_id)?,
                        "region" => read(&mut map, "region", &mut region)?,
                        "status" => read(&mut map, "status", &mut status)?,
                        "roomsAllocated" => read(&mut map, "roomsAllocated", &mut rooms_allocated)?,
                        "roomsPerProcess" => {
                            read(&mut map, "roomsPerProcess", &mut rooms_per_process)?;
                        }
                        "createdAt" => read(&mut map, "createdAt", &mut created_at)?,
                        "startedAt" => read(&mut map, "startedAt", &mut started_at)?,
                        "stoppingAt" => read(&mut map, "stoppingAt", &mut stopping_at)?,
                        "terminatedAt" => read(&mut map, "terminatedAt", &mut terminated_at)?,
                        "exposedPort" => read(&mut map, "exposedPort", &mut exposed_port)?,
                        "additionalExposedPorts" => read(
                            &mut map,
                            "additionalExposedPorts",
                            &mut additional_exposed_ports,
                        )?,
                        _ => keep(&mut map, name, &mut extra)?,
                    }
                }
                let additional_exposed_ports: Vec<ExposedPort> =
                    additional_exposed_ports.flatten().unwrap_or_default();
                if additional_exposed_ports.len() > MAX_PORTS {
                    return Err(A::Error::custom(format!(
                        "additionalExposedPorts: {} ports, and {MAX_PORTS} are the most",
                        additional_exposed_ports.len()
                    )));
                }
                Ok(Process {
                    process_id: required(process_id, "processId")?,
                    app_id: required(app_id, "appId")?,
                    deployment_id: required(deployment_id, "deploymentId")?,
                    region: required(region, "region")?,
                    status: required(status, "status")?,
                    rooms_allocated: required(rooms_allocated, "roomsAllocated")?,
                    rooms_per_process: required(rooms_per_process, "roomsPerProcess")?,
                    created_at: required(created_at, "createdAt")?,
                    started_at: started_at.flatten(),
                    stopping_at: stopping_at.flatten(),
                    terminated_at: terminated_at.flatten(),
                    exposed_port: exposed_port.flatten(),
                    additional_exposed_ports,
                    extra,
                })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for ExposedPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = ExposedPort;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an exposed port object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExposedPort, A::Error> {
                let mut host = None;
                let mut port = None;
                let mut name = None;
                let mut transport_type = None;
                let mut extra = Extra::default();
                while let Some(Key(key)) = map.next_key()? {
                    match &*key {
                        "host" => read(&mut map, "host", &mut host)?,
                        "port" => read(&mut map, "port", &mut port)?,
                        "name" => read(&mut map, "name", &mut name)?,
                        "transportType" => read(&mut map, "transportType", &mut transport_type)?,
                        _ => keep(&mut map, key, &mut extra)?,
                    }
                }
                Ok(ExposedPort {
                    host: required(host, "host")?,
                    port: required(port, "port")?,
                    name: required(name, "name")?,
                    transport_type: required(transport_type, "transportType")?,
                    extra,
                })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A field name, borrowed from the text wherever it has no escapes: a record has some twenty names,
/// and a copy of each would cost more than the rest of the reading.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn read<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    name: &'static str,
    slot: &mut Option<T>,
) -> Result<(), A::Error> {
    if slot.is_some() {
        map.next_value::<IgnoredAny>()?;
        return Err(A::Error::duplicate_field(name));
    }
    match map.next_value() {
        Ok(value) => {
            *slot = Some(value);
            Ok(())
        }
        Err(e) => Err(A::Error::custom(format_args!("{name}: {e}"))),
    }
}

fn keep<'de, A: MapAccess<'de>>(
    map: &mut A,
    name: Cow<'de, str>,
    extra: &mut Extra,
) -> Result<(), A::Error> {
    let json: Box<RawValue> = map.next_value()?;
    extra
        .insert(name.as_ref().to_owned(), json.get())
        // The name is the sender's, and a reason is one line.
        .map_err(|e| A::Error::custom(format_args!("{}: {e}", name.escape_debug())))
}

fn required<T, E: serde::de::Error>(value: Option<T>, name: &'static str) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(name))
}

impl Serialize for Process {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("processId", &self.process_id)?;
        map.serialize_entry("appId", &self.app_id)?;
        map.serialize_entry("deploymentId", &self.deployment_id)?;
        map.serialize_entry("region", &self.region)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("roomsAllocated", &self.rooms_allocated)?;
        map.serialize_entry("roomsPerProcess", &self.rooms_per_process)?;
        map.serialize_entry("createdAt", &self.created_at)?;
        map.serialize_entry("startedAt", &self.started_at)?;
        map.serialize_entry("stoppingAt", &self.stopping_at)?;
        map.serialize_entry("terminatedAt", &self.terminated_at)?;
        map.serialize_entry("exposedPort", &self.exposed_port)?;
        map.serialize_entry("additionalExposedPorts", &self.additional_exposed_ports)?;
        self.extra.serialize_into(&mut map)?;
        map.end()
    }
}

impl Serialize for ExposedPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("host", &self.host)?;
        map.serialize_entry("port", &self.port)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("transportType", &self.transport_type)?;
        self.extra.serialize_into(&mut map)?;
        map.end()
    }
}
