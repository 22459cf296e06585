//! Real nginx servers behind nftables: by NAT and by direct return, over IPv4 and IPv6.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use standfast_kernel::{
    clock,
    process::signal::{SIGHUP, SIGKILL},
};
use standfast_lab::stage::{CLIENT, Stage, pause};

use crate::common::{
    ASK_EVERY, NGINX, describe, enable_ipv6, file, in_sandbox, network, run, seconds, wait_for,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 100);
const ADDRESS6: Ipv6Addr = Ipv6Addr::new(0xfd83, 0, 0, 0, 0, 0, 0, 0x100);
const SERVERS: [(&str, u8); 3] = [("s1", 11), ("s2", 12), ("sorry", 13)];
const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";
/// A download has so many parts, one every 100 ms.
const PARTS: usize = 90;
const PORT: u16 = 8080;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nat,
    Direct,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Nat => "NAT",
            Self::Direct => "DR",
        }
    }
}

/// A director with the addresses, two servers and one that says sorry, all with nginx, and a client.
fn stage(kind: Kind) -> anyhow::Result<Stage> {
    let mut stage = network(&[
        ("lb", "eth0", "10.83.0.1/24"),
        ("s1", "eth0", "10.83.0.11/24"),
        ("s2", "eth0", "10.83.0.12/24"),
        ("sorry", "eth0", "10.83.0.13/24"),
        (CLIENT, "eth0", "10.83.0.3/24"),
    ])?;
    enable_ipv6(&mut stage, &[("lb", 1), ("s1", 11), ("s2", 12), ("sorry", 13), (CLIENT, 3)])?;
    let forward = format!(
        "cd /proc/sys/net && echo 1 > ipv4/ip_forward && echo 1 > ipv6/conf/all/forwarding && \
         for i in all eth0; do echo 0 > ipv4/conf/$i/send_redirects; done; \
         ip address add {ADDRESS}/32 dev eth0 && ip address add {ADDRESS6}/128 dev eth0 nodad preferred_lft 0"
    );
    run(&mut stage, "lb", &forward)?;
    for (server, _) in SERVERS {
        let answers = match kind {
            Kind::Nat => {
                // The director would tell them of the shorter way.
                "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_redirects && \
                 ip route add 10.83.0.3/32 via 10.83.0.1 && ip route add fd83::3 via fd83::1"
                    .to_owned()
            }
            Kind::Direct => format!(
                "cd /proc/sys/net/ipv4/conf/all && echo 1 > arp_ignore && echo 2 > arp_announce && \
                 ip address add {ADDRESS}/32 dev lo && ip address add {ADDRESS6}/128 dev lo nodad"
            ),
        };
        run(&mut stage, server, &answers)?;
        stage.install_nginx(server)?;
        let place = Path::new("/tmp/nginx/nginx.conf");
        let text = file(&mut stage, server, "/tmp/nginx/nginx.conf")?;
        let text = text.replace("listen 80;", "listen 80; listen [::]:80;");
        stage.topology.node(server)?.write_file(place, text.as_bytes())?;
        stage.start_nginx(server)?;
    }
    Ok(stage)
}

/// Settings of both services, of IPv4 and IPv6.
struct Wanted<'a> {
    kind: Kind,
    weights: [u32; 2],
    lines: &'a str,
}

impl Wanted<'_> {
    fn text(&self) -> String {
        let mut text = "global_defs {\n lvs_data_plane nftables\n script_user root\n}\n".to_owned();
        for (address, net) in [(IpAddr::from(ADDRESS), "10.83.0."), (ADDRESS6.into(), "fd83::")] {
            let _ = writeln!(
                text,
                "virtual_server {address} 80 {{\n delay_loop 0.3\n lb_algo wrr\n lb_kind {}\n protocol TCP\n \
                 {}\n sorry_server {net}13 80\n sorry_server_lvs_method {}",
                self.kind.word(),
                self.lines,
                self.kind.word()
            );
            for ((_, number), weight) in SERVERS.into_iter().zip(self.weights) {
                let _ = writeln!(
                    text,
                    " real_server {net}{number} 80 {{\n weight {weight}\n \
                     TCP_CHECK {{\n connect_timeout 1\n warmup 0\n retry 0\n }}\n }}"
                );
            }
            text += "}\n";
        }
        // For downloads, from whoever listens there.
        let _ = writeln!(
            text,
            "virtual_server {ADDRESS} {PORT} {{\n lb_algo rr\n lb_kind {}\n protocol TCP\n \
             real_server 10.83.0.11 {PORT} {{\n weight 1\n }}\n}}",
            self.kind.word()
        );
        text
    }

    fn load(&self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.topology.node("lb")?.write_file(Path::new(CONFIGURATION), self.text().as_bytes())?;
        stage.signal("lb", "daemon", SIGHUP)
    }
}

/// Who answers that many requests, each on a connection of its own.
fn ask(
    stage: &mut Stage,
    address: IpAddr,
    times: usize,
) -> anyhow::Result<BTreeMap<String, usize>> {
    let ask = || {
        let mut pages = BTreeMap::new();
        for _ in 0..times {
            let page = page((address, 80).into()).unwrap_or_else(|_| "nobody".to_owned());
            *pages.entry(page).or_default() += 1;
        }
        pages
    };
    Ok(stage.topology.node(CLIENT)?.run(ask)?)
}

fn page(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, seconds(1))?;
    stream.set_read_timeout(Some(seconds(1)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

/// Waits until that many requests are answered so over both families.
fn answered(stage: &mut Stage, times: usize, wanted: &[(&str, usize)]) -> anyhow::Result<()> {
    let wanted: BTreeMap<_, _> =
        wanted.iter().map(|(page, times)| ((*page).to_owned(), *times)).collect();
    for address in [IpAddr::from(ADDRESS), ADDRESS6.into()] {
        let mut last = BTreeMap::new();
        let reached = stage.wait_until(seconds(10), |stage| {
            last = ask(stage, address, times)?;
            Ok(last == wanted)
        })?;
        anyhow::ensure!(reached, "{address} is answered by {last:?}, not {wanted:?}");
    }
    Ok(())
}

/// What balances serves by weight, keeps clients, says sorry, and drains.
fn serves(kind: Kind) -> anyhow::Result<()> {
    let mut stage = stage(kind)?;
    let plain = Wanted { kind, weights: [3, 1], lines: "" };
    stage.start_standfast("lb", &plain.text())?;
    answered(&mut stage, 40, &[("s1", 30), ("s2", 10)])?;
    // No new connections for a server with weight 0.
    Wanted { weights: [3, 0], ..plain }.load(&mut stage)?;
    answered(&mut stage, 10, &[("s1", 10)])?;
    Wanted { lines: "persistence_timeout 60", ..plain }.load(&mut stage)?;
    for address in [IpAddr::from(ADDRESS), ADDRESS6.into()] {
        wait_for(&mut stage, "one server for one client", seconds(5), |stage| {
            let pages = ask(stage, address, 10)?;
            Ok(pages.len() == 1 && !pages.contains_key("nobody"))
        })?;
    }
    // Also for those whom another one served.
    stage.stop_nginx("s1")?;
    answered(&mut stage, 4, &[("s2", 4)])?;
    stage.stop_nginx("s2")?;
    answered(&mut stage, 4, &[("sorry", 4)])?;
    plain.load(&mut stage)?;
    for server in ["s1", "s2"] {
        stage.start_nginx(server)?;
    }
    answered(&mut stage, 40, &[("s1", 30), ("s2", 10)])
}

#[test]
fn nat_spreads_clients_over_nginx() {
    in_sandbox("balancing::nat_spreads_clients_over_nginx", &[NGINX], || serves(Kind::Nat));
}

#[test]
fn direct_return_spreads_clients_over_nginx() {
    let name = "balancing::direct_return_spreads_clients_over_nginx";
    in_sandbox(name, &[NGINX], || serves(Kind::Direct));
}

/// A server on `s1` that sends slowly.
fn upload(stage: &mut Stage) -> anyhow::Result<()> {
    let bind = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT));
    let listener = stage.topology.node("s1")?.run(bind)??;
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                for _ in 0..PARTS {
                    if stream.write_all(&[b'x'; 1000]).is_err() {
                        return;
                    }
                    pause(Duration::from_millis(100));
                }
            });
        }
    });
    Ok(())
}

/// A client that reads it to its end: how many bytes came.
fn download(stage: &mut Stage) -> anyhow::Result<JoinHandle<usize>> {
    let connect = || TcpStream::connect((ADDRESS, PORT));
    let mut stream = stage.topology.node(CLIENT)?.run(connect)??;
    Ok(thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes.len()
    }))
}

/// A download and new connections go on through all that happens beside them.
fn survives(kind: Kind) -> anyhow::Result<()> {
    let mut stage = stage(kind)?;
    let plain = Wanted { kind, weights: [1, 1], lines: "" };
    run(&mut stage, "lb", "nft add table ip others && nft add chain ip others here")?;
    stage.start_standfast("lb", &plain.text())?;
    upload(&mut stage)?;
    answered(&mut stage, 10, &[("s1", 5), ("s2", 5)])?;
    stage.start_probe(ADDRESS, ASK_EVERY)?;
    let download = download(&mut stage)?;
    pause(seconds(1));
    let from = clock::now();
    Wanted { weights: [2, 1], ..plain }.load(&mut stage)?;
    pause(seconds(1));
    let pool: i32 = file(&mut stage, "lb", "/run/standfast-pool.pid")?.trim().parse()?;
    let pid = stage.topology.node("lb")?.process(pool)?;
    standfast_kernel::process::kill(pid, SIGKILL)?;
    pause(seconds(1));
    // Random reloads of another service.
    for round in 0..100_u32 {
        let mut text = Wanted { weights: [round * 7 % 5 + 1, 1], ..plain }.text();
        for port in 0..round * 13 % 4 {
            let _ = writeln!(
                text,
                "virtual_server {ADDRESS} {} {{\n lb_algo rr\n lb_kind {}\n protocol TCP\n {}\n \
                 real_server 10.83.0.12 {} {{\n weight 1\n }}\n}}",
                9000 + port,
                kind.word(),
                if round * 11 % 2 == 0 { "" } else { "persistence_timeout 60" },
                9000 + port,
            );
        }
        let lb = stage.topology.node("lb")?;
        lb.write_file(Path::new(CONFIGURATION), text.as_bytes())?;
        stage.signal("lb", "daemon", SIGHUP)?;
        pause(Duration::from_millis(50));
    }
    let read = download.join().unwrap_or_default();
    let notice = stage.notice(ADDRESS, from)?;
    describe("reloads, and a dead pool", &notice);
    anyhow::ensure!(read == PARTS * 1000, "the download ended after {read} bytes");
    anyhow::ensure!(
        notice.lost == 0 && notice.cut == 0,
        "{} lost, {} cut",
        notice.lost,
        notice.cut
    );
    let tables = run(&mut stage, "lb", "nft list tables")?;
    anyhow::ensure!(tables.iter().any(|line| line == "table ip others"), "{tables:?}");
    Ok(())
}

#[test]
fn a_download_by_nat_survives_reloads_and_a_dead_pool() {
    let name = "balancing::a_download_by_nat_survives_reloads_and_a_dead_pool";
    in_sandbox(name, &[NGINX], || survives(Kind::Nat));
}

#[test]
fn a_download_by_direct_return_survives_reloads_and_a_dead_pool() {
    let name = "balancing::a_download_by_direct_return_survives_reloads_and_a_dead_pool";
    in_sandbox(name, &[NGINX], || survives(Kind::Direct));
}
