use standfast_balance::{Active, Order};
use standfast_types::{
    Family, Forwarding, Scheduler, Scheduling, ServiceKey, ServiceName, Transport,
};

use super::*;
use crate::control::orders::Life;

fn server(endpoint: Endpoint) -> RealServer {
    RealServer {
        endpoint,
        weight: 1,
        forwarding: Forwarding::Nat,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        checks: Vec::new(),
    }
}

fn at(text: &str) -> DestinationKey {
    let address: std::net::SocketAddr = text.parse().expect("an address");
    DestinationKey { address: address.ip(), port: address.port() }
}

fn service(name: Option<&str>, keys: Vec<ServiceKey>, servers: &[&str]) -> VirtualServer {
    let name = name.map_or_else(|| ServiceName::from(keys[0].to_string().as_str()), Into::into);
    VirtualServer {
        name,
        keys,
        transport: Transport::Tcp,
        scheduling: Scheduling::new(Scheduler::Rr),
        servers: servers.iter().map(|text| server(Endpoint::Address(at(text)))).collect(),
        sorry: None,
        quorum: 1,
        hysteresis: 0,
        omega: false,
        active: Active::Always,
        suspend: false,
    }
}

fn takes(text: &str, transport: Transport) -> ServiceKey {
    let DestinationKey { address, port } = at(text);
    ServiceKey::Address { address, port, transport }
}

fn config() -> Config {
    let servers = ["192.0.2.10:80", "192.0.2.10:81", "192.0.2.11:80"];
    Config {
        services: vec![
            service(None, vec![takes("192.0.2.1:80", Transport::Tcp)], &servers),
            service(None, vec![takes("192.0.2.1:53", Transport::Tcp)], &servers),
            service(None, vec![takes("192.0.2.1:53", Transport::Udp)], &servers),
            service(Some("web"), vec![takes("[2001:db8::1]:80", Transport::Tcp)], &servers),
            service(None, vec![ServiceKey::Mark { mark: 5, family: Family::V4 }], &servers),
        ],
        ..Config::default()
    }
}

fn with(work: impl FnOnce(Directory<'_>)) {
    let (config, names, orders) = (config(), Names::default(), Orders::default());
    work(Directory { config: &config, names: &names, orders: &orders });
}

#[test]
fn a_service_is_found_by_its_name_its_address_and_its_mark() {
    with(|directory| {
        for (text, name) in [
            ("192.0.2.1:80", "[192.0.2.1]:tcp:80"),
            ("[192.0.2.1]:tcp:80", "[192.0.2.1]:tcp:80"),
            ("192.0.2.1:53/udp", "[192.0.2.1]:udp:53"),
            ("web", "web"),
            ("group web", "web"),
            ("2001:db8::1 80", "web"),
            ("fwmark 5", "FWM 5"),
            ("FWM 5", "FWM 5"),
        ] {
            let found = directory.service(text).map(|service| service.name.to_string());
            assert_eq!(found.as_deref(), Ok(name), "{text}");
        }
    });
}

#[test]
fn one_that_is_not_there_or_not_the_only_one_is_told_which_there_are() {
    with(|directory| {
        let wrong = directory.service("192.0.2.1:8O").expect_err("a letter");
        let text = "there is no service 192.0.2.1:8O; there is 192.0.2.1:80/tcp, ";
        assert!(wrong.message().starts_with(text), "{}", wrong.message());
        let both = directory.service("192.0.2.1:53").expect_err("two");
        let text = "192.0.2.1:53 can mean 192.0.2.1:53/tcp and 192.0.2.1:53/udp: write which";
        assert_eq!(both.message(), text);
    });
}

#[test]
fn a_server_is_found_without_its_port_where_that_is_enough() {
    with(|directory| {
        let service = directory.service("web").expect("there");
        for text in ["192.0.2.11", "192.0.2.11:80", "[192.0.2.11]:80", "192.0.2.11 80"] {
            let found = directory.server(service, text).map(|server| server.key);
            assert_eq!(found, Ok(at("192.0.2.11:80")), "{text}");
        }
        let both = directory.server(service, "192.0.2.10").expect_err("two");
        let text = "192.0.2.10 of web can mean 192.0.2.10:80 and 192.0.2.10:81: write which";
        assert_eq!(both.message(), text);
        let none = directory.server(service, "192.0.2.12:80").expect_err("none");
        assert!(none.message().starts_with("web has no server 192.0.2.12:80; it has "));
    });
}

#[test]
fn servers_that_an_operator_added_are_there_too() {
    let (config, names, mut orders) = (config(), Names::default(), Orders::default());
    let added = server(Endpoint::Address(at("192.0.2.99:80")));
    orders.take(Order::Add("web".into(), Box::new(added)), Life::Run);
    let directory = Directory { config: &config, names: &names, orders: &orders };
    let service = directory.service("web").expect("there");
    assert!(directory.server(service, "192.0.2.99").is_ok());
}
