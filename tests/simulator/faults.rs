//! What goes wrong with requests when it is asked for, byte for byte, and that every answer is dated
//! by the fleet's clock.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use prochist::model::UtcMillis;
use prochist::simulator::{Fault, Faults, Fleet, FleetConfig, ManualClock, Server, ServerConfig};
use prochist::source::api::{ApiError, Client, Filter, Options, Token};
use serde::de::IgnoredAny;

use crate::api::TOKEN;
use crate::start;

/// Servers of one fleet, so that one can tell what another should have answered.
struct Place {
    fleet: Arc<Mutex<Fleet>>,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        Self {
            fleet: Arc::new(Mutex::new(Fleet::new(FleetConfig::new(6, 30, start())))),
            clock: ManualClock::new(start()),
        }
    }

    fn serve(&self, faults: &str, seed: u64) -> Server {
        let faults = Faults {
            retry_after: Duration::from_millis(89_001),
            ..faults.parse().expect("faults")
        };
        let config = ServerConfig {
            faults,
            fault_seed: seed,
            ..ServerConfig::local(TOKEN)
        };
        Server::start(config, self.fleet.clone(), self.clock.clock()).expect("loopback is free")
    }
}

/// What comes of one request until the connection ends.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// None if nothing came at all.
    fn read(mut connection: TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).expect("an orderly end");
        if bytes.is_empty() {
            return None;
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
        let (first, rest) = head.split_once("\r\n").expect("headers");
        let headers = rest.split("\r\n").map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_lowercase(), value.to_owned())
        });
        Some(Self {
            status: first[9..12].parse().expect("a status"),
            headers: headers.collect(),
            body: bytes[end + 4..].to_vec(),
        })
    }

    /// The header, which is there once at most.
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|header| header.0 == name);
        let value = values.next().map(|header| header.1.as_str());
        assert_eq!(values.next(), None, "{self:?}");
        value
    }

    fn is_whole(&self) -> bool {
        let length = self.header("content-length").expect("a length");
        self.body.len() == length.parse::<usize>().expect("a number")
    }

    fn is_json(&self) -> bool {
        serde_json::from_slice::<IgnoredAny>(&self.body).is_ok()
    }
}

fn send(server: &Server, path: &str, token: &str) -> TcpStream {
    let address = server.base_url().replace("http://", "");
    let mut connection = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "GET /processes/v2/{}/{path} HTTP/1.1\r\nHost: simulated\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n",
        server.app_id()
    );
    connection.write_all(request.as_bytes()).expect("taken");
    connection
}

fn ask(server: &Server, path: &str) -> Answer {
    Answer::read(send(server, path, TOKEN)).expect("an answer")
}

/// So many requests have come in. What hangs shows in nothing else.
fn wait_until_taken(server: &Server, requests: u64) {
    while server.requests() < requests {
        thread::yield_now();
    }
}

#[test]
fn a_rate_limit_says_how_long_to_wait_in_seconds_and_as_a_date() {
    let place = Place::new();
    let server = place.serve("rate_limit=1", 1);
    place
        .clock
        .set("2026-02-28T23:59:30.999Z".parse().expect("a time"));
    for wait in ["90", "Sun, 01 Mar 2026 00:01:00 GMT"].repeat(2) {
        let answer = ask(&server, "list/latest");
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("retry-after"), Some(wait));
        let date = answer.header("date");
        assert_eq!(date, Some("Sat, 28 Feb 2026 23:59:30 GMT"));
        assert!(answer.is_whole());
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert!(body["message"].is_string(), "{body}");
    }
    // HTTP cannot write the date that this would be.
    for edge in [UtcMillis::MIN, UtcMillis::MAX] {
        place.clock.set(edge);
        for _ in 0..2 {
            let answer = ask(&server, "list/latest");
            assert_eq!(answer.header("retry-after"), Some("90"), "{edge}");
        }
    }
    let other = Answer::read(send(&server, "list/latest", "other")).expect("an answer");
    assert_eq!(other.status, 429, "whatever the token");
    assert_eq!(server.requests(), 9);
}

#[test]
fn an_api_that_is_unavailable_shows_a_web_page() {
    let server = Place::new().serve("unavailable=1", 1);
    for wait in [Some("90"), None].repeat(2) {
        let answer = ask(&server, "count");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), wait);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(answer.body.starts_with(b"<!doctype html>") && answer.is_whole());
        assert!(!answer.is_json());
    }
}

#[test]
fn a_truncated_answer_is_the_proper_one_as_far_as_it_goes() {
    let place = Place::new();
    let (proper, truncated) = (place.serve("none", 1), place.serve("truncate=1", 1));
    for (path, token, status) in [
        ("list/latest", TOKEN, 200),
        ("count", TOKEN, 200),
        ("info/x", TOKEN, 404),
        ("list/latest", "other", 401),
    ] {
        let [whole, part] = [&proper, &truncated]
            .map(|server| Answer::read(send(server, path, token)).expect("an answer"));
        assert_eq!(part.status, status, "{path}");
        assert!(whole.is_whole() && whole.is_json(), "{whole:?}");
        let half = &whole.body[..whole.body.len() / 2];
        assert!(!half.is_empty());
        assert_eq!(part.body, half);
        let sorted = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.sort();
            headers
        };
        assert_eq!(
            sorted(&part),
            sorted(&whole),
            "the length is that of the whole"
        );
    }
}

#[test]
fn garbage_is_never_json() {
    let server = Place::new().serve("garbage=1", 1);
    let answers: Vec<Answer> = (0..6).map(|_| ask(&server, "list/latest")).collect();
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200);
        assert!(answer.is_whole() && !answer.is_json(), "{answer:?}");
        assert_eq!(answer, &answers[n % 3], "by turns");
    }
    assert!(answers[0].body.starts_with(b"<!doctype html>"));
    assert!(std::str::from_utf8(&answers[1].body).is_err());
    assert_eq!(answers[2].body, b"");
}

#[test]
fn a_hung_request_gets_nothing_and_keeps_no_server_from_being_dropped() {
    let server = Place::new().serve("hang=1", 1);
    let connection = send(&server, "list/latest", TOKEN);
    let waiting = thread::spawn(|| Answer::read(connection));
    wait_until_taken(&server, 1);
    drop(server);
    assert_eq!(waiting.join().expect("no panic"), None);
}

#[test]
fn faults_come_as_drawn_and_leave_the_other_requests_alone() {
    let faults = "rate_limit=0.2,unavailable=0.2,truncate=0.1,garbage=0.2,hang=0.1";
    let drawn: Faults = faults.parse().expect("faults");
    let place = Place::new();
    let server = place.serve(faults, 9);
    let proper = ask(&place.serve("none", 9), "list/latest");
    let mut met = [0; 6];
    for n in 0..200 {
        assert_eq!(server.requests(), n);
        let connection = send(&server, "list/latest", TOKEN);
        let fault = drawn.draw(9, n);
        if fault == Some(Fault::Hang) {
            wait_until_taken(&server, n + 1);
            connection.shutdown(Shutdown::Write).expect("connected");
            assert_eq!(Answer::read(connection), None, "request {n}");
        } else {
            let answer = Answer::read(connection).expect("an answer");
            let seen = match answer.status {
                200 if answer == proper => None,
                200 if answer.is_whole() => Some(Fault::Garbage),
                200 => Some(Fault::Truncate),
                429 => Some(Fault::RateLimit),
                503 => Some(Fault::Unavailable),
                other => panic!("{other}"),
            };
            assert_eq!(seen, fault, "request {n}");
        }
        met[fault.map_or(5, |fault| fault as usize)] += 1;
    }
    assert!(met.iter().all(|times| *times > 0), "{met:?}");
}

/// A recorder can tell each of them from an answer, and knows that it may ask again.
#[tokio::test]
async fn a_client_can_tell_every_fault() {
    let place = Place::new();
    for fault in ["rate_limit", "unavailable", "truncate", "garbage"] {
        let server = place.serve(&format!("{fault}=1"), 1);
        let token = Token::new(TOKEN.to_owned()).expect("a token");
        let client =
            Client::new(&server.base_url(), token, Options::default()).expect("a base URL");
        for n in 0..6 {
            let all = Filter::default();
            let app = server.app_id();
            let list = client.latest(app, &all).await.expect_err(fault);
            let count = client.count(app, &all).await.expect_err(fault);
            let info = client.info(app, "x").await;
            // A 404 says all that there is to say, whole or not.
            if fault != "truncate" {
                assert!(info.is_err_and(|error| error.is_retryable()), "{fault}");
            }
            for error in [list, count] {
                assert!(error.is_retryable(), "{fault} {n}: {error}");
                if let ApiError::Status { code: 429, .. } = error {
                    let wait = error.retry_after();
                    assert_eq!(wait, Some(Duration::from_secs(90)), "in either form");
                }
            }
        }
    }
}

#[test]
fn every_answer_is_dated_by_the_fleet_s_clock() {
    let place = Place::new();
    place
        .clock
        .set("2026-01-05T00:00:07.999Z".parse().expect("a time"));
    let date = Some("Mon, 05 Jan 2026 00:00:07 GMT");
    let server = place.serve("none", 1);
    for (path, token, status) in [
        ("list/latest", TOKEN, 200),
        ("list/latest?status=asleep", TOKEN, 422),
        ("count", "other", 401),
        ("nowhere", TOKEN, 404),
    ] {
        let answer = Answer::read(send(&server, path, token)).expect("an answer");
        assert_eq!((answer.status, answer.header("date")), (status, date));
    }
    for fault in ["rate_limit", "unavailable", "truncate", "garbage"] {
        let server = place.serve(&format!("{fault}=1"), 1);
        assert_eq!(ask(&server, "count").header("date"), date, "{fault}");
    }

    // Before 1970 there is no such date, and an answer all the same.
    place.clock.set(UtcMillis::MIN);
    let answer = ask(&server, "count");
    assert_eq!(answer.status, 200);
    assert!(answer.is_json());
    assert_ne!(answer.header("date"), date);
}
