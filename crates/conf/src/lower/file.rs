//! `track_file`.

use standfast_failover::Weight;
use standfast_types::FileName;

use super::{Lowering, arguments::Read};
use crate::{
    model::{InitFile, TrackedFile},
    source::Span,
    syntax::Statement,
    table::{Keyword, Value},
};

/// A `track_file` that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(super) file: TrackedFile,
    pub(super) weight: Weight,
    pub(super) weight_span: Option<Span>,
    /// Some instance or group tracks it.
    pub(super) used: bool,
}

impl Lowering<'_> {
    pub(super) fn track_file_block(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        let Some(block) = keyword.block() else { return };
        let name = FileName::from(name.text.as_str());
        let (mut path, mut init) = (None, None);
        let (mut weight, mut weight_span) = (Weight { value: 1, reverse: false }, None);
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            let read = self.read(keyword, inner);
            match keyword.name {
                "file" => path = read.word().map(|word| word.text.to_string()).or(path),
                "weight" => (weight, weight_span) = own_weight(&read, weight, weight_span),
                "init_file" if !read.failed => init = Some(init_file(&read)),
                _ => {}
            }
        }
        // That it has no file, or is there already, is said by a lint.
        let known = self.tracked_files.iter().any(|known| known.file.name == name);
        if let (Some(path), false) = (path, known) {
            let file = TrackedFile { name, path: path.into(), init };
            self.tracked_files.push(Draft { file, weight, weight_span, used: false });
        }
    }

    /// The files that are tracked go into the model.
    pub(super) fn lower_files(&mut self) {
        let used = std::mem::take(&mut self.tracked_files).into_iter().filter(|draft| draft.used);
        self.model.files = used.map(|draft| draft.file).collect();
    }
}

fn init_file(read: &Read<'_>) -> InitFile {
    let number = read.matched.iter().find_map(|matched| {
        let Value::Number(number) = matched.value else { return None };
        Some(number)
    });
    let overwrite = read.matched.iter().any(|matched| matched.word.text == "overwrite");
    InitFile { value: number.unwrap_or(0), overwrite }
}

/// `weight N [reverse]` in a tracker's own block.
pub(super) fn own_weight(
    read: &Read<'_>,
    weight: Weight,
    span: Option<Span>,
) -> (Weight, Option<Span>) {
    let Some((value, at)) = read.small() else { return (weight, span) };
    let reverse = read.matched.iter().any(|word| word.word.text == "reverse");
    (Weight { value, reverse }, Some(at))
}
