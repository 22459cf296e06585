//! The kinds of mistakes, one code each.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($code:ident = $number:literal, $summary:literal;)*) => {
        /// A kind of mistake. Prints as `SF0201`; the number never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {$(
            #[doc = $summary]
            $code,
        )*}

        impl Code {
            /// All codes, by number.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// Its number.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {$(Self::$code => $number,)*}
            }

            /// What the mistake is, in a sentence or two.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {$(Self::$code => $summary,)*}
            }

            /// The source of its page, which [`crate::pages`] renders.
            #[must_use]
            pub const fn page_source(self) -> &'static str {
                match self {$(
                    Self::$code => include_str!(concat!("../diagnostics/SF0", $number, ".md")),
                )*}
            }
        }
    };
}

codes! {
    UnclosedBlock = 101, "A block has no closing brace. It is taken to end where a keyword of an enclosing block follows, or at the end of the file.";
    ExtraBrace = 102, "A closing brace closes nothing, or closes a block before its last line.";
    UnexpectedBlock = 103, "A brace opens a block where no keyword takes one. The block is skipped with everything in it.";
    UnbalancedQuote = 104, "A quote is opened and not closed on the same line. keepalived drops the word, and crashes on some keywords.";
    LongLine = 105, "The line is longer than 1023 bytes. keepalived skips such a line; it is accepted here up to 64 KiB.";
    NulByte = 106, "The line holds a NUL byte and is skipped, as keepalived skips it.";
    NotUtf8 = 107, "The file holds bytes that are no UTF-8. They are kept as replacement characters.";
    ByteOrderMark = 108, "The file starts with a byte order mark, which is skipped. keepalived takes it for part of the first keyword.";
    CommentInWord = 109, "A `#` or `!` inside a word begins a comment: the rest of the line is lost. Quote the word or write `${_HASH}` or `${_BANG}`.";
    BadReference = 110, "A `$NAME` or `${NAME}` that nothing defines stays as it is written.";
    BadDirective = 111, "A definition, condition or ~SEQ/~LST line is malformed and skipped.";
    Limit = 112, "A limit is reached (include depth 32, block depth 64, size of an expansion). What lies beyond is skipped.";
    Unreadable = 113, "A file cannot be read.";
    IncludeMissing = 114, "No file matches an include.";
    IncludeCycle = 115, "A file includes itself, directly or through others.";
    MissingBlock = 116, "A keyword that opens a block has none, or its opening brace is missing.";
    UnknownKeyword = 201, "The word is no keyword. It is skipped together with its block.";
    WrongBlock = 202, "The keyword exists, but belongs in another block. It is skipped here.";
    NotActive = 203, "The keyword is known and accepted; what it asks for is not active in this version.";
    NoEffect = 204, "The keyword or value is accepted and does nothing.";
    MissingParameter = 205, "A keyword has no value. keepalived refuses the whole file.";
    BadValue = 206, "The value is not of the kind that the keyword takes; it is ignored.";
    OutOfRange = 207, "The value is outside the keyword's range.";
    SurplusWords = 208, "Words after the value do nothing.";
    DuplicateName = 209, "A second definition of the same name is skipped.";
    Deprecated = 210, "The keyword is an older spelling of another one.";
    DefinedTooLate = 211, "A default or tracker is defined after its use, where it has no effect.";
    Placeholder = 212, "A placeholder of a template seems to be left in.";
    UnknownOption = 213, "The word is no option of the line that it stands in; it is ignored.";
    SetTwice = 214, "A keyword that takes one value stands more than once in a block, with different values. All but one of them are lost.";
    OwnWord = 215, "Standfast knows the word and keepalived does not: it would skip what stands there.";
    BadState = 301, "`state` knows MASTER and BACKUP; anything else means BACKUP.";
    NoPreemptAsMaster = 302, "`nopreempt` and `preempt_delay` have no effect with `state MASTER`.";
    AddressOwner = 303, "Priority 255 means that the address belongs to this machine: it takes the address at once, and no tracker's weight changes its priority.";
    PasswordCut = 304, "VRRP carries eight bytes of password; the rest is cut off.";
    AuthenticationWithVersion3 = 305, "VRRPv3 has no authentication of this kind, and VRRP over IPv6 no AH; the block is ignored.";
    AuthenticationIncomplete = 307, "Authentication needs a known type and a password; without them adverts are not authenticated.";
    VridMissing = 308, "An instance needs a virtual_router_id of 1 to 255; it is left out.";
    VridReused = 309, "Two instances use one virtual_router_id on one interface. keepalived refuses the file when they share a multicast group.";
    AddressTwice = 310, "An address is listed twice.";
    GroupNotMulticast = 311, "The address is no multicast group; the default group stays in use.";
    AdvertInterval = 312, "The advert interval is out of its version's range or was rounded. VRRPv2 carries whole seconds 1 to 255, VRRPv3 0.01 to 40.95 s.";
    InterfaceMissing = 313, "An instance needs an interface that is not the loopback; it is left out.";
    LinkLocalFirst = 314, "The first address of an IPv6 instance should be link-local (RFC 9568, section 5.2.9).";
    AddressMissing = 315, "The instance has no virtual address.";
    BadAddress = 316, "The text is no address, or none that fits there; the line is ignored.";
    PeerIsSelf = 317, "A unicast peer is the instance's own source address.";
    PeersMissing = 318, "An instance with words for unicast has no peers; it uses multicast instead.";
    SourceMoves = 320, "The source address is a virtual address: all nodes would send from the same one.";
    PeerMoves = 321, "A unicast peer is a virtual address. Adverts for it reach whoever holds it, which may be the sender.";
    PeerUnheard = 322, "`min_ttl` is above `max_ttl`, so every advert of the peer is discarded.";
    StrictMode = 323, "Strict mode does not allow the keyword, so it is ignored.";
    HmacKey = 324, "A key of `auth_hmac` is defined twice, or there is none to sign with: then the instance is left out.";
    OwnMac = 325, "An interface of `use_vmac` or `use_ipvlan` cannot be made as it is asked for.";
    RoutingName = 340, "A routing table, protocol, scope, realm or the like is called by a name that no file of iproute2 has; the line is left out.";
    RoutingLine = 341, "A route or rule lacks what the kernel needs, or mixes address families; the line is left out.";
    HmacKeyFile = 350, "No key can be read from the file of a key of `auth_hmac`; the key is left out.";
    HmacKeyShared = 351, "Others than its owner may use the file of a key of `auth_hmac`.";
    ScriptUnused = 401, "No instance tracks the script.";
    ScriptUndefined = 402, "The tracked script is not defined, so it is not tracked.";
    ScriptMissing = 403, "The script does not exist.";
    ScriptNotExecutable = 404, "The script is not executable.";
    ScriptWritable = 405, "Others than root can change the script, which runs as root or with the script user's rights.";
    ScriptSecurityOff = 406, "Scripts run without enable_script_security.";
    Typography = 407, "A typographic dash, quote or full-width character stands where the shell needs the plain one.";
    UnquotedArguments = 408, "Only the first word of a command without quotes counts.";
    WeightRange = 409, "What the weight of a tracker can and cannot do.";
    OwnInterface = 410, "An instance lists its own interface in track_interface, which is ignored: unless it says dont_track_primary, it goes to FAULT with that interface anyway.";
    CommandMissing = 411, "A vrrp_script has no command; it is left out.";
    ShellSyntax = 412, "The command is run without a shell, so shell syntax in it is passed on as plain arguments.";
    TimeoutBeyondInterval = 413, "The timeout is longer than the interval: while a run takes that long, the next ones are skipped.";
    SlowScript = 414, "The script's state changes only after more than ten minutes.";
    TimeoutZero = 415, "A timeout of 0 means the interval; keepalived before 2.3 uses 1 s.";
    ScriptAsRoot = 416, "Without script_user, scripts run as the user keepalived_script, or as root where that user is missing. keepalived with enable_script_security does not run them then.";
    ScriptPath = 417, "A command without a path is looked for in the folders of PATH; a relative path depends on where the daemon was started.";
    ScriptSleeps = 418, "The script sleeps longer than it may run, or longer than its interval.";
    UserUnknown = 419, "The machine that was checked has no such user or group. What would run as it does not run. An error with --on-this-host.";
    TrackerUndefined = 430, "No track_file, vrrp_track_process or bfd_instance of that name is defined above, so nothing is tracked.";
    TrackerUnused = 431, "Nothing follows the track_file, vrrp_track_process or bfd_instance.";
    TrackerIncomplete = 432, "A tracker lacks what it would look at: `file`, `process` or `neighbor_ip`.";
    MemberUndefined = 433, "A group lists an instance that no vrrp_instance defines.";
    MemberTwice = 434, "An instance is listed by more than one sync group, or twice by one. keepalived ignores the later group.";
    GroupTooSmall = 435, "A sync group of one instance, or of none, holds nothing together.";
    MembersStartApart = 436, "Members of one sync group start in different states. Unless all own their addresses, a sync group starts as BACKUP.";
    NeighborUnfit = 437, "A BFD session needs a neighbour that is another machine, reached from an address of the same family, and each neighbour can have one session.";
    SyncDaemonInstance = 438, "lvs_sync_daemon follows an instance that no vrrp_instance defines.";
    TrackGroupUndefined = 439, "A static address, route or rule refers to a track_group that is not defined above it.";
    RuleIncomplete = 440, "A policy rule lacks an action, so it is ignored, or a preference, so its place is arbitrary.";
    GroupWeight = 441, "A member of a sync group has a weighted tracker, which could set the members' elections against each other. It is dropped unless the group says sync_group_tracking_weight.";
    ServiceOnOwnAddress = 501, "The service's address is this machine's own and does not move.";
    DirectRoutingPort = 502, "Direct routing cannot change ports; real servers get packets on the service's port.";
    PeerIsServer = 503, "A unicast peer is a real server. Peers are the other directors; a real server that runs no VRRP ignores the adverts.";
    ForwardingMethod = 504, "The forwarding method is NAT, DR or TUN, in capitals.";
    Scheduler = 505, "IPVS has no scheduler of that name; the default, wlc, is used.";
    ServersMissing = 506, "A virtual_server has no real servers. keepalived ignores it.";
    ServiceTwice = 507, "Two virtual servers are the same service to IPVS: same address, port and protocol, same mark or same group.";
    ServerTwice = 508, "A virtual server lists a real server twice. keepalived removes the second.";
    ProtocolMissing = 509, "A virtual server without `protocol` balances UDP.";
    SchedulerMissing = 510, "A virtual server without `lb_algo` uses wlc.";
    ForwardingMissing = 511, "A virtual server without `lb_kind` uses NAT.";
    ServicePortMissing = 512, "A virtual server without port, or with port 0, serves all ports, which IPVS can do only with persistence.";
    SorryIsServer = 513, "The sorry server is one of the real servers, so it is down when it is needed.";
    SorryPort = 514, "The sorry server's port is not the one that its packets arrive on.";
    QuorumTooHigh = 515, "The quorum is above the sum of the real servers' weights. It is lowered to that sum.";
    HysteresisTooHigh = 516, "The hysteresis must be below the quorum.";
    WeightsZero = 517, "All real servers have weight 0, so no new connection is served.";
    ServerFamily = 518, "A real server is of another address family than its service. Only TUN can do that; keepalived skips the server.";
    PacketScheduling = 519, "`ops` schedules single packets, which works for UDP only.";
    SchedulerFlag = 520, "A flag of the schedulers sh and mh stands without its `lb_algo` above it. keepalived ignores it.";
    TunnelOption = 521, "Options of a tunnel do not fit the forwarding method or the kind of tunnel.";
    PersistenceMissing = 522, "The keyword refines `persistence_timeout`, which is not set.";
    MarkNeedsNoMore = 523, "A service by firewall mark has no protocol and no ports; they are ignored.";
    ServerGroupUndefined = 524, "A virtual server refers to a virtual_server_group that is not defined.";
    ServerGroupUnused = 525, "No virtual server refers to the virtual_server_group.";
    ServerGroupEmpty = 526, "A virtual_server_group has no entries. keepalived removes it.";
    CheckMissing = 527, "A real server has no check: it gets traffic whether it works or not.";
    AlphaWithoutCheck = 528, "`alpha` waits for a check to succeed, and the real server has none.";
    Thresholds = 529, "`lthreshold` must be below `uthreshold`.";
    CheckPort = 530, "A check has no port to connect to, so it always fails.";
    CheckIncomplete = 531, "A check lacks what it would look at. keepalived ignores it, or crashes.";
    RegexOption = 533, "What is said about the pattern cannot take effect.";
    CheckOutlastsLoop = 534, "A check may take longer than the time between two checks, so a failure is found later than `delay_loop` promises.";
    SlowDetection = 535, "With these timeouts and retries it takes more than ten minutes until a dead server gets no more traffic.";
    CheckTwice = 536, "A real server has the same check twice.";
    FixedSourcePort = 537, "A TCP check with a fixed source port fails while its last connection lingers in the kernel.";
    LinkLocalCheck = 538, "A link-local address is reached only through a named interface.";
    CheckFamily = 539, "The source address of a check is of another family than its target. keepalived skips it.";
    ServerNameMissing = 540, "`enable_sni` has no host name to send.";
    ReplyLength = 541, "No answer can have the demanded length, or no answer is demanded.";
    OddDigits = 542, "Two hexadecimal digits make a byte; one is left over.";
    DomainName = 543, "DNS names are at most 253 bytes of labels of 1 to 63 bytes.";
    ActiveOn = 544, "A service shall be active where an instance is master, and there is no such instance.";
    WeightIgnored = 545, "Real servers have different weights, and the scheduler heeds none.";
    Granularity = 546, "The granularity of an IPv4 service is a number; keepalived takes only masks for what they seem to be.";
    PlaneCannot = 547, "The file asks for nftables, and for what only IPVS can do.";
    ServerIsService = 548, "A real server has an address that moves between the directors: connections come back to the director.";
    PatternEscape = 549, "A backslash of a pattern is taken away before the pattern is read.";
    BadPattern = 550, "The pattern of a page cannot be searched for, so only its status counts.";
    WeightNeverMoves = 601, "A failing tracker cannot move the address to another node.";
    NoPreemptHolds = 602, "The other node never takes over from a living master, so a lowered priority cannot move the address.";
    IntervalDiffers = 603, "Nodes of one virtual router advertise at different intervals. VRRPv2 drops such adverts.";
    PasswordDiffers = 604, "Nodes of one virtual router use different passwords or keys, or authenticate in different ways, and drop each other's adverts.";
    VersionDiffers = 605, "Nodes of one virtual router speak different versions and drop each other's adverts.";
    AddressesDiffer = 606, "Nodes of one virtual router hold different addresses.";
    TransportDiffers = 607, "Nodes of one virtual router do not hear each other: one uses multicast and the other unicast, or another group.";
    PeerMissing = 608, "A node of the virtual router is not among this node's unicast peers.";
    SamePriority = 609, "Nodes of one virtual router have the same priority; the higher source address wins.";
    TwoOwners = 610, "More than one node claims to own the address (priority 255).";
    InterfaceAbsent = 701, "The machine that was checked has no such interface. Until it appears, an instance on it is in FAULT, a tracker of it fails, and addresses on it are not installed. An error with --on-this-host.";
    InterfaceDown = 702, "The interface is switched off; the instance is in FAULT until it is up.";
    NoMulticast = 703, "The interface carries no multicast, as tunnels often do not; the instance needs unicast peers. An error with --on-this-host.";
    SourceAbsent = 704, "The source address is not on this machine: unicast adverts of the peers do not arrive, and others may be dropped for their source. An error with --on-this-host.";
    OutsideSubnets = 705, "The virtual address is in no subnet of its interface. Neighbours do not ask for it by ARP, so it is reached only by a route to this node.";
    OwnAddress = 706, "The virtual address is a permanent address of this machine, which answers for it even as backup.";
    NotOwner = 707, "Priority 255 says that the address belongs to this machine, which does not have it.";
    SourceUnsaid = 708, "A unicast instance names no source, and its interface has several addresses; the first one is used.";
    AlertWithoutMailbox = 801, "Mail is asked for (smtp_alert), but there is nobody to send it to: notification_email is missing.";
    AlertWithoutServer = 802, "Mail is asked for (smtp_alert), but smtp_server is missing; no mail is ever sent.";
    BadMailbox = 803, "The mail address is no `user@domain`.";
    BadMailServer = 804, "The mail server is no address, a template's placeholder or a name that exists nowhere.";
    NoMailbox = 805, "notification_email lists no address; keepalived complains, and no mail is ever sent.";
    FifoTwice = 806, "Two keywords name the same FIFO; a reader would get every line twice.";
    FifoMissing = 807, "A command shall read a FIFO that the file does not name.";
    SecretReadable = 810, "Everybody on this machine can read a password in the file.";
    NothingToDo = 811, "The file is empty, or has scripts and no instance that could track them.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SF{:04}", self.number())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Nothing has this code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode {
    /// Codes that look like it.
    pub similar: Vec<Code>,
}

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no such code")?;
        for (at, code) in self.similar.iter().enumerate() {
            write!(f, "{}{code}", if at == 0 { "; similar: " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownCode {}

/// Reads `SF0201`, `sf201` and `201`.
impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        const SIMILAR_MAX: usize = 5;
        let folded = text.trim().to_ascii_uppercase();
        let digits = folded.strip_prefix("SF").unwrap_or(&folded);
        let number = digits.parse::<u16>().ok();
        if let Some(code) = Self::ALL.iter().find(|code| Some(code.number()) == number) {
            return Ok(*code);
        }
        let wanted: String = format!("SF{digits:0>4}").chars().take(8).collect();
        let mut similar: Vec<_> = Self::ALL
            .iter()
            .map(|code| (strsim::damerau_levenshtein(&wanted, &code.to_string()), *code))
            .filter(|(distance, _)| *distance <= 2)
            .collect();
        similar.sort();
        similar.truncate(SIMILAR_MAX);
        Err(UnknownCode { similar: similar.into_iter().map(|(_, code)| code).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ascend() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.number() < b.number()));
        assert_eq!(Code::UnknownKeyword.to_string(), "SF0201");
    }

    #[test]
    fn a_code_is_read_in_every_spelling() {
        for text in ["SF0201", "sf0201", "201", "0201", " sf201 "] {
            assert_eq!(text.parse(), Ok(Code::UnknownKeyword));
        }
    }

    #[test]
    fn an_unknown_code_names_similar_ones() {
        let error = "SF0299".parse::<Code>().expect_err("nothing has it");
        assert!(!error.similar.is_empty() && error.similar.len() <= 5);
        assert!(error.to_string().starts_with("there is no such code; similar: SF02"), "{error}");
        let nonsense = "keepalived".parse::<Code>().expect_err("no code");
        assert_eq!(nonsense.to_string(), "there is no such code");
    }
}
