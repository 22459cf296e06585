//! The page of each code: what is wrong, an example, what `check` says to it, how to write it.
//!
//! The source is `diagnostics/SF0101.md`: a title line, text, and fenced files.
//!
//! | fence | what it holds |
//! |---|---|
//! | `conf` | a main file; each begins an example of its own |
//! | `conf node-a` | the main file of one node; nodes that follow each other are one example |
//! | `conf fixed`, `conf fixed node-a` | how to write it: it must load without this code |
//! | `file /path mode=755` | another file of the example above it. Without `mode` 644 |
//!
//! With `bytes` behind it, a fence's `\xHH` is a byte and `\xHH{N}` is N of them.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io,
    path::{Path, PathBuf},
};

use crate::{
    Code, Diagnostic, Files, Loaded, Options, ScriptFile, Severity, cross_node, load, render,
};

/// Where the main file of an example without nodes lies.
const MAIN: &str = "/etc/keepalived/keepalived.conf";

/// A page's source, taken apart.
#[derive(Clone, Debug)]
pub struct Page {
    /// The code.
    pub code: Code,
    /// Its short name.
    pub title: &'static str,
    /// Text and examples in their order.
    pub parts: Vec<Part>,
}

/// A piece of a page.
#[derive(Clone, Debug)]
pub enum Part {
    /// Markdown without fences.
    Text(String),
    /// Files that give the code.
    Example(Example),
    /// Files that do not.
    Fixed(Example),
}

/// Files that belong together.
#[derive(Clone, Debug, Default)]
pub struct Example {
    /// The main files by path, one for each node.
    nodes: Vec<PathBuf>,
    /// All files.
    shelf: Shelf,
    /// The fences as they are written.
    shown: String,
}

/// What an example came to.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Each node's own.
    pub nodes: Vec<Loaded>,
    /// Those that need several files, with the node they are about.
    pub between: Vec<(usize, Diagnostic)>,
}

impl Findings {
    /// All diagnostics, each with its node.
    pub fn all(&self) -> impl Iterator<Item = (&Loaded, &Diagnostic)> {
        let own =
            self.nodes.iter().flat_map(|node| node.diagnostics.iter().map(move |d| (node, d)));
        own.chain(self.between.iter().filter_map(|(at, d)| Some((self.nodes.get(*at)?, d))))
    }
}

/// The short name of a code.
#[must_use]
pub fn title(code: Code) -> &'static str {
    let line = code.page_source().lines().next().unwrap_or_default();
    line.split_once(": ").map_or("", |(_, title)| title)
}

/// Takes a source apart.
///
/// # Errors
/// It is malformed; the text says how.
pub fn parse(code: Code) -> Result<Page, String> {
    let title = title(code);
    let Some(body) = code.page_source().strip_prefix(&format!("# {code}: {title}\n")) else {
        return Err(format!("{code}: the first line is not `# {code}: TITLE`"));
    };
    let parts = parts(body).map_err(|what| format!("{code}: {what}"))?;
    Ok(Page { code, title, parts })
}

fn parts(body: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    // Text and fences take turns.
    for (at, piece) in format!("\n{body}").split("\n```").enumerate() {
        if at % 2 == 0 {
            if !piece.trim().is_empty() {
                parts.push(Part::Text(piece.trim().to_owned()));
            }
            continue;
        }
        let (info, text) = piece.split_once('\n').unwrap_or((piece, ""));
        let text = if text.is_empty() { String::new() } else { format!("{text}\n") };
        let mut words: Vec<&str> = info.split_whitespace().collect();
        let raw = words.pop_if(|word| *word == "bytes").is_some();
        let language = words.first().copied().unwrap_or_default();
        let mut shown = format!("```{language}\n{text}```\n");
        if raw {
            shown.push_str("\n`\\xHH` is one byte, `\\xHH{N}` is N of them.\n");
        }
        let bytes = if raw { escaped(&text) } else { text.into_bytes() };
        add(&mut parts, &words, bytes, &shown)?;
    }
    Ok(parts)
}

/// Adds a fenced file to the example that it belongs to.
fn add(parts: &mut Vec<Part>, info: &[&str], bytes: Vec<u8>, shown: &str) -> Result<(), String> {
    let (fixed, node) = match info {
        ["conf"] => (false, None),
        ["conf", "fixed"] => (true, None),
        ["conf", "fixed", node] => (true, Some(*node)),
        ["conf", node] => (false, Some(*node)),
        ["file", path, rest @ ..] => {
            let mode = match rest {
                [] => 0o644,
                [mode] => mode
                    .strip_prefix("mode=")
                    .and_then(|mode| u32::from_str_radix(mode, 8).ok())
                    .ok_or(format!("`{mode}` is no mode"))?,
                [_, more, ..] => return Err(format!("`{more}` behind a file's mode")),
            };
            let (Some(Part::Example(example)) | Some(Part::Fixed(example))) = parts.last_mut()
            else {
                return Err(format!("{path} belongs to no example above it"));
            };
            example.shelf.0.insert(path.into(), (mode, bytes));
            let _ = write!(example.shown, "\n`{path}`, mode {mode:o}:\n\n{shown}");
            return Ok(());
        }
        other => return Err(format!("a fence of the kind `{}`", other.join(" "))),
    };
    let path: PathBuf = node.map_or(MAIN.into(), |node| format!("{node}/keepalived.conf").into());
    let open = match (parts.last_mut(), node) {
        (Some(Part::Example(example)), Some(_)) if !fixed => Some(example),
        (Some(Part::Fixed(example)), Some(_)) if fixed => Some(example),
        (_, _) => None,
    };
    let mut fresh = Example::default();
    let grows = open.as_ref().is_some_and(|example| !example.nodes.contains(&path));
    let example = open.filter(|_| grows).unwrap_or(&mut fresh);
    if let Some(node) = node {
        let gap = if example.shown.is_empty() { "" } else { "\n" };
        let _ = write!(example.shown, "{gap}`{node}/keepalived.conf`:\n\n");
    }
    example.shown.push_str(shown);
    example.nodes.push(path.clone());
    example.shelf.0.insert(path, (0o644, bytes));
    if !grows {
        parts.push(if fixed { Part::Fixed(fresh) } else { Part::Example(fresh) });
    }
    Ok(())
}

/// `\xHH` and `\xHH{N}` as bytes.
fn escaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut pieces = text.split("\\x");
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        let byte = u8::from_str_radix(digits, 16).unwrap_or(b'?');
        let repeated = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (count, rest) = match repeated.and_then(|(n, rest)| Some((n.parse().ok()?, rest))) {
            Some((count, rest)) => (count, rest),
            None => (1, rest),
        };
        bytes.extend(std::iter::repeat_n(byte, count));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

impl Example {
    /// Loads its files.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let options = Options { config_id: "node-a".to_owned(), ..Options::default() };
        let nodes: Vec<_> =
            self.nodes.iter().map(|path| load(path, &options, &self.shelf)).collect();
        let between = if nodes.len() > 1 { cross_node(&nodes) } else { Vec::new() };
        Findings { nodes, between }
    }
}

/// Files with their modes.
#[derive(Clone, Debug, Default)]
struct Shelf(BTreeMap<PathBuf, (u32, Vec<u8>)>);

impl Files for Shelf {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.0.get(path) {
            Some((mode, _)) if mode & 0o444 == 0 => Err(io::ErrorKind::PermissionDenied.into()),
            Some((_, bytes)) => Ok(bytes.clone()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn glob(&self, pattern: &str, relative_to: &Path) -> io::Result<Vec<PathBuf>> {
        let pattern = relative_to.join(pattern);
        let pattern = glob::Pattern::new(&pattern.to_string_lossy())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.msg))?;
        let text = self.0.iter().filter(|(_, (mode, _))| mode & 0o111 == 0).map(|(path, _)| path);
        Ok(text.filter(|path| pattern.matches_path(path)).cloned().collect())
    }

    fn script(&self, path: &Path) -> ScriptFile {
        self.0.get(path).map_or_else(ScriptFile::default, |(mode, bytes)| ScriptFile {
            exists: true,
            executable: mode & 0o111 != 0,
            writable: mode & 0o022 != 0,
            head: bytes.clone(),
        })
    }
}

/// The page: the source, with what `check` says to each example. A malformed source is shown
/// as it is.
#[must_use]
pub fn markdown(code: Code) -> String {
    let Ok(page) = parse(code) else { return code.page_source().to_owned() };
    let mut text = format!("# {code}: {}\n", page.title);
    for part in &page.parts {
        text.push('\n');
        match part {
            Part::Text(words) => {
                text.push_str(words);
                text.push('\n');
            }
            Part::Fixed(example) => {
                let _ = write!(text, "Write instead:\n\n{}", example.shown);
            }
            Part::Example(example) => {
                text.push_str(&example.shown);
                text.push_str("\n`standfast check` says:\n\n```text\n");
                text.push_str(&said(code, example).join("\n\n"));
                text.push_str("\n```\n");
            }
        }
    }
    text
}

/// The diagnostics of a code that an example gives, as `check` prints them.
#[must_use]
pub fn said(code: Code, example: &Example) -> Vec<String> {
    let findings = example.findings();
    let own = findings.all().filter(|(_, found)| found.code == code);
    own.map(|(node, found)| render(found, &node.sources, false)).collect()
}

/// The table of all codes, with the severities that the examples show.
#[must_use]
pub fn index() -> String {
    let mut text = String::from(INDEX_HEAD);
    for &code in Code::ALL {
        let mut severities: Vec<Severity> = Vec::new();
        for part in parse(code).map(|page| page.parts).unwrap_or_default() {
            if let Part::Example(example) = part {
                let findings = example.findings();
                let own = findings.all().filter(|(_, found)| found.code == code);
                severities.extend(own.map(|(_, found)| found.severity));
            }
        }
        severities.sort_by(|a, b| b.cmp(a));
        severities.dedup();
        let words: Vec<&str> = severities.into_iter().map(Severity::word).collect();
        let _ = writeln!(text, "| [{code}]({code}.md) | {} | {} |", words.join(", "), title(code));
    }
    text
}

const INDEX_HEAD: &str = "\
# Diagnostics

What `standfast check` can say. `standfast check --explain SF0101` prints a page. An *error* means that the file is
refused, a *warning* that it runs and probably not as intended, a *note* that it is worth knowing.

For programs: [`--format json`](../check-json.md) is one object a line, `--format sarif` is SARIF 2.1.0.

| code | severity | what |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_one_example_and_files_belong_to_the_one_above() {
        let parts = parts(
            "Why.\n\n```conf a\nx\n```\n\n```conf b\n```\n\n```file /s mode=755\ny\n```\n\n```conf\nz\n```\n",
        );
        let parts = parts.expect("well-formed");
        let [Part::Text(why), Part::Example(nodes), Part::Example(single)] = parts.as_slice()
        else {
            panic!("{parts:#?}");
        };
        assert_eq!(why, "Why.");
        assert_eq!(nodes.nodes, [Path::new("a/keepalived.conf"), Path::new("b/keepalived.conf")]);
        assert_eq!(nodes.shelf.0[Path::new("/s")], (0o755, b"y\n".to_vec()));
        assert_eq!(nodes.shelf.0[Path::new("b/keepalived.conf")].1, b"");
        assert_eq!(single.nodes, [Path::new(MAIN)]);
    }

    #[test]
    fn a_fence_that_means_nothing_is_an_error() {
        for fence in ["```sh\n```", "```file /x\n```", "```conf\n```\n```file /x 755\n```"] {
            assert!(parts(fence).is_err(), "{fence}");
        }
    }

    #[test]
    fn bytes_are_written_as_hexadecimal_numbers() {
        assert_eq!(escaped("a\\xff\\x00{3}b\\x2e{"), b"a\xff\0\0\0b.{");
    }
}
