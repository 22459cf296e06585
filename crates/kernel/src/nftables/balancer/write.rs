//! The messages that lead from one state of a service to another.

use std::collections::BTreeSet;

use standfast_types::{Service, ServiceKey};

use super::{
    chain::{Chain, Links, Page, Way},
    key::ServiceMap,
    place::Element,
    table::{SERVERS, Side, entry},
};
use crate::netlink::message::Message;

impl Chain<'_> {
    /// The table in which it stands.
    pub(super) const fn side(&self) -> Side {
        match self.way {
            Way::Translated { .. } => Side::Translated,
            Way::Direct => Side::Direct,
        }
    }
}

/// A change of a service.
pub(super) struct Step<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a ServiceKey,
    pub(super) from: Option<&'a Service>,
    pub(super) to: Option<&'a Service>,
    /// By which interfaces servers of direct return were reached, and are.
    pub(super) links: [&'a Links; 2],
}

impl Step<'_> {
    pub(super) fn write(&self, number: &mut u32, batch: &mut Vec<Message>) {
        let [before, after] = self.links;
        let from = self.from.map(|service| Chain::new(self.key, service, before));
        let to = self.to.map(|service| Chain::new(self.key, service, after));
        match (from, to) {
            (Some(from), Some(to)) if from.side() != to.side() => {
                self.change(Some(&from), None, number, batch);
                self.change(None, Some(&to), number, batch);
            }
            (from, to) => self.change(from.as_ref(), to.as_ref(), number, batch),
        }
    }

    /// Within one table.
    fn change(
        &self,
        from: Option<&Chain<'_>>,
        to: Option<&Chain<'_>>,
        number: &mut u32,
        batch: &mut Vec<Message>,
    ) {
        let Some(side) = to.or(from).map(Chain::side) else { return };
        let place = &side.place(self.table);
        let map = ServiceMap::of(self.key).name();
        let before = from.map(Chain::records).unwrap_or_default();
        let after = to.map(Chain::records).unwrap_or_default();
        place.delete(SERVERS, &without(&before, &after), batch);
        place.add(SERVERS, &without(&after, &before), batch);
        match (from, to) {
            (None, Some(to)) => batch.push(place.new_chain(&to.name())),
            (Some(from), None) => {
                place.delete(map, &[entry(self.key, from.name())], batch);
                batch.push(place.delete_chain(&from.name()));
            }
            (Some(from), Some(_)) => batch.push(place.delete_rules(&from.name())),
            (None, None) => {}
        }
        let targets = |chain: Option<&Chain<'_>>| -> BTreeSet<_> {
            let chain = chain.into_iter();
            let named = chain.flat_map(|c| c.targets().into_iter().map(|to| c.target_name(to)));
            named.collect()
        };
        let (old, new) = (targets(from), targets(to));
        for target in &old {
            let stays = new.contains(target);
            batch.push(if stays { place.delete_rules(target) } else { place.delete_chain(target) });
        }
        batch.extend(new.difference(&old).map(|target| place.new_chain(target)));
        let before = from.map(Chain::memories).unwrap_or_default();
        let after = to.map(Chain::memories).unwrap_or_default();
        let gone = before.iter().filter(|memory| !after.contains(memory));
        batch.extend(gone.map(|memory| place.delete_set(&memory.name)));
        let new = after.iter().filter(|memory| !before.contains(memory));
        batch.extend(new.map(|memory| place.memory(memory)));
        if let Some(to) = to {
            to.write(&mut Page { place, number, batch });
            if from.is_none() {
                place.add(map, &[entry(self.key, to.name())], batch);
            }
        }
    }
}

/// Those of one sorted list that are not in another.
fn without(list: &[Element], other: &[Element]) -> Vec<Element> {
    list.iter().filter(|element| other.binary_search(element).is_err()).cloned().collect()
}
