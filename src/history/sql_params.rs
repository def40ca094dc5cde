//! One SQL statement with the values of its parameters: how they are written, and how each gets to
//! its place. Every value must have a place and every place a value, so that a slip of the pen is
//! no null.

use rusqlite::Statement;
pub use rusqlite::types::Value as SqlParam;

use crate::Error;
use crate::error::Doing;

/// One statement of SQL, with the values of its parameters.
///
/// ```
/// use prochist::history::SqlQuery;
///
/// let query = SqlQuery::new("SELECT * FROM processes WHERE region = :region AND version > :least")
///     .param("region", "Tokyo".to_owned())
///     .param("least", 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SqlQuery {
    pub(super) text: String,
    params: Vec<(String, SqlParam)>,
}

impl SqlQuery {
    /// A statement without any values yet.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            params: Vec::new(),
        }
    }

    /// Gives a parameter its value. `id` is that of `:id`, `@id` and `$id`, and `1` that of `?1`; the
    /// name may be given with its mark, too.
    #[must_use]
    pub fn param(mut self, name: impl AsRef<str>, value: impl Into<SqlParam>) -> Self {
        self.params
            .push((bare(name.as_ref()).to_owned(), value.into()));
        self
    }

    pub(super) fn bind(&self, statement: &mut Statement<'_>) -> Result<(), Error> {
        for (i, (name, _)) in self.params.iter().enumerate() {
            if self.params[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(wrong(format!("parameter {name:?} is given twice")));
            }
        }
        let places: Vec<Option<String>> = (1..=statement.parameter_count())
            .map(|index| statement.parameter_name(index).map(str::to_owned))
            .collect();
        for (name, _) in &self.params {
            if !places.iter().flatten().any(|place| bare(place) == name) {
                let known: Vec<&str> = places.iter().flatten().map(String::as_str).collect();
                return Err(wrong(match known.is_empty() {
                    true => format!(
                        "the statement has no parameter {name:?}, nor any other with a name"
                    ),
                    false => format!(
                        "the statement has no parameter {name:?}; it has {}",
                        known.join(", ")
                    ),
                }));
            }
        }
        for (place, index) in places.iter().zip(1..) {
            let Some(place) = place else {
                // SQLite does not tell the two apart.
                return Err(wrong(format!(
                    "parameter {index} of the statement has no name: it is a bare ?, or ?{index} \
                     is left out; name it, such as :name"
                )));
            };
            let given = self.params.iter().find(|(name, _)| name == bare(place));
            let Some((_, value)) = given else {
                return Err(wrong(format!(
                    "parameter {place} of the statement has no value"
                )));
            };
            statement
                .raw_bind_parameter(index, value)
                .doing("bind a parameter")?;
        }
        Ok(())
    }
}

impl From<&str> for SqlQuery {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Reads a value as people write it: what is a number in full is one, `null` is none, and all else is
/// text, as is what stands in single quotes: `'42'`, where `''` is a quote. An integer that does not
/// fit 64 bits stays text, so that no digit is lost.
///
/// ```
/// use prochist::history::{SqlParam, parse_param};
///
/// assert_eq!(parse_param("42"), SqlParam::Integer(42));
/// assert_eq!(parse_param("'42'"), SqlParam::Text("42".to_owned()));
/// ```
pub fn parse_param(text: &str) -> SqlParam {
    if text.eq_ignore_ascii_case("null") {
        return SqlParam::Null;
    }
    if let Some(quoted) = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        return SqlParam::Text(quoted.replace("''", "'"));
    }
    if let Ok(integer) = text.parse() {
        return SqlParam::Integer(integer);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    // Rust reads names such as `inf` and `nan`, too.
    let is_real = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| !c.is_ascii_digit());
    match text.parse::<f64>() {
        Ok(real) if is_real && real.is_finite() => SqlParam::Real(real),
        _ => SqlParam::Text(text.to_owned()),
    }
}

/// A parameter's name without the mark that SQLite begins it with. `?007` is `?7`.
fn bare(name: &str) -> &str {
    match name.strip_prefix('?') {
        Some(number) => number.trim_start_matches('0'),
        None => name.strip_prefix([':', '@', '$']).unwrap_or(name),
    }
}

fn wrong(reason: String) -> Error {
    Error::SqlParameters { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_people_write_them() {
        let text = |text: &str| SqlParam::Text(text.to_owned());
        for (written, value) in [
            ("42", SqlParam::Integer(42)),
            ("-42", SqlParam::Integer(-42)),
            ("9223372036854775807", SqlParam::Integer(i64::MAX)),
            ("9223372036854775808", text("9223372036854775808")),
            ("0.5", SqlParam::Real(0.5)),
            (".5", SqlParam::Real(0.5)),
            ("-1e3", SqlParam::Real(-1000.0)),
            ("1e999", text("1e999")),
            ("inf", text("inf")),
            ("-nan", text("-nan")),
            ("42 ", text("42 ")),
            ("1.2.3", text("1.2.3")),
            ("2024-05-01", text("2024-05-01")),
            ("'42'", text("42")),
            ("'null'", text("null")),
            ("'it''s'", text("it's")),
            ("''", text("")),
            ("'", text("'")),
            ("it's", text("it's")),
            ("", text("")),
            ("null", SqlParam::Null),
            ("NULL", SqlParam::Null),
            ("nullable", text("nullable")),
            ("Tokyo", text("Tokyo")),
        ] {
            assert_eq!(parse_param(written), value, "{written}");
        }
    }
}
