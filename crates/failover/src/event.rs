//! What the world tells the brain, what the brain wants done, and what happened.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{
    BfdName, Family, FileName, GroupName, IfIndex, InstanceName, InterfaceName, MacAddress, Prefix,
    Priority, ProcessName, RoutingEntry, ScriptName, VirtualAddress, Vrid, WallClock,
};
use standfast_vrrp::{Datagram, Envelope, StateName};

use crate::{
    BfdEvent, BfdInput, BfdOutput, Evidence, Firewall, OwnLinkKind, ProcessInput, ReceiveBuffer,
    RoutingEvent, StaticEvent,
};

/// What the world tells the brain.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A VRRP message arrived on an interface.
    Datagram {
        /// The interface.
        index: IfIndex,
        /// The message.
        datagram: Datagram<'a>,
    },
    /// An interface appeared or changed.
    Link {
        /// Its index.
        index: IfIndex,
        /// Its name.
        name: InterfaceName,
        /// Administratively up, and with carrier.
        running: bool,
    },
    /// An interface is gone, and its addresses with it.
    LinkGone {
        /// Its index.
        index: IfIndex,
    },
    /// An [`Output::CreateLink`] was done, or found such an interface of a former life.
    LinkMade {
        /// Its name, as it was asked for.
        name: InterfaceName,
        /// Its index.
        index: IfIndex,
    },
    /// An [`Output::CreateLink`] could not be done.
    LinkRefused {
        /// The name that was asked for.
        name: InterfaceName,
        /// What the kernel said.
        error: String,
        /// Whether another interface has the name.
        taken: bool,
    },
    /// An address is on an interface.
    Address {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: IpAddr,
        /// Whether it carries our tag.
        ours: bool,
    },
    /// An address was removed from an interface, by whomever.
    AddressGone {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: IpAddr,
    },
    /// The kernel refused to install an address.
    AddressRefused {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: IpAddr,
        /// What the kernel said.
        error: String,
        /// Whether it would refuse it again: another machine shall serve then.
        lasting: bool,
    },
    /// A route or rule of ours was removed, by whomever.
    EntryGone {
        /// Which.
        entry: RoutingEntry,
    },
    /// The kernel refused a route or rule, or has one that it had refused.
    EntryAnswer {
        /// Which.
        entry: RoutingEntry,
        /// What it said; nothing when it has it.
        refusal: Option<String>,
    },
    /// Whether an [`Output::Listen`] was done.
    Listening {
        /// The interface.
        index: IfIndex,
        /// The protocol.
        family: Family,
        /// Whether adverts can be heard on it.
        success: bool,
    },
    /// A script ended, or was ended because it took too long (a failure).
    Script {
        /// Which.
        name: ScriptName,
        /// Whether it exited with 0.
        success: bool,
    },
    /// Another machine announced an address, by gratuitous ARP or an unsolicited neighbour
    /// advertisement.
    Announced {
        /// The interface on which it was heard.
        index: IfIndex,
        /// The address.
        address: IpAddr,
        /// Where the address is, as it says.
        mac: MacAddress,
    },
    /// Another machine has an address too, says its answer to our [`Output::Ask`].
    Answered {
        /// The interface on which it was heard.
        index: IfIndex,
        /// The address.
        address: IpAddr,
        /// Who answered.
        mac: MacAddress,
    },
    /// About processes that are followed.
    Process(ProcessInput),
    /// The number in a file that is followed. A file of which nothing was said counts as 0.
    File {
        /// Which.
        name: FileName,
        /// The number.
        value: i64,
    },
    /// About BFD.
    Bfd(BfdInput<'a>),
    /// Randomness for what others shall not guess; before the start.
    Seed(u64),
    /// What the machine's clock says, for authentication. To be told before the start, and whenever
    /// the clock was set.
    Clock(WallClock),
    /// Let go of everything, make before break, and stop.
    Release,
}

/// What the brain wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Receive VRRP on an interface over one protocol, for these ids and groups only; replaces what
    /// was there.
    Listen {
        /// The interface.
        index: IfIndex,
        /// The protocol.
        family: Family,
        /// Its name.
        name: InterfaceName,
        /// Virtual router ids.
        vrids: Vec<Vrid>,
        /// Those of them that are heard behind IPsec authentication headers as well.
        protected: Vec<Vrid>,
        /// Multicast groups.
        groups: Vec<IpAddr>,
        /// Room for what has arrived.
        room: ReceiveBuffer,
    },
    /// Stop receiving on an interface over one protocol.
    Unlisten {
        /// The interface.
        index: IfIndex,
        /// The protocol.
        family: Family,
    },
    /// Send a VRRP message.
    Send {
        /// The interface.
        index: IfIndex,
        /// Source address.
        source: IpAddr,
        /// Destination address.
        destination: IpAddr,
        /// Time to live, or hop limit.
        ttl: u8,
        /// What stands between the IP header and the message.
        envelope: Envelope,
        /// What follows the IP header.
        payload: Vec<u8>,
    },
    /// Make an interface, down, or find it.
    CreateLink {
        /// Its name.
        name: InterfaceName,
        /// The interface to make it on.
        parent: IfIndex,
        /// What it is.
        kind: OwnLinkKind,
        /// The link group to make it a member of.
        group: Option<u32>,
    },
    /// Remove an interface that [`Self::CreateLink`] made.
    RemoveLink {
        /// Its index.
        index: IfIndex,
    },
    /// Switch an interface on.
    LinkUp {
        /// Its index.
        index: IfIndex,
    },
    /// Switch an interface off.
    LinkDown {
        /// Its index.
        index: IfIndex,
    },
    /// Drop packets for these addresses, in place of those of before.
    Block {
        /// Where the rules stand.
        firewall: Firewall,
        /// The addresses, each with its interface.
        addresses: BTreeSet<(IpAddr, InterfaceName)>,
    },
    /// Install an address, or renew its lease.
    AddAddress {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: VirtualAddress,
        /// After this long without a renewal the kernel removes it, in seconds.
        lease_seconds: u32,
    },
    /// Remove an address.
    RemoveAddress {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: VirtualAddress,
    },
    /// Install a route or a rule; no error when it is there.
    AddEntry {
        /// Which.
        entry: RoutingEntry,
    },
    /// Remove a route or a rule.
    RemoveEntry {
        /// Which.
        entry: RoutingEntry,
    },
    /// Send one gratuitous ARP, or one unsolicited neighbour advertisement.
    Announce {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: IpAddr,
    },
    /// For BFD.
    Bfd(BfdOutput),
    /// Ask who else has an address (an ARP probe, RFC 5227, or a solicitation as for duplicate address
    /// detection).
    Ask {
        /// The interface.
        index: IfIndex,
        /// The address.
        address: IpAddr,
    },
    /// Something happened.
    Emit(Event),
}

/// Something that happened: the single source of log lines, notifications and metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// To an instance.
    Instance {
        /// Which.
        name: InstanceName,
        /// What.
        kind: InstanceEvent,
    },
    /// To something static.
    Static(StaticEvent),
    /// A script's state changed.
    Script {
        /// Which.
        name: ScriptName,
        /// Whether it counts as up now.
        up: bool,
    },
    /// Whether as many processes run as shall, after a change of that.
    Process {
        /// Which.
        name: ProcessName,
        /// Whether it is right now.
        up: bool,
        /// How many run.
        count: u32,
    },
    /// The number in a file changed.
    File {
        /// Which.
        name: FileName,
        /// The number.
        value: i64,
    },
    /// An advert arrived for a virtual router that no instance here is. Told of once for each
    /// interface, source and id (`log_unknown_vrids`).
    UnknownVrid {
        /// Where it arrived.
        interface: InterfaceName,
        /// The id in it.
        vrid: u8,
        /// Who sent it.
        source: IpAddr,
    },
    /// In BFD.
    Bfd(BfdEvent),
    /// The members of a sync group changed together. Comes behind their own events.
    Group {
        /// Which.
        name: GroupName,
        /// Before.
        from: StateName,
        /// After.
        to: StateName,
        /// The member that changed first.
        leader: InstanceName,
    },
}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceEvent {
    /// In its election. With the reasons for FAULT at that moment.
    Election {
        /// What.
        event: standfast_vrrp::Event,
        /// Why it cannot take part; empty when it can.
        faults: Vec<Fault>,
    },
    /// The trackers changed its priority.
    Priority {
        /// Before.
        from: Priority,
        /// After.
        to: Priority,
    },
    /// The reasons for FAULT changed, and it stays in FAULT.
    Faults(Vec<Fault>),
    /// Somebody removed an address that it holds; it is back.
    AddressRestored {
        /// The address.
        address: Prefix,
        /// How often this happened since it became master.
        count: u32,
        /// Its lease had ended: nobody removed it, we were too late to renew it.
        expired: bool,
    },
    /// The kernel refused an address.
    AddressRefused {
        /// The address.
        address: IpAddr,
        /// What the kernel said.
        error: String,
    },
    /// Another machine answers for an address that this one holds.
    AddressContested {
        /// The address.
        address: IpAddr,
        /// The other machine.
        mac: MacAddress,
        /// How it was noticed.
        evidence: Evidence,
    },
    /// It does no longer; the address has been announced again.
    AddressUncontested {
        /// The address.
        address: IpAddr,
        /// The other machine.
        mac: MacAddress,
        /// From its first to its last answer.
        lasted: Duration,
    },
    /// The interface for an address does not exist.
    AddressWithoutInterface {
        /// The address.
        address: Prefix,
        /// The interface.
        interface: InterfaceName,
    },
    /// Something happened to one of its routes and rules.
    Routing(RoutingEvent),
    /// Somebody removed an interface that was made for it; it is back.
    LinkRestored {
        /// The interface.
        interface: InterfaceName,
    },
    /// A reload removed the instance.
    Deleted,
}

/// Why an instance cannot take part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fault {
    /// Its interface does not exist.
    InterfaceMissing(InterfaceName),
    /// Its interface is down or has no carrier.
    InterfaceDown(InterfaceName),
    /// The kernel lets us receive nothing on its interface; a master must hear its rivals.
    CannotListen(InterfaceName),
    /// The interface of one of its addresses does not exist, or is down.
    AddressInterface(InterfaceName),
    /// The interface of one of its routes or rules does not exist, or is down.
    RouteInterface(InterfaceName),
    /// Its interface has no address to send from: over IPv6 a link-local one.
    NoSource(InterfaceName),
    /// The configured source address is not on this machine.
    SourceMissing(IpAddr),
    /// A static address, route or rule that it depends on is lost (`track_group`): in words.
    Static(String),
    /// A tracked interface is down, without carrier, or missing.
    TrackedInterface(InterfaceName),
    /// A tracked script without weight fails.
    Script(ScriptName),
    /// The kernel refuses an address of the instance.
    AddressRefused(IpAddr),
    /// A tracked BFD session without weight is down.
    Bfd(BfdName),
    /// A tracked BFD session without weight has just begun.
    BfdPending(BfdName),
    /// A tracked script without weight has not ended for the first time yet.
    ScriptPending(ScriptName),
    /// The number in a tracked file means FAULT.
    File(FileName),
    /// Of a tracked process without weight there are too few or too many.
    Process(ProcessName),
    /// A tracked process without weight was not counted yet.
    ProcessPending(ProcessName),
    /// This member of its sync group cannot take part.
    Member(InstanceName),
    /// This member of its sync group waits for something that is not known yet.
    MemberPending(InstanceName),
    /// An interface of its own is being made.
    LinkPending(InterfaceName),
    /// An interface of its own can't be made.
    LinkRefused {
        /// The interface.
        interface: InterfaceName,
        /// What the kernel said.
        error: String,
    },
}

impl Fault {
    /// Whether it only waits for something that is not known yet.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::ScriptPending(_)
                | Self::BfdPending(_)
                | Self::MemberPending(_)
                | Self::LinkPending(_)
                | Self::ProcessPending(_)
        )
    }
}
