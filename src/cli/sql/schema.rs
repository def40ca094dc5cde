//! `prochist sql --schema`: what there is to ask, for which no database is needed.

use prochist::Question;
use prochist::history::{View, views};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Done;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Output};
use crate::cli::table::{self, Look};

/// A column, as a row of the answer.
#[derive(Serialize)]
struct ColumnRow<'a> {
    view: &'a str,
    column: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    meaning: &'a str,
}

const FIELDS: [&str; 4] = ["view", "column", "type", "meaning"];

pub fn run(names: &[String], output: &Output) -> Result<Done, Failure> {
    let views = chosen(names)?;
    if output.format() == Format::Table {
        output.text(&for_people(&views, output.look))?;
        return Ok(Done::Whole);
    }
    let rows: Vec<ColumnRow<'_>> = views.iter().flat_map(rows).collect();
    let meanings: Vec<Value> = views
        .iter()
        .map(|view| json!({"view": view.name, "meaning": view.meaning}))
        .collect();
    let whole = json!({
        "question": "schema",
        "window": Question::default().window,
        "coverage": {"from": null, "to": null, "runs": 0, "gaps": [], "watched": "none",
                     "unwatched": []},
        "excluded": {},
        "views": meanings,
        "rows": rows,
    });
    output.rows(&FIELDS, &FIELDS, &rows, &whole)?;
    Ok(Done::Whole)
}

/// The views of those names in the order asked for; all where none is named.
fn chosen(names: &[String]) -> Result<Vec<View>, Failure> {
    let views = views();
    if names.is_empty() {
        return Ok(views);
    }
    names
        .iter()
        .map(|name| {
            let named = views.iter().find(|v| v.name.eq_ignore_ascii_case(name));
            named.cloned().ok_or_else(|| {
                let known: Vec<&str> = views.iter().map(|v| v.name.as_str()).collect();
                Failure::usage(format!("there is no view {name:?}"))
                    .hint(format!("the views are {}", known.join(", ")))
            })
        })
        .collect()
}

fn rows(view: &View) -> impl Iterator<Item = ColumnRow<'_>> {
    view.columns.iter().map(|column| ColumnRow {
        view: &view.name,
        column: &column.name,
        kind: &column.kind,
        meaning: &column.meaning,
    })
}

fn for_people(views: &[View], look: Look) -> String {
    let texts: Vec<String> = views
        .iter()
        .map(|view| {
            let columns: Vec<Vec<Value>> = rows(view)
                .map(|row| vec![json!(row.column), json!(row.kind), json!(row.meaning)])
                .collect();
            let heading = format!("{}: {}\n", view.name, view.meaning);
            let heading = table::prose(&heading, table::room(look));
            let columns = table::draw(&FIELDS[1..], &columns, look);
            format!("{heading}\n{columns}")
        })
        .collect();
    texts.join("\n")
}
