//! Words of a special form: each one's name in the table, what to call it, and what fits.

use std::{fmt, net::IpAddr, net::Ipv4Addr, net::Ipv6Addr};

use super::Problem;
use crate::lower::value::{micros, number};

/// A form of words that no other kind covers.
#[derive(Clone, Copy)]
pub struct Form {
    /// Its name in the table.
    pub name: &'static str,
    /// What to write, for people.
    pub describe: &'static str,
    fits: fn(&str) -> Result<(), Problem>,
}

impl Form {
    /// Whether the word has the form.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, text: &str) -> Result<(), Problem> {
        (self.fits)(text)
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FORMS.iter().find(|form| form.name == name)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Form {}

const fn form(
    name: &'static str,
    describe: &'static str,
    fits: fn(&str) -> Result<(), Problem>,
) -> Form {
    Form { name, describe, fits }
}

const FORMS: &[Form] = &[
    form("destination", "a prefix, default, any or all", |text| match text {
        "default" | "any" | "all" => Ok(()),
        text => prefix(text),
    }),
    form("mask", "an IPv4 netmask, or a prefix length of 1 to 128", |text| {
        if text.parse::<Ipv4Addr>().is_ok() { Ok(()) } else { within(text, 1, 128) }
    }),
    form("mac", "a MAC address of five or six octets", |text| is(is_mac(text))),
    form("hexmask", "hexadecimal digits, `x` for any digit", |text| {
        is(text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X')))
    }),
    form("member", "an address or a range of addresses", address_range),
    form("endpoint", "an address or a DNS name", |text| {
        is(text.parse::<IpAddr>().is_ok() || is_host(text))
    }),
    form("secret", "32 to 64 bytes of text, hex:DIGITS or file:PATH", secret),
    form("bufsize", "MTU, ADVERT or a number of bytes", |text| {
        let word = ["MTU", "ADVERT"].iter().any(|word| word.eq_ignore_ascii_case(text));
        if word { Ok(()) } else { within(text, 0, 2_147_483_647) }
    }),
    form("umask", "a number up to 0777, or names like IRWXG joined with |", umask),
    form(
        "includecheck",
        "read, match, wildcard_match or brace_match, with + or - before it",
        |text| {
            let word = text.strip_prefix(['+', '-']).unwrap_or(text);
            is(matches!(word, "read" | "match" | "wildcard_match" | "brace_match"))
        },
    ),
    form("scope", "global, site, link, host, nowhere or 0 to 255", |text| {
        number_or_name(text, 255)
    }),
    form("broadcast", "an IPv4 address, + or -", |text| {
        is(matches!(text, "+" | "-") || text.parse::<Ipv4Addr>().is_ok())
    }),
    form("lifetime", "seconds, or forever", |text| {
        if text == "forever" { Ok(()) } else { within(text, 0, 4_294_967_295) }
    }),
    form("linkgroup", "a number or the name of a link group", |text| {
        number_or_name(text, 4_294_967_295)
    }),
    form("table", "a number or the name of a routing table", |text| {
        number_or_name(text, 4_294_967_295)
    }),
    form("rtproto", "0 to 255 or the name of a routing protocol", |text| number_or_name(text, 255)),
    form("ipproto", "0 to 255 or the name of an IP protocol", |text| number_or_name(text, 255)),
    form("tos", "a type of service: 0 to 255 (0x10 too) or a name", tos),
    form("realms", "[FROM/]TO", |text| {
        is(text.split('/').count() <= 2 && text.split('/').all(|part| !part.is_empty()))
    }),
    form("time", "a time with s or ms behind it", |text| {
        let digits = text.strip_suffix("ms").or_else(|| text.strip_suffix('s')).unwrap_or(text);
        micros(digits).map(|_| ()).map_err(Problem::from)
    }),
    form("pref", "low, medium, high or a number", |text| number_or_name(text, 255)),
    form("labels", "MPLS labels 0 to 1048575 joined with /", |text| {
        text.split('/').try_for_each(|label| within(label, 0, 1_048_575))
    }),
    form("locator", "four groups of hexadecimal digits", |text| {
        let groups = || text.split(':');
        is(groups().count() == 4 && groups().all(|group| u16::from_str_radix(group, 16).is_ok()))
    }),
    form("anybase", "a number from 0 to 4294967295, hexadecimal behind 0x", mark),
    form("mark", "VALUE or VALUE/MASK", |text| text.splitn(2, '/').try_for_each(mark)),
    form("portrange", "PORT or LOW-HIGH", |text| span(text, 0, 65535)),
    form("uidrange", "UID or LOW-HIGH", |text| span(text, 0, 4_294_967_295)),
    form("codes", "status codes of 100 to 599, alone or as LOW-HIGH", |text| span(text, 100, 599)),
    form("regexoption", "an option of PCRE2 like caseless or multiline", |text| {
        is(REGEX_OPTIONS.split(' ').any(|option| option == text))
    }),
];

const REGEX_OPTIONS: &str = "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall \
dupnames extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture \
no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c \
alt_circumflex alt_verbnames use_offset_limit";

/// Whether a text can be a name in the DNS. What has no letter is an address that is misspelt.
fn is_host(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(inside);
    let letter = bare.bytes().any(|byte| byte.is_ascii_alphabetic());
    letter && bare.len() <= 253 && bare.split('.').all(label)
}

fn is(fits: bool) -> Result<(), Problem> {
    if fits { Ok(()) } else { Err(Problem::Malformed) }
}

fn within(text: &str, low: i64, high: i64) -> Result<(), Problem> {
    number(text, low, high).map(|_| ()).map_err(Problem::from)
}

/// A name, which starts with a letter, or a number up to a limit.
fn number_or_name(text: &str, high: i64) -> Result<(), Problem> {
    if text.starts_with(|char: char| char.is_ascii_alphabetic()) {
        return Ok(());
    }
    match text.strip_prefix("0x") {
        Some(digits) => is(i64::from_str_radix(digits, 16).is_ok_and(|number| number <= high)),
        None => within(text, 0, high),
    }
}

fn tos(text: &str) -> Result<(), Problem> {
    // iproute2 reads these as hexadecimal.
    is(u8::from_str_radix(text.trim_start_matches("0x"), 16).is_ok()
        || text.starts_with(|char: char| char.is_ascii_alphabetic()))
}

fn mark(text: &str) -> Result<(), Problem> {
    match text.strip_prefix("0x") {
        Some(digits) => is(u32::from_str_radix(digits, 16).is_ok()),
        None => within(text, 0, 4_294_967_295),
    }
}

fn umask(text: &str) -> Result<(), Problem> {
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        let octal = text.starts_with('0') && text.len() > 1;
        let mask = u32::from_str_radix(text, if octal { 8 } else { 10 });
        return match mask {
            Ok(mask) if mask <= 0o777 => Ok(()),
            Ok(_) => Err(Problem::OutOfRange),
            Err(_) => Err(Problem::Malformed),
        };
    }
    let name = |name: &str| {
        matches!(
            name.strip_prefix("S_").unwrap_or(name),
            "IRUSR"
                | "IWUSR"
                | "IXUSR"
                | "IRWXU"
                | "IRGRP"
                | "IWGRP"
                | "IXGRP"
                | "IRWXG"
                | "IROTH"
                | "IWOTH"
                | "IXOTH"
                | "IRWXO"
        )
    };
    is(text.split('|').all(name))
}

fn secret(text: &str) -> Result<(), Problem> {
    if let Some(path) = text.strip_prefix("file:") {
        return is(path.starts_with('/'));
    }
    let bytes = match text.strip_prefix("hex:") {
        Some(digits) if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            return Err(Problem::Malformed);
        }
        Some(digits) => digits.len().div_ceil(2),
        None => text.len(),
    };
    if (32..=64).contains(&bytes) { Ok(()) } else { Err(Problem::OutOfRange) }
}

fn is_mac(text: &str) -> bool {
    let octets = || text.split(':');
    let octet = |octet: &str| {
        (1..=2).contains(&octet.len()) && octet.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    (5..=6).contains(&octets().count()) && octets().all(octet)
}

/// An address with an optional prefix length.
pub(super) fn prefix(text: &str) -> Result<(), Problem> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let most = match address.parse::<IpAddr>().map_err(|_| Problem::Malformed)? {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    match length.map(|length| number(length, 0, most)) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(Problem::OutOfRange),
    }
}

/// One number, or `LOW-HIGH`.
fn span(text: &str, low: i64, high: i64) -> Result<(), Problem> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first, low, high)?, number(last, low, high)?);
    if first <= last { Ok(()) } else { Err(Problem::OutOfRange) }
}

/// `ADDRESS`, `ADDRESS-N` (the last octet or group), `ADDRESS-ADDRESS` or `ADDRESS/LENGTH`.
fn address_range(text: &str) -> Result<(), Problem> {
    if text.contains('/') {
        return prefix(text);
    }
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (first, Some(last)),
        None => (text, None),
    };
    let first: IpAddr = first.parse().map_err(|_| Problem::Malformed)?;
    let Some(last) = last else { return Ok(()) };
    let last = match (first, last.parse::<IpAddr>()) {
        (_, Ok(last)) => last,
        (IpAddr::V4(first), Err(_)) => {
            let [a, b, c, _] = first.octets();
            let last = u8::try_from(number(last, 0, 255)?).unwrap_or(u8::MAX);
            Ipv4Addr::new(a, b, c, last).into()
        }
        (IpAddr::V6(first), Err(_)) => {
            let [a, b, c, d, e, f, g, _] = first.segments();
            let last = u16::from_str_radix(last, 16).map_err(|_| Problem::Malformed)?;
            Ipv6Addr::new(a, b, c, d, e, f, g, last).into()
        }
    };
    if first.is_ipv4() == last.is_ipv4() && first <= last {
        Ok(())
    } else {
        Err(Problem::OutOfRange)
    }
}
