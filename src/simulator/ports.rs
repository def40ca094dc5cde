//! The ports of one region: which are free, and which one is handed out next.
//!
//! A port number is handed out once at a time whatever its transport, so that no two processes
//! ever hold the same endpoint.

use std::collections::VecDeque;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::config::{FleetConfig, Stream, rng};

/// How often the port that was freed last is handed out at once, rather than the one that has been
/// free for longest. So reuse shows gaps of seconds as well as of an hour.
const AGAIN_SHARE: f64 = 0.25;

/// Real ports end at 65535; a host's range starts and ends between these two.
const FIRST_PORT: u16 = 30_000;
const LAST_PORT: u16 = 60_000;

/// A port on one host of the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) host: Arc<str>,
    pub(super) number: u16,
}

/// The free ports of one region, the one that has been free for longest first.
#[derive(Debug)]
pub(super) struct PortPool {
    region: String,
    ports_per_host: u16,
    free: VecDeque<Port>,
    rng: ChaCha8Rng,
}

impl PortPool {
    /// The pool of the region at `place` in the fleet's list; it has no host before one is needed.
    pub(super) fn new(config: &FleetConfig, place: usize, region: &str) -> Self {
        Self {
            region: region.to_lowercase(),
            ports_per_host: config.ports_per_host.clamp(1, 20_000),
            free: VecDeque::new(),
            rng: rng(config.seed, Stream::Region(place)),
        }
    }

    /// Takes a port, on a new host if none is free.
    pub(super) fn take(&mut self) -> Port {
        let again = self.rng.random::<f64>() < AGAIN_SHARE;
        loop {
            let port = if again {
                self.free.pop_back()
            } else {
                self.free.pop_front()
            };
            match port {
                Some(port) => return port,
                None => self.open_host(),
            }
        }
    }

    /// Gives a port back.
    pub(super) fn release(&mut self, port: Port) {
        self.free.push_back(port);
    }

    fn open_host(&mut self) {
        let name = self.rng.random::<u32>() >> 8;
        let host: Arc<str> = format!("{name:06x}.{}.sim.example", self.region).into();
        let first = self
            .rng
            .random_range(FIRST_PORT..=LAST_PORT - self.ports_per_host);
        self.free
            .extend((first..first + self.ports_per_host).map(|number| Port {
                host: host.clone(),
                number,
            }));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_handed_out_twice_and_a_freed_one_comes_back() {
        let start = "2026-01-05T00:00:00Z".parse().expect("a time");
        let config = FleetConfig::new(1, 1, start);
        let mut pool = PortPool::new(&config, 0, "Sao_Paulo");
        let taken: Vec<Port> = (0..60).map(|_| pool.take()).collect();
        let distinct: HashSet<_> = taken.iter().map(|p| (p.host.clone(), p.number)).collect();
        assert_eq!(distinct.len(), 60);
        let hosts: HashSet<_> = taken.iter().map(|p| p.host.clone()).collect();
        assert_eq!(hosts.len(), 3, "24 ports a host");
        assert!(hosts.iter().all(|h| h.ends_with(".sao_paulo.sim.example")));

        for port in &taken {
            pool.release(port.clone());
        }
        for _ in 0..72 {
            assert!(hosts.contains(&pool.take().host));
        }
    }
}
