//! Values laid out for people: headings, units, and nothing that could drive a terminal.

use std::iter::zip;

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, LineStyle, Table, TableStyle, Width, presets,
};
use serde_json::{Number, Value};

use super::fit::{self, Frame, Need};
use super::{human, records};

/// The columns of characters below which wrapping does more harm than good.
const NARROWEST: u16 = 20;

/// How many characters stand beside a value in its column.
const PADDING: usize = 2;

/// The characters of a value, or a heading, that are drawn: nobody reads more in a table, its columns
/// cannot be any wider, and what an API or a file sends may be of any length.
const MOST_CHARACTERS: usize = 10_000;

/// The colour of headings.
pub const HEADING: Color = Color::Cyan;

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

/// Draws rows under headings: in a pipe as plain aligned text, on a terminal with lines around it and
/// so that it fits. What would not fit unless a word, a number or a time were broken is drawn without
/// the columns that hold the same in all rows, which is said once above it; what does not fit then,
/// without lines between the columns; and what still does not, as records, side by side or one below
/// the other.
pub fn draw(fields: &[&str], rows: &[Vec<Value>], look: Look) -> String {
    draw_in(fields, rows, look, room(look))
}

/// How many characters fit a line, where anything is to be fitted into it.
pub fn room(look: Look) -> Option<usize> {
    // Some terminals, those of `script` and of build servers, say that they have no width.
    let width = Table::new().width().filter(|width| *width >= NARROWEST);
    width.map(usize::from).filter(|_| look.has_lines())
}

/// The same in so much room.
pub fn draw_in(fields: &[&str], rows: &[Vec<Value>], look: Look, room: Option<usize>) -> String {
    let Some(room) = room else {
        let numbers = numbers(fields.len(), rows);
        return lines(&laid_out(fields, rows, &numbers, look, None));
    };
    if let Some(text) = fitted(fields, rows, look, Frame::Lines, room) {
        return text;
    }
    if rows.is_empty() {
        let names: Vec<String> = fields.iter().map(|field| heading(field)).collect();
        return prose(&format!("no rows of: {}\n", names.join(", ")), Some(room));
    }
    let (alike, told_apart) = alike(fields, rows);
    let said: Vec<String> = alike
        .iter()
        .map(|&i| format!("{}: {}", heading(fields[i]), shown(fields[i], &rows[0][i])))
        .collect();
    let said = match said.is_empty() {
        true => String::new(),
        false => prose(&format!("{}\n\n", said.join(" · ")), Some(room)),
    };
    let fields: Vec<&str> = told_apart.iter().map(|&i| fields[i]).collect();
    let rows: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| told_apart.iter().map(|&i| row[i].clone()).collect())
        .collect();
    let table = fitted(&fields, &rows, look, Frame::Lines, room)
        .or_else(|| fitted(&fields, &rows, look, Frame::Rule, room))
        .or_else(|| records::side_by_side(&fields, &rows, look, room))
        .unwrap_or_else(|| records::draw(&fields, &rows, look, room));
    said + &table
}

/// A table in so much room, if nothing in it has to be broken.
fn fitted(
    fields: &[&str],
    rows: &[Vec<Value>],
    look: Look,
    frame: Frame,
    room: usize,
) -> Option<String> {
    let widths = fit::widths(&needs(fields, rows), frame, room)?;
    let numbers = numbers(fields.len(), rows);
    let mut table = laid_out(fields, rows, &numbers, look, Some(&widths));
    if frame == Frame::Rule {
        table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    }
    Some(lines(&table))
}

/// Which columns hold the same in all of several rows, and which do not. Some always do not.
fn alike(fields: &[&str], rows: &[Vec<Value>]) -> (Vec<usize>, Vec<usize>) {
    let is_alike = |i: &usize| {
        let first = rows[0].get(*i);
        rows.len() > 1 && !is_drawn(fields[*i]) && rows.iter().all(|row| row.get(*i) == first)
    };
    let (alike, told_apart): (Vec<usize>, _) = (0..fields.len()).partition(is_alike);
    match told_apart.is_empty() {
        true => (Vec::new(), alike),
        false => (alike, told_apart),
    }
}

/// What the columns take.
pub fn needs(fields: &[&str], rows: &[Vec<Value>]) -> Vec<Need> {
    let need = |(i, field): (usize, &&str)| {
        let values = rows.iter().filter_map(|row| row.get(i));
        let values = values.map(|value| match is_whole(field, value) {
            true => Need::whole(&shown(field, value)),
            false => Need::words(&shown(field, value)),
        });
        values.fold(Need::words(&heading(field)), Need::and)
    };
    fields.iter().enumerate().map(need).collect()
}

/// Whether a value is never broken, not even between words: `2h 14m` is one number.
pub fn is_whole(field: &str, value: &Value) -> bool {
    value.is_number() || is_drawn(field)
}

/// Lines of text for people, each broken between words where it would not fit.
pub fn prose(text: &str, room: Option<usize>) -> String {
    let Some(room) = room else {
        return text.to_owned();
    };
    text.split_inclusive('\n')
        .map(|line| fit::wrapped(line, room).join("\n"))
        .collect()
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

/// Rows under headings, not drawn yet. Columns take what they need, where no widths are given.
pub fn laid_out(
    fields: &[&str],
    rows: &[Vec<Value>],
    numbers: &[bool],
    look: Look,
    widths: Option<&[usize]>,
) -> Table {
    let mut table = without_headings(fields, rows, numbers, look, widths);
    table.set_header(fields.iter().zip(numbers).map(|(field, right)| {
        let cell = cell(heading(field), *right);
        match look {
            Look::Colours => cell.fg(HEADING),
            _ => cell,
        }
    }));
    // Without a row, headings are all there is to set widths of.
    set_widths(
        &mut table,
        widths.unwrap_or_default(),
        ColumnConstraint::Absolute,
    );
    table
}

/// Rows alone, not drawn yet.
pub fn without_headings(
    fields: &[&str],
    rows: &[Vec<Value>],
    numbers: &[bool],
    look: Look,
    widths: Option<&[usize]>,
) -> Table {
    let mut table = Table::new();
    table.load_style(match look.has_lines() {
        true => presets::UTF8_FULL_CONDENSED,
        false => presets::NOTHING,
    });
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
    set_widths(
        &mut table,
        widths.unwrap_or_default(),
        ColumnConstraint::Absolute,
    );
    table
}

/// Sets how wide the values of each column are, or must be at least.
pub fn set_widths(table: &mut Table, widths: &[usize], how: impl Fn(Width) -> ColumnConstraint) {
    for (column, width) in zip(table.column_iter_mut(), widths) {
        let width = u16::try_from(width + PADDING).unwrap_or(u16::MAX);
        column.set_constraint(how(Width::Fixed(width)));
    }
}

/// The colour of what should catch the eye.
pub fn alarm(field: &str, value: &Value) -> Option<Color> {
    match (field, value.as_str()?) {
        ("outcome" | "status" | "of" | "result", "failed") => Some(Color::Red),
        ("outcome", "lost") | ("result", "partial" | "unfinished") => Some(Color::Yellow),
        _ => None,
    }
}

/// The text in that colour, where there are any.
pub fn painted(text: &str, colour: Option<Color>, look: Look) -> String {
    let code = match (look, colour) {
        (Look::Colours, Some(Color::Red)) => 31,
        (Look::Colours, Some(Color::Yellow)) => 33,
        (Look::Colours, Some(HEADING)) => 36,
        _ => return text.to_owned(),
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
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
            .map(|(field, value)| in_full(field, value)),
    )
}

fn markdown_line(cells: impl Iterator<Item = String>) -> String {
    // Nor may a name end a cell, or begin an element of HTML.
    let safe = |text: String| text.replace('|', "\\|").replace('<', "&lt;");
    let cells: Vec<String> = cells.map(safe).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A heading: the field's name, with its unit where its values do not carry one.
pub fn heading(field: &str) -> String {
    let name = field.strip_suffix("_ms").unwrap_or(field);
    let name = cut(printable(&name.replace('_', " ")));
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

/// A value as people read it in a table, where not all of a very long one is drawn; its field tells its
/// unit.
pub fn shown(field: &str, value: &Value) -> String {
    cut(in_full(field, value))
}

/// As much of the text as is drawn, and how much there is.
fn cut(text: String) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => {
            let all = text.chars().count();
            format!("{}… ({all} characters)", &text[..end])
        }
        None => text,
    }
}

/// A value as people read it, whole.
fn in_full(field: &str, value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        // The text 42 is another deployment than the number.
        Value::String(text)
            if field.trim_end_matches('s').ends_with("deployment_id")
                && text.parse::<i64>().is_ok() =>
        {
            format!("{text:?}")
        }
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
            .map(|item| in_full(field, item))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Object(port) if port.contains_key("transportType") => format!(
            "{}:{}/{}",
            in_full("host", &port["host"]),
            port["port"],
            in_full("transport", &port["transportType"])
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

/// The text with everything escaped that would move a cursor, turn the direction of writing, or not be
/// seen.
pub fn printable(text: &str) -> String {
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

/// Control characters, and what is invisible and no space.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests;
