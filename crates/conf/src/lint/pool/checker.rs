//! Health checks that cannot succeed, or do not do what they seem to.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
};

use super::{
    detection::{self, Times},
    server::Server,
};
use crate::{
    Code, Diagnostic, Statement, Word,
    diagnostic::Class,
    lint::{
        names::{Names, What},
        trackers,
        tree::{Tally, is, is_on, last, number, value},
    },
};

/// Where checks stand.
pub(super) struct Site<'a, 's> {
    pub(super) server: &'a Server<'s>,
    pub(super) times: Times<'s>,
    /// Whether a `virtualhost` around the check names a host.
    pub(super) named_host: bool,
    /// Which statement of the top level it is.
    pub(super) at: usize,
}

pub(super) fn lint<'s>(
    site: &Site<'_, 's>,
    checks: impl Iterator<Item = &'s Statement> + Clone,
    names: &mut Names<'s>,
    tally: &mut Tally<'s>,
) {
    for check in checks.clone() {
        let Some(word) = check.keyword() else { continue };
        match word.text.as_str() {
            "MISC_CHECK" => {
                let lines = check.statements();
                needs(check, "misc_path", tally);
                let timeout = last(lines, &["misc_timeout"]).and_then(value);
                detection::command(site.times.inherit(lines), timeout, tally);
            }
            "BFD_CHECK" => follows(check, "name", What::Bfd, site.at, names, tally),
            "FILE_CHECK" => follows(check, "track_file", What::TrackFile, site.at, names, tally),
            "TCP_CHECK" | "HTTP_GET" | "SSL_GET" | "SMTP_CHECK" | "DNS_CHECK" | "UDP_CHECK"
            | "PING_CHECK" => network(site, check, word, tally),
            _ => {}
        }
    }
    if checks.clone().nth(1).is_some() {
        twice(checks, tally);
    }
}

fn network<'s>(site: &Site<'_, 's>, check: &'s Statement, word: &'s Word, tally: &mut Tally<'s>) {
    let lines = check.statements();
    detection::network(site.times.inherit(lines), word, tally);
    target(site, lines, word, tally);
    match word.text.as_str() {
        "HTTP_GET" | "SSL_GET" => http(site, check, tally),
        "UDP_CHECK" => udp(lines, tally),
        "DNS_CHECK" => dns(lines, tally),
        "SMTP_CHECK" => {
            for host in lines.iter().filter(|line| is(line, "host")) {
                target(site, host.statements(), word, tally);
                tally.add(Code::Deprecated, "host", || {
                    let found = Diagnostic::note(
                        Code::Deprecated,
                        host.keyword()?.span,
                        "`host` blocks are an old way to check several targets",
                    )
                    .hint("write one SMTP_CHECK for each target");
                    Some(found)
                });
            }
        }
        _ => {}
    }
}

/// Where the check goes, and from where.
fn target<'s>(site: &Site<'_, 's>, lines: &'s [Statement], check: &'s Word, tally: &mut Tally<'s>) {
    let named = |keyword| last(lines, &[keyword]).and_then(value);
    let written = named("connect_port");
    let port = written.and_then(number).filter(|port| *port != 0);
    if port.is_none() && site.server.port == 0 && check.text != "PING_CHECK" {
        tally.add(Code::CheckPort, "", || {
            let message = format!("{} has no port to connect to and always fails", check.text);
            let found = Diagnostic::warning(Code::CheckPort, written.unwrap_or(check), message)
                .hint("write `connect_port NUMBER` into the check");
            Some(found)
        });
    }
    let connect_ip = named("connect_ip");
    let parsed = |word: &Word| word.text.parse::<IpAddr>().ok();
    let Some(address) = connect_ip.map_or(site.server.address, parsed) else { return };
    let place = connect_ip.unwrap_or(check);
    let local = matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if local && last(lines, &["bind_if"]).is_none() {
        tally.add(Code::LinkLocalCheck, "", || {
            let message = format!("nothing says on which interface {address} is");
            let found = Diagnostic::warning(Code::LinkLocalCheck, place, message)
                .hint("write `bind_if INTERFACE` into the check")
                .class(Class::Error);
            Some(found)
        });
    }
    let source = named("bindto").and_then(|word| Some((word, parsed(word)?)));
    if let Some((word, _)) = source.filter(|(_, ip)| ip.is_ipv6() != address.is_ipv6()) {
        tally.add(Code::CheckFamily, "", || {
            let message =
                format!("no check of {address} can leave from {}, of another family", word.text);
            let found = Diagnostic::warning(Code::CheckFamily, word, message)
                .hint("write an address of the target's family")
                .class(Class::Error);
            Some(found)
        });
    }
    fixed_port(lines, check, tally);
}

fn fixed_port<'s>(lines: &'s [Statement], check: &'s Word, tally: &mut Tally<'s>) {
    let tcp = matches!(check.text.as_str(), "TCP_CHECK" | "HTTP_GET" | "SSL_GET" | "SMTP_CHECK");
    let port = last(lines, &["bind_port"]).and_then(Statement::keyword);
    let Some(word) = port.filter(|_| tcp) else { return };
    tally.add(Code::FixedSourcePort, "", || {
        let message = "with a fixed source port a check fails while its last connection lingers";
        let found = Diagnostic::note(Code::FixedSourcePort, word, message).hint(
            "delete `bind_port`, unless a firewall needs it and `delay_loop` is over a minute",
        );
        Some(found)
    });
}

fn http<'s>(site: &Site<'_, 's>, check: &'s Statement, tally: &mut Tally<'s>) {
    let lines = check.statements();
    needs(check, "url", tally);
    let mut named_host = site.named_host || last(lines, &["virtualhost", "sni_name"]).is_some();
    for url in lines.iter().filter(|line| is(line, "url")) {
        needs(url, "path", tally);
        regex(url.statements(), tally);
        named_host |= last(url.statements(), &["virtualhost"]).is_some();
    }
    let sni = last(lines, &["enable_sni"]).filter(|line| is_on(line)).and_then(Statement::keyword);
    if let Some(word) = sni.filter(|_| is(check, "SSL_GET") && !named_host) {
        tally.add(Code::ServerNameMissing, "", || {
            let message = "`enable_sni` has no host name to send";
            let found = Diagnostic::warning(Code::ServerNameMissing, word, message)
                .hint("write `sni_name HOST` or `virtualhost HOST`");
            Some(found)
        });
    }
}

fn regex<'s>(lines: &'s [Statement], tally: &mut Tally<'s>) {
    const REFINES: [&str; 5] =
        ["regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset", "regex_stack"];
    let refines = || last(lines, &REFINES).and_then(Statement::keyword);
    if let (Some(word), None) = (refines(), last(lines, &["regex"])) {
        tally.add(Code::RegexOption, "regex", || {
            let message = format!("`{}` has no `regex` to refine", word.text);
            let found = Diagnostic::warning(Code::RegexOption, word, message)
                .hint("write `regex PATTERN`, or delete this line");
            Some(found)
        });
        return;
    }
    escapes(lines, tally);
    let offset = |keyword| last(lines, &[keyword]).and_then(value);
    let Some(most) = offset("regex_max_offset") else { return };
    if let Some(least) = offset("regex_min_offset")
        && number(least).zip(number(most)).is_some_and(|(least, most)| most <= least)
    {
        tally.add(Code::RegexOption, "offset", || {
            let message = "nothing matches: a match would end before it begins";
            let found = Diagnostic::warning(Code::RegexOption, most, message)
                .also(least.span, "it begins here at the earliest")
                .hint("write a larger `regex_max_offset`");
            Some(found)
        });
    }
}

/// Escapes of the file are read before those of the pattern: `\d` is a `d` to it.
fn escapes<'s>(lines: &'s [Statement], tally: &mut Tally<'s>) {
    let Some(word) = last(lines, &["regex"]).and_then(value) else { return };
    let mut chars = word.text.chars();
    let lost = std::iter::from_fn(|| chars.find(|char| *char == '\\').and_then(|_| chars.next()));
    // Letters that mean the same to both, and signs that are themselves to a pattern.
    let kept = |char: &char| {
        matches!(char, 'a' | 'f' | 'n' | 'r' | 't' | 'x' | 'c' | '\\')
            || (!char.is_alphanumeric() && !".*+?()[]{}|^$".contains(*char))
    };
    let Some(lost) = lost.into_iter().find(|char| !kept(char)) else { return };
    tally.add(Code::PatternEscape, "", || {
        let message =
            format!("`\\{lost}` is read before the pattern, which never sees the backslash");
        let found = Diagnostic::warning(Code::PatternEscape, word, message)
            .hint(format!("write `\\\\{lost}`"));
        Some(found)
    });
}

fn udp<'s>(lines: &'s [Statement], tally: &mut Tally<'s>) {
    let word = |keyword| last(lines, &[keyword]).and_then(value);
    if let Some(payload) = word("payload").filter(|word| word.text.len() % 2 == 1) {
        tally.add(Code::OddDigits, "", || {
            let message = "two digits make a byte, and one is left over";
            let found = Diagnostic::warning(Code::OddDigits, payload, message)
                .hint("write an even number of digits");
            Some(found)
        });
    }
    let Some((least, bytes)) =
        word("min_reply_length").and_then(|word| Some((word, number(word)?)))
    else {
        return;
    };
    let most = word("max_reply_length").and_then(|word| Some((word, number(word)?)));
    let limit = most.map_or(255, |(_, limit)| limit);
    if bytes > limit {
        tally.add(Code::ReplyLength, "range", || {
            let message = format!("no answer has {bytes} bytes at least and {limit} at most");
            let found = Diagnostic::warning(Code::ReplyLength, least, message)
                .hint("write a larger `max_reply_length`; it is 255 when it is not written")
                .class(Class::Error);
            Some(match most {
                Some((word, _)) => found.also(word.span, "the most"),
                None => found,
            })
        });
    } else if bytes > 0 && last(lines, &["require_reply"]).is_none() {
        tally.add(Code::ReplyLength, "reply", || {
            let message = "without `require_reply` a server that does not answer passes too";
            let found = Diagnostic::note(Code::ReplyLength, least, message)
                .hint("write `require_reply` too");
            Some(found)
        });
    }
}

fn dns<'s>(lines: &'s [Statement], tally: &mut Tally<'s>) {
    let Some(word) = last(lines, &["name"]).and_then(value) else { return };
    let bare = word.text.strip_suffix('.').unwrap_or(&word.text);
    let fits = |label: &str| (1..=63).contains(&label.len());
    if bare.is_empty() || (bare.len() <= 253 && bare.split('.').all(fits)) {
        return;
    }
    tally.add(Code::DomainName, "", || {
        let message = format!("`{}` is no domain name", word.text);
        let found = Diagnostic::warning(Code::DomainName, word, message)
            .hint("labels of 1 to 63 bytes are joined by dots, 253 bytes in all")
            .class(Class::Error);
        Some(found)
    });
}

fn needs<'s>(block: &'s Statement, keyword: &'static str, tally: &mut Tally<'s>) {
    if block.statements().iter().any(|line| is(line, keyword)) {
        return;
    }
    tally.add(Code::CheckIncomplete, keyword, || {
        let word = block.keyword()?;
        let message = format!("`{}` has no `{keyword}` and is ignored", word.text);
        let found = Diagnostic::warning(Code::CheckIncomplete, word, message)
            .hint(format!("write `{keyword}` into the block"))
            .class(Class::Error);
        Some(found)
    });
}

fn follows<'s>(
    check: &'s Statement,
    keyword: &'static str,
    what: What,
    at: usize,
    names: &mut Names<'s>,
    tally: &mut Tally<'s>,
) {
    needs(check, keyword, tally);
    let Some(word) = last(check.statements(), &[keyword]).and_then(value) else { return };
    if names.find(what, word, at).is_none() {
        tally.add(Code::TrackerUndefined, &word.text, || {
            Some(trackers::undefined(what, word, names))
        });
    }
}

/// The same check twice in one server, to the word.
fn twice<'s>(checks: impl Iterator<Item = &'s Statement>, tally: &mut Tally<'s>) {
    let mut seen = BTreeMap::new();
    for check in checks {
        let Some(word) = check.keyword() else { continue };
        let mut hasher = DefaultHasher::new();
        hash(check, &mut hasher);
        if let Some(first) = seen.insert(hasher.finish(), word) {
            tally.add(Code::CheckTwice, "", || {
                let message = format!("the real server has this {} already", word.text);
                let found = Diagnostic::warning(Code::CheckTwice, word, message)
                    .also(first.span, "the same check")
                    .hint("delete one of them, or let it look at something else");
                Some(found)
            });
        }
    }
}

fn hash(statement: &Statement, hasher: &mut DefaultHasher) {
    statement.words.len().hash(hasher);
    statement.words.iter().for_each(|word| word.text.hash(hasher));
    statement.statements().len().hash(hasher);
    statement.statements().iter().for_each(|inner| hash(inner, hasher));
}
