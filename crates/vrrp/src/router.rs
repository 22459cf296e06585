//! The state machine (RFC 9568, section 6.4; RFC 3768, section 6.4), with keepalived's FAULT.
//!
//! ```text
//!              Start                     Recover
//!   INIT ----------------> BACKUP <-------------------- FAULT
//!     |                    |    ^                         ^
//!     | Start (owner)      |    | higher priority, tie,   | Fault
//!     |         master     |    | too late                | (from any)
//!     v         down       v    |                         |
//!     +----------------> MASTER ------------------------->+
//!                          |
//!                          | Release: priority 0, then wait for the successor
//!                          v
//!                        STOP
//! ```

mod owners;
mod seat;

use std::{collections::BTreeSet, collections::VecDeque, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use standfast_types::{AdvertInterval, Family, Instant, Priority};
use standfast_wire::vrrp::{PseudoHeader, Repr, V2, V3};

use crate::{
    Cause, ChecksumMode, Config, Counters, Datagram, Discard, Event, Input, Output, Packet,
    Preempt, Reason, Seat, StateName, Transport, Version,
    admission::{Advert, admit},
    auth::Auth,
    state::{Backup, DownTimer, Heard, Master, Releasing, State},
    timers,
};

pub(crate) use owners::Rival;
pub use seat::Takeover;

/// How long addresses stay after the successor announced them, for replies under way.
const LINGER: Duration = Duration::from_millis(10);
/// How long a successor may take from its first advert to its announcement. keepalived
/// advertises before it has added the addresses.
const SUCCESSOR_GRACE: Duration = Duration::from_millis(500);
/// A burst against a rival that has spoken during the quiet time follows this long after its last advert.
const CONFLICT_END: Duration = Duration::from_millis(100);
/// In centiseconds: what a leaving master says of its interval, where its own is longer. A backup waits for a part
/// of it, and still a millisecond longer than one whose priority is higher by one.
const FAREWELL: u16 = 25;
/// Added to the longest wait of a successor, for its own lateness.
const RELEASE_MARGIN: Duration = Duration::from_millis(100);

/// One virtual router. It holds no clock and no socket: feed it inputs, then drain its outputs.
#[derive(Clone, Debug)]
pub struct Router {
    config: Config,
    /// Effective priority: the base with all weights.
    priority: Priority,
    source: Option<IpAddr>,
    state: State,
    since: Instant,
    /// Its place in a sync group.
    seat: Option<Seat>,
    old_checksum_peers: BTreeSet<IpAddr>,
    counters: Counters,
    auth: Auth,
    outputs: VecDeque<Output>,
}

/// What can be seen of a router from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its state.
    pub state: StateName,
    /// Since when.
    pub since: Instant,
    /// Its effective priority.
    pub priority: Priority,
    /// The master that it listens to, as a backup.
    pub master: Option<IpAddr>,
    /// That master's priority; 0 without one.
    pub master_priority: u8,
    /// The interval of that master; without one, our own.
    pub master_interval: AdvertInterval,
}

impl Router {
    /// A router that waits for [`Input::Start`].
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let priority = config.priority;
        Self {
            config,
            priority,
            source: None,
            state: State::Init,
            since: now,
            seat: None,
            old_checksum_peers: BTreeSet::new(),
            counters: Counters::default(),
            auth: Auth::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Its configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What can be seen from outside.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let own = self.config.advert_interval;
        let (master, master_interval) = match &self.state {
            State::Backup(backup) => (backup.master, backup.timer.interval),
            State::Init
            | State::Master(_)
            | State::Fault
            | State::Releasing(_)
            | State::Stopped => (None, own),
        };
        Snapshot {
            state: self.state.name(),
            since: self.since,
            priority: self.priority,
            master: master.map(|heard| heard.source),
            master_priority: master.map_or(0, |heard| heard.priority),
            master_interval,
        }
    }

    /// Whether it lets go and waits for its successor.
    #[must_use]
    pub const fn is_releasing(&self) -> bool {
        matches!(self.state, State::Releasing(_))
    }

    /// The next thing to do. Call until `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        self.counters.see(&output);
        Some(output)
    }

    /// What went by since it exists, or since [`Self::clear_counters`].
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts from zero again.
    pub fn clear_counters(&mut self) {
        self.counters = Counters::default();
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Reason)> {
        match &self.state {
            State::Init | State::Fault | State::Stopped => None,
            State::Backup(backup) => {
                let down = (self.master_down_at(backup), Reason::MasterDown);
                let preempt = backup.preempt_at.map(|at| (at, Reason::Preempt));
                let first = [Some(down), preempt].into_iter().flatten().min_by_key(|&(at, _)| at);
                first.map(|(at, reason)| (at.max(backup.not_before), reason))
            }
            State::Master(master) => {
                let advert = Some((master.advert_at, Reason::Advert));
                let second = master.second_burst.map(|(at, _)| (at, Reason::SecondAnnouncement));
                let refresh = master.refresh_at.map(|at| (at, Reason::Refresh));
                let held_back = master.held_back.map(|at| (at, Reason::SecondAnnouncement));
                [advert, second, held_back, refresh].into_iter().flatten().min_by_key(|&(at, _)| at)
            }
            State::Releasing(releasing) => Some((releasing.until, Reason::HandOver)),
        }
    }

    /// Takes one input. Drain [`Self::poll_output`] before the next.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        debug_assert!(self.outputs.is_empty(), "outputs must be drained before the next input");
        self.step_down_if_late(now);
        match input {
            Input::Start if matches!(self.state, State::Init) => self.start(now, Cause::Started),
            Input::Adopt if matches!(self.state, State::Init) => self.adopt(now),
            Input::Start | Input::Adopt => {}
            Input::Datagram(datagram) => self.handle_datagram(now, datagram),
            Input::Priority(priority) => self.set_priority(now, priority),
            Input::Fault => self.fault(now),
            Input::Recover => {
                if matches!(self.state, State::Fault) {
                    self.start(now, Cause::Recovered);
                }
            }
            Input::Source(source) => self.source = Some(source),
            Input::Clock(clock) => self.auth.set_clock(clock),
            Input::Release => self.release(now),
            Input::Seat(seat) => self.seat = seat,
            Input::TakeOver => self.take_over(now),
            Input::StepDown => self.step_down(now),
            Input::HandedOver => {
                if let State::Releasing(releasing) = &mut self.state {
                    releasing.until = releasing.until.min(now + self.config.linger(LINGER));
                }
            }
        }
    }

    /// Does what is due at `now`. Calling early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        debug_assert!(self.outputs.is_empty(), "outputs must be drained before the next input");
        self.step_down_if_late(now);
        match &self.state {
            State::Init | State::Fault | State::Stopped => {}
            State::Backup(backup) => {
                let due = self.master_down_at(backup).max(backup.not_before);
                let overdue = now.saturating_since(due);
                let cause = self.takeover_cause(backup, now);
                match cause.filter(|_| backup.not_before <= now) {
                    // Not the master was silent: we were deaf. Listen for one more interval.
                    Some(_) if overdue > backup.timer.interval.duration() => self.listen_again(now),
                    Some(cause) => self.become_master(now, cause),
                    None => {}
                }
            }
            State::Master(_) => self.master_timers(now),
            State::Releasing(releasing) => {
                if releasing.until <= now {
                    self.outputs.push_back(Output::LetGo);
                    self.transition(now, State::Stopped, Cause::Stopped);
                }
            }
        }
    }

    /// Takes a new configuration without leaving the state. VRID and version must be the same.
    pub fn reconfigure(&mut self, now: Instant, config: Config) {
        debug_assert_eq!(
            (self.config.vrid, self.config.version),
            (config.vrid, config.version),
            "another virtual router is another `Router`"
        );
        // By what it had promised its peers until now.
        self.step_down_if_late(now);
        let interval = config.advert_interval;
        self.auth.retain_senders(&config.transport);
        self.old_checksum_peers.retain(|peer| config.transport.is_peer(*peer));
        if config.preempt != self.config.preempt {
            self.heed_outranked(now);
        }
        self.config = config;
        match &mut self.state {
            State::Master(master) => {
                // Peers may have been told of another interval: let them know at once.
                master.advert_at = now;
                let refresh = self.config.announcements.refresh;
                master.refresh_at = (!refresh.is_zero()).then(|| now + refresh);
                self.handle_timeout(now);
            }
            State::Backup(backup) if self.config.version == Version::V2 => {
                backup.timer.interval = interval;
            }
            State::Backup(_)
            | State::Init
            | State::Fault
            | State::Releasing(_)
            | State::Stopped => {}
        }
    }

    fn set_priority(&mut self, now: Instant, priority: Priority) {
        self.priority = priority;
        if let State::Backup(Backup { outranked: Some(outranked), .. }) = &self.state
            && outranked.priority >= priority.get()
        {
            self.heed_outranked(now);
        }
    }

    /// The living master that we were about to take over from is one like any other from now on.
    fn heed_outranked(&mut self, now: Instant) {
        let adverts = self.config.down_timer_adverts;
        if let State::Backup(backup) = &mut self.state
            && let Some(master) = backup.outranked.take()
        {
            backup.timer = DownTimer { since: now, adverts, interval: master.interval };
            backup.master = Some(master);
            backup.preempt_at = None;
        }
    }

    /// An advert of this priority, from this address: one packet for each destination. They are
    /// authenticated as one; a router that has no key to sign with sends nothing.
    pub fn adverts(&mut self, now: Instant, priority: u8, source: IpAddr) -> Vec<Packet> {
        let (destinations, ttl) = match &self.config.transport {
            Transport::Multicast { group } => (vec![*group], 255),
            Transport::Unicast { peers, ttl, .. } => {
                (peers.iter().map(|peer| peer.address).collect(), *ttl)
            }
        };
        let mut payload = Vec::new();
        let any = destinations.first().copied().unwrap_or(source);
        self.emit_advert(priority, source, any, &mut payload);
        let Some(seal) = self.auth.seal(now, &self.config, source, &payload) else {
            return Vec::new();
        };
        let packet = |destination| {
            let mut payload = Vec::new();
            self.emit_advert(priority, source, destination, &mut payload);
            let envelope = seal.close(source, destination, &mut payload)?;
            Some(Packet { destination, ttl, envelope, payload })
        };
        destinations.into_iter().filter_map(packet).collect()
    }

    /// The message for one destination, before it is sealed.
    pub fn emit_advert(
        &self,
        priority: u8,
        source: IpAddr,
        destination: IpAddr,
        out: &mut Vec<u8>,
    ) {
        let Config { vrid, .. } = self.config;
        let advert_interval = self.spoken_interval(priority);
        let addresses = &self.config.addresses;
        match self.config.version {
            Version::V2 => {
                let interval_seconds = advert_interval.whole_seconds().unwrap_or(u8::MAX);
                let authentication = self.config.authentication.fields();
                Repr::V2(V2 { vrid, priority, interval_seconds, authentication, addresses })
                    .emit(self.pseudo_header(source, destination), out);
            }
            Version::V3 => {
                let interval_centis = advert_interval.centis();
                Repr::V3(V3 { vrid, priority, interval_centis, addresses })
                    .emit(self.pseudo_header(source, destination), out);
            }
        }
    }

    /// The interval in our adverts. In the last one after yielding it is the winner's: other backups hear
    /// it too, and would wait for the winner by it. For the first of the last two when leaving, see
    /// [`Self::say_farewell`].
    fn spoken_interval(&self, priority: u8) -> AdvertInterval {
        let own = self.config.advert_interval;
        match &self.state {
            State::Backup(backup) => backup.timer.interval,
            State::Fault | State::Releasing(_) | State::Stopped if priority > 0 => {
                AdvertInterval::from_centis(FAREWELL).map_or(own, |farewell| farewell.min(own))
            }
            State::Init
            | State::Master(_)
            | State::Fault
            | State::Releasing(_)
            | State::Stopped => own,
        }
    }

    fn pseudo_header(&self, source: IpAddr, destination: IpAddr) -> PseudoHeader {
        match (self.config.family, self.config.version) {
            (Family::V4, Version::V2) => return PseudoHeader::Absent,
            // IPv6 knows no checksum without it.
            (Family::V6, _) => return PseudoHeader::Present { source, destination },
            (Family::V4, Version::V3) => {}
        }
        let old = match self.config.checksum {
            ChecksumMode::AsV2 => return PseudoHeader::Absent,
            ChecksumMode::OldUnicast => true,
            ChecksumMode::PseudoHeaderOnly => false,
            ChecksumMode::PseudoHeader => self.old_checksum_peers.contains(&destination),
        };
        let destination = if old { Transport::GROUP } else { destination };
        PseudoHeader::Present { source, destination }
    }

    fn start(&mut self, now: Instant, cause: Cause) {
        if self.priority.is_owner() && self.seat.is_none_or(|seat| seat.owners) {
            self.become_master(now, Cause::Owner);
        } else {
            self.become_backup(now, cause, self.config.down_timer_adverts);
        }
    }

    fn adopt(&mut self, now: Instant) {
        self.state = State::Master(Master::new(now, &self.config));
        self.since = now;
        self.outputs.push_back(Output::Hold);
        self.outputs.push_back(Output::Advertise { priority: self.priority.get() });
        self.outputs.push_back(Output::Event(Event::Adopted { priority: self.priority }));
    }

    fn fault(&mut self, now: Instant) {
        match self.state {
            State::Fault | State::Stopped => return,
            State::Master(_) => self.say_farewell(),
            State::Init | State::Backup(_) => {}
            State::Releasing(_) => {
                self.outputs.push_back(Output::LetGo);
                self.transition(now, State::Stopped, Cause::Stopped);
                return;
            }
        }
        if matches!(self.state, State::Master(_)) {
            self.outputs.push_back(Output::LetGo);
        }
        self.transition(now, State::Fault, Cause::Fault);
    }

    fn release(&mut self, now: Instant) {
        match self.state {
            State::Releasing(_) | State::Stopped => {}
            State::Init | State::Backup(_) | State::Fault => {
                self.transition(now, State::Stopped, Cause::Stopped);
            }
            State::Master(_) => {
                self.say_farewell();
                let slowest = timers::skew(
                    self.config.version,
                    Priority::LOWEST,
                    self.config.advert_interval,
                );
                let until = now + slowest + RELEASE_MARGIN;
                self.state = State::Releasing(Releasing { until });
                self.since = now;
            }
        }
    }

    /// Lets the next one take over.
    ///
    /// In VRRPv3 it waits (256 - priority) / 256 of the interval that it heard last (RFC 9568, section 6.4.2).
    /// So first it hears of a short one. All wait shorter by the same factor, whose program it ever is: the
    /// highest priority still goes first.
    fn say_farewell(&mut self) {
        if self.config.version == Version::V3 && self.config.advert_interval.centis() > FAREWELL {
            self.outputs.push_back(Output::Advertise { priority: self.priority.get() });
        }
        self.outputs.push_back(Output::Advertise { priority: 0 });
    }

    fn become_backup(&mut self, now: Instant, cause: Cause, adverts: u8) {
        let timer = DownTimer { since: now, adverts, interval: self.config.advert_interval };
        self.transition(now, State::Backup(Backup::new(timer)), cause);
    }

    fn become_master(&mut self, now: Instant, cause: Cause) {
        // The addresses first: whoever hears the advert and lets go must not open a gap.
        self.outputs.push_back(Output::Hold);
        self.outputs.push_back(Output::Advertise { priority: self.priority.get() });
        let repeat = self.config.announcements.master_repeat;
        self.outputs.push_back(Output::Announce { repeat });
        let mut master = Master::new(now, &self.config);
        if let Cause::Preempted { master: other, .. } = cause {
            master.taken_from = Some(other);
        }
        self.transition(now, State::Master(master), cause);
    }

    fn transition(&mut self, now: Instant, to: State, cause: Cause) {
        let from = self.state.name();
        self.state = to;
        self.since = now;
        let to = self.state.name();
        let event = Event::Transition { from, to, cause, priority: self.priority };
        self.outputs.push_back(Output::Event(event));
    }

    fn master_down_at(&self, backup: &Backup) -> Instant {
        let DownTimer { since, adverts, interval } = backup.timer;
        since + timers::master_down(self.config.version, self.priority, interval, adverts)
    }

    fn takeover_cause(&self, backup: &Backup, now: Instant) -> Option<Cause> {
        let due = self.master_down_at(backup) <= now;
        let preempt = backup.preempt_at.is_some_and(|at| at <= now);
        match backup.outranked {
            Some(Heard { source, priority, .. }) if due || preempt => {
                Some(Cause::Preempted { master: source, priority })
            }
            _ if !due => None,
            _ => Some(match (backup.master, backup.timer.adverts) {
                (Some(Heard { source, .. }), 0) => Cause::MasterReleased { master: source },
                (master, _) => Cause::MasterDown {
                    master: master.map(|heard| heard.source),
                    silence: now.saturating_since(backup.timer.since),
                },
            }),
        }
    }

    fn listen_again(&mut self, now: Instant) {
        if let State::Backup(backup) = &mut self.state {
            backup.timer = DownTimer { since: now, adverts: 1, ..backup.timer };
            backup.preempt_at = None;
        }
    }

    fn master_timers(&mut self, now: Instant) {
        let priority = self.voice(now);
        let State::Master(master) = &mut self.state else { return };
        let announcements = self.config.announcements;
        if master.advert_at <= now {
            // The next advert is counted from now, not from when this one was due: peers count so.
            master.advert_at = now + self.config.advert_interval.duration();
            self.outputs.push_back(Output::Advertise { priority });
        }
        if let Some((_, repeat)) = master.second_burst.take_if(|(at, _)| *at <= now) {
            self.outputs.push_back(Output::Announce { repeat });
        }
        if master.refresh_at.is_some_and(|at| at <= now) {
            master.refresh_at = Some(now + announcements.refresh);
            self.outputs.push_back(Output::Announce { repeat: announcements.refresh_repeat });
        }
        if master.held_back.is_some_and(|at| at <= now) {
            self.burst_against_lower(now);
        }
    }

    /// How late a master's advert may be before a peer takes over: those of a lower priority wait at least
    /// as long as we would, counted from our last advert.
    #[must_use]
    pub fn leeway(&self) -> Duration {
        let Config { version, advert_interval, down_timer_adverts, .. } = self.config;
        let hold = timers::master_down(version, self.priority, advert_interval, down_timer_adverts);
        hold.saturating_sub(advert_interval.duration())
    }

    /// A master that was silent for as long as its peers wait may have a successor: it must not say
    /// "I am master" before it has listened again.
    fn step_down_if_late(&mut self, now: Instant) {
        let State::Master(master) = &self.state else { return };
        let by = now.saturating_since(master.advert_at);
        if by > self.leeway() && !self.priority.is_owner() {
            self.outputs.push_back(Output::LetGo);
            self.become_backup(now, Cause::Late { by }, 1);
        }
    }

    fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        let admitted = admit(&self.config, self.source, datagram, &mut self.auth, now);
        self.counters.received += u64::from(!matches!(admitted, Err(Discard::Own)));
        let advert = match admitted {
            Ok(advert) => advert,
            Err(reason) => {
                let event = Event::Discarded { source: datagram.source, reason };
                self.outputs.push_back(Output::Event(event));
                return;
            }
        };
        // Only peers are answered; anybody may make up others.
        if advert.old_checksum
            && self.config.transport.is_peer(advert.source)
            && self.old_checksum_peers.insert(advert.source)
        {
            let event = Event::OldChecksumPeer { source: advert.source };
            self.outputs.push_back(Output::Event(event));
        }
        if let Some(ahead) = advert.skew {
            let event = Event::ClockDiffers { source: advert.source, ahead };
            self.outputs.push_back(Output::Event(event));
        }
        self.counters.zero_received += u64::from(advert.priority == 0);
        if self.config.owner_ignore_adverts && self.priority.is_owner() {
            return;
        }
        match self.state {
            State::Init | State::Fault | State::Stopped => {}
            State::Backup(_) => self.advert_as_backup(now, advert),
            State::Master(_) => self.advert_as_master(now, advert),
            State::Releasing(ref mut releasing) => {
                if advert.priority > 0 {
                    releasing.until =
                        releasing.until.min(now + self.config.linger(SUCCESSOR_GRACE));
                }
            }
        }
    }

    fn advert_as_backup(&mut self, now: Instant, advert: Advert) {
        let State::Backup(backup) = &mut self.state else { return };
        let Advert { source, priority, interval, .. } = advert;
        let heard = Heard { source, priority, interval };
        if priority == 0 {
            // Only the master's own good-bye counts: a loser of a split brain that leaves must not
            // make us impatient with the winner.
            let mut known = [backup.outranked, backup.master].into_iter().flatten().peekable();
            if known.peek().is_none() || known.any(|master| master.source == source) {
                backup.timer =
                    DownTimer { since: now, adverts: 0, interval: backup.timer.interval };
                backup.master = Some(heard);
                backup.outranked = None;
                backup.preempt_at = None;
            }
            return;
        }
        let lower = priority < self.priority.get();
        match self.config.preempt {
            Preempt::Always if lower => {
                backup.outranked = Some(heard);
                return;
            }
            Preempt::After(delay) if lower => {
                backup.outranked = Some(heard);
                backup.preempt_at.get_or_insert(now + delay);
            }
            Preempt::Always | Preempt::After(_) | Preempt::Never => {
                backup.outranked = None;
                backup.preempt_at = None;
            }
        }
        let adverts = self.config.down_timer_adverts;
        let news = backup.master.is_none_or(|master| master.source != source);
        let learned = interval != backup.timer.interval;
        backup.timer = DownTimer { since: now, adverts, interval };
        backup.master = Some(heard);
        self.notice_differences(advert, news, learned);
    }

    fn notice_differences(&mut self, advert: Advert, news: bool, learned: bool) {
        let Advert { source, interval, same_addresses, .. } = advert;
        let compared = news || !self.config.skip_check_adv_addr;
        self.counters.other_addresses += u64::from(compared && !same_addresses);
        if news && !same_addresses {
            self.outputs.push_back(Output::Event(Event::AddressListDiffers { source }));
        }
        if learned {
            let event = Event::IntervalLearned { source, interval };
            self.outputs.push_back(Output::Event(event));
        }
    }

    fn advert_as_master(&mut self, now: Instant, advert: Advert) {
        let Advert { source, priority, .. } = advert;
        if priority == 0 {
            self.end_contest();
            // RFC 9568, 6.4.3: whoever waits for the next master learns at once that it is here.
            self.advertise_now(now);
            // Whoever says good-bye has served: neighbours may still send to it.
            self.announce_against_lower(now);
            return;
        }
        let own = self.priority.get();
        let tie = priority == own && self.source.is_some_and(|address| source > address);
        if (priority > own || tie) && self.withstands(now) {
            return;
        }
        if priority > own || tie {
            self.yield_to(now, advert, tie);
            return;
        }
        self.note_owner(now, priority);
        if !self.config.lower_prio_no_advert {
            self.advertise_now(now);
        }
        self.announce_against_lower(now);
        let State::Master(master) = &mut self.state else { return };
        // The last advert of the one that we took over from is no news.
        if master.taken_from.take_if(|other| *other == source).is_none() {
            let event = Event::LowerPriorityHeard { source, priority };
            self.outputs.push_back(Output::Event(event));
        }
    }

    fn yield_to(&mut self, now: Instant, advert: Advert, tie: bool) {
        let Advert { source, priority, interval, .. } = advert;
        self.outputs.push_back(Output::LetGo);
        // Tells the winner that there were two of us, so that it announces the addresses again:
        // neighbours may still send to us.
        self.outputs.push_back(Output::Advertise { priority: self.priority.get() });
        let cause =
            if tie { Cause::Tie { source } } else { Cause::HigherPriority { source, priority } };
        self.become_backup(now, cause, self.config.down_timer_adverts);
        if let State::Backup(backup) = &mut self.state {
            backup.master = Some(Heard { source, priority, interval });
            backup.timer.interval = interval;
        }
    }

    fn advertise_now(&mut self, now: Instant) {
        if let State::Master(master) = &mut self.state {
            master.advert_at = now + self.config.advert_interval.duration();
        }
        let priority = self.voice(now);
        self.outputs.push_back(Output::Advertise { priority });
    }

    fn announce_against_lower(&mut self, now: Instant) {
        let State::Master(master) = &mut self.state else { return };
        if now < master.quiet_until {
            // Neighbours may have heard the rival since our last burst: it must not be the last word.
            master.held_back = Some(master.quiet_until.min(now + CONFLICT_END));
        } else {
            self.burst_against_lower(now);
        }
    }

    fn burst_against_lower(&mut self, now: Instant) {
        let announcements = self.config.announcements;
        let repeat = announcements.lower_prio_repeat;
        let State::Master(master) = &mut self.state else { return };
        master.held_back = None;
        if repeat == 0 {
            return;
        }
        master.quiet_until = now + self.config.advert_interval.duration();
        if !announcements.lower_prio_delay.is_zero() {
            master.second_burst = Some((now + announcements.lower_prio_delay, repeat));
        }
        self.outputs.push_back(Output::Announce { repeat });
    }
}

#[cfg(test)]
mod tests;
