//! The page of each code: what is wrong, an example, what `check` says to it, how to write it.
//!
//! The source is `diagnostics/SF0101.md`: a title line, text, and fenced files.
//!
//! | fence | what it holds |
//! |---|---|
//! | `conf` | a main file; each begins an example of its own. Others cannot read it, unless with `mode=644` |
//! | `conf node-a` | the main file of one node; nodes that follow each other are one example |
//! | `conf fixed`, `conf fixed node-a` | how to write it: it must load without this code |
//! | `file /path mode=755` | another file of the example above it. Without `mode` 644 |
//! | `host` | the machine that the example above it is checked on, and what corrects it |
//! | `host on-this-host` | the same, checked with `--on-this-host` |
//!
//! A line of `host` is an interface: `eth0 up multicast 192.0.2.1/24`. Its words are `up`, `multicast`,
//! `loopback` and addresses. Without the fence nothing is known of the machine.
//!
//! With `bytes` behind it, a fence's `\xHH` is a byte and `\xHH{N}` is N of them.

mod example;

use std::fmt::Write;

use example::Machine;
pub use example::{Example, Findings};

use crate::{Code, Severity, render};

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
        let language = match words.first().copied().unwrap_or_default() {
            "host" | "file" => "text",
            language => language,
        };
        let mut shown = format!("```{language}\n{text}```\n");
        if raw {
            shown.push_str("\n`\\xHH` is one byte, `\\xHH{N}` is N of them.\n");
        }
        let bytes = if raw { escaped(&text) } else { text.into_bytes() };
        add(&mut parts, &words, bytes, &shown)?;
    }
    Ok(parts)
}

/// Adds what is fenced to the example that it belongs to.
fn add(parts: &mut Vec<Part>, info: &[&str], bytes: Vec<u8>, shown: &str) -> Result<(), String> {
    let (info, mode) = with_mode(info)?;
    let (fixed, node) = match info {
        ["conf"] => (false, None),
        ["conf", "fixed"] => (true, None),
        ["conf", "fixed", node] => (true, Some(*node)),
        ["conf", node] => (false, Some(*node)),
        ["file", path] => {
            above(parts, path)?.add_file(path, mode.unwrap_or(0o644), bytes, shown);
            return Ok(());
        }
        ["host"] | ["host", "on-this-host"] => {
            let machine = Machine::parse(&String::from_utf8_lossy(&bytes), info.len() > 1)?;
            above(parts, "the host")?.set_machine(machine, shown);
            return Ok(());
        }
        other => return Err(format!("a fence of the kind `{}`", other.join(" "))),
    };
    let open = match (parts.last_mut(), node) {
        (Some(Part::Example(example)), Some(node)) if !fixed => Some((example, node)),
        (Some(Part::Fixed(example)), Some(node)) if fixed => Some((example, node)),
        (_, _) => None,
    };
    if let Some((example, _)) = open.filter(|(example, node)| !example.has_node(node)) {
        example.add_main(node, mode, bytes, shown);
        return Ok(());
    }
    // What corrects an example corrects it on the same machine.
    let machine = parts.iter().rev().find_map(|part| match part {
        Part::Example(example) if fixed => Some(example.machine.clone()),
        Part::Example(_) | Part::Fixed(_) | Part::Text(_) => None,
    });
    let mut example = Example { machine: machine.flatten(), ..Example::default() };
    example.add_main(node, mode, bytes, shown);
    parts.push(if fixed { Part::Fixed(example) } else { Part::Example(example) });
    Ok(())
}

/// The mode behind a fence's other words, if it has one.
fn with_mode<'i, 'w>(info: &'i [&'w str]) -> Result<(&'i [&'w str], Option<u32>), String> {
    let Some((mode, rest)) = info.split_last().filter(|(last, _)| last.starts_with("mode=")) else {
        return Ok((info, None));
    };
    let digits = mode.trim_start_matches("mode=");
    let mode = u32::from_str_radix(digits, 8).map_err(|_| format!("`{digits}` is no mode"))?;
    Ok((rest, Some(mode)))
}

/// The example that a fence belongs to.
fn above<'p>(parts: &'p mut [Part], what: &str) -> Result<&'p mut Example, String> {
    match parts.last_mut() {
        Some(Part::Example(example) | Part::Fixed(example)) => Ok(example),
        Some(Part::Text(_)) | None => Err(format!("{what} belongs to no example above it")),
    }
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
                let _ = write!(text, "\n`{}` says:\n\n```text\n", example.command());
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
    use std::path::Path;

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
        assert_eq!(single.nodes, [Path::new("/etc/keepalived/keepalived.conf")]);
    }

    #[test]
    fn a_host_belongs_to_the_example_above_it_and_to_its_correction() {
        let parts = parts(
            "```conf\n```\n```host on-this-host\neth0 up 192.0.2.1/24\n```\n```conf fixed\n```\n```conf\n```\n",
        );
        let parts = parts.expect("well-formed");
        let [Part::Example(first), Part::Fixed(fixed), Part::Example(second)] = parts.as_slice()
        else {
            panic!("{parts:#?}");
        };
        let machine = first.machine.as_ref().expect("it has one");
        let interface = machine.host.interface("eth0").expect("it has one");
        assert!(machine.on_this_host && interface.up && !interface.multicast);
        assert_eq!(interface.addresses, ["192.0.2.1/24".parse().expect("a prefix")]);
        assert!(first.machine.is_some() && fixed.machine.is_some());
        assert!(second.machine.is_none());
    }

    #[test]
    fn a_fence_that_means_nothing_is_an_error() {
        for fence in [
            "```sh\n```",
            "```file /x\n```",
            "```conf\n```\n```file /x 755\n```",
            "```conf mode=9\n```",
            "```host\neth0\n```",
            "```conf\n```\n```host\neth0 upp\n```",
        ] {
            assert!(parts(fence).is_err(), "{fence}");
        }
    }

    #[test]
    fn bytes_are_written_as_hexadecimal_numbers() {
        assert_eq!(escaped("a\\xff\\x00{3}b\\x2e{"), b"a\xff\0\0\0b.{");
    }
}
