//! Where requests become orders for the pool process, and its answers replies. It reads no clock and writes
//! to no socket.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde_json::{Value, json};
use standfast_balance::{Config, Endpoint, Event, Order, RealServer, ServerId, ServiceSnapshot};
use standfast_types::{DestinationKey, Instant, ServiceName};

use super::{
    directory::{Directory, called},
    orders::{Life, Orders},
    pools::Pools,
    reply::Refusal,
    request::{INTERFACE, Request, SERVICE},
    socket::ClientId,
    written,
};
use crate::names::Names;

/// The pool process confirms an order within this time, or something is wrong.
const CONFIRMED: Duration = Duration::from_secs(10);
/// As in the configuration.
const HEAVIEST: u32 = 2_147_483_647;
const DESCRIPTION: &str = include_str!("standfast.control.varlink");

/// What operators ordered, and what they still wait for.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    orders: Orders,
    pending: BTreeMap<u64, Pending>,
    last: u64,
}

#[derive(Debug)]
struct Pending {
    client: ClientId,
    what: What,
    /// When it is given up; `None` for what lasts as long as connections do.
    until: Option<Instant>,
}

#[derive(Debug)]
enum What {
    /// The kernel has not confirmed an order; what to say then. With `drain` the client wants to hear the end.
    Order { text: String, server: ServerId, drain: Option<Drain>, changed: bool },
    /// The server loses its connections.
    Drained(Drain),
    /// The pool has not said how things are; whom the client asks for.
    Pools(Option<ServiceName>),
}

/// A drain whose end a client waits for.
#[derive(Clone, Debug)]
struct Drain {
    server: ServerId,
    shown: String,
}

/// What comes of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// For a client.
    Reply(ClientId, Result<Value, Refusal>),
    /// For the pool process.
    Order(u64, Order),
    /// The pool process is to say how things are.
    Ask(u64),
    /// Read the configuration again, and tell the client what came of it.
    Reload(ClientId),
    /// Orders that outlive a restart have changed: write them, then give this reply.
    Keep(Option<(ClientId, Result<Value, Refusal>)>),
}

impl Desk {
    /// With orders of a former life.
    pub(crate) fn new(orders: Orders) -> Self {
        Self { orders, ..Self::default() }
    }

    /// The orders that stand.
    pub(crate) const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Takes a request.
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        client: ClientId,
        request: Request,
        world: &World<'_>,
    ) -> Vec<Step> {
        match self.answer(now, client, request, world) {
            Ok(steps) => steps,
            Err(refusal) => vec![Step::Reply(client, Err(refusal))],
        }
    }

    fn answer(
        &mut self,
        now: Instant,
        client: ClientId,
        request: Request,
        world: &World<'_>,
    ) -> Result<Vec<Step>, Refusal> {
        let find = |desk: &Self, service: &str, server: &str| {
            let directory = world.directory(&desk.orders);
            let service = directory.service(service)?;
            let server = directory.server(service, server)?;
            let shown = format!("{} of {}", written::server(&server.key), called(service));
            Ok::<_, Refusal>((server, shown))
        };
        let (order, text, life, drain) = match request {
            Request::Reload {} => return Ok(vec![Step::Reload(client)]),
            Request::GetInfo {} => return Ok(vec![Step::Reply(client, Ok(info()))]),
            Request::GetInterfaceDescription { interface } => {
                let reply = describe(interface);
                return Ok(vec![Step::Reply(client, reply)]);
            }
            Request::Pools { service } => {
                world.need_pool()?;
                let directory = world.directory(&self.orders);
                let service = service.map(|text| directory.service(&text)).transpose()?;
                let what = What::Pools(service.map(|service| service.name.clone()));
                let id = self.wait(now, client, what);
                return Ok(vec![Step::Ask(id)]);
            }
            Request::Drain { service, server, timeout_ms, wait, persist } => {
                let (server, shown) = find(self, &service, &server)?;
                self.refuse_removed(&server, &shown)?;
                let limit = timeout_ms.map(|limit| limit.saturating_mul(1_000_000));
                let end = timeout_ms.map_or_else(
                    || "when its last one has ended it is removed".to_owned(),
                    |limit| {
                        format!(
                            "it is removed when its last one has ended, after {} at the latest",
                            shown_time(limit)
                        )
                    },
                );
                let text = format!("{shown} gets no new connections; {end}");
                let drain = wait.then(|| Drain { server: server.clone(), shown });
                (Order::Drain { server, limit }, text, Life::of(persist), drain)
            }
            Request::Disable { service, server, persist } => {
                let (server, shown) = find(self, &service, &server)?;
                let text = format!("{shown} counts as failed until it is enabled");
                (Order::Disable(server), text, Life::of(persist), None)
            }
            Request::Enable { service, server } => {
                let (server, shown) = find(self, &service, &server)?;
                let text = format!("{shown} takes part again; its checks decide");
                (Order::Enable(server), text, Life::Run, None)
            }
            Request::Weight { service, server, weight, persist } => {
                check_weight(weight)?;
                let (server, shown) = find(self, &service, &server)?;
                self.refuse_removed(&server, &shown)?;
                let text = weight.map_or_else(
                    || format!("{shown} has its configured weight again"),
                    |weight| format!("{shown} has weight {weight}"),
                );
                (Order::Weight(server, weight), text, Life::of(persist), None)
            }
            Request::AddServer { service, address, port, weight, persist } => {
                check_weight(weight)?;
                let (order, text) = self.add(world, &service, (address, port), weight)?;
                (order, text, Life::of(persist), None)
            }
            Request::RemoveServer { service, server, persist } => {
                let (server, shown) = find(self, &service, &server)?;
                let added = self.orders.added(&server.service).any(|key| key == server.key);
                let back = if added { "" } else { "; `standfast enable` brings it back" };
                (
                    Order::Remove(server),
                    format!("{shown} is removed{back}"),
                    Life::of(persist),
                    None,
                )
            }
        };
        world.need_pool()?;
        Ok(self.give(now, client, order, (text, life, drain)))
    }

    /// Gives an order to the pool process, and remembers it: should the process die on it, the next one has it.
    fn give(
        &mut self,
        now: Instant,
        client: ClientId,
        order: Order,
        (text, life, drain): (String, Life, Option<Drain>),
    ) -> Vec<Step> {
        let server = subject(&order);
        let mut steps = self.overrule(&server);
        let changed = self.orders.take(order.clone(), life);
        let text = match life {
            Life::Run => text,
            Life::Persistent => format!("{text} (kept over restarts)"),
        };
        let id = self.wait(now, client, What::Order { text, server, drain, changed });
        steps.push(Step::Order(id, order));
        steps
    }

    /// Whoever waits for the end of a drain hears that there is another order for the server.
    fn overrule(&mut self, server: &ServerId) -> Vec<Step> {
        let over = |pending: &Pending| match &pending.what {
            What::Drained(drain) => drain.server == *server,
            What::Order { .. } | What::Pools(_) => false,
        };
        let ids: Vec<_> =
            self.pending.iter().filter(|(_, one)| over(one)).map(|(id, _)| *id).collect();
        let all = ids.into_iter().filter_map(|id| self.pending.remove(&id));
        all.map(|pending| {
            let text = "another order for this server came while it was drained".to_owned();
            Step::Reply(pending.client, Err(Refusal::Unconfirmed(text)))
        })
        .collect()
    }

    fn add(
        &self,
        world: &World<'_>,
        service: &str,
        (address, port): (IpAddr, u16),
        weight: Option<u32>,
    ) -> Result<(Order, String), Refusal> {
        let directory = world.directory(&self.orders);
        let service = directory.service(service)?;
        let key = DestinationKey { address, port };
        let shown = format!("{} of {}", written::server(&key), called(service));
        let id = ServerId { service: service.name.clone(), key };
        self.refuse_removed(&id, &shown)?;
        if directory.servers(service).contains(&key) {
            return Err(Refusal::Refused(format!("{shown} is there already")));
        }
        let Some(like) = service.servers.first() else {
            let text = format!("{} has no server to take checks from", called(service));
            return Err(Refusal::Refused(text));
        };
        let weight = weight.unwrap_or(like.weight);
        let server = RealServer { endpoint: Endpoint::Address(key), weight, ..like.clone() };
        let text = format!("{shown} is added with weight {weight}, checked as its first server is");
        Ok((Order::Add(service.name.clone(), Box::new(server)), text))
    }

    fn refuse_removed(&self, server: &ServerId, shown: &str) -> Result<(), Refusal> {
        if self.orders.is_removed(server) {
            let text = format!("{shown} is removed; `standfast enable` brings it back");
            return Err(Refusal::Refused(text));
        }
        Ok(())
    }

    fn wait(&mut self, now: Instant, client: ClientId, what: What) -> u64 {
        self.last = self.last.saturating_add(1);
        self.pending.insert(self.last, Pending { client, what, until: Some(now + CONFIRMED) });
        self.last
    }

    /// The pool process has done what it was ordered, or says why not.
    pub(crate) fn handle_done(&mut self, id: u64, result: Result<(), String>) -> Vec<Step> {
        let Some(Pending { client, what, .. }) = self.pending.remove(&id) else {
            return Vec::new();
        };
        let What::Order { text, server, drain, changed } = what else { return Vec::new() };
        if let (Ok(()), Some(drain)) = (&result, drain) {
            // The reply comes at the end; what is to be kept is kept now.
            self.pending.insert(id, Pending { client, what: What::Drained(drain), until: None });
            return if changed { vec![Step::Keep(None)] } else { Vec::new() };
        }
        let reply = match result {
            Ok(()) => {
                let overridden = self.orders.words(&server);
                Ok(json!({ "message": text, "overridden": overridden }))
            }
            Err(why) => Err(Refusal::Refused(format!("the kernel refuses: {why}; tried again"))),
        };
        vec![if changed { Step::Keep(Some((client, reply))) } else { Step::Reply(client, reply) }]
    }

    /// The pool process says how things are.
    pub(crate) fn handle_report(
        &mut self,
        id: u64,
        services: Vec<ServiceSnapshot>,
        config: &Config,
    ) -> Vec<Step> {
        let Some(Pending { client, what: What::Pools(wanted), .. }) = self.pending.remove(&id)
        else {
            return Vec::new();
        };
        let wanted = |one: &ServiceSnapshot| wanted.as_ref().is_none_or(|name| one.name == *name);
        let services: Vec<_> = services.into_iter().filter(wanted).collect();
        let pools = Pools::new(&services, config, &self.orders);
        let reply =
            serde_json::to_value(pools).map_err(|error| Refusal::Unavailable(error.to_string()));
        vec![Step::Reply(client, reply)]
    }

    /// Something happened.
    pub(crate) fn handle_event(&mut self, event: &Event) -> Vec<Step> {
        let Event::Drained { server, left } = event else { return Vec::new() };
        let is_it = |pending: &Pending| match &pending.what {
            What::Drained(drain) | What::Order { drain: Some(drain), .. } => {
                drain.server == *server
            }
            What::Order { drain: None, .. } | What::Pools(_) => false,
        };
        let ids: Vec<_> =
            self.pending.iter().filter(|(_, one)| is_it(one)).map(|(id, _)| *id).collect();
        let all = ids.into_iter().filter_map(|id| self.pending.remove(&id));
        all.filter_map(|Pending { client, what, .. }| {
            let (drain, changed) = match what {
                What::Drained(drain) => (drain, false),
                What::Order { drain, changed, .. } => (drain?, changed),
                What::Pools(_) => return None,
            };
            let still = match left {
                0 => String::new(),
                1 => "; 1 connection was still open".to_owned(),
                more => format!("; {more} connections were still open"),
            };
            let text = format!("{} is drained and removed{still}", drain.shown);
            let reply = Ok(json!({ "message": text, "left": left }));
            Some(if changed {
                Step::Keep(Some((client, reply)))
            } else {
                Step::Reply(client, reply)
            })
        })
        .collect()
    }

    /// The pool process is gone. Another one gets all orders; those who wait are told that much.
    pub(crate) fn handle_pool_gone(&mut self) -> Vec<Step> {
        let waits = |pending: &Pending| pending.until.is_some();
        let ids: Vec<_> =
            self.pending.iter().filter(|(_, one)| waits(one)).map(|(id, _)| *id).collect();
        let gone = "the process that balances died before it confirmed; the order stands";
        ids.into_iter().filter_map(|id| self.give_up(id, gone)).collect()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.pending.values().filter_map(|pending| pending.until).min()
    }

    /// Tells those who have waited for too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Step> {
        let due = |pending: &Pending| pending.until.is_some_and(|until| until <= now);
        let ids: Vec<_> =
            self.pending.iter().filter(|(_, one)| due(one)).map(|(id, _)| *id).collect();
        let late = format!(
            "the process that balances has confirmed nothing for {} s; the order stands",
            CONFIRMED.as_secs()
        );
        ids.into_iter().filter_map(|id| self.give_up(id, &late)).collect()
    }

    fn give_up(&mut self, id: u64, text: &str) -> Option<Step> {
        let Pending { client, what, .. } = self.pending.remove(&id)?;
        let refusal = match what {
            What::Order { .. } | What::Drained(_) => Refusal::Unconfirmed(text.to_owned()),
            What::Pools(_) => {
                let text = text.trim_end_matches("; the order stands").to_owned();
                Refusal::Unavailable(text)
            }
        };
        Some(Step::Reply(client, Err(refusal)))
    }
}

/// What the desk must know about the daemon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World<'a> {
    pub(crate) config: &'a Config,
    pub(crate) names: &'a Names,
    /// The pool process runs.
    pub(crate) pool_runs: bool,
}

impl<'a> World<'a> {
    fn directory(&self, orders: &'a Orders) -> Directory<'a> {
        Directory { config: self.config, names: self.names, orders }
    }

    fn need_pool(&self) -> Result<(), Refusal> {
        let why = match (self.pool_runs, self.config.services.is_empty()) {
            (true, _) => return Ok(()),
            (false, true) => "the configuration has no virtual server",
            (false, false) => "the process that balances is just being started; try again",
        };
        Err(Refusal::Unavailable(why.to_owned()))
    }
}

/// Which server an order is about.
fn subject(order: &Order) -> ServerId {
    match order {
        Order::Drain { server, .. }
        | Order::Disable(server)
        | Order::Enable(server)
        | Order::Weight(server, _)
        | Order::Remove(server) => server.clone(),
        Order::Add(service, server) => {
            let nowhere = DestinationKey { address: IpAddr::from([0, 0, 0, 0]), port: 0 };
            let key = match server.endpoint {
                Endpoint::Address(key) => key,
                Endpoint::Host { .. } | Endpoint::Srv(_) => nowhere,
            };
            ServerId { service: service.clone(), key }
        }
    }
}

fn check_weight(weight: Option<u32>) -> Result<(), Refusal> {
    match weight {
        Some(weight) if weight > HEAVIEST => {
            Err(Refusal::Refused(format!("a weight is at most {HEAVIEST}")))
        }
        Some(_) | None => Ok(()),
    }
}

fn shown_time(millis: u64) -> String {
    if millis.is_multiple_of(1000) {
        format!("{} s", millis / 1000)
    } else {
        format!("{millis} ms")
    }
}

fn info() -> Value {
    json!({
        "vendor": "standfast",
        "product": "standfast",
        "version": env!("CARGO_PKG_VERSION"),
        "url": "",
        "interfaces": [SERVICE, INTERFACE],
    })
}

fn describe(interface: String) -> Result<Value, Refusal> {
    if interface == INTERFACE {
        Ok(json!({ "description": DESCRIPTION }))
    } else {
        Err(Refusal::UnknownInterface(interface))
    }
}

#[cfg(test)]
mod tests;
