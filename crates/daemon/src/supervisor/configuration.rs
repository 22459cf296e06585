//! From the file to a model, at start and on reload.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use standfast_conf::{Class, Code, Diagnostic, Disk, Loaded, Model, Severity, Sources, load};
use standfast_kernel::clock;
use standfast_types::InterfaceName;

use crate::{
    Options,
    calendar::{stamp, wall_clock},
    log::Log,
};

/// A configuration that runs, and the mistakes that it runs with.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) model: Model,
    mistakes: BTreeSet<String>,
}

/// Reads the file and logs what is wrong with it; `None` when it can't run.
pub(super) fn read(options: &Options, log: &mut Log) -> Option<Configuration> {
    read_and_tell(options, log, None)
}

/// As [`read`]; the findings go into the file at `copy` too.
fn read_and_tell(options: &Options, log: &mut Log, copy: Option<&str>) -> Option<Configuration> {
    let config_id = options.config_id.clone().unwrap_or_else(host_name);
    let seed = clock::now().as_nanos();
    let environment = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    // An interface that is not there yet may come: the machine is no reason to refuse a file.
    let (host, on_this_host) = (None, false);
    let include_check = options.include_check;
    let conf =
        standfast_conf::Options { config_id, seed, include_check, environment, host, on_this_host };
    let loaded = load(&options.file, &conf, &Disk::default());
    report(&loaded, log);
    let mistakes = loaded.diagnostics.iter().filter(|d| is_mistake(d)).map(identity).collect();
    if let Some(path) = copy {
        let lines = loaded.diagnostics.iter().map(|found| one_line(found, &loaded.sources) + "\n");
        if let Err(error) = fs::write(path, lines.collect::<String>()) {
            log.warning(&format!("findings could not be written to {path}: {error}"));
        }
    }
    let mut model = loaded.model?;
    if !options.bfd {
        model.failover.bfd.clear();
    }
    if let Some(namespace) = &options.namespace {
        model.global.place.namespace = Some(namespace.clone());
    }
    if let Some(directory) = &model.global.supervision.save_directory
        && let Err(error) = save(Path::new(directory), &loaded.sources)
    {
        log.warning(&format!("no copy of the configuration in {directory}: {error}"));
    }
    Some(Configuration { model, mistakes })
}

/// Reads the file again; `None` when it must not be taken over.
pub(super) fn reload(
    options: &Options,
    running: &Configuration,
    log: &mut Log,
) -> Option<Configuration> {
    let copy = running.model.global.supervision.reload_log.as_deref();
    let new = read_and_tell(options, log, copy)?;
    if let Some(reason) = objection(&running.model, &new, &running.mistakes) {
        log.error(&reason);
        return None;
    }
    Some(new)
}

/// Why a file that could start a daemon must not be taken over by a running one: what is being served is
/// worth more than a change with a typing error in it.
fn objection(running: &Model, new: &Configuration, known: &BTreeSet<String>) -> Option<String> {
    if new.model.global.place != running.global.place {
        return Some("net_namespace, instance and use_pid_dir need a restart".to_owned());
    }
    let instances = &new.model.failover.instances;
    let serves = |model: &Model| !model.pool.balance.services.is_empty();
    if instances.is_empty() && serves(running) && !serves(&new.model) {
        return Some(
            "no virtual server is left in the file; to let go of all, stop the daemon".to_owned(),
        );
    }
    if instances.is_empty() && !running.failover.instances.is_empty() {
        return Some(
            "no instance is left in the file; to let go of all, stop the daemon".to_owned(),
        );
    }
    let mistaken = new.mistakes.difference(known).next().is_some();
    for old in &running.failover.instances {
        let now = instances.iter().find(|instance| instance.name == old.name);
        if new.model.left_out.contains(&old.name) {
            return Some(format!("{} could not run any more and its addresses would go", old.name));
        }
        if mistaken && now != Some(old) {
            return Some(format!(
                "{} would change, and there are new mistakes in the file: correct them first",
                old.name
            ));
        }
        if let Some(now) = now
            && now.interface != old.interface
            && !now.interface.is_any()
            && !exists(&now.interface)
            && exists(&old.interface)
        {
            return Some(format!("{}: interface {} does not exist", old.name, now.interface));
        }
    }
    if mistaken { changed_service(running, &new.model) } else { None }
}

/// A service that a file with new mistakes would change or lose.
fn changed_service(running: &Model, new: &Model) -> Option<String> {
    let now: BTreeMap<_, _> =
        new.pool.balance.services.iter().map(|service| (&service.name, service)).collect();
    let mut services = running.pool.balance.services.iter();
    let old = services.find(|old| now.get(&old.name) != Some(old))?;
    let what = if now.contains_key(&old.name) { "change" } else { "be lost" };
    Some(format!(
        "virtual server {} would {what}, and there are new mistakes in the file: correct them first",
        old.name
    ))
}

/// Keeps a copy of all files of a configuration, readable by its owner only: they may hold passwords.
fn save(directory: &Path, sources: &Sources) -> io::Result<()> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let path = directory.join(format!("keepalived.conf.{}", stamp(wall_clock())));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for (_, source) in sources.iter() {
        writeln!(file, "# {}", source.path().display())?;
        file.write_all(source.bytes())?;
    }
    Ok(())
}

fn exists(interface: &InterfaceName) -> bool {
    // Unlike /sys, it shows the network namespace that we are in.
    Path::new("/proc/sys/net/ipv4/conf").join(interface.as_str()).exists()
}

/// Whether something that was written is ignored or corrected.
fn is_mistake(diagnostic: &Diagnostic) -> bool {
    let class = diagnostic.keepalived;
    // What keepalived alone does not know does what it says here.
    let ignored = matches!(class, Some(Class::Error | Class::Fatal | Class::GivesUp))
        && diagnostic.code != Code::OwnWord;
    diagnostic.severity == Severity::Error || ignored
}

/// The same mistake, wherever it stands now.
fn identity(diagnostic: &Diagnostic) -> String {
    format!("{} {}", diagnostic.code, diagnostic.message)
}

/// The host's name up to the first dot: what `@id` conditions are compared with by default.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn report(loaded: &Loaded, log: &mut Log) {
    for diagnostic in &loaded.diagnostics {
        let line = one_line(diagnostic, &loaded.sources);
        match diagnostic.severity {
            Severity::Error => log.error(&line),
            Severity::Warning => log.warning(&line),
            Severity::Note => log.info(&line),
        }
    }
}

/// `/etc/keepalived/keepalived.conf:12:5: SF0101 ...`, with what to write instead.
fn one_line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let span = diagnostic.primary.span;
    let at = sources.position(span);
    let path = sources.path(span).display();
    let (code, message) = (diagnostic.code, &diagnostic.message);
    let hint = diagnostic.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{path}:{}:{}: {code} {message}{hint}", at.line, at.column)
}

#[cfg(test)]
mod tests {
    use standfast_conf::{Memory, load};

    use super::*;

    const SERVICE: &str = "virtual_server 192.0.2.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.1 80 {\n weight 1\n TCP_CHECK {\n }\n }\n}\n";
    const INSTANCE: &str = "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1\n }\n}\n";

    fn configuration(text: &str) -> Configuration {
        let files = Memory::default().with("/a.conf", text);
        let loaded = load("/a.conf".as_ref(), &standfast_conf::Options::default(), &files);
        let mistakes = loaded.diagnostics.iter().filter(|d| is_mistake(d)).map(identity).collect();
        Configuration { model: loaded.model.expect("it runs"), mistakes }
    }

    fn objection_to(old: &str, new: &str) -> Option<String> {
        let old = configuration(old);
        objection(&old.model, &configuration(new), &old.mistakes)
    }

    #[test]
    fn a_service_may_change_and_go_without_mistakes() {
        let both = format!("{INSTANCE}{SERVICE}");
        assert_eq!(objection_to(&both, INSTANCE), None);
        assert_eq!(objection_to(SERVICE, &SERVICE.replace("weight 1", "weight 9")), None);
    }

    #[test]
    fn a_service_is_not_lost_or_changed_by_a_file_with_new_mistakes() {
        let both = format!("{INSTANCE}{SERVICE}");
        let lost = objection_to(&both, &both.replace("virtual_server 192", "virtual_servr 192"));
        assert!(lost.is_some_and(|text| text.contains("[192.0.2.1]:tcp:80 would be lost")));
        let moved = objection_to(SERVICE, &SERVICE.replace("weight 1", "weigth 9"));
        assert_eq!(moved, None, "its weight was the usual one, and still is");
        let changed = SERVICE.replace("weight 1", "weight 9").replace("TCP_CHECK", "TCP_CHEK");
        assert!(objection_to(SERVICE, &changed).is_some_and(|text| text.contains("would change")));
        let mistaken = SERVICE.replace("lb_algo rr", "lb_algo rr\n nat_mask 255.0.0.0");
        let heavier = mistaken.replace("weight 1", "weight 9");
        assert_eq!(objection_to(&mistaken, &heavier), None, "the mistake is an old one");
    }

    #[test]
    fn the_last_service_of_a_daemon_without_instances_stays() {
        assert!(objection_to(SERVICE, "global_defs {\n}\n").is_some());
    }

    #[test]
    fn a_word_of_our_own_is_no_mistake() {
        let own = SERVICE.replace("lb_algo rr", "lb_algo wrr\n on_failure reset");
        assert_eq!(objection_to(SERVICE, &own), None);
    }
}
