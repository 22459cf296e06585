//! The control socket from inside: what operators order reaches the pool, and they hear what came of it.

use std::{collections::VecDeque, path::PathBuf};

use serde_json::{Value, json};
use standfast_balance::{Event, Order, ServiceSnapshot};
use standfast_kernel::clock;
use standfast_types::Instant;

use super::{Supervisor, pool::Pool};
use crate::{
    control::{
        Refusal, Request,
        desk::{Desk, Step, World},
        socket::{ClientId, Socket},
        store,
    },
    pool::ToPool,
};

/// The socket, and what was ordered over it.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) socket: Option<Socket>,
    desk: Desk,
    /// Where orders are that outlive a restart.
    kept: PathBuf,
}

impl Control {
    /// When there is something to do, whoever speaks.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let socket = self.socket.as_ref().and_then(Socket::next_deadline);
        [socket, self.desk.next_deadline()].into_iter().flatten().min()
    }

    /// The orders that stand.
    pub(super) fn orders(&self) -> Vec<Order> {
        self.desk.orders().all()
    }
}

impl Supervisor {
    /// Listens beside the pid file, and reads the orders of a former life. Without the socket all else goes on.
    pub(super) fn open_control(&mut self) {
        let kept = store::path(&self.pid_files.supervisor);
        let (orders, complaints) = store::load(&kept, &self.configuration.model.pool.balance);
        for complaint in complaints {
            self.log.warning(&complaint);
        }
        let standing = orders.all().len();
        if standing > 0 {
            self.log.info(&format!("{standing} orders of operators stand: {}", kept.display()));
        }
        let path = self.pid_files.control_socket();
        let socket = Socket::open(&path);
        if let Err(error) = &socket {
            self.log.warning(&format!("no control socket {}: {error:#}", path.display()));
        }
        self.control = Control { socket: socket.ok(), desk: Desk::new(orders), kept };
    }

    /// Takes what operators ask.
    pub(super) fn serve_control(&mut self) {
        let now = clock::now();
        let steps = self.control.desk.handle_timeout(now);
        self.take_steps(steps);
        let requests = self.control.socket.as_mut().map(|socket| socket.receive(now));
        self.take_requests(requests.unwrap_or_default());
    }

    fn take_requests(&mut self, requests: Vec<(ClientId, Request)>) {
        let now = clock::now();
        let mut waiting = VecDeque::from(requests);
        while let Some((client, request)) = waiting.pop_front() {
            let world = World {
                config: &self.configuration.model.pool.balance,
                names: &self.office.names,
                pool_runs: matches!(self.office.process, Pool::Running { .. }),
            };
            let steps = self.control.desk.handle_request(now, client, request, &world);
            waiting.extend(self.do_steps(steps));
        }
    }

    fn take_steps(&mut self, steps: Vec<Step>) {
        let requests = self.do_steps(steps);
        self.take_requests(requests);
    }

    /// Does what the desk wants. What those ask next who were answered.
    fn do_steps(&mut self, steps: Vec<Step>) -> Vec<(ClientId, Request)> {
        let mut requests = Vec::new();
        for step in steps {
            match step {
                Step::Reply(client, reply) => requests.extend(self.reply(client, &reply)),
                Step::Keep(reply) => {
                    let failed = store::save(&self.control.kept, self.control.desk.orders()).err();
                    let failed = failed.map(|error| {
                        let path = self.control.kept.display();
                        format!("the kernel has it, but a restart ends it: {path}: {error}")
                    });
                    if let Some(text) = &failed {
                        self.log.error(text);
                    }
                    if let Some((client, reply)) = reply {
                        let reply = failed.map_or(reply, |text| Err(Refusal::Refused(text)));
                        requests.extend(self.reply(client, &reply));
                    }
                }
                Step::Order(id, order) => self.tell_pool(&ToPool::Order { id, order }),
                Step::Ask(id) => self.tell_pool(&ToPool::Report { id }),
                Step::Reload(client) => {
                    let reply = self.reload_by_order();
                    requests.extend(self.reply(client, &reply));
                }
            }
        }
        requests
    }

    fn reply(
        &mut self,
        client: ClientId,
        reply: &Result<Value, Refusal>,
    ) -> Vec<(ClientId, Request)> {
        if let Ok(value) = reply
            && let Some(text) = value.get("message").and_then(Value::as_str)
        {
            self.log.info(&format!("by order: {text}"));
        }
        let socket = self.control.socket.as_mut();
        socket.map(|socket| socket.answer(clock::now(), client, reply)).unwrap_or_default()
    }

    fn reload_by_order(&mut self) -> Result<Value, Refusal> {
        let path = self.options.file.display().to_string();
        if self.reload() {
            Ok(json!({ "message": format!("{path} is read again and counts") }))
        } else {
            let text = format!("{path} is refused and nothing has changed; the log says why");
            Err(Refusal::Refused(text))
        }
    }

    /// The pool has done an order, or says why not.
    pub(super) fn order_done(&mut self, id: u64, result: Result<(), String>) {
        let steps = self.control.desk.handle_done(id, result);
        self.take_steps(steps);
    }

    /// The pool says how things are.
    pub(super) fn pools_reported(&mut self, id: u64, services: Vec<ServiceSnapshot>) {
        let config = &self.configuration.model.pool.balance;
        let steps = self.control.desk.handle_report(id, services, config);
        self.take_steps(steps);
    }

    /// Something happened in the pool.
    pub(super) fn tell_operators(&mut self, event: &Event) {
        let steps = self.control.desk.handle_event(event);
        self.take_steps(steps);
    }

    /// The pool is gone.
    pub(super) fn tell_operators_pool_gone(&mut self) {
        let steps = self.control.desk.handle_pool_gone();
        self.take_steps(steps);
    }
}
