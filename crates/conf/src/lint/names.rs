//! Named things: defined once, above their use, and used.

use std::{collections::BTreeMap, net::IpAddr};

use super::tree::{name, value};
use crate::{Code, Diagnostic, Statement, Word, diagnostic::Class, table};

/// What a name is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    TrackFile,
    Process,
    Bfd,
    ServerGroup,
    Instance,
    SyncGroup,
    TrackGroup,
}

impl What {
    fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "track_file" | "vrrp_track_file" => Self::TrackFile,
            "vrrp_track_process" => Self::Process,
            "bfd_instance" => Self::Bfd,
            "virtual_server_group" => Self::ServerGroup,
            "vrrp_instance" => Self::Instance,
            "vrrp_sync_group" => Self::SyncGroup,
            "track_group" => Self::TrackGroup,
            _ => return None,
        })
    }

    /// The block that defines it.
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::TrackFile => "track_file",
            Self::Process => "vrrp_track_process",
            Self::Bfd => "bfd_instance",
            Self::ServerGroup => "virtual_server_group",
            Self::Instance => "vrrp_instance",
            Self::SyncGroup => "vrrp_sync_group",
            Self::TrackGroup => "track_group",
        }
    }

    /// Whether keepalived looks for it only above the place that names it.
    fn above(self) -> bool {
        match self {
            Self::TrackFile | Self::Process | Self::Bfd | Self::TrackGroup => true,
            Self::ServerGroup | Self::Instance | Self::SyncGroup => false,
        }
    }

    /// Whether keepalived says so when it is defined twice.
    fn known_twice(self) -> bool {
        match self {
            Self::Bfd | Self::SyncGroup | Self::TrackGroup => true,
            Self::TrackFile | Self::Process | Self::ServerGroup | Self::Instance => false,
        }
    }
}

/// Names that a misspelt one is compared with.
const CANDIDATES_MAX: usize = 100;

struct Definition<'s> {
    line: &'s Statement,
    name: &'s Word,
    /// Which of the top level's statements it is.
    at: usize,
    used: bool,
}

/// All named blocks of a file.
pub(super) struct Names<'s>(BTreeMap<(What, &'s str), Definition<'s>>);

impl<'s> Names<'s> {
    /// Collects all definitions and reports those that are there already.
    pub(super) fn collect(tree: &'s [Statement], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut names = BTreeMap::<_, Definition<'s>>::new();
        for (at, line) in tree.iter().enumerate() {
            let (Some(what), Some(word)) = (What::of(name(line)), value(line)) else { continue };
            let key = (what, word.text.as_str());
            match names.get(&key) {
                // Lowering reports instances.
                Some(_) if what == What::Instance => {}
                Some(first) => diagnostics.push(defined_twice(what, word, first.name)),
                None => {
                    names.insert(key, Definition { line, name: word, at, used: false });
                }
            }
        }
        Self(names)
    }

    /// The definition that statement `at` of the top level means by a name, which is used now.
    pub(super) fn find(&mut self, what: What, name: &'s Word, at: usize) -> Option<&'s Statement> {
        let found = self.0.get_mut(&(what, name.text.as_str()))?;
        found.used = true;
        (found.at < at || !what.above()).then_some(found.line)
    }

    /// What to do about a name that was not found.
    pub(super) fn advise(&self, found: Diagnostic, what: What, name: &Word) -> Diagnostic {
        let keyword = what.keyword();
        if let Some(later) = self.0.get(&(what, name.text.as_str())) {
            return found
                .also(later.name.span, "defined here, too late")
                .hint(format!("move the {keyword} above its use"));
        }
        // Names of a letter or two all look alike, and to compare very many takes long.
        let long = |candidate: &&str| candidate.len() > 2;
        let names = self
            .0
            .keys()
            .filter(|(kind, _)| *kind == what)
            .map(|(_, name)| *name)
            .filter(long)
            .take(CANDIDATES_MAX);
        match table::best(&name.text, names) {
            Some(likely) => found.hint(format!("did you mean `{likely}`?")),
            None => found.hint(format!("define `{keyword} {} {{ ... }}` above", name.text)),
        }
    }

    /// A virtual_server_group.
    pub(super) fn group(&self, group: &str) -> Option<&'s Statement> {
        self.0.get(&(What::ServerGroup, group)).map(|definition| definition.line)
    }

    /// Whether a virtual_server_group holds IPv6 addresses, where its first line tells.
    pub(super) fn group_family(&self, group: &str) -> Option<bool> {
        let line = self.group(group)?.statements().first()?;
        let first = name(line).split(['-', '/']).next()?;
        first.parse::<IpAddr>().ok().map(|address| address.is_ipv6())
    }

    /// Definitions that nothing uses.
    pub(super) fn unused(&self, diagnostics: &mut Vec<Diagnostic>) {
        for ((what, _), definition) in self.0.iter().filter(|(_, definition)| !definition.used) {
            diagnostics.extend(unused(*what, definition.name));
        }
    }
}

fn defined_twice(what: What, word: &Word, first: &Word) -> Diagnostic {
    let message =
        format!("{} `{}` is defined already; this one is skipped", what.keyword(), word.text);
    let found = Diagnostic::warning(Code::DuplicateName, word, message)
        .also(first.span, "defined here first")
        .hint("give it a name of its own, or delete it");
    if what.known_twice() { found.class(Class::Error) } else { found }
}

fn unused(what: What, name: &Word) -> Option<Diagnostic> {
    let (code, user, hint) = match what {
        What::TrackFile => (
            Code::TrackerUnused,
            "no instance and no check follows",
            format!("write `track_file {{ {} }}` in the instance", name.text),
        ),
        What::Process => (
            Code::TrackerUnused,
            "no instance follows",
            format!("write `track_process {{ {} }}` in the instance", name.text),
        ),
        What::Bfd => (
            Code::TrackerUnused,
            "no instance and no check follows",
            format!("write `track_bfd {{ {} }}` in the instance", name.text),
        ),
        What::ServerGroup => (
            Code::ServerGroupUnused,
            "no virtual_server uses",
            format!("write `virtual_server group {} {{ ... }}`", name.text),
        ),
        What::Instance | What::SyncGroup | What::TrackGroup => return None,
    };
    let message = format!("{user} {} `{}`", what.keyword(), name.text);
    Some(Diagnostic::warning(code, name, message).hint(hint))
}
