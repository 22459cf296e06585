//! Firewall marks for groups of addresses and ports, so that one service of IPVS takes what comes for any of
//! them. The table is replaced as a whole: there is no moment without it.

use std::collections::BTreeMap;

use standfast_types::{Family, ServiceKey};

use super::{
    key::{self, ServiceMap},
    place::{Element, Place, Value},
    table::{Side, load_key},
};
use crate::{
    error::Error,
    nftables::{
        expression::{Rule, SetName, register},
        transaction::{INET, Nftables},
    },
};

const OPERATION: &str = "mark packets by nftables";

/// Which packets get which mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marking {
    /// The table, in the family `inet`. It is ours alone: whatever is in it goes.
    pub table: String,
    /// Of its chains; lower runs earlier.
    pub priority: i32,
    /// A mark for each address and port; a key that is a mark itself has none.
    pub marks: BTreeMap<ServiceKey, u32>,
}

impl Marking {
    /// Marks packets that come in, and those of this machine itself; without marks nothing stays behind.
    ///
    /// # Errors
    /// `Refused` when the kernel has no nftables or permission is missing.
    pub fn install(&self) -> Result<(), Error> {
        let place = Place { family: INET, table: self.table.clone() };
        // Deleting what is not there would fail.
        let mut batch = vec![place.any_table(), place.delete_table()];
        if !self.marks.is_empty() {
            batch.push(place.any_table());
            let maps: Vec<_> =
                Side::Translated.maps().filter(|map| *map != ServiceMap::Marks).collect();
            for map in &maps {
                batch.push(place.data_map(map.name(), map.key(), key::MARK));
                place.add(map.name(), &self.elements(*map), &mut batch);
            }
            for (chain, kind, hook) in [("prerouting", "filter", 0), ("output", "route", 3)] {
                batch.push(place.hooked_chain(chain, kind, hook, self.priority));
                for map in &maps {
                    let rule = load_key(Rule::new(), Side::Translated, *map);
                    let rule = rule.find_in(SetName(map.name(), None), register(0), register(0));
                    batch.push(place.rule(chain, rule.set_mark(register(0)), "standfast"));
                }
            }
        }
        Nftables::open()?.transact(OPERATION, batch)
    }

    /// Removes what [`Self::install`] made.
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self) -> Result<(), Error> {
        Self { marks: BTreeMap::new(), ..self.clone() }.install()
    }

    fn elements(&self, map: ServiceMap) -> Vec<Element> {
        let own = self.marks.iter().filter(|(key, _)| ServiceMap::of(key) == map);
        let element = |(key, mark): (&ServiceKey, &u32)| Element {
            key: key::service(key),
            value: Value::Data(mark.to_ne_bytes().to_vec()),
            comment: None,
        };
        own.map(element).collect()
    }

    /// Adds a group: its members of this family get this mark.
    pub fn add(
        &mut self,
        mark: u32,
        family: Family,
        members: impl IntoIterator<Item = ServiceKey>,
    ) {
        let members = members.into_iter().filter(|key| key.family() == family);
        self.marks.extend(members.map(|key| (key, mark)));
    }
}
