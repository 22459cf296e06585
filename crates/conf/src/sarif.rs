//! Diagnostics as SARIF 2.1.0, which code hosts show beside the lines.

use std::{collections::BTreeSet, path::Path};

use serde::Serialize;

use crate::{Code, Diagnostic, Label, Sources, pages};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole log; its fields are those of the standard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sarif {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// Columns count characters.
    column_kind: &'static str,
    results: Vec<Found>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: Code,
    short_description: Text,
    full_description: Text,
    help: Help,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Text {
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Code,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

/// The findings as one log. Files below the directory `base` get relative URIs.
#[must_use]
pub fn sarif<'a>(
    findings: impl IntoIterator<Item = (&'a Diagnostic, &'a Sources)>,
    base: &Path,
) -> Sarif {
    let findings: Vec<_> = findings.into_iter().collect();
    let codes: BTreeSet<Code> = findings.iter().map(|(diagnostic, _)| diagnostic.code).collect();
    let found = |(diagnostic, sources): &(&Diagnostic, &Sources)| {
        let rule = codes.range(..diagnostic.code).count();
        result(diagnostic, sources, rule, base)
    };
    let results = findings.iter().map(found).collect();
    let rules = codes.iter().map(|code| rule(*code)).collect();
    let driver = Driver { name: "standfast", version: env!("CARGO_PKG_VERSION"), rules };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
    Sarif { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn rule(code: Code) -> Rule {
    let page = pages::markdown(code);
    Rule {
        id: code,
        short_description: Text { text: pages::title(code).to_owned() },
        full_description: Text { text: code.summary().to_owned() },
        help: Help { text: page.clone(), markdown: page },
    }
}

fn result(diagnostic: &Diagnostic, sources: &Sources, rule: usize, base: &Path) -> Found {
    let hint = diagnostic.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let related = diagnostic.secondary.iter().zip(1..);
    Found {
        rule_id: diagnostic.code,
        rule_index: rule,
        level: diagnostic.severity.word(),
        message: Text { text: format!("{}{hint}", diagnostic.message) },
        locations: [location(&diagnostic.primary, None, sources, base)],
        related_locations: related
            .map(|(label, id)| location(label, Some(id), sources, base))
            .collect(),
    }
}

fn location(label: &Label, id: Option<usize>, sources: &Sources, base: &Path) -> Location {
    let (start, end) = (sources.position(label.span), sources.end(label.span));
    let uri = uri(sources.path(label.span), base);
    let region = Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.line,
        end_column: end.column,
    };
    let message = (!label.text.is_empty()).then(|| Text { text: label.text.clone() });
    let physical_location = PhysicalLocation { artifact_location: Artifact { uri }, region };
    Location { id, physical_location, message }
}

/// RFC 3986: every byte that is not unreserved is escaped.
fn uri(path: &Path, base: &Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};
    let path = path.strip_prefix(base).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "" });
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris_relative_where_they_can_be() {
        let base = Path::new("/etc/keepalived");
        for (path, expected) in [
            ("/etc/keepalived/conf.d/a b.conf", "conf.d/a%20b.conf"),
            ("./node-a/\u{e9}.conf", "node-a/%C3%A9.conf"),
            ("/usr/lib/x#.sh", "file:///usr/lib/x%23.sh"),
        ] {
            assert_eq!(uri(Path::new(path), base), expected);
        }
    }
}
