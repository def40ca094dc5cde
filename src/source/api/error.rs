//! What may go wrong between prochist and an API, told apart by what its caller can do about it.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::MAX_BODY_BYTES;

/// Characters of a server's own words that are shown.
const MAX_MESSAGE: usize = 200;

/// Why a call has no answer. One line each; never with the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The base URL cannot be used. A URL with an `@` is not shown: it may hold a password.
    #[error("{url} is no base URL: {reason}")]
    BadUrl {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Plain http to another machine, which was not allowed.
    #[error("{url} is plain http to another machine: everyone in between could read the token")]
    PlainHttp {
        /// The URL as given.
        url: String,
    },
    /// An app or process id that no URL can name.
    #[error("{id:?} is no id")]
    BadId {
        /// The id as given.
        id: String,
    },
    /// The token cannot stand in a header.
    #[error("the token cannot stand in an HTTP header")]
    BadToken,
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client")]
    Setup {
        /// Why.
        source: reqwest::Error,
    },
    /// 401 or 403: the token is not accepted, or not for this app.
    #[error("{url} refused the token (HTTP {code}){}", aside(message))]
    Unauthorized {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        code: u16,
        /// The server's words, made fit to show.
        message: String,
    },
    /// 404 on a list: no such app, or the base URL is that of something else.
    #[error("{url} does not know the app {app_id}")]
    UnknownApp {
        /// The app that was asked for.
        app_id: String,
        /// What was asked for.
        url: String,
    },
    /// 422: the server does not accept a filter or an id.
    #[error("{url} rejected the request{}", aside(message))]
    Rejected {
        /// What was asked for.
        url: String,
        /// The server's words, made fit to show.
        message: String,
    },
    /// No connection, no answer in time, or a connection that broke before the answer.
    #[error("could not reach {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The answer ended before its time.
    #[error("{url} sent an answer that is cut off")]
    Truncated {
        /// What was asked for.
        url: String,
        /// Why, where it was the connection and not the text that ended.
        source: Option<reqwest::Error>,
    },
    /// Any other HTTP status.
    #[error("{url} answered HTTP {code}{}", aside(message))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        code: u16,
        /// The server's words, made fit to show.
        message: String,
        /// How long the server asks to wait before the next try (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The answer is not the JSON that was asked for.
    #[error("{url} did not answer as a ProcessV2 API: {hint}")]
    NotJson {
        /// What was asked for.
        url: String,
        /// What it answered instead.
        hint: String,
        /// Whether it is JSON after all, only not what was asked for.
        is_json: bool,
    },
    /// The answer is larger than [`MAX_BODY_BYTES`].
    #[error("{url} answered more than {MAX_BODY_BYTES} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
    },
}

impl ApiError {
    /// Whether the same request may well succeed a little later. What is no JSON at all counts, since
    /// a server or a gateway in trouble sends such things, and a login page costs a few tries only.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Truncated { .. } => true,
            Self::NotJson { is_json, .. } => !is_json,
            Self::Status { code, .. } => matches!(code, 408 | 429 | 500..=599),
            _ => false,
        }
    }

    /// How long the server asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn not_json(url: &Url, body: &[u8], otherwise: &str) -> Self {
        let hint = if is_html(body) {
            "it sent a web page (HTML)".to_owned()
        } else if body.trim_ascii().is_empty() {
            "it sent nothing".to_owned()
        } else {
            otherwise.to_owned() + &aside(&message_in(body))
        };
        Self::NotJson {
            url: url.to_string(),
            hint,
            is_json: serde_json::from_slice::<IgnoredAny>(body).is_ok(),
        }
    }
}

pub(super) fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// The server's own words: the `message` of a JSON error, else the beginning of the body.
pub(super) fn message_in(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    if is_html(body) {
        return "a web page (HTML)".to_owned();
    }
    match serde_json::from_slice::<Error>(body) {
        Ok(error) => escaped(&error.message),
        Err(_) => {
            // No character is longer than four bytes.
            let head = body.get(..4 * (MAX_MESSAGE + 1)).unwrap_or(body);
            escaped(String::from_utf8_lossy(head).trim())
        }
    }
}

/// At most [`MAX_MESSAGE`] characters on one line, without any that would steer a terminal.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (i, character) in text.chars().enumerate() {
        if i == MAX_MESSAGE {
            out.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            let _ = write!(out, "{}", character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Characters that turn the direction of a line, break it, or hide in it, without being control
/// characters.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn aside(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_words_fit_on_a_line() {
        let long = "é".repeat(500);
        let cut = "é".repeat(200) + "…";
        for (body, shown) in [
            (r#"{"message":"no such region"}"#, "no such region"),
            (r#"{"message":"a\nb\u001b[31m"}"#, "a\\nb\\u{1b}[31m"),
            (" upstream timed out\n", "upstream timed out"),
            ("<!doctype html>", "a web page (HTML)"),
            ("", ""),
            (&long, &cut),
        ] {
            assert_eq!(message_in(body.as_bytes()), shown, "{body}");
        }
        assert_eq!(message_in(&[0xff, b'x']), "\u{fffd}x");
    }
}
