//! `file:` URIs and paths.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
};

/// The path of a URI. Buffers that are no files (`untitled:1`) keep their URI for a path.
pub(crate) fn to_path(uri: &str) -> PathBuf {
    let Some(rest) = uri.strip_prefix("file://") else { return uri.into() };
    // An authority like `localhost` stands before the first slash.
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(rest);
    normal(Path::new(&OsString::from_vec(decode(path.as_bytes()))))
}

/// The URI of a path.
pub(crate) fn from_path(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        match plain {
            true => uri.push(char::from(byte)),
            false => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The path without `.` and `..`, so that two ways to write it are one.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(part),
        }
    }
    normal
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| tail.get(..2)).flatten();
        let byte = escaped
            .and_then(|digits| str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_the_way_to_a_uri_and_back() {
        for path in ["/etc/keepalived/keepalived.conf", "/tmp/a b%/ü.conf"] {
            assert_eq!(to_path(&from_path(Path::new(path))), Path::new(path));
        }
    }

    #[test]
    fn other_spellings_of_a_file_are_the_same_path() {
        for uri in ["file:///etc/x/a%2econf", "file://localhost/etc/./y/../x/a.conf"] {
            assert_eq!(to_path(uri), Path::new("/etc/x/a.conf"), "{uri}");
        }
        assert_eq!(to_path("file:///a%zz%"), Path::new("/a%zz%"));
        assert_eq!(to_path("untitled:1"), Path::new("untitled:1"));
    }
}
