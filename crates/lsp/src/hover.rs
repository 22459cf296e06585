//! The explanation of what is at a place.

use standfast_conf::Source;

use crate::{
    cursor::Cursor,
    line,
    project::Project,
    protocol::{Hover, Markup},
    reference,
    text::Text,
    variable::{self, BUILT_IN},
};

/// Explains the keyword, option or `$NAME` at a byte.
pub(crate) fn hover(
    project: &Project,
    text: &Text,
    cursor: &Cursor,
    offset: usize,
) -> Option<Hover> {
    if cursor.comment {
        return None;
    }
    let (start, line) = text.line_of(offset);
    if let Some(used) = variable::reference(line, offset - start) {
        let bytes = start + used.bytes.start..start + used.bytes.end;
        let contents = Markup::new(value(project, &used.name)?);
        return Some(Hover { contents, range: text.range(bytes) });
    }
    let (block, keyword) = line::keyword(cursor)?;
    let bytes = cursor.word.as_ref()?.bytes.clone();
    let contents = Markup::new(reference::markdown(block, keyword));
    Some(Hover { contents, range: text.range(bytes) })
}

/// What a `$NAME` stands for.
fn value(project: &Project, name: &str) -> Option<String> {
    if let Some((name, effect)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Some(format!("```\n${{{name}}}\n```\n{effect}"));
    }
    let values = project.loaded.sources.iter().flat_map(|(_, source)| values(source, name));
    let values: Vec<_> = values.collect();
    (!values.is_empty()).then(|| values.join("\n\n"))
}

fn values(source: &Source, name: &str) -> Vec<String> {
    let defined = variable::definitions(source.text()).into_iter();
    let named = defined.filter(|definition| definition.name == name);
    let file = source.path().display();
    named.map(|found| format!("```\n${name}={}\n```\nin `{file}`", found.value)).collect()
}
