//! Lints over several nodes' files: do they agree, and does a failure move the address?

use std::collections::BTreeMap;

use standfast_failover::InstanceConfig;
use standfast_types::{Priority, Vrid};
use standfast_vrrp::{Authentication, Preempt, Transport, Version};

use super::weight::{self, Tracker};
use crate::{Code, Diagnostic, InstanceOrigin, Loaded, Span, shown};

/// One node's part in a virtual router.
#[derive(Clone, Copy)]
struct Member<'a> {
    node: usize,
    loaded: &'a Loaded,
    instance: &'a InstanceConfig,
    origin: &'a InstanceOrigin,
}

/// Compares several nodes' configurations. Each diagnostic comes with the index of the node
/// whose file it points into; its spans belong to that node's [`crate::Sources`].
///
/// Instances belong together when they have the same virtual router id and share an address,
/// a name, or nothing better is found. Refused files are left out.
#[must_use]
pub fn cross_node(nodes: &[Loaded]) -> Vec<(usize, Diagnostic)> {
    let mut found = Vec::new();
    for members in routers(nodes) {
        let Some(master) = members.iter().max_by_key(|member| member.healthy()).copied() else {
            continue;
        };
        for member in &members {
            if member.node != master.node {
                compare(*member, master, &mut found);
            }
            missing_peers(*member, &members, &mut found);
        }
        weights(master, &members, &mut found);
    }
    for (node, diagnostic) in &mut found {
        if let Some(loaded) = nodes.get(*node) {
            shown::clean([diagnostic], &loaded.sources);
        }
    }
    found
}

/// The virtual routers that more than one node takes part in.
fn routers(nodes: &[Loaded]) -> Vec<Vec<Member<'_>>> {
    let mut routers: BTreeMap<Vrid, Vec<Vec<Member<'_>>>> = BTreeMap::new();
    for (node, loaded) in nodes.iter().enumerate() {
        let instances = loaded.model.iter().flat_map(|model| &model.failover.instances);
        for instance in instances {
            let Some(origin) = loaded.origins.instances.get(&instance.name) else { continue };
            let member = Member { node, loaded, instance, origin };
            let groups = routers.entry(instance.router.vrid).or_default();
            let free = |group: &&mut Vec<Member<'_>>| group.iter().all(|other| other.node != node);
            let nearest = groups.iter_mut().filter(free).max_by_key(|group| member.nearness(group));
            match nearest {
                Some(group) => group.push(member),
                None => groups.push(vec![member]),
            }
        }
    }
    routers.into_values().flatten().filter(|members| members.len() > 1).collect()
}

impl Member<'_> {
    fn nearness(&self, group: &[Member<'_>]) -> (bool, bool) {
        let addresses = &self.instance.router.addresses;
        let shared = group
            .iter()
            .any(|other| other.instance.router.addresses.iter().any(|ip| addresses.contains(ip)));
        (shared, group.iter().any(|other| other.instance.name == self.instance.name))
    }

    /// The priority while every tracker is healthy.
    fn healthy(&self) -> Priority {
        self.instance.router.priority.weighted(weight::healthy_sum(self.instance))
    }

    fn name(&self) -> String {
        self.loaded.path.display().to_string()
    }

    fn warn(&self, code: Code, span: Option<Span>, message: String) -> (usize, Diagnostic) {
        (self.node, Diagnostic::warning(code, span.unwrap_or(self.origin.name), message))
    }
}

/// What all nodes of a virtual router must agree on.
fn compare(member: Member<'_>, master: Member<'_>, found: &mut Vec<(usize, Diagnostic)>) {
    let (own, other) = (&member.instance.router, &master.instance.router);
    let there = master.name();
    if own.version != other.version {
        let message = format!("{}, but {there} {}", speaks(own.version), speaks(other.version));
        found.push(member.warn(Code::VersionDiffers, member.origin.version, message));
    }
    if own.advert_interval != other.advert_interval {
        let seconds =
            |router: &standfast_vrrp::Config| router.advert_interval.duration().as_secs_f64();
        let dropped = match own.version {
            Version::V2 => "each drops the other's adverts",
            Version::V3 => "the backup follows the master's",
        };
        let message = format!(
            "adverts every {} s here, every {} s in {there}; {dropped}",
            seconds(own),
            seconds(other)
        );
        found.push(member.warn(Code::IntervalDiffers, member.origin.advert_interval, message));
    }
    authentication_differs(member, master, found);
    addresses_differ(member, master, found);
    transport_differs(member, master, found);
    if own.priority.is_owner() && other.priority.is_owner() {
        let message = format!("both this node and {there} claim to own the address");
        found.push(member.warn(Code::TwoOwners, member.origin.priority, message));
    } else if member.healthy() == master.healthy() {
        let message = format!(
            "priority {} here and in {there}; the higher source address wins",
            member.healthy()
        );
        found.push(member.warn(Code::SamePriority, member.origin.priority, message));
    }
}

fn speaks(version: Version) -> &'static str {
    match version {
        Version::V2 => "speaks VRRPv2",
        Version::V3 => "speaks VRRPv3",
    }
}

fn addresses_differ(member: Member<'_>, master: Member<'_>, found: &mut Vec<(usize, Diagnostic)>) {
    let (own, other) = (&member.instance.router.addresses, &master.instance.router.addresses);
    let only = |these: &[std::net::IpAddr], those: &[std::net::IpAddr]| {
        let missing = these.iter().filter(|ip| !those.contains(ip));
        missing.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let (here, there) = (only(own, other), only(other, own));
    let message = match (here.is_empty(), there.is_empty()) {
        (true, true) => return,
        (false, true) => format!("only here: {here}"),
        (true, false) => format!("only in {}: {there}", master.name()),
        (false, false) => format!("only here: {here}; only in {}: {there}", master.name()),
    };
    found.push(member.warn(Code::AddressesDiffer, member.origin.addresses, message));
}

fn authentication_differs(
    member: Member<'_>,
    master: Member<'_>,
    found: &mut Vec<(usize, Diagnostic)>,
) {
    let own = &member.instance.router.authentication;
    let other = &master.instance.router.authentication;
    let what = match (own.accepts(other), other.accepts(own), own, other) {
        (true, true, _, _) => return,
        (_, _, Authentication::Password(_), Authentication::Password(_))
        | (_, _, Authentication::Header(_), Authentication::Header(_)) => {
            "the password differs from the one in"
        }
        (_, _, Authentication::Hmac(_), Authentication::Hmac(_)) => {
            "the keys or the mode of `auth_hmac` do not fit those in"
        }
        (_, _, _, _) => "adverts are not authenticated as in",
    };
    let message = format!("{what} {}; both would be master", master.name());
    found.push(member.warn(Code::PasswordDiffers, member.origin.password, message));
}

fn transport_differs(member: Member<'_>, master: Member<'_>, found: &mut Vec<(usize, Diagnostic)>) {
    let there = master.name();
    let message = match (&member.instance.router.transport, &master.instance.router.transport) {
        (Transport::Multicast { group }, Transport::Multicast { group: other }) => {
            if group == other {
                return;
            }
            format!("group {group} here, {other} in {there}")
        }
        (Transport::Unicast { .. }, Transport::Unicast { .. }) => return,
        (Transport::Multicast { .. }, Transport::Unicast { .. }) => {
            format!("multicast here, unicast in {there}")
        }
        (Transport::Unicast { .. }, Transport::Multicast { .. }) => {
            format!("unicast here, multicast in {there}")
        }
    };
    let span = member.origin.peers.or(member.origin.group);
    found.push(member.warn(Code::TransportDiffers, span, message));
}

fn missing_peers(member: Member<'_>, members: &[Member<'_>], found: &mut Vec<(usize, Diagnostic)>) {
    let Transport::Unicast { peers, .. } = &member.instance.router.transport else { return };
    for other in members.iter().filter(|other| other.node != member.node) {
        let Some(source) = other.instance.source else { continue };
        if !peers.iter().any(|peer| peer.address == source) {
            let message = format!("{} ({source}) is not among the peers", other.name());
            let (node, warning) = member.warn(Code::PeerMissing, member.origin.peers, message);
            found.push((node, warning.hint(format!("add `{source}`"))));
        }
    }
}

/// Whether each weighted tracker of the intended master moves the address when it fails.
fn weights(master: Member<'_>, members: &[Member<'_>], found: &mut Vec<(usize, Diagnostic)>) {
    let others = || members.iter().filter(|other| other.node != master.node);
    let Some(best) = others().max_by_key(|other| other.healthy()) else { return };
    for tracker in weight::trackers(master.instance) {
        let origins = &master.loaded.origins;
        let Some(origin) = weight::origin(origins, master.instance, tracker.name) else { continue };
        let span = Some(origin.weight.unwrap_or(origin.name));
        let (healthy, failing) = weight::priorities(master.instance, &tracker);
        if failing >= best.healthy() {
            let message = never_moves(&tracker, healthy, failing, *best);
            let (node, warning) = master.warn(Code::WeightNeverMoves, span, message);
            found.push((node, warning.hint(enough(master, &tracker, *best))));
            continue;
        }
        let holds = |other: &&Member<'_>| other.instance.router.preempt == Preempt::Never;
        let takers = || others().filter(|other| other.healthy() > failing);
        if let Some(holder) = takers().find(holds)
            && takers().all(|other| holds(&other))
        {
            let message = format!(
                "`{}` lowers the priority to {failing}, but {} has `nopreempt` and waits until this node is gone",
                tracker.name,
                holder.name()
            );
            let (node, warning) = master.warn(Code::NoPreemptHolds, span, message);
            let hint = "delete the weight: without one a failure means FAULT, which lets the other node take over";
            found.push((node, warning.hint(hint)));
        }
    }
}

fn never_moves(
    tracker: &Tracker<'_>,
    healthy: Priority,
    failing: Priority,
    best: Member<'_>,
) -> String {
    let (name, weight) = (tracker.name, tracker.weight.value);
    let (peer, there) = (best.healthy(), best.name());
    if failing == peer {
        format!(
            "when `{name}` fails, {failing} ties with {peer} of {there}; a tie does not preempt"
        )
    } else {
        format!(
            "when `{name}` fails, {failing} (from {healthy}) is still above {peer} of {there}: weight {weight} never moves the address"
        )
    }
}

/// The weight that moves the address to the best of the other nodes.
fn enough(master: Member<'_>, tracker: &Tracker<'_>, best: Member<'_>) -> String {
    let base = i32::from(master.instance.router.priority.get());
    let rest = weight::healthy_sum(master.instance) - weight::effect(tracker.weight, true);
    let most = i32::from(best.healthy().get()) - base - rest - 1;
    if master.instance.router.priority.is_owner()
        || most < -253
        || best.healthy() == Priority::LOWEST
    {
        return "delete the weight: without one a failure means FAULT".to_owned();
    }
    if most >= 0 {
        return format!("write a `priority` above {} and a negative weight", best.healthy());
    }
    let round = (most - 9) / 10 * 10;
    format!("write weight {most} or lower, e.g. {}", round.max(-253))
}
