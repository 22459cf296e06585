//! What is told of an event to notify commands and FIFOs, in keepalived's words.

use std::fmt;

use standfast_balance::ServerId;
use standfast_types::{GroupName, InstanceName, ServiceName, Transport};

/// Whose changes are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// An instance's.
    Instance(InstanceName),
    /// A sync group's.
    Group(GroupName),
    /// A virtual server's.
    Service(ServiceName),
    /// A real server's, and the protocol of its service.
    Server(ServerId, Transport),
}

impl Subject {
    /// What a line about it begins with.
    fn head(&self) -> String {
        match self {
            Self::Instance(name) => format!("INSTANCE \"{name}\""),
            Self::Group(name) => format!("GROUP \"{name}\""),
            Self::Service(name) => format!("VS {}", service(name)),
            Self::Server(id, transport) => {
                format!("RS {} {}", server(id, *transport), service(&id.service))
            }
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Instance(_) => "INSTANCE",
            Self::Group(_) => "GROUP",
            Self::Service(_) => "VS",
            Self::Server(..) => "RS",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => name.fmt(f),
            Self::Group(name) => name.fmt(f),
            Self::Service(name) => write!(f, "virtual server {name}"),
            Self::Server(id, _) => write!(f, "real server {id}"),
        }
    }
}

/// A virtual server as keepalived writes it: a group has brackets and a port too.
pub(crate) fn service(name: &ServiceName) -> String {
    let own = name.as_str();
    if own.starts_with('[') || is_mark(name) { own.to_owned() } else { format!("[{own}]:0") }
}

/// A real server as keepalived writes it: that of a mark has no protocol.
pub(crate) fn server(id: &ServerId, transport: Transport) -> String {
    let transport = match is_mark(&id.service) {
        true => "none".to_owned(),
        false => transport.to_string(),
    };
    format!("[{}]:{transport}:{}", id.key.address, id.key.port)
}

fn is_mark(name: &ServiceName) -> bool {
    name.as_str().starts_with("FWM ")
}

/// One line: `INSTANCE "VI_1" MASTER 150`, `VS [192.0.2.1]:tcp:80 UP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) subject: Subject,
    /// A state, or what happened instead of a change of state.
    pub(crate) word: &'static str,
    /// Of an instance; else 0.
    pub(crate) priority: u8,
}

impl News {
    /// What a FIFO gets.
    pub(crate) fn line(&self) -> String {
        let Self { subject, word, priority } = self;
        let head = subject.head();
        match subject {
            Subject::Instance(_) | Subject::Group(_) => format!("{head} {word} {priority}\n"),
            Subject::Service(_) | Subject::Server(..) => format!("{head} {word}\n"),
        }
    }

    /// The four arguments of a generic notify command.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let Self { subject, word, priority } = self;
        let (kind, name) = (subject.kind().to_owned(), subject.to_string());
        [kind, name, (*word).to_owned(), priority.to_string()]
    }
}

#[cfg(test)]
mod tests {
    use standfast_types::DestinationKey;

    use super::*;

    fn line(subject: Subject) -> String {
        News { subject, word: "DOWN", priority: 0 }.line()
    }

    fn server(service: &str) -> Subject {
        let key = DestinationKey { address: [10, 1, 0, 3].into(), port: 80 };
        Subject::Server(ServerId { service: service.into(), key }, Transport::Tcp)
    }

    #[test]
    fn lines_about_servers_are_keepaliveds() {
        let plain = "[10.0.0.1]:tcp:80";
        assert_eq!(line(Subject::Service(plain.into())), "VS [10.0.0.1]:tcp:80 DOWN\n");
        assert_eq!(line(Subject::Service("G".into())), "VS [G]:0 DOWN\n");
        assert_eq!(line(Subject::Service("FWM 5".into())), "VS FWM 5 DOWN\n");
        assert_eq!(line(server(plain)), "RS [10.1.0.3]:tcp:80 [10.0.0.1]:tcp:80 DOWN\n");
        assert_eq!(line(server("G")), "RS [10.1.0.3]:tcp:80 [G]:0 DOWN\n");
        assert_eq!(line(server("FWM 5")), "RS [10.1.0.3]:none:80 FWM 5 DOWN\n");
    }
}
