//! Groups whose packets nftables marks, so that one service takes them all (`nftables_ipvs`).

use std::{collections::BTreeMap, path::Path};

use standfast_conf::Marks;
use standfast_kernel::{Error, namespace::NetNs, nftables::balancer::marks::Marking};

/// What is marked at the moment.
#[derive(Debug)]
pub(super) struct Marker {
    /// The network namespace that balances, as a file, when it is another one.
    namespace: Option<String>,
    installed: Option<Marking>,
}

impl Marker {
    pub(super) const fn new(namespace: Option<String>) -> Self {
        Self { namespace, installed: None }
    }

    /// Marks these groups, and no others.
    pub(super) fn set(&mut self, wanted: Option<&Marks>) -> Result<(), Error> {
        let wanted = wanted.map(marking);
        if wanted == self.installed {
            return Ok(());
        }
        let before = self.installed.take();
        if let Some(before) = before
            .filter(|before| wanted.as_ref().is_none_or(|wanted| wanted.table != before.table))
        {
            self.inside(|| before.remove())?;
        }
        if let Some(wanted) = &wanted {
            self.inside(|| wanted.install())?;
        }
        self.installed = wanted;
        Ok(())
    }

    fn inside(&self, work: impl FnOnce() -> Result<(), Error> + Send) -> Result<(), Error> {
        match &self.namespace {
            Some(path) => NetNs::at(Path::new(path))?.run(work)?,
            None => work(),
        }
    }
}

fn marking(marks: &Marks) -> Marking {
    let Marks { table, priority, groups } = marks;
    let mut marking = Marking { table: table.clone(), priority: *priority, marks: BTreeMap::new() };
    for group in groups {
        marking.add(group.mark, group.family, group.members.iter().copied());
    }
    marking
}
