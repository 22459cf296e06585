//! What the tests share: the sandbox, small networks, and waiting for what shall happen.

use std::{
    ffi::OsString,
    fmt::Display,
    fs,
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use standfast_lab::{
    LabError,
    isolation::{Side, isolate_with},
    node::PROGRAMS,
    probe::Notice,
    stage::{CLIENT, Stage},
    topology::{InterfacePlan, NodePlan, Plan, Topology},
};

pub(crate) const STANDFAST: &str = env!("CARGO_BIN_EXE_standfast");
pub(crate) const NGINX: &str = "/usr/sbin/nginx";
pub(crate) const KEEPALIVED: &str = "/usr/sbin/keepalived";
pub(crate) const TCPDUMP: &str = "/usr/bin/tcpdump";
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(10);

/// Runs the test with this full name in a sandbox, if the machine has these programs.
pub(crate) fn in_sandbox(name: &str, needs: &[&str], work: impl FnOnce() -> anyhow::Result<()>) {
    if let Some(missing) = needs.iter().find(|program| !Path::new(program).exists()) {
        say(format_args!("SKIPPED {name}: there is no {missing}"));
        return;
    }
    let arguments = ["--exact", name, "--nocapture"].map(OsString::from);
    match isolate_with(arguments.into_iter()) {
        Ok(Side::Inside) => work().expect("it goes as it should"),
        Ok(Side::Ended(code)) => assert_eq!(code, 0, "the test failed in its sandbox"),
        Err(error @ LabError::NotPermitted { .. }) => {
            say(format_args!("SKIPPED {name}: failed to {error}"));
        }
        Err(error) => assert!(error.to_string().is_empty(), "failed to {error}"),
    }
}

/// Figures, for whoever looks at the output.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Machines on one switch: name, interface, address with prefix length.
pub(crate) fn network(nodes: &[(&str, &str, &str)]) -> anyhow::Result<Stage> {
    let node = |(name, interface, address): &(&str, &str, &str)| NodePlan {
        name: (*name).to_owned(),
        interfaces: vec![InterfacePlan {
            name: (*interface).to_owned(),
            switch: "switch".to_owned(),
            addresses: address.parse().into_iter().collect(),
        }],
    };
    let plan = Plan { nodes: nodes.iter().map(node).collect(), programs: vec![STANDFAST.into()] };
    Ok(Stage::new(Topology::build(&plan)?, Path::new(STANDFAST)))
}

/// Two machines with 10.83.0.1 and .2, and a client with .3.
pub(crate) fn pair() -> anyhow::Result<Stage> {
    network(&[
        ("a", "eth0", "10.83.0.1/24"),
        ("b", "eth0", "10.83.0.2/24"),
        (CLIENT, "eth0", "10.83.0.3/24"),
    ])
}

/// An instance of VRRPv3 with an advert every 100 ms, and more lines.
pub(crate) fn instance(priority: u8, address: Ipv4Addr, more: &str) -> String {
    format!(
        "global_defs {{\n script_user root\n vrrp_version 3\n}}\nvrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n \
         virtual_router_id 51\n priority {priority}\n advert_int 0.1\n virtual_ipaddress {{\n {address}/24\n }}\n{more}\n}}\n"
    )
}

/// A folder below `tests/scenarios`.
pub(crate) fn folder(scenario: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(scenario)
}

/// A file below `tests/scenarios`.
pub(crate) fn text(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(folder(path)).with_context(|| path.to_owned())
}

/// Puts a scenario's script on a node, where its configuration expects it.
pub(crate) fn install_script(stage: &mut Stage, node: &str, scenario: &str) -> anyhow::Result<()> {
    let name = Path::new(scenario).file_name().unwrap_or_default();
    let place = Path::new("/etc/keepalived").join(name);
    Ok(stage.topology.node(node)?.write_program(&place, text(scenario)?.as_bytes())?)
}

/// Waits until something is so: at most this long on a quiet machine, and three times as long on a busy one.
pub(crate) fn wait_for(
    stage: &mut Stage,
    what: &str,
    limit: Duration,
    done: impl FnMut(&mut Stage) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let reached = stage.wait_until(limit * 3, done)?;
    anyhow::ensure!(reached, "within {limit:?} it did not come to: {what}");
    Ok(())
}

/// Waits until this node alone holds the address and its page is what the client gets.
pub(crate) fn served_by(
    stage: &mut Stage,
    address: Ipv4Addr,
    node: &str,
    limit: Duration,
) -> anyhow::Result<()> {
    wait_for(stage, &format!("{address} is served by {node}"), limit, |stage| {
        let page = stage.samples(address)?.last().and_then(|sample| sample.page.clone());
        Ok(page.as_deref() == Some(node) && stage.holders(address)? == [node])
    })
}

/// Waits until the log of a node's daemon has a line with this text.
pub(crate) fn logged(
    stage: &mut Stage,
    node: &str,
    text: &str,
    limit: Duration,
) -> anyhow::Result<()> {
    wait_for(stage, &format!("{node} logs {text:?}"), limit, |stage| {
        Ok(stage.log(node, "daemon")?.iter().any(|line| line.contains(text)))
    })
}

/// Runs a command on a node, which must succeed.
pub(crate) fn run(stage: &mut Stage, node: &str, command: &str) -> anyhow::Result<Vec<String>> {
    let (code, lines) = stage.run(node, &["/bin/sh", "-c", command])?;
    anyhow::ensure!(code == 0, "{command} on {node}: {code}, {lines:?}");
    Ok(lines)
}

/// A file of a node, empty when there is none.
pub(crate) fn file(stage: &mut Stage, node: &str, path: &str) -> anyhow::Result<String> {
    let bytes = stage.topology.node(node)?.read_file(Path::new(path)).unwrap_or_default();
    Ok(String::from_utf8(bytes)?)
}

/// Starts to capture on a node's eth0, and waits until the capture runs.
pub(crate) fn capture(stage: &mut Stage, node: &str, words: &[&str]) -> anyhow::Result<()> {
    let words = [&[TCPDUMP, "-Z", "root", "-i", "eth0"], words].concat();
    stage.start(node, "capture", &words)?;
    wait_for(stage, "the capture runs", seconds(3), |stage| {
        Ok(stage.log(node, "capture")?.iter().any(|line| line.contains("listening")))
    })
}

/// Gives the machines of [`pair`] IPv6: fe80::a:N and fd83::N, at once.
pub(crate) fn enable_ipv6(stage: &mut Stage, nodes: &[(&str, u8)]) -> anyhow::Result<()> {
    for (node, number) in nodes {
        let command = format!(
            "echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6; \
             echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; \
             echo 1 > /proc/sys/net/ipv6/conf/eth0/addr_gen_mode; \
             ip address add fe80::a:{number}/64 dev eth0 nodad; \
             ip address add fd83::{number}/64 dev eth0 nodad"
        );
        run(stage, node, &command)?;
    }
    Ok(())
}

/// Our program on a node.
pub(crate) fn program() -> String {
    format!("{PROGRAMS}/standfast")
}

pub(crate) fn describe(what: &str, notice: &Notice) {
    let Notice { requests, lost, cut, gap, pages } = notice;
    let (gap, pages) = (gap.as_millis(), pages.join(" -> "));
    say(format_args!(
        "{what}: {lost} of {requests} lost, {cut} cut, longest gap {gap} ms, {pages}"
    ));
}
