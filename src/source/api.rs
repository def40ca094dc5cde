//! The client of the ProcessV2 API: three calls, one request each. Retries are its caller's.
//!
//! The token goes to the configured host and nowhere else: redirects are not followed, and no
//! error, `Debug` or `Display` shows it. Where a server sends it back, it is taken out of the answer
//! before anything reads it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, DATE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tracing::debug;

mod error;
mod token;

use super::earlier::Earlier;
use super::walk::Walk;
use crate::model::{Process, SetAside, UtcMillis};
use error::{escaped, message_in};

pub use error::ApiError;
pub use token::{Token, TokenError};

/// How long a connection may take to open, unless [`Options`] say otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may pause, unless [`Options`] say otherwise.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a whole request may take, its body included, unless [`Options`] say otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes after decompression. Ten processes take some ten
/// thousand.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// How much is read of the body of an error, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Which processes a call is about; no regions or no statuses means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    /// Any of these regions.
    pub regions: Vec<String>,
    /// Any of these statuses.
    pub statuses: Vec<String>,
}

/// `region=Tokyo status=running`, or `everything`.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions = self.regions.iter().map(|region| ("region", region));
        let statuses = self.statuses.iter().map(|status| ("status", status));
        let parts: Vec<String> = regions
            .chain(statuses)
            .map(|(key, value)| format!("{key}={}", escaped(value)))
            .collect();
        if parts.is_empty() {
            f.write_str("everything")
        } else {
            f.write_str(&parts.join(" "))
        }
    }
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long an answer may pause: until its first byte, and between any two.
    pub read_timeout: Duration,
    /// How long a whole request may take, its body included.
    pub request_timeout: Duration,
    /// Whether plain `http` may be spoken to other machines, where everyone in between reads the
    /// token. Default: to loopback only.
    pub allow_http: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: READ_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            allow_http: false,
        }
    }
}

/// One list answer: the most recent processes that match, ten of them at most today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The processes, in the server's order, which means nothing.
    pub processes: Vec<Process>,
    /// Records that are no processes. They count as rows of the page all the same.
    pub set_aside: Vec<SetAside>,
    /// What the server's clock said (the `Date` of its answer, in whole seconds), where it did.
    pub server_time: Option<UtcMillis>,
}

/// What the server says of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Info {
    /// Its state.
    Known(Box<Process>),
    /// The server does not know it, or no longer does.
    Unknown,
    /// The answer is JSON, but not this process.
    SetAside(SetAside),
}

/// Speaks to one ProcessV2 API.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
    token: Token,
    received: Arc<AtomicU64>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the API at this URL; a path in it is kept, so that gateways work.
    ///
    /// # Errors
    /// [`ApiError::BadUrl`] unless it is an http or https URL with a host and without credentials,
    /// query or fragment; [`ApiError::PlainHttp`] if it is http to another machine and that was not
    /// allowed; [`ApiError::Setup`] if TLS cannot be set up.
    pub fn new(base_url: &str, token: Token, options: Options) -> Result<Self, ApiError> {
        let base = checked_base(base_url)?;
        if base.scheme() == "http" && !is_loopback(&base) && !options.allow_http {
            return Err(ApiError::PlainHttp {
                url: base.to_string(),
            });
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("prochist/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .timeout(options.request_timeout)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            // A proxy has its own loopback, on which something else listens.
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder
                .build()
                .map_err(|source| ApiError::Setup { source })?,
            base,
            // `Token::new` admits only what can stand in a header.
            authorization: token.header().ok_or(ApiError::BadToken)?,
            token,
            received: Arc::default(),
        })
    }

    /// Bytes of answers received so far, by this client and its clones.
    pub fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// `GET /processes/v2/{appId}/list/latest`.
    ///
    /// # Errors
    /// [`ApiError`]. One bad record is no error; a list that is cut off is, since nothing could be
    /// concluded from its length.
    pub async fn latest(&self, app_id: &str, filter: &Filter) -> Result<Page, ApiError> {
        let url = self.url(app_id, &["list", "latest"], Some(filter))?;
        let answer = self.get(&url).await?;
        let server_time = answer.date.map(server_clock);
        let body = match answer.status {
            StatusCode::OK => answer.body,
            StatusCode::NOT_FOUND if !answer.is_html() => {
                return Err(ApiError::UnknownApp {
                    app_id: escaped(app_id),
                    url: url.to_string(),
                });
            }
            _ => return Err(answer.into_error(&url)),
        };
        let mut walk = Walk::new(&body, 0);
        if !walk.eat(b'[') {
            return Err(ApiError::not_json(&url, &body, "not a list of processes"));
        }
        let list = walk.processes(&mut Earlier::default());
        let end = match list.lost {
            Some(lost) if lost.cut => {
                return Err(ApiError::Truncated {
                    url: url.to_string(),
                    source: None,
                });
            }
            Some(lost) => Some(lost.at),
            None => walk.peek().map(|_| walk.at),
        };
        if let Some(at) = end {
            let hint = format!("malformed JSON at byte {at}");
            return Err(ApiError::not_json(&url, &body, &hint));
        }
        let set_aside = list.bad.into_iter().map(|bad| SetAside {
            source: url.to_string(),
            line: None,
            reason: bad.reason,
            raw: body.get(bad.at).unwrap_or_default().to_vec(),
        });
        Ok(Page {
            processes: list
                .processes
                .into_iter()
                .map(Arc::unwrap_or_clone)
                .collect(),
            set_aside: set_aside.collect(),
            server_time,
        })
    }

    /// `GET /processes/v2/{appId}/info/{processId}`.
    ///
    /// # Errors
    /// [`ApiError`]. A 404 is none, unless it is a web page: that comes from something in between,
    /// and must not pass for the end of a process.
    pub async fn info(&self, app_id: &str, process_id: &str) -> Result<Info, ApiError> {
        let url = self.url(app_id, &["info", process_id], None)?;
        let answer = self.get(&url).await?;
        let body = match answer.status {
            StatusCode::OK => answer.body,
            StatusCode::NOT_FOUND if !answer.is_html() => return Ok(Info::Unknown),
            _ => return Err(answer.into_error(&url)),
        };
        let reason = match serde_json::from_slice::<Process>(&body) {
            Ok(process) if process.process_id == process_id => {
                return Ok(Info::Known(Box::new(process)));
            }
            Ok(process) => format!("describes another process, {:?}", process.process_id),
            Err(error) => match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
                Ok(_) => error.to_string(),
                Err(error) if error.is_eof() && !body.is_empty() => {
                    return Err(ApiError::Truncated {
                        url: url.to_string(),
                        source: None,
                    });
                }
                Err(_) => return Err(ApiError::not_json(&url, &body, "malformed JSON")),
            },
        };
        Ok(Info::SetAside(SetAside {
            source: url.to_string(),
            line: None,
            reason,
            raw: body,
        }))
    }

    /// `GET /processes/v2/{appId}/count`; `None` where the server does not offer it (404).
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn count(&self, app_id: &str, filter: &Filter) -> Result<Option<u64>, ApiError> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        let url = self.url(app_id, &["count"], Some(filter))?;
        let answer = self.get(&url).await?;
        match answer.status {
            StatusCode::OK => match serde_json::from_slice::<Count>(&answer.body) {
                Ok(Count { count }) => Ok(Some(count)),
                Err(_) => Err(ApiError::not_json(&url, &answer.body, "not a count")),
            },
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(answer.into_error(&url)),
        }
    }

    fn url(&self, app_id: &str, tail: &[&str], filter: Option<&Filter>) -> Result<Url, ApiError> {
        let segments = ["processes", "v2", app_id]
            .into_iter()
            .chain(tail.iter().copied());
        for segment in segments.clone() {
            // A URL cannot name these, encoded or not: it would become another path.
            if matches!(segment, "" | "." | "..") {
                return Err(ApiError::BadId {
                    id: segment.to_owned(),
                });
            }
        }
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if let Some(filter) = filter {
            let statuses = filter.statuses.iter().map(|s| ("status", s));
            let regions = filter.regions.iter().map(|r| ("region", r));
            let pairs: Vec<_> = statuses.chain(regions).collect();
            if !pairs.is_empty() {
                url.query_pairs_mut().extend_pairs(pairs);
            }
        }
        Ok(url)
    }

    async fn get(&self, url: &Url) -> Result<Answer, ApiError> {
        let request = self
            .http
            .request(Method::GET, url.clone())
            .header(AUTHORIZATION, self.authorization.clone());
        let unreachable = |source: reqwest::Error| ApiError::Unreachable {
            url: url.to_string(),
            source: source.without_url(),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let header = |name| {
            let value = response.headers().get(name)?;
            let value = self.token.taken_out_of(value.as_bytes().to_vec());
            Some(String::from_utf8_lossy(&value).into_owned())
        };
        let location = header(LOCATION).map(|to| escaped(&to));
        let date = header(DATE).and_then(|text| httpdate::parse_http_date(&text).ok());
        let retry_after = header(RETRY_AFTER).and_then(|text| retry_after(&text, date));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => break,
                // The status says enough where the body of an error cannot be had.
                Ok(Some(chunk))
                    if body.len() + chunk.len() > MAX_ERROR_BYTES && !status.is_success() =>
                {
                    break;
                }
                Err(_) if !status.is_success() => break,
                Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                    return Err(ApiError::TooLarge {
                        url: url.to_string(),
                    });
                }
                Ok(Some(chunk)) => {
                    self.received
                        .fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    body.extend_from_slice(&chunk);
                }
                Err(error) if error.is_timeout() => return Err(unreachable(error)),
                Err(error) => {
                    return Err(ApiError::Truncated {
                        url: url.to_string(),
                        source: Some(error.without_url()),
                    });
                }
            }
        }
        let body = self.token.taken_out_of(body);
        debug!(
            status = status.as_u16(),
            bytes = body.len() as u64,
            "GET {url}"
        );
        Ok(Answer {
            status,
            location,
            date,
            retry_after,
            body,
        })
    }
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    date: Option<SystemTime>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    /// Told by the body alone: gateways send web pages under any content type.
    fn is_html(&self) -> bool {
        error::is_html(&self.body)
    }

    fn into_error(self, url: &Url) -> ApiError {
        let url = url.to_string();
        let code = self.status.as_u16();
        let message = match self.location {
            Some(to) if self.status.is_redirection() => format!("a redirect to {to}"),
            _ => message_in(&self.body),
        };
        match code {
            401 | 403 => ApiError::Unauthorized { url, code, message },
            422 => ApiError::Rejected { url, message },
            _ => ApiError::Status {
                url,
                code,
                message,
                retry_after: self.retry_after,
            },
        }
    }
}

fn checked_base(text: &str) -> Result<Url, ApiError> {
    let bad = |reason: &str| {
        // What stands before an @ may be a password.
        let shown = if text.contains('@') {
            "…".to_owned()
        } else {
            escaped(text)
        };
        Err(ApiError::BadUrl {
            url: shown,
            reason: reason.to_owned(),
        })
    };
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(error) => return bad(&error.to_string()),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return bad("neither http nor https");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return bad("no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("credentials do not belong in it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return bad("a query or fragment does not belong in it");
    }
    Ok(url)
}

fn server_clock(date: SystemTime) -> UtcMillis {
    DateTime::<Utc>::from(date).into()
}

/// `Retry-After` in either form. A date is counted from the server's own.
fn retry_after(text: &str, server_time: Option<SystemTime>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    // None left if that is past already.
    Some(at.duration_since(server_time?).unwrap_or_default())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
