//! Lines of `virtual_rules` and `static_rules`.

use standfast_types::{Family, Mark, RoutingEntry, Rule, RuleAction};

use super::{
    Lowering,
    arguments::{Matched, Read},
    names::{NameTable, number},
    route::Line,
};
use crate::{
    syntax::{Statement, Word},
    table::{Keyword, Value},
};

/// The preference of the first rule that has none, as in keepalived; the next ones count down.
const FIRST: u32 = 16384;

/// What rules without a preference get, for each family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextPreference {
    ip4: u32,
    ip6: u32,
}

impl Default for NextPreference {
    fn default() -> Self {
        Self { ip4: FIRST, ip6: FIRST }
    }
}

/// A line as far as it is read.
struct Draft {
    rule: Rule,
    family: Option<Family>,
    preference: Option<u32>,
    action: Option<RuleAction>,
    track_group: Option<Word>,
    failed: bool,
}

impl Lowering<'_> {
    /// The rules of a block.
    pub(super) fn rules(&mut self, keyword: &'static Keyword, block: &Statement) -> Vec<Line> {
        let lines = self.entries(keyword, block);
        lines.iter().filter_map(|(word, read)| self.rule(word, read)).collect()
    }

    fn rule(&mut self, first: &Word, read: &Read<'_>) -> Option<Line> {
        let mut draft = Draft {
            rule: Rule::new(Family::V4, 0, RuleAction::Nop),
            family: None,
            preference: None,
            action: None,
            track_group: None,
            failed: false,
        };
        for (name, matched) in read.options() {
            if !self.named_option(&mut draft, name, matched) && !draft.selector(name, matched) {
                draft.rest(name, matched);
            }
        }
        self.finished_rule(draft, first)
    }

    /// Options whose value may be a name.
    fn named_option(&mut self, draft: &mut Draft, name: &str, matched: &Matched<'_>) -> bool {
        let word = matched.word;
        let table = match name {
            "table" | "lookup" => NameTable::Tables,
            "tos" | "dsfield" => NameTable::DsField,
            "protocol" => NameTable::Protocols,
            "ipproto" => NameTable::IpProtocols,
            "suppress_ifgroup" | "sup_group" => NameTable::Groups,
            "realms" => {
                draft.rule.realms = self.realms(word);
                draft.failed |= draft.rule.realms.is_none();
                return true;
            }
            _ => return false,
        };
        let Some(number) = self.named(table, word) else {
            draft.failed = true;
            return true;
        };
        let small = u8::try_from(number).ok();
        match name {
            "table" | "lookup" => draft.action = Some(RuleAction::Lookup(number)),
            "tos" | "dsfield" => draft.rule.tos = small.unwrap_or_default(),
            "protocol" => draft.rule.protocol = small,
            "ipproto" => draft.rule.ip_protocol = small,
            _ => draft.rule.suppress_group = Some(number),
        }
        true
    }

    fn finished_rule(&mut self, draft: Draft, first: &Word) -> Option<Line> {
        let Draft { mut rule, family, preference, action, track_group, failed } = draft;
        let prefixes = [rule.from, rule.to];
        let of_prefix = prefixes.into_iter().flatten().map(|prefix| Family::of(prefix.address()));
        rule.family = family.or_else(|| of_prefix.clone().next()).unwrap_or(Family::V4);
        if of_prefix.clone().any(|other| other != rule.family) {
            return self.unusable(first, "mixes IPv4 and IPv6");
        }
        // A lint says that one without an action is ignored.
        rule.action = action?;
        // An empty prefix is no condition.
        rule.from = rule.from.filter(|prefix| prefix.length() > 0);
        rule.to = rule.to.filter(|prefix| prefix.length() > 0);
        rule.preference = preference.unwrap_or_else(|| self.next_preference(rule.family));
        if rule.tracked && rule.protocol.take().is_some_and(|it| it != 18) {
            self.tracked_protocol(first);
        }
        (!failed).then(|| (RoutingEntry::Rule(Box::new(rule)), track_group))
    }

    /// A lint says that the order of such rules depends on the file's.
    fn next_preference(&mut self, family: Family) -> u32 {
        let next = match family {
            Family::V4 => &mut self.preferences.ip4,
            Family::V6 => &mut self.preferences.ip6,
        };
        let preference = *next;
        *next = next.saturating_sub(1);
        preference
    }
}

impl Draft {
    /// What the packets have to be.
    fn selector(&mut self, name: &str, matched: &Matched<'_>) -> bool {
        let rule = &mut self.rule;
        match (name, matched.value) {
            ("not", _) => rule.inverted = true,
            ("from", Value::Text(text)) => rule.from = text.parse().ok(),
            ("to", Value::Text(text)) => rule.to = text.parse().ok(),
            ("fwmark", Value::Text(text)) => rule.mark = mark(text),
            ("iif" | "dev", Value::Text(name)) => rule.input = Some(name.into()),
            ("oif", Value::Text(name)) => rule.output = Some(name.into()),
            ("tunnel-id", Value::Number(id)) => rule.tunnel = u64::try_from(id).ok(),
            ("uidrange", Value::Text(text)) => rule.users = range(text),
            ("sport", Value::Text(text)) => rule.source_ports = range(text),
            ("dport", Value::Text(text)) => rule.destination_ports = range(text),
            (_, _) => return false,
        }
        true
    }

    fn rest(&mut self, name: &str, matched: &Matched<'_>) {
        let value = match matched.value {
            Value::Number(number) => u32::try_from(number).ok(),
            Value::Text(text) => number(text),
            Value::Bool(_) | Value::Time(_) | Value::Address(_) => None,
        };
        match name {
            "inet" => self.family = Some(Family::V4),
            "inet6" => self.family = Some(Family::V6),
            "preference" | "order" | "priority" => self.preference = value,
            "suppress_prefixlength" | "sup_pl" => self.rule.suppress_prefix = value,
            "goto" => self.action = value.map(RuleAction::Goto),
            "type" => self.action = action(&matched.word.text).or(self.action),
            "no_track" => self.rule.tracked = false,
            "track_group" => self.track_group = Some(matched.word.clone()),
            name => self.action = action(name).or(self.action),
        }
    }
}

fn action(name: &str) -> Option<RuleAction> {
    Some(match name {
        "l3mdev" => RuleAction::L3mdev,
        "nop" => RuleAction::Nop,
        "blackhole" => RuleAction::Blackhole,
        "unreachable" => RuleAction::Unreachable,
        "prohibit" => RuleAction::Prohibit,
        _ => return None,
    })
}

/// `VALUE` or `VALUE/MASK`, decimal or hexadecimal.
fn mark(text: &str) -> Option<Mark> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (value, number(mask)?),
        None => (text, u32::MAX),
    };
    Some(Mark { value: number(value)?, mask })
}

/// `N` or `LOW-HIGH`.
fn range<T: std::str::FromStr + Copy>(text: &str) -> Option<(T, T)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}
