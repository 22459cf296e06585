use std::os::unix::fs::PermissionsExt;

use standfast_balance::{Active, RealServer, ServerId, VirtualServer};
use standfast_types::{DestinationKey, Forwarding, Scheduler, Scheduling, ServiceKey, Transport};

use super::*;

fn key(port: u16) -> DestinationKey {
    DestinationKey { address: "192.0.2.10".parse().expect("an address"), port }
}

fn id(port: u16) -> ServerId {
    ServerId { service: "web".into(), key: key(port) }
}

fn server(port: u16) -> RealServer {
    RealServer {
        endpoint: Endpoint::Address(key(port)),
        weight: 1,
        forwarding: Forwarding::Nat,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        checks: Vec::new(),
    }
}

fn config() -> Config {
    let address = "192.0.2.1".parse().expect("an address");
    let service = VirtualServer {
        name: "web".into(),
        keys: vec![ServiceKey::Address { address, port: 80, transport: Transport::Tcp }],
        transport: Transport::Tcp,
        scheduling: Scheduling::new(Scheduler::Rr),
        servers: vec![server(80)],
        sorry: None,
        quorum: 1,
        hysteresis: 0,
        omega: false,
        active: Active::Always,
        suspend: false,
    };
    Config { services: vec![service], ..Config::default() }
}

/// A directory of this test's own.
fn in_directory(name: &str, work: impl FnOnce(&Path)) {
    let directory =
        std::env::temp_dir().join(format!("standfast-orders-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    work(&directory.join("deep/standfast.orders"));
    fs::remove_dir_all(&directory).expect("removed");
}

#[test]
fn the_file_is_named_after_the_pid_file() {
    for (pid_file, orders) in [
        ("/run/standfast.pid", "/var/lib/standfast/standfast.orders"),
        (
            "/run/keepalived/ns/keepalived_one.pid",
            "/var/lib/standfast/keepalived/ns/keepalived_one.orders",
        ),
        ("/srv/a.pid", "/var/lib/standfast/srv/a.orders"),
    ] {
        assert_eq!(path(Path::new(pid_file)), Path::new(orders));
    }
}

#[test]
fn orders_come_back_as_they_were_given_from_a_file_for_its_owner_only() {
    in_directory("back", |path| {
        let mut orders = Orders::default();
        orders.take(Order::Weight(id(80), Some(7)), Life::Persistent);
        orders.take(Order::Add("web".into(), Box::new(server(81))), Life::Persistent);
        orders.take(Order::Drain { server: id(81), limit: Some(5) }, Life::Persistent);
        save(path, &orders).expect("saved");
        let mode = fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(load(path, &config()), (orders, Vec::new()));
        save(path, &Orders::default()).expect("saved");
        assert!(!path.exists());
        assert_eq!(load(path, &config()), (Orders::default(), Vec::new()));
    });
}

#[test]
fn orders_for_what_is_not_configured_any_more_are_left_out_and_said() {
    in_directory("stale", |path| {
        let mut orders = Orders::default();
        orders.take(Order::Disable(id(80)), Life::Persistent);
        orders.take(Order::Disable(id(99)), Life::Persistent);
        let other = ServerId { service: "gone".into(), key: key(80) };
        orders.take(Order::Disable(other), Life::Persistent);
        save(path, &orders).expect("saved");
        let (loaded, complaints) = load(path, &config());
        assert_eq!(loaded.all(), [Order::Disable(id(80))]);
        assert_eq!(complaints.len(), 2);
        assert!(complaints[0].ends_with("the configuration has no virtual server gone any more"));
        assert!(complaints[1].ends_with("no real server [192.0.2.10]:99 of web any more"));
    });
}

#[test]
fn a_file_that_cannot_be_read_is_a_warning_and_no_more() {
    in_directory("damaged", |path| {
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        for text in ["", "{", "[]", "{\"version\":2}", "\u{0}"] {
            fs::write(path, text).expect("written");
            let (orders, complaints) = load(path, &config());
            assert_eq!((orders, complaints.len()), (Orders::default(), 1), "{text:?}");
        }
        let text = r#"{"version":1,"orders":[7,{"Disable":{"service":"web","key":{"address":"192.0.2.10","port":80}}}]}"#;
        fs::write(path, text).expect("written");
        let (orders, complaints) = load(path, &config());
        assert_eq!((orders.all(), complaints.len()), (vec![Order::Disable(id(80))], 1));
    });
}
