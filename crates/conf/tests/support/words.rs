//! Words that fit a kind of the table, at its limits, and words that do not.

use std::time::Duration;

use standfast_conf::table::{Family, Kind};

/// Longer words are not written to find a limit.
const LONG: usize = 1000;

/// Words of a kind.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// They fit; at least one.
    pub(crate) good: Vec<String>,
    /// They do not.
    pub(crate) bad: Vec<String>,
}

fn words(good: &[&str], bad: &[&str]) -> Words {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Words { good: owned(good), bad: owned(bad) }
}

/// The words of a kind: its limits and choices, what lies just outside, and what is malformed.
pub(crate) fn of(kind: &Kind) -> Words {
    match kind {
        Kind::Bool => words(&["true", "on", "yes", "false", "off", "no"], &["maybe", "1"]),
        Kind::Number { low, high, .. } => Words {
            good: vec![low.to_string(), high.to_string()],
            bad: [low.checked_sub(1), high.checked_add(1)]
                .into_iter()
                .flatten()
                .map(|number| number.to_string())
                .chain(["12x".to_owned(), "1.5".to_owned()])
                .collect(),
        },
        Kind::Time { unit, low, high } => times(*unit, *low, *high),
        Kind::OneOf { words, any_case } => choice(words, *any_case),
        Kind::Name => words(&["name_1"], &[]),
        Kind::Text { low, high } => lengths("t", *low, *high),
        Kind::Path => words(&["/etc/file"], &[]),
        Kind::Interface => words(&["e", "a234567890.2345"], &["a234567890.23456", "a/b"]),
        Kind::Address => words(&["192.0.2.9", "2001:db8::9"], &["192.0.2.256", "192.0.2.9/24"]),
        Kind::Group(None) => words(&["224.0.0.0", "239.255.255.255", "ff02::12"], &["240.0.0.0"]),
        Kind::Group(Some(Family::Ip4)) => {
            words(&["224.0.0.0", "239.255.255.255"], &["223.255.255.255", "240.0.0.0", "ff02::1"])
        }
        Kind::Group(Some(Family::Ip6)) => words(&["ff00::", "ff02::12"], &["fe80::1", "224.0.0.1"]),
        Kind::Prefix => words(
            &["192.0.2.9", "192.0.2.9/0", "192.0.2.9/32", "2001:db8::9/128"],
            &["192.0.2.9/33", "2001:db8::9/129", "192.0.2.9/x"],
        ),
        Kind::Hex { low, high } => {
            let mut hex = lengths("a", (*low).max(1), *high);
            hex.bad.push("xyz".to_owned());
            hex
        }
        Kind::Command => words(&["\"/bin/true word\""], &[]),
        Kind::User => words(&["nobody", "nobody nogroup"], &[]),
        Kind::Service => words(&["192.0.2.9 80", "fwmark 7", "group name_1"], &["localhost"]),
        Kind::Form(form) => of_form(form.name),
    }
}

fn times(unit: Duration, low: Duration, high: Duration) -> Words {
    // The least that can be written: a millionth of the unit.
    let step = unit / 1_000_000;
    let write = |time: Duration| {
        let parts = time.as_nanos() / step.as_nanos();
        format!("{}.{:06}", parts / 1_000_000, parts % 1_000_000)
    };
    let below = low.checked_sub(step).map(write);
    Words {
        good: vec![write(low), write(high)],
        bad: [below, Some(write(high + step)), Some("-1".to_owned()), Some("1s".to_owned())]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn choice(words: &[&str], any_case: bool) -> Words {
    let mut choice = Words::default();
    choice.bad.push("nonesuch".to_owned());
    for &word in words {
        choice.good.push(word.to_owned());
        for other in [word.to_lowercase(), word.to_uppercase()] {
            match any_case {
                true => choice.good.push(other),
                false if !words.contains(&other.as_str()) => choice.bad.push(other),
                false => {}
            }
        }
    }
    choice
}

fn lengths(letter: &str, low: usize, high: usize) -> Words {
    let mut lengths = Words::default();
    lengths.good.push(letter.repeat(low.max(1)));
    if low > 1 {
        lengths.bad.push(letter.repeat(low - 1));
    }
    if high < LONG {
        lengths.good.push(letter.repeat(high));
        lengths.bad.push(letter.repeat(high + 1));
    }
    lengths
}

fn of_form(name: &str) -> Words {
    match name {
        "destination" => {
            words(&["default", "any", "192.0.2.0/24", "2001:db8::/32"], &["192.0.2.0/33"])
        }
        "mask" => words(&["255.255.255.255", "1", "128"], &["0", "129", "255.255.255.256"]),
        "mac" => {
            words(&["00:00:5e:00:01", "00:00:5e:00:01:33"], &["00:00:5e:00", "00:00:5e:00:01:3g"])
        }
        "hexmask" => words(&["0x", "ffxx"], &["fg"]),
        "member" => words(
            &["192.0.2.1", "192.0.2.1-9", "192.0.2.1-192.0.2.9", "192.0.2.0/28", "2001:db8::1-f"],
            &["192.0.2.9-1", "192.0.2.1-256", "192.0.2.0/33", "host"],
        ),
        "endpoint" => words(
            &["192.0.2.9", "2001:db8::9", "web-1.example.org", "_http._tcp.example.org."],
            &["192.0.2.256", "192.0.2.9:80", "web..org", "a/b"],
        ),
        "secret" => Words {
            good: vec!["s".repeat(32), "s".repeat(64), "file:/etc/key".to_owned()],
            bad: vec!["s".repeat(31), "s".repeat(65), format!("hex:{}", "g".repeat(64))],
        },
        "bufsize" => words(&["MTU", "ADVERT", "0", "2147483647"], &["2147483648", "big"]),
        "umask" => words(&["0", "0777", "IRWXG|IRWXO"], &["01000", "0778", "IRWXQ"]),
        "includecheck" => words(&["read", "+match", "-wildcard_match", "brace_match"], &["all"]),
        "scope" => words(&["global", "nowhere", "0", "255"], &["256"]),
        "broadcast" => words(&["+", "-", "192.0.2.255"], &["192.0.2.256"]),
        "lifetime" => words(&["forever", "0", "4294967295"], &["4294967296", "always"]),
        "linkgroup" | "table" => words(&["main", "0", "4294967295"], &["4294967296"]),
        "rtproto" | "ipproto" => words(&["static", "0", "255"], &["256"]),
        "tos" => words(&["0", "ff", "0x10", "lowdelay"], &["100", "0x100"]),
        "realms" => words(&["1", "1/2"], &["1/2/3", "1/"]),
        "time" => words(&["1", "1s", "1.5ms"], &["1m", "1.x"]),
        "pref" => words(&["low", "medium", "high"], &["256"]),
        "labels" => words(&["0", "16/1048575"], &["1048576", "1//2"]),
        "locator" => words(&["0:1:2:ffff"], &["0:1:2", "0:1:2:g"]),
        "anybase" => words(&["0", "4294967295", "0xff"], &["4294967296", "0xg", "x"]),
        "mark" => words(&["0", "4294967295", "0xff/0xf"], &["4294967296", "0xg", "1/x"]),
        "portrange" => words(&["0", "65535", "1-2"], &["65536", "2-1", "1-x"]),
        "uidrange" => words(&["0", "4294967295", "1-2"], &["4294967296", "2-1"]),
        "codes" => words(&["100", "599", "200-299"], &["99", "600", "299-200"]),
        "regexoption" => words(&["caseless", "multiline"], &["nonesuch"]),
        form => panic!("what fits the form `{form}`?"),
    }
}
