//! Asking in SQL, and comparing the rows with those of a command.

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, Statement};
use serde_json::{Map, Value, json};

use crate::record::Asked;

pub fn parameters_of(db: &Connection, sql: &str) -> Vec<String> {
    names(&db.prepare(sql).unwrap_or_else(|e| panic!("{e}: {sql}")))
}

fn names(statement: &Statement<'_>) -> Vec<String> {
    (1..=statement.parameter_count())
        .map(|index| statement.parameter_name(index).unwrap().to_owned())
        .collect()
}

/// The rows of a query as objects, with its parameters bound to what is asked.
pub fn rows_of(db: &Connection, sql: &str, about: &Asked) -> Vec<Value> {
    let mut statement = db.prepare(sql).unwrap_or_else(|e| panic!("{e}: {sql}"));
    for (index, name) in names(&statement).into_iter().enumerate() {
        let value: SqlValue = about.value(&name);
        statement.raw_bind_parameter(index + 1, value).unwrap();
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap_or_else(|e| panic!("{e}: {sql}")) {
        let mut object = Map::new();
        for (index, column) in columns.iter().enumerate() {
            let value = match row.get_ref(index).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => json!(number),
                ValueRef::Real(number) => json!(number),
                ValueRef::Text(text) => json!(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(_) => panic!("{column}"),
            };
            object.insert(column.clone(), value);
        }
        found.push(Value::Object(object));
    }
    found
}

/// What differs, row by row in order. Fields that the query has no column for do not count; a column
/// without a field does.
pub fn differences(found: &[Value], expected: &[Value]) -> Vec<String> {
    if found.len() != expected.len() {
        let (found, expected) = (json!(found), json!(expected));
        return vec![format!("found {found:#}, expected {expected:#}")];
    }
    let mut differences = Vec::new();
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (column, value) in found.as_object().unwrap() {
            match expected.get(column) {
                Some(field) if same(value, field) => {}
                field => differences.push(format!("row {n}, {column}: {value}, not {field:?}")),
            }
        }
    }
    differences
}

/// Whether a column says what a field says. A list of names is a text with commas, one of numbers is
/// JSON in any order, all other lists and objects are JSON.
fn same(column: &Value, field: &Value) -> bool {
    match (column, field) {
        (Value::Null, Value::Array(names)) => names.is_empty(),
        (Value::String(text), Value::Array(_) | Value::Object(_)) => {
            let mut as_json = serde_json::from_str::<Value>(text);
            if let Ok(Value::Array(items)) = &mut as_json
                && items.iter().all(Value::is_number)
            {
                items.sort_by_key(Value::as_i64);
            }
            let as_names: Vec<&str> = text.split(',').collect();
            as_json.is_ok_and(|value| value == *field) || json!(as_names) == *field
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
        }
        _ => column == field,
    }
}
