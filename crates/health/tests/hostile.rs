//! Servers that mean harm: whatever they send, a dialogue keeps no more than it says.

#[path = "../../../fuzz/exercise/dialogue.rs"]
#[allow(dead_code, reason = "the kinds of checks are shared with the fuzzer")]
mod exercise;

use std::{fs, time::Duration};

use standfast_health::{Dialogue, Run};

/// Kilobytes of memory that the process has in use.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Beginnings that make each dialogue expect more, and what then never ends.
fn attacks() -> Vec<(Vec<u8>, Vec<u8>)> {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let http2 = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x04\0\0\0\x01\x88";
    let data = [&b"\0\x40\0\0\0\0\0\0\x01"[..], &[b'x'; 16_384]].concat();
    let continuation = [&b"\0\x40\0\x09\0\0\0\0\x01"[..], &[0; 16_384]].concat();
    let mut attacks = vec![
        (Vec::new(), vec![0; 65_536]),
        (Vec::new(), vec![b'x'; 65_536]),
        (Vec::new(), vec![b'\n'; 65_536]),
        (b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(10_000)),
        (b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; 65_536]),
        (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 65_536]),
        (chunked.to_vec(), b"1\r\nx\r\n".repeat(10_000)),
        (chunked.to_vec(), vec![b'0'; 65_536]),
        ([&chunked[..], b"0\r\n"].concat(), b"A: b\r\n".repeat(10_000)),
        (http2.to_vec(), data),
        (b"\0\0\0\x04\0\0\0\0\0\0\0\0\x01\0\0\0\0\x01".to_vec(), continuation),
        (http2.to_vec(), b"\0\0\x08\x06\0\0\0\0\0abcdefgh".repeat(1000)),
        (b"220-".to_vec(), vec![b'x'; 65_536]),
        (b"*5\r\n$5\r\nslave\r\n$9\r\n".to_vec(), vec![b'x'; 65_536]),
        (b"\xff\x0f\0\0\x0a".to_vec(), vec![b'x'; 65_536]),
        (b"R\0\0\0\x08\0\0\0\0".to_vec(), b"N\0\0\xff\x00".repeat(10_000)),
    ];
    attacks.sort();
    attacks
}

#[test]
fn a_server_without_end_costs_a_bounded_amount_of_memory() {
    const DIALOGUES: u64 = 10;
    const ROUNDS: usize = 3;
    /// Kilobytes: a window of a page, an automaton's cache, and what an allocator rounds up.
    const EACH: u64 = 256;
    // Of the pages those with a digest and with a pattern.
    let pages =
        [exercise::http(), exercise::http2()].map(|kinds| kinds.into_iter().skip(1).take(2));
    let grpc = exercise::http2().into_iter().last();
    let kinds = pages.into_iter().flatten().chain(grpc).chain(exercise::handshakes());
    let run = Run {
        server: ([192, 0, 2, 1], 80).into(),
        page: 0,
        random: 0,
        keep: true,
        timeout: Duration::from_secs(5),
    };
    for prepared in kinds {
        let kind = prepared.kind();
        for (begin, more) in attacks() {
            let before = resident();
            let mut dialogues = Vec::new();
            for _ in 0..DIALOGUES {
                let mut dialogue = Dialogue::new(&prepared, &run);
                dialogue.handle_bytes(&begin);
                dialogues.push(dialogue);
            }
            for dialogue in &mut dialogues {
                for _ in 0..ROUNDS {
                    dialogue.handle_bytes(&more);
                    let said = dialogue.poll_transmit().map_or(0, |said| said.len());
                    assert!(said <= 64 * 1024, "{said} bytes said at once by {kind:?}");
                    if dialogue.poll_outcome().is_some() {
                        break;
                    }
                }
            }
            let grown = resident().saturating_sub(before);
            assert!(grown < DIALOGUES * EACH, "{grown} kB for {kind:?} against {begin:?}");
        }
    }
}
