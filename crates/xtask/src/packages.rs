//! Debian's packages that the tests run against.

use std::{fs, path::Path, process::Command};

use anyhow::Context;

use crate::say;

/// A program of a package, and what can't be tested without it.
const WANTED: [(&str, &str, &str); 12] = [
    ("keepalived", "/usr/sbin/keepalived", "keepalived as the other node"),
    ("nginx-light", "/usr/sbin/nginx", "nginx behind the address"),
    ("tshark", "/usr/bin/tshark", "that every packet we send is well-formed"),
    ("curl", "/usr/bin/curl", "the check script of the uplink pair"),
    ("psmisc", "/usr/bin/killall", "killall keepalived"),
    ("haproxy", "/usr/sbin/haproxy", "HAProxy in front of the address"),
    ("tcpdump", "/usr/bin/tcpdump", "what is on the wire when an address is put back"),
    ("iproute2", "/bin/ip", "an address that somebody deletes"),
    ("groff-base", "/usr/bin/groff", "that the manual pages are well-formed"),
    ("frr", "/usr/lib/frr/bfdd", "FRR as a BFD neighbour"),
    ("bird2", "/usr/sbin/bird", "BIRD as a BFD neighbour"),
    ("procps", "/usr/bin/ps", "check scripts that look for processes"),
];
/// Says no to every service that a package wants to start.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing when we may; says what will be skipped when not.
pub(crate) fn install() -> anyhow::Result<()> {
    let missing: Vec<_> =
        WANTED.iter().filter(|(_, program, _)| !Path::new(program).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root = fs::metadata("/proc/self").is_ok_and(|data| {
        use std::os::unix::fs::MetadataExt;
        data.uid() == 0
    });
    if root && Path::new("/usr/bin/apt-get").exists() {
        let names: Vec<_> = missing.iter().map(|(package, _, _)| *package).collect();
        say(&format!("installing Debian's {}", names.join(", ")));
        apt(&names)?;
    }
    for (package, program, what) in WANTED {
        if !Path::new(program).exists() {
            say(&format!("SKIPPED: {what}: install {package} (as root this is done for you)"));
        }
    }
    Ok(())
}

fn apt(packages: &[&str]) -> anyhow::Result<()> {
    // Nothing that is installed for a test shall start serving on this machine.
    let ours = !Path::new(POLICY).exists();
    if ours {
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").context("forbid services to start")?;
        Command::new("chmod").args(["755", POLICY]).status()?;
    }
    let run = |args: &[&str]| -> anyhow::Result<()> {
        let status = Command::new("apt-get")
            .args(["-qq", "-o", "DPkg::Lock::Timeout=600"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()?;
        anyhow::ensure!(status.success(), "apt-get {}: {status}", args.join(" "));
        Ok(())
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    let result = run(&["update"]).and_then(|()| run(&install));
    if ours {
        fs::remove_file(POLICY)?;
    }
    result
}
