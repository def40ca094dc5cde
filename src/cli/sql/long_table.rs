//! A table for people that may be longer than what can be kept in memory.
//!
//! A column is as wide as its widest value, which only the last row could settle. So the first page of
//! rows settles it for all, as it does which columns stand to the right. Where a later page has a longer
//! value, its column is wider on that page; where a terminal has no room for that, the rows go on as
//! records. An answer of one page looks like any other table.

use comfy_table::{ColumnConstraint, Table};
use serde_json::Value;

use crate::cli::fit::{self, Frame, Need};
use crate::cli::records;
use crate::cli::table::{self, Look};

/// How many rows are kept until they are drawn.
const PAGE: usize = 500;

/// How many bytes of text are kept until then, so that a page of long values is a short page.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

pub struct LongTable {
    fields: Vec<String>,
    look: Look,
    /// How many characters fit a line, if that matters.
    room: Option<usize>,
    kept: Vec<Vec<Value>>,
    kept_bytes: usize,
    layout: Option<Layout>,
}

/// What the first page settles.
enum Layout {
    Table {
        widths: Vec<usize>,
        numbers: Vec<bool>,
        /// The line below the last row so far; none in a pipe.
        foot: Option<String>,
    },
    /// Too wide for a table.
    Records,
}

impl LongTable {
    pub fn new(fields: &[&str], look: Look) -> Self {
        Self::in_room(fields, look, table::room(look))
    }

    fn in_room(fields: &[&str], look: Look, room: Option<usize>) -> Self {
        Self {
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            look,
            room,
            kept: Vec::new(),
            kept_bytes: 0,
            layout: None,
        }
    }

    /// Takes one more row, and gives what can be shown by now.
    pub fn row(&mut self, row: Vec<Value>) -> String {
        let is_full = self.kept.len() >= PAGE || self.kept_bytes >= PAGE_BYTES;
        let text = if is_full { self.page() } else { String::new() };
        self.kept_bytes += row
            .iter()
            .filter_map(Value::as_str)
            .map(str::len)
            .sum::<usize>();
        self.kept.push(row);
        text
    }

    /// What is left to be shown.
    pub fn end(mut self) -> String {
        if self.layout.is_none() {
            let fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
            return table::draw_in(&fields, &self.kept, self.look, self.room);
        }
        let mut text = match self.kept.is_empty() {
            true => String::new(),
            false => self.page(),
        };
        if let Some(Layout::Table { foot, .. }) = self.layout {
            text.extend(foot);
        }
        text
    }

    fn page(&mut self) -> String {
        let rows = std::mem::take(&mut self.kept);
        self.kept_bytes = 0;
        let fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        match &mut self.layout {
            None => {
                let (text, layout) = first_page(&fields, &rows, self.look, self.room);
                self.layout = Some(layout);
                text
            }
            Some(Layout::Records) => {
                let room = self.room.unwrap_or(usize::MAX);
                format!("\n{}", records::draw(&fields, &rows, self.look, room))
            }
            Some(Layout::Table {
                widths,
                numbers,
                foot,
            }) => {
                let fitted = match self.room {
                    None => None,
                    Some(room) => later_widths(&fields, &rows, widths, room),
                };
                if let (Some(room), None) = (self.room, &fitted) {
                    let text = records::draw(&fields, &rows, self.look, room);
                    let text = format!("{}\n{text}", foot.take().unwrap_or_default());
                    self.layout = Some(Layout::Records);
                    return text;
                }
                let widths_now = fitted.as_deref();
                let mut later =
                    table::without_headings(&fields, &rows, numbers, self.look, widths_now);
                if fitted.is_none() {
                    table::set_widths(&mut later, widths, ColumnConstraint::LowerBoundary);
                }
                let mut text = table::lines(&later);
                if self.look.has_lines() {
                    *foot = Some(cut_last_line(&mut text));
                    let first_line = text.find('\n').map_or(text.len(), |end| end + 1);
                    text.drain(..first_line);
                }
                text
            }
        }
    }
}

fn first_page(
    fields: &[&str],
    rows: &[Vec<Value>],
    look: Look,
    room: Option<usize>,
) -> (String, Layout) {
    let numbers = table::numbers(fields.len(), rows);
    let fitted = match room {
        None => None,
        Some(room) => match fit::widths(&table::needs(fields, rows), Frame::Lines, room) {
            Some(fitted) => Some(fitted),
            None => return (records::draw(fields, rows, look, room), Layout::Records),
        },
    };
    let first = table::laid_out(fields, rows, &numbers, look, fitted.as_deref());
    let mut text = table::lines(&first);
    let layout = Layout::Table {
        foot: look.has_lines().then(|| cut_last_line(&mut text)),
        widths: fitted.unwrap_or_else(|| widths_of(&first)),
        numbers,
    };
    (text, layout)
}

/// The widths so far, or wider ones; where there is no room for these, whatever there is room for.
fn later_widths(
    fields: &[&str],
    rows: &[Vec<Value>],
    widths: &[usize],
    room: usize,
) -> Option<Vec<usize>> {
    let needs = table::needs(fields, rows);
    let wider: Vec<Need> = needs
        .iter()
        .zip(widths)
        .map(|(need, width)| Need::exactly(need.least.max(*width)))
        .collect();
    fit::widths(&wider, Frame::Lines, room).or_else(|| fit::widths(&needs, Frame::Lines, room))
}

fn cut_last_line(text: &mut String) -> String {
    let begin = text
        .trim_end_matches('\n')
        .rfind('\n')
        .map_or(0, |end| end + 1);
    text.split_off(begin)
}

fn widths_of(table: &Table) -> Vec<usize> {
    let widths = table.column_max_content_widths().into_iter();
    widths.map(usize::from).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawn(rows: &[Vec<Value>], look: Look) -> String {
        let mut table = LongTable::new(&["n", "name"], look);
        let mut text: String = rows.iter().map(|row| table.row(row.clone())).collect();
        text.push_str(&table.end());
        text
    }

    fn rows(n: usize) -> Vec<Vec<Value>> {
        (0..n)
            .map(|i| vec![json!(i), json!(format!("x{i}"))])
            .collect()
    }

    #[test]
    fn one_page_is_a_table_like_any_other() {
        for look in [Look::Plain, Look::Lines] {
            for n in [0, 1, PAGE] {
                assert_eq!(
                    drawn(&rows(n), look),
                    table::draw(&["n", "name"], &rows(n), look),
                    "{n}"
                );
            }
        }
    }

    #[test]
    fn later_pages_stand_below_the_first() {
        for look in [Look::Plain, Look::Lines] {
            for n in [PAGE + 1, 2 * PAGE, 2 * PAGE + 1] {
                // Nothing here is wider than in the first page, up to 999.
                assert_eq!(
                    drawn(&rows(n.min(1000)), look),
                    table::draw(&["n", "name"], &rows(n.min(1000)), look),
                    "{n}"
                );
            }
        }
        let mut many = rows(PAGE);
        many.push(vec![Value::Null, json!("a longer name")]);
        many.push(vec![json!(7), Value::Null]);
        let text = drawn(&many, Look::Plain);
        let last: Vec<&str> = text.lines().skip(PAGE + 1).collect();
        assert_eq!(last, ["   –  a longer name", "   7  –"]);
    }

    /// On a terminal that has room for a name of ten characters.
    #[test]
    fn a_later_page_has_wider_columns_while_there_is_room_and_else_goes_on_as_records() {
        let drawn = |last: &str| {
            let mut table = LongTable::in_room(&["n", "name"], Look::Lines, Some(20));
            let mut many = rows(PAGE);
            many.extend([vec![json!(7), json!(last)], vec![json!(8), json!("x")]]);
            let mut text: String = many.into_iter().map(|row| table.row(row)).collect();
            text.push_str(&table.end());
            let lines = text.lines().skip(PAGE + 2).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        assert_eq!(
            drawn("of"),
            [
                "│ 499 ┆ x499 │",
                "│   7 ┆ of   │",
                "│   8 ┆ x    │",
                "└─────┴──────┘"
            ]
        );
        assert_eq!(
            drawn("ten_digits"),
            [
                "│ 499 ┆ x499 │",
                "│   7 ┆ ten_digits │",
                "│   8 ┆ x          │",
                "└─────┴────────────┘"
            ]
        );
        assert_eq!(
            drawn("eleven_long_digits"),
            [
                "│ 499 ┆ x499 │",
                "└─────┴──────┘",
                "",
                "n     7",
                "name  eleven_long_digits",
                "",
                "n     8",
                "name  x"
            ]
        );
    }

    #[test]
    fn what_is_too_wide_from_the_start_is_records_on_every_page() {
        let mut table = LongTable::in_room(&["n", "name"], Look::Lines, Some(20));
        let n = PAGE + 2;
        let long = |i| vec![json!(i), json!(format!("a_name_of_number_{i}"))];
        let mut text: String = (0..n).map(|i| table.row(long(i))).collect();
        text.push_str(&table.end());
        assert_eq!(text.lines().count(), 3 * n - 1);
        assert!(text.ends_with("\n\nn     501\nname  a_name_of_number_501\n"));
    }
}
