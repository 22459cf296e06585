//! What may be written at a place.

use std::collections::BTreeSet;

use standfast_conf::table::{Age, Block, Keyword, Kind, Status, entry::syntax};

use crate::{
    cursor::Cursor,
    line,
    names::{self, Thing},
    project::Project,
    protocol::{Item, ItemKind, Markup, Range, TextEdit, tag},
    reference::markdown,
    text::Text,
    variable::{self, BUILT_IN},
};

/// Proposals, in the order in which they are to be shown.
struct Proposals {
    /// What a proposal replaces.
    range: Range,
    items: Vec<Item>,
}

/// The proposals for a byte.
pub(crate) fn completion(
    project: &Project,
    text: &Text,
    cursor: &Cursor,
    offset: usize,
) -> Vec<Item> {
    if cursor.comment {
        return Vec::new();
    }
    let (start, line) = text.line_of(offset);
    let used = variable::reference(line, offset - start);
    if let Some(used) = used.filter(|used| start + used.bytes.start < offset) {
        let bytes = start + used.name_bytes.start..start + used.name_bytes.end;
        let mut proposals = Proposals { range: text.range(bytes), items: Vec::new() };
        proposals.variables(project);
        return proposals.items;
    }
    // A word that begins at the cursor stays: what is proposed comes before it.
    let begun = cursor.word.as_ref().filter(|word| word.bytes.start < offset);
    let bytes = begun.map_or(offset..offset, |word| word.bytes.clone());
    let mut proposals = Proposals { range: text.range(bytes), items: Vec::new() };
    if let (Some(block), []) = (cursor.block, cursor.before.as_slice()) {
        proposals.keywords(block);
    }
    let expected = line::expected(cursor);
    for wanted in &expected.wanted {
        proposals.values(wanted.kind);
    }
    if let Some(thing) = line::referred(cursor) {
        proposals.names(project, thing);
    }
    if let Some(block) = expected.options {
        proposals.options(block);
    }
    proposals.items
}

/// Whether the blank before the cursor is worth proposals that nobody asked for: not one of the
/// indentation.
pub(crate) fn unasked(cursor: &Cursor) -> bool {
    !cursor.before.is_empty()
}

impl Proposals {
    fn add(
        &mut self,
        label: &str,
        kind: ItemKind,
        detail: impl Into<String>,
        known: Option<(&Block, &Keyword)>,
    ) {
        let outdated = known.is_some_and(|(_, keyword)| keyword.age != Age::Current);
        self.items.push(Item {
            label: label.to_owned(),
            kind: kind.number(),
            detail: detail.into(),
            documentation: known.map(|(block, keyword)| Markup::new(markdown(block, keyword))),
            sort_text: format!("{:04}", self.items.len()),
            filter_text: label.to_owned(),
            text_edit: TextEdit { range: self.range, new_text: label.to_owned() },
            tags: if outdated { vec![tag::DEPRECATED_ITEM] } else { Vec::new() },
        });
    }

    fn keywords(&mut self, block: &Block) {
        for keyword in block.keywords.iter().filter(|known| known.status != Status::ManualOnly) {
            let kind = if keyword.opens_block() { ItemKind::Block } else { ItemKind::Keyword };
            self.add(keyword.name, kind, syntax(keyword), Some((block, keyword)));
        }
    }

    fn options(&mut self, block: &Block) {
        for option in block.options.iter().filter(|known| known.status != Status::ManualOnly) {
            self.add(option.name, ItemKind::Option, syntax(option), Some((block, option)));
        }
    }

    fn values(&mut self, kind: &Kind) {
        let words: &[&str] = match kind {
            Kind::Bool => &["true", "false", "on", "off", "yes", "no"],
            Kind::OneOf { words, .. } => words,
            Kind::Service => &["fwmark", "group"],
            Kind::Number { .. }
            | Kind::Time { .. }
            | Kind::Name
            | Kind::Text { .. }
            | Kind::Path
            | Kind::Interface
            | Kind::Address
            | Kind::Group(_)
            | Kind::Prefix
            | Kind::Hex { .. }
            | Kind::Command
            | Kind::User
            | Kind::Form(_) => &[],
        };
        for word in words {
            self.add(word, ItemKind::Value, "", None);
        }
    }

    fn names(&mut self, project: &Project, thing: Thing) {
        let detail = thing.keywords().first().copied().unwrap_or_default();
        let names: BTreeSet<&str> =
            names::defined(&project.loaded.tree, thing).map(|(name, _)| name).collect();
        for name in names {
            self.add(name, ItemKind::Name, detail, None);
        }
    }

    fn variables(&mut self, project: &Project) {
        let mut seen = BTreeSet::new();
        for (_, source) in project.loaded.sources.iter() {
            for definition in variable::definitions(source.text()) {
                if seen.insert(definition.name.to_owned()) {
                    self.add(definition.name, ItemKind::Variable, definition.value, None);
                }
            }
        }
        for (name, effect) in BUILT_IN {
            self.add(name, ItemKind::Variable, *effect, None);
        }
    }
}
