//! Which open files belong together: a main file with all that it includes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use standfast_conf::{
    FileId, Files, Loaded, Options, Source, Statement, load,
    table::{self, Block},
};

use crate::{
    files::{Documents, Overlay},
    uri,
};

/// The name of a main file.
const MAIN: &str = "keepalived.conf";
/// How many directories above a fragment may hold its main file.
const ANCESTORS: usize = 3;

/// How much of a configuration a project is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// Blocks of it, whose main file is not known.
    Fragment,
    /// Lines of one block, whose main file is not known.
    Lines(&'static Block),
}

/// A main file, or a fragment without one, and all that it includes.
pub(crate) struct Project {
    pub(crate) loaded: Loaded,
    pub(crate) extent: Extent,
}

/// The projects of all open documents, each document in one at least.
pub(crate) fn projects(
    documents: &Documents,
    options: &Options,
    files: &Overlay<'_>,
) -> Vec<Project> {
    let mut projects: Vec<Project> = Vec::new();
    let is_main = |path: &Path| path.file_name().is_some_and(|name| name == MAIN);
    let (main, others): (Vec<_>, Vec<_>) = documents.keys().partition(|path| is_main(path));
    for path in main.into_iter().chain(others) {
        if projects.iter().any(|project| project.file(path).is_some()) {
            continue;
        }
        let project = Project::load(path, options, files);
        projects.retain(|other| project.file(&other.loaded.path).is_none());
        projects.push(project);
    }
    for project in &mut projects {
        if let Some(main) = project.main(options, files) {
            *project = main;
        } else if project.serves() {
            project.extent = Extent::Whole;
        }
    }
    projects
}

impl Project {
    fn load(path: &Path, options: &Options, files: &Overlay<'_>) -> Self {
        let loaded = load(path, options, files);
        let extent = extent(path, &loaded.tree);
        Self { loaded, extent }
    }

    /// Whether it is a configuration by itself: blocks with an instance or a service among them.
    fn serves(&self) -> bool {
        let serving = |statement: &Statement| {
            let keyword = statement.keyword().map(|word| word.text.as_str());
            matches!(keyword, Some("vrrp_instance" | "virtual_server"))
        };
        matches!(self.extent, Extent::Fragment) && self.loaded.tree.iter().any(serving)
    }

    /// For a fragment: the project of a main file near it that includes it.
    fn main(&self, options: &Options, files: &Overlay<'_>) -> Option<Self> {
        if matches!(self.extent, Extent::Whole) {
            return None;
        }
        let path = &self.loaded.path;
        let candidates = path.ancestors().skip(1).take(ANCESTORS).map(|above| above.join(MAIN));
        let readable = candidates.filter(|main| main.is_absolute() && files.read(main).is_ok());
        let mut loaded = readable.map(|main| Self::load(&main, options, files));
        loaded.find(|project| project.file(path).is_some())
    }

    /// The file at a path, if it is part of the configuration.
    pub(crate) fn file(&self, path: &Path) -> Option<(FileId, &Source)> {
        self.loaded.sources.iter().find(|(_, source)| uri::normal(source.path()) == path)
    }

    /// The path of a file, in one spelling.
    pub(crate) fn path(&self, file: FileId) -> PathBuf {
        self.loaded
            .sources
            .source(file)
            .map(|source| uri::normal(source.path()))
            .unwrap_or_default()
    }

    /// The block that the outermost lines of a file belong to.
    pub(crate) fn base(&self, path: &Path) -> &'static Block {
        if path == uri::normal(&self.loaded.path) {
            return match self.extent {
                Extent::Whole | Extent::Fragment => table::top(),
                Extent::Lines(block) => block,
            };
        }
        let file = self.file(path).map(|(file, _)| file);
        let found = file.and_then(|file| around(&self.loaded.tree, file, table::top()));
        found.unwrap_or_else(table::top)
    }
}

/// The block that the first statement of a file stands in.
fn around(statements: &[Statement], file: FileId, block: &'static Block) -> Option<&'static Block> {
    statements.iter().find_map(|statement| {
        let keyword = statement.keyword()?;
        if keyword.span.file == file {
            return Some(block);
        }
        let inner = block.keyword(&keyword.text).and_then(table::Keyword::block)?;
        around(statement.statements(), file, inner)
    })
}

fn extent(path: &Path, tree: &[Statement]) -> Extent {
    let words = || tree.iter().filter_map(Statement::keyword).map(|word| word.text.as_str());
    let main = path.file_name().is_some_and(|name| name == MAIN);
    if main || words().any(|word| word == "global_defs") {
        return Extent::Whole;
    }
    if words().any(|word| table::top().keyword(word).is_some()) {
        return Extent::Fragment;
    }
    // Nothing of it is at home at the top level: where would most of it be?
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    words().flat_map(table::homes).for_each(|home| *known.entry(home.path).or_default() += 1);
    let most = known.values().max();
    let home = words().flat_map(table::homes).find(|home| known.get(home.path) == most);
    let addresses = table::block("vrrp_instance.virtual_ipaddress")
        .filter(|list| words().any(|word| list.entry(word).is_some()));
    home.or(addresses).map_or(Extent::Fragment, Extent::Lines)
}

#[cfg(test)]
mod tests {
    use standfast_conf::{Memory, Options};

    use super::*;

    fn extent_of(path: &str, text: &str) -> String {
        let files = Memory::default().with(path, text);
        let loaded = load(path.as_ref(), &Options::default(), &files);
        match extent(path.as_ref(), &loaded.tree) {
            Extent::Whole => "whole".to_owned(),
            Extent::Fragment => "fragment".to_owned(),
            Extent::Lines(block) => block.path.to_owned(),
        }
    }

    #[test]
    fn a_file_tells_how_much_of_a_configuration_it_is() {
        assert_eq!(extent_of("/keepalived.conf", "interface eth0\n"), "whole");
        assert_eq!(extent_of("/a.conf", "global_defs {\n}\n"), "whole");
        assert_eq!(extent_of("/a.conf", "vrrp_script x {\n}\n"), "fragment");
        assert_eq!(extent_of("/a.conf", "vrrp_instanc V {\n state MASTER\n}\n"), "fragment");
        assert_eq!(extent_of("/a.conf", "virtual_router_id 5\n"), "vrrp_instance");
        assert_eq!(
            extent_of("/a.conf", "192.0.2.1/24 dev eth0\n"),
            "vrrp_instance.virtual_ipaddress"
        );
    }
}
