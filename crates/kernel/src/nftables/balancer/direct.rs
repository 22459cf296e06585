//! Direct return: packets go on to a server as they are, to its hardware address, and its answers go past
//! this machine. No connection tracking is there to help, so rules remember where each connection goes.

use std::{collections::BTreeSet, time::Duration};

use standfast_types::{DestinationKey, Persistence};

use super::{
    chain::{CHOSEN, CLIENT, Chain, DRAWN as FLAGS, Page, anew, syn},
    key,
};
use crate::nftables::expression::{Field, Rule, SetName, Verdict, register};

/// How long connections are remembered after their last packet, as IPVS does.
const TCP: Duration = Duration::from_secs(900);
const DATAGRAMS: Duration = Duration::from_secs(300);
/// After one side has closed.
const CLOSED: Duration = Duration::from_secs(120);
/// The number of an interface.
const LINK: u32 = register(15);
const FIN_RST_SYN: u8 = 0x07;

impl Chain<'_> {
    /// Rules for every packet.
    pub(super) fn forwarding(&self, page: &mut Page<'_>) -> Vec<Rule> {
        let known = match (&self.service.scheduling.persistence, self.is_tcp()) {
            // Where its client is known, a connection need not be.
            (Some(persistence), _) => {
                let time = self.client_time(persistence);
                vec![self.known_client(Rule::new(), persistence, time)]
            }
            (None, true) => vec![self.going_on(), self.closing()],
            (None, false) => vec![self.known(self.load_flow(Rule::new()), DATAGRAMS)],
        };
        let known: Vec<_> = known.into_iter().flatten().collect();
        let mut rules: Vec<_> = known.into_iter().map(|rule| self.send_found(rule, page)).collect();
        // This machine must have the address: packets for another one may come by.
        let new = if self.is_tcp() { syn(Rule::new(), true) } else { Rule::new() };
        rules.extend(self.pick_target(new.with_our_address(FLAGS), page));
        if rules.is_empty() {
            rules.push(Rule::new().verdict(Verdict::Accept));
        }
        rules
    }

    /// The beginning of a rule for packets of a connection that is remembered. What has to be loaded is.
    fn known(&self, rule: Rule, time: Duration) -> Option<Rule> {
        let flows = self.flows();
        self.refresh(rule.find_in(SetName(&flows, None), CLIENT, CHOSEN), &flows, time)
    }

    fn going_on(&self) -> Option<Rule> {
        let rule = Rule::new().load(Field::TcpFlags, FLAGS).mask(FLAGS, &[FIN_RST_SYN]);
        let rule = self.load_flow(rule.is(FLAGS, &[0]));
        self.known(rule.none_of(SetName(&self.closed_flows(), None), CLIENT), TCP)
    }

    /// The same for what closes a connection, and what follows then.
    fn closing(&self) -> Option<Rule> {
        let rule = self.load_flow(syn(Rule::new(), false));
        let rule = self.known(rule, CLOSED)?;
        Some(rule.remember(&self.closed_flows(), CLIENT, None, CLOSED))
    }

    /// Writes down where a new connection goes.
    pub(super) fn new_flow(&self, to: &DestinationKey) -> Rule {
        let rule = self.put(self.load_flow(Rule::new()), to, CHOSEN);
        let (rule, time) = if self.is_tcp() {
            (rule.forget(&self.closed_flows(), CLIENT, None), TCP)
        } else {
            (rule, DATAGRAMS)
        };
        anew(rule, &self.flows(), time)
    }

    /// How long a client stays: as long as an idle connection may.
    pub(super) fn client_time(&self, persistence: &Persistence) -> Duration {
        persistence.timeout.max(if self.is_tcp() { TCP } else { DATAGRAMS })
    }

    /// Sends packets to what is chosen, by this interface.
    pub(super) fn send(&self, rule: Rule, link: u32) -> Rule {
        rule.put(&link.to_ne_bytes(), LINK).forward(self.family, CHOSEN, LINK)
    }

    /// Sends packets to what was found, by the interface that leads there.
    fn send_found(&self, rule: Rule, page: &mut Page<'_>) -> Rule {
        let links: BTreeSet<_> = self.service.destinations.keys().map(|to| self.link(to)).collect();
        match links.first().filter(|_| links.len() == 1) {
            Some(only) => self.send(rule, *only),
            None => {
                let rule = rule.find_in(page.interfaces(self), CHOSEN, LINK);
                rule.forward(self.family, CHOSEN, LINK)
            }
        }
    }

    fn load_flow(&self, rule: Rule) -> Rule {
        let words = key::address(self.family).length / 4;
        let port = CLIENT.saturating_add(words);
        let rule = rule.load(Field::Source(self.family), CLIENT).load(Field::SourcePort, port);
        if self.takes_all_ports() {
            rule.load(Field::DestinationPort, port.saturating_add(1))
        } else {
            rule
        }
    }
}
