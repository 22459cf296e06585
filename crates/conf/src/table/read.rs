//! The table's text into the table. A line that is malformed is a mistake of ours that the
//! table's own tests find; here it is passed over.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{Age, Arguments, Block, Default, Keyword, Lines, Status, TABLE, Table, grammar};

/// Which lines belong to which block.
pub(super) fn read(files: &[(&'static str, &'static str)]) -> Table {
    let mut table = Table { blocks: Vec::new(), by_path: BTreeMap::new() };
    for (part, text) in files {
        let mut open: Vec<usize> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                open = paths(header).iter().map(|path| table.open(path, part)).collect();
                continue;
            }
            for &at in &open {
                table.blocks.get_mut(at).into_iter().for_each(|block| block.lines.push(line));
            }
        }
    }
    table
}

impl Table {
    fn open(&mut self, path: &str, part: &'static str) -> usize {
        if let Some(&at) = self.by_path.get(path) {
            return at;
        }
        let path: &'static str = String::leak(path.to_owned());
        self.blocks.push(Lines { path, part, lines: Vec::new(), block: OnceLock::new() });
        self.by_path.insert(path, self.blocks.len() - 1);
        self.blocks.len() - 1
    }
}

/// Reads the lines of a block.
pub(super) fn block(lines: &Lines) -> Block {
    let mut block = Block { path: lines.path, part: lines.part, ..Block::default() };
    for mut keyword in lines.lines.iter().filter_map(|line| keyword(line)) {
        keyword.child = child(lines.path, &keyword);
        if let Some(name) = keyword.name.strip_prefix('.') {
            keyword.name = name;
            block.options_by_name.insert(name, block.options.len());
            block.options.push(keyword);
        } else if keyword.name.starts_with('<') {
            block.entries.push(keyword);
        } else {
            block.by_name.insert(keyword.name, block.keywords.len());
            block.keywords.push(keyword);
        }
    }
    block
}

/// The block that a keyword opens or takes its options from.
fn child(path: &str, keyword: &Keyword) -> Option<usize> {
    if !keyword.opens_block() && !keyword.arguments.has_options() {
        return None;
    }
    // The options of a list's lines stand in the list's own block.
    let child = if keyword.name.starts_with('<') {
        path.to_owned()
    } else {
        super::child(path, keyword.name.trim_start_matches('.'))
    };
    TABLE.by_path.get(child.as_str()).copied()
}

/// The paths of a header: separated by commas, with alternatives in braces.
fn paths(header: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = header;
    loop {
        let braced = |at: usize| {
            let before = rest.get(..at).unwrap_or_default();
            before.matches('{').count() > before.matches('}').count()
        };
        let comma = rest.match_indices(',').map(|(at, _)| at).find(|&at| !braced(at));
        let (path, tail) = rest.split_at(comma.unwrap_or(rest.len()));
        paths.extend(alternatives(path.trim()));
        match tail.strip_prefix(',') {
            Some(tail) => rest = tail,
            None => return paths,
        }
    }
}

fn alternatives(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((choices, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    let with = |choice: &str| alternatives(&format!("{before}{}{after}", choice.trim()));
    choices.split(',').flat_map(with).collect()
}

pub(super) fn keyword(line: &'static str) -> Option<Keyword> {
    let mut columns = line.splitn(6, '|').map(str::trim);
    let name = columns.next()?;
    let (status, age, lenient) = status(columns.next()?)?;
    // Shared by all blocks that the line belongs to.
    let arguments: &'static Arguments = Box::leak(Box::new(grammar::parse(columns.next()?)?));
    let default = match columns.next()? {
        "-" => Default::Unset,
        text => match (text.strip_prefix('='), text.strip_prefix('(')) {
            (Some(path), _) => Default::Inherited(path),
            (None, Some(words)) => Default::Derived(words.strip_suffix(')')?),
            (None, None) => Default::Value(text),
        },
    };
    let since = columns.next().filter(|&since| since != "-");
    let effect = columns.next()?;
    let keyword =
        Keyword { name, status, age, lenient, arguments, child: None, default, since, effect };
    Some(keyword)
}

fn status(text: &'static str) -> Option<(Status, Age, bool)> {
    let mut words = text.split(' ');
    let status = match words.next()? {
        "active" => Status::Active,
        "later" => Status::Announced,
        "none" => Status::NoEffect,
        "manual" => Status::ManualOnly,
        _ => return None,
    };
    let (mut age, mut lenient) = (Age::Current, false);
    for word in words {
        match (word, word.strip_prefix("old=")) {
            ("lenient", _) => lenient = true,
            ("old", _) => age = Age::Outdated,
            (_, Some(name)) => age = Age::OldNameOf(name),
            (_, None) => return None,
        }
    }
    Some((status, age, lenient))
}
