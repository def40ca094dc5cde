//! A table for people that may be longer than what can be kept in memory.
//!
//! A column is as wide as its widest value, which only the last row could settle. So the first page of
//! rows settles it for all, as it does which columns stand to the right. Where a later page has a longer
//! value, its column is wider on that page, as far as a terminal has room. An answer of one page looks
//! like any other table.

use comfy_table::{ColumnConstraint, Table, Width};
use serde_json::Value;

use crate::cli::table::{self, Look};

/// How many rows are kept until they are drawn.
const PAGE: usize = 500;

/// How many characters stand beside a value in its column.
const PADDING: u16 = 2;

pub struct LongTable {
    fields: Vec<String>,
    look: Look,
    kept: Vec<Vec<Value>>,
    layout: Option<Layout>,
}

/// What the first page settles, foot aside.
struct Layout {
    widths: Vec<u16>,
    numbers: Vec<bool>,
    /// The line below the last row so far; none in a pipe.
    foot: Option<String>,
}

impl LongTable {
    pub fn new(fields: &[&str], look: Look) -> Self {
        Self {
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            look,
            kept: Vec::new(),
            layout: None,
        }
    }

    /// Takes one more row, and gives what can be shown by now.
    pub fn row(&mut self, row: Vec<Value>) -> String {
        let text = match self.kept.len() {
            PAGE.. => self.page(),
            _ => String::new(),
        };
        self.kept.push(row);
        text
    }

    /// What is left to be shown.
    pub fn end(mut self) -> String {
        let mut text = match self.layout.is_some() && self.kept.is_empty() {
            true => String::new(),
            false => self.page(),
        };
        text.extend(self.layout.and_then(|layout| layout.foot));
        text
    }

    fn page(&mut self) -> String {
        let rows = std::mem::take(&mut self.kept);
        let fields: Vec<&str> = self.fields.iter().map(String::as_str).collect();
        let Some(layout) = &mut self.layout else {
            let numbers = table::numbers(fields.len(), &rows);
            let first = table::laid_out(&fields, &rows, &numbers, self.look);
            let mut text = table::lines(&first);
            let foot = self.look.has_lines().then(|| cut_last_line(&mut text));
            self.layout = Some(Layout {
                widths: match self.look.has_lines() {
                    true => widths_between(text.lines().next().unwrap_or_default()),
                    false => widths_of(&first),
                },
                numbers,
                foot,
            });
            return text;
        };
        let mut later = table::without_headings(&fields, &rows, &layout.numbers, self.look);
        let least = |&width: &u16| ColumnConstraint::LowerBoundary(Width::Fixed(width));
        later.set_constraints(layout.widths.iter().map(least));
        let mut text = table::lines(&later);
        if self.look.has_lines() {
            layout.foot = Some(cut_last_line(&mut text));
            let first_line = text.find('\n').map_or(text.len(), |end| end + 1);
            text.drain(..first_line);
        }
        text
    }
}

fn cut_last_line(text: &mut String) -> String {
    let begin = text
        .trim_end_matches('\n')
        .rfind('\n')
        .map_or(0, |end| end + 1);
    text.split_off(begin)
}

fn widths_of(table: &Table) -> Vec<u16> {
    table
        .column_max_content_widths()
        .into_iter()
        .map(|width| width.saturating_add(PADDING))
        .collect()
}

/// The widths of the columns below a line such as `┌───┬─────┐`.
fn widths_between(line: &str) -> Vec<u16> {
    line.trim_matches(['┌', '┐'])
        .split('┬')
        .map(|part| u16::try_from(part.chars().count()).unwrap_or(u16::MAX))
        .collect()
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
}
