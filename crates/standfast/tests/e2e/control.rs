//! What operators do at run time: the kernel has it when they are told so, and it lasts as long as it should.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use standfast_kernel::process::{kill, signal};
use standfast_lab::stage::{CLIENT, Stage, pause};

use crate::{
    common::{ASK_EVERY, file, in_sandbox, logged, program, run, seconds, wait_for},
    pool::{ADDRESS, IP, answered_by, pool, serve, service, stage},
};

const NFT: &str = "/usr/sbin/nft";
const PYTHON: &str = "/usr/bin/python3";
const BOTH: [&str; 2] = ["10.83.0.11 80", "10.83.0.12 80"];

/// The command's exit code, and all that it said.
fn order(stage: &mut Stage, words: &str) -> anyhow::Result<(i32, String)> {
    let program = program();
    let argv: Vec<&str> = std::iter::once(program.as_str()).chain(words.split(' ')).collect();
    let (code, lines) = stage.run("lb", &argv)?;
    Ok((code, lines.join("\n")))
}

fn obeyed(stage: &mut Stage, words: &str) -> anyhow::Result<String> {
    let (code, said) = order(stage, words)?;
    anyhow::ensure!(code == 0, "{words}: {code}, {said}");
    Ok(said)
}

/// Servers that are in the kernel, as `nft` lists them.
fn kernel(stage: &mut Stage) -> anyhow::Result<String> {
    Ok(run(stage, "lb", "nft list set inet standfast servers")?.join("\n"))
}

fn started() -> anyhow::Result<Stage> {
    let mut stage = stage()?;
    stage.topology.node("lb")?.make_directory(Path::new("/var/lib/standfast"))?;
    stage.start_standfast("lb", &service(&BOTH, "", 1))?;
    stage.start_probe(ADDRESS, ASK_EVERY)?;
    answered_by(&mut stage, &["s1", "s2"])?;
    Ok(stage)
}

#[test]
fn an_order_is_acknowledged_when_the_kernel_has_it() {
    let name = "control::an_order_is_acknowledged_when_the_kernel_has_it";
    in_sandbox(name, &[IP, NFT], || {
        let mut stage = started()?;
        for weight in [7, 3, 9] {
            let said = obeyed(&mut stage, &format!("weight {ADDRESS}:80 10.83.0.11 {weight}"))?;
            anyhow::ensure!(said.ends_with(&format!("has weight {weight}")), "{said}");
            let kernel = kernel(&mut stage)?;
            anyhow::ensure!(kernel.contains(&format!("weight {weight} ")), "{kernel}");
        }
        obeyed(&mut stage, &format!("weight {ADDRESS}:80 10.83.0.11:80 default"))?;
        obeyed(&mut stage, &format!("disable {ADDRESS}:80/tcp 10.83.0.12"))?;
        answered_by(&mut stage, &["s1"])?;
        obeyed(&mut stage, &format!("enable {ADDRESS} 10.83.0.12"))?;
        answered_by(&mut stage, &["s1", "s2"])?;
        obeyed(&mut stage, &format!("server remove {ADDRESS} 10.83.0.12"))?;
        answered_by(&mut stage, &["s1"])?;
        // What is ordered stands over a reload and the death of the pool.
        obeyed(&mut stage, "reload")?;
        let pid = pool(&mut stage)?;
        kill(pid, signal::SIGKILL)?;
        wait_for(&mut stage, "another pool", seconds(3), |stage| {
            Ok(pool(stage).is_ok_and(|new| new != pid))
        })?;
        answered_by(&mut stage, &["s1"])?;
        let pools = obeyed(&mut stage, "pools")?;
        anyhow::ensure!(pools.contains("removed"), "{pools}");
        obeyed(&mut stage, &format!("enable {ADDRESS} 10.83.0.12"))?;
        answered_by(&mut stage, &["s1", "s2"])?;

        let (code, said) = order(&mut stage, "weight 10.83.0.100:81 10.83.0.11 1")?;
        anyhow::ensure!(code == 1 && said.contains("there is 10.83.0.100:80/tcp"), "{code} {said}");
        let (code, said) = order(&mut stage, "weight 10.83.0.100:80 10.83.0.13 1")?;
        anyhow::ensure!(code == 1 && said.contains("10.83.0.11:80 and"), "{code} {said}");
        let (code, said) = order(&mut stage, "pools --socket /run/nobody.sock")?;
        anyhow::ensure!(code == 3 && said.contains("no such socket"), "{code} {said}");
        Ok(())
    });
}

/// Sends for about three seconds, whatever it is asked.
fn long_download(mut stream: TcpStream) {
    for _ in 0..30 {
        if stream.write_all(b"more").is_err() {
            return;
        }
        pause(Duration::from_millis(100));
    }
}

#[test]
fn a_drain_waits_for_a_long_download_and_then_removes_the_server() {
    let name = "control::a_drain_waits_for_a_long_download_and_then_removes_the_server";
    in_sandbox(name, &[IP, NFT], || {
        let mut stage = stage()?;
        let downloads = serve(&mut stage, "s1", 8080, long_download)?;
        stage.start_standfast("lb", &service(&["10.83.0.11 8080"], "", 1))?;
        wait_for(&mut stage, "it is in the kernel", seconds(5), |stage| {
            Ok(kernel(stage).is_ok_and(|kernel| kernel.contains("10.83.0.11")))
        })?;
        let mut stream =
            stage.topology.node(CLIENT)?.run(|| TcpStream::connect((ADDRESS, 80)))??;
        stream.read_exact(&mut [0; 4])?;
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).map(|_| all.len())
        });
        let said = obeyed(&mut stage, &format!("drain {ADDRESS}:80 10.83.0.11"))?;
        anyhow::ensure!(said.contains("gets no new connections"), "{said}");
        let listed = kernel(&mut stage)?;
        anyhow::ensure!(listed.contains("weight 0 "), "it stays for those that it has: {listed}");
        let said = obeyed(&mut stage, &format!("drain {ADDRESS}:80 10.83.0.11 --wait"))?;
        anyhow::ensure!(said.ends_with("is drained and removed"), "{said}");
        anyhow::ensure!(reader.is_finished(), "the download was not over");
        let read = reader.join().map_err(|_| anyhow::anyhow!("the reader died"))??;
        anyhow::ensure!(read == 29 * 4, "{read} bytes of the download");
        let listed = kernel(&mut stage)?;
        anyhow::ensure!(!listed.contains("10.83.0.11"), "{listed}");
        anyhow::ensure!(downloads.load(std::sync::atomic::Ordering::SeqCst) == 1, "one download");
        Ok(())
    });
}

#[test]
fn what_is_persistent_outlives_a_restart_and_nothing_else_does() {
    let name = "control::what_is_persistent_outlives_a_restart_and_nothing_else_does";
    in_sandbox(name, &[IP, NFT], || {
        let mut stage = started()?;
        obeyed(&mut stage, &format!("disable {ADDRESS} 10.83.0.12 --persist"))?;
        obeyed(&mut stage, &format!("weight {ADDRESS} 10.83.0.11 5"))?;
        let add = format!("server add {ADDRESS} 10.83.0.13 80 --weight 4");
        obeyed(&mut stage, &format!("{add} --persist"))?;
        let (code, said) = order(&mut stage, &add)?;
        anyhow::ensure!(code == 1 && said.contains("is there already"), "{code} {said}");
        let state = "/var/lib/standfast/standfast.orders";
        let mode = run(&mut stage, "lb", &format!("stat -c %a {state}"))?;
        anyhow::ensure!(mode == ["600"], "{mode:?}");

        restart(&mut stage)?;
        let pools = obeyed(&mut stage, "pools")?;
        anyhow::ensure!(pools.contains("disabled (kept over restarts)"), "{pools}");
        anyhow::ensure!(pools.contains("added (kept over restarts)"), "{pools}");
        anyhow::ensure!(!pools.contains("weight 5"), "{pools}");
        let listed = kernel(&mut stage)?;
        anyhow::ensure!(listed.contains("weight 4 ") && !listed.contains("10.83.0.12"), "{listed}");

        // A file that can't be understood is said and left alone.
        stage.topology.node("lb")?.write_file(Path::new(state), b"{ rubbish")?;
        restart(&mut stage)?;
        logged(&mut stage, "lb", "is damaged", seconds(3))?;
        answered_by(&mut stage, &["s1", "s2"])?;
        Ok(())
    });
}

fn restart(stage: &mut Stage) -> anyhow::Result<()> {
    stage.signal("lb", "daemon", signal::SIGTERM)?;
    wait_for(stage, "it ends", seconds(8), |stage| Ok(stage.exit_code("lb", "daemon")?.is_some()))?;
    anyhow::ensure!(file(stage, "lb", "/run/standfast.sock")?.is_empty());
    let program = program();
    stage.start("lb", "daemon", &[&program, "run"])?;
    wait_for(stage, "the kernel has it", seconds(5), |stage| {
        Ok(kernel(stage).is_ok_and(|kernel| kernel.contains("10.83.0.11")))
    })
}

/// Clients of every bad kind, for as long as the test.
const RUDE: &str = r#"
import os, socket, time
path = "/run/standfast.sock"
def new():
    one = socket.socket(socket.AF_UNIX); one.connect(path); return one
keep = []
for number in range(40):
    one = new(); keep.append(one)
    try:
        if number % 4 == 0: one.sendall(b"\xff" * 100 + b"\0")
        if number % 4 == 1: one.sendall(b'{"method":')
        if number % 4 == 2: one.sendall(b"x" * 200000)
        if number % 4 == 3: one.sendall(b'{"method":"standfast.control.Pools"}\0' * 100)
    except OSError: pass
print("rude", flush=True)
time.sleep(30)
"#;

#[test]
fn clients_that_are_rude_or_hang_harm_nobody() {
    let name = "control::clients_that_are_rude_or_hang_harm_nobody";
    in_sandbox(name, &[IP, NFT, PYTHON], || {
        let mut stage = started()?;
        stage.topology.node("lb")?.write_file(Path::new("/tmp/rude.py"), RUDE.as_bytes())?;
        let daemon = file(&mut stage, "lb", "/run/standfast.pid")?;
        for role in ["rude1", "rude2"] {
            stage.start("lb", role, &[PYTHON, "/tmp/rude.py"])?;
        }
        for weight in 1..5 {
            obeyed(&mut stage, &format!("weight {ADDRESS} 10.83.0.11 {weight}"))?;
            pause(Duration::from_millis(200));
        }
        anyhow::ensure!(file(&mut stage, "lb", "/run/standfast.pid")? == daemon, "it lives");
        answered_by(&mut stage, &["s1", "s2"])?;
        // Another user has no business there, whatever the socket's mode.
        run(&mut stage, "lb", "chmod 666 /run/standfast.sock")?;
        let ask = format!("setpriv --reuid 65534 --clear-groups {} pools", program());
        let (code, said) = stage.run("lb", &["/bin/sh", "-c", &ask])?;
        anyhow::ensure!(code == 1 && said.concat().contains("only root"), "{code} {said:?}");
        Ok(())
    });
}
