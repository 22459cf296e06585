//! The five deployments with their files, scripts and web servers: what their authors promise.

use std::{net::Ipv4Addr, time::Duration};

use standfast_kernel::{clock, process::signal};
use standfast_lab::{
    stage::{CLIENT, Stage},
    topology::Cable,
};

use crate::common::{
    ASK_EVERY, NGINX, describe, file, in_sandbox, install_script, logged, network, run, say,
    seconds, served_by, text, wait_for,
};

/// A request or two may be under way to a machine that vanishes.
const HANDOVER: Duration = Duration::from_millis(100);

/// Puts a scenario's script and nginx on nodes.
fn furnish(stage: &mut Stage, nodes: &[&str], script: Option<&str>) -> anyhow::Result<()> {
    for node in nodes {
        if let Some(script) = script {
            install_script(stage, node, script)?;
        }
        stage.install_nginx(node)?;
        stage.start_nginx(node)?;
    }
    Ok(())
}

fn start(stage: &mut Stage, node: &str, file: &str) -> anyhow::Result<()> {
    let text = text(file)?;
    stage.start_keepalived(node, &text, &[])
}

fn notice(
    stage: &mut Stage,
    address: Ipv4Addr,
    what: &str,
    bound: Duration,
    work: impl FnOnce(&mut Stage) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let from = clock::now();
    work(stage)?;
    let notice = stage.notice(address, from)?;
    describe(what, &notice);
    anyhow::ensure!(notice.gap <= bound, "{what}: nobody answered for {:?}", notice.gap);
    Ok(())
}

#[test]
fn a_container_that_stops_is_replaced_and_takes_over_again() {
    let name = "scenarios::a_container_that_stops_is_replaced_and_takes_over_again";
    in_sandbox(name, &[NGINX, "/usr/bin/killall"], || {
        let address = Ipv4Addr::new(172, 17, 0, 100);
        let mut stage = network(&[
            ("master", "eth0", "172.17.0.2/16"),
            ("slave", "eth0", "172.17.0.3/16"),
            (CLIENT, "eth0", "172.17.0.4/16"),
        ])?;
        furnish(&mut stage, &["master", "slave"], Some("container-pair/web_alive.sh"))?;
        start(&mut stage, "master", "container-pair/master/keepalived.conf")?;
        start(&mut stage, "slave", "container-pair/slave/keepalived.conf")?;
        stage.start_probe(address, ASK_EVERY)?;
        served_by(&mut stage, address, "master", seconds(6))?;
        // Its check never succeeds, because of the dash, and so its priority sinks to that of the slave.
        notice(&mut stage, address, "container stopped", Duration::from_millis(4000), |stage| {
            stage.topology.set_cable("master", "eth0", Cable::Pulled)?;
            stage.kill_everything("master")?;
            stage.stop_nginx("master")?;
            served_by(stage, address, "slave", seconds(8))
        })?;
        notice(&mut stage, address, "container back", HANDOVER, |stage| {
            stage.topology.set_cable("master", "eth0", Cable::Plugged)?;
            stage.start_nginx("master")?;
            start(stage, "master", "container-pair/master/keepalived.conf")?;
            served_by(stage, address, "master", seconds(8))
        })
    });
}

#[test]
fn haproxy_in_front_gets_the_masters_page_and_then_the_slaves() {
    let name = "scenarios::haproxy_in_front_gets_the_masters_page_and_then_the_slaves";
    in_sandbox(name, &[NGINX, "/usr/sbin/haproxy", "/usr/bin/pidof", "/usr/bin/curl"], || {
        let address = Ipv4Addr::new(172, 20, 128, 4);
        let mut stage = network(&[
            ("master", "eth0", "172.20.128.2/24"),
            ("slave", "eth0", "172.20.128.3/24"),
            (CLIENT, "eth0", "172.20.128.5/24"),
        ])?;
        furnish(&mut stage, &["master", "slave"], None)?;
        start(&mut stage, "master", "compose-haproxy/keepalived-master.conf")?;
        start(&mut stage, "slave", "compose-haproxy/keepalived-slave.conf")?;
        logged(&mut stage, "master", "[172.20.128.2]:tcp:80", seconds(2))?;
        stage.start_probe(address, ASK_EVERY)?;
        served_by(&mut stage, address, "master", seconds(6))?;
        let place = std::path::Path::new("/tmp/haproxy.cfg");
        stage
            .topology
            .node(CLIENT)?
            .write_file(place, text("compose-haproxy/haproxy.cfg")?.as_bytes())?;
        stage.start(CLIENT, "haproxy", &["/usr/sbin/haproxy", "-db", "-f", "/tmp/haproxy.cfg"])?;
        let asks = "curl -s -m 2 http://127.0.0.1:6301/";
        wait_for(&mut stage, "the master's page through haproxy", seconds(6), |stage| {
            Ok(stage.run(CLIENT, &["/bin/sh", "-c", asks])?.1 == ["master"])
        })?;
        notice(&mut stage, address, "master stopped", HANDOVER, |stage| {
            stage.signal("master", "daemon", signal::SIGTERM)?;
            served_by(stage, address, "slave", seconds(6))
        })?;
        let page = run(&mut stage, CLIENT, asks)?;
        anyhow::ensure!(page == ["slave"], "through haproxy: {page:?}");
        notice(&mut stage, address, "master returns", HANDOVER, |stage| {
            start(stage, "master", "compose-haproxy/keepalived-master.conf")?;
            served_by(stage, address, "master", seconds(8))
        })?;
        // `pidof nginx` has no weight: it fails, and so does the instance.
        notice(&mut stage, address, "nginx on the master dies", seconds(4), |stage| {
            stage.stop_nginx("master")?;
            served_by(stage, address, "slave", seconds(6))
        })
    });
}

#[test]
fn a_standby_takes_over_when_nginx_cannot_be_restarted() {
    let name = "scenarios::a_standby_takes_over_when_nginx_cannot_be_restarted";
    in_sandbox(name, &[NGINX, "/usr/bin/killall"], || {
        let address = Ipv4Addr::new(192, 168, 252, 101);
        let mut stage = network(&[
            ("node-131", "ens33", "192.168.252.131/24"),
            ("node-132", "ens33", "192.168.252.132/24"),
            (CLIENT, "ens33", "192.168.252.1/24"),
        ])?;
        furnish(&mut stage, &["node-131", "node-132"], Some("active-standby/check_nginx.sh"))?;
        start(&mut stage, "node-131", "active-standby/node-131/keepalived.conf")?;
        start(&mut stage, "node-132", "active-standby/node-132/keepalived.conf")?;
        stage.start_probe(address, ASK_EVERY)?;
        served_by(&mut stage, address, "node-131", seconds(6))?;
        // One that can be restarted is restarted, and nothing else happens.
        notice(&mut stage, address, "nginx dies", seconds(3), |stage| {
            stage.stop_nginx("node-131")?;
            wait_for(stage, "the page is gone", seconds(2), |stage| {
                Ok(stage.samples(address)?.last().is_some_and(|sample| sample.page.is_none()))
            })?;
            served_by(stage, address, "node-131", seconds(6))
        })?;
        notice(&mut stage, address, "nginx dies for good", seconds(9), |stage| {
            stage.break_nginx("node-131")?;
            served_by(stage, address, "node-132", seconds(15))
        })?;
        wait_for(&mut stage, "the script has ended keepalived", seconds(2), |stage| {
            Ok(stage.exit_code("node-131", "daemon")? == Some(0))
        })?;
        notice(&mut stage, address, "repaired", HANDOVER, |stage| {
            stage.repair_nginx("node-131")?;
            stage.start_nginx("node-131")?;
            start(stage, "node-131", "active-standby/node-131/keepalived.conf")?;
            served_by(stage, address, "node-131", seconds(8))
        })
    });
}

#[test]
fn two_active_nodes_stand_in_for_each_other() {
    let name = "scenarios::two_active_nodes_stand_in_for_each_other";
    in_sandbox(name, &[NGINX], || {
        let first = Ipv4Addr::new(192, 168, 252, 101);
        let second = Ipv4Addr::new(192, 168, 252, 102);
        let mut stage = network(&[
            ("node-131", "ens33", "192.168.252.131/24"),
            ("node-132", "ens33", "192.168.252.132/24"),
            (CLIENT, "ens33", "192.168.252.1/24"),
        ])?;
        furnish(&mut stage, &["node-131", "node-132"], Some("dual-active/check_nginx.sh"))?;
        let each_its_own = |stage: &mut Stage| {
            served_by(stage, first, "node-131", seconds(8))?;
            served_by(stage, second, "node-132", seconds(8))
        };
        for node in ["node-131", "node-132"] {
            start(&mut stage, node, &format!("dual-active/{node}/keepalived.conf"))?;
        }
        for address in [first, second] {
            stage.start_probe(address, ASK_EVERY)?;
        }
        each_its_own(&mut stage)?;
        for (node, other) in [("node-131", "node-132"), ("node-132", "node-131")] {
            notice(&mut stage, first, &format!("{node} is stopped"), HANDOVER, |stage| {
                stage.signal(node, "daemon", signal::SIGTERM)?;
                served_by(stage, first, other, seconds(6))?;
                served_by(stage, second, other, seconds(6))
            })?;
            notice(&mut stage, second, &format!("{node} is back"), HANDOVER, |stage| {
                start(stage, node, &format!("dual-active/{node}/keepalived.conf"))?;
                each_its_own(stage)
            })?;
        }
        Ok(())
    });
}

#[test]
fn a_page_that_fails_lowers_the_priority_and_moves_the_address() {
    let name = "scenarios::a_page_that_fails_lowers_the_priority_and_moves_the_address";
    in_sandbox(name, &[NGINX, "/usr/bin/curl"], || {
        let address = Ipv4Addr::new(172, 29, 88, 222);
        let mut stage = network(&[
            ("nginx01", "eth0", "172.29.88.224/24"),
            ("nginx02", "eth0", "172.29.88.225/24"),
            (CLIENT, "eth0", "172.29.88.1/24"),
        ])?;
        furnish(&mut stage, &["nginx01", "nginx02"], Some("uplink-pair/check_page.sh"))?;
        for node in ["nginx01", "nginx02"] {
            start(&mut stage, node, &format!("uplink-pair/{node}/keepalived.conf"))?;
        }
        stage.start_probe(address, ASK_EVERY)?;
        served_by(&mut stage, address, "nginx01", seconds(9))?;
        // Only the page of the check: the other one goes on and shows who serves.
        notice(&mut stage, address, "the page fails", HANDOVER, |stage| {
            run(stage, "nginx01", "mv /tmp/nginx/html/login.html /tmp/nginx/away")?;
            logged(stage, "nginx01", "effective priority 101 -> 96", seconds(20))?;
            served_by(stage, address, "nginx02", seconds(10))
        })?;
        notice(&mut stage, address, "the page is repaired", HANDOVER, |stage| {
            run(stage, "nginx01", "mv /tmp/nginx/away /tmp/nginx/html/login.html")?;
            logged(stage, "nginx01", "effective priority 96 -> 101", seconds(15))?;
            served_by(stage, address, "nginx01", seconds(10))
        })
    });
}

#[test]
fn the_address_moves_between_directors_and_notify_is_called() {
    let name = "scenarios::the_address_moves_between_directors_and_notify_is_called";
    in_sandbox(name, &[NGINX, "/bin/bash"], || {
        let address = Ipv4Addr::new(192, 168, 10, 100);
        let mut stage = network(&[
            ("director", "eth0", "192.168.10.10/24"),
            ("second", "eth0", "192.168.10.11/24"),
            (CLIENT, "eth0", "192.168.10.50/24"),
        ])?;
        furnish(&mut stage, &["director", "second"], Some("lvs-director/notify.sh"))?;
        // What an operator changes for a second director, and in the first to name it.
        let file = text("lvs-director/keepalived.conf")?;
        let peers = |own: &str| {
            let other = if own == "10" { "11" } else { "10" };
            file.replace("192.168.10.1\n        192.168.10.2", &format!("192.168.10.{other}"))
        };
        let second = peers("11")
            .replace("state MASTER", "state BACKUP")
            .replace("priority 100", "priority 90")
            .replace("unicast_src_ip 192.168.10.10", "unicast_src_ip 192.168.10.11");
        stage.start_keepalived("director", &peers("10"), &[])?;
        stage.start_keepalived("second", &second, &[])?;
        logged(
            &mut stage,
            "director",
            "the virtual server has no real servers and is ignored",
            seconds(2),
        )?;
        stage.start_probe(address, ASK_EVERY)?;
        served_by(&mut stage, address, "director", seconds(6))?;
        let label = run(&mut stage, "director", "ip -4 addr show dev eth0")?.join("\n");
        anyhow::ensure!(label.contains("192.168.10.100/24") && label.contains("eth0:1"), "{label}");
        told(&mut stage, "director", "backup\nmaster\n")?;
        told(&mut stage, "second", "backup\n")?;
        notice(&mut stage, address, "director stopped", HANDOVER, |stage| {
            stage.signal("director", "daemon", signal::SIGTERM)?;
            served_by(stage, address, "second", seconds(6))
        })?;
        told(&mut stage, "second", "backup\nmaster\n")?;
        notice(&mut stage, address, "director back", HANDOVER, |stage| {
            stage.start_keepalived("director", &peers("10"), &[])?;
            served_by(stage, address, "director", seconds(6))
        })?;
        told(&mut stage, "second", "backup\nmaster\nbackup\n")?;
        say("directors: notify told backup, master, backup, in that order");
        Ok(())
    });
}

fn told(stage: &mut Stage, node: &str, expected: &str) -> anyhow::Result<()> {
    wait_for(stage, &format!("{node} was told {expected:?}"), seconds(3), |stage| {
        Ok(file(stage, node, "/tmp/notified")? == expected)
    })
}
