//! What somebody else's statement may do, and how much it may take: a connection of its own that only
//! reads, an authorizer, and SQLite's limits.
//!
//! Three walls stand one behind the other: the file is opened to be read, `query_only` refuses what
//! writes, and the authorizer allows by name what only tells. The limits are not about correctness but
//! about whoever asks for too much: memory, disk, the stack.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::Error;
use crate::error::Doing;
use crate::store::open_to_read;

/// The largest text or blob that a statement may read or make, in bytes, and the largest row.
pub(super) const MAX_VALUE_BYTES: usize = 64 * 1024 * 1024;

/// How many of SQLite's steps pass between two questions whether to stop.
const STEPS: i32 = 4096;

/// What a statement may be and take, where SQLite has a limit for it. Generous for people and for
/// programs that write SQL; far below where SQLite's own code has had trouble.
const LIMITS: [(Limit, i32); 12] = [
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES as i32),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 1024 * 1024),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 500),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 1000),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 200),
    (Limit::SQLITE_LIMIT_COLUMN, 1000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 127),
    (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Pragmas that tell and do not change. A value given to one of them would change something.
const TELLING_PRAGMAS: [&str; 13] = [
    "application_id",
    "collation_list",
    "compile_options",
    "encoding",
    "freelist_count",
    "function_list",
    "module_list",
    "page_count",
    "page_size",
    "pragma_list",
    "schema_version",
    "table_list",
    "user_version",
];

/// Pragmas that tell of what is named in brackets, and have no other form.
const PRAGMAS_ABOUT: [&str; 7] = [
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Functions that reach beyond the statement (code, files, the log, addresses in memory), or that are the
/// inside of virtual tables that no record has. Not all are in this build of SQLite; those stay out of
/// the next one, too.
const BARRED_FUNCTIONS: [&str; 22] = [
    "bm25",
    "edit",
    "eval",
    "fts3_tokenizer", // takes and gives addresses of code, and does so even here from bound parameters
    "fts5",
    "fts5_get_locale",
    "fts5_insttoken",
    "fts5_locale",
    "fts5_source_id",
    "highlight",
    "load_extension",
    "matchinfo",
    "offsets",
    "optimize",
    "readfile",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
    "snippet",
    "sqlite_log",
    "writefile",
    "zipfile",
];

/// Virtual tables that reach beyond the rows of the record: raw pages, files, the inside of SQLite.
const BARRED_TABLES: [&str; 20] = [
    "bytecode",
    "completion",
    "csv",
    "dbstat",
    "fsdir",
    "fts3",
    "fts3tokenize", // calls whatever code fts3_tokenizer was given
    "fts4",
    "fts4aux",
    "fts5",
    "fts5vocab",
    "rtree",
    "rtree_i32",
    "sqlar",
    "sqlite_dbdata",
    "sqlite_dbpage",
    "sqlite_dbptr",
    "sqlite_stmt",
    "tables_used",
    "zipfile",
];

/// A connection of its own for somebody else's statement, so that its limits stay with it.
pub(super) fn guarded(
    path: &Path,
    max_memory: Option<u64>,
    stop: Box<dyn FnMut() -> bool + Send>,
) -> Result<Connection, Error> {
    const DOING: &str = "limit a statement";
    let mut db = open_to_read(path)?;
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    ] {
        db.set_db_config(config, on).doing(DOING)?;
    }
    // What is sorted or told apart goes nowhere but into memory, where there is a limit to it: an
    // endless UNION in a file beside others would fill the disk that the record is on.
    db.pragma_update(None, "temp_store", "MEMORY")
        .doing(DOING)?;
    if let Some(bytes) = max_memory {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        db.pragma_update_and_check(None, "hard_heap_limit", bytes, |_| Ok(()))
            .doing(DOING)?;
    }
    for (limit, most) in LIMITS {
        db.set_limit(limit, most).doing(DOING)?;
    }
    db.authorizer(Some(only_reading)).doing(DOING)?;
    db.progress_handler(STEPS, Some(stop)).doing(DOING)?;
    Ok(db)
}

fn only_reading(context: AuthContext<'_>) -> Authorization {
    let is_allowed = match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. } => may_read(table_name),
        AuthAction::Function { function_name } => !is_among(&BARRED_FUNCTIONS, function_name),
        AuthAction::Pragma {
            pragma_name,
            pragma_value: None,
        } => is_among(&TELLING_PRAGMAS, pragma_name),
        AuthAction::Pragma {
            pragma_name,
            pragma_value: Some(_),
        } => is_among(&PRAGMAS_ABOUT, pragma_name),
        _ => false,
    };
    if is_allowed {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

/// Tables and views of the file may all be read. The names are those that the statement gives, so a
/// table expression of such a name is refused, too.
fn may_read(table: &str) -> bool {
    match table.get(..7) {
        Some(prefix) if prefix.eq_ignore_ascii_case("pragma_") => {
            let pragma = table.get(7..).unwrap_or_default();
            is_among(&TELLING_PRAGMAS, pragma) || is_among(&PRAGMAS_ABOUT, pragma)
        }
        _ => !is_among(&BARRED_TABLES, table),
    }
}

/// SQL does not tell capitals from small letters.
fn is_among(names: &[&str], name: &str) -> bool {
    names.iter().any(|n| n.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harmless functions of this build: they make a value of their arguments and nothing else.
    const JUDGED: &str = "-> ->> abs avg changes char coalesce concat concat_ws count cume_dist \
        current_date current_time current_timestamp date datetime dense_rank first_value format glob \
        group_concat hex if ifnull iif instr json json_array json_array_insert json_array_length \
        json_error_position json_extract json_group_array json_group_object json_insert json_object \
        json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid jsonb \
        jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert \
        jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set julianday lag last_insert_rowid \
        last_value lead length like likelihood likely lower ltrim match max min nth_value ntile nullif \
        octet_length percent_rank printf quote random randomblob rank replace round row_number rtrim \
        sign soundex sqlite_compileoption_get sqlite_compileoption_used sqlite_source_id \
        sqlite_version strftime string_agg substr substring subtype sum time timediff total \
        total_changes trim typeof unhex unicode unistr unistr_quote unixepoch unlikely upper zeroblob";

    /// A later SQLite may offer more. Whoever brings it in is to judge it, here and above.
    #[test]
    fn all_that_this_build_of_sqlite_offers_was_judged() {
        let db = Connection::open_in_memory().expect("a database");
        let names = |of: &str| -> Vec<String> {
            let query = format!("SELECT DISTINCT lower(name) FROM pragma_{of}_list");
            let mut statement = db.prepare(&query).expect("prepared");
            let names = statement.query_map([], |row| row.get(0)).expect("asked");
            names.collect::<Result<_, _>>().expect("names")
        };
        let functions = names("function");
        assert!(functions.len() > 100, "{functions:?}");
        for name in functions {
            let judged = JUDGED.split_whitespace().any(|known| known == name);
            assert!(
                judged != is_among(&BARRED_FUNCTIONS, &name),
                "function {name}"
            );
        }
        let modules = names("module");
        assert!(modules.len() > 5, "{modules:?}");
        for name in modules {
            let tells = matches!(&*name, "pragma_function_list" | "pragma_module_list");
            assert!(tells == may_read(&name), "virtual table {name}");
        }
    }
}
