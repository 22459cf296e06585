//! Starting a script or notify command: as whom, and whether it may run at all.

use standfast_conf::{Command, User};
use standfast_kernel::process::{
    Credentials, Environment, Output, Pid, Spawn, group_by_name, spawn, user_by_name,
};

use crate::security::changeable_part;

/// Commands without a user of their own run as this one where it exists, as keepalived has it.
const SCRIPT_USER: &str = "keepalived_script";

/// Starts a command. With `security` a program that others can change does not run as root; `visible`
/// output goes where the log goes.
///
/// # Errors
/// There is no such program, user or group, or it may not run.
pub(crate) fn start(command: &Command, security: bool, visible: bool) -> anyhow::Result<Pid> {
    let credentials = credentials(command.user.as_ref())?;
    let as_root = credentials.as_ref().is_none_or(|credentials| credentials.uid == 0);
    if security && as_root {
        refuse_changeable(command)?;
    }
    let mut what = Spawn::new(&command.argv);
    what.environment = Environment::Cleaned;
    what.credentials = credentials;
    if visible {
        what.stdout = Output::Inherited;
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

/// Whom a command runs as; `None` is as ourselves.
fn credentials(user: Option<&User>) -> anyhow::Result<Option<Credentials>> {
    let Some(user) = user else {
        let account = user_by_name(SCRIPT_USER)?;
        return Ok(account.map(|account| Credentials {
            uid: account.uid,
            gid: account.gid,
            groups: vec![account.gid],
        }));
    };
    let account = user_by_name(&user.name)?
        .ok_or_else(|| anyhow::anyhow!("user {} does not exist", user.name))?;
    let gid = match &user.group {
        None => account.gid,
        Some(group) => {
            group_by_name(group)?.ok_or_else(|| anyhow::anyhow!("group {group} does not exist"))?
        }
    };
    Ok(Some(Credentials { uid: account.uid, gid, groups: vec![gid] }))
}
