//! The pages of the cookbook, taken apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub fn pages() -> impl Iterator<Item = &'static str> {
    ["docs/cookbook.md", "docs/cookbook-fleet.md"].into_iter()
}

pub fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The blocks of code in this language, in order.
pub fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    pages()
        .flat_map(|name| {
            let text = document(name);
            let blocks = text.split(&fence).skip(1);
            let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
            blocks.collect::<Vec<_>>()
        })
        .collect()
}

/// The queries by their names, which are the comments that they begin with.
pub fn queries() -> BTreeMap<String, String> {
    let mut queries = BTreeMap::new();
    for block in blocks("sql") {
        let first = block.lines().next().unwrap();
        let name = first
            .strip_prefix("-- ")
            .unwrap_or_else(|| panic!("no name: {block}"));
        let before = queries.insert(name.to_owned(), block.clone());
        assert!(before.is_none(), "two are named {name}");
    }
    queries
}

/// The parameters that the page lists.
pub fn parameters() -> BTreeSet<String> {
    let page = document("docs/cookbook.md");
    let rows = page.lines().filter(|line| line.starts_with("| `:"));
    rows.flat_map(|row| {
        let names = row.split('|').nth(1).unwrap();
        names
            .split('`')
            .filter(|part| part.starts_with(':'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    })
    .collect()
}

/// The commands of a block, a line each.
pub fn commands(block: &str) -> Vec<String> {
    let lines = block.lines().map(str::to_owned);
    lines
        .inspect(|line| assert!(line.starts_with("prochist "), "{line}"))
        .collect()
}

/// The commands of the README's table of questions.
pub fn readme_commands() -> Vec<String> {
    let readme = document("README.md");
    let section = readme
        .split("\n## Questions operators ask\n")
        .nth(1)
        .unwrap();
    section
        .split("\n## ")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.split("| `prochist ").nth(1)?.split('`').next())
        .map(|args| format!("prochist {args}"))
        .collect()
}

/// The headings of a page as links name them.
pub fn slugs(name: &str) -> BTreeSet<String> {
    document(name)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
