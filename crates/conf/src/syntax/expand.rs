//! `$NAME` and `${NAME}`: references and the built-in names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
};

use standfast_types::Rng;

use super::{
    Findings,
    glyph::{self, Glyph},
    lex::braced_reference,
};
use crate::{Code, Diagnostic, Options, source::Span};

/// References inside definitions inside definitions, at most.
const NESTING_MAX: usize = 16;
/// Characters that the references of one line may bring in.
const LINE_VOLUME_MAX: usize = 1 << 20;
/// Characters that all references may bring in, besides four for each that was written.
const VOLUME_MAX: usize = 4 << 20;
/// Comparisons of undefined references with what is defined.
const COMPARISONS_MAX: usize = 200_000;

/// A `$NAME=`: one line, or several when lines ended with a backslash.
#[derive(Debug, Default)]
pub(crate) struct Definition {
    lines: Vec<Vec<Glyph>>,
    volume: usize,
}

impl Definition {
    pub(crate) fn push(&mut self, line: Vec<Glyph>) {
        self.volume += line.len();
        self.lines.push(line);
    }
}

impl From<Vec<Glyph>> for Definition {
    fn from(line: Vec<Glyph>) -> Self {
        Self { volume: line.len(), lines: vec![line] }
    }
}

/// A loop variable and its value of this round.
#[derive(Debug)]
pub(crate) struct Local {
    name: String,
    value: Rc<Definition>,
}

impl Local {
    pub(crate) fn new(name: &str, value: Vec<Glyph>) -> Self {
        Self { name: name.to_owned(), value: Rc::new(value.into()) }
    }
}

/// The variables of a loop's round, and those of the loops around it.
#[derive(Debug)]
pub(crate) struct Locals {
    pub(crate) round: Vec<Local>,
    pub(crate) outer: Option<Rc<Self>>,
}

impl Locals {
    fn get(&self, name: &str) -> Option<&Rc<Definition>> {
        let found = self.round.iter().rev().find(|local| local.name == name);
        match found {
            Some(local) => Some(&local.value),
            None => self.outer.as_ref()?.get(name),
        }
    }
}

/// What is defined so far.
pub(crate) struct Scope<'a> {
    pub(crate) options: &'a Options,
    definitions: BTreeMap<String, Rc<Definition>>,
    rng: Rng,
    /// Characters that expansions have made so far, and those of them in the current line.
    pub(crate) volume: usize,
    line_volume: usize,
    /// Characters that were read so far.
    pub(crate) written: usize,
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
    pub(crate) locals: Option<&'a Locals>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self {
            options,
            definitions: BTreeMap::new(),
            rng: Rng::from_seed(options.seed),
            volume: 0,
            line_volume: 0,
            written: 0,
            reported: BTreeSet::new(),
        }
    }

    /// From here on `${_RANDOM}` repeats itself (`random_seed`).
    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = Rng::from_seed(seed);
    }

    pub(crate) fn define(&mut self, name: String, mut definition: Definition) {
        if definition.lines.is_empty() {
            definition.push(Vec::new());
        }
        self.definitions.insert(name, Rc::new(definition));
    }

    /// Whether the expansions have made too much.
    pub(crate) fn exhausted(&self) -> bool {
        self.volume > VOLUME_MAX + 4 * self.written
    }

    pub(crate) fn expand(
        &mut self,
        line: &[Glyph],
        site: &Site<'_>,
        diagnostics: &mut Findings,
    ) -> Expanded {
        self.line_volume = 0;
        self.expand_nested(line, site, diagnostics, 0)
    }

    fn expand_nested(
        &mut self,
        line: &[Glyph],
        site: &Site<'_>,
        diagnostics: &mut Findings,
        nesting: usize,
    ) -> Expanded {
        let mut expanded = Expanded::default();
        let mut rest = line;
        while let Some((first, tail)) = rest.split_first() {
            let Some(reference) = reference(rest) else {
                if first.char == '$' {
                    self.runs_on(rest, site, diagnostics);
                }
                expanded.line.push(*first);
                rest = tail;
                continue;
            };
            let (used, behind) = rest.split_at(reference.len.min(rest.len()));
            let Some(span) = glyph::span(used) else { break };
            rest = behind;
            let Some(value) = self.value(&reference, span, site) else {
                if self.reported.insert((span, reference.name.clone())) {
                    diagnostics.push(self.undefined(&reference, span));
                }
                expanded.line.extend(used);
                continue;
            };
            let last = glyph::trim_start(behind).is_empty();
            if self.too_much(&value, nesting) {
                let message = format!("`${}` expands to too much", reference.name);
                if self.reported.insert((span, String::new())) {
                    diagnostics.push(Diagnostic::warning(Code::Limit, span, message));
                }
                continue;
            }
            if value.lines.len() > 1 && !last {
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
            for (at, line) in value.lines.iter().enumerate() {
                let carried: Vec<Glyph> = line.iter().map(|glyph| carry(glyph, span)).collect();
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

    /// Reports a `$NAME` that is defined, and not replaced for what follows it.
    fn runs_on(&mut self, rest: &[Glyph], site: &Site<'_>, diagnostics: &mut Findings) {
        let (name, tail) = glyph::split(rest.get(1..).unwrap_or_default(), |char| !is_name(char));
        let (Some(span), Some(next)) =
            (rest.get(..=name.len()).and_then(glyph::span), tail.first())
        else {
            return;
        };
        let name = glyph::text(name);
        let local = site.locals.and_then(|locals| locals.get(&name));
        if local.or_else(|| self.definitions.get(&name)).is_none()
            || !self.reported.insert((span, name.clone()))
        {
            return;
        }
        let message = format!("`${name}` is not replaced before `{}`", next.char);
        diagnostics.push(
            Diagnostic::warning(Code::BadReference, span, message)
                .hint(format!("write `${{{name}}}`")),
        );
    }

    fn too_much(&mut self, value: &Definition, nesting: usize) -> bool {
        let volume = value.volume + value.lines.len();
        self.line_volume += volume;
        self.volume += volume;
        self.exhausted() || self.line_volume > LINE_VOLUME_MAX || nesting >= NESTING_MAX
    }

    fn value(
        &mut self,
        reference: &Reference,
        span: Span,
        site: &Site<'_>,
    ) -> Option<Rc<Definition>> {
        let local = site.locals.and_then(|locals| locals.get(&reference.name));
        if let Some(value) = local.or_else(|| self.definitions.get(&reference.name)) {
            return Some(Rc::clone(value));
        }
        let built_in = self.built_in(reference, site.directory)?;
        let glyph = |char| Glyph { char, span, definition: None };
        Some(Rc::new(built_in.chars().map(glyph).collect::<Vec<_>>().into()))
    }

    fn undefined(&self, reference: &Reference, span: Span) -> Diagnostic {
        let name = &reference.name;
        let message = format!("nothing defines `${name}`; it stays as it is written");
        let found = Diagnostic::warning(Code::BadReference, span, message);
        let defined = self.definitions.keys().map(String::as_str);
        let likely = (self.reported.len() * self.definitions.len() <= COMPARISONS_MAX)
            .then(|| crate::table::best(name, defined))
            .flatten();
        match likely {
            Some(likely) => found.hint(format!("did you mean `${likely}`?")),
            None => found.hint(format!("define it in a line above: `${name}=VALUE`")),
        }
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
