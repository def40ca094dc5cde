//! Rows as records, a field a line: for what is too wide for a table. A few stand side by side, many one
//! below the other.

use std::iter::zip;

use serde_json::Value;

use super::fit::{width, wrapped};
use super::table::{HEADING, Look, alarm, heading, is_whole, painted, shown};

/// The characters that a value gets at least, whatever the names of the fields take.
const NARROWEST_VALUE: usize = 20;

/// More than that are looked through rather than compared.
const MOST_SIDE_BY_SIDE: usize = 8;

/// Draws each row as a record, with a blank line between two. Texts are broken between words to fit
/// the room; numbers and shapes are not.
pub fn draw(fields: &[&str], rows: &[Vec<Value>], look: Look, room: usize) -> String {
    let names: Vec<String> = fields.iter().map(|field| heading(field)).collect();
    let indent = names.iter().map(|name| width(name)).max().unwrap_or(0) + 2;
    let room = room.saturating_sub(indent).max(NARROWEST_VALUE);
    let mut records = Vec::new();
    for row in rows {
        let mut record = String::new();
        for ((field, name), value) in fields.iter().zip(&names).zip(row) {
            let text = shown(field, value);
            let lines = match is_whole(field, value) {
                true => vec![text],
                false => wrapped(&text, room),
            };
            let mut name = name.as_str();
            for line in lines {
                let blanks = " ".repeat(indent - width(name));
                let named = painted(name, Some(HEADING), look);
                let line = painted(line.trim_end(), alarm(field, value), look);
                record.push_str(format!("{named}{blanks}{line}").trim_end());
                record.push('\n');
                name = "";
            }
        }
        records.push(record);
    }
    records.join("\n")
}

/// Draws a few rows as records beside each other, to be compared, with a blank line below as many as
/// fit; nothing if no two do.
pub fn side_by_side(
    fields: &[&str],
    rows: &[Vec<Value>],
    look: Look,
    room: usize,
) -> Option<String> {
    if rows.len() > MOST_SIDE_BY_SIDE {
        return None;
    }
    let in_bands = |n: usize| -> Option<Vec<String>> {
        let bands = rows.chunks(n).map(|rows| band(fields, rows, look, room));
        bands.collect()
    };
    let bands = (2..=rows.len()).rev().find_map(in_bands)?;
    Some(bands.join("\n"))
}

/// All of the rows side by side, if they fit.
fn band(fields: &[&str], rows: &[Vec<Value>], look: Look, room: usize) -> Option<String> {
    let names: Vec<String> = fields.iter().map(|field| heading(field)).collect();
    let widest = |texts: &[String]| texts.iter().map(|text| width(text)).max().unwrap_or(0);
    let records: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            zip(fields, row)
                .map(|(field, value)| shown(field, value))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = records.iter().map(|record| widest(record)).collect();
    let indent = widest(&names);
    if indent + widths.iter().map(|width| width + 2).sum::<usize>() > room {
        return None;
    }
    let mut text = String::new();
    for (i, (field, name)) in zip(fields, &names).enumerate() {
        let mut line = painted(name, Some(HEADING), look);
        let mut blanks = indent - width(name);
        for ((row, record), width_of_all) in zip(rows, &records).zip(&widths) {
            let value = painted(&record[i], alarm(field, &row[i]), look);
            line.push_str(&" ".repeat(blanks + 2));
            line.push_str(&value);
            blanks = width_of_all - width(&record[i]);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_a_line_and_long_texts_go_on_below() {
        let rows = [
            vec![json!("p1"), json!(8_040_000), json!("to be or not to be")],
            vec![json!("p2"), Value::Null, json!("")],
        ];
        let fields = ["process_id", "gap_ms", "error"];
        assert_eq!(
            draw(&fields, &rows, Look::Lines, 34),
            "process id  p1\n\
             gap         2h 14m\n\
             error       to be or not to be\n\
             \n\
             process id  p2\n\
             gap         –\n\
             error\n"
        );
        let narrow = draw(&fields, &rows[..1], Look::Lines, 20);
        assert!(
            narrow.contains("error       to be or not to be\n"),
            "{narrow}"
        );
        assert_eq!(
            side_by_side(&fields[..2], &rows, Look::Lines, 22).expect("room for two"),
            "process id  p1      p2\n\
             gap         2h 14m  –\n"
        );
        assert_eq!(side_by_side(&fields[..2], &rows, Look::Lines, 21), None);
        let three = [&rows[..], &rows[..1]].concat();
        assert_eq!(
            side_by_side(&fields[..1], &three, Look::Lines, 19).expect("room for two"),
            "process id  p1  p2\n\
             \n\
             process id  p1\n"
        );
        let nine = vec![rows[0].clone(); 9];
        assert_eq!(side_by_side(&fields[..1], &nine, Look::Lines, 200), None);
        let says = [vec![json!("one two three four five six seven")]];
        assert_eq!(
            draw(&["says"], &says, Look::Lines, 28),
            "says  one two three four\n      five six seven\n"
        );
    }
}
