//! What is answered on the control socket.

use serde_json::{Value, json};

use super::request::{INTERFACE, SERVICE};

/// Why a request comes to nothing. Each has a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no request.
    Malformed(String),
    /// There is no such method.
    UnknownMethod(String),
    /// There is no such interface.
    UnknownInterface(String),
    /// The method does not take these parameters.
    Parameters(String),
    /// The client is neither root nor the daemon's user.
    Permission,
    /// No service, or more than one, is written like this; those that may be meant.
    Service {
        /// As it was written.
        written: String,
        /// Those that may be meant.
        near: Vec<String>,
        /// More than one is.
        several: bool,
    },
    /// No server of the service, or more than one, is written like this; those that may be meant.
    Server {
        /// Of this service.
        service: String,
        /// As it was written.
        written: String,
        /// Those that may be meant.
        near: Vec<String>,
        /// More than one is.
        several: bool,
    },
    /// The order makes no sense, or the kernel refuses it; a sentence.
    Refused(String),
    /// Whether the kernel has it is not known; a sentence.
    Unconfirmed(String),
    /// Nothing can be done now; a sentence.
    Unavailable(String),
}

impl Refusal {
    /// Its name, with the interface.
    #[must_use]
    pub fn name(&self) -> String {
        let (interface, name) = match self {
            Self::Malformed(_) | Self::Parameters(_) => (SERVICE, "InvalidParameter"),
            Self::UnknownMethod(_) => (SERVICE, "MethodNotFound"),
            Self::UnknownInterface(_) => (SERVICE, "InterfaceNotFound"),
            Self::Permission => (SERVICE, "PermissionDenied"),
            Self::Service { .. } => (INTERFACE, "UnknownService"),
            Self::Server { .. } => (INTERFACE, "UnknownServer"),
            Self::Refused(_) => (INTERFACE, "Refused"),
            Self::Unconfirmed(_) => (INTERFACE, "Unconfirmed"),
            Self::Unavailable(_) => (INTERFACE, "Unavailable"),
        };
        format!("{interface}.{name}")
    }

    /// A sentence for the operator.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Malformed(why) => format!("this is no request: {why}"),
            Self::UnknownMethod(method) => format!("there is no method {method}"),
            Self::UnknownInterface(interface) => format!("there is no interface {interface}"),
            Self::Parameters(why) => format!("the parameters do not fit the method: {why}"),
            Self::Permission => "only root and the daemon's own user may ask".to_owned(),
            Self::Service { written, near, several: false } if near.is_empty() => {
                format!("there is no service {written}: the configuration has none")
            }
            Self::Service { written, near, several: false } => {
                format!("there is no service {written}; there is {}", listed(near))
            }
            Self::Service { written, near, several: true } => {
                format!("{written} can mean {}: write which", listed(near))
            }
            Self::Server { service, written, near, several: false } if near.is_empty() => {
                format!("{service} has no server {written}: it has none at all now")
            }
            Self::Server { service, written, near, several: false } => {
                format!("{service} has no server {written}; it has {}", listed(near))
            }
            Self::Server { service, written, near, several: true } => {
                format!("{written} of {service} can mean {}: write which", listed(near))
            }
            Self::Refused(why) | Self::Unconfirmed(why) | Self::Unavailable(why) => why.clone(),
        }
    }

    fn parameters(&self) -> Value {
        let message = self.message();
        match self {
            Self::Malformed(_) => json!({ "parameter": "", "message": message }),
            Self::Parameters(_) => json!({ "parameter": "parameters", "message": message }),
            Self::UnknownMethod(method) => json!({ "method": method, "message": message }),
            Self::UnknownInterface(name) => json!({ "interface": name, "message": message }),
            Self::Service { written, near, .. } => {
                json!({ "service": written, "near": near, "message": message })
            }
            Self::Server { service, written, near, .. } => {
                json!({ "service": service, "server": written, "near": near, "message": message })
            }
            Self::Permission | Self::Refused(_) | Self::Unconfirmed(_) | Self::Unavailable(_) => {
                json!({ "message": message })
            }
        }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// A reply as it goes over the socket, with its zero byte.
pub(crate) fn emit(reply: &Result<Value, Refusal>) -> Vec<u8> {
    let value = match reply {
        Ok(parameters) => json!({ "parameters": parameters }),
        Err(refusal) => json!({ "error": refusal.name(), "parameters": refusal.parameters() }),
    };
    let mut bytes = value.to_string().into_bytes();
    bytes.push(0);
    bytes
}
