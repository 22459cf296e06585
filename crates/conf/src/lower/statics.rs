//! `static_ipaddress`, `static_routes`, `static_rules`, and `track_group`.

use std::collections::BTreeMap;

use standfast_failover::Static;
use standfast_types::{InstanceName, RoutingEntry, VirtualAddress};

use super::Lowering;
use crate::{
    syntax::{Statement, Word},
    table::Keyword,
};

/// What is static, while the file is read: the instances of a `track_group` come with its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drafts {
    addresses: Vec<(VirtualAddress, Option<Word>)>,
    routes: Vec<(RoutingEntry, Option<Word>)>,
    rules: Vec<(RoutingEntry, Option<Word>)>,
    groups: BTreeMap<String, Vec<InstanceName>>,
}

impl Lowering<'_> {
    /// One of the three blocks. They may stand more than once.
    pub(super) fn statics(&mut self, keyword: &'static Keyword, statement: &Statement) {
        match keyword.name {
            "static_routes" => {
                let lines = self.routes(keyword, statement);
                self.statics.routes.extend(lines);
            }
            "static_rules" => {
                let lines = self.rules(keyword, statement);
                self.statics.rules.extend(lines);
            }
            _ => {
                let lines = self.static_addresses(keyword, statement);
                self.statics.addresses.extend(lines);
            }
        }
    }

    pub(super) fn track_group(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        let Some(block) = keyword.block() else { return };
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            if let Some(block) = keyword.block() {
                let members = self.members(block, inner);
                // A second group of the name is said by a lint, and ignored.
                self.statics.groups.entry(name.text.to_string()).or_insert(members);
            }
        }
    }

    /// Puts what is static into the model. What is wrong with groups is said by a lint.
    pub(super) fn lower_statics(&mut self) {
        let Drafts { addresses, routes, rules, groups } = std::mem::take(&mut self.statics);
        let defined = &self.origins.instances;
        let followers = |group: Option<Word>| -> Vec<InstanceName> {
            let members = group.and_then(|group| groups.get(group.text.as_str()));
            let members = members.into_iter().flatten();
            members.filter(|name| defined.contains_key(*name)).cloned().collect()
        };
        let statics = &mut self.model.failover.statics;
        let addresses = addresses.into_iter();
        statics.addresses =
            addresses.map(|(what, group)| Static { what, followers: followers(group) }).collect();
        let routing = routes.into_iter().chain(rules);
        statics.routing =
            routing.map(|(what, group)| Static { what, followers: followers(group) }).collect();
    }
}
