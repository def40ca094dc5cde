//! The bearer token: shown by nothing, checked once, sent as a header.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

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

    /// The value of the `Authorization` header, marked so that no log shows it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = SecretString::from(format!("Bearer {}", self.0.expose_secret()));
        let mut header = HeaderValue::from_str(text.expose_secret()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
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
