//! Starting a script or notify command: as whom, and whether it may run at all.

use rustix::process::{getegid, geteuid};
use standfast_conf::Command;
use standfast_kernel::process::{
    Credentials, Environment, Output, Pid, Spawn, User, group_by_name, groups_of, spawn,
    user_by_name,
};

use crate::security::changeable_part;

/// Commands without a user of their own run as this one where it exists, as keepalived has it.
const SCRIPT_USER: &str = "keepalived_script";

/// How commands are started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// A program that others than root can change does not run as root.
    pub(crate) security: bool,
    /// They have all groups of their user, not the primary one alone.
    pub(crate) all_groups: bool,
    /// What they complain about goes where the log goes.
    pub(crate) complaints: bool,
}

/// Starts a command.
///
/// # Errors
/// There is no such program, user or group, or it may not run.
pub(crate) fn start(command: &Command, manner: Manner) -> anyhow::Result<Pid> {
    let Manner { security, all_groups, complaints } = manner;
    let mut credentials = credentials(command.user.as_ref())?;
    if let Some(credentials) = credentials.as_mut().filter(|_| all_groups) {
        let name = command.user.as_ref().map_or(SCRIPT_USER, |user| &user.name);
        credentials.groups = groups_of(name, credentials.gid)?;
    }
    let as_root = match &credentials {
        Some(credentials) => credentials.uid == 0,
        None => geteuid().is_root(),
    };
    if security && as_root {
        refuse_changeable(command)?;
    }
    let mut what = Spawn::new(&command.argv);
    what.environment = Environment::Cleaned;
    what.credentials = credentials;
    // What a check prints every other second is no news; what it complains about may be.
    if complaints {
        what.stderr = Output::Inherited;
    }
    Ok(spawn(what)?)
}

fn refuse_changeable(command: &Command) -> anyhow::Result<()> {
    let Some(program) = command.argv.first() else { return Ok(()) };
    if let Some(part) = changeable_part(program)? {
        let part = part.display();
        anyhow::bail!("enable_script_security: others than root can change {part}");
    }
    Ok(())
}

/// Whom a command runs as, or a FIFO belongs to; `None` is as ourselves, which needs no right to change.
pub(crate) fn credentials(
    user: Option<&standfast_conf::User>,
) -> anyhow::Result<Option<Credentials>> {
    let Some(user) = user else {
        let account = user_by_name(SCRIPT_USER)?;
        return Ok(account.map(|account| Credentials {
            uid: account.uid,
            gid: account.gid,
            groups: vec![account.gid],
        }));
    };
    let account = match user.name.parse() {
        Ok(number) => User { uid: number, gid: number },
        Err(_) => user_by_name(&user.name)?
            .ok_or_else(|| anyhow::anyhow!("user {} does not exist", user.name))?,
    };
    let gid = match &user.group {
        None => account.gid,
        Some(group) => match group.parse() {
            Ok(number) => number,
            Err(_) => group_by_name(group)?
                .ok_or_else(|| anyhow::anyhow!("group {group} does not exist"))?,
        },
    };
    let ourselves = geteuid().as_raw() == account.uid && getegid().as_raw() == gid;
    let credentials = Credentials { uid: account.uid, gid, groups: vec![gid] };
    Ok((!ourselves).then_some(credentials))
}
