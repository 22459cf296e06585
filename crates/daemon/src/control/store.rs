//! The file with the orders that outlive a restart.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use standfast_balance::{Config, Endpoint, Order};
use standfast_types::ServiceName;

use super::orders::{Life, Orders};

const DIRECTORY: &str = "/var/lib/standfast";
const VERSION: u64 = 1;

/// Where a daemon with this pid file keeps its orders: `/run/standfast.pid` has
/// `/var/lib/standfast/standfast.orders`.
pub(crate) fn path(pid_file: &Path) -> PathBuf {
    let name = pid_file.strip_prefix("/run").or_else(|_| pid_file.strip_prefix("/"));
    Path::new(DIRECTORY).join(name.unwrap_or(pid_file)).with_extension("orders")
}

/// Writes the orders in one step; without any the file goes.
pub(crate) fn save(path: &Path, orders: &Orders) -> io::Result<()> {
    let orders = orders.persistent();
    if orders.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    if let Some(directory) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    let aside = path.with_extension("orders.new");
    // One that a crash left behind may have other permissions.
    let _ = fs::remove_file(&aside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let text = json!({ "version": VERSION, "orders": orders }).to_string();
    let mut write = || {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&aside)))
}

/// Reads the orders; and what is wrong with them, in words. Those for what is not configured are left out.
pub(crate) fn load(path: &Path, config: &Config) -> (Orders, Vec<String>) {
    let mut orders = Orders::default();
    let shown = path.display();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (orders, Vec::new()),
        Err(error) => {
            return (orders, vec![format!("{shown}: {error}; its orders do not count")]);
        }
    };
    let file: Value = match serde_json::from_slice(&bytes) {
        Ok(file) => file,
        Err(error) => {
            return (orders, vec![format!("{shown} is damaged, its orders do not count: {error}")]);
        }
    };
    if file.get("version").and_then(Value::as_u64) != Some(VERSION) {
        let text = format!("{shown} is of another version of standfast, its orders do not count");
        return (orders, vec![text]);
    }
    let mut complaints = Vec::new();
    for value in file.get("orders").and_then(Value::as_array).into_iter().flatten() {
        match serde_json::from_value::<Order>(value.clone()) {
            Ok(order) => match stale(&order, config, &orders) {
                None => drop(orders.take(order, Life::Persistent)),
                Some(what) => complaints.push(format!(
                    "{shown}: an order is left out: the configuration has no {what} any more"
                )),
            },
            Err(error) => complaints.push(format!("{shown}: an order is left out: {error}")),
        }
    }
    (orders, complaints)
}

/// What an order is about and the configuration does not have.
fn stale(order: &Order, config: &Config, orders: &Orders) -> Option<String> {
    let (service, key) = match order {
        Order::Add(service, _) => (service, None),
        Order::Drain { server, .. }
        | Order::Disable(server)
        | Order::Enable(server)
        | Order::Weight(server, _)
        | Order::Remove(server) => (&server.service, Some(server.key)),
    };
    let find = |name: &ServiceName| config.services.iter().find(|service| service.name == *name);
    let Some(found) = find(service) else { return Some(format!("virtual server {service}")) };
    let key = key?;
    let there = found.servers.iter().any(|server| match &server.endpoint {
        Endpoint::Address(its) => *its == key,
        // What a name stands for is not known yet.
        Endpoint::Host { .. } | Endpoint::Srv(_) => true,
    });
    let added = orders.added(service).any(|its| its == key);
    (!there && !added).then(|| format!("real server {key} of {service}"))
}

#[cfg(test)]
mod tests;
