//! The configuration as it is understood: every value, every default, and where each comes from.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Loaded, Span, Statement, Word,
    lower::arguments::{Matched, Read, read_silently},
    table::{self, Block, Default, Item, Keyword, Kind, Status, Value},
};

/// A whole configuration. Serializes as `standfast config dump --format json` prints it.
#[derive(Debug, Serialize)]
pub struct Dump {
    /// The main file.
    pub file: String,
    /// Whether the daemon would refuse it.
    pub refused: bool,
    /// Top-level settings and blocks.
    #[serde(flatten)]
    pub top: DumpBlock,
    /// What the engines get, when the file is not refused.
    pub model: Option<crate::Model>,
}

/// One block.
#[derive(Debug, std::default::Default, Serialize)]
pub struct DumpBlock {
    /// The keyword that opens it; none for the top level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<&'static str>,
    /// The words between the keyword and its brace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Scalar>,
    /// Where it stands; none when the file does not have it and only defaults are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Keywords with their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<&'static str, Settings>,
    /// Lines that start with no keyword, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Setting>,
    /// Blocks inside, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Self>,
}

/// What a keyword is set to: once, or several times.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Settings {
    /// Once.
    One(Setting),
    /// Several times, in order.
    Several(Vec<Setting>),
}

/// One value with its origin.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// The value; several words make a list.
    pub value: Scalar,
    /// Options of the line.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<&'static str, Scalar>,
    /// `FILE:LINE:COLUMN`, or `default`.
    pub origin: String,
    /// Where the `$NAME` is defined that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// The keyword that it is inherited from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherited_from: Option<&'static str>,
    /// The keyword has no effect in this version.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Nothing that can be said without the running system.
    Nothing,
    /// A flag.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A time in seconds.
    Seconds(f64),
    /// A word, an address, a command.
    Text(String),
    /// Several.
    List(Vec<Self>),
}

/// Everything that `loaded` says and, with `defaults`, what it leaves to them. Secrets are masked.
#[must_use]
pub fn dump(loaded: &Loaded, defaults: bool) -> Dump {
    let mut dumper = Dumper { loaded, defaults, scopes: Vec::new() };
    let named =
        |statement: &&Statement| statement.keyword().is_some_and(|word| word.text == "global_defs");
    let globals: Vec<&Statement> = loaded.tree.iter().filter(named).collect();
    let others = loaded.tree.iter().filter(|statement| !named(statement));
    let mut top = DumpBlock::default();
    if let Some(keyword) = table::lookup("", "global_defs") {
        let inner = globals.iter().flat_map(|block| block.statements());
        let mut block = dumper.block(keyword, inner);
        block.origin = globals.first().map(|block| dumper.origin(block.keyword()));
        top.blocks.push(block);
    }
    let rest = dumper.fill(table::top(), others);
    top.settings = rest.settings;
    top.blocks.extend(rest.blocks);
    Dump {
        file: loaded.path.display().to_string(),
        refused: loaded.model.is_none(),
        top,
        model: loaded.model.as_ref().map(crate::Model::without_secrets),
    }
}

/// A keyword's values in the blocks around, for those that inherit them.
struct Scope {
    path: &'static str,
    settings: BTreeMap<&'static str, Settings>,
}

struct Dumper<'a> {
    loaded: &'a Loaded,
    /// Whether defaults are shown too.
    defaults: bool,
    /// `global_defs`, then the blocks around, the innermost last.
    scopes: Vec<Scope>,
}

impl Dumper<'_> {
    /// A block with its defaults; of `global_defs` the values stay known.
    fn block<'s>(
        &mut self,
        keyword: &'static Keyword,
        inner: impl Iterator<Item = &'s Statement>,
    ) -> DumpBlock {
        let Some(block) = keyword.block() else { return DumpBlock::default() };
        let mut filled = self.fill(block, inner);
        filled.keyword = Some(keyword.name);
        filled
    }

    fn fill<'s>(
        &mut self,
        block: &'static Block,
        inner: impl Iterator<Item = &'s Statement>,
    ) -> DumpBlock {
        let mut filled = DumpBlock::default();
        let mut nested = Vec::new();
        for statement in inner {
            let Some(word) = statement.keyword() else { continue };
            let Some(keyword) = block.line(&word.text) else { continue };
            let read = read_silently(keyword, statement);
            if keyword.opens_block() {
                nested.push((keyword, statement, read));
            } else if !read.failed {
                let setting = self.setting(keyword, word, &read);
                filled.take(keyword, setting);
            }
        }
        if self.defaults {
            self.fill_defaults(block, &mut filled);
        }
        self.scopes.push(Scope { path: block.path, settings: filled.settings.clone() });
        for (keyword, statement, read) in nested {
            let mut inside = self.block(keyword, statement.statements().iter());
            inside.arguments = read.matched.iter().map(scalar).collect();
            inside.origin = Some(self.origin(statement.keyword()));
            filled.blocks.push(inside);
        }
        // What `global_defs` says holds for all that follows.
        if block.path != "global_defs" {
            self.scopes.pop();
        }
        filled
    }

    fn setting(&self, keyword: &'static Keyword, word: &Word, read: &Read<'_>) -> Setting {
        let values = read.matched.iter().filter(|matched| matched.option.is_none());
        let first = values.clone().next().map_or(word, |matched| matched.word);
        let mut values: Vec<Scalar> = values.map(scalar).collect();
        if is_secret(keyword) {
            values = vec![Scalar::Text("********".to_owned())];
        }
        let value = match values.len() {
            0 => Scalar::Bool(true),
            1 => values.remove(0),
            _ => Scalar::List(values),
        };
        Setting {
            value,
            options: read.options().map(|(name, matched)| (name, scalar(matched))).collect(),
            origin: self.place(first.span),
            definition: first.definition().map(|span| self.place(span)),
            inherited_from: None,
            inactive: matches!(keyword.status, Status::Announced | Status::NoEffect),
        }
    }

    /// Fills in what the file leaves out.
    fn fill_defaults(&self, block: &'static Block, filled: &mut DumpBlock) {
        for keyword in &block.keywords {
            let given = filled.settings.contains_key(keyword.name);
            if given || keyword.opens_block() || keyword.status == Status::ManualOnly {
                continue;
            }
            let (value, inherited) = match keyword.default {
                Default::Unset if keyword.arguments.items.is_empty() => (Scalar::Bool(false), None),
                Default::Unset => continue,
                Default::Value(text) => (default_value(keyword, text), None),
                Default::Inherited(path) => (Scalar::Nothing, Some(path)),
                Default::Derived(words) => (Scalar::Text(format!("({words})")), None),
            };
            let inactive = matches!(keyword.status, Status::Announced | Status::NoEffect);
            let mut setting = Setting {
                value,
                options: BTreeMap::new(),
                origin: "default".to_owned(),
                definition: None,
                inherited_from: inherited,
                inactive,
            };
            if let Some(Settings::One(from)) = inherited.and_then(|path| self.inherited(path)) {
                setting.value = from.value.clone();
                setting.origin.clone_from(&from.origin);
            }
            filled.settings.insert(keyword.name, Settings::One(setting));
        }
    }

    fn inherited(&self, path: &str) -> Option<&Settings> {
        let (block, name) = path.rsplit_once('.')?;
        self.scopes.iter().rev().find(|scope| scope.path == block)?.settings.get(name)
    }

    fn origin(&self, word: Option<&Word>) -> String {
        word.map_or_else(String::new, |word| self.place(word.span))
    }

    fn place(&self, span: Span) -> String {
        let sources = &self.loaded.sources;
        let at = sources.position(span);
        format!("{}:{}:{}", sources.path(span).display(), at.line, at.column)
    }
}

impl DumpBlock {
    fn take(&mut self, keyword: &'static Keyword, setting: Setting) {
        if keyword.name.starts_with('<') {
            self.entries.push(setting);
            return;
        }
        let settings = match self.settings.remove(keyword.name) {
            None => Settings::One(setting),
            Some(Settings::One(first)) => Settings::Several(vec![first, setting]),
            Some(Settings::Several(mut several)) => {
                several.push(setting);
                Settings::Several(several)
            }
        };
        self.settings.insert(keyword.name, settings);
    }
}

/// Whether the keyword's value must not be shown.
fn is_secret(keyword: &Keyword) -> bool {
    let key = |item: &Item| matches!(item, Item::One(Kind::Form(form)) if form.name == "secret");
    matches!(keyword.name, "auth_pass" | "password") || keyword.arguments.items.iter().any(key)
}

fn scalar(matched: &Matched<'_>) -> Scalar {
    of_value(matched.value)
}

fn of_value(value: Value<'_>) -> Scalar {
    match value {
        Value::Bool(flag) => Scalar::Bool(flag),
        Value::Number(number) => Scalar::Number(number),
        Value::Time(time) => Scalar::Seconds(time.as_secs_f64()),
        Value::Address(address) => Scalar::Text(address.to_string()),
        Value::Text(text) => Scalar::Text(text.to_owned()),
    }
}

/// A default as the table writes it.
fn default_value(keyword: &Keyword, text: &'static str) -> Scalar {
    let kind = keyword.arguments.first();
    kind.and_then(|kind| kind.read(text).ok())
        .map_or_else(|| Scalar::Text(text.to_owned()), of_value)
}
