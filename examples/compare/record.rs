//! One archived record in borrowed structs, as `serde_json` fills them: what parsing alone costs.

use std::borrow::Cow;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One line of the archive.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    pub observed_at: &'a str,
    #[serde(borrow)]
    pub processes: Vec<Record<'a>>,
}

/// A process as it came. The times stay texts. What a platform makes up itself cannot hold an
/// escape; names that people choose can.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    pub process_id: &'a str,
    pub app_id: &'a str,
    pub deployment_id: i64,
    #[serde(borrow)]
    pub region: Cow<'a, str>,
    pub status: &'a str,
    pub rooms_allocated: i64,
    pub rooms_per_process: i64,
    pub created_at: &'a str,
    pub started_at: Option<&'a str>,
    pub stopping_at: Option<&'a str>,
    pub terminated_at: Option<&'a str>,
    #[serde(borrow)]
    pub exposed_port: Option<Port<'a>>,
    #[serde(borrow)]
    pub additional_exposed_ports: &'a RawValue,
}

/// The port that a process serves on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port<'a> {
    #[serde(borrow)]
    pub host: Cow<'a, str>,
    pub port: i64,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    pub transport_type: &'a str,
}

impl Record<'_> {
    pub fn has_ended(&self) -> bool {
        self.terminated_at.is_some() || matches!(self.status, "stopped" | "failed")
    }

    /// The additional ports as the JSON text that came, unless there are none.
    pub fn more_ports(&self) -> Option<&str> {
        Some(self.additional_exposed_ports.get()).filter(|json| *json != "[]")
    }
}

/// Hands over each line of the archive; only one is held in memory.
pub fn each_line(
    archive: &Path,
    mut each: impl FnMut(Line<'_>) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut input = BufReader::with_capacity(1 << 18, File::open(archive)?);
    let mut text = String::new();
    while input.read_line(&mut text)? > 0 {
        each(serde_json::from_str(&text)?)?;
        text.clear();
    }
    Ok(())
}

/// The yardstick *parse*: how many observations there are, each of them parsed.
pub fn parse(archive: &Path) -> Result<u64, Box<dyn Error>> {
    let mut observations = 0;
    each_line(archive, |line| {
        observations += black_box(line).processes.len() as u64;
        Ok(())
    })?;
    Ok(observations)
}
