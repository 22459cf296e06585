//! What can be asked over the control socket.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::reply::Refusal;

/// The interface of our own methods.
pub const INTERFACE: &str = "standfast.control";
/// The interface that every varlink service has.
pub(crate) const SERVICE: &str = "org.varlink.service";

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "method", content = "parameters", deny_unknown_fields)]
pub enum Request {
    /// No new connections for a server; when it has none left, or its time is over, it is removed.
    #[serde(rename = "standfast.control.Drain")]
    Drain {
        /// The service, as people write it.
        service: String,
        /// The server, as people write it.
        server: String,
        /// Its time, in milliseconds; without it, it has all the time.
        timeout_ms: Option<u64>,
        /// Answer when it is removed, not when it gets no new connections.
        #[serde(default)]
        wait: bool,
        /// Over a restart of the daemon.
        #[serde(default)]
        persist: bool,
    },
    /// A server counts as failed.
    #[serde(rename = "standfast.control.Disable")]
    Disable {
        /// The service.
        service: String,
        /// The server.
        server: String,
        /// Over a restart.
        #[serde(default)]
        persist: bool,
    },
    /// Takes back `Drain`, `Disable` and `RemoveServer`.
    #[serde(rename = "standfast.control.Enable")]
    Enable {
        /// The service.
        service: String,
        /// The server.
        server: String,
    },
    /// Another weight than the configured one.
    #[serde(rename = "standfast.control.Weight")]
    Weight {
        /// The service.
        service: String,
        /// The server.
        server: String,
        /// Without it, the configured one again.
        weight: Option<u32>,
        /// Over a restart.
        #[serde(default)]
        persist: bool,
    },
    /// A server that the configuration does not have.
    #[serde(rename = "standfast.control.AddServer")]
    AddServer {
        /// The service.
        service: String,
        /// Where it is.
        address: IpAddr,
        /// Its port.
        port: u16,
        /// Its weight; that of the service's first server by default.
        weight: Option<u32>,
        /// Over a restart.
        #[serde(default)]
        persist: bool,
    },
    /// A server goes at once.
    #[serde(rename = "standfast.control.RemoveServer")]
    RemoveServer {
        /// The service.
        service: String,
        /// The server.
        server: String,
        /// Over a restart.
        #[serde(default)]
        persist: bool,
    },
    /// How services and their servers are.
    #[serde(rename = "standfast.control.Pools")]
    Pools {
        /// Only this one.
        service: Option<String>,
    },
    /// Read the configuration again.
    #[serde(rename = "standfast.control.Reload")]
    Reload {},
    /// Who answers here.
    #[serde(rename = "org.varlink.service.GetInfo")]
    GetInfo {},
    /// What can be asked here.
    #[serde(rename = "org.varlink.service.GetInterfaceDescription")]
    GetInterfaceDescription {
        /// Which interface.
        interface: String,
    },
}

/// Every method.
const METHODS: [&str; 10] = [
    "standfast.control.Drain",
    "standfast.control.Disable",
    "standfast.control.Enable",
    "standfast.control.Weight",
    "standfast.control.AddServer",
    "standfast.control.RemoveServer",
    "standfast.control.Pools",
    "standfast.control.Reload",
    "org.varlink.service.GetInfo",
    "org.varlink.service.GetInterfaceDescription",
];

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// It is no request, or one for something else.
    pub fn parse(message: &[u8]) -> Result<Self, Refusal> {
        let mut call: Map<String, Value> = serde_json::from_slice(message)
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        let Some(Value::String(method)) = call.remove("method") else {
            return Err(Refusal::Malformed("there is no \"method\"".to_owned()));
        };
        if !METHODS.contains(&method.as_str()) {
            return Err(Refusal::UnknownMethod(method));
        }
        let parameters = match call.remove("parameters") {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(parameters) => parameters,
        };
        let call = Map::from_iter([
            ("method".to_owned(), Value::String(method)),
            ("parameters".to_owned(), parameters),
        ]);
        serde_json::from_value(Value::Object(call))
            .map_err(|error| Refusal::Parameters(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, Refusal> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn a_request_needs_no_parameters_that_have_a_default() {
        let text =
            r#"{"method":"standfast.control.Drain","parameters":{"service":"a","server":"b"}}"#;
        let drain = Request::Drain {
            service: "a".to_owned(),
            server: "b".to_owned(),
            timeout_ms: None,
            wait: false,
            persist: false,
        };
        assert_eq!(parse(text), Ok(drain));
        let pools = Request::Pools { service: None };
        assert_eq!(parse(r#"{"method":"standfast.control.Pools"}"#), Ok(pools.clone()));
        assert_eq!(
            parse(r#"{"method":"standfast.control.Pools","parameters":null,"more":true}"#),
            Ok(pools)
        );
        assert_eq!(parse(r#"{"method":"standfast.control.Reload"}"#), Ok(Request::Reload {}));
    }

    #[test]
    fn what_is_no_request_is_refused_in_varlinks_words() {
        for (text, name) in [
            ("", "org.varlink.service.InvalidParameter"),
            ("[]", "org.varlink.service.InvalidParameter"),
            ("{}", "org.varlink.service.InvalidParameter"),
            (r#"{"method":7}"#, "org.varlink.service.InvalidParameter"),
            (r#"{"method":"standfast.control.Explode"}"#, "org.varlink.service.MethodNotFound"),
            (
                r#"{"method":"standfast.control.Drain","parameters":{"service":"a"}}"#,
                "org.varlink.service.InvalidParameter",
            ),
            (
                r#"{"method":"standfast.control.Reload","parameters":{"extra":1}}"#,
                "org.varlink.service.InvalidParameter",
            ),
            (
                r#"{"method":"standfast.control.Weight","parameters":{"service":"a","server":"b","weight":-1}}"#,
                "org.varlink.service.InvalidParameter",
            ),
        ] {
            assert_eq!(parse(text).expect_err("refused").name(), name, "{text}");
        }
    }

    #[test]
    fn every_method_is_understood_with_its_parameters() {
        let all =
            r#"{"service":"a","server":"b","address":"2001:db8::1","port":80,"interface":"x"}"#;
        for method in METHODS {
            // Those that take fewer refuse the others by name, not by method.
            let text = format!(r#"{{"method":"{method}","parameters":{all}}}"#);
            let result = parse(&text);
            assert!(!matches!(result, Err(Refusal::UnknownMethod(_))), "{method}: {result:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = standfast_types::Rng::from_seed(5);
        let seed = br#"{"method":"standfast.control.Weight","parameters":{"service":"a","server":"b","weight":1}}"#;
        let mut below = |bound: usize| {
            let bound = u64::try_from(bound).expect("small");
            usize::try_from(rng.below(bound)).expect("small")
        };
        for _ in 0..20_000 {
            let mut bytes = seed.to_vec();
            for _ in 0..below(6) {
                bytes[below(seed.len())] = u8::try_from(below(256)).expect("a byte");
            }
            bytes.truncate(below(seed.len() + 1));
            drop(Request::parse(&bytes));
        }
        drop(Request::parse(&[b'['; 60_000]));
    }
}
