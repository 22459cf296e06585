//! Which notify commands run when: in order, one at a time an instance, and the last state always gets there.

mod servers;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use standfast_conf::{Command, Deleted, Notify};
use standfast_failover::{Event, InstanceEvent};
use standfast_kernel::process::Pid;
use standfast_types::{Instant, Priority};
use standfast_vrrp::{Event as Election, StateName};

use crate::{
    limit::{Overdue, Running},
    news::{News, Subject},
    status::{Board, Status},
};

/// A command may run for as long as it likes while nothing waits behind it; then for this long.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a running command may go on when the daemon stops.
const HURRY: Duration = Duration::from_secs(1);
/// Changes that wait behind a running command. Beyond it the oldest are dropped: only the newest matter.
const WAITING: usize = 8;

/// The commands of one change, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    commands: VecDeque<Command>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Change>,
    running: Option<Running>,
}

/// The queues of all instances and sync groups.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    config: BTreeMap<Subject, Notify>,
    /// Of instances that a reload removed, until their last event.
    removed: BTreeMap<Subject, Notify>,
    servers: servers::Servers,
    queues: BTreeMap<Subject, Queue>,
}

impl Notifications {
    pub(crate) fn reconfigure(&mut self, config: BTreeMap<Subject, Notify>) {
        let old = std::mem::replace(&mut self.config, config);
        let gone = |name: &Subject| match name {
            Subject::Instance(_) => !self.config.contains_key(name),
            Subject::Group(_) | Subject::Service(_) | Subject::Server(..) => false,
        };
        let removed = old.into_iter().filter(|(name, _)| gone(name));
        self.removed.extend(removed);
    }

    /// Queues what an event calls for. How many older changes were dropped for it, and what is told of it.
    pub(crate) fn handle_event(
        &mut self,
        now: Instant,
        event: &Event,
        board: &Board,
    ) -> (usize, Option<News>) {
        let (subject, found) = match event {
            Event::Instance { name, kind } => {
                let subject = Subject::Instance(name.clone());
                let found = self.of_instance(&subject, kind, board.status(name));
                (subject, found)
            }
            Event::Group { name, to, .. } => {
                let subject = Subject::Group(name.clone());
                let notify = self.config.get(&subject).cloned();
                (subject, notify.map(|notify| (Told::of_state(&notify, *to, 0), notify)))
            }
            Event::Script { .. }
            | Event::Process { .. }
            | Event::File { .. }
            | Event::UnknownVrid { .. }
            | Event::Bfd(_)
            | Event::Static(_) => return (0, None),
        };
        let Some((told, notify)) = found else { return (0, None) };
        let Told { word, priority, .. } = told;
        let news = News { subject, word, priority };
        let commands = told.commands(&notify, &news);
        (self.queue(now, &news.subject, commands), Some(news))
    }

    fn of_instance(
        &mut self,
        subject: &Subject,
        kind: &InstanceEvent,
        status: Option<&Status>,
    ) -> Option<(Told, Notify)> {
        if matches!(kind, InstanceEvent::Deleted) {
            let notify = self.removed.remove(subject)?;
            return Some((Told::farewell(&notify), notify));
        }
        // What a removed instance does on its way out is told by `Deleted`.
        let notify = self.config.get(subject)?;
        Some((Told::of(notify, kind, status?)?, notify.clone()))
    }

    fn queue(&mut self, now: Instant, name: &Subject, commands: VecDeque<Command>) -> usize {
        if commands.is_empty() {
            return 0;
        }
        let queue = self.queues.entry(name.clone()).or_default();
        queue.waiting.push_back(Change { commands });
        let dropped = queue.waiting.len().saturating_sub(WAITING);
        queue.waiting.drain(..dropped);
        if let Some(running) = &mut queue.running {
            running.limit((running.since + LIMIT).max(now));
        }
        dropped
    }

    /// The next command of every queue that has nothing running; tell [`Self::started`] when it runs.
    pub(crate) fn ready(&mut self) -> Vec<(Subject, Command)> {
        let mut ready = Vec::new();
        for (name, queue) in &mut self.queues {
            if queue.running.is_some() {
                continue;
            }
            while let Some(change) = queue.waiting.front_mut() {
                if let Some(command) = change.commands.pop_front() {
                    ready.push((name.clone(), command));
                    break;
                }
                queue.waiting.pop_front();
            }
        }
        ready
    }

    pub(crate) fn started(&mut self, now: Instant, name: &Subject, pid: Pid) {
        if let Some(queue) = self.queues.get_mut(name) {
            let mut running = Running::new(pid, now);
            let more = queue.waiting.iter().any(|change| !change.commands.is_empty());
            if more {
                running.limit(now + LIMIT);
            }
            queue.running = Some(running);
        }
    }

    /// The daemon stops: what runs has a moment to end, so that the last state gets there.
    pub(crate) fn hurry(&mut self, now: Instant) {
        for running in self.queues.values_mut().filter_map(|queue| queue.running.as_mut()) {
            running.limit(now + HURRY);
        }
    }

    /// A process ended; whose command it was.
    pub(crate) fn ended(&mut self, pid: Pid) -> Option<Subject> {
        let mut queues = self.queues.iter_mut();
        let (name, queue) = queues
            .find(|(_, queue)| queue.running.as_ref().is_some_and(|running| running.pid == pid))?;
        queue.running = None;
        Some(name.clone())
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let running = self.queues.values().filter_map(|queue| queue.running.as_ref());
        running.filter_map(Running::next_deadline).min()
    }

    /// The processes that exceed their limit at `now`.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<(Subject, Pid, Overdue)> {
        let check = |(name, queue): (&Subject, &mut Queue)| {
            let running = queue.running.as_mut()?;
            Some((name.clone(), running.pid, running.overdue(now)?))
        };
        self.queues.iter_mut().filter_map(check).collect()
    }

    /// Whether nothing runs and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.queues.values().all(|queue| {
            queue.running.is_none() && queue.waiting.iter().all(|change| change.commands.is_empty())
        })
    }
}

/// What an event is to those who are told.
#[derive(Clone, Debug)]
struct Told {
    specific: Option<Command>,
    word: &'static str,
    priority: u8,
    /// Whether the generic command is told too.
    generic: bool,
}

impl Told {
    fn of(notify: &Notify, kind: &InstanceEvent, status: &Status) -> Option<Self> {
        match kind {
            InstanceEvent::Election { event, .. } => Self::of_election(notify, event, status),
            InstanceEvent::Priority { to, .. } if notify.priority_changes => {
                let word = match status.state {
                    StateName::Master => "MASTER_PRIORITY",
                    StateName::Backup => "BACKUP_PRIORITY",
                    StateName::Init | StateName::Fault | StateName::Stop => return None,
                };
                Some(Self { specific: None, word, priority: to.get(), generic: false })
            }
            InstanceEvent::Priority { .. }
            | InstanceEvent::Faults(_)
            | InstanceEvent::AddressRestored { .. }
            | InstanceEvent::AddressRefused { .. }
            | InstanceEvent::AddressContested { .. }
            | InstanceEvent::AddressUncontested { .. }
            | InstanceEvent::AddressWithoutInterface { .. }
            | InstanceEvent::Routing(_)
            | InstanceEvent::LinkRestored { .. }
            | InstanceEvent::Deleted => None,
        }
    }

    fn of_election(notify: &Notify, event: &Election, status: &Status) -> Option<Self> {
        match event {
            Election::Transition { to, priority, .. } => {
                Some(Self::of_state(notify, *to, priority.get()))
            }
            // keepalived sends this only to those who ask for it by name.
            Election::LowerPriorityHeard { .. } => Some(Self {
                specific: notify.master_rx_lower_pri.clone(),
                word: "MASTER_RX_LOWER_PRI",
                priority: status.priority.map_or(0, Priority::get),
                generic: false,
            }),
            Election::Adopted { .. }
            | Election::AddressListDiffers { .. }
            | Election::IntervalLearned { .. }
            | Election::OldChecksumPeer { .. }
            | Election::ClockDiffers { .. }
            | Election::Discarded { .. } => None,
        }
    }

    fn of_state(notify: &Notify, to: StateName, priority: u8) -> Self {
        let specific = match to {
            StateName::Master => &notify.master,
            StateName::Backup => &notify.backup,
            StateName::Fault => &notify.fault,
            StateName::Stop => &notify.stop,
            StateName::Init => &None,
        };
        Self { specific: specific.clone(), word: to.as_str(), priority, generic: true }
    }

    /// Of an instance that a reload removed: FAULT, or DELETED with `notify_deleted`.
    fn farewell(notify: &Notify) -> Self {
        let (specific, word) = match &notify.deleted {
            Deleted::AsFault => (notify.fault.clone(), "FAULT"),
            Deleted::AsDeleted(command) => (command.clone(), "DELETED"),
        };
        Self { specific, word, priority: 0, generic: true }
    }

    /// The specific command first, then the generic one with keepalived's four arguments.
    fn commands(self, notify: &Notify, news: &News) -> VecDeque<Command> {
        let generic = notify.any.clone().filter(|_| self.generic).map(|mut command| {
            command.argv.extend(news.arguments());
            command
        });
        self.specific.into_iter().chain(generic).collect()
    }
}

#[cfg(test)]
mod tests {
    use standfast_vrrp::Cause;

    use super::*;

    const SEVEN: Pid = Pid::INIT;

    fn subject() -> Subject {
        Subject::Instance("V".into())
    }

    fn command(path: &str) -> Command {
        Command { argv: vec![path.to_owned()], user: None }
    }

    fn notifications() -> Notifications {
        let notify = Notify {
            master: Some(command("/master")),
            any: Some(command("/any")),
            ..Notify::default()
        };
        let mut notifications = Notifications::default();
        notifications.reconfigure(BTreeMap::from([(subject(), notify)]));
        notifications
    }

    fn transition(to: StateName) -> Event {
        let (from, cause) = (StateName::Init, Cause::Started);
        let priority = Priority::new(100).expect("not zero");
        let event = Election::Transition { from, to, cause, priority };
        Event::Instance {
            name: "V".into(),
            kind: InstanceEvent::Election { event, faults: Vec::new() },
        }
    }

    /// As the supervisor does it: the board first.
    fn tell(notifications: &mut Notifications, event: &Event) -> (usize, Option<News>) {
        let mut board = Board::default();
        board.handle_event(event, "");
        notifications.handle_event(Instant::ZERO, event, &board)
    }

    #[test]
    fn the_specific_command_comes_before_the_generic_one_with_its_four_arguments() {
        let mut notifications = notifications();
        tell(&mut notifications, &transition(StateName::Master));
        assert_eq!(notifications.ready(), [(subject(), command("/master"))]);
        notifications.started(Instant::ZERO, &subject(), SEVEN);
        assert_eq!(notifications.ready(), [], "one at a time");
        notifications.ended(SEVEN);
        let argv = ["/any", "INSTANCE", "V", "MASTER", "100"].map(str::to_owned).to_vec();
        assert_eq!(notifications.ready(), [(subject(), Command { argv, user: None })]);
        assert!(notifications.is_idle());
    }

    #[test]
    fn a_command_that_hangs_is_ended_only_when_something_waits_behind_it() {
        let mut notifications = notifications();
        tell(&mut notifications, &transition(StateName::Backup));
        notifications.ready();
        notifications.started(Instant::ZERO, &subject(), SEVEN);
        assert_eq!(notifications.next_deadline(), None);
        tell(&mut notifications, &transition(StateName::Backup));
        let limit = Instant::ZERO + LIMIT;
        assert_eq!(notifications.overdue(limit), [(subject(), SEVEN, Overdue::Terminate)]);
    }

    #[test]
    fn a_removed_instance_reports_fault_or_deleted_as_it_was_told() {
        for (deleted, word) in [(Deleted::AsFault, "FAULT"), (Deleted::AsDeleted(None), "DELETED")]
        {
            let notify = Notify { any: Some(command("/any")), deleted, ..Notify::default() };
            let mut notifications = Notifications::default();
            notifications.reconfigure(BTreeMap::from([(subject(), notify)]));
            notifications.reconfigure(BTreeMap::new());
            tell(&mut notifications, &transition(StateName::Fault));
            let deleted = Event::Instance { name: "V".into(), kind: InstanceEvent::Deleted };
            tell(&mut notifications, &deleted);
            let ready = notifications.ready();
            assert_eq!(ready.len(), 1);
            assert_eq!(ready[0].1.argv[3], word);
            assert!(notifications.is_idle());
        }
    }

    #[test]
    fn a_flapping_instance_drops_old_changes_and_never_the_last() {
        let mut notifications = notifications();
        let mut dropped = 0;
        for round in 0..100 {
            let to = if round % 2 == 0 { StateName::Backup } else { StateName::Fault };
            dropped += tell(&mut notifications, &transition(to)).0;
        }
        dropped += tell(&mut notifications, &transition(StateName::Stop)).0;
        let mut last = None;
        while let Some((_, command)) = notifications.ready().pop() {
            last = Some(command);
        }
        assert_eq!(dropped, 101 - WAITING);
        let word = last.and_then(|command| command.argv.get(3).cloned());
        assert_eq!(word.as_deref(), Some("STOP"));
    }

    #[test]
    fn a_group_is_told_with_its_name_and_priority_0() {
        let group = Subject::Group("G".into());
        let notify = Notify { any: Some(command("/any")), ..Notify::default() };
        let mut notifications = Notifications::default();
        notifications.reconfigure(BTreeMap::from([(group.clone(), notify)]));
        let (from, to) = (StateName::Backup, StateName::Master);
        let event = Event::Group { name: "G".into(), from, to, leader: "V".into() };
        let (_, news) = tell(&mut notifications, &event);
        assert_eq!(news.expect("told").line(), "GROUP \"G\" MASTER 0\n");
        let argv = ["/any", "GROUP", "G", "MASTER", "0"].map(str::to_owned).to_vec();
        assert_eq!(notifications.ready(), [(group, Command { argv, user: None })]);
    }
}
