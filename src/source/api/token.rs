//! The bearer token: shown by nothing, checked once, sent as a header.

use std::fmt;

use memchr::memmem;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// What stands where a token was. No JSON that holds a token breaks by it.
const TAKEN_OUT: &[u8] = b"[token]";

/// A shorter text is no secret, and too likely to occur by itself.
const SHORTEST_SECRET: usize = 8;

/// A bearer token. Shown by nothing, wiped from memory when dropped.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Takes a token; white space around it, such as the end of a file's line, is cut off.
    ///
    /// # Errors
    /// [`TokenError`], without the text, if nothing is left or it cannot stand in a header.
    pub fn new(text: String) -> Result<Self, TokenError> {
        // So that what was handed in is wiped as well.
        let text = SecretString::from(text);
        let trimmed = text.expose_secret().trim();
        if trimmed.is_empty() {
            return Err(TokenError::Empty);
        }
        if !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::NotHeaderSafe);
        }
        Ok(Self(SecretString::from(trimmed)))
    }

    /// The text without the token, wherever it stood in it: as it is, as part of a URL, or in a text of
    /// JSON, however that was escaped.
    pub(super) fn taken_out_of(&self, text: Vec<u8>) -> Vec<u8> {
        let secret = self.0.expose_secret();
        if secret.len() < SHORTEST_SECRET {
            return text;
        }
        let mut text = without(text, secret.as_bytes());
        let in_url = SecretString::from(percent_encoded(secret));
        if in_url.expose_secret() != secret {
            text = without(text, in_url.expose_secret().as_bytes());
        }
        // Without a backslash nothing in it is escaped.
        if memchr::memchr(b'\\', &text).is_some()
            && let Ok(mut value) = serde_json::from_slice::<Value>(&text)
            && take_out_of_value(&mut value, secret)
        {
            text = value.to_string().into_bytes();
        }
        text
    }

    /// The value of the `Authorization` header, marked so that no log shows it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = SecretString::from(format!("Bearer {}", self.0.expose_secret()));
        let mut header = HeaderValue::from_str(text.expose_secret()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether there was anything to take out.
fn take_out_of_value(value: &mut Value, secret: &str) -> bool {
    let taken_out = String::from_utf8_lossy(TAKEN_OUT);
    match value {
        Value::String(text) if text.contains(secret) => {
            *text = text.replace(secret, &taken_out);
            true
        }
        Value::Array(values) => {
            let take_out = |found, value| take_out_of_value(value, secret) || found;
            values.iter_mut().fold(false, take_out)
        }
        Value::Object(fields) => {
            let mut found = false;
            let names: Vec<String> = fields
                .keys()
                .filter(|k| k.contains(secret))
                .cloned()
                .collect();
            for name in names {
                if let Some(value) = fields.remove(&name) {
                    fields.insert(name.replace(secret, &taken_out), value);
                    found = true;
                }
            }
            let take_out = |found, value| take_out_of_value(value, secret) || found;
            fields.values_mut().fold(found, take_out)
        }
        _ => false,
    }
}

fn without(text: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let mut clean = Vec::new();
    let mut from = 0;
    for at in memmem::find_iter(&text, secret) {
        clean.extend_from_slice(&text[from..at]);
        clean.extend_from_slice(TAKEN_OUT);
        from = at + secret.len();
    }
    if from == 0 {
        return text;
    }
    clean.extend_from_slice(&text[from..]);
    clean
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a text is no token. Does not show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing but white space.
    #[error("the token is empty")]
    Empty,
    /// A line break, a space or another character that no token has.
    #[error("the token holds characters that cannot stand in an HTTP header")]
    NotHeaderSafe,
}
