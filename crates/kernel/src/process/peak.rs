//! How much memory a child took.

use std::{io, mem::zeroed, os::unix::process::ExitStatusExt, process::Child, process::ExitStatus};

use crate::error::{During, Error};

/// Waits for a child to end. How it ended, and the most memory that it had at one time, in bytes;
/// never less than what this process had when it started the child.
///
/// # Errors
/// `Gone` when somebody else has waited for it.
#[expect(unsafe_code, reason = "no safe crate tells a single child's use of memory")]
pub fn wait_with_peak(child: Child) -> Result<(ExitStatus, u64), Error> {
    let pid = libc::pid_t::try_from(child.id()).unwrap_or_default();
    let mut status = 0;
    // SAFETY: `rusage` is plain data; all zero is a valid value of it.
    let mut usage: libc::rusage = unsafe { zeroed() };
    loop {
        // SAFETY: both pointers are to live values of the types that the kernel fills in.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if waited == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error).during("wait for a child");
        }
    }
    let kibibytes = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    Ok((ExitStatus::from_raw(status), kibibytes * 1024))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_that_takes_more_memory_has_the_higher_peak() {
        let peak = |bytes: u32| {
            let fill = format!("head -c {bytes} /dev/zero | tr '\\0' x");
            let script = format!("x=$({fill}); test ${{#x}} = {bytes}");
            let child = Command::new("/bin/sh").args(["-c", &script]).spawn().expect("sh");
            let (status, peak) = wait_with_peak(child).expect("our child");
            assert!(status.success());
            peak
        };
        assert!(peak(1) > 0);
        assert!(peak(64 << 20) >= peak(1) + (32 << 20));
    }
}
