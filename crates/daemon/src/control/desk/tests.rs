use standfast_balance::{Active, ServerSnapshot, Verdict, VirtualServer};
use standfast_types::{Forwarding, Scheduler, Scheduling, ServiceKey, Transport};

use super::*;

const CLIENT: ClientId = ClientId::new(1);
const OTHER: ClientId = ClientId::new(2);

fn at(text: &str) -> DestinationKey {
    let address: std::net::SocketAddr = text.parse().expect("an address");
    DestinationKey { address: address.ip(), port: address.port() }
}

fn id() -> ServerId {
    ServerId { service: "web".into(), key: at("192.0.2.10:80") }
}

fn config() -> Config {
    let server = RealServer {
        endpoint: Endpoint::Address(id().key),
        weight: 3,
        forwarding: Forwarding::Nat,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        checks: Vec::new(),
    };
    let DestinationKey { address, port } = at("192.0.2.1:80");
    let service = VirtualServer {
        name: "web".into(),
        keys: vec![ServiceKey::Address { address, port, transport: Transport::Tcp }],
        transport: Transport::Tcp,
        scheduling: Scheduling::new(Scheduler::Rr),
        servers: vec![server],
        sorry: None,
        quorum: 1,
        hysteresis: 0,
        omega: false,
        active: Active::Always,
        suspend: false,
    };
    Config { services: vec![service], ..Config::default() }
}

/// A desk, and what it knows of the daemon.
struct Scene {
    desk: Desk,
    config: Config,
    names: Names,
    pool_runs: bool,
}

impl Scene {
    fn new() -> Self {
        Self { desk: Desk::default(), config: config(), names: Names::default(), pool_runs: true }
    }

    fn ask(&mut self, client: ClientId, method: &str, parameters: &str) -> Vec<Step> {
        let text =
            format!(r#"{{"method":"standfast.control.{method}","parameters":{parameters}}}"#);
        let request = Request::parse(text.as_bytes()).expect("a request");
        let Self { desk, config, names, pool_runs } = self;
        let world = World { config, names, pool_runs: *pool_runs };
        desk.handle_request(Instant::ZERO, client, request, &world)
    }

    fn report(&mut self, id: u64, services: Vec<ServiceSnapshot>) -> Vec<Step> {
        self.desk.handle_report(id, services, &self.config)
    }
}

const SERVER: &str = r#"{"service":"web","server":"192.0.2.10"}"#;

/// The sentence of the only step, a reply to this client.
fn sentence(steps: &[Step], whom: ClientId) -> String {
    let (Step::Reply(client, reply) | Step::Keep(Some((client, reply)))) = &steps[0] else {
        panic!("{steps:?}")
    };
    assert_eq!((*client, steps.len()), (whom, 1));
    match reply {
        Ok(value) => value["message"].as_str().expect("a sentence").to_owned(),
        Err(refusal) => format!("{}: {}", refusal.name(), refusal.message()),
    }
}

#[test]
fn an_order_is_answered_only_when_the_kernel_has_it() {
    let mut scene = Scene::new();
    let steps = scene.ask(
        CLIENT,
        "Weight",
        r#"{"service":"192.0.2.1:80","server":"192.0.2.10:80","weight":7}"#,
    );
    assert_eq!(steps, [Step::Order(1, Order::Weight(id(), Some(7)))]);
    assert_eq!(scene.desk.handle_done(9, Ok(())), []);
    let steps = scene.desk.handle_done(1, Ok(()));
    assert_eq!(sentence(&steps, CLIENT), "192.0.2.10:80 of web has weight 7");
    assert_eq!(scene.desk.handle_done(1, Ok(())), [], "once");
}

#[test]
fn what_the_kernel_refuses_is_said_and_stands() {
    let mut scene = Scene::new();
    scene.ask(CLIENT, "Disable", SERVER);
    let steps = scene.desk.handle_done(1, Err("out of memory".to_owned()));
    let text = "standfast.control.Refused: the kernel refuses: out of memory; tried again";
    assert_eq!(sentence(&steps, CLIENT), text);
    assert_eq!(scene.desk.orders().all(), [Order::Disable(id())]);
}

#[test]
fn a_persistent_order_is_written_before_it_is_answered() {
    let mut scene = Scene::new();
    scene.ask(CLIENT, "Disable", r#"{"service":"web","server":"192.0.2.10","persist":true}"#);
    let steps = scene.desk.handle_done(1, Ok(()));
    assert!(matches!(steps[..], [Step::Keep(Some(_))]), "{steps:?}");
    assert!(sentence(&steps, CLIENT).ends_with("until it is enabled (kept over restarts)"));
    scene.ask(CLIENT, "Enable", SERVER);
    let steps = scene.desk.handle_done(2, Ok(()));
    assert!(matches!(steps[..], [Step::Keep(Some(_))]), "it is taken back there too: {steps:?}");
}

#[test]
fn a_drain_is_answered_at_its_end_where_that_is_wanted() {
    let mut scene = Scene::new();
    let wait = r#"{"service":"web","server":"192.0.2.10","timeout_ms":1500,"wait":true}"#;
    let steps = scene.ask(CLIENT, "Drain", wait);
    let order = Order::Drain { server: id(), limit: Some(1_500_000_000) };
    assert_eq!(steps, [Step::Order(1, order)]);
    assert_eq!(scene.desk.handle_done(1, Ok(())), []);
    assert_eq!(scene.desk.next_deadline(), None, "it may take as long as connections do");
    // The pool may die meanwhile: the next one drains on.
    assert_eq!(scene.desk.handle_pool_gone(), []);
    let steps = scene.desk.handle_event(&Event::Drained { server: id(), left: 2 });
    let text = "192.0.2.10:80 of web is drained and removed; 2 connections were still open";
    assert_eq!(sentence(&steps, CLIENT), text);

    let steps =
        scene.ask(CLIENT, "Drain", r#"{"service":"web","server":"192.0.2.10","timeout_ms":30000}"#);
    assert_eq!(steps.len(), 1);
    let text = "192.0.2.10:80 of web gets no new connections; it is removed when its last one has ended, \
                after 30 s at the latest";
    assert_eq!(sentence(&scene.desk.handle_done(2, Ok(())), CLIENT), text);
}

#[test]
fn one_that_is_drained_before_the_kernel_confirms_is_told_once() {
    let mut scene = Scene::new();
    scene.ask(
        CLIENT,
        "Drain",
        r#"{"service":"web","server":"192.0.2.10","wait":true,"persist":true}"#,
    );
    let steps = scene.desk.handle_event(&Event::Drained { server: id(), left: 0 });
    assert!(matches!(steps[..], [Step::Keep(Some(_))]), "{steps:?}");
    assert_eq!(sentence(&steps, CLIENT), "192.0.2.10:80 of web is drained and removed");
    assert_eq!(scene.desk.handle_done(1, Ok(())), []);
}

#[test]
fn whoever_waits_for_a_drain_hears_of_another_order() {
    let mut scene = Scene::new();
    scene.ask(CLIENT, "Drain", r#"{"service":"web","server":"192.0.2.10","wait":true}"#);
    scene.desk.handle_done(1, Ok(()));
    let steps = scene.ask(OTHER, "Enable", SERVER);
    let [told, order] = &steps[..] else { panic!("{steps:?}") };
    assert!(sentence(std::slice::from_ref(told), CLIENT).contains("another order"));
    assert_eq!(*order, Step::Order(2, Order::Enable(id())));
}

#[test]
fn whoever_waits_for_a_pool_that_dies_or_hangs_hears_of_it_and_the_order_stands() {
    let mut scene = Scene::new();
    scene.ask(CLIENT, "Disable", SERVER);
    let text = sentence(&scene.desk.handle_pool_gone(), CLIENT);
    assert!(text.starts_with("standfast.control.Unconfirmed: "), "{text}");
    assert_eq!(scene.desk.orders().all(), [Order::Disable(id())]);
    scene.ask(CLIENT, "Pools", "{}");
    assert_eq!(scene.desk.handle_timeout(Instant::ZERO), []);
    let text = sentence(&scene.desk.handle_timeout(Instant::ZERO + CONFIRMED), CLIENT);
    assert_eq!(
        text,
        "standfast.control.Unavailable: the process that balances has confirmed nothing for 10 s"
    );
}

#[test]
fn without_a_pool_nothing_is_ordered() {
    let mut scene = Scene { pool_runs: false, ..Scene::new() };
    let text = sentence(&scene.ask(CLIENT, "Disable", SERVER), CLIENT);
    assert!(text.contains("is just being started"), "{text}");
    assert_eq!(scene.desk.orders().all(), []);
    scene.config = Config::default();
    let text = sentence(&scene.ask(CLIENT, "Pools", "{}"), CLIENT);
    assert!(text.ends_with("the configuration has no virtual server"), "{text}");
}

#[test]
fn an_added_server_is_like_the_first_one_and_comes_only_once() {
    let mut scene = Scene::new();
    let add = r#"{"service":"web","address":"192.0.2.11","port":80}"#;
    let steps = scene.ask(CLIENT, "AddServer", add);
    let [Step::Order(1, Order::Add(service, server))] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((service.as_str(), server.weight), ("web", 3));
    assert_eq!(server.endpoint, Endpoint::Address(at("192.0.2.11:80")));
    let text = sentence(&scene.ask(CLIENT, "AddServer", add), CLIENT);
    assert_eq!(text, "standfast.control.Refused: 192.0.2.11:80 of web is there already");
    let remove = r#"{"service":"web","server":"192.0.2.11"}"#;
    scene.ask(CLIENT, "RemoveServer", remove);
    assert_eq!(scene.desk.orders().all(), []);
}

#[test]
fn a_removed_server_is_not_drained_but_enabled() {
    let mut scene = Scene::new();
    scene.ask(CLIENT, "RemoveServer", SERVER);
    let text = sentence(&scene.desk.handle_done(1, Ok(())), CLIENT);
    assert_eq!(text, "192.0.2.10:80 of web is removed; `standfast enable` brings it back");
    let text = sentence(&scene.ask(CLIENT, "Drain", SERVER), CLIENT);
    assert!(text.ends_with("is removed; `standfast enable` brings it back"), "{text}");
    assert_eq!(scene.ask(CLIENT, "Enable", SERVER), [Step::Order(2, Order::Enable(id()))]);
}

#[test]
fn pools_show_states_reasons_and_who_is_overridden() {
    let mut scene = Scene::new();
    scene.ask(
        CLIENT,
        "Weight",
        r#"{"service":"web","server":"192.0.2.10","weight":7,"persist":true}"#,
    );
    scene.desk.handle_done(1, Ok(()));
    assert_eq!(scene.ask(CLIENT, "Pools", r#"{"service":"web"}"#), [Step::Ask(2)]);
    let bad = Verdict::Bad("status 503, wanted 200".into());
    let server = ServerSnapshot {
        key: id().key,
        endpoint: Endpoint::Address(id().key),
        up: false,
        weight: 0,
        checks: vec![("TCP_CHECK".to_owned(), None), ("HTTP_GET".to_owned(), Some(bad))],
        orders: Vec::new(),
    };
    let service = |name: &str| ServiceSnapshot {
        name: name.into(),
        quorum_up: false,
        weight: 0,
        sorry: true,
        servers: vec![server.clone()],
    };
    let steps = scene.report(2, vec![service("web"), service("mail")]);
    let [Step::Reply(CLIENT, Ok(value))] = &steps[..] else { panic!("{steps:?}") };
    let expected = json!({ "services": [{
        "service": "web", "quorum_up": false, "weight": 0, "sorry": true,
        "servers": [{
            "server": "192.0.2.10:80", "state": "down", "weight": 0,
            "reason": "HTTP_GET: status 503, wanted 200",
            "overridden": "weight 7 (kept over restarts)",
        }],
    }]});
    assert_eq!(*value, expected);
}

#[test]
fn the_description_names_every_method() {
    for method in
        ["Drain", "Disable", "Enable", "Weight", "AddServer", "RemoveServer", "Pools", "Reload"]
    {
        assert!(DESCRIPTION.contains(&format!("\nmethod {method}(")), "{method}");
    }
}
