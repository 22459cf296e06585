//! The thread that asks: a task for each endpoint.

use std::{
    collections::BTreeMap,
    io,
    os::fd::OwnedFd,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use standfast_balance::Endpoint;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedReceiver, watch},
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{Order, Report, memory::Memory, system::System};

/// Endpoints that are asked for at the same time.
const AT_ONCE: usize = 32;
/// How often the machine's files about names are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Where reports go.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    queue: mpsc::Sender<Report>,
    bell: Arc<OwnedFd>,
}

impl Reports {
    pub(super) const fn new(queue: mpsc::Sender<Report>, bell: Arc<OwnedFd>) -> Self {
        Self { queue, bell }
    }

    fn send(&self, report: Report) {
        if self.queue.send(report).is_ok() {
            // It can only be full, and then it rings already.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

/// Starts the thread. It ends with its orders.
pub(super) fn start(orders: UnboundedReceiver<Order>, reports: Reports) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || runtime.block_on(serve(orders, reports));
    thread::Builder::new().name("names".to_owned()).spawn(work).map(drop)
}

async fn serve(mut orders: UnboundedReceiver<Order>, reports: Reports) {
    let (system, current) = watch::channel(Arc::new(System::read()));
    tokio::spawn(look(system));
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks: BTreeMap<Endpoint, AbortHandle> = BTreeMap::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Follow(endpoint) => {
                let task =
                    follow(endpoint.clone(), current.clone(), Arc::clone(&gate), reports.clone());
                let task = tokio::spawn(task).abort_handle();
                if let Some(old) = tasks.insert(endpoint, task) {
                    old.abort();
                }
            }
            Order::Forget(endpoint) => {
                if let Some(task) = tasks.remove(&endpoint) {
                    task.abort();
                }
            }
        }
    }
}

/// Reads the machine's files about names again whenever they have changed.
async fn look(system: watch::Sender<Arc<System>>) {
    loop {
        sleep(LOOK).await;
        if system.borrow().is_stale() {
            system.send_replace(Arc::new(System::read()));
        }
    }
}

/// Asks for one endpoint, again and again.
async fn follow(
    endpoint: Endpoint,
    mut system: watch::Receiver<Arc<System>>,
    gate: Arc<Semaphore>,
    reports: Reports,
) {
    let mut memory = Memory::default();
    loop {
        let current = Arc::clone(&system.borrow_and_update());
        let finding = {
            let _turn = gate.acquire().await;
            current.ask(&endpoint).await
        };
        let after = memory.handle(&endpoint, finding);
        if let Some(resolved) = after.resolved {
            reports.send(Report::Resolved(endpoint.clone(), resolved));
        }
        if let Some((level, text)) = after.said {
            reports.send(Report::Said(level, text));
        }
        if let Ok(Err(_)) = timeout(after.wait, system.changed()).await {
            return;
        }
    }
}
