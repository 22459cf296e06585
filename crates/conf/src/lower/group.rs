//! `vrrp_sync_group`. Its members may stand anywhere in the file, so it is resolved at the end.

use std::collections::BTreeSet;

use standfast_failover::{GroupConfig, TrackFile, Weight};
use standfast_types::{FileName, GroupName, InstanceName};

use super::{Lowering, tracker};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    model::Notify,
    source::Span,
    syntax::Statement,
    table::{Block, Keyword, Status},
};

/// A `vrrp_sync_group` that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    name: GroupName,
    members: Vec<InstanceName>,
    trackers: tracker::Drafts,
    keeps_weights: bool,
    priority_changes: Option<bool>,
    notify: Notify,
}

impl Lowering<'_> {
    pub(super) fn sync_group(&mut self, keyword: &'static Keyword, statement: &Statement) {
        let Some(name) = self.block_name(keyword, statement) else { return };
        let Some(block) = keyword.block() else { return };
        let mut draft = Draft {
            name: name.text.as_str().into(),
            members: Vec::new(),
            trackers: tracker::Drafts::default(),
            keeps_weights: false,
            priority_changes: None,
            notify: Notify { mail: self.mail.alert(), ..Notify::default() },
        };
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            if keyword.status == Status::Active {
                self.group_keyword(&mut draft, keyword, inner);
            } else {
                self.announce(block, keyword, inner);
            }
        }
        // That it is there already is said by a lint.
        if self.groups.iter().all(|known| known.name != draft.name) {
            self.groups.push(draft);
        }
    }

    fn group_keyword(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        statement: &Statement,
    ) {
        match keyword.name {
            "group" => {
                if let Some(block) = keyword.block() {
                    draft.members.extend(self.members(block, statement));
                }
            }
            "sync_group_tracking_weight" => draft.keeps_weights = true,
            "notify_priority_changes" => {
                draft.priority_changes = self.read(keyword, statement).flag();
            }
            "smtp_alert" => {
                let mail = &mut draft.notify.mail;
                *mail = self.read(keyword, statement).flag().unwrap_or(*mail);
            }
            name if name.starts_with("track_") => {
                self.track(&mut draft.trackers, keyword, statement);
            }
            name => {
                self.read(keyword, statement);
                self.instance_notify(&mut draft.notify, name, statement);
            }
        }
    }

    /// The instances of `group`: all words of its lines.
    pub(super) fn members(&mut self, block: &'static Block, list: &Statement) -> Vec<InstanceName> {
        let mut members = Vec::new();
        for line in list.statements() {
            let Some(entry) = self.known(block, line) else { continue };
            self.read(entry, line);
            members.extend(line.words.iter().map(|word| InstanceName::from(word.text.as_str())));
        }
        members
    }

    /// Puts the groups into the model. What is wrong with members is said by a lint.
    pub(super) fn lower_groups(&mut self) {
        let mut taken = BTreeSet::new();
        for draft in std::mem::take(&mut self.groups) {
            let defined = |name: &InstanceName| self.origins.instances.contains_key(name);
            let members: Vec<_> = draft.members.into_iter().filter(defined).collect();
            let unique: BTreeSet<_> = members.iter().cloned().collect();
            let twice = unique.len() < members.len() || !unique.is_disjoint(&taken);
            if members.is_empty() || twice {
                continue;
            }
            taken.extend(unique);
            if let Some(changes) = draft.priority_changes {
                for member in &members {
                    self.notify.entry(member.clone()).or_default().priority_changes |= changes;
                }
            }
            if !draft.keeps_weights {
                self.drop_weights(&members);
            }
            if draft.notify != Notify::default() {
                self.model.group_notify.insert(draft.name.clone(), draft.notify);
            }
            let trackers = draft.trackers.trackers();
            self.model.failover.groups.push(GroupConfig { name: draft.name, members, trackers });
        }
    }

    /// Weights of one member's trackers would let the elections of the members contradict each other.
    fn drop_weights(&mut self, members: &[InstanceName]) {
        let mut dropped = Vec::new();
        for instance in &mut self.model.failover.instances {
            let Some(origin) = self.origins.instances.get(&instance.name) else { continue };
            if !members.contains(&instance.name) {
                continue;
            }
            let weighted = |weight: Weight| weight.value != 0;
            let trackers = &mut instance.trackers;
            for track in trackers.interfaces.iter_mut().filter(|track| weighted(track.weight)) {
                track.weight = Weight::default();
                let span = origin.track_interfaces.get(&track.interface).map(|at| at.name);
                dropped.push((span, track.interface.to_string(), "leads to FAULT instead"));
            }
            for track in trackers.scripts.extract_if(.., |track| weighted(track.weight)) {
                let span = origin.track_scripts.get(&track.script).map(|at| at.name);
                dropped.push((span, track.script.to_string(), "is not tracked"));
            }
            for track in trackers.processes.extract_if(.., |track| weighted(track.weight)) {
                let span = origin.track_processes.get(&track.process).map(|at| at.name);
                dropped.push((span, track.process.to_string(), "is not tracked"));
            }
            for track in trackers.sessions.extract_if(.., |track| weighted(track.weight)) {
                let span = origin.track_bfd.get(&track.session).map(|at| at.name);
                dropped.push((span, track.session.to_string(), "is not tracked"));
            }
            let given = |file: &FileName| {
                origin.track_files.get(file).is_some_and(|at| at.weight.is_some())
            };
            let own = |track: &mut TrackFile| weighted(track.weight) && given(&track.file);
            for track in trackers.files.extract_if(.., own) {
                let span = origin.track_files.get(&track.file).map(|at| at.name);
                dropped.push((span, track.file.to_string(), "is not tracked"));
            }
            for track in trackers.files.iter_mut().filter(|track| weighted(track.weight)) {
                track.weight = Weight::default();
                let span = origin.track_files.get(&track.file).map(|at| at.name);
                dropped.push((
                    span,
                    track.file.to_string(),
                    "leads to FAULT with any number but 0",
                ));
            }
        }
        for (span, name, instead) in dropped {
            self.diagnostics.extend(span.map(|span| group_weight(span, &name, instead)));
        }
    }
}

fn group_weight(span: Span, name: &str, instead: &str) -> Diagnostic {
    let message = format!("`{name}` has a weight in a member of a sync group; it {instead}");
    Diagnostic::warning(Code::GroupWeight, span, message)
        .hint("track it in the sync group, write weight 0, or `sync_group_tracking_weight` in the group")
        .class(Class::Error)
}
