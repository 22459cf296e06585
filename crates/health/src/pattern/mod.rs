//! `regex`: PCRE2's patterns on another engine.
//!
//! The engine takes time that grows with the page alone, except for look-around and back references, where a
//! bounded number of steps is tried. [`translate`] says in the engine's words what a pattern means in PCRE2's.

mod class;
mod reader;
mod search;
mod translate;

use fancy_regex::{BytesMode, CompileError, Regex, RegexBuilder};
use thiserror::Error;

pub(crate) use self::search::{Found, Search};
use crate::Pattern;

/// A pattern's automata may be so large, in bytes.
const SIZE: usize = 1 << 20;
/// Instructions of a pattern with look-around or back references.
const INSTRUCTIONS: usize = 50_000;
/// Steps back of one search in a window; about 20 ms.
const STEPS_BACK: usize = 1_000_000;

/// A pattern that can be searched for.
#[derive(Clone, Debug)]
pub struct Compiled {
    regex: Regex,
    min_offset: u64,
    /// Where a match begins at the latest.
    max_offset: Option<u64>,
    first_line: bool,
    absent: bool,
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// There is no such option.
    #[error("`{0}` is no option of a regex")]
    UnknownOption(String),
    /// What the option means is not possible here.
    #[error("`{option}` {why}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What stands against it.
        why: &'static str,
    },
    /// Something of PCRE2's syntax that is not possible here, or wrong.
    #[error("{what} (at character {at} of the pattern)")]
    Syntax {
        /// What.
        what: &'static str,
        /// Where, from 1.
        at: usize,
    },
    /// What the engine says.
    #[error("{0}")]
    Engine(String),
}

/// `regex_options` that change what a pattern means.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    allow_empty_class: bool,
    caseless: bool,
    dollar_endonly: bool,
    dotall: bool,
    extended: bool,
    firstline: bool,
    multiline: bool,
    ucp: bool,
    ungreedy: bool,
    utf: bool,
    use_offset_limit: bool,
    /// `alt_bsux` and `match_unset_backref` don't matter where a pattern has none of it.
    alt_bsux: bool,
    match_unset_backref: bool,
}

impl Options {
    fn read(names: &[impl AsRef<str>]) -> Result<Self, PatternError> {
        let mut options = Self::default();
        for name in names {
            let flag = match name.as_ref() {
                "allow_empty_class" => &mut options.allow_empty_class,
                "alt_bsux" => &mut options.alt_bsux,
                "caseless" => &mut options.caseless,
                "dollar_endonly" => &mut options.dollar_endonly,
                "dotall" => &mut options.dotall,
                "extended" => &mut options.extended,
                "firstline" => &mut options.firstline,
                "match_unset_backref" => &mut options.match_unset_backref,
                "multiline" => &mut options.multiline,
                "ucp" => &mut options.ucp,
                "ungreedy" => &mut options.ungreedy,
                "utf" => &mut options.utf,
                "use_offset_limit" => &mut options.use_offset_limit,
                // How PCRE2 compiles; what it forbids, which is not possible here anyway; and how groups
                // are numbered, which nobody sees.
                "auto_callout" | "dupnames" | "never_ucp" | "never_utf" | "no_auto_capture"
                | "no_auto_possess" | "no_dotstar_anchor" | "no_start_optimize"
                | "never_backslash_c" | "alt_circumflex" | "alt_verbnames" => continue,
                other => return Err(PatternError::UnknownOption(other.to_owned())),
            };
            *flag = true;
        }
        if options.ucp && !options.utf {
            let why = "needs `utf`: without it bytes are no characters of Unicode";
            return Err(PatternError::Option { option: "ucp", why });
        }
        Ok(options)
    }
}

impl Pattern {
    /// The pattern as it is searched for.
    ///
    /// # Errors
    /// It is no pattern, or uses what is not possible here; the text says what.
    pub fn compile(&self) -> Result<Compiled, PatternError> {
        let options = Options::read(&self.options)?;
        let text = translate::translate(&self.text, options)?;
        let mode = if options.utf { BytesMode::UnicodeBytes } else { BytesMode::Ascii };
        let regex = RegexBuilder::new(&text)
            .bytes_mode(mode)
            .case_insensitive(options.caseless)
            .dot_matches_new_line(options.dotall)
            .delegate_size_limit(SIZE)
            .delegate_dfa_size_limit(SIZE)
            .max_prog_size(INSTRUCTIONS)
            .backtrack_limit(STEPS_BACK)
            .build()
            .map_err(|error| PatternError::Engine(words(&error)))?;
        Ok(Compiled {
            regex,
            min_offset: self.min_offset.into(),
            max_offset: self.max_offset.filter(|_| options.use_offset_limit).map(Into::into),
            first_line: options.firstline,
            absent: self.absent,
        })
    }
}

/// What the engine found wrong, in one line.
fn words(error: &fancy_regex::Error) -> String {
    let text = if let fancy_regex::Error::CompileError(error) = error
        && let CompileError::InnerError(error) = &**error
    {
        match error.syntax_error() {
            // Behind a drawing of the pattern.
            Some(error) => error.to_string(),
            None if error.size_limit().is_some() => "the pattern is too large".to_owned(),
            None => error.to_string(),
        }
    } else {
        error.to_string()
    };
    let text = text.trim_start_matches("Error compiling regex: ");
    let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests;
