//! Values laid out for people: headings, units, and nothing that could drive a terminal.

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};
use serde_json::{Number, Value};

use super::human;

/// The columns of characters below which wrapping does more harm than good.
const NARROWEST: u16 = 20;

/// Where a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// In a pipe or a file: plain text.
    Plain,
    /// On a terminal, with lines around it and as wide as that is.
    Lines,
    /// On a terminal that shows colours, too.
    Colours,
}

impl Look {
    pub fn has_lines(self) -> bool {
        self != Self::Plain
    }
}

/// Draws rows under headings. On a terminal with lines around it and wrapped to its width, in a
/// pipe as plain aligned text.
pub fn draw(fields: &[&str], rows: &[Vec<Value>], look: Look) -> String {
    lines(&laid_out(fields, rows, &numbers(fields.len(), rows), look))
}

/// Which columns are of numbers: such a one stands to the right, its heading and its dashes too.
pub fn numbers(width: usize, rows: &[Vec<Value>]) -> Vec<bool> {
    (0..width)
        .map(|i| {
            rows.iter()
                .any(|row| row.get(i).is_some_and(Value::is_number))
        })
        .collect()
}

/// Rows under headings, not drawn yet.
pub fn laid_out(fields: &[&str], rows: &[Vec<Value>], numbers: &[bool], look: Look) -> Table {
    let mut table = without_headings(fields, rows, numbers, look);
    table.set_header(fields.iter().zip(numbers).map(|(field, right)| {
        let cell = cell(heading(field), *right);
        match look {
            Look::Colours => cell.fg(Color::Cyan),
            _ => cell,
        }
    }));
    // An id is there to be copied, and a shape to be seen whole, so they are the last to be broken over
    // lines.
    for (field, column) in fields.iter().zip(table.column_iter_mut()) {
        if *field == "process_id" || is_drawn(field) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// Rows alone, not drawn yet.
pub fn without_headings(
    fields: &[&str],
    rows: &[Vec<Value>],
    numbers: &[bool],
    look: Look,
) -> Table {
    let mut table = Table::new();
    if look.has_lines() {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        // Some terminals, those of `script` and of build servers, say that they have no width.
        table.set_content_arrangement(match table.width() {
            Some(width) if width >= NARROWEST => ContentArrangement::Dynamic,
            _ => ContentArrangement::Disabled,
        });
    } else {
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
    }
    for row in rows {
        table.add_row(
            fields
                .iter()
                .zip(row)
                .zip(numbers)
                .map(|((field, value), right)| {
                    let cell = cell(shown(field, value), *right);
                    match (look, alarm(field, value)) {
                        (Look::Colours, Some(colour)) => cell.fg(colour),
                        _ => cell,
                    }
                }),
        );
    }
    table
}

/// The colour of what should catch the eye.
fn alarm(field: &str, value: &Value) -> Option<Color> {
    match (field, value.as_str()?) {
        ("outcome" | "status" | "of" | "result", "failed") => Some(Color::Red),
        ("outcome", "lost") | ("result", "partial" | "unfinished") => Some(Color::Yellow),
        _ => None,
    }
}

fn cell(text: String, right: bool) -> Cell {
    match right {
        true => Cell::new(text).set_alignment(CellAlignment::Right),
        false => Cell::new(text),
    }
}

/// Draws what was laid out.
pub fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Draws rows as a Markdown table.
pub fn markdown(fields: &[&str], rows: &[Vec<Value>]) -> String {
    let mut text = markdown_head(fields);
    for row in rows {
        text.push_str(&markdown_row(fields, row));
    }
    text
}

/// How a Markdown table begins.
pub fn markdown_head(fields: &[&str]) -> String {
    markdown_line(fields.iter().map(|field| heading(field)))
        + &markdown_line(fields.iter().map(|_| "---".to_owned()))
}

/// One more line of it.
pub fn markdown_row(fields: &[&str], row: &[Value]) -> String {
    markdown_line(
        fields
            .iter()
            .zip(row)
            .map(|(field, value)| shown(field, value)),
    )
}

fn markdown_line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|text| text.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A heading: the field's name, with its unit where its values do not carry one.
fn heading(field: &str) -> String {
    let name = field.strip_suffix("_ms").unwrap_or(field);
    let name = printable(&name.replace('_', " "));
    match field {
        _ if is_hours(field) => format!("{name} hours"),
        "at" | "since" | "until" | "held_from" | "day" | "hour" => format!("{name} (UTC)"),
        _ if ["_at", "held_from", "held_until"]
            .iter()
            .any(|end| field.ends_with(end)) =>
        {
            format!("{name} (UTC)")
        }
        "difference" | "difference_low" | "difference_high" => format!("{name} (points)"),
        _ => name,
    }
}

/// A value as people read it; its field tells its unit.
pub fn shown(field: &str, value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => printable(text),
        Value::Number(number) if is_hours(field) => number
            .as_i64()
            .map_or_else(|| number.to_string(), human::hours),
        Value::Number(number) if is_duration(field) => number
            .as_i64()
            // Such as the average of some, which an SQL query may ask for.
            .or_else(|| number.as_f64().map(|millis| millis.round() as i64))
            .map_or_else(|| number.to_string(), human::duration),
        Value::Number(number) if is_share(field) => with_f64(number, human::percent),
        Value::Number(number) if field.starts_with("difference") => with_f64(number, human::points),
        Value::Number(number) if matches!(field, "p" | "fisher_p") => {
            with_f64(number, human::likelihood)
        }
        Value::Number(number) if field == "expected" => with_f64(number, |n| format!("{n:.1}")),
        Value::Number(number) if matches!(field, "bytes" | "size_bytes") => number
            .as_u64()
            .map_or_else(|| number.to_string(), human::bytes),
        Value::Array(items) if items.is_empty() => "–".to_owned(),
        Value::Array(items) => items
            .iter()
            .map(|item| shown(field, item))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Object(port) if port.contains_key("transportType") => format!(
            "{}:{}/{}",
            shown("host", &port["host"]),
            port["port"],
            shown("transport", &port["transportType"])
        ),
        other => printable(&other.to_string()),
    }
}

fn with_f64(number: &Number, write: impl Fn(f64) -> String) -> String {
    number.as_f64().map_or_else(|| number.to_string(), write)
}

/// Shares of a whole, from 0 to 1.
fn is_share(field: &str) -> bool {
    field.starts_with("rate")
        || field.starts_with("other_rate")
        || matches!(field, "share" | "utilization")
}

/// Columns of shapes.
fn is_drawn(field: &str) -> bool {
    field.is_empty() || field == "share of new" || field.starts_with("spread from")
}

/// Lengths of many processes or rooms together, which nobody wants to read in days.
fn is_hours(field: &str) -> bool {
    matches!(field, "process_ms" | "allocated_ms" | "capacity_ms")
}

/// Lengths of time end in `_ms`; moments in milliseconds, as some views have them, in `_at_ms` or
/// `_from_ms` and `_until_ms`.
fn is_duration(field: &str) -> bool {
    field == "survival_until_ms"
        || field.ends_with("_ms")
            && !["_at_ms", "_from_ms", "_until_ms", "since_ms", "until_ms"]
                .iter()
                .any(|moment| field.ends_with(moment))
}

/// The text with everything escaped that would move a cursor or turn the direction of writing.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}'
                         | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if steers(c) {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_carry_their_units() {
        for (field, value, text) in [
            ("p50_ms", json!(8_040_000), "2h 14m"),
            ("p50_ms", json!(8_039_999.7), "2h 14m"),
            ("created_at_ms", json!(8_040_000), "8040000"),
            ("survival_until_ms", json!(8_040_000), "2h 14m"),
            ("rate_low", json!(0.0312), "3.1%"),
            (
                "changed",
                json!(["status", "started_at"]),
                "status, started_at",
            ),
            ("extra", Value::Null, "–"),
            (
                "exposed_port",
                json!({"host": "a", "port": 72941, "name": "n", "transportType": "tls"}),
                "a:72941/tls",
            ),
            (
                "region",
                json!("a\u{1b}[2J\u{202e}b"),
                "a\\u{1b}[2J\\u{202e}b",
            ),
        ] {
            assert_eq!(shown(field, &value), text, "{field}");
        }
    }

    #[test]
    fn a_pipe_gets_plain_aligned_text() {
        let rows = [
            vec![json!("a"), json!(5), Value::Null],
            vec![json!("bcd"), json!(123_456), json!(1_500)],
        ];
        assert_eq!(
            draw(&["host", "holds", "min_gap_ms"], &rows, Look::Plain),
            " host   holds  min gap\n a          5        –\n bcd   123456     1.5s\n"
        );
        assert_eq!(
            markdown(&["host", "gap_ms"], &[vec![json!("a|b"), json!(5)]]),
            "| host | gap |\n| --- | --- |\n| a\\|b | 5ms |\n"
        );
    }
}
