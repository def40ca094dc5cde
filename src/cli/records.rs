//! Rows one below the other, a field a line: for what is too wide for a table.

use serde_json::Value;

use super::fit::{width, wrapped};
use super::table::{HEADING, Look, alarm, heading, is_whole, painted, shown};

/// The characters that a value gets at least, whatever the names of the fields take.
const NARROWEST_VALUE: usize = 20;

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
        let says = [vec![json!("one two three four five six seven")]];
        assert_eq!(
            draw(&["says"], &says, Look::Lines, 28),
            "says  one two three four\n      five six seven\n"
        );
    }
}
