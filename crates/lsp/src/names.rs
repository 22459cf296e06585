//! Things that a configuration names: where each is defined, and which words refer to it.

use standfast_conf::{Span, Statement, table::Kind};

use crate::{cursor::Word, line::Wanted};

/// What a name can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing {
    Script,
    File,
    Process,
    Bfd,
    Instance,
    TrackGroup,
    ServerGroup,
}

impl Thing {
    /// The keywords that define it.
    pub(crate) fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Script => &["vrrp_script"],
            Self::File => &["track_file", "vrrp_track_file"],
            Self::Process => &["vrrp_track_process"],
            Self::Bfd => &["bfd_instance"],
            Self::Instance => &["vrrp_instance"],
            Self::TrackGroup => &["track_group"],
            Self::ServerGroup => &["virtual_server_group"],
        }
    }
}

/// What the word that is wanted in the block at `path`, behind some others, is the name of.
pub(crate) fn thing(path: &str, wanted: &Wanted, before: &[Word]) -> Option<Thing> {
    let block = path.rsplit('.').next().unwrap_or(path);
    match (block, wanted.keyword.name, wanted.kind) {
        ("track_script", "<name>", Kind::Name) => Some(Thing::Script),
        ("track_file", "<name>", Kind::Name) | ("FILE_CHECK", "track_file", _) => Some(Thing::File),
        ("track_process", "<name>", Kind::Name) => Some(Thing::Process),
        ("track_bfd", "<name>", Kind::Name) | ("BFD_CHECK", "name", _) => Some(Thing::Bfd),
        ("group", "<name>", Kind::Name)
        | ("global_defs", "lvs_sync_daemon" | "inst", Kind::Name) => Some(Thing::Instance),
        (_, "track_group", Kind::Name) if !path.is_empty() => Some(Thing::TrackGroup),
        ("", "virtual_server", Kind::Service) => {
            let group = before.get(1).is_some_and(|word| word.text == "group");
            group.then_some(Thing::ServerGroup)
        }
        (_, _, _) => None,
    }
}

/// The names of all things of a sort, and where they are defined.
pub(crate) fn defined(tree: &[Statement], thing: Thing) -> impl Iterator<Item = (&str, Span)> {
    tree.iter().filter_map(move |statement| {
        let keyword = statement.keyword()?;
        let name = statement.parameters().first()?;
        thing.keywords().contains(&keyword.text.as_str()).then_some((name.text.as_str(), name.span))
    })
}
