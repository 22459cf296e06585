//! Blocks about interfaces by name: `interface_up_down_delays`, `garp_group`.

use std::time::Duration;

use standfast_failover::{LinkDelays, PaceGroup};

use super::{Lowering, arguments::Read};
use crate::{
    syntax::Statement,
    table::{Block, Keyword, Value},
};

impl Lowering<'_> {
    pub(super) fn link_delays(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(block) = keyword.block() else { return };
        for line in statement.statements() {
            let Some(entry) = self.known(block, line) else { continue };
            let read = self.read(entry, line);
            let mut times = read.matched.iter().filter_map(|matched| match matched.value {
                Value::Time(time) => Some(time),
                Value::Bool(_) | Value::Number(_) | Value::Address(_) | Value::Text(_) => None,
            });
            if let (Some(name), Some(down)) = (read.word(), times.next()) {
                let delays = LinkDelays { down, up: times.next().unwrap_or(down) };
                self.model.failover.link_delays.insert(name.text.as_str().into(), delays);
            }
        }
    }

    pub(super) fn garp_group(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(block) = keyword.block() else { return };
        let mut group = PaceGroup::default();
        let mut neighbour = None;
        let time = |read: &Read<'_>| read.time().map(|(time, _)| time);
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            let read = self.read(keyword, inner);
            match keyword.name {
                "garp_interval" => group.arp = time(&read).unwrap_or(group.arp),
                "gna_interval" => neighbour = time(&read).or(neighbour),
                "interface" => {
                    let name = read.word().map(|word| word.text.as_str().into());
                    group.interfaces = name.into_iter().collect();
                }
                _ => {
                    let names = keyword.block().map(|block| self.listed(block, inner));
                    group.interfaces.extend(names.into_iter().flatten());
                }
            }
        }
        group.neighbour = neighbour.unwrap_or(group.arp);
        self.model.failover.paces.push(group);
    }

    fn listed(
        &mut self,
        block: &'static Block,
        list: &Statement,
    ) -> Vec<standfast_types::InterfaceName> {
        let mut names = Vec::new();
        for line in list.statements() {
            let Some(entry) = self.known(block, line) else { continue };
            self.read(entry, line);
            names.extend(line.words.iter().map(|word| word.text.as_str().into()));
        }
        names
    }

    /// The pace of a group takes the place of what its instances have themselves.
    pub(super) fn lower_paces(&mut self) {
        let failover = &mut self.model.failover;
        for instance in &mut failover.instances {
            if failover.paces.iter().any(|group| group.interfaces.contains(&instance.interface)) {
                instance.router.announcements.gap = Duration::ZERO;
            }
        }
    }
}
