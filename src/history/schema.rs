//! The views that people may rely on, and what their columns mean: read from `docs/schema.md`, which
//! is the one place where it is written. Pure, and needs no file.

/// The page, as it is published.
const PAGE: &str = include_str!("../../docs/schema.md");

/// A view of the file, which any SQLite can ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name in SQL.
    pub name: String,
    /// What a row of it is.
    pub meaning: String,
    /// Its columns, in their order.
    pub columns: Vec<ViewColumn>,
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its name in SQL.
    pub name: String,
    /// Which types its values have: such as `text or null`.
    pub kind: String,
    /// What it tells.
    pub meaning: String,
}

/// Every view, in the order in which the page about the file explains them.
///
/// ```
/// let views = prochist::history::views();
/// let gaps = views.iter().find(|view| view.name == "gaps").expect("it is there for good");
/// assert_eq!(gaps.columns[0].name, "gap_id");
/// ```
pub fn views() -> Vec<View> {
    views_of(PAGE)
}

fn views_of(page: &str) -> Vec<View> {
    let mut views: Vec<View> = Vec::new();
    let section = page
        .lines()
        .skip_while(|line| *line != "## Views")
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    for line in section {
        if let Some(name) = line.strip_prefix("### ") {
            views.push(View {
                name: name.trim().to_owned(),
                meaning: String::new(),
                columns: Vec::new(),
            });
        } else if let Some(view) = views.last_mut() {
            if line.starts_with('|') {
                view.columns.extend(column(line));
            } else if !line.is_empty() && view.columns.is_empty() {
                // The lines of a paragraph are broken for whoever edits it.
                if !view.meaning.is_empty() {
                    view.meaning.push(' ');
                }
                view.meaning.push_str(&plain(line));
            }
        }
    }
    views
}

/// A line of a table that begins with a name in code; none for a heading and the line below it.
fn column(line: &str) -> Option<ViewColumn> {
    let mut cells = line
        .strip_prefix("| `")?
        .trim_end_matches([' ', '|'])
        .splitn(3, " | ");
    Some(ViewColumn {
        name: cells.next()?.strip_suffix('`')?.to_owned(),
        kind: plain(cells.next()?),
        meaning: plain(cells.next()?),
    })
}

/// The text without the marks of Markdown: code, stress, and links, of which the words stay.
fn plain(marked: &str) -> String {
    let unstressed = marked.replace("**", "").replace('`', "");
    let mut rest = unstressed.trim();
    let mut text = String::with_capacity(rest.len());
    while let Some((before, words, after)) = link(rest) {
        text.push_str(before);
        text.push_str(words);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// What stands before the first link, its words, and what stands after it. `[]` alone is none.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let middle = text.find("](")?;
    let begin = text[..middle].rfind('[')?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..begin], &text[begin + 1..middle], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_read_with_its_columns_and_without_marks() {
        let page = "# The file\n\n| `not` | a | view |\n\n## Views\n\nAll of **them**.\n\n\
                    ### things\n\nOne row a thing, as\n[the page](x.md#y) and [that](z) say; see `word`.\n\n\
                    | column | type | meaning |\n| --- | --- | --- |\n\
                    | `list` | text | JSON array of `x`; `[]` where there is **none** |\n\
                    | `until` | text or null | its end |\n\n\
                    ### empty\n\nNothing yet.\n\n## Tables\n\n### not_a_view\n\n| `x` | y | z |\n";
        let column = |name: &str, kind: &str, meaning: &str| ViewColumn {
            name: name.to_owned(),
            kind: kind.to_owned(),
            meaning: meaning.to_owned(),
        };
        assert_eq!(
            views_of(page),
            [
                View {
                    name: "things".to_owned(),
                    meaning: "One row a thing, as the page and that say; see word.".to_owned(),
                    columns: vec![
                        column("list", "text", "JSON array of x; [] where there is none"),
                        column("until", "text or null", "its end"),
                    ],
                },
                View {
                    name: "empty".to_owned(),
                    meaning: "Nothing yet.".to_owned(),
                    columns: Vec::new(),
                },
            ]
        );
    }

    #[test]
    fn the_page_itself_leaves_nothing_out() {
        let views = views();
        assert!(views.len() >= 9, "{views:?}");
        for view in &views {
            assert!(
                !view.meaning.is_empty() && !view.columns.is_empty(),
                "{view:?}"
            );
            for column in &view.columns {
                assert!(
                    !column.kind.is_empty() && !column.meaning.is_empty(),
                    "{column:?}"
                );
            }
        }
    }
}
