//! What the API answers to each request: what the fleet shows once it is brought up to the clock,
//! unless a fault comes between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::watch;

use super::clock::{Clock, http_date};
use super::faults::{Fault, Faults};
use super::faulty;
use super::fleet::Fleet;
use super::index::Filter;
use super::story::Stage;
use crate::model::Process;

/// A list call shows so many processes, and has no further page.
const PAGE: usize = 10;

/// What all requests share.
pub(super) struct Api {
    pub(super) fleet: Arc<Mutex<Fleet>>,
    pub(super) clock: Clock,
    pub(super) app_id: String,
    pub(super) token: String,
    pub(super) requests: Arc<AtomicU64>,
    pub(super) faults: Faults,
    pub(super) fault_seed: u64,
    /// Turns true when the server is to stop.
    pub(super) stop: watch::Receiver<bool>,
}

pub(super) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/processes/v2/{app_id}/list/latest", get(list_latest))
        .route("/processes/v2/{app_id}/info/{process_id}", get(info))
        .route("/processes/v2/{app_id}/count", get(count))
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "no such route"))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this route only takes GET")
        })
        .layer(middleware::from_fn_with_state(api.clone(), admit))
        .with_state(api)
}

/// The one door that every request comes in and every answer goes out by. Faults happen here, so that
/// the routes need not know of them, and every answer gets its `Date`, by the fleet's clock.
async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let n = api.requests.fetch_add(1, Ordering::Relaxed);
    let fault = api.faults.draw(api.fault_seed, n);
    let mut answer = match fault {
        None => api.answer(request, next).await,
        Some(Fault::RateLimit) => faulty::rate_limited(),
        Some(Fault::Unavailable) => faulty::unavailable(),
        Some(Fault::Truncate) => faulty::cut_off(api.answer(request, next).await).await,
        Some(Fault::Garbage) => faulty::garbage(n),
        Some(Fault::Hang) => {
            told(api.stop.clone()).await;
            faulty::nothing()
        }
    };
    let now = (api.clock)();
    let date = http_date(now, 0).and_then(|date| HeaderValue::try_from(date).ok());
    let wait = fault.and_then(|fault| faulty::retry_after(fault, n, api.faults.retry_after, now));
    for (name, value) in [(header::DATE, date), (header::RETRY_AFTER, wait)] {
        if let Some(value) = value {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Waits until the server is told to stop, or is gone.
pub(super) async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

async fn list_latest(
    State(api): State<Arc<Api>>,
    Path(app_id): Path<String>,
    query: Pairs,
) -> Result<Json<Vec<Process>>, ApiError> {
    let fleet = api.fleet_of(&app_id)?;
    let filter = filter_of(&fleet, query)?;
    let now = fleet.now();
    let newest = fleet.latest(&filter, PAGE);
    drop(fleet);
    Ok(Json(
        newest.iter().filter_map(|story| story.at(now)).collect(),
    ))
}

async fn info(
    State(api): State<Arc<Api>>,
    Path((app_id, process_id)): Path<(String, String)>,
) -> Result<Json<Process>, ApiError> {
    let fleet = api.fleet_of(&app_id)?;
    fleet
        .info(&process_id)
        .and_then(|story| story.at(fleet.now()))
        .map(Json)
        .ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, format!("no process {process_id:?}")))
}

async fn count(
    State(api): State<Arc<Api>>,
    Path(app_id): Path<String>,
    query: Pairs,
) -> Result<Json<serde_json::Value>, ApiError> {
    let fleet = api.fleet_of(&app_id)?;
    let filter = filter_of(&fleet, query)?;
    Ok(Json(json!({ "count": fleet.count(&filter) })))
}

impl Api {
    /// What a request gets that meets no fault.
    async fn answer(&self, request: Request, next: Next) -> Response {
        if bearer(request.headers()) == Some(&self.token) {
            next.run(request).await
        } else {
            ApiError::new(StatusCode::UNAUTHORIZED, "missing or wrong bearer token").into_response()
        }
    }

    /// The fleet as it is now, if it is that application's.
    fn fleet_of(&self, app_id: &str) -> Result<MutexGuard<'_, Fleet>, ApiError> {
        if app_id != self.app_id {
            let message = format!("no application {app_id:?}");
            return Err(ApiError::new(StatusCode::NOT_FOUND, message));
        }
        // A caller that panicked while it held the fleet left it between two events at worst.
        let mut fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        fleet.advance((self.clock)());
        Ok(fleet)
    }
}

/// Repeated keys are alternatives; other keys mean nothing to the API.
fn filter_of(fleet: &Fleet, query: Pairs) -> Result<Filter, ApiError> {
    let unprocessable = |message: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, message);
    let Query(pairs) = query.map_err(|e| unprocessable(e.body_text()))?;
    let mut filter = Filter::default();
    for (key, value) in pairs {
        match key.as_str() {
            "status" => match Stage::from_status(&value) {
                Some(stage) => filter.stages.push(stage),
                None => return Err(unprocessable(format!("no status {value:?}"))),
            },
            "region" if fleet.knows_region(&value) => filter.regions.push(value),
            "region" => return Err(unprocessable(format!("no region {value:?}"))),
            _ => {}
        }
    }
    Ok(filter)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Every error of the API: a status code, and a message in JSON.
struct ApiError {
    code: StatusCode,
    message: String,
}

impl ApiError {
    fn new(code: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.code, Json(json!({ "message": self.message }))).into_response()
    }
}
