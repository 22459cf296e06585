//! Lines into rows: how far each is indented, and where blank rows stand.

use super::line::{Content, Line, is_special, open};
use crate::syntax::{LINE_MAX, TokenKind};

const INDENT: usize = 4;
/// Blocks inside deeper ones are not indented any further.
const DEPTH_MAX: usize = 16;
/// Different conditions in a row that are kept apart.
const ALTERNATIVES_MAX: usize = 64;
const COMMENT_GAP: &[u8] = b"  ";

/// A row of the result.
#[derive(Debug, Default)]
struct Row<'a> {
    /// A blank row stands above it.
    blank: bool,
    depth: usize,
    text: Vec<u8>,
    comment: Option<&'a [u8]>,
    /// No blank belongs between its text and its comment.
    glued: bool,
    role: Role,
}

/// What the rows around it need to know of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    /// Words alone, which may open a block in the next line.
    Words,
    /// It ends with `{`.
    Opens,
    /// It is a `}`; whether it ends a block of the top level.
    Closes { outermost: bool },
    /// Anything else.
    #[default]
    Other,
}

impl<'a> Row<'a> {
    fn width(&self) -> usize {
        let comment = self.comment.map_or(0, |comment| self.gap().len() + comment.len());
        self.indent() + self.text.len() + comment
    }

    fn indent(&self) -> usize {
        self.depth.min(DEPTH_MAX) * INDENT
    }

    fn gap(&self) -> &'static [u8] {
        if self.text.is_empty() || self.glued { b"" } else { COMMENT_GAP }
    }

    fn is_blank(&self) -> bool {
        self.text.is_empty() && self.comment.is_none()
    }

    /// This row with the brace that the row below is.
    fn joined(&self, below: &Self) -> Option<Self> {
        let free = self.comment.is_none() || below.comment.is_none();
        if self.role != Role::Words || self.glued || below.text != b"{" || !free {
            return None;
        }
        let mut text = self.text.clone();
        open(&mut text);
        let comment = self.comment.or(below.comment);
        let row = Row { text, comment, role: Role::Opens, glued: false, ..*self };
        (row.width() <= LINE_MAX && !is_special(&row.text)).then_some(row)
    }

    fn print(&self, to: &mut Vec<u8>) {
        if self.blank {
            to.push(b'\n');
        }
        to.extend(std::iter::repeat_n(b' ', self.indent()));
        to.extend_from_slice(&self.text);
        if let Some(comment) = self.comment {
            to.extend_from_slice(self.gap());
            to.extend_from_slice(comment);
        }
        to.push(b'\n');
    }
}

/// The file so far.
#[derive(Debug, Default)]
pub(super) struct Layout<'a> {
    rows: Vec<Row<'a>>,
    /// Blocks that are open.
    depth: usize,
    /// Blank lines precede the next line.
    blank: bool,
    /// The next line may belong to a definition.
    in_definition: bool,
    alternatives: Alternatives<'a>,
}

/// Lines with conditions that follow one another. Of those with different conditions only one
/// counts, so each condition has a depth of its own.
#[derive(Debug, Default)]
struct Alternatives<'a> {
    /// Where they began.
    depth: usize,
    depths: Vec<(&'a [u8], usize)>,
}

impl<'a> Layout<'a> {
    /// Adds a line of the file.
    pub(super) fn line(&mut self, line: &Line<'a>) {
        if line.has_nul() {
            return self.raw(line);
        }
        if self.in_definition {
            // A remark between the lines of a definition does not end it; a blank line does.
            let remark = matches!(line.content, Content::Empty) && line.comment.is_some();
            self.in_definition = remark || line.goes_on;
            return self.raw(line);
        }
        match &line.content {
            Content::Empty if line.comment.is_none() => self.blank = true,
            // A remark.
            Content::Empty => self.lay(line, vec![self.row(Vec::new(), Role::Other)]),
            Content::Definition(code) => {
                self.in_definition = line.goes_on;
                self.lay(line, vec![self.row(code.to_vec(), Role::Other)]);
            }
            Content::Pieces(pieces) => {
                self.choose(None);
                let rows = pieces.iter().map(|piece| self.piece(piece)).collect();
                self.lay(line, rows);
            }
            Content::Whole { text, braces, condition } => {
                self.choose(*condition);
                let row = self.whole(text.clone(), braces);
                self.lay(line, vec![row]);
                self.chosen(*condition);
            }
        }
    }

    /// The whole file.
    pub(super) fn print(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.rows.pop_if(|last| last.is_blank()).is_some() {}
        self.rows.iter().for_each(|row| row.print(&mut bytes));
        bytes
    }

    fn row(&self, text: Vec<u8>, role: Role) -> Row<'a> {
        Row { depth: self.depth, text, role, ..Row::default() }
    }

    /// A row for a piece of a line, which may open or close a block.
    fn piece(&mut self, piece: &[u8]) -> Row<'a> {
        if piece == b"}" {
            let outermost = self.depth == 1;
            self.depth = self.depth.saturating_sub(1);
            return self.row(piece.to_vec(), Role::Closes { outermost });
        }
        let opens = piece.ends_with(b"{");
        let row = self.row(piece.to_vec(), if opens { Role::Opens } else { Role::Words });
        self.depth += usize::from(opens);
        row
    }

    /// A row for a line that stays one.
    fn whole(&mut self, text: Vec<u8>, braces: &[TokenKind]) -> Row<'a> {
        let outside = |kind: &&TokenKind| **kind == TokenKind::Close;
        let closes = braces.iter().take_while(outside).count();
        self.depth = self.depth.saturating_sub(closes);
        let opens = braces.last() == Some(&TokenKind::Open) && text.ends_with(b"{");
        let row = self.row(text, if opens { Role::Opens } else { Role::Other });
        for kind in braces.iter().skip(closes) {
            self.depth = match kind {
                TokenKind::Open => self.depth + 1,
                TokenKind::Close => self.depth.saturating_sub(1),
                TokenKind::Blank
                | TokenKind::Comment
                | TokenKind::Bare
                | TokenKind::Double
                | TokenKind::Single => self.depth,
            };
        }
        row
    }

    /// Adds the rows of a line; its comment stands on the last. A line that would grow too long
    /// for keepalived, or is already, stays as it is.
    fn lay(&mut self, line: &Line<'a>, mut rows: Vec<Row<'a>>) {
        if let Some(last) = rows.last_mut() {
            last.comment = line.comment;
            last.glued = line.glued;
        }
        if line.body.len() > LINE_MAX || rows.iter().any(|row| row.width() > LINE_MAX) {
            return self.raw(line);
        }
        for row in rows {
            match self.rows.last_mut().and_then(|above| above.joined(&row).map(|it| (above, it))) {
                Some((above, joined)) => {
                    *above = joined;
                    self.blank = false;
                }
                None => self.push(row),
            }
        }
    }

    /// Adds a line as it is.
    fn raw(&mut self, line: &Line<'a>) {
        self.push(Row { text: line.raw().to_vec(), ..Row::default() });
    }

    fn push(&mut self, mut row: Row<'a>) {
        let wanted = std::mem::take(&mut self.blank);
        let closes = matches!(row.role, Role::Closes { .. });
        row.blank = match self.rows.last().filter(|above| !above.is_blank()).map(|it| it.role) {
            None | Some(Role::Opens) => false,
            Some(Role::Closes { outermost: true }) => !closes,
            Some(Role::Closes { outermost: false } | Role::Words | Role::Other) => {
                wanted && !closes
            }
        };
        self.rows.push(row);
    }

    /// Turns to the depth of a condition's lines.
    fn choose(&mut self, condition: Option<&'a [u8]>) {
        let depths = &mut self.alternatives.depths;
        let Some(condition) = condition else {
            if let Some((_, depth)) = depths.first() {
                self.depth = *depth;
            }
            return depths.clear();
        };
        if depths.is_empty() {
            self.alternatives.depth = self.depth;
        }
        let known = depths.iter().find(|(other, _)| *other == condition);
        self.depth = known.map_or(self.alternatives.depth, |(_, depth)| *depth);
    }

    /// Keeps the depth that a condition's line has led to.
    fn chosen(&mut self, condition: Option<&'a [u8]>) {
        let Some(condition) = condition else { return };
        let depths = &mut self.alternatives.depths;
        if let Some((_, depth)) = depths.iter_mut().find(|(other, _)| *other == condition) {
            *depth = self.depth;
        } else if depths.len() < ALTERNATIVES_MAX {
            depths.push((condition, self.depth));
        }
    }
}
