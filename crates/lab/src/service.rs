//! A web server that serves one page, and a check for it: what the lab's machines run beside the daemon.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};

/// A client that is silent for longer was cut off; nobody waits for its answer.
const CONNECTIONS: usize = 1000;

/// Serves `page` at `address` until it is killed.
pub(crate) fn serve(address: SocketAddr, page: &str) -> anyhow::Result<u8> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let length = page.len() + 1;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{page}\n"
    );
    let mut clients: Vec<TcpStream> = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(&listener, PollFlags::IN)];
        fds.extend(
            clients.iter().map(|client| PollFd::from_borrowed_fd(client.as_fd(), PollFlags::IN)),
        );
        poll(&mut fds, None)?;
        let ready: Vec<bool> = fds.iter().skip(1).map(|fd| !fd.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        clients.retain_mut(|client| !ready.next().unwrap_or(false) || !answered(client, &answer));
        while let Ok((client, _)) = listener.accept() {
            client.set_nonblocking(true)?;
            clients.push(client);
        }
        let surplus = clients.len().saturating_sub(CONNECTIONS);
        clients.drain(..surplus);
    }
}

/// Whether a client that has spoken has its answer, or is gone.
fn answered(client: &mut TcpStream, answer: &str) -> bool {
    let mut request = [0; 4096];
    match client.read(&mut request) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Ok(0) | Err(_) => true,
        // Requests are one small packet; the answer fits into any socket buffer.
        Ok(_) => {
            let _ = client.write_all(answer.as_bytes());
            true
        }
    }
}

/// Whether a web server answers at `address` within a second: 0, or 1.
pub(crate) fn fetch(address: SocketAddr) -> anyhow::Result<u8> {
    const LIMIT: Duration = Duration::from_secs(1);
    let page = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    Ok(u8::from(!page().unwrap_or(false)))
}
