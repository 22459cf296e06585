//! Who is told of a virtual or real server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use standfast_balance::{Endpoint, Event};
use standfast_conf::{Command, Pool, ServerNotify, ServiceNotify};
use standfast_types::{Instant, ServiceName};

use super::Notifications;
use crate::news::{News, Subject};

/// What the configuration says of it.
#[derive(Debug, Default)]
pub(super) struct Servers {
    config: BTreeMap<ServiceName, ServiceNotify>,
    /// Of servers that the last reload took out: that they go is told as they were told to.
    gone: BTreeMap<ServiceName, ServiceNotify>,
}

impl Servers {
    fn service(&self, name: &ServiceName) -> Option<&ServiceNotify> {
        self.config.get(name).or_else(|| self.gone.get(name))
    }

    fn server(&self, service: &ServiceName, endpoint: &Endpoint) -> Option<&ServerNotify> {
        let places = [&self.config, &self.gone].into_iter();
        places.filter_map(|notify| notify.get(service)?.servers.get(endpoint)).next()
    }

    fn reconfigure(&mut self, pool: &Pool) {
        let old = std::mem::replace(&mut self.config, pool.notify.clone());
        let services = pool.balance.services.iter();
        let now: BTreeMap<_, BTreeSet<_>> = services
            .map(|one| (&one.name, one.servers.iter().map(|server| &server.endpoint).collect()))
            .collect();
        let gone = old.into_iter().map(|(name, mut notify)| {
            if let Some(servers) = now.get(&name) {
                notify.servers.retain(|endpoint, _| !servers.contains(endpoint));
                (notify.quorum_up, notify.quorum_down, notify.mail) = (None, None, false);
            }
            (name, notify)
        });
        self.gone = gone.collect();
    }
}

/// What an event of the pool calls for.
#[derive(Debug)]
pub(crate) struct Told {
    /// For FIFOs.
    pub(crate) news: News,
    /// Whether it is mailed.
    pub(crate) mail: bool,
    /// Older changes that were dropped for it.
    pub(crate) dropped: usize,
}

impl Notifications {
    /// Takes what another configuration says of servers.
    pub(crate) fn reconfigure_servers(&mut self, pool: &Pool) {
        self.servers.reconfigure(pool);
    }

    /// What a mail says of a check that did not decide; `None` when none is wanted.
    pub(crate) fn of_check(&self, event: &Event) -> Option<News> {
        let Event::Check { check, endpoint, transport, up, decides: false, .. } = event else {
            return None;
        };
        let server = &check.server;
        self.servers.server(&server.service, endpoint).filter(|notify| notify.mail)?;
        let word = if *up { "UP" } else { "DOWN" };
        Some(News { subject: Subject::Server(server.clone(), *transport), word, priority: 0 })
    }

    /// Queues what an event of the pool calls for.
    pub(crate) fn handle_pool_event(&mut self, now: Instant, event: &Event) -> Option<Told> {
        let (subject, up, command, mail) = match event {
            Event::Server { server, endpoint, transport, up, .. } => {
                let notify = self.servers.server(&server.service, endpoint);
                let command = notify.and_then(|notify| pick(*up, &notify.up, &notify.down));
                let mail = notify.is_some_and(|notify| notify.mail);
                (Subject::Server(server.clone(), *transport), *up, command, mail)
            }
            Event::Quorum { service, up, .. } => {
                let notify = self.servers.service(service);
                let command =
                    notify.and_then(|notify| pick(*up, &notify.quorum_up, &notify.quorum_down));
                let mail = notify.is_some_and(|notify| notify.mail);
                (Subject::Service(service.clone()), *up, command, mail)
            }
            Event::Check { .. }
            | Event::Weight { .. }
            | Event::Sorry { .. }
            | Event::Resolved { .. }
            | Event::Drained { .. }
            | Event::Repaired { .. }
            | Event::Refused { .. } => return None,
        };
        let commands: VecDeque<_> = command.into_iter().collect();
        let dropped = self.queue(now, &subject, commands);
        let word = if up { "UP" } else { "DOWN" };
        Some(Told { news: News { subject, word, priority: 0 }, mail, dropped })
    }
}

fn pick(is_up: bool, up: &Option<Command>, down: &Option<Command>) -> Option<Command> {
    if is_up { up.clone() } else { down.clone() }
}

#[cfg(test)]
mod tests {
    use standfast_balance::{Cause, Config, ServerId, VirtualServer};
    use standfast_types::{DestinationKey, Scheduler, Scheduling, Transport};

    use super::*;

    fn key(n: u8) -> DestinationKey {
        DestinationKey { address: [10, 1, 0, n].into(), port: 80 }
    }

    fn command(path: &str) -> Command {
        Command { argv: vec![path.to_owned()], user: None }
    }

    /// One service over these servers, each with commands.
    fn pool(servers: &[u8]) -> Pool {
        let real = |n: &u8| standfast_balance::RealServer {
            endpoint: Endpoint::Address(key(*n)),
            weight: 1,
            forwarding: Default::default(),
            upper_threshold: 0,
            lower_threshold: 0,
            inhibit: false,
            checks: Vec::new(),
        };
        let service = VirtualServer {
            name: "S".into(),
            keys: Vec::new(),
            transport: Transport::Tcp,
            scheduling: Scheduling::new(Scheduler::Rr),
            servers: servers.iter().map(real).collect(),
            sorry: None,
            quorum: 1,
            hysteresis: 0,
            omega: false,
            active: Default::default(),
            suspend: false,
        };
        let told = |n: &u8| {
            let down = Some(command(&format!("/down{n}")));
            (Endpoint::Address(key(*n)), ServerNotify { up: None, down, mail: true })
        };
        let notify = ServiceNotify {
            quorum_down: Some(command("/lost")),
            servers: servers.iter().map(told).collect(),
            ..ServiceNotify::default()
        };
        Pool {
            balance: Config { services: vec![service], ..Config::default() },
            notify: BTreeMap::from([("S".into(), notify)]),
            ..Pool::default()
        }
    }

    fn down(n: u8) -> Event {
        Event::Server {
            server: ServerId { service: "S".into(), key: key(n) },
            endpoint: Endpoint::Address(key(n)),
            transport: Transport::Tcp,
            up: false,
            cause: Cause::Configuration,
        }
    }

    fn lost() -> Event {
        Event::Quorum { service: "S".into(), up: false, weight: 0, wanted: 1 }
    }

    fn commands(notifications: &mut Notifications) -> Vec<String> {
        let ready = notifications.ready().into_iter();
        ready.map(|(_, command)| command.argv.concat()).collect()
    }

    #[test]
    fn a_server_that_a_reload_takes_out_is_told_as_it_was_told_to() {
        let mut notifications = Notifications::default();
        notifications.reconfigure_servers(&pool(&[1, 2]));
        notifications.reconfigure_servers(&pool(&[1]));
        let told = notifications.handle_pool_event(Instant::ZERO, &down(2));
        assert!(told.is_some_and(|told| told.mail));
        assert_eq!(commands(&mut notifications), ["/down2"]);
        notifications.reconfigure_servers(&Pool::default());
        notifications.handle_pool_event(Instant::ZERO, &down(1));
        notifications.handle_pool_event(Instant::ZERO, &lost());
        assert_eq!(commands(&mut notifications), ["/lost", "/down1"]);
    }

    #[test]
    fn a_command_that_was_taken_out_is_not_run_for_a_service_that_stays() {
        let mut notifications = Notifications::default();
        notifications.reconfigure_servers(&pool(&[1]));
        notifications.reconfigure_servers(&Pool { notify: BTreeMap::new(), ..pool(&[1]) });
        notifications.handle_pool_event(Instant::ZERO, &lost());
        notifications.handle_pool_event(Instant::ZERO, &down(1));
        assert_eq!(commands(&mut notifications), [""; 0]);
    }
}
