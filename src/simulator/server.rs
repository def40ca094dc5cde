//! The API of a simulated fleet over HTTP, on a thread of its own, so that its caller needs no
//! async runtime. Plain HTTP, meant for loopback; a token guards nothing that is worth guarding.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::watch;

use super::clock::Clock;
use super::faults::Faults;
use super::fleet::Fleet;
use super::routes::{Api, router, told};

/// How long a stopping server waits for answers that are under way.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Where and for whom a server answers.
#[derive(Clone)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Whether the address may be reachable from other machines. Default: no.
    pub allow_remote: bool,
    /// The bearer token that every request must carry.
    pub token: String,
    /// What goes wrong with requests, whatever token they carry. Default: nothing.
    pub faults: Faults,
    /// Where the chance comes from by which a request meets a fault. Default: 0.
    pub fault_seed: u64,
}

impl ServerConfig {
    /// A server on any free port of 127.0.0.1, without faults.
    pub fn local(token: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_remote: false,
            token: token.into(),
            faults: Faults::default(),
            fault_seed: 0,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is reachable from other machines, and that was not allowed.
    #[error("{0} is no loopback address, and remote access is not allowed")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on: taken, not this machine's, or not permitted.
    #[error("could not listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no thread, or nothing to wait on the network with.
    #[error("could not start the server's thread")]
    Thread(#[source] io::Error),
}

/// A running server. It stops when it is dropped.
pub struct Server {
    address: SocketAddr,
    app_id: String,
    token: String,
    requests: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<bool>>,
}

impl Server {
    /// Serves `fleet`, which is brought up to `clock` at every request. It answers once this
    /// returns.
    ///
    /// # Errors
    /// [`ServeError`] if it may not or cannot listen there.
    pub fn start(
        config: ServerConfig,
        fleet: Arc<Mutex<Fleet>>,
        clock: Clock,
    ) -> Result<Self, ServeError> {
        Self::start_patient(config, fleet, clock, LAST_ANSWERS)
    }

    /// The same, waiting for answers that are under way for as long as `patience` when it stops.
    fn start_patient(
        config: ServerConfig,
        fleet: Arc<Mutex<Fleet>>,
        clock: Clock,
        patience: Duration,
    ) -> Result<Self, ServeError> {
        if !config.listen.ip().is_loopback() && !config.allow_remote {
            return Err(ServeError::NotLoopback(config.listen));
        }
        let (listener, address) = listen(config.listen).map_err(|source| ServeError::Listen {
            address: config.listen,
            source,
        })?;
        let app_id = fleet
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .app_id()
            .to_owned();
        let requests = Arc::new(AtomicU64::new(0));
        let (stop, stopping) = watch::channel(false);
        let api = Arc::new(Api {
            fleet,
            clock,
            app_id: app_id.clone(),
            token: config.token.clone(),
            requests: requests.clone(),
            faults: config.faults,
            fault_seed: config.fault_seed,
            stop: stopping,
        });
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Thread)?;
        let thread = thread::Builder::new()
            .name("simulated-api".to_owned())
            .spawn(move || serve(&runtime, listener, api, patience))
            .map_err(ServeError::Thread)?;
        Ok(Self {
            address,
            app_id,
            token: config.token,
            requests,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it answers, such as `http://127.0.0.1:43210`; without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The application that it knows.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The bearer token that it takes.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How many requests have come in, refused ones included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Stops and waits for the thread. Says whether it was done with every request in time.
    fn stop(&mut self) -> bool {
        self.stop.send_replace(true);
        let ended = self.thread.take().map(JoinHandle::join);
        matches!(ended, Some(Ok(true)))
    }
}

impl Drop for Server {
    /// Lets answers that are under way finish, for a second at most, and waits for the thread.
    /// Requests that hang by fault are let go at once.
    fn drop(&mut self) {
        self.stop();
    }
}

/// Leaves the token out.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("app_id", &self.app_id)
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

/// Bound here rather than on the thread, so that a refusal reaches the caller, and requests wait
/// rather than fail until the thread is up.
fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until it is told to stop. Says whether it was done with every request before `patience` ran
/// out.
fn serve(runtime: &Runtime, listener: TcpListener, api: Arc<Api>, patience: Duration) -> bool {
    runtime.block_on(async {
        // Only fails outside a runtime.
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return false;
        };
        let stop = api.stop.clone();
        let server = axum::serve(listener, router(api))
            .with_graceful_shutdown(told(stop.clone()))
            .into_future();
        let timeout = async {
            told(stop).await;
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            _ = server => true,
            () = timeout => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};

    use super::*;
    use crate::simulator::{FleetConfig, ManualClock};

    /// A server that answers no request. Its patience is such that nothing ends by that.
    fn hanging() -> Server {
        let start = "2026-01-05T00:00:00Z".parse().expect("a time");
        let config = ServerConfig {
            faults: "hang=1".parse().expect("faults"),
            ..ServerConfig::local("token")
        };
        let fleet = Arc::new(Mutex::new(Fleet::new(FleetConfig::new(1, 1, start))));
        let clock = ManualClock::new(start).clock();
        let server = Server::start_patient(config, fleet, clock, Duration::from_secs(60))
            .expect("loopback is free");
        // So that it is up, and only a request that hangs comes to listen for the stop.
        refuse(&server);
        server
    }

    /// What is no HTTP is turned away before it is a request, and so does not hang.
    fn refuse(server: &Server) {
        let refused = read(send(server, "nonsense\r\n\r\n"));
        assert!(refused.starts_with(b"HTTP/1.1 400 "), "{refused:?}");
    }

    fn send(server: &Server, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(server.address).expect("a connection");
        connection.write_all(text.as_bytes()).expect("it is taken");
        connection
    }

    /// What comes until the server hangs up.
    fn read(mut connection: TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).expect("an orderly end");
        bytes
    }

    /// A connection with a request that hangs by now.
    fn hung(server: &Server) -> TcpStream {
        let before = server.stop.receiver_count();
        let connection = send(server, "GET / HTTP/1.1\r\nHost: simulated\r\n\r\n");
        while server.stop.receiver_count() == before {
            thread::yield_now();
        }
        connection
    }

    #[test]
    fn a_server_that_stops_lets_hung_requests_go() {
        let mut server = hanging();
        let connections = [hung(&server), hung(&server)];
        assert!(server.stop(), "it waited for them");
        for connection in connections {
            assert_eq!(read(connection), b"", "no answer, nor a part of one");
        }
    }

    #[test]
    fn a_hung_request_ends_with_its_client() {
        let server = hanging();
        let idle = server.stop.receiver_count();
        let connection = hung(&server);
        connection.shutdown(Shutdown::Write).expect("connected");
        assert_eq!(read(connection), b"");
        // The server has one thread: when it turns to the next connection, it is done with this one.
        refuse(&server);
        assert_eq!(server.stop.receiver_count(), idle, "it waits for nobody");
    }
}
