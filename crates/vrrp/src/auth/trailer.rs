//! `auth_hmac`: each advert signed by a key that the routers share, and none believed twice.

use std::time::Duration;

use hmac::{Hmac as Code, KeyInit, Mac};
use sha2::Sha256;
use standfast_types::Instant;
use standfast_wire::hmac_trailer::{About, LENGTH, Repr, Sequence};

use super::{AntiReplay, Auth, Hmac, Key};
use crate::Discard;

/// A sender whose clock differs from ours, in seconds, by more than half of what is allowed: positive when it
/// is ahead.
pub(crate) type Skew = i32;

impl Auth {
    /// The trailer of an advert with this message; `None` without a key to sign with. Every call takes a
    /// sequence of its own.
    pub(super) fn sign(
        &mut self,
        now: Instant,
        hmac: &Hmac,
        about: About,
        message: &[u8],
    ) -> Option<[u8; LENGTH]> {
        let key = hmac.keys.get(&hmac.active)?;
        let sequence = self.next_sequence(self.clock.unix(now), hmac.anti_replay);
        let mut repr = Repr { key_id: hmac.active, sequence, tag: [0; 16] };
        let code = code(key, &repr, about, message)?.finalize().into_bytes();
        repr.tag = *code.first_chunk()?;
        self.sent = sequence;
        Some(repr.emit())
    }

    fn next_sequence(&self, unix: Duration, anti_replay: AntiReplay) -> Sequence {
        let clock = sequence(unix);
        let ahead = distance(self.sent.seconds(), clock.seconds());
        let stepped_back = match anti_replay {
            // Nobody would believe what we go on with.
            AntiReplay::Time { window } => ahead > 0 && is_beyond(ahead, window),
            AntiReplay::Monotonic => false,
        };
        if stepped_back || clock.is_after(self.sent) { clock } else { self.sent.next() }
    }

    /// Checks the trailer of an advert, in keepalived's order. The sequence counts as used as soon as the
    /// tag is right, whatever is wrong with the message. At most `limit` senders are remembered.
    pub(super) fn verify_trailer(
        &mut self,
        now: Instant,
        hmac: &Hmac,
        about: About,
        message: &[u8],
        trailer: &[u8; LENGTH],
        limit: usize,
    ) -> Result<Option<Skew>, Discard> {
        let repr = Repr::parse(trailer).map_err(|_| Discard::HmacMalformed)?;
        let clock = sequence(self.clock.unix(now)).seconds();
        let skew = distance(repr.sequence.seconds(), clock);
        let is_fresh = |sequence: Sequence| match hmac.anti_replay {
            AntiReplay::Time { window } => !is_beyond(distance(sequence.seconds(), clock), window),
            AntiReplay::Monotonic => true,
        };
        if !is_fresh(repr.sequence) {
            return Err(Discard::HmacStale);
        }
        let key = hmac.keys.get(&repr.key_id).ok_or(Discard::HmacUnknownKey)?;
        let right = code(key, &repr, about, message)
            .is_some_and(|code| code.verify_truncated_left(&repr.tag).is_ok());
        if !right {
            return Err(Discard::HmacInvalid);
        }
        let known = self.marks.get(about.source);
        // A mark out of the window comes from a clock that was set back since: nothing that was recorded
        // then would be fresh now.
        if known
            .is_some_and(|mark| is_fresh(mark.sequence) && !repr.sequence.is_after(mark.sequence))
        {
            return Err(Discard::HmacReplay);
        }
        let skewed = match hmac.anti_replay {
            AntiReplay::Time { window } => is_beyond(skew, window / 2),
            AntiReplay::Monotonic => false,
        };
        let news = skewed && !known.is_some_and(|mark| mark.skewed);
        self.marks.set(about.source, repr.sequence, skewed, limit);
        Ok(news.then_some(skew))
    }
}

fn code(key: &Key, repr: &Repr, about: About, message: &[u8]) -> Option<Code<Sha256>> {
    let mut code = Code::<Sha256>::new_from_slice(key.bytes()).ok()?;
    for piece in repr.covered(about, message).pieces() {
        code.update(piece);
    }
    Some(code)
}

/// The first sequence of this moment.
fn sequence(unix: Duration) -> Sequence {
    // The seconds wrap in 2106, as the field does.
    let fraction = u64::from(unix.subsec_nanos()) * 65_536 / 1_000_000_000;
    Sequence((unix.as_secs() << 32) | (fraction << 16))
}

/// How far `seconds` is ahead of `clock`, on a circle.
const fn distance(seconds: u32, clock: u32) -> i32 {
    seconds.wrapping_sub(clock).cast_signed()
}

fn is_beyond(distance: i32, window: Duration) -> bool {
    u64::from(distance.unsigned_abs()) > window.as_secs()
}
