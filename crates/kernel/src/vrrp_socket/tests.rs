use std::time::Duration;

use super::*;
use crate::{
    namespace::test::{Cable, cable},
    sys::readable_within,
};

fn vrid(id: u8) -> Vrid {
    Vrid::new(id).expect("a vrid")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn next(socket: &VrrpSocket) -> Option<(Received, Vec<u8>)> {
    readable_within(socket, Duration::from_millis(200));
    let mut buffer = [0; PACKET];
    let received = socket.receive(&mut buffer).expect("receive")?;
    let payload = buffer[received.payload.clone()].to_vec();
    Some((received, payload))
}

/// Of five messages, only the second and the last are adverts of a wanted virtual router.
fn cross(cable: &Cable, source: IpAddr, group: IpAddr) {
    let family = Family::of(group);
    let near = cable.near.run(|| VrrpSocket::open(cable.near_index, "eth0", family));
    let far = cable.far.run(|| VrrpSocket::open(cable.far_index, "eth0", family));
    let near = near.expect("enter").expect("open");
    let far = far.expect("enter").expect("open");
    far.join(group).expect("join");
    far.join(group).expect("joining again is no error");
    far.set_filter(&[vrid(7), vrid(255)]).expect("filter");
    // The kernel takes its time until an interface that was just switched on carries IPv6.
    let arrives =
        |_: &u8| near.send(source, group, 255, 0, &[0x31, 7]).is_ok() && next(&far).is_some();
    (0..50).find(arrives).expect("the cable carries packets");
    let messages: [&[u8]; 5] =
        [&[0x21, 8, 1], &[0x31, 7, 2], &[0x41, 7, 3], &[0x22, 7, 4], &[0x21, 255, 5]];
    for message in messages {
        near.send(source, group, 255, 0, message).expect("send");
    }
    let (received, payload) = next(&far).expect("the second");
    assert_eq!((received.source, received.destination), (source, group));
    assert_eq!(received.ttl, 255);
    // Short frames travel padded to 60 bytes; the payload does not.
    assert_eq!(payload, messages[1]);
    assert_eq!(next(&far).expect("the last").1, messages[4]);
    assert_eq!(next(&far), None);
    assert_eq!(next(&near), None, "our own adverts do not come back");
}

#[test]
fn an_advert_crosses_a_cable_between_interfaces_without_addresses() {
    let Some(cable) = cable() else { return };
    cross(&cable, address("192.0.2.1"), address("224.0.0.18"));
}

#[test]
fn an_ipv6_advert_crosses_a_cable() {
    let Some(cable) = cable() else { return };
    cross(&cable, address("fe80::1"), address("ff02::12"));
}

#[test]
fn an_advert_behind_an_authentication_header_keeps_its_identification() {
    let Some(cable) = cable() else { return };
    let (source, group) = (address("192.0.2.1"), address("224.0.0.18"));
    let near = cable.near.run(|| VrrpSocket::open_protected(cable.near_index, "eth0"));
    let far = cable.far.run(|| VrrpSocket::open_protected(cable.far_index, "eth0"));
    let near = near.expect("enter").expect("open");
    let far = far.expect("enter").expect("open");
    far.join(group).expect("join");
    far.set_filter(&[vrid(7)]).expect("filter");
    let message = |next, version, vrid| {
        let mut bytes = vec![next, 4];
        bytes.resize(24, 0);
        bytes.extend([version, vrid, 100]);
        bytes
    };
    let wanted = message(112, 0x21, 7);
    for message in [message(6, 0x21, 7), message(112, 0x31, 7), message(112, 0x21, 8), vec![112]] {
        near.send(source, group, 255, 1, &message).expect("send");
    }
    near.send(source, group, 255, 0xabcd, &wanted).expect("send");
    let (received, payload) = next(&far).expect("the last");
    assert_eq!(received.protected, Some(0xabcd));
    assert_eq!(payload, wanted);
    assert_eq!(next(&far), None);
}

#[test]
fn an_interface_that_is_gone_is_reported_as_gone() {
    let Some(cable) = cable() else { return };
    for family in [Family::V4, Family::V6] {
        let opened = cable.near.run(|| VrrpSocket::open(IfIndex::new(999), "none0", family));
        let error = opened.expect("enter").expect_err("there is no none0");
        assert_eq!(error.class, crate::Class::Gone);
    }
}
