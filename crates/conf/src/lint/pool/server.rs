//! Real servers and the sorry server, each against its virtual server.

use std::net::IpAddr;

use super::{
    Service, Target,
    checker::{self, Site},
    detection::Times,
};
use crate::{
    Code, Diagnostic, Statement, Word,
    diagnostic::Class,
    lint::{
        names::Names,
        tree::{Tally, is, is_on, last, name, number, value},
    },
};

/// A real server.
pub(super) struct Server<'s> {
    pub(super) word: &'s Word,
    pub(super) lines: &'s [Statement],
    pub(super) address: Option<IpAddr>,
    /// Its own port, else the service's; 0: none.
    pub(super) port: u16,
    words: &'s [Word],
}

impl<'s> Server<'s> {
    /// Reads `real_server ADDRESS [PORT]`; without the keyword when it stands in a
    /// `real_servers`, which keepalived does not know and people write.
    pub(super) fn read(line: &'s Statement, service_port: u16) -> Option<Self> {
        let word = line.keyword()?;
        let words = if is(line, "real_server") { line.parameters() } else { &line.words };
        let address = words.first().and_then(|word| word.text.parse().ok());
        let port = words.get(1).and_then(|word| word.text.parse().ok()).filter(|port| *port != 0);
        let port = port.unwrap_or(service_port);
        Some(Self { word, lines: line.statements(), address, port, words })
    }

    pub(super) fn weight(&self) -> Option<u64> {
        self.weight_word().and_then(number)
    }

    pub(super) fn weight_word(&self) -> Option<&'s Word> {
        last(self.lines, &["weight"]).and_then(value)
    }

    /// The word to point at.
    fn name(&self) -> &'s Word {
        self.words.first().unwrap_or(self.word)
    }

    fn checks(&self) -> impl Iterator<Item = &'s Statement> + Clone + use<'s> {
        self.lines.iter().filter(|line| {
            let name = name(line);
            line.block.is_some() && (name.ends_with("_CHECK") || name.ends_with("_GET"))
        })
    }
}

pub(super) fn lint<'s>(
    service: &Service<'s>,
    at: usize,
    names: &mut Names<'s>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut tally = Tally::default();
    twice(service, &mut tally);
    let kind = service.last(&["lb_kind", "lvs_method"]);
    let method = kind.and_then(value).map_or("NAT", |word| word.text.as_str());
    let sorry_kind = service.last(&["sorry_server_lvs_method"]);
    for line in kind.into_iter().chain(sorry_kind) {
        tunnel(line, &mut tally);
    }
    let times = Times::default().inherit(service.settings.iter().copied());
    let named_host = service.last(&["virtualhost"]).is_some();
    let alpha = service.last(&["alpha"]);
    for server in &service.servers {
        let own = last(server.lines, &["lvs_method"]);
        own.inspect(|line| tunnel(line, &mut tally));
        let method = own.and_then(value).map_or(method, |word| word.text.as_str());
        family(service, server, method, &mut tally);
        forwarding(service, server, method, &mut tally);
        thresholds(server, &mut tally);
        unchecked(server, alpha, &mut tally);
        let times = times.inherit(server.lines);
        let named_host = named_host || last(server.lines, &["virtualhost"]).is_some();
        let site = Site { server, times, named_host, at };
        checker::lint(&site, server.checks(), names, &mut tally);
    }
    let sorry_method = sorry_kind.and_then(value).map_or(method, |word| word.text.as_str());
    sorry(service, sorry_method, &mut tally);
    tally.finish("virtual_server", diagnostics);
}

fn twice<'s>(service: &Service<'s>, tally: &mut Tally<'s>) {
    let places = service.servers.iter().enumerate();
    let mut places: Vec<_> =
        places.filter_map(|(at, server)| Some((server.address?, server.port, at))).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(address, port, first), (again, same, second)] = pair else { continue };
        if (address, port) != (again, same) {
            continue;
        }
        let server = |at: usize| service.servers.get(at);
        let (Some(first), Some(second)) = (server(*first), server(*second)) else { continue };
        tally.add(Code::ServerTwice, "", || {
            let written = second.words.get(1).filter(|word| word.text != "0");
            let port = match (written, port) {
                (Some(word), _) => format!(" port {}", word.text),
                (None, 0) => String::new(),
                (None, port) => format!(" with the service's port, {port},"),
            };
            let message =
                format!("the real server {address}{port} is listed already and counts once");
            let found = Diagnostic::warning(Code::ServerTwice, second.name().span, message)
                .also(first.name().span, "listed here first")
                .hint("delete one of them; for more connections write a larger `weight`")
                .class(Class::Error);
            Some(found)
        });
    }
}

fn family<'s>(service: &Service<'s>, server: &Server<'s>, method: &str, tally: &mut Tally<'s>) {
    let (Some(ipv6), Some(address)) = (service.ipv6, server.address) else { return };
    if address.is_ipv6() == ipv6 || method == "TUN" {
        return;
    }
    tally.add(Code::ServerFamily, "", || {
        let families = if ipv6 { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
        let message = format!(
            "the service is {} and this real server {}, so the server is skipped",
            families.0, families.1
        );
        let found = Diagnostic::warning(Code::ServerFamily, server.name().span, message)
            .hint("write an address of the service's family, or tunnel with `lb_kind TUN`")
            .class(Class::Error);
        Some(found)
    });
}

/// Whether the forwarding method can do what the ports ask for.
fn forwarding<'s>(
    service: &Service<'s>,
    server: &Server<'s>,
    method: &'s str,
    tally: &mut Tally<'s>,
) {
    if !matches!(method, "DR" | "TUN") {
        return;
    }
    let Some(own) = server.words.get(1).filter(|_| server.port != 0) else { return };
    let (unlike, marked) = match service.target {
        Target::Address(_, port) if server.port != port => {
            (service.words.get(1).or(service.words.first()).map(|word| (word, port)), false)
        }
        Target::Group(_) => (service.members.unlike(server.port), service.members.mark.is_some()),
        Target::Mark(_) => (None, true),
        Target::Address(..) | Target::Unknown => (None, false),
    };
    if let Some((place, port)) = unlike {
        tally.add(Code::DirectRoutingPort, method, || {
            let found = match port {
                0 => {
                    let message = format!(
                        "{method} cannot change ports, and the service is on all, not on {} alone",
                        own.text
                    );
                    Diagnostic::warning(Code::DirectRoutingPort, own.span, message)
                        .hint("delete the port")
                }
                port => {
                    let message =
                        format!("{method} cannot change ports: {} becomes {port}", own.text);
                    Diagnostic::warning(Code::DirectRoutingPort, own.span, message)
                        .hint(format!("let the server listen on {port}, or write `lb_kind NAT`"))
                }
            };
            Some(found.also(place.span, "the service's port").class(Class::Error))
        });
    }
    if marked {
        tally.add(Code::MarkNeedsNoMore, "", || {
            let message = format!(
                "{method} cannot change ports, so the port of a service by mark is ignored"
            );
            let found = Diagnostic::note(Code::MarkNeedsNoMore, own, message)
                .hint("delete the port; write `connect_port` in checks that need one")
                .class(Class::Error);
            Some(found)
        });
    }
}

fn thresholds<'s>(server: &Server<'s>, tally: &mut Tally<'s>) {
    let word = |keyword| last(server.lines, &[keyword]).and_then(value);
    let (Some(upper), Some(lower)) = (word("uthreshold"), word("lthreshold")) else { return };
    let numbers = number(upper).zip(number(lower));
    if numbers.is_some_and(|(upper, lower)| upper > 0 && lower >= upper) {
        tally.add(Code::Thresholds, "", || {
            let message =
                format!("lthreshold {} is not below uthreshold {}", lower.text, upper.text);
            let found = Diagnostic::warning(Code::Thresholds, lower, message)
                .also(upper.span, "no new connections from here on")
                .hint("write a smaller `lthreshold`");
            Some(found)
        });
    }
}

fn unchecked<'s>(server: &Server<'s>, alpha: Option<&'s Statement>, tally: &mut Tally<'s>) {
    if server.checks().next().is_some() {
        return;
    }
    let alpha = last(server.lines, &["alpha"]).or(alpha).filter(|line| is_on(line));
    if let Some(alpha) = alpha.and_then(Statement::keyword) {
        tally.add(Code::AlphaWithoutCheck, "", || {
            let message = "`alpha` waits for a check to succeed, and the real server has none";
            let found = Diagnostic::warning(Code::AlphaWithoutCheck, server.name().span, message)
                .also(alpha.span, "asked for here")
                .hint("write a check, like `TCP_CHECK { ... }`, or delete `alpha`");
            Some(found)
        });
        return;
    }
    tally.add(Code::CheckMissing, "", || {
        let message = "the real server has no check: it gets traffic even when it is down";
        let found = Diagnostic::note(Code::CheckMissing, server.name().span, message)
            .hint("write a check, like `TCP_CHECK { ... }`");
        Some(found)
    });
}

/// `METHOD type gue port N ...`: whether the options belong together.
fn tunnel<'s>(line: &'s Statement, tally: &mut Tally<'s>) {
    let Some((method, options)) = line.parameters().split_first() else { return };
    let Some(first) = options.first() else { return };
    if method.text != "TUN" {
        tally.add(Code::TunnelOption, "method", || {
            let message = format!("{} is no tunnel, so a tunnel's options do nothing", method.text);
            let found = Diagnostic::warning(Code::TunnelOption, first, message)
                .hint("delete them, or write TUN");
            Some(found)
        });
        return;
    }
    let behind = |option: &str| options.iter().skip_while(|word| word.text != option).nth(1);
    let kind = behind("type").map_or("ipip", |word| word.text.as_str());
    let port = behind("port");
    let written = |word: &str| options.iter().find(|option| option.text == word);
    let checksum = match kind {
        "ipip" => written("csum").or(written("remcsum")),
        "gre" => written("remcsum"),
        _ => None,
    };
    let message = match (kind, port, checksum) {
        ("gue", None, _) => "a gue tunnel needs a `port`",
        ("ipip" | "gre", Some(_), _) => "only a gue tunnel has a port",
        (_, _, Some(_)) => "this kind of tunnel has no such checksum",
        (_, _, None) => return,
    };
    tally.add(Code::TunnelOption, kind, || {
        let span = port.or(checksum).or(behind("type"))?.span;
        let found = Diagnostic::warning(Code::TunnelOption, span, message)
            .hint("write `TUN type gue port NUMBER`, or `TUN` alone for ipip without checksum")
            .class(Class::Error);
        Some(found)
    });
}

fn sorry<'s>(service: &Service<'s>, method: &str, tally: &mut Tally<'s>) {
    let Some([word, rest @ ..]) = service.last(&["sorry_server"]).map(Statement::parameters) else {
        return without_sorry(service, tally);
    };
    let Ok(address) = word.text.parse::<IpAddr>() else { return };
    let service_port = match service.target {
        Target::Address(_, port) => port,
        Target::Mark(_) | Target::Group(_) | Target::Unknown => 0,
    };
    let own = rest.first().filter(|word| word.text != "0");
    let port = own.and_then(|word| word.text.parse().ok()).unwrap_or(service_port);
    if service.ipv6.is_some_and(|ipv6| address.is_ipv6() != ipv6) && method != "TUN" {
        tally.add(Code::ServerFamily, "sorry", || {
            let message = "the sorry server is of another family than the service, and is skipped";
            let found = Diagnostic::warning(Code::ServerFamily, word, message)
                .hint("write an address of the service's family, or tunnel with `lb_kind TUN`")
                .class(Class::Error);
            Some(found)
        });
    }
    if let Some(own) =
        own.filter(|_| matches!(method, "DR" | "TUN") && service_port != 0 && port != service_port)
    {
        tally.add(Code::SorryPort, "", || {
            let message = format!("{method} cannot change ports: {port} becomes {service_port}");
            let found = Diagnostic::warning(Code::SorryPort, own, message)
                .also(service.words.get(1)?.span, "the service's port")
                .hint(format!(
                    "let it listen on {service_port}, or write `sorry_server_lvs_method NAT`"
                ))
                .class(Class::Error);
            Some(found)
        });
    }
    let same = |server: &&Server<'_>| server.address == Some(address) && server.port == port;
    if let Some(server) = service.servers.iter().find(same) {
        let inhibited = service.last(&["sorry_server_inhibit"]).is_some();
        let own = last(server.lines, &["inhibit_on_failure"]);
        let on = own.or(service.last(&["inhibit_on_failure"])).is_some_and(is_on);
        tally.add(Code::SorryIsServer, "", || {
            let message =
                "the sorry server is one of the real servers, so it is down when it is needed";
            let found = Diagnostic::warning(Code::SorryIsServer, word, message)
                .also(server.name().span, "the real server")
                .hint("write a server of its own that says sorry, or delete `sorry_server`");
            // keepalived says something only when it has to make them agree.
            Some(if on == inhibited { found } else { found.class(Class::Error) })
        });
    }
}

fn without_sorry<'s>(service: &Service<'s>, tally: &mut Tally<'s>) {
    let method = service.last(&["sorry_server_lvs_method"]).and_then(Statement::keyword);
    let Some(word) = method.filter(|_| service.last(&["sorry_server"]).is_none()) else { return };
    tally.add(Code::NoEffect, "", || {
        let message = format!("`{}` does nothing without `sorry_server`", word.text);
        let found = Diagnostic::warning(Code::NoEffect, word.span, message)
            .hint("delete it, or write `sorry_server ADDRESS PORT`")
            .class(Class::Error);
        Some(found)
    });
}
