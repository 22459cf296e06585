//! Where the thing at a place is defined.

use std::path::Path;

use standfast_conf::Files;

use crate::{
    cursor::{Cursor, is_include},
    files::Overlay,
    findings::Places,
    line, names,
    project::Project,
    protocol::{Location, Position, Range},
    text::Text,
    uri, variable,
};

/// The definitions of the `$NAME`, the included file or the named thing at a byte.
pub(crate) fn definition(
    project: &Project,
    files: &Overlay<'_>,
    places: &mut Places<'_>,
    (path, text): (&Path, &Text),
    cursor: &Cursor,
    offset: usize,
) -> Vec<Location> {
    if cursor.comment {
        return Vec::new();
    }
    let (start, line) = text.line_of(offset);
    if let Some(used) = variable::reference(line, offset - start) {
        return variables(project, places, &used.name);
    }
    if cursor.before.first().is_some_and(|word| is_include(&word.text)) {
        return included(files, path, line);
    }
    let (Some(thing), Some(word)) = (line::referred(cursor), &cursor.word) else {
        return Vec::new();
    };
    let defined = names::defined(&project.loaded.tree, thing);
    let named = defined.filter(|(name, _)| *name == word.text);
    named.map(|(_, span)| places.location(span)).collect()
}

fn variables(project: &Project, places: &mut Places<'_>, name: &str) -> Vec<Location> {
    let mut found = Vec::new();
    for (file, source) in project.loaded.sources.iter() {
        let defined = variable::definitions(source.text()).into_iter();
        let named = defined.filter(|definition| definition.name == name);
        found.extend(named.map(|definition| places.in_text(file, definition.bytes)));
    }
    found
}

/// The files that an include's line asks for.
fn included(files: &Overlay<'_>, path: &Path, line: &str) -> Vec<Location> {
    let pattern = line.trim().split_once([' ', '\t']).map_or("", |(_, pattern)| pattern);
    let pattern = pattern.split(['#', '!']).next().unwrap_or_default().trim().trim_matches('"');
    let directory = path.parent().unwrap_or(Path::new(""));
    let start = Position { line: 0, character: 0 };
    let location = |path: &Path| {
        let path = uri::normal(path);
        let open = files.documents.get(&path);
        let uri = open.map_or_else(|| uri::from_path(&path), |open| open.uri.clone());
        Location { uri, range: Range { start, end: start } }
    };
    let found = files.glob(pattern, directory).unwrap_or_default();
    found.iter().map(|path| location(path)).collect()
}
