//! Users and groups by name, as the C library finds them (files, LDAP, systemd).

use std::{
    ffi::{CStr, CString, c_char},
    mem::MaybeUninit,
    ptr::null_mut,
};

use crate::error::Error;

/// The largest record that is accepted: a group may have many members.
const LARGEST: usize = 1 << 20;

/// A user's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// The id of the user's own group.
    pub gid: u32,
}

/// The user with this name; `None` when there is none. Blocks while it asks.
///
/// # Errors
/// The C library could not look.
#[expect(unsafe_code, reason = "no safe crate asks the C library for users")]
pub fn user_by_name(name: &str) -> Result<Option<User>, Error> {
    look_up("look up a user", name, |name, buffer| {
        let mut record = MaybeUninit::<libc::passwd>::uninit();
        let mut found = null_mut();
        // SAFETY: all pointers are to live memory, and the buffer's length is its own.
        let errno = unsafe {
            let (start, length) = (buffer.as_mut_ptr(), buffer.len());
            libc::getpwnam_r(name.as_ptr(), record.as_mut_ptr(), start, length, &raw mut found)
        };
        if found.is_null() {
            return (errno, None);
        }
        // SAFETY: a result that is not null says that the record was filled.
        let record = unsafe { record.assume_init() };
        (errno, Some(User { uid: record.pw_uid, gid: record.pw_gid }))
    })
}

/// The id of the group with this name; `None` when there is none. Blocks while it asks.
///
/// # Errors
/// The C library could not look.
#[expect(unsafe_code, reason = "no safe crate asks the C library for groups")]
pub fn group_by_name(name: &str) -> Result<Option<u32>, Error> {
    look_up("look up a group", name, |name, buffer| {
        let mut record = MaybeUninit::<libc::group>::uninit();
        let mut found = null_mut();
        // SAFETY: all pointers are to live memory, and the buffer's length is its own.
        let errno = unsafe {
            let (start, length) = (buffer.as_mut_ptr(), buffer.len());
            libc::getgrnam_r(name.as_ptr(), record.as_mut_ptr(), start, length, &raw mut found)
        };
        if found.is_null() {
            return (errno, None);
        }
        // SAFETY: a result that is not null says that the record was filled.
        let record = unsafe { record.assume_init() };
        (errno, Some(record.gr_gid))
    })
}

/// All groups of a user with this name and primary group. Blocks while it asks.
///
/// # Errors
/// The C library could not look.
#[expect(unsafe_code, reason = "no safe crate asks the C library for groups")]
pub fn groups_of(name: &str, gid: u32) -> Result<Vec<u32>, Error> {
    const MOST: usize = 65_536;
    let Ok(name) = CString::new(name) else { return Ok(vec![gid]) };
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the name ends with a zero byte, and `count` says how many numbers there is room for.
        let result =
            unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        let found = usize::try_from(count).unwrap_or_default();
        if result >= 0 {
            groups.truncate(found);
            return Ok(groups);
        }
        if groups.len() >= MOST {
            return Err(Error::from_errno("look up groups", libc::ERANGE, None));
        }
        groups.resize(groups.len().saturating_mul(4).max(found).min(MOST), 0);
    }
}

/// Asks with a larger and larger buffer, until it holds the record.
fn look_up<T>(
    operation: &'static str,
    name: &str,
    ask: impl Fn(&CStr, &mut [c_char]) -> (i32, Option<T>),
) -> Result<Option<T>, Error> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let mut size = 4096_usize;
    loop {
        match ask(&name, &mut vec![0; size]) {
            (libc::ERANGE, None) if size < LARGEST => size = size.saturating_mul(4),
            // The C library reports "not found" in several ways.
            (0 | libc::ENOENT | libc::ESRCH, found) => return Ok(found),
            (errno, _) => return Err(Error::from_errno(operation, errno, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_number_0_and_a_stranger_is_none() {
        assert_eq!(user_by_name("root").expect("look"), Some(User { uid: 0, gid: 0 }));
        assert_eq!(group_by_name("root").expect("look"), Some(0));
        assert_eq!(user_by_name("no-such-user-here").expect("look"), None);
        assert_eq!(group_by_name("no-such-group-here").expect("look"), None);
        assert!(groups_of("root", 0).expect("look").contains(&0));
        assert_eq!(groups_of("no-such-user-here", 7).expect("look"), [7]);
        assert_eq!(user_by_name("ro\0ot").expect("look"), None);
    }
}
