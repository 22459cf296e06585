//! What a router counts.

use super::*;
use crate::Counters;

fn other_addresses(bench: &mut Bench, times: u64) -> u64 {
    let other = Config { addresses: vec![HIGHER], ..bench.router.config().clone() };
    let peer = Router::new(other, bench.now);
    for _ in 0..times {
        bench.advert_from(&peer, HIGHER, 200);
    }
    bench.router.counters().other_addresses
}

#[test]
fn adverts_and_transitions_are_counted_and_can_be_forgotten() {
    let mut bench = Bench::master(config(Version::V2));
    bench.wait(2 * SECOND);
    bench.advert(LOWER, 0);
    bench.advert(HIGHER, 200);
    bench.input(Input::Fault);
    let counters = bench.router.counters();
    // On taking over, two regular ones, the answer to the good-bye, the last word.
    assert_eq!((counters.sent, counters.zero_sent), (5, 0));
    assert_eq!((counters.received, counters.zero_received), (2, 1));
    assert_eq!((counters.became_master, counters.released_master), (1, 1));
    bench.router.clear_counters();
    assert_eq!(*bench.router.counters(), Counters::default());
}

#[test]
fn a_master_that_lets_go_counts_its_good_bye() {
    let mut bench = Bench::master(config(Version::V2));
    bench.input(Input::Fault);
    let counters = bench.router.counters();
    assert_eq!((counters.zero_sent, counters.released_master), (1, 1));
}

#[test]
fn refused_messages_are_counted_by_reason_and_our_own_are_none() {
    let mut bench = Bench::backup(config(Version::V2));
    bench.datagram(HIGHER, Transport::GROUP, 255, &[1, 2, 3]);
    bench.datagram(HIGHER, Transport::GROUP, 255, &[]);
    bench.advert(OWN, 200);
    let counters = bench.router.counters();
    assert_eq!(counters.received, 2);
    assert_eq!(counters.discarded_for(&[Discard::Truncated, Discard::TooLong]), 2);
    assert_eq!(counters.discarded_for(&[Discard::Own, Discard::Ttl]), 0);
}

#[test]
fn other_addresses_count_in_every_advert_or_only_in_a_masters_first() {
    let mut bench = Bench::backup(config(Version::V2));
    assert_eq!(other_addresses(&mut bench, 3), 3);
    let mut bench = Bench::backup(Config { skip_check_adv_addr: true, ..config(Version::V2) });
    assert_eq!(other_addresses(&mut bench, 3), 1);
}
