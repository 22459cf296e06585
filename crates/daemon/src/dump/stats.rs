//! `keepalived.stats`.

use std::fmt::Write as _;

use standfast_vrrp::{Counters, Discard};

use super::Subject;

/// keepalived's counters of errors, from our reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errors {
    pub(super) length: u64,
    pub(super) ttl: u64,
    pub(super) kind: u64,
    pub(super) interval: u64,
    pub(super) addresses: u64,
    pub(super) authentication_kind: u64,
    pub(super) authentication: u64,
}

impl Errors {
    pub(super) fn of(counters: &Counters) -> Self {
        let count = |reasons: &[Discard]| counters.discarded_for(reasons);
        Self {
            length: count(&[Discard::Truncated, Discard::TooLong]),
            ttl: count(&[Discard::Ttl, Discard::PeerTtl]),
            kind: count(&[Discard::Type]),
            interval: count(&[Discard::Interval]),
            addresses: counters.other_addresses,
            authentication_kind: count(&[Discard::AuthenticationType]),
            authentication: count(&[
                Discard::Password,
                Discard::HeaderMalformed,
                Discard::HeaderSpi,
                Discard::HeaderIcv,
                Discard::HeaderReplay,
                Discard::HmacMissing,
                Discard::HmacMalformed,
                Discard::HmacUnknownKey,
                Discard::HmacInvalid,
                Discard::HmacStale,
                Discard::HmacReplay,
            ]),
        }
    }
}

impl Subject<'_> {
    pub(super) fn stats(&self) -> String {
        let mut text = String::new();
        for instance in self.each() {
            let counters = &instance.state.counters;
            let Errors {
                length,
                ttl,
                kind,
                interval,
                addresses,
                authentication_kind,
                authentication,
            } = Errors::of(counters);
            let Counters {
                received,
                sent,
                became_master,
                released_master,
                zero_received,
                zero_sent,
                ..
            } = counters;
            // Writing to a string can't fail.
            let _ = write!(
                text,
                "VRRP Instance: {}\n  Advertisements:\n    Received: {received}\n    Sent: {sent}\n  \
                 Became master: {became_master}\n  Released master: {released_master}\n  \
                 Packet Errors:\n    Length: {length}\n    TTL: {ttl}\n    Invalid Type: {kind}\n    \
                 Advertisement Interval: {interval}\n    Address List: {addresses}\n  \
                 Authentication Errors:\n    Invalid Type: 0\n    \
                 Type Mismatch: {authentication_kind}\n    Failure: {authentication}\n  \
                 Priority Zero:\n    Received: {zero_received}\n    Sent: {zero_sent}\n",
                instance.config.name,
            );
        }
        text
    }
}
