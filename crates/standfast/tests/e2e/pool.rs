//! Pools of servers, with real servers and clients: nftables balances, for every kernel has it.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use standfast_kernel::{
    clock,
    process::{Pid, kill, signal::SIGKILL},
};
use standfast_lab::stage::{CLIENT, Stage, pause};

use crate::common::{
    ASK_EVERY, describe, file, in_sandbox, logged, network, run, seconds, wait_for,
};

pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
pub(crate) const IP: &str = "/sbin/ip";
const GLOBAL: &str = "global_defs {\n lvs_data_plane nftables\n script_user root\n}\n";

/// A director with the address, two servers that answer clients through it, and a client.
pub(crate) fn stage() -> anyhow::Result<Stage> {
    let mut stage = network(&[
        ("lb", "eth0", "10.83.0.1/24"),
        ("s1", "eth0", "10.83.0.11/24"),
        ("s2", "eth0", "10.83.0.12/24"),
        (CLIENT, "eth0", "10.83.0.3/24"),
    ])?;
    let set = "cd /proc/sys/net/ipv4 && echo 1 > ip_forward && \
               for i in all eth0; do echo 0 > conf/$i/send_redirects; done";
    run(&mut stage, "lb", &format!("{set} && ip address add {ADDRESS}/32 dev eth0"))?;
    for server in ["s1", "s2"] {
        run(&mut stage, server, "ip route add 10.83.0.3/32 via 10.83.0.1")?;
        stage.start_web(server)?;
    }
    Ok(stage)
}

pub(crate) fn service(servers: &[&str], check: &str, weight: u32) -> String {
    let mut text = format!(
        "{GLOBAL}virtual_server {ADDRESS} 80 {{\n delay_loop 0.5\n lb_algo rr\n lb_kind NAT\n protocol TCP\n"
    );
    for server in servers {
        let _ = writeln!(text, " real_server {server} {{\n weight {weight}\n {check}\n }}");
    }
    text + "}\n"
}

/// As [`TCP`], by a server that notices: of a check of TCP it would know nothing.
const PAGE: &str =
    "HTTP_GET {\n connect_timeout 0.4\n warmup 0\n url {\n path /\n status_code 200\n }\n }";
const TCP: &str = "TCP_CHECK {\n connect_timeout 0.4\n warmup 0\n }";
const BOTH: [&str; 2] = ["10.83.0.11 80", "10.83.0.12 80"];

pub(crate) fn pool(stage: &mut Stage) -> anyhow::Result<Pid> {
    let number = file(stage, "lb", "/run/standfast-pool.pid")?.trim().parse()?;
    Ok(stage.topology.node("lb")?.process(number)?)
}

/// Who has answered within the last half second.
fn answering(stage: &mut Stage) -> anyhow::Result<Vec<String>> {
    pause(Duration::from_millis(500));
    let from = clock::now();
    pause(Duration::from_millis(500));
    let samples = stage.samples(ADDRESS)?.iter().filter(|sample| sample.sent >= from);
    let mut pages: Vec<_> =
        samples.map(|sample| sample.page.clone().unwrap_or_else(|| "nobody".to_owned())).collect();
    pages.sort();
    pages.dedup();
    Ok(pages)
}

pub(crate) fn answered_by(stage: &mut Stage, wanted: &[&str]) -> anyhow::Result<()> {
    wait_for(stage, &format!("{wanted:?} answer"), seconds(5), |stage| {
        Ok(answering(stage)? == wanted)
    })
}

#[test]
fn a_pool_serves_by_those_that_are_good_and_survives_its_own_death() {
    let name = "pool::a_pool_serves_by_those_that_are_good_and_survives_its_own_death";
    in_sandbox(name, &[IP], || {
        let mut stage = stage()?;
        stage.start_standfast("lb", &service(&BOTH, TCP, 1))?;
        stage.start_probe(ADDRESS, ASK_EVERY)?;
        answered_by(&mut stage, &["s1", "s2"])?;
        stage.kill("s2", "web");
        answered_by(&mut stage, &["s1"])?;
        logged(&mut stage, "lb", "connection refused", seconds(1))?;
        // What the dead one knew is told to the next: s2 stays out, s1 in, and nobody is cut off.
        let from = clock::now();
        for _ in 0..2 {
            let pid = pool(&mut stage)?;
            kill(pid, SIGKILL)?;
            wait_for(&mut stage, "another pool", seconds(3), |stage| {
                Ok(pool(stage).is_ok_and(|new| new != pid))
            })?;
            answered_by(&mut stage, &["s1"])?;
        }
        let notice = stage.notice(ADDRESS, from)?;
        describe("pool killed twice", &notice);
        anyhow::ensure!(notice.lost == 0, "{} requests lost", notice.lost);
        stage.start_web("s2")?;
        answered_by(&mut stage, &["s1", "s2"])?;
        // A reload with another weight touches nothing else.
        let path = Path::new("/etc/keepalived/keepalived.conf");
        let from = clock::now();
        for weight in [2, 3] {
            let text = service(&BOTH, TCP, weight);
            stage.topology.node("lb")?.write_file(path, text.as_bytes())?;
            stage.signal("lb", "daemon", standfast_kernel::process::signal::SIGHUP)?;
            answered_by(&mut stage, &["s1", "s2"])?;
        }
        let notice = stage.notice(ADDRESS, from)?;
        anyhow::ensure!(notice.lost == 0, "{} requests lost", notice.lost);
        // Somebody else removes it all.
        run(&mut stage, "lb", "nft flush ruleset || nft delete table inet standfast || true")?;
        answered_by(&mut stage, &["s1", "s2"])?;
        stage.signal("lb", "daemon", standfast_kernel::process::signal::SIGTERM)?;
        wait_for(&mut stage, "the daemon ends", seconds(5), |stage| {
            Ok(stage.exit_code("lb", "daemon")?.is_some())
        })?;
        let left = run(&mut stage, "lb", "nft list tables")?;
        anyhow::ensure!(!left.iter().any(|line| line.contains("standfast")), "{left:?}");
        Ok(())
    });
}

/// A server on a node: what it does with each connection, and how many there were.
pub(crate) fn serve(
    stage: &mut Stage,
    node: &str,
    port: u16,
    work: fn(TcpStream),
) -> anyhow::Result<Arc<AtomicUsize>> {
    let listener =
        stage.topology.node(node)?.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))??;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || work(stream));
        }
    });
    Ok(count)
}

#[test]
fn probes_that_are_alike_run_once_and_serve_all() {
    let name = "pool::probes_that_are_alike_run_once_and_serve_all";
    in_sandbox(name, &[IP], || {
        let mut stage = stage()?;
        let count = serve(&mut stage, "s1", 8080, empty_page)?;
        let mut text = GLOBAL.to_owned();
        for port in 1000..1100 {
            let _ = writeln!(
                text,
                "virtual_server {ADDRESS} {port} {{\n delay_loop 1\n lb_kind NAT\n protocol TCP\n \
                 real_server 10.83.0.11 8080 {{\n {PAGE}\n }}\n}}"
            );
        }
        stage.start_standfast("lb", &text)?;
        logged(&mut stage, "lb", "100 services, 1 probes", seconds(3))?;
        pause(seconds(1));
        let from = count.load(Ordering::SeqCst);
        pause(seconds(5));
        let made = count.load(Ordering::SeqCst) - from;
        anyhow::ensure!((4..=6).contains(&made), "{made} connections in 5 s for 100 checks");
        Ok(())
    });
}

fn read_some(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
}

fn empty_page(mut stream: TcpStream) {
    read_some(&mut stream);
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
}

fn endless_headers(mut stream: TcpStream) {
    read_some(&mut stream);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
    while stream.write_all(&[b'x'; 4096]).is_ok() {}
}

fn endless_body(mut stream: TcpStream) {
    read_some(&mut stream);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    while stream.write_all(&[b'x'; 65536]).is_ok() {}
}

fn slow(mut stream: TcpStream) {
    for byte in b"HTTP/1.1 200 OK\r\n".iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        pause(Duration::from_millis(300));
    }
}

fn no_tls(mut stream: TcpStream) {
    let _ = stream.write_all(&[b'x'; 4096]);
    read_some(&mut stream);
}

fn silent(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
}

/// Resident memory, kB.
fn memory(pid: Pid) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(number.unwrap_or_default().parse()?)
}

#[test]
fn hostile_servers_cost_little_and_hold_nobody_up() {
    let name = "pool::hostile_servers_cost_little_and_hold_nobody_up";
    in_sandbox(name, &[IP], || {
        let mut stage = stage()?;
        let page = |kind: &str| {
            format!(
                "{kind} {{\n connect_timeout 2\n warmup 0\n retry 0\n url {{\n path /\n status_code 200\n \
                 digest 00000000000000000000000000000000\n }}\n }}"
            )
        };
        let mut servers = Vec::new();
        #[expect(
            clippy::type_complexity,
            reason = "a table: kind, what is said of it, what it does"
        )]
        let kinds: [(&str, &str, fn(TcpStream)); 6] = [
            ("HTTP_GET", "no complete answer|header", endless_headers),
            ("HTTP_GET", "no complete answer", endless_body),
            ("HTTP_GET", "no complete answer", slow),
            ("SSL_GET", "not TLS", no_tls),
            ("SSL_GET", "no answer", silent),
            ("SSL_GET", "no complete answer|not TLS", endless_body),
        ];
        let mut text = GLOBAL.to_owned();
        for (port, (kind, _, work)) in (9000..).zip(kinds) {
            servers.push(serve(&mut stage, "s1", port, work)?);
            let _ = writeln!(
                text,
                "virtual_server {ADDRESS} {port} {{\n delay_loop 0.2\n lb_kind NAT\n protocol TCP\n \
                 real_server 10.83.0.11 {port} {{\n {}\n }}\n}}",
                page(kind)
            );
        }
        let good = serve(&mut stage, "s2", 9100, empty_page)?;
        let _ = writeln!(
            text,
            "virtual_server {ADDRESS} 9100 {{\n delay_loop 0.1\n lb_kind NAT\n protocol TCP\n \
             real_server 10.83.0.12 9100 {{\n {PAGE}\n }}\n}}"
        );
        stage.start_standfast("lb", &text)?;
        let mut log = Vec::new();
        wait_for(&mut stage, "all are refused", seconds(10), |stage| {
            log.extend(stage.log("lb", "daemon")?);
            let said = |port: u16, words: &str| {
                log.iter().any(|line| {
                    line.contains(&format!("{port}"))
                        && words.split('|').any(|word| line.contains(word))
                })
            };
            Ok((9000..).zip(&kinds).all(|(port, (_, words, _))| said(port, words)))
        })?;
        let from = good.load(Ordering::SeqCst);
        pause(seconds(10));
        let made = good.load(Ordering::SeqCst) - from;
        anyhow::ensure!((75..=101).contains(&made), "{made} checks of the good one in 10 s");
        let pid = pool(&mut stage)?;
        let peak = memory(pid)?;
        crate::common::say(format_args!("{made} checks of the good one; at most {peak} kB"));
        anyhow::ensure!(peak < 64 << 10, "{peak} kB");
        Ok(())
    });
}

#[test]
fn commands_echoes_and_datagrams_decide_as_well() {
    let name = "pool::commands_echoes_and_datagrams_decide_as_well";
    in_sandbox(name, &[IP, "/bin/sh"], || {
        let mut stage = stage()?;
        run(&mut stage, "lb", "mkdir -p /run/app && echo 12 > /run/app/code")?;
        let script = "#!/bin/sh\nexit $(cat /run/app/code)\n";
        let path = Path::new("/run/app/check");
        stage.topology.node("lb")?.write_program(path, script.as_bytes())?;
        let service = |port: u16, server: &str, check: &str| {
            format!(
                "virtual_server {ADDRESS} {port} {{\n delay_loop 0.5\n lb_algo rr\n lb_kind NAT\n \
                 protocol UDP\n real_server {server} 9 {{\n weight 1\n {check} {{\n warmup 0\n retry 0\n}}\n }}\n}}\n"
            )
        };
        let misc = " misc_path /run/app/check\n misc_dynamic\n misc_timeout 1\n warmup 0\n";
        let text = GLOBAL.to_owned()
            + &service(1, "10.83.0.11", "PING_CHECK")
            + &service(2, "10.83.0.11", "UDP_CHECK")
            + &service(3, "10.83.0.12", "MISC_CHECK").replace(" warmup 0\n", misc)
            + &service(4, "10.83.0.77", "PING_CHECK");
        stage.start_standfast("lb", &text)?;
        let table = |stage: &mut Stage| run(stage, "lb", "nft list table inet standfast");
        let has = |lines: &[String], server: &str, words: &str| {
            lines.iter().any(|line| line.contains(server) && line.contains(words))
        };
        // Nobody has the port of UDP_CHECK, and nobody the last address.
        wait_for(&mut stage, "the first verdicts", seconds(10), |stage| {
            let lines = table(stage).unwrap_or_default();
            Ok(has(&lines, "udp . 1 . ::ffff:10.83.0.11", "weight 1 ")
                && !has(&lines, "udp . 2 . ::ffff:10.83.0.11", "")
                && has(&lines, "udp . 3 . ::ffff:10.83.0.12", "weight 10 ")
                && !has(&lines, "udp . 4 . ::ffff:10.83.0.77", ""))
        })?;
        run(&mut stage, "lb", "echo 5 > /run/app/code")?;
        wait_for(&mut stage, "another weight", seconds(3), |stage| {
            Ok(has(&table(stage)?, "udp . 3 . ::ffff:10.83.0.12", "weight 3 "))
        })?;
        run(&mut stage, "lb", "printf '#!/bin/sh\\nsleep 100\\n' > /run/app/check")?;
        logged(&mut stage, "lb", "no answer within 1 s", seconds(5))?;
        wait_for(&mut stage, "it is out", seconds(3), |stage| {
            Ok(!has(&table(stage)?, "udp . 3 . ::ffff:10.83.0.12", ""))
        })
    });
}
