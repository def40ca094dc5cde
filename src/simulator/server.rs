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
use tokio::sync::oneshot;

use super::clock::Clock;
use super::fleet::Fleet;
use super::routes::{Api, router};

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
}

impl ServerConfig {
    /// A server on any free port of 127.0.0.1.
    pub fn local(token: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            allow_remote: false,
            token: token.into(),
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
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
        let api = Arc::new(Api {
            fleet,
            clock,
            app_id: app_id.clone(),
            token: config.token.clone(),
            requests: requests.clone(),
        });
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ServeError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("simulated-api".to_owned())
            .spawn(move || serve(&runtime, listener, api, stopped))
            .map_err(ServeError::Thread)?;
        Ok(Self {
            address,
            app_id,
            token: config.token,
            requests,
            stop: Some(stop),
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
}

impl Drop for Server {
    /// Lets answers that are under way finish, for a second at most, and waits for the thread.
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It fails only if the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
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

fn serve(runtime: &Runtime, listener: TcpListener, api: Arc<Api>, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        // Only fails outside a runtime.
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        let (drain, draining) = oneshot::channel::<()>();
        let server = async {
            let draining = async {
                let _ = draining.await;
            };
            axum::serve(listener, router(api))
                .with_graceful_shutdown(draining)
                .await
        };
        let timeout = async {
            let _ = stopped.await;
            let _ = drain.send(());
            tokio::time::sleep(LAST_ANSWERS).await;
        };
        tokio::select! {
            _ = server => {}
            () = timeout => {}
        }
    });
}
