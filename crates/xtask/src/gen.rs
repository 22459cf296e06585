//! Files that are made from others: written by `cargo xtask gen`, compared by its `--check`.

mod compatibility;
mod completions;
mod man;
mod reference;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use standfast_conf::{Code, pages};

use crate::{root, say};

/// One generated file: its path from the workspace's root, and what is in it.
type File = (PathBuf, String);

/// Makes files.
struct Producer {
    /// A folder in which every file is this producer's: others in it are stale.
    folder: Option<&'static str>,
    files: fn() -> anyhow::Result<Vec<File>>,
}

/// To add a generator, add a row.
const PRODUCERS: &[Producer] = &[
    Producer { folder: Some(DIAGNOSTICS), files: diagnostics },
    Producer { folder: Some(reference::FOLDER), files: reference::files },
    Producer { folder: Some(man::FOLDER), files: man::files },
    Producer { folder: Some(completions::FOLDER), files: completions::files },
    Producer { folder: None, files: compatibility::files },
];

const DIAGNOSTICS: &str = "docs/diagnostics";

/// A page for each code, and the table of all.
fn diagnostics() -> anyhow::Result<Vec<File>> {
    let folder = Path::new(DIAGNOSTICS);
    let page = |code: &Code| {
        pages::parse(*code).map_err(anyhow::Error::msg)?;
        Ok((folder.join(format!("{code}.md")), pages::markdown(*code)))
    };
    let mut files = Code::ALL.iter().map(page).collect::<anyhow::Result<Vec<_>>>()?;
    files.push((folder.join("README.md"), pages::index()));
    Ok(files)
}

/// Writes all files, or only says with `--check` which are stale.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    match args {
        [] => write(),
        [flag] if flag == "--check" => check(),
        _ => anyhow::bail!("takes nothing or --check"),
    }
}

fn write() -> anyhow::Result<()> {
    for producer in PRODUCERS {
        let (changed, surplus) = stale(producer)?;
        for (path, contents) in changed {
            say(&format!("writing {}", path.display()));
            let path = root().join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, contents).with_context(|| path.display().to_string())?;
        }
        for path in surplus {
            say(&format!("removing {}", path.display()));
            fs::remove_file(root().join(path))?;
        }
    }
    Ok(())
}

/// Fails with the list of stale files.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut paths = Vec::new();
    for producer in PRODUCERS {
        let (changed, surplus) = stale(producer)?;
        paths.extend(changed.into_iter().map(|(path, _)| path).chain(surplus));
    }
    let list: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    anyhow::ensure!(list.is_empty(), "stale, run `cargo xtask gen`:\n{}", list.join("\n"));
    Ok(())
}

/// Files that are not what they should be, and those that should not be.
fn stale(producer: &Producer) -> anyhow::Result<(Vec<File>, Vec<PathBuf>)> {
    let files = (producer.files)()?;
    let wanted: BTreeSet<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
    let current = |(path, contents): &File| {
        fs::read_to_string(root().join(path)).is_ok_and(|found| found == *contents)
    };
    let changed = files.into_iter().filter(|file| !current(file)).collect();
    let mut surplus = Vec::new();
    if let Some(folder) = producer.folder.map(Path::new)
        && let Ok(entries) = fs::read_dir(root().join(folder))
    {
        for entry in entries {
            let path = folder.join(entry?.file_name());
            if !wanted.contains(&path) {
                surplus.push(path);
            }
        }
    }
    surplus.sort();
    Ok((changed, surplus))
}
