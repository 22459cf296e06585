use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn host_endpoint() -> Endpoint {
    Endpoint::Host { name: standfast_balance::HostName("web.example".into()), port: 80 }
}

fn srv_endpoint() -> Endpoint {
    Endpoint::Srv(standfast_balance::HostName("_http._tcp.example".into()))
}

fn found(addresses: &[&str], ttl: Duration) -> Answer<IpAddr> {
    let records = addresses.iter().map(|one| one.parse().expect("an address")).collect();
    Answer::Found { records, ttl }
}

fn nothing<T>() -> Answer<T> {
    Answer::Nothing { reason: "the name has no address", ttl: Some(Duration::from_secs(3600)) }
}

fn failed<T>() -> Answer<T> {
    Answer::Failed("no name server answered in time".to_owned())
}

fn ask(memory: &mut Memory, v4: Answer<IpAddr>, v6: Answer<IpAddr>) -> Consequence {
    memory.handle(&host_endpoint(), Finding::Host(Host { v4, v6 }))
}

fn target(priority: u16, weight: u16, name: &str) -> Target {
    Target { priority, weight, port: 8080, name: name.to_owned() }
}

/// What it resolves to, as text.
fn shown(consequence: &Consequence) -> Option<Vec<String>> {
    let text = |one: &Resolved| match one.srv {
        Some((port, weight)) => format!("{}:{port}*{weight}", one.address),
        None => one.address.to_string(),
    };
    consequence.resolved.as_ref().map(|all| all.iter().map(text).collect())
}

fn said(consequence: &Consequence) -> &str {
    consequence.said.as_ref().map_or("", |(_, text)| text)
}

#[test]
fn both_families_are_told_and_only_changes_are_told_again() {
    let mut memory = Memory::default();
    let first = ask(
        &mut memory,
        found(&["192.0.2.2", "192.0.2.1"], MINUTE),
        found(&["2001:db8::1"], MINUTE),
    );
    let all = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(str::to_owned).to_vec();
    assert_eq!((shown(&first), first.wait), (Some(all), MINUTE));
    let again = ask(
        &mut memory,
        found(&["192.0.2.1", "192.0.2.2"], MINUTE),
        found(&["2001:db8::1"], MINUTE),
    );
    assert_eq!((shown(&again), said(&again)), (None, ""));
}

#[test]
fn the_time_to_live_is_kept_within_a_second_and_an_hour() {
    for (ttl, wait) in [(0, 1), (1, 1), (30, 30), (3600, 3600), (86_400, 3600)] {
        let answer = found(&["192.0.2.1"], Duration::from_secs(ttl));
        let one = ask(&mut Memory::default(), answer, nothing());
        assert_eq!(one.wait, Duration::from_secs(wait), "{ttl}");
        let answer = found(&["192.0.2.1"], Duration::from_secs(ttl));
        let both = ask(&mut Memory::default(), answer, found(&["2001:db8::1"], 100 * MINUTE));
        assert_eq!(both.wait, Duration::from_secs(wait), "{ttl}");
    }
}

#[test]
fn a_dead_name_server_keeps_the_last_answer_and_is_said_once() {
    let mut memory = Memory::default();
    ask(&mut memory, found(&["192.0.2.1"], MINUTE), nothing());
    let dead = ask(&mut memory, failed(), failed());
    assert_eq!((shown(&dead), dead.wait), (None, RETRY));
    assert_eq!(
        said(&dead),
        "web.example:80: no name server answered in time; what was known stays: 192.0.2.1"
    );
    assert_eq!(said(&ask(&mut memory, failed(), failed())), "");
    let back = ask(&mut memory, found(&["192.0.2.1"], MINUTE), nothing());
    assert_eq!((shown(&back), said(&back)), (None, "web.example:80: the name resolves again"));
}

#[test]
fn a_name_that_is_gone_keeps_the_last_answer_too() {
    let mut memory = Memory::default();
    ask(&mut memory, found(&["192.0.2.1"], MINUTE), found(&["2001:db8::1"], MINUTE));
    let gone = ask(&mut memory, nothing(), nothing());
    assert_eq!((shown(&gone), gone.wait), (None, NOTHING_LATEST));
    let text =
        "web.example:80: the name has no address; what was known stays: 192.0.2.1, 2001:db8::1";
    assert_eq!(said(&gone), text);
}

#[test]
fn one_that_never_resolved_has_no_servers_and_is_said() {
    let mut memory = Memory::default();
    let dead = ask(&mut memory, failed(), failed());
    assert_eq!(shown(&dead), None);
    assert!(said(&dead).ends_with("it has no servers until that changes"), "{}", said(&dead));
}

#[test]
fn a_family_that_nobody_answers_for_keeps_what_it_had_beside_the_other() {
    let mut memory = Memory::default();
    ask(&mut memory, found(&["192.0.2.1"], MINUTE), found(&["2001:db8::1"], MINUTE));
    let half = ask(&mut memory, found(&["192.0.2.9"], MINUTE), failed());
    assert_eq!(shown(&half), Some(vec!["192.0.2.9".to_owned(), "2001:db8::1".to_owned()]));
    assert!(said(&half).contains("no name server answered in time"), "{}", said(&half));
    // Said by a name server, it goes.
    let half = ask(&mut memory, found(&["192.0.2.9"], MINUTE), nothing());
    assert_eq!(shown(&half), Some(vec!["192.0.2.9".to_owned()]));
    // One that never had any is no reason to complain.
    let mut memory = Memory::default();
    assert_eq!(said(&ask(&mut memory, failed(), found(&["2001:db8::1"], MINUTE))), "");
}

#[test]
fn a_family_that_is_taken_from_a_name_goes_whichever_it_is() {
    let mut memory = Memory::default();
    ask(&mut memory, found(&["192.0.2.1"], MINUTE), found(&["2001:db8::1"], MINUTE));
    let only = ask(&mut memory, nothing(), found(&["2001:db8::1"], MINUTE));
    assert_eq!((shown(&only), said(&only)), (Some(vec!["2001:db8::1".to_owned()]), ""));
    // And does not come back when nobody answers for it.
    let dead = ask(&mut memory, failed(), found(&["2001:db8::1"], MINUTE));
    assert_eq!((shown(&dead), said(&dead)), (None, ""));
}

#[test]
fn of_srv_records_only_those_of_the_lowest_priority_count() {
    let mut memory = Memory::default();
    let records = vec![target(10, 3, "a."), target(20, 9, "c."), target(10, 1, "b.")];
    let host = |address: &str| Host { v4: found(&[address], MINUTE), v6: nothing() };
    let hosts = BTreeMap::from([
        ("a.".to_owned(), host("192.0.2.1")),
        ("b.".to_owned(), host("192.0.2.2")),
    ]);
    let answer = Answer::Found { records, ttl: MINUTE };
    let told = memory.handle(&srv_endpoint(), Finding::Srv(answer, hosts));
    let both = vec!["192.0.2.1:8080*3".to_owned(), "192.0.2.2:8080*1".to_owned()];
    assert_eq!((shown(&told), said(&told)), (Some(both), ""));
}

#[test]
fn a_target_that_nobody_answers_for_keeps_its_address_and_dead_records_keep_all() {
    let mut memory = Memory::default();
    let records =
        || Answer::Found { records: vec![target(1, 3, "a."), target(1, 1, "b.")], ttl: MINUTE };
    let host = |v4| Host { v4, v6: nothing() };
    let hosts = |a, b| BTreeMap::from([("a.".to_owned(), host(a)), ("b.".to_owned(), host(b))]);
    let good = |address: &str| found(&[address], MINUTE);
    memory.handle(
        &srv_endpoint(),
        Finding::Srv(records(), hosts(good("192.0.2.1"), good("192.0.2.2"))),
    );
    let half =
        memory.handle(&srv_endpoint(), Finding::Srv(records(), hosts(failed(), good("192.0.2.3"))));
    let both = vec!["192.0.2.1:8080*3".to_owned(), "192.0.2.3:8080*1".to_owned()];
    assert_eq!(shown(&half), Some(both));
    assert!(said(&half).contains("a.: no name server answered in time"), "{}", said(&half));
    let dead = memory.handle(&srv_endpoint(), Finding::Srv(failed(), BTreeMap::new()));
    assert_eq!((shown(&dead), dead.wait), (None, RETRY));
}
