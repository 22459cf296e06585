//! Routes, rules and what is static: what the kernel says of them reaches whoever holds them.

use std::collections::BTreeSet;

use standfast_types::{Instant, InterfaceName, RoutingEntry};

use super::Brain;
use crate::instances::Slot;

impl Brain {
    pub(super) fn entry_gone(&mut self, now: Instant, entry: &RoutingEntry) {
        self.statics.entry_gone(now, entry);
        for slot in self.slots_with_routing() {
            if let Some(instance) = self.instances.at_mut(slot) {
                instance.routing.lose(now, entry);
            }
        }
    }

    pub(super) fn entry_answer(
        &mut self,
        now: Instant,
        entry: &RoutingEntry,
        refusal: Option<&str>,
    ) {
        for slot in self.slots_with_routing() {
            let Some(instance) = self.instances.at_mut(slot) else { continue };
            let news = instance.routing.answer(now, entry, refusal);
            instance.emit_routing(news, &mut self.outputs);
        }
        self.statics.entry_answer(now, entry, refusal, &mut self.outputs);
        self.evaluate_followers(now);
    }

    /// An interface changed, and perhaps what stands on it.
    pub(super) fn relink(&mut self, now: Instant, name: &InterfaceName) {
        self.statics.relink(name, &self.world, &mut self.outputs);
        for slot in self.slots_with_routing() {
            if let Some(instance) = self.instances.at_mut(slot) {
                instance.routing.relink(name, &self.world, &mut self.outputs);
            }
        }
        self.evaluate_followers(now);
    }

    pub(super) fn time_statics(&mut self, now: Instant) {
        if self.statics.next_deadline().is_some_and(|at| at <= now) {
            self.statics.handle_timeout(now, &self.world, &mut self.outputs);
            self.evaluate_followers(now);
        }
        self.end_statics();
    }

    /// What is static ends last: addresses that are still held may need it.
    pub(super) fn end_statics(&mut self) {
        if self.statics.leaves() && self.has_stopped() {
            self.statics.let_go(&mut self.outputs);
        }
    }

    /// What is static is lost or back: the instances of its `track_group` depend on it.
    fn evaluate_followers(&mut self, now: Instant) {
        let slots = self.statics.followers().filter_map(|name| self.instances.slot(name));
        let slots: BTreeSet<_> = slots.collect();
        self.evaluate_some(now, slots, &BTreeSet::new());
    }

    fn slots_with_routing(&self) -> Vec<Slot> {
        let with = |slot: &Slot| self.instances.at(*slot).is_some_and(|it| it.routing.holds_any());
        self.instances.slots().filter(with).collect()
    }
}
