//! A mistake is said once, at its cause: in a loop not in each round, and of a word that a
//! definition brought the definition too.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Code, Diagnostic, Sources, Span, Statement};

/// Names the definitions that findings came out of, where the finding does not know its word.
pub(crate) fn definitions(tree: &[Statement], sources: &Sources, diagnostics: &mut [Diagnostic]) {
    let refers = |span: Span| {
        let bytes = sources.source(span.file).and_then(|source| source.bytes().get(span.range()));
        bytes.is_some_and(|bytes| memchr::memchr(b'$', bytes).is_some())
    };
    let open = |found: &&mut Diagnostic| found.definition().is_none() && refers(found.primary.span);
    let mut open: Vec<&mut Diagnostic> = diagnostics.iter_mut().filter(open).collect();
    if open.is_empty() {
        return;
    }
    let mut known = BTreeMap::new();
    collect(tree, &mut known);
    for found in &mut open {
        let span = found.primary.span;
        let within = |used: &Span| used.file == span.file && used.end <= span.end;
        let start = Span { end: 0, ..span };
        let first = known.range(start..).next().filter(|(used, _)| within(used));
        if let Some((_, definition)) = first {
            found.define(*definition);
        }
    }
}

/// Where words are used that a definition brought; one of several lines brings many to one place.
fn collect(statements: &[Statement], known: &mut BTreeMap<Span, Span>) {
    for statement in statements {
        for word in &statement.words {
            if let Some(definition) = word.definition() {
                let joined = known.entry(word.span).or_insert(definition);
                *joined = joined.to(definition);
            }
        }
        collect(statement.statements(), known);
    }
}

/// Keeps the first of the findings that the rounds of a loop repeat. `loops` are their lines.
pub(crate) fn rounds(loops: &[Span], diagnostics: &mut Vec<Diagnostic>) {
    let looped = |span: Span| {
        let after =
            loops.partition_point(|line| (line.file, line.start) <= (span.file, span.start));
        let line = after.checked_sub(1).and_then(|at| loops.get(at));
        line.is_some_and(|line| line.file == span.file && span.end <= line.end)
    };
    let mut said = BTreeSet::new();
    diagnostics.retain(|found| {
        let span = found.primary.span;
        !looped(span) || said.insert((found.code, span, found.definition()))
    });
}

/// What does not fit because of a reference that stays as it is written is no mistake of its own.
pub(crate) fn references(diagnostics: &mut Vec<Diagnostic>) {
    let kept = |found: &&Diagnostic| found.code == Code::BadReference;
    let mut causes: BTreeMap<Span, bool> =
        diagnostics.iter().filter(kept).map(|found| (found.primary.span, false)).collect();
    if causes.is_empty() {
        return;
    }
    diagnostics.retain(|found| {
        let span = found.primary.span;
        let follows = matches!(
            found.code,
            Code::BadAddress | Code::BadValue | Code::OutOfRange | Code::ScriptMissing
        );
        let inside = causes.range_mut(Span { end: 0, ..span }..).next();
        match inside.filter(|(cause, _)| cause.file == span.file && cause.end <= span.end) {
            Some((_, classed)) if follows => {
                *classed |= found.keepalived.is_some();
                false
            }
            Some(_) | None => true,
        }
    });
    for found in diagnostics.iter_mut().filter(|found| found.code == Code::BadReference) {
        if causes.get(&found.primary.span) == Some(&true) {
            found.keepalived.get_or_insert(crate::diagnostic::Class::Error);
        }
    }
}
