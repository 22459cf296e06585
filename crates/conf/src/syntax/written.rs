//! A written line on its way through conditions, definitions, loops and references.

use std::{collections::VecDeque, rc::Rc};

use super::{
    directive::{self, ROUNDS_MAX},
    expand::{Definition, Locals, Site, is_name},
    glyph::{self, Glyph},
    include,
    lex::Comments,
    line::Expanded,
    read::Reader,
};
use crate::{Code, Diagnostic, diagnostic::Class, source::Span};

/// Loops inside loops, and lines that expansion has made of lines.
const NESTING_MAX: usize = 32;
/// Lines that all loops and definitions together may make, besides four for each written one.
const LINES_MAX: usize = 4 * ROUNDS_MAX;

/// A line that is being expanded.
struct Line {
    glyphs: Rc<[Glyph]>,
    locals: Option<Rc<Locals>>,
    nesting: usize,
    /// References are replaced already.
    expanded: bool,
}

impl Reader<'_> {
    /// A line without comment: part of a definition, or one to work on.
    pub(crate) fn written_line(&mut self, mut glyphs: Vec<Glyph>) {
        if self.unfinished.is_some() {
            let goes_on = pop_backslash(&mut glyphs);
            if let Some((_, definition)) = &mut self.unfinished
                && !glyph::trim(&glyphs).is_empty()
            {
                definition.push(glyph::trim(&glyphs).to_vec());
            }
            if !goes_on {
                self.finish_definition();
            }
            return;
        }
        let line = Line { glyphs: glyphs.into(), locals: None, nesting: 0, expanded: false };
        let mut queue = VecDeque::from([line]);
        while let Some(line) = queue.pop_front() {
            self.line(line, &mut queue);
        }
        self.builder.end_statement();
    }

    pub(crate) fn finish_definition(&mut self) {
        if let Some((name, definition)) = self.unfinished.take() {
            self.scope.define(name, definition);
        }
    }

    fn line(&mut self, line: Line, queue: &mut VecDeque<Line>) {
        let Some(text) = self.condition(glyph::trim(&line.glyphs)) else { return };
        let Some(first) = text.first() else { return };
        if line.nesting > 0 {
            self.made += 1;
            self.scope.volume += text.len();
            if self.exhausted(line.nesting, first.span) {
                return;
            }
        }
        if !line.expanded && self.definition(text, line.nesting == 0) {
            return;
        }
        let looped = directive::is_loop(text);
        if line.expanded && looped {
            return self.unroll(text, &line, queue);
        }
        if !line.expanded {
            return self.expand(text, looped, &line, queue);
        }
        if matches!(first.char, '#' | '!') {
            // A reference that becomes `#` in one setting and nothing in another switches lines off.
            return;
        }
        match include::include(text) {
            Some(include) => self.include(&include),
            None => {
                if let Some(words) = include::check_words(text) {
                    self.checks = self.checks.changed(&words);
                }
                if let Some(seed) = include::seed(text) {
                    self.scope.seed(seed);
                }
                self.words(&Expanded(text), Comments::Stripped);
            }
        }
    }

    /// Whether the expansions have made too much.
    fn exhausted(&mut self, nesting: usize, span: Span) -> bool {
        let lines_max = LINES_MAX + 4 * self.lines;
        let exhausted = self.scope.exhausted() || nesting > NESTING_MAX || self.made > lines_max;
        if exhausted && !std::mem::replace(&mut self.exhaustion_reported, true) {
            let message = "loops and definitions expand to too much";
            self.findings.push(Diagnostic::warning(Code::Limit, span, message));
        }
        exhausted
    }

    /// Replaces the references of a line and puts the result back into the queue. Of a loop,
    /// only the arguments: the body's turn comes in each round.
    fn expand(&mut self, text: &[Glyph], looped: bool, line: &Line, queue: &mut VecDeque<Line>) {
        let (head, body) =
            if looped { glyph::split(text, |char| char == ')') } else { (text, [].as_slice()) };
        let directory = self.directory();
        let site = Site { directory: &directory, locals: line.locals.as_deref() };
        let expanded = self.scope.expand(head, &site, &mut self.findings);
        let nesting = line.nesting + usize::from(expanded.changed);
        let put = |glyphs: Vec<Glyph>, expanded| Line {
            glyphs: glyphs.into(),
            locals: line.locals.clone(),
            nesting,
            expanded,
        };
        for more in expanded.more.into_iter().rev() {
            queue.push_front(put(more, false));
        }
        let mut glyphs = expanded.line;
        glyphs.extend_from_slice(body);
        // What a reference brought in may itself be a definition.
        let again = expanded.changed && is_definition(glyph::trim(&glyphs));
        queue.push_front(put(glyphs, !again));
    }

    fn unroll(&mut self, text: &[Glyph], line: &Line, queue: &mut VecDeque<Line>) {
        let Some(first) = text.first() else { return };
        if self.exhausted(line.nesting, first.span) {
            return;
        }
        match directive::unroll(text) {
            Ok(unrolled) => {
                self.loops.extend(glyph::span(text));
                self.made += unrolled.rounds.iter().map(Vec::len).sum::<usize>();
                let body: Rc<[Glyph]> = unrolled.body.into();
                for round in unrolled.rounds.into_iter().rev() {
                    let locals = Locals { round, outer: line.locals.clone() };
                    queue.push_front(Line {
                        glyphs: Rc::clone(&body),
                        locals: Some(Rc::new(locals)),
                        nesting: line.nesting + 1,
                        expanded: false,
                    });
                }
            }
            Err(what) => self.bad_directive(text, format!("this loop is malformed: {what}")),
        }
    }

    fn bad_directive(&mut self, text: &[Glyph], message: String) {
        if let Some(span) = glyph::span(text) {
            self.findings
                .push(Diagnostic::warning(Code::BadDirective, span, message).class(Class::Error));
        }
    }

    /// What is left of a line behind its `@ID` or `@^ID`; `None` when it is for others.
    fn condition<'g>(&mut self, text: &'g [Glyph]) -> Option<&'g [Glyph]> {
        let Some(rest) = glyph::strip(text, "@") else { return Some(text) };
        let (wanted, rest) = match glyph::strip(rest, "^") {
            Some(rest) => (false, rest),
            None => (true, rest),
        };
        let (id, rest) = glyph::split(rest, glyph::is_blank);
        if (glyph::text(id) == self.scope.options.config_id) != wanted {
            return None;
        }
        let rest = glyph::trim_start(rest);
        if glyph::strip(rest, "@").is_some() {
            self.second_condition(rest);
            return None;
        }
        Some(rest)
    }

    /// keepalived takes it for a keyword that it does not know.
    fn second_condition(&mut self, rest: &[Glyph]) {
        let (second, _) = glyph::split(rest, glyph::is_blank);
        let Some(span) = glyph::span(second) else { return };
        let message =
            format!("`{}` is a second condition; the line is skipped", glyph::text(second));
        self.findings.push(
            Diagnostic::warning(Code::BadDirective, span, message)
                .hint("a line takes one condition: write the line once for each `@ID`")
                .class(Class::Error),
        );
    }

    /// Takes in a `$NAME=VALUE`; whether the line was one. Only a line that was `written` so, and
    /// not made by a loop or a reference, goes on in the file's next line.
    fn definition(&mut self, text: &[Glyph], written: bool) -> bool {
        if !is_definition(text) {
            return false;
        }
        let (name, rest) = glyph::split(text.get(1..).unwrap_or_default(), |char| char == '=');
        let mut value = glyph::trim_start(rest.get(1..).unwrap_or_default()).to_vec();
        let goes_on = pop_backslash(&mut value) && written;
        let value = glyph::trim(&value).to_vec();
        let definition =
            if goes_on && value.is_empty() { Definition::default() } else { value.into() };
        self.unfinished = Some((glyph::text(name), definition));
        if !goes_on {
            self.finish_definition();
        }
        true
    }
}

fn is_definition(text: &[Glyph]) -> bool {
    let Some(rest) = glyph::strip(text, "$") else { return false };
    let (name, tail) = glyph::split(rest, |char| !is_name(char));
    let begins = name.first().is_some_and(|first| !first.char.is_ascii_digit());
    begins && tail.first().is_some_and(|next| next.char == '=')
}

fn pop_backslash(glyphs: &mut Vec<Glyph>) -> bool {
    let goes_on = glyphs.last().is_some_and(|last| last.char == '\\');
    if goes_on {
        glyphs.pop();
    }
    goes_on
}
