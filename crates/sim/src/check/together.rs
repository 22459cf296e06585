//! Members of a sync group are master together or not at all, after every input.
//!
//! Only a machine that was told to stop is excused: each of its members waits for its own successor.

use standfast_vrrp::StateName;

use crate::trace::Happening;

#[derive(Debug)]
pub(crate) struct Together {
    /// The lead of each instance: its own number where it is in no group.
    leads: Vec<usize>,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    masters: Vec<bool>,
    awake: bool,
    stops: bool,
    changed: bool,
}

impl Together {
    pub(crate) fn new(machines: usize, leads: &[usize]) -> Self {
        let masters = vec![false; leads.len()];
        let node = Node { masters, awake: false, stops: false, changed: false };
        Self { leads: leads.to_vec(), nodes: vec![node; machines] }
    }

    pub(crate) fn observe(&mut self, machine: usize, what: &Happening) -> Option<String> {
        let node = self.nodes.get_mut(machine)?;
        match *what {
            Happening::Started { .. } => {
                node.masters.fill(false);
                node.awake = true;
                node.stops = false;
            }
            Happening::Crashed | Happening::Paused => node.awake = false,
            Happening::Woke { .. } => node.awake = true,
            Happening::Released => node.stops = true,
            Happening::State { instance, to } => {
                *node.masters.get_mut(instance)? = to == StateName::Master;
                node.changed = true;
            }
            Happening::Settled if node.changed => {
                node.changed = false;
                return node.settle(&self.leads);
            }
            Happening::Settled
            | Happening::Configured(_)
            | Happening::Priority { .. }
            | Happening::Sent { .. }
            | Happening::Lost { .. }
            | Happening::Added(_)
            | Happening::Gone(_)
            | Happening::Announced(_)
            | Happening::Said(_)
            | Happening::Befell(_) => {}
        }
        None
    }
}

impl Node {
    fn settle(&self, leads: &[usize]) -> Option<String> {
        if !self.awake || self.stops {
            return None;
        }
        let mut alone = (0..).zip(leads).zip(&self.masters);
        let ((instance, lead), _) =
            alone.find(|((_, lead), master)| self.masters.get(**lead) != Some(*master))?;
        let is = self.masters.get(*lead).copied().unwrap_or(false);
        Some(format!("V{instance} is in a group with V{lead}, whose MASTER is {is}, and differs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(leads: &[usize], happenings: &[Happening]) -> bool {
        let mut together = Together::new(1, leads);
        let started = Happening::Started { adopting: false };
        let all = [&started].into_iter().chain(happenings).chain([&Happening::Settled]);
        all.filter_map(|what| together.observe(0, what)).next().is_some()
    }

    #[test]
    fn members_that_settle_apart_are_noticed_and_others_are_free() {
        let to = |instance, to| Happening::State { instance, to };
        let one = [to(0, StateName::Master), to(1, StateName::Backup)];
        assert!(broken(&[0, 0], &one));
        assert!(!broken(&[0, 1], &one));
        assert!(!broken(&[0, 0], &[to(1, StateName::Master), to(0, StateName::Master)]));
        assert!(!broken(&[0, 0], &[Happening::Released, to(0, StateName::Stop)]));
        assert!(!broken(&[0, 0], &[to(0, StateName::Fault), to(1, StateName::Fault)]));
    }
}
