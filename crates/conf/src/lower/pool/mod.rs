//! Pools of servers: `virtual_server` and all that hangs on it.

mod check;
mod group;
mod inherit;
mod kind;
mod late;
mod method;
mod process;
mod server;
mod service;
mod web;

use std::{collections::BTreeMap, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};
use standfast_health::{Check, Pattern};
use standfast_types::{ServiceKey, ServiceName};

use super::{Lowering, arguments::Read};
use crate::{
    source::Span,
    syntax::Statement,
    table::{Block, Keyword, Status},
};

/// What is known of pools while the file is read.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    /// All groups of the file, above and below.
    groups: BTreeMap<String, group::Group>,
    /// What each service takes: by whom, of `owners`.
    taken: FxHashMap<ServiceKey, usize>,
    /// The services so far: where each stands, and its group.
    owners: Vec<(Span, Option<String>)>,
    /// Names of the services so far.
    names: FxHashSet<ServiceName>,
    /// What can be told of a service when all of the file is read.
    late: Vec<late::Late>,
    texts: Texts,
    /// All patterns so far, and what is wrong with each.
    patterns: FxHashMap<Pattern, Option<String>>,
    /// All checks so far: many servers have the same ones.
    checks: FxHashSet<Arc<Check>>,
    process: process::Draft,
}

/// Texts that many servers share: each is kept once.
#[derive(Debug, Default)]
pub(super) struct Texts(FxHashSet<Arc<str>>);

impl Texts {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(new.clone());
        new
    }
}

impl Drafts {
    /// The same check, kept once.
    fn shared(&mut self, check: Check) -> Arc<Check> {
        if let Some(known) = self.checks.get(&check) {
            return known.clone();
        }
        let new = Arc::new(check);
        self.checks.insert(new.clone());
        new
    }
}

impl Lowering<'_> {
    /// What a line of a block came to, when it is one that has an effect.
    fn line<'s>(
        &mut self,
        block: &'static Block,
        statement: &'s Statement,
    ) -> Option<(&'static Keyword, Read<'s>)> {
        let keyword = self.known(block, statement)?;
        if keyword.status != Status::Active {
            self.announce(block, keyword, statement);
            return None;
        }
        Some((keyword, self.read(keyword, statement)))
    }
}
