//! The tree and the model side by side: blocks with the words in them, and what they came to.

use std::net::IpAddr;

use standfast_failover::InstanceConfig;
use standfast_types::Prefix;

pub(super) use super::tree::is;
use crate::{Diagnostic, InstanceOrigin, Model, Origins, Span, Statement, Word};

/// Further places that a finding names.
const PLACES_MAX: usize = 3;

/// A checked configuration.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) tree: &'a [Statement],
    pub(super) model: &'a Model,
    pub(super) origins: &'a Origins,
    /// All commands of the file.
    pub(super) commands: &'a [Word],
    /// The instances of the model, in the order of the file.
    pub(super) instances: &'a [Instance<'a>],
}

/// An instance that would run.
pub(super) struct Instance<'a> {
    pub(super) block: &'a Statement,
    pub(super) config: &'a InstanceConfig,
    pub(super) origin: &'a InstanceOrigin,
}

impl<'a> View<'a> {
    /// The blocks of a keyword at the top level.
    pub(super) fn blocks(self, keyword: &'static str) -> impl Iterator<Item = &'a Statement> {
        self.tree.iter().filter(move |statement| is(statement, keyword))
    }

    /// What stands in `global_defs`.
    pub(super) fn globals(self, keyword: &'static str) -> impl Iterator<Item = &'a Statement> {
        self.blocks("global_defs").flat_map(move |block| inside(block, keyword))
    }
}

/// The instances of the model, in the order of the file.
pub(super) fn instances<'a>(
    tree: &'a [Statement],
    model: &'a Model,
    origins: &'a Origins,
) -> Vec<Instance<'a>> {
    // Both are in the order of the file; what can't run is only in the tree.
    let mut configs = model.failover.instances.iter().peekable();
    let instance = |block: &'a Statement| {
        let name = block.parameters().first()?;
        let origin = origins.instances.get(name.text.as_str())?;
        // A second block of the same name is skipped.
        let first = origin.name == name.span;
        let config = configs.next_if(|config| first && name.text == *config.name.as_str())?;
        Some(Instance { block, config, origin })
    };
    tree.iter().filter(|block| is(block, "vrrp_instance")).filter_map(instance).collect()
}

impl<'a> Instance<'a> {
    /// The word of its interface.
    pub(super) fn interface(&self) -> Span {
        last(self.block, "interface").map_or(self.origin.name, |word| word.span)
    }

    /// Where a virtual address is listed.
    pub(super) fn place(&self, address: IpAddr) -> Option<Span> {
        let listed = |line: &&Statement| {
            let prefix = line.keyword().and_then(|word| word.text.parse::<Prefix>().ok());
            prefix.is_some_and(|prefix| prefix.address() == address)
        };
        addresses(self.block).find(listed)?.keyword().map(|word| word.span)
    }
}

/// The lines of an instance's virtual addresses.
pub(super) fn addresses(instance: &Statement) -> impl Iterator<Item = &Statement> {
    ["virtual_ipaddress", "virtual_ipaddress_excluded"]
        .into_iter()
        .flat_map(move |keyword| inside(instance, keyword))
        .flat_map(Statement::statements)
}

/// The statements of a keyword in a block.
pub(super) fn inside<'a>(
    block: &'a Statement,
    keyword: &'static str,
) -> impl Iterator<Item = &'a Statement> {
    block.statements().iter().filter(move |statement| is(statement, keyword))
}

/// The value of a keyword in a block: the last one counts.
pub(super) fn last<'a>(block: &'a Statement, keyword: &'static str) -> Option<&'a Word> {
    inside(block, keyword).last()?.parameters().first()
}

/// The same mistake in several places is one finding.
pub(super) fn also_at(found: Diagnostic, others: &[Span]) -> Diagnostic {
    let named = others.iter().take(PLACES_MAX);
    let found = named.fold(found, |found, span| found.also(*span, "here too"));
    match others.len().checked_sub(PLACES_MAX) {
        None | Some(0) => found,
        Some(more) => {
            let message = format!("{} (and in {more} more places)", found.message);
            Diagnostic { message, ..found }
        }
    }
}
