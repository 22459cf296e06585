//! What checks of thousands of servers cost, beside HAProxy, which checks the same servers natively.

use std::{fmt::Write as _, path::Path, time::Duration};

use standfast_kernel::process::signal::SIGTERM;

use super::bed::{Usage, build};
use crate::{
    bench::say,
    stage::{Stage, pause},
};

const NODE: &str = "n1";
const NGINX: &str = "/usr/sbin/nginx";
const HAPROXY: &str = "/usr/sbin/haproxy";
const CERTIFICATE: &str = "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key.pem \
    -out /tmp/cert.pem -days 30 -subj /CN=a.example";
const SERVERS: &str = "worker_processes 1; daemon off; pid /tmp/nginx.pid; user root;
error_log /dev/null crit; worker_rlimit_nofile 60000;
events { worker_connections 30000; }
http {
    access_log off; keepalive_requests 100000;
    ssl_session_cache shared:sessions:10m;
    client_body_temp_path /tmp/n1; proxy_temp_path /tmp/n2; fastcgi_temp_path /tmp/n3;
    uwsgi_temp_path /tmp/n4; scgi_temp_path /tmp/n5;
    server { listen 8000 backlog=8192; return 200 \"ok\"; }
    server {
        listen 8443 ssl backlog=8192; return 200 \"ok\";
        ssl_certificate /tmp/cert.pem; ssl_certificate_key /tmp/key.pem;
    }
}
";

/// Who balances by NAT has connection tracking on, for all connections of the machine; so both shall have it.
const TRACKING: &str = "nft 'table inet nat { chain in { type nat hook prerouting priority 0; }; \
    chain out { type nat hook output priority 0; }; }'";

/// What is checked.
struct Work {
    name: &'static str,
    kind: Kind,
    servers: u32,
    /// Seconds.
    interval: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp,
    Http,
    Https,
}

const WORKS: [Work; 3] = [
    Work { name: "10,000 TCP checks every 2 s", kind: Kind::Tcp, servers: 10_000, interval: 2 },
    Work { name: "2,000 HTTP checks a second", kind: Kind::Http, servers: 2_000, interval: 1 },
    Work { name: "500 HTTPS checks a second", kind: Kind::Https, servers: 500, interval: 1 },
];

/// Measures each work for so many seconds, us and then HAProxy. 1 when ours costs more.
pub(crate) fn run(program: &Path, seconds: u64) -> anyhow::Result<u8> {
    let window = Duration::from_secs(seconds);
    let mut code = 0;
    for work in &WORKS {
        let mut stage = build(program, &[NODE], 1)?;
        prepare(&mut stage)?;
        let program = stage.program().display().to_string();
        put(&mut stage, "/etc/keepalived/keepalived.conf", &ours(work))?;
        let us = measure(&mut stage, work, window, &[&program, "run", "-v"])?;
        for line in stage.log(NODE, "daemon")? {
            if line.contains("checks were made") {
                say(&format!("    {line}"));
            }
        }
        put(&mut stage, "/tmp/haproxy.cfg", &theirs(work))?;
        let them = measure(&mut stage, work, window, &[HAPROXY, "-f", "/tmp/haproxy.cfg", "-db"])?;
        let words = |(cpu, kib): (u64, u64)| {
            format!("{}.{:02} % of a processor, {} MiB", cpu / 100, cpu % 100, kib / 1024)
        };
        say(&format!("{}: Standfast {}; HAProxy {}", work.name, words(us), words(them)));
        if us.0 > them.0 || (work.kind == Kind::Tcp && us.1 > them.1) {
            say("    BROKEN: it costs more");
            code = 1;
        }
    }
    Ok(code)
}

fn put(stage: &mut Stage, path: &str, text: &str) -> anyhow::Result<()> {
    Ok(stage.topology.node(NODE)?.write_file(Path::new(path), text.as_bytes())?)
}

fn prepare(stage: &mut Stage) -> anyhow::Result<()> {
    let set = "cd /proc/sys/net && echo 10000 65000 > ipv4/ip_local_port_range; \
               echo 8192 > core/somaxconn; ip link set lo up";
    for command in [set, CERTIFICATE, TRACKING] {
        let (code, said) = stage.run(NODE, &["/bin/sh", "-c", command])?;
        anyhow::ensure!(code == 0, "{command}: {said:?}");
    }
    put(stage, "/tmp/nginx.conf", SERVERS)?;
    stage.start(NODE, "web", &[NGINX, "-c", "/tmp/nginx.conf", "-e", "/dev/null"])?;
    pause(Duration::from_secs(1));
    Ok(())
}

/// Processor time and memory of a daemon that has settled: hundredths of a percent, KiB.
fn measure(
    stage: &mut Stage,
    work: &Work,
    window: Duration,
    argv: &[&str],
) -> anyhow::Result<(u64, u64)> {
    stage.start(NODE, "daemon", argv)?;
    pause(Duration::from_secs(u64::from(work.interval) + 5));
    let before = Usage::of(stage, NODE)?;
    pause(window);
    let after = Usage::of(stage, NODE)?;
    stage.signal(NODE, "daemon", SIGTERM)?;
    stage.wait_until(Duration::from_secs(30), |stage| {
        Ok(stage.exit_code(NODE, "daemon")?.is_some())
    })?;
    Ok((after.cpu_since(before, window), after.kib))
}

/// Every server has an address of loopback, for its port is the same.
fn address(server: u32) -> String {
    format!("127.{}.{}.{}", 10 + server / 62_500, server / 250 % 250, server % 250 + 1)
}

const fn port(kind: Kind) -> u16 {
    match kind {
        Kind::Tcp | Kind::Http => 8000,
        Kind::Https => 8443,
    }
}

fn ours(work: &Work) -> String {
    let page = "connect_timeout 2\nhttp_protocol 1.1\nurl {\npath /\nstatus_code 200\n}";
    let check = match work.kind {
        Kind::Tcp => "TCP_CHECK {\nconnect_timeout 2\n}".to_owned(),
        Kind::Http => format!("HTTP_GET {{\n{page}\n}}"),
        Kind::Https => format!("SSL_GET {{\n{page}\n}}"),
    };
    let mut text = "global_defs {\nlvs_data_plane nftables\nscript_user root\n}\n".to_owned();
    // Writing to a string can't fail.
    for server in 0..work.servers {
        if server % 100 == 0 {
            let service = server / 100;
            let end = if server == 0 { "" } else { "}\n" };
            let _ = write!(
                text,
                "{end}virtual_server 10.9.{}.{} 80 {{\ndelay_loop {}\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n",
                service / 250,
                service % 250 + 1,
                work.interval
            );
        }
        let (address, port) = (address(server), port(work.kind));
        let _ = write!(text, "real_server {address} {port} {{\n{check}\n}}\n");
    }
    text + "}\n"
}

fn theirs(work: &Work) -> String {
    let mode = if work.kind == Kind::Tcp { "tcp" } else { "http" };
    let mut text = format!(
        "global\n maxconn 4000\n nbthread 1\n ssl-server-verify none\ndefaults\n mode {mode}\n timeout connect 2s\n \
         timeout server 2s\n timeout client 2s\n timeout check 2s\nlisten all\n bind 127.0.0.1:9999\n"
    );
    if work.kind != Kind::Tcp {
        text += " option httpchk\n http-check send meth GET uri / ver HTTP/1.1 hdr host a\n \
                 http-check expect status 200\n";
    }
    let more = if work.kind == Kind::Https { " check-ssl verify none" } else { "" };
    for server in 0..work.servers {
        let (address, port, interval) = (address(server), port(work.kind), work.interval);
        let _ = writeln!(text, " server s{server} {address}:{port} check inter {interval}s{more}");
    }
    text
}
