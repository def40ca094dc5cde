//! The answers that faults make. Which request gets one is not decided here.
//!
//! Where a fault has several looks, the number of the request chooses, so that they come by turns.

use std::future::ready;
use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde_json::json;

use super::clock::http_date;
use super::faults::Fault;
use crate::model::UtcMillis;

/// What a gateway says where the API behind it is gone.
const UNAVAILABLE_PAGE: &str = "<!doctype html><title>503 Service Unavailable</title>\
    <h1>503 Service Unavailable</h1><p>No server is available to handle this request.</p>\n";

/// What a gateway says that takes the client for a person.
const WELCOME_PAGE: &str =
    "<!doctype html><title>Welcome</title><h1>It works!</h1><p>Please sign in.</p>\n";

/// The beginning of something compressed: neither UTF-8 nor JSON.
const BINARY: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xfe\x00\xc3\x28";

/// 429, as the API words its errors.
pub(super) fn rate_limited() -> Response {
    let body = Json(json!({ "message": "too many requests" }));
    (StatusCode::TOO_MANY_REQUESTS, body).into_response()
}

/// 503, from something in between that speaks no JSON.
pub(super) fn unavailable() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Html(UNAVAILABLE_PAGE)).into_response()
}

/// 200 with what is no JSON, so that a client can tell and ask again.
pub(super) fn garbage(n: u64) -> Response {
    match n % 3 {
        0 => Html(WELCOME_PAGE).into_response(),
        1 => BINARY.into_response(),
        _ => [(header::CONTENT_TYPE, "application/json")].into_response(),
    }
}

/// The same answer, the connection breaking when half of its body has been sent.
pub(super) async fn cut_off(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    // What is held in memory can be read to its end.
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    head.headers
        .entry(header::CONTENT_LENGTH)
        .or_insert_with(|| whole.len().into());
    Response::from_parts(head, broken_after(whole.slice(..whole.len() / 2)))
}

/// The connection breaks before anything of this has been sent.
pub(super) fn nothing() -> Response {
    let broken: io::Result<Bytes> = Err(io::ErrorKind::ConnectionAborted.into());
    Response::new(Body::from_stream(stream::once(ready(broken))))
}

/// What a body of unknown length sends, and then the connection breaks.
fn broken_after(part: Bytes) -> Body {
    let broken = async {
        // An error ends the connection with all that waits to be written; a turn later, what came
        // before it has been.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    Body::from_stream(stream::once(ready(Ok(part))).chain(stream::once(broken)))
}

/// How long the answer to the `n`-th request, sent at `now`, asks to wait, if it does.
pub(super) fn retry_after(
    fault: Fault,
    n: u64,
    wait: Duration,
    now: UtcMillis,
) -> Option<HeaderValue> {
    let seconds = wait.as_secs();
    let wait_s = seconds.saturating_add(u64::from(wait.subsec_nanos() > 0));
    let date = || HeaderValue::try_from(http_date(now, wait_s)?).ok();
    match (fault, n % 2) {
        // Where there is no such date, seconds still can be written.
        (Fault::RateLimit, 1) => date().or_else(|| Some(wait_s.into())),
        (Fault::RateLimit, _) | (Fault::Unavailable, 0) => Some(wait_s.into()),
        _ => None,
    }
}
