//! SMTP: no bytes make the reader of replies panic, grow without bound, or say what depends on how the
//! bytes were cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standfast_wire::smtp::{LINE, Nonsense, Replies, Reply};

fn read(pieces: impl Iterator<Item = Vec<u8>>) -> (Vec<Reply>, Option<Nonsense>) {
    let mut replies = Replies::default();
    let mut all = Vec::new();
    for piece in pieces {
        replies.push(&piece);
        loop {
            match replies.poll() {
                Ok(Some(reply)) => {
                    assert!(reply.text.len() < 3 * 128 * LINE);
                    all.push(reply);
                }
                Ok(None) => break,
                Err(nonsense) => return (all, Some(nonsense)),
            }
        }
    }
    (all, None)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = read(std::iter::once(bytes.to_vec()));
    let pieces = read(bytes.chunks(3).map(<[u8]>::to_vec));
    assert_eq!(whole, pieces);
});
