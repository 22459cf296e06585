//! What operators do at run time: orders for the running daemon.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use standfast_daemon::control::{CallError, Pools, ServerRow, ServiceRow, Wait, call};

use crate::{cli::Format, print, say};

/// The order makes no sense, or the kernel refuses it; nothing has changed but what the text says.
const REFUSED: u8 = 1;
/// No daemon can be asked.
const UNREACHABLE: u8 = 3;
/// The daemon does not know whether the kernel has it.
const UNCONFIRMED: u8 = 4;

const EXIT_CODES: &str = "Exit codes: 0 the kernel has it, 1 refused, 2 wrong arguments, 3 no daemon can be asked, \
                          4 not confirmed, so look with `standfast pools`.";
const SERVICE: &str = "The virtual server: 192.0.2.1:80, '[2001:db8::1]:80/udp', 'fwmark 5', or the name of its group";
const SERVER: &str = "The real server: 192.0.2.10:80, or 192.0.2.10 where that is enough";

/// Which daemon.
#[derive(Debug, Args)]
struct Daemon {
    /// The daemon's control socket, beside its pid file; else the only one below /run.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// A server of a service.
#[derive(Debug, Args)]
struct Server {
    #[arg(help = SERVICE)]
    service: String,
    #[arg(help = SERVER)]
    server: String,
}

/// What `drain` is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Drain {
    #[command(flatten)]
    server: Server,
    /// Remove the server after this time, with connections or without: 30s, 5m, 1h.
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    timeout: Option<u64>,
    /// Return when the server is removed, not when it gets no new connections.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    daemon: Daemon,
}

/// How long an order stands.
#[derive(Debug, Args)]
struct Keep {
    /// Keep it over a restart of the daemon too; else it stands until then.
    #[arg(long)]
    persist: bool,
}

/// What `disable` is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Disable {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    daemon: Daemon,
}

/// What `enable` is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Enable {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    daemon: Daemon,
}

/// What `weight` is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Weight {
    #[command(flatten)]
    server: Server,
    /// The weight, 0 to 2147483647, or `default` for the configured one.
    #[arg(value_name = "N|default", value_parser = weight)]
    weight: Wanted,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    daemon: Daemon,
}

/// A weight on the command line.
#[derive(Clone, Copy, Debug)]
struct Wanted(Option<u32>);

/// What `server` is asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Servers {
    /// Add a server that the configuration does not have. It is checked as the service's first server is.
    Add(Add),
    /// Remove a server at once; `standfast enable` brings one of the configuration back.
    Remove(Disable),
}

/// What `server add` is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Add {
    #[arg(help = SERVICE)]
    service: String,
    /// The server's address.
    address: IpAddr,
    /// Its port.
    port: u16,
    /// Its weight; that of the service's first server by default.
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    daemon: Daemon,
}

/// What `pools` is asked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct List {
    #[arg(help = SERVICE)]
    service: Option<String>,
    /// How the list is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

/// What `reload` is asked.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the configuration counts, 1 it is refused and nothing has changed, 2 wrong \
                        arguments, 3 no daemon can be asked."
)]
pub(crate) struct Reload {
    #[command(flatten)]
    daemon: Daemon,
}

pub(crate) fn drain(drain: &Drain) -> anyhow::Result<u8> {
    let Drain { server, timeout, wait, keep, daemon } = drain;
    let parameters = json!({
        "service": server.service, "server": server.server,
        "timeout_ms": timeout, "wait": wait, "persist": keep.persist,
    });
    let patience = if *wait { Wait::Long } else { Wait::Short };
    order(daemon, "Drain", &parameters, patience)
}

pub(crate) fn disable(disable: &Disable) -> anyhow::Result<u8> {
    order(&disable.daemon, "Disable", &disable.parameters(), Wait::Short)
}

pub(crate) fn enable(enable: &Enable) -> anyhow::Result<u8> {
    let Server { service, server } = &enable.server;
    order(&enable.daemon, "Enable", &json!({ "service": service, "server": server }), Wait::Short)
}

pub(crate) fn set_weight(weight: &Weight) -> anyhow::Result<u8> {
    let Weight { server, weight, keep, daemon } = weight;
    let parameters = json!({
        "service": server.service, "server": server.server,
        "weight": weight.0, "persist": keep.persist,
    });
    order(daemon, "Weight", &parameters, Wait::Short)
}

pub(crate) fn servers(servers: &Servers) -> anyhow::Result<u8> {
    match servers {
        Servers::Add(Add { service, address, port, weight, keep, daemon }) => {
            let parameters = json!({
                "service": service, "address": address, "port": port,
                "weight": weight, "persist": keep.persist,
            });
            order(daemon, "AddServer", &parameters, Wait::Short)
        }
        Servers::Remove(remove) => {
            order(&remove.daemon, "RemoveServer", &remove.parameters(), Wait::Short)
        }
    }
}

pub(crate) fn reload(reload: &Reload) -> anyhow::Result<u8> {
    order(&reload.daemon, "Reload", &json!({}), Wait::Short)
}

pub(crate) fn pools(list: &List) -> anyhow::Result<u8> {
    let parameters = json!({ "service": list.service });
    let value = match ask(&list.daemon, "Pools", &parameters, Wait::Short) {
        Ok(value) => value,
        Err(code) => return Ok(code),
    };
    let text = match list.format {
        Format::Json => serde_json::to_string_pretty(&value)? + "\n",
        Format::Human => table(&serde_json::from_value(value)?),
    };
    print(&text)?;
    Ok(0)
}

impl Disable {
    fn parameters(&self) -> Value {
        let Server { service, server } = &self.server;
        json!({ "service": service, "server": server, "persist": self.keep.persist })
    }
}

/// Gives an order and prints what came of it.
fn order(daemon: &Daemon, method: &str, parameters: &Value, wait: Wait) -> anyhow::Result<u8> {
    match ask(daemon, method, parameters, wait) {
        Ok(reply) => {
            let text = reply.get("message").and_then(Value::as_str).unwrap_or("done");
            print(&format!("{text}\n"))?;
            Ok(0)
        }
        Err(code) => Ok(code),
    }
}

/// The reply, or the exit code after saying why there is none.
fn ask(daemon: &Daemon, method: &str, parameters: &Value, wait: Wait) -> Result<Value, u8> {
    let socket: Option<&Path> = daemon.socket.as_deref();
    call(socket, method, parameters, wait).map_err(|error| {
        let (text, code) = match error {
            CallError::Refused(text) => (text, REFUSED),
            CallError::Unreachable(text) => (text, UNREACHABLE),
            CallError::Unconfirmed(text) => (text, UNCONFIRMED),
        };
        say(&format!("standfast: {text}"));
        code
    })
}

/// One line a server, and one for a service about which something is to be said.
fn table(pools: &Pools) -> String {
    let head = ["SERVICE", "SERVER", "STATE", "WEIGHT", "REASON"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(pools.services.iter().flat_map(rows)).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let (service, server, state) = (width(0), width(1), width(2));
    let line = |[a, b, c, d, e]: &[String; 5]| {
        let line = format!("{a:service$}  {b:server$}  {c:state$}  {d:>6}  {e}");
        line.trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn rows(service: &ServiceRow) -> Vec<[String; 5]> {
    let ServiceRow { service, quorum_up, weight, sorry, servers } = service;
    let mut rows: Vec<_> = servers.iter().map(|server| row(service, server)).collect();
    let mut notes = Vec::new();
    if !quorum_up {
        notes.push("the quorum is not reached");
    }
    if *sorry {
        notes.push("the sorry server serves");
    }
    if !notes.is_empty() || servers.is_empty() {
        let state = if *quorum_up { "up" } else { "down" };
        let cells = [service.as_str(), "-", state, &weight.to_string(), &notes.join(", ")];
        rows.push(cells.map(str::to_owned));
    }
    rows
}

fn row(service: &str, row: &ServerRow) -> [String; 5] {
    let ServerRow { server, state, weight, reason, overridden } = row;
    let by = if overridden.is_empty() { String::new() } else { format!("by order: {overridden}") };
    let notes: Vec<_> = [by.as_str(), reason].into_iter().filter(|text| !text.is_empty()).collect();
    [service, server, state.word(), &weight.to_string(), &notes.join("; ")].map(str::to_owned)
}

fn weight(text: &str) -> Result<Wanted, String> {
    if text == "default" {
        return Ok(Wanted(None));
    }
    text.parse().map(|weight| Wanted(Some(weight))).map_err(|_| "a number or `default`".to_owned())
}

/// `30s`, `5m`, `1h`, `500ms`; without a unit, seconds.
fn milliseconds(text: &str) -> Result<u64, String> {
    let wrong = || "a time such as 30s, 5m or 1h".to_owned();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use standfast_daemon::control::State;

    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [("30s", 30_000), ("30", 30_000), ("5m", 300_000), ("1h", 3_600_000)]
        {
            assert_eq!(milliseconds(text), Ok(millis));
        }
        for text in ["", "s", "-1s", "5 m", "1d", "99999999999999999999s"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_says_what_is_wrong_and_who_is_overridden() {
        let server = |server: &str, state, weight, reason: &str, overridden: &str| ServerRow {
            server: server.to_owned(),
            state,
            weight,
            reason: reason.to_owned(),
            overridden: overridden.to_owned(),
        };
        let web = ServiceRow {
            service: "192.0.2.1:80/tcp".to_owned(),
            quorum_up: true,
            weight: 1,
            sorry: false,
            servers: vec![
                server("192.0.2.10:80", State::Up, 1, "", ""),
                server("192.0.2.11:80", State::Drained, 0, "", "drained (kept over restarts)"),
                server("192.0.2.12:80", State::Down, 0, "HTTP_GET: status 503, wanted 200", ""),
            ],
        };
        let mail = ServiceRow {
            service: "mail".to_owned(),
            quorum_up: false,
            weight: 0,
            sorry: true,
            servers: Vec::new(),
        };
        let expected = "\
SERVICE           SERVER         STATE    WEIGHT  REASON
192.0.2.1:80/tcp  192.0.2.10:80  up            1
192.0.2.1:80/tcp  192.0.2.11:80  drained       0  by order: drained (kept over restarts)
192.0.2.1:80/tcp  192.0.2.12:80  down          0  HTTP_GET: status 503, wanted 200
mail              -              down          0  the quorum is not reached, the sorry server serves
";
        assert_eq!(table(&Pools { services: vec![web, mail] }), expected);
    }
}
