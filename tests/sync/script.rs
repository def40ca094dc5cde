//! An API that answers by a script, well or badly, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prochist::model::UtcMillis;
use serde_json::{Value, json};

pub enum Reply {
    /// A status, header lines and a body.
    With(u16, Vec<String>, String),
    /// Takes the request and says nothing.
    Hang,
    /// Promises a thousand bytes and sends one now and then.
    Drip,
    /// A body without an end.
    Endless,
    /// Closes the connection.
    Hangup,
}

pub fn ok(body: &Value) -> Reply {
    Reply::With(200, vec![], body.to_string())
}

pub fn error(status: u16) -> Reply {
    Reply::With(status, vec![], json!({"message": "no"}).to_string())
}

pub struct Script {
    pub base_url: String,
    asked: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answer>>,
}

type Answer = Box<dyn FnMut(&str) -> Reply + Send>;

impl Script {
    pub fn new(answer: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let (log, script) = (asked.clone(), answer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (log, script) = (log.clone(), script.clone());
                std::thread::spawn(move || {
                    let path = request(&stream);
                    if path.is_empty() {
                        return;
                    }
                    log.lock().unwrap().push(path.clone());
                    let reply = (script.lock().unwrap())(&path);
                    // Whoever asked may have gone.
                    let _ = send(&mut stream, reply);
                });
            }
        });
        Self {
            base_url,
            asked,
            answer,
        }
    }

    /// From now on it answers so.
    pub fn becomes(&self, answer: impl FnMut(&str) -> Reply + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    /// The paths, with their queries, that it was asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn request(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let path = head.first().and_then(|line| line.split(' ').nth(1));
    path.unwrap_or_default().to_owned()
}

fn send(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::With(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n");
            for header in headers {
                head += &format!("{header}\r\n");
            }
            write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())
        }
        Reply::Hang => stream.read_to_end(&mut Vec::new()).map(drop),
        Reply::Drip => {
            write!(stream, "HTTP/1.1 200 Well\r\ncontent-length: 1000\r\n\r\n[")?;
            stream.set_read_timeout(Some(Duration::from_millis(20)))?;
            loop {
                stream.write_all(b" ")?;
                // Until the client goes away, at which the next byte fails.
                let _ = stream.read(&mut [0]);
            }
        }
        Reply::Endless => {
            write!(stream, "HTTP/1.1 200 Well\r\nconnection: close\r\n\r\n[")?;
            loop {
                stream.write_all(&[b' '; 65536])?;
            }
        }
        Reply::Hangup => Ok(()),
    }
}

/// When the recorders of the tests begin.
pub fn start() -> UtcMillis {
    "2026-01-05T00:00:00Z".parse().unwrap()
}

/// A process as the API writes it, created so many seconds after the recorders of the tests begin.
pub fn process(id: &str, region: &str, status: &str, second: i64) -> Value {
    let created = start().plus_millis(second * 1000);
    let ended = matches!(status, "stopped" | "failed").then(|| created.plus_millis(500));
    json!({
        "processId": id, "appId": "a", "deploymentId": 1, "region": region, "status": status,
        "roomsAllocated": 0, "roomsPerProcess": 1,
        "createdAt": created.to_string(),
        "startedAt": null, "stoppingAt": null, "terminatedAt": ended.map(|at| at.to_string()),
        "exposedPort": null, "additionalExposedPorts": [],
    })
}
