//! `enable_script_security`: what runs as root must not be changeable by anybody else.

use std::{
    env, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Group and others may write.
const SHARED: u32 = 0o022;

/// The part of a program's path that somebody other than root can change, if there is one. Looked at
/// anew before every run: what was safe at start need not be safe now.
///
/// # Errors
/// There is no such program.
pub(crate) fn changeable_part(program: &str) -> io::Result<Option<PathBuf>> {
    let path = fs::canonicalize(locate(program)?)?;
    for part in path.ancestors() {
        let metadata = fs::metadata(part)?;
        if metadata.uid() != 0 || metadata.mode() & SHARED != 0 {
            return Ok(Some(part.to_owned()));
        }
    }
    Ok(None)
}

/// Where a program lies; one without a slash is looked up as the system will look it up.
fn locate(program: &str) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Ok(program.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| is_executable(candidate))
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_of_the_system_is_safe_and_found_without_its_path() {
        assert_eq!(changeable_part("/bin/sh").expect("it exists"), None);
        assert_eq!(changeable_part("sh").expect("it exists"), None);
    }

    #[test]
    fn the_part_that_others_can_change_is_named() {
        let directory = env::temp_dir().join(format!("standfast-security-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let script = directory.join("check.sh");
        fs::write(&script, "#!/bin/sh\n").expect("a script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).expect("permissions");
        let text = script.to_str().expect("text").to_owned();
        let found = changeable_part(&text).expect("it exists");
        fs::remove_dir_all(&directory).expect("removed");
        assert_eq!(found.as_deref(), Some(script.as_path()));
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        assert!(changeable_part("/nonexistent").is_err());
        assert!(changeable_part("no-such-program-anywhere").is_err());
    }
}
