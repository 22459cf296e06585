//! Is the word a keyword here? If not, what was meant?

use super::Lowering;
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    load::FINDINGS_MAX,
    syntax::{Statement, Word, line},
    table::{self, Age, Block, Keyword, Status},
};

impl Lowering<'_> {
    /// What the statement is in `block`: a keyword or an entry. Reports it when it is not known
    /// there, or opens a block where it takes none.
    pub(crate) fn known(
        &mut self,
        block: &'static Block,
        statement: &Statement,
    ) -> Option<&'static Keyword> {
        let word = statement.keyword()?;
        let Some(keyword) = block.line(&word.text) else {
            // A file that is none has more unknown words than anybody reads.
            if self.diagnostics.len() < FINDINGS_MAX {
                self.diagnostics.push(unknown(block, word, statement.block.is_some()));
            } else {
                self.left_out += 1;
            }
            return None;
        };
        if keyword.status == Status::ManualOnly {
            let message =
                format!("`{}` is in keepalived's manual, but no keepalived knows it", word.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::UnknownKeyword, word, message)
                    .hint("delete it")
                    .class(Class::Error),
            );
            return None;
        }
        self.diagnostics.extend(outdated(block, word, keyword));
        self.check_block(word, keyword, statement);
        if keyword.since == Some(OWN) {
            self.note(block.path, keyword, || word.text.to_string(), word.span);
        }
        Some(keyword)
    }

    fn check_block(&mut self, word: &Word, keyword: &Keyword, statement: &Statement) {
        match &statement.block {
            Some(block) if !keyword.opens_block() => {
                let message = format!("`{}` takes no block", word.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::UnexpectedBlock, block.open, message)
                        .label("skipped up to its `}`")
                        .class(Class::Error),
                );
            }
            None if keyword.opens_block() => {
                let message = format!("`{}` needs a block", word.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::MissingBlock, word, message)
                        .hint(format!(
                            "write `{} {{`, its lines, and `}}`",
                            opening(keyword, statement)
                        ))
                        .class(Class::Error),
                );
            }
            Some(_) | None => {}
        }
    }
}

/// The line that should open a block, without its brace.
fn opening(keyword: &Keyword, statement: &Statement) -> String {
    match keyword.arguments.items.is_empty() {
        // What follows belongs inside.
        true => keyword.name.to_owned(),
        false => line(&statement.words),
    }
}

/// What to say of an old spelling of a keyword or option of the block.
pub(super) fn outdated(block: &Block, word: &Word, keyword: &Keyword) -> Option<Diagnostic> {
    let Age::OldNameOf(name) = keyword.age else { return None };
    let here = block.keyword(name).or(block.option(name)).is_some();
    let elsewhere = table::homes(name).into_iter().next().filter(|_| !here);
    let hint = match elsewhere {
        Some(home) if home.path.is_empty() => format!("write `{name}` at the top level"),
        Some(home) => format!("write `{name}` in {}", full(home.path)),
        None => format!("write `{name}`"),
    };
    let message = format!("`{}` is an old spelling", word.text);
    let found = Diagnostic::note(Code::Deprecated, word, message).hint(hint);
    Some(if DEPRECATED.contains(&keyword.name) { found.class(Class::Error) } else { found })
}

/// The version that brought words of our own.
const OWN: &str = "Standfast";

/// Old spellings that keepalived reports; the others it takes in silence.
const DEPRECATED: [&str; 4] = ["nb_get_retry", "gw", "or", "linkbeat_use_polling"];

/// The diagnostic for a word that is no keyword of the block.
fn unknown(block: &Block, word: &Word, has_block: bool) -> Diagnostic {
    let path = block.path;
    let text = &word.text;
    let here =
        if path.is_empty() { "at the top level".to_owned() } else { format!("in {}", short(path)) };
    let skipped = if has_block { "; skipped with its block" } else { "" };
    if let Some(hint) = replacement(path, text) {
        let message = format!("`{text}` is no keyword {here}{skipped}");
        return Diagnostic::warning(Code::UnknownKeyword, word, message)
            .hint(hint)
            .class(Class::Error);
    }
    if let Some(home) = table::homes(text).first() {
        let message = format!("`{text}` does not belong {here}{skipped}");
        let home = if home.path.is_empty() { "the top level".to_owned() } else { full(home.path) };
        return Diagnostic::warning(Code::WrongBlock, word, message)
            .hint(format!("it belongs in {home}"))
            .class(Class::Error);
    }
    let message = format!("`{text}` is no keyword {here}{skipped}");
    let found = Diagnostic::warning(Code::UnknownKeyword, word, message).class(Class::Error);
    match table::suggest(block, text) {
        Some(likely) => {
            found.label(format!("did you mean `{likely}`?")).hint(format!("write `{likely}`"))
        }
        None if text.starts_with("<<<<")
            || text.starts_with("====")
            || text.starts_with(">>>>") =>
        {
            found.hint("a merge marker is left in the file")
        }
        None if text.contains("{{") || text.starts_with(['<', '%']) => {
            found.hint("a template's placeholder seems to be left in")
        }
        None => match elsewhere(text) {
            Some((likely, home)) => {
                found.hint(format!("did you mean `{likely}`? It belongs in {}", full(home)))
            }
            None => found,
        },
    }
}

/// What to write for words that many files have and keepalived does not know.
fn replacement(path: &str, text: &str) -> Option<&'static str> {
    if !path.starts_with("virtual_server") {
        return None;
    }
    match text {
        "nat_mask" => Some("delete it: no netmask is needed, and versions since 2.0 refuse it"),
        "nb_get_retry" => Some("write `retry`"),
        "cookie" => Some(
            "delete it: IPVS does not look into HTTP; `persistence_timeout` keeps clients on a server",
        ),
        "ha_conn_rate_limit" => Some("delete it: a real server's `uthreshold` limits connections"),
        "ha_nodeaddr_list" => {
            Some("delete it: each server is a `real_server ADDRESS PORT { ... }`")
        }
        "timeout" => Some("write `connect_timeout` in the check, or `lvs_timeouts` in global_defs"),
        "real_servers" => Some(
            "did you mean `real_server`? Write one `real_server ADDRESS PORT { ... }` for each server",
        ),
        _ => None,
    }
}

/// The keyword of any other block that was probably meant, and its likeliest block.
fn elsewhere(text: &str) -> Option<(&'static str, &'static str)> {
    let blocks = table::blocks().filter(|block| !block.path.is_empty());
    let names = blocks.flat_map(|block| block.keywords.iter().map(|keyword| keyword.name));
    let likely = table::best(text, names)?;
    let mut homes = table::homes(likely).into_iter().filter(|home| !home.path.is_empty());
    Some((likely, homes.next()?.path))
}

fn short(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn full(path: &str) -> String {
    let mut blocks = path.rsplit('.');
    let inner = format!("`{}`", blocks.next().unwrap_or(path));
    blocks.fold(inner, |text, outer| format!("{text} of `{outer}`"))
}
