//! One process as the API describes it: the 13 fields of `ProcessV2`, and those yet to come.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ExposedPort, Extra, UtcMillis};

/// The regions that the API has named so far. The list grows: any other text is kept as well.
pub const KNOWN_REGIONS: [&str; 14] = [
    "Seattle",
    "Los_Angeles",
    "Washington_DC",
    "Chicago",
    "London",
    "Frankfurt",
    "Mumbai",
    "Singapore",
    "Tokyo",
    "Sydney",
    "Sao_Paulo",
    "Dallas",
    "Johannesburg",
    "Dubai",
];

/// The statuses that the API has named so far. Any other text is kept as well.
pub const KNOWN_STATUSES: [&str; 6] = [
    "starting", "running", "draining", "stopping", "stopped", "failed",
];

/// What a source said of one process at one moment: the whole state, never a difference.
///
/// Two states are equal exactly if every field is, unknown ones included. The order between
/// states means nothing; it only makes ties at the same moment come out the same way every time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Identifies the process; opaque.
    pub process_id: String,
    /// The application it belongs to; opaque.
    pub app_id: String,
    /// The deployment it runs.
    pub deployment_id: Deployment,
    /// Where it runs; see [`KNOWN_REGIONS`].
    pub region: String,
    /// What it is doing; see [`KNOWN_STATUSES`].
    pub status: String,
    /// Rooms allocated to the process now. A gauge: it may fall.
    pub rooms_allocated: i64,
    /// How many rooms can be scheduled in the process.
    pub rooms_per_process: i64,
    /// Started being provisioned.
    pub created_at: UtcMillis,
    /// Bound to its port; billing starts.
    pub started_at: Option<UtcMillis>,
    /// Was told to stop; billing stops.
    pub stopping_at: Option<UtcMillis>,
    /// Terminated.
    pub terminated_at: Option<UtcMillis>,
    /// The port it serves on.
    pub exposed_port: Option<ExposedPort>,
    /// Further ports, at most two today.
    pub additional_exposed_ports: Vec<ExposedPort>,
    /// Fields that this version does not know.
    pub extra: Extra,
}

impl Process {
    /// The main port and the additional ones.
    pub fn ports(&self) -> impl Iterator<Item = &ExposedPort> {
        self.exposed_port
            .iter()
            .chain(&self.additional_exposed_ports)
    }

    /// The names of the fields in which `self` differs from `earlier`: known ones in snake_case,
    /// unknown ones as the API spells them.
    pub fn changed_since(&self, earlier: &Self) -> Vec<String> {
        let difference = self.difference(earlier);
        let known = Difference::NAMES.iter().enumerate();
        known
            .filter_map(|(bit, name)| (difference.known & (1 << bit) != 0).then_some(*name))
            .chain(self.extra.changed_names(&earlier.extra))
            .map(str::to_owned)
            .collect()
    }

    /// In what `self` differs from an earlier state of the same process.
    pub(crate) fn difference(&self, earlier: &Self) -> Difference {
        let differs = [
            self.app_id != earlier.app_id,
            self.deployment_id != earlier.deployment_id,
            self.region != earlier.region,
            self.status != earlier.status,
            self.rooms_allocated != earlier.rooms_allocated,
            self.rooms_per_process != earlier.rooms_per_process,
            self.created_at != earlier.created_at,
            self.started_at != earlier.started_at,
            self.stopping_at != earlier.stopping_at,
            self.terminated_at != earlier.terminated_at,
            self.exposed_port != earlier.exposed_port,
            self.additional_exposed_ports != earlier.additional_exposed_ports,
        ];
        let bits = differs.iter().enumerate();
        Difference {
            known: bits.fold(0, |all, (bit, differs)| all | (u16::from(*differs) << bit)),
            unknown: self.extra != earlier.extra,
        }
    }
}

/// In what two states of a process differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The known fields, a bit each, in the order of their names.
    pub known: u16,
    /// Whether unknown fields do.
    pub unknown: bool,
}

impl Difference {
    const NAMES: [&str; 12] = [
        "app_id",
        "deployment_id",
        "region",
        "status",
        "rooms_allocated",
        "rooms_per_process",
        "created_at",
        "started_at",
        "stopping_at",
        "terminated_at",
        "exposed_port",
        "additional_exposed_ports",
    ];
    /// App, region or status.
    pub const PLACE: u16 = 0b1101;
    /// When it started, was told to stop, terminated.
    pub const TIMES: u16 = 0b11_1000_0000;
    pub const PORTS: u16 = 0b1100_0000_0000;

    pub fn is_none(self) -> bool {
        self.known == 0 && !self.unknown
    }

    /// Whether any of these fields differs.
    pub fn touches(self, fields: u16) -> bool {
        self.known & fields != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_fields_are_those_of_the_names() {
        let named = |fields: u16| -> Vec<&str> {
            let all = Difference::NAMES.iter().enumerate();
            all.filter(|(bit, _)| fields & (1 << bit) != 0)
                .map(|(_, name)| *name)
                .collect()
        };
        assert_eq!(named(Difference::PLACE), ["app_id", "region", "status"]);
        assert_eq!(
            named(Difference::TIMES),
            ["started_at", "stopping_at", "terminated_at"]
        );
        assert_eq!(
            named(Difference::PORTS),
            ["exposed_port", "additional_exposed_ports"]
        );
    }
}

/// A deployment: a number that counts up today, an opaque text in the API's next version.
///
/// Numbers come before texts, numbers in order of size. The number 42 and the text `"42"` are two
/// deployments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deployment {
    /// `deploymentId` as version 2 of the API sends it.
    Number(i64),
    /// `deploymentId` as version 3 of the API sends it, such as `dep-…`.
    Name(String),
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Serialize for Deployment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Deployment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl serde::de::Visitor<'_> for Either {
            type Value = Deployment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a text")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Deployment, E> {
                Ok(Deployment::Number(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Deployment, E> {
                i64::try_from(number)
                    .map(Deployment::Number)
                    .map_err(|_| E::custom(format_args!("{number} is beyond 64 bits with a sign")))
            }

            fn visit_str<E>(self, name: &str) -> Result<Deployment, E> {
                Ok(Deployment::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
