//! Ports as the API describes them, and the endpoint that one occupies.

use std::fmt;
use std::str::FromStr;

use super::Extra;

/// A port that a process exposes, field for field as the API sends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExposedPort {
    /// Host name or address; shared by many processes.
    pub host: String,
    /// Port number. An int32 in the API, whose own example is 72941, so no `u16`.
    pub port: i64,
    /// The application's name for the port.
    pub name: String,
    /// `tcp`, `udp`, `tls` or a later addition.
    pub transport_type: String,
    /// Fields that this version does not know.
    pub extra: Extra,
}

impl ExposedPort {
    /// The place on the network that this port occupies.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: self.host.clone(),
            port: self.port,
            transport: transport_of(&self.transport_type).to_owned(),
        }
    }
}

/// The transport under a transport type: `tls` runs over `tcp`, all others are their own.
pub fn transport_of(transport_type: &str) -> &str {
    match transport_type {
        "tls" => "tcp",
        other => other,
    }
}

/// What one process can hold at a time: host, port and transport.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// Port number.
    pub port: i64,
    /// `tcp` (also for `tls`), `udp`, or whatever else the API named.
    pub transport: String,
}

/// A text is not `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST:PORT, such as 1.proxy.example:31234")]
pub struct EndpointError(pub String);

impl Endpoint {
    /// Splits `HOST:PORT` at its last colon. Brackets around an IPv6 host are taken off.
    ///
    /// # Errors
    /// [`EndpointError`] if there is no colon, no host, or no whole number after the colon.
    pub fn split_host_port(text: &str) -> Result<(String, i64), EndpointError> {
        let error = || EndpointError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(error());
        }
        Ok((host.to_owned(), i64::from_str(port).map_err(|_| error())?))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_split_at_the_last_colon() {
        for (text, expected) in [
            ("a.example:80", Some(("a.example", 80))),
            ("a.example:72941", Some(("a.example", 72941))),
            ("[::1]:80", Some(("::1", 80))),
            ("a.example", None),
            (":80", None),
            ("a.example:", None),
            ("a.example:http", None),
        ] {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(Endpoint::split_host_port(text).ok(), expected, "{text}");
        }
    }
}
