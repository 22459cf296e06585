//! The names that iproute2 gives to routing tables, protocols and the like.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use standfast_types::Realms;

use super::Lowering;
use crate::{
    Code, Diagnostic, Files,
    diagnostic::Class,
    syntax::{Statement, Word},
    table,
};

/// What the names stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameTable {
    Tables,
    Protocols,
    Scopes,
    Realms,
    DsField,
    Groups,
    /// IP protocols, which are not iproute2's.
    IpProtocols,
}

const ALL: [NameTable; 7] = [
    NameTable::Tables,
    NameTable::Protocols,
    NameTable::Scopes,
    NameTable::Realms,
    NameTable::DsField,
    NameTable::Groups,
    NameTable::IpProtocols,
];

impl NameTable {
    const fn file(self) -> &'static str {
        match self {
            Self::Tables => "rt_tables",
            Self::Protocols => "rt_protos",
            Self::Scopes => "rt_scopes",
            Self::Realms => "rt_realms",
            Self::DsField => "rt_dsfield",
            Self::Groups => "group",
            Self::IpProtocols => "protocols",
        }
    }

    /// What it lists, for people.
    const fn what(self) -> &'static str {
        match self {
            Self::Tables => "routing table",
            Self::Protocols => "routing protocol",
            Self::Scopes => "scope",
            Self::Realms => "realm",
            Self::DsField => "type of service",
            Self::Groups => "link group",
            Self::IpProtocols => "IP protocol",
        }
    }

    /// The greatest number.
    const fn most(self) -> u32 {
        match self {
            Self::Tables | Self::Groups => u32::MAX,
            Self::Realms => 0xffff,
            Self::Protocols | Self::Scopes | Self::DsField | Self::IpProtocols => 0xff,
        }
    }

    /// What is known without any file: a container often has none.
    const fn built_in(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Tables => &[("local", 255), ("main", 254), ("default", 253), ("unspec", 0)],
            Self::Protocols => &[
                ("unspec", 0),
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("ra", 9),
                ("zebra", 11),
                ("bird", 12),
                ("dhcp", 16),
                ("keepalived", 18),
                ("babel", 42),
                ("bgp", 186),
                ("isis", 187),
                ("ospf", 188),
                ("rip", 189),
                ("eigrp", 192),
            ],
            Self::Scopes => {
                &[("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)]
            }
            Self::Groups => &[("default", 0)],
            Self::Realms | Self::DsField => &[],
            Self::IpProtocols => &[
                ("icmp", 1),
                ("igmp", 2),
                ("ipip", 4),
                ("tcp", 6),
                ("udp", 17),
                ("ipv6", 41),
                ("gre", 47),
                ("esp", 50),
                ("ah", 51),
                ("icmpv6", 58),
                ("ipv6-icmp", 58),
                ("ospf", 89),
                ("vrrp", 112),
                ("sctp", 132),
                ("udplite", 136),
                ("mptcp", 6),
            ],
        }
    }
}

/// All names, by what they stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(BTreeMap<(NameTable, String), u32>);

impl Names {
    /// Reads what the machine has, if the file could ask for any of it.
    pub(crate) fn read(tree: &[Statement], files: &dyn Files) -> Self {
        if !tree.iter().any(mentions_names) {
            return Self::default();
        }
        let mut names = Self::default();
        let given = |keyword| setting(tree, keyword).map(PathBuf::from);
        let shipped = given("iproute_usr_dir").map_or_else(
            || vec![PathBuf::from("/usr/share/iproute2"), PathBuf::from("/usr/lib/iproute2")],
            |path| vec![path],
        );
        let local = given("iproute_etc_dir").unwrap_or_else(|| PathBuf::from("/etc/iproute2"));
        for table in ALL {
            for (name, number) in table.built_in() {
                names.0.insert((table, (*name).to_owned()), *number);
            }
            let file = table.file();
            if table == NameTable::IpProtocols {
                names.ip_protocols(files);
                continue;
            }
            for directory in shipped.iter().chain([&local]) {
                names.take(table, &directory.join(file), files);
                let more = files.glob(&format!("{file}.d/*.conf"), directory);
                for path in more.unwrap_or_default() {
                    names.take(table, &path, files);
                }
            }
        }
        names
    }

    /// Lines of `NUMBER NAME`; a file that is not there has none.
    fn take(&mut self, table: NameTable, path: &Path, files: &dyn Files) {
        let bytes = files.read(path).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let mut words = line.split_whitespace();
            let number = words.next().and_then(number);
            if let (Some(number), Some(name)) = (number, words.next()) {
                self.0.insert((table, name.to_owned()), number);
            }
        }
    }

    /// Lines of `NAME NUMBER ALIAS...`.
    fn ip_protocols(&mut self, files: &dyn Files) {
        let bytes = files.read(Path::new("/etc/protocols")).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let (Some(name), Some(number)) = (words.next(), words.next().and_then(number)) else {
                continue;
            };
            self.0.insert((NameTable::IpProtocols, name.to_lowercase()), number);
        }
    }

    fn find(&self, table: NameTable, name: &str) -> Option<u32> {
        let lower = (table == NameTable::IpProtocols).then(|| name.to_lowercase());
        self.0.get(&(table, lower.unwrap_or_else(|| name.to_owned()))).copied()
    }

    fn of(&self, table: NameTable) -> impl Iterator<Item = &str> {
        self.0.keys().filter(move |(other, _)| *other == table).map(|(_, name)| name.as_str())
    }
}

/// Decimal, or hexadecimal behind `0x`: also a type of service, which `ip` reads as hexadecimal always.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Whether the statement has a block in which names may stand.
fn mentions_names(statement: &Statement) -> bool {
    let named = statement.keyword().is_some_and(|word| {
        matches!(
            word.text.as_str(),
            "static_routes"
                | "static_rules"
                | "virtual_routes"
                | "virtual_rules"
                | "scope"
                | "use_vmac"
                | "use_ipvlan"
        )
    });
    named || statement.statements().iter().any(mentions_names)
}

/// The value of a keyword of `global_defs`.
fn setting<'s>(tree: &'s [Statement], keyword: &str) -> Option<&'s str> {
    let blocks = tree.iter().filter(|it| it.keyword().is_some_and(|w| w.text == "global_defs"));
    let mut lines = blocks.flat_map(|block| block.statements());
    let line = lines.find(|line| line.keyword().is_some_and(|word| word.text == keyword))?;
    line.parameters().first().map(|word| word.text.as_str())
}

impl Lowering<'_> {
    /// The number behind a word: itself, or what a table of names says. Reports a name that is in none.
    pub(super) fn named(&mut self, table: NameTable, word: &Word) -> Option<u32> {
        self.named_text(table, word, &word.text)
    }

    fn named_text(&mut self, table: NameTable, word: &Word, text: &str) -> Option<u32> {
        let known = self.names.find(table, text).or_else(|| number(text));
        let known = known.filter(|number| *number <= table.most());
        if known.is_none() {
            let what = table.what();
            let message = format!("no {what} is called `{text}`; the line is left out");
            let found = Diagnostic::warning(Code::RoutingName, word, message).class(Class::Error);
            let likely = table::best(text, self.names.of(table)).map(str::to_owned);
            self.diagnostics.push(match likely {
                Some(likely) => found.hint(format!("did you mean `{likely}`?")),
                None => found.hint(format!("write a number, or define it in {}", table.file())),
            });
        }
        known
    }

    /// `[FROM/]TO`
    pub(super) fn realms(&mut self, word: &Word) -> Option<Realms> {
        let (from, to) = word.text.split_once('/').unwrap_or(("0", word.text.as_str()));
        let from = self.named_text(NameTable::Realms, word, from)?;
        let to = self.named_text(NameTable::Realms, word, to)?;
        Some(Realms { from: u16::try_from(from).ok()?, to: u16::try_from(to).ok()? })
    }
}
