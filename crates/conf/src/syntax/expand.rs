//! `$NAME` and `${NAME}`: references and the built-in names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
};

use standfast_types::Rng;

use super::{
    glyph::{self, Glyph},
    lex::braced_reference,
};
use crate::{Code, Diagnostic, Options, source::Span};

/// References inside definitions inside definitions, at most.
const NESTING_MAX: usize = 16;
/// Characters that all references of a configuration may bring in.
pub(crate) const VOLUME_MAX: usize = 4 << 20;

/// A `$NAME=`: one line, or several when lines ended with a backslash.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) lines: Vec<Vec<Glyph>>,
}

/// A loop variable and its value of this round.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) value: Vec<Glyph>,
}

/// What is defined so far.
pub(crate) struct Scope<'a> {
    pub(crate) options: &'a Options,
    pub(crate) definitions: BTreeMap<String, Definition>,
    pub(crate) rng: Rng,
    /// Characters that expansions have made so far.
    pub(crate) volume: usize,
    /// References that are reported as undefined, so that a loop does not repeat it.
    reported: BTreeSet<(Span, String)>,
}

/// A line with its references replaced, and the lines that a multi-line definition adds.
#[derive(Default)]
pub(crate) struct Expanded {
    pub(crate) line: Vec<Glyph>,
    pub(crate) more: Vec<Vec<Glyph>>,
    pub(crate) changed: bool,
}

/// A reference at the start of some glyphs.
struct Reference {
    name: String,
    arguments: Vec<String>,
    len: usize,
}

/// Where an expansion happens.
pub(crate) struct Site<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) locals: &'a Rc<Vec<Local>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        let rng = Rng::from_seed(options.seed);
        Self { options, definitions: BTreeMap::new(), rng, volume: 0, reported: BTreeSet::new() }
    }

    pub(crate) fn expand(
        &mut self,
        line: &[Glyph],
        site: &Site<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Expanded {
        self.expand_nested(line, site, diagnostics, 0)
    }

    fn expand_nested(
        &mut self,
        line: &[Glyph],
        site: &Site<'_>,
        diagnostics: &mut Vec<Diagnostic>,
        nesting: usize,
    ) -> Expanded {
        let mut expanded = Expanded::default();
        let mut rest = line;
        while let Some((first, tail)) = rest.split_first() {
            let Some(reference) = reference(rest) else {
                expanded.line.push(*first);
                rest = tail;
                continue;
            };
            let (used, behind) = rest.split_at(reference.len.min(rest.len()));
            let Some(span) = glyph::span(used) else { break };
            rest = behind;
            let Some(mut lines) = self.value(&reference, span, site) else {
                if self.reported.insert((span, reference.name.clone())) {
                    diagnostics.push(undefined(&reference, span, &self.definitions));
                }
                expanded.line.extend(used);
                continue;
            };
            let last = glyph::trim(behind).is_empty();
            if self.exhausted(&lines, nesting) {
                let message = format!("`${}` expands to too much", reference.name);
                if self.reported.insert((span, String::new())) {
                    diagnostics.push(Diagnostic::warning(Code::Limit, span, message));
                }
                continue;
            }
            if lines.len() > 1 && !last {
                let message =
                    format!("`${}` has several lines and is not at the end", reference.name);
                diagnostics.push(
                    Diagnostic::warning(Code::BadReference, span, message)
                        .hint("put the reference last on its line"),
                );
                expanded.line.extend(used);
                continue;
            }
            expanded.changed = true;
            for (at, value) in lines.drain(..).enumerate() {
                let carried: Vec<Glyph> = value.iter().map(|glyph| carry(glyph, span)).collect();
                let inner = self.expand_nested(&carried, site, diagnostics, nesting + 1);
                if at == 0 {
                    expanded.line.extend(inner.line);
                } else {
                    expanded.more.push(inner.line);
                }
                expanded.more.extend(inner.more);
            }
        }
        expanded
    }

    fn exhausted(&mut self, lines: &[Vec<Glyph>], nesting: usize) -> bool {
        self.volume += lines.iter().map(Vec::len).sum::<usize>() + 1;
        nesting >= NESTING_MAX || self.volume > VOLUME_MAX
    }

    fn value(
        &mut self,
        reference: &Reference,
        span: Span,
        site: &Site<'_>,
    ) -> Option<Vec<Vec<Glyph>>> {
        let local = site.locals.iter().rev().find(|local| local.name == reference.name);
        if let Some(local) = local {
            return Some(vec![local.value.clone()]);
        }
        if let Some(definition) = self.definitions.get(&reference.name) {
            return Some(definition.lines.clone());
        }
        let built_in = self.built_in(reference, site.directory)?;
        let glyph = |char| Glyph { char, span, definition: None };
        Some(vec![built_in.chars().map(glyph).collect()])
    }

    fn built_in(&mut self, reference: &Reference, directory: &Path) -> Option<String> {
        let argument = |at: usize| reference.arguments.get(at);
        match reference.name.as_str() {
            "_PWD" => Some(directory.display().to_string()),
            "_INSTANCE" => Some(self.options.config_id.clone()),
            "_HASH" => Some("#".to_owned()),
            "_BANG" => Some("!".to_owned()),
            "_ENV" => self.options.environment.get(argument(0)?).cloned(),
            "_RANDOM" => {
                let bound = |at, default| match argument(at) {
                    Some(text) => text.parse::<u64>().ok().filter(|&n| n <= 32767),
                    None => Some(default),
                };
                let (low, high) = (bound(0, 0)?, bound(1, 32767)?);
                let width = high.checked_sub(low)?.checked_add(1)?;
                Some((low + self.rng.below(width)).to_string())
            }
            _ => None,
        }
    }
}

/// Keeps where the glyph was defined, and says where it is used.
fn carry(glyph: &Glyph, used: Span) -> Glyph {
    let definition = glyph.definition.or((glyph.span != used).then_some(glyph.span));
    Glyph { char: glyph.char, span: used, definition }
}

fn reference(rest: &[Glyph]) -> Option<Reference> {
    if rest.first()?.char != '$' {
        return None;
    }
    if let Some(len) = braced_reference(rest) {
        let inside = glyph::text(rest.get(2..len.checked_sub(1)?)?);
        let mut words = inside.split(' ').filter(|word| !word.is_empty()).map(str::to_owned);
        return Some(Reference { name: words.next()?, arguments: words.collect(), len });
    }
    let (name, tail) = glyph::split(rest.get(1..)?, |char| !is_name(char));
    let first = name.first()?.char;
    let ended = tail.first().is_none_or(|next| glyph::is_blank(next.char) || next.char == ')');
    let named = !first.is_ascii_digit() && ended;
    named.then(|| Reference { name: glyph::text(name), arguments: Vec::new(), len: name.len() + 1 })
}

pub(crate) fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn undefined(
    reference: &Reference,
    span: Span,
    definitions: &BTreeMap<String, Definition>,
) -> Diagnostic {
    let name = &reference.name;
    let message = format!("nothing defines `${name}`; it stays as it is written");
    let found = Diagnostic::warning(Code::BadReference, span, message);
    match crate::table::best(name, definitions.keys().map(String::as_str)) {
        Some(likely) => found.hint(format!("did you mean `${likely}`?")),
        None => found.hint(format!("define it in a line above: `${name}=VALUE`")),
    }
}
