//! The other side of the control socket: for command lines.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::request::INTERFACE;

/// Where daemons listen that were not told otherwise.
const PLACES: [&str; 2] = ["/run/standfast", "/run/keepalived"];
/// Network namespaces have directories of their own below.
const DEPTH: u8 = 2;
/// The daemon answers within this time, which is longer than it waits itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no result. Texts are sentences for the operator.
#[derive(Debug, PartialEq, Eq)]
pub enum CallError {
    /// No daemon, or more than one, or it does not talk to us.
    Unreachable(String),
    /// It says no, or that nothing can be done now.
    Refused(String),
    /// It does not know whether it is done.
    Unconfirmed(String),
}

/// Whether an answer may take as long as connections last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It comes at once, or something is wrong.
    Short,
    /// It may.
    Long,
}

/// Asks the daemon that listens at `socket`, or the only one on this machine.
///
/// # Errors
/// It can't be asked, or refuses.
pub fn call(
    socket: Option<&Path>,
    method: &str,
    parameters: &Value,
    wait: Wait,
) -> Result<Value, CallError> {
    let (path, mut stream) = match socket {
        Some(path) => (path.to_owned(), connect(path).map_err(|error| unreachable(path, &error))?),
        None => find()?,
    };
    let broken = |error: io::Error| {
        let late = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind());
        CallError::Unconfirmed(if late {
            let seconds = PATIENCE.as_secs();
            format!("the daemon has not answered for {seconds} s; it may still do it")
        } else {
            format!("{}: {error}; it may be done all the same", path.display())
        })
    };
    stream.set_read_timeout((wait == Wait::Short).then_some(PATIENCE)).map_err(broken)?;
    let mut message =
        json!({ "method": format!("{INTERFACE}.{method}"), "parameters": parameters })
            .to_string()
            .into_bytes();
    message.push(0);
    stream.write_all(&message).map_err(broken)?;
    let mut reply = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while reply.last() != Some(&0) {
        match stream.read(&mut chunk) {
            Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => reply.extend(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
    reply.pop();
    understand(&reply)
}

fn understand(reply: &[u8]) -> Result<Value, CallError> {
    let nonsense = || CallError::Unconfirmed("what answers there is no standfast".to_owned());
    let mut reply: Value = serde_json::from_slice(reply).map_err(|_| nonsense())?;
    let parameters = reply.get_mut("parameters").map(Value::take).unwrap_or_default();
    let Some(error) = reply.get("error") else { return Ok(parameters) };
    let error = error.as_str().ok_or_else(nonsense)?;
    let text = parameters.get("message").and_then(Value::as_str).unwrap_or(error).to_owned();
    if error == format!("{INTERFACE}.Unconfirmed") {
        Err(CallError::Unconfirmed(text))
    } else {
        Err(CallError::Refused(text))
    }
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn unreachable(path: &Path, error: &io::Error) -> CallError {
    let path = path.display();
    let text = if error.kind() == io::ErrorKind::NotFound {
        format!("no daemon listens at {path}: there is no such socket")
    } else if error.kind() == io::ErrorKind::ConnectionRefused {
        format!("no daemon listens at {path}: it was left behind by one that is gone")
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        format!("{path}: only root and the daemon's own user may ask")
    } else {
        format!("{path}: {error}")
    };
    CallError::Unreachable(text)
}

/// The only daemon on this machine.
fn find() -> Result<(PathBuf, UnixStream), CallError> {
    let mut sockets: Vec<_> = PLACES.map(|place| format!("{place}.sock").into()).into();
    for place in PLACES {
        collect(Path::new(place), DEPTH, &mut sockets);
    }
    let tried: Vec<_> = sockets
        .into_iter()
        .map(|path| {
            let stream = connect(&path);
            (path, stream)
        })
        .collect();
    let denied = tried.iter().find_map(|(path, stream)| match stream {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Some(unreachable(path, error))
        }
        Err(_) | Ok(_) => None,
    });
    let mut open: Vec<_> =
        tried.into_iter().filter_map(|(path, stream)| Some((path, stream.ok()?))).collect();
    if open.len() == 1
        && let Some(found) = open.pop()
    {
        return Ok(found);
    }
    let paths: Vec<_> = open.iter().map(|(path, _)| path.display().to_string()).collect();
    if paths.is_empty() {
        return Err(denied.unwrap_or_else(|| {
            let text = "no daemon runs here: nobody listens at /run/standfast.sock or /run/keepalived.sock; \
                        with a pid file elsewhere its socket is beside it (--socket PATH)";
            CallError::Unreachable(text.to_owned())
        }));
    }
    Err(CallError::Unreachable(format!(
        "several daemons run here; say which with --socket: {}",
        paths.join(", ")
    )))
}

fn collect(directory: &Path, depth: u8, sockets: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.extension().is_some_and(|extension| extension == "sock") {
            sockets.push(path);
        } else if depth > 0 && path.is_dir() {
            collect(&path, depth - 1, sockets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart() {
        assert_eq!(understand(br#"{"parameters":{"a":1}}"#), Ok(json!({ "a": 1 })));
        assert_eq!(understand(b"{}"), Ok(Value::Null));
        let refused =
            br#"{"error":"standfast.control.UnknownServer","parameters":{"message":"no such"}}"#;
        assert_eq!(understand(refused), Err(CallError::Refused("no such".to_owned())));
        let unsure =
            br#"{"error":"standfast.control.Unconfirmed","parameters":{"message":"who knows"}}"#;
        assert_eq!(understand(unsure), Err(CallError::Unconfirmed("who knows".to_owned())));
        for nonsense in [&b""[..], b"[", b"{\"error\":7}"] {
            assert!(matches!(understand(nonsense), Err(CallError::Unconfirmed(_))), "{nonsense:?}");
        }
    }

    #[test]
    fn a_socket_that_is_not_there_is_named() {
        let error = call(Some("/nonexistent.sock".as_ref()), "Reload", &json!({}), Wait::Short);
        let text = "no daemon listens at /nonexistent.sock: there is no such socket".to_owned();
        assert_eq!(error, Err(CallError::Unreachable(text)));
    }
}
