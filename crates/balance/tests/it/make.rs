//! Configurations in few words.

use std::{sync::Arc, time::Duration};

use standfast_balance::{
    Active, Brain, Config, Endpoint, Event, HostName, Input, Output, RealServer, Resolved,
    ServerId, SorryServer, Verdict, VirtualServer,
};
use standfast_health::{Check, File, Kind, Misc, Target, Timing};
use standfast_types::{
    Command, DestinationKey, FileName, Forwarding, Instant, Scheduler, Scheduling, ServiceChange,
    ServiceKey, ServiceName, ServiceTable, Transport,
};

use crate::kernel::apply;

/// `[10.0.0.N]:tcp:80`
pub(crate) fn key(n: u8) -> ServiceKey {
    ServiceKey::Address { address: [10, 0, 0, n].into(), port: 80, transport: Transport::Tcp }
}

/// `[10.1.0.N]:80`
pub(crate) fn at(n: u8) -> DestinationKey {
    DestinationKey { address: [10, 1, 0, n].into(), port: 80 }
}

/// The name of the service at [`key`].
pub(crate) fn name(n: u8) -> ServiceName {
    ServiceName::from(key(n).to_string().as_str())
}

pub(crate) fn id(service: u8, server: u8) -> ServerId {
    ServerId { service: name(service), key: at(server) }
}

pub(crate) fn check(kind: Kind) -> Arc<Check> {
    let timing = Timing {
        delay_loop: Duration::from_secs(2),
        retry: 0,
        delay_before_retry: Duration::from_secs(1),
        warmup: Duration::ZERO,
        timeout: Duration::from_secs(5),
    };
    Arc::new(Check { kind, timing, alpha: false, log_all_failures: false, shared: true })
}

pub(crate) fn tcp() -> Arc<Check> {
    check(Kind::Tcp(Target::default()))
}

pub(crate) fn tcp_to(port: u16) -> Arc<Check> {
    check(Kind::Tcp(Target { port: Some(port), ..Target::default() }))
}

pub(crate) fn alpha(check: &Check) -> Arc<Check> {
    Arc::new(Check { alpha: true, ..check.clone() })
}

pub(crate) fn misc() -> Arc<Check> {
    let command = Command { argv: vec!["/bin/weight".into()], user: None };
    check(Kind::Misc(Box::new(Misc { command, dynamic: true })))
}

pub(crate) fn file(name: &str, weight: i32) -> Arc<Check> {
    check(Kind::File(File { name: FileName::from(name), weight }))
}

pub(crate) fn bfd(name: &str) -> Arc<Check> {
    check(Kind::Bfd(name.into()))
}

pub(crate) fn server(n: u8, checks: Vec<Arc<Check>>) -> RealServer {
    RealServer {
        endpoint: Endpoint::Address(at(n)),
        weight: 1,
        forwarding: Forwarding::Nat,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        checks,
    }
}

pub(crate) fn host(name: &str) -> Endpoint {
    Endpoint::Host { name: HostName(name.into()), port: 80 }
}

pub(crate) fn address(n: u8) -> Resolved {
    Resolved { address: [10, 1, 0, n].into(), srv: None }
}

pub(crate) fn service(n: u8, servers: Vec<RealServer>) -> VirtualServer {
    VirtualServer {
        name: name(n),
        keys: vec![key(n)],
        transport: Transport::Tcp,
        scheduling: Scheduling::new(Scheduler::Rr),
        servers,
        sorry: None,
        quorum: 1,
        hysteresis: 0,
        omega: false,
        active: Active::Always,
        suspend: false,
    }
}

pub(crate) fn sorry(n: u8) -> Option<SorryServer> {
    Some(SorryServer { key: at(n), forwarding: Forwarding::Nat, inhibit: false })
}

pub(crate) fn config(services: Vec<VirtualServer>) -> Config {
    Config { services, report_initial: false }
}

pub(crate) fn good() -> Verdict {
    Verdict::Good { weight: None }
}

pub(crate) fn bad() -> Verdict {
    Verdict::Bad("connection refused".into())
}

/// A brain and its kernel.
pub(crate) struct Machine {
    pub(crate) brain: Brain,
    pub(crate) kernel: ServiceTable,
    pub(crate) now: Instant,
    /// What came out since it was looked at last.
    pub(crate) outputs: Vec<Output>,
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        Self::with(config, vec![], ServiceTable::new())
    }

    /// One that finds this table, and is told this before it begins.
    pub(crate) fn with(config: Config, known: Vec<Input>, kernel: ServiceTable) -> Self {
        let now = Instant::ZERO;
        let mut brain = Brain::new(config, now);
        for input in known {
            brain.handle_input(now, input);
            assert_eq!(brain.poll_output(), None, "it has not begun");
        }
        brain.start(now, &kernel);
        let mut machine = Self { brain, kernel, now, outputs: Vec::new() };
        machine.drain();
        machine
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.brain.handle_input(self.now, input);
        self.drain();
    }

    /// The verdict of a server's first check.
    pub(crate) fn checked(&mut self, server: ServerId, verdict: Verdict) {
        self.checked_by(server, 0, verdict);
    }

    pub(crate) fn checked_by(&mut self, server: ServerId, index: usize, verdict: Verdict) {
        self.tell(Input::Checked(standfast_balance::CheckId { server, index }, verdict));
    }

    pub(crate) fn reconfigure(&mut self, config: Config) {
        self.brain.reconfigure(self.now, config);
        self.drain();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.brain.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.brain.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.brain.poll_output() {
            if let Output::Change(change) = &output {
                apply(&mut self.kernel, change)
                    .unwrap_or_else(|error| panic!("{change:?}: {error}"));
            }
            let verify = output == Output::Verify;
            self.outputs.push(output);
            if verify {
                self.brain.verify(self.now, &self.kernel);
            }
        }
        assert_eq!(&self.kernel, self.brain.wanted());
    }

    /// Weights of a service's destinations in the kernel.
    pub(crate) fn weights(&self, n: u8) -> Vec<(u8, u32)> {
        let destinations = &self.kernel[&key(n)].destinations;
        let last = |at: &DestinationKey| match at.address {
            std::net::IpAddr::V4(address) => address.octets()[3],
            std::net::IpAddr::V6(address) => address.octets()[15],
        };
        destinations.iter().map(|(at, destination)| (last(at), destination.weight)).collect()
    }

    /// What came out of this kind since it was looked at last.
    pub(crate) fn take<T>(&mut self, which: impl FnMut(Output) -> Option<T>) -> Vec<T> {
        std::mem::take(&mut self.outputs).into_iter().filter_map(which).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.take(|output| if let Output::Event(event) = output { Some(event) } else { None })
    }

    pub(crate) fn changes(&mut self) -> Vec<ServiceChange> {
        self.take(|output| if let Output::Change(change) = output { Some(change) } else { None })
    }

    /// Ups and downs, as FIFOs show them.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let word = |up| if up { "UP" } else { "DOWN" };
        let line = |event| match event {
            Event::Server { server, up, .. } => Some(format!("RS {server} {}", word(up))),
            Event::Quorum { service, up, .. } => Some(format!("VS {service} {}", word(up))),
            _ => None,
        };
        self.events().into_iter().filter_map(line).collect()
    }
}
