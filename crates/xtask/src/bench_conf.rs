//! How long reading a large configuration takes, and how much memory, beside Debian's keepalived
//! in the same run.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use standfast_kernel::process::wait_with_peak;

use crate::{say, steps::now};

const KEEPALIVED: &str = "/usr/sbin/keepalived";
/// Our time is at most this part of keepalived's.
const TIME: f64 = 0.25;
/// Our memory is at most so many times keepalived's.
const MEMORY: f64 = 2.0;
/// Ten times the input takes at most so many times as long.
const TENFOLD: f64 = 12.5;

/// A configuration to read.
struct Input {
    name: &'static str,
    write: fn(&mut dyn Write) -> io::Result<()>,
    /// Whether memory has a bound too.
    memory: bool,
}

const INPUTS: [Input; 4] = [
    Input { name: "3,000 virtual servers", write: |to| services(to, 3_000), memory: true },
    Input { name: "1,000 instances", write: instances, memory: false },
    Input { name: "10,000 real servers", write: |to| services(to, 1_000), memory: false },
    Input { name: "100,000 real servers", write: |to| services(to, 10_000), memory: false },
];

/// So many virtual servers with ten real servers each.
fn services(to: &mut dyn Write, count: u32) -> io::Result<()> {
    for service in 0..count {
        let (high, low) = (service / 250, service % 250);
        writeln!(
            to,
            "virtual_server 192.168.{high}.{low} 80 {{\n    delay_loop 6\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP"
        )?;
        for server in 1..=10 {
            writeln!(
                to,
                "    real_server 10.{high}.{low}.{server} 80 {{\n        weight 1\n        TCP_CHECK {{\n            connect_timeout 3\n        }}\n    }}"
            )?;
        }
        writeln!(to, "}}\n")?;
    }
    Ok(())
}

/// A thousand instances, 250 in each of four multicast groups.
fn instances(to: &mut dyn Write) -> io::Result<()> {
    let interface = interface();
    for instance in 0..1000 {
        let (group, vrid) = (instance / 250, instance % 250 + 1);
        writeln!(
            to,
            "vrrp_instance VI_{instance} {{\n    state BACKUP\n    interface {interface}\n    virtual_router_id {vrid}\n    mcast_dst_ip 224.0.{group}.18\n    priority 100\n    advert_int 1\n    virtual_ipaddress {{\n        10.{group}.{vrid}.1/24\n    }}\n}}\n"
        )?;
    }
    Ok(())
}

/// An interface of this machine: keepalived looks for it.
fn interface() -> String {
    let names = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name != "lo").collect();
    names.sort();
    names.into_iter().next().unwrap_or_else(|| "eth0".to_owned())
}

/// What a run took: its time, and its memory in bytes.
#[derive(Clone, Copy, Debug)]
struct Cost {
    time: Duration,
    memory: u64,
}

impl Cost {
    /// Median time and median memory.
    fn median(mut runs: Vec<Self>) -> Option<Self> {
        let middle = runs.len() / 2;
        runs.sort_by_key(|run| run.time);
        let time = runs.get(middle)?.time;
        runs.sort_by_key(|run| run.memory);
        Some(Self { time, memory: runs.get(middle)?.memory })
    }
}

/// Both programs on one input.
struct Row {
    name: &'static str,
    bytes: u64,
    ours: Cost,
    theirs: Option<Cost>,
    memory: bool,
}

/// Reads every input so many times with both programs, in turns. An error when a bound breaks.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let rounds: usize = args.first().map_or(Ok(5), |n| n.parse()).context("rounds")?;
    let program = program()?;
    let keepalived = Path::new(KEEPALIVED).exists();
    if !keepalived {
        say("SKIPPED: keepalived's figures: it is not installed");
    }
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for input in &INPUTS {
        let path = folder.path().join("keepalived.conf");
        let mut file = BufWriter::new(File::create(&path)?);
        (input.write)(&mut file)?;
        file.flush()?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(cost(Command::new(&program).args(["check", "-f"]).arg(&path))?);
            if keepalived {
                theirs.push(cost(Command::new(KEEPALIVED).args(["-t", "-f"]).arg(&path))?);
            }
        }
        rows.push(Row {
            name: input.name,
            bytes: fs::metadata(&path)?.len(),
            ours: Cost::median(ours).context("no rounds")?,
            theirs: Cost::median(theirs),
            memory: input.memory,
        });
    }
    say(&table(&rows));
    let broken = broken(&rows);
    broken.iter().for_each(|bound| say(bound));
    anyhow::ensure!(broken.is_empty(), "{} bounds broken", broken.len());
    Ok(())
}

/// The release build beside this program's own.
fn program() -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    let target = own.ancestors().nth(2).context("this program lies in no target folder")?;
    Ok(target.join("release").join("standfast"))
}

/// Runs a program to its end, unheard.
fn cost(command: &mut Command) -> anyhow::Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = now();
    let child = command.spawn()?;
    let (status, memory) = wait_with_peak(child)?;
    let time = began.elapsed();
    anyhow::ensure!(status.code().is_some(), "{command:?}: {status}");
    Ok(Cost { time, memory })
}

fn table(rows: &[Row]) -> String {
    let mut text =
        String::from("input                       MB    ours         keepalived        ratio\n");
    let show = |cost: &Cost| {
        format!("{:7.1} ms {:5.1} MB", cost.time.as_secs_f64() * 1e3, megabytes(cost.memory))
    };
    for row in rows {
        let _ = write!(text, "{:<22} {:6.1}  {}", row.name, megabytes(row.bytes), show(&row.ours));
        if let Some(theirs) = &row.theirs {
            let (time, memory) = ratios(&row.ours, theirs);
            let _ =
                write!(text, "  {}  {time:.2} x the time, {memory:.2} x the memory", show(theirs));
        }
        text.push('\n');
    }
    text
}

fn broken(rows: &[Row]) -> Vec<String> {
    let mut broken = Vec::new();
    for row in rows {
        let Some(theirs) = &row.theirs else { continue };
        let (time, memory) = ratios(&row.ours, theirs);
        if time > TIME {
            broken.push(format!("{}: {time:.2} x the time; at most {TIME}", row.name));
        }
        if row.memory && memory > MEMORY {
            broken.push(format!("{}: {memory:.2} x the memory; at most {MEMORY}", row.name));
        }
    }
    if let [.., tenth, whole] = rows {
        let growth = whole.ours.time.as_secs_f64() / tenth.ours.time.as_secs_f64();
        if growth > TENFOLD {
            broken.push(format!(
                "ten times the servers take {growth:.1} x as long; at most {TENFOLD}"
            ));
        }
    }
    broken
}

fn ratios(ours: &Cost, theirs: &Cost) -> (f64, f64) {
    let memory = megabytes(ours.memory) / megabytes(theirs.memory);
    (ours.time.as_secs_f64() / theirs.time.as_secs_f64(), memory)
}

/// Of a million bytes, in tenths.
fn megabytes(bytes: u64) -> f64 {
    let tenths = u32::try_from(bytes / 100_000).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}
