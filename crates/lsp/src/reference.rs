//! A keyword's reference, for people.

use standfast_conf::table::{Age, Default, Item, Keyword, Kind, Status};

/// How it is written: `weight NUMBER [reverse|noreverse]`.
pub(crate) fn syntax(keyword: &Keyword) -> String {
    let mut words = Vec::new();
    if !keyword.name.starts_with('<') {
        words.push(keyword.name.to_owned());
    }
    words.extend(keyword.arguments.items.iter().map(item));
    if keyword.opens_block() {
        words.push("{ ... }".to_owned());
    }
    words.join(" ")
}

fn item(item: &Item) -> String {
    match item {
        Item::One(kind) => word(kind),
        Item::Several(kind) => format!("{}...", word(kind)),
        Item::Optional(items) => {
            format!("[{}]", items.iter().map(self::item).collect::<Vec<_>>().join(" "))
        }
        Item::Options => "[OPTION...]".to_owned(),
    }
}

fn word(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true|false".to_owned(),
        Kind::Number { .. } => "NUMBER".to_owned(),
        Kind::Time { .. } => "TIME".to_owned(),
        Kind::OneOf { words, .. } => words.join("|"),
        Kind::Name => "NAME".to_owned(),
        Kind::Text { .. } => "TEXT".to_owned(),
        Kind::Path => "PATH".to_owned(),
        Kind::Interface => "INTERFACE".to_owned(),
        Kind::Address => "ADDRESS".to_owned(),
        Kind::Group(_) => "GROUP".to_owned(),
        Kind::Prefix => "ADDRESS[/LENGTH]".to_owned(),
        Kind::Hex { .. } => "HEX".to_owned(),
        Kind::Command => "\"COMMAND\"".to_owned(),
        Kind::User => "USER [GROUP]".to_owned(),
        Kind::Service => "SERVICE".to_owned(),
        Kind::Form(form) => form.name.to_uppercase(),
    }
}

/// Everything that the table says about it, in Markdown.
pub(crate) fn markdown(keyword: &Keyword) -> String {
    let mut lines = vec![format!("```\n{}\n```", syntax(keyword)), format!("{}\n", keyword.effect)];
    let mut kinds = Vec::new();
    collect(&keyword.arguments.items, &mut kinds);
    for kind in kinds {
        lines.push(format!("- `{}`: {kind}", word(kind)));
    }
    lines.extend(default(keyword.default).map(|text| format!("- default: {text}")));
    lines.extend(keyword.since.map(|since| format!("- since keepalived {since}")));
    lines.push(format!("- {}", status(keyword.status)));
    lines.extend(age(keyword.age).map(|text| format!("- {text}")));
    lines.join("\n")
}

/// The kinds that need more words than their placeholder, each once.
fn collect<'k>(items: &'k [Item], kinds: &mut Vec<&'k Kind>) {
    for item in items {
        match item {
            Item::One(Kind::OneOf { .. }) | Item::Several(Kind::OneOf { .. }) => {}
            Item::One(kind) | Item::Several(kind) if kinds.contains(&kind) => {}
            Item::One(kind) | Item::Several(kind) => kinds.push(kind),
            Item::Optional(items) => collect(items, kinds),
            Item::Options => {}
        }
    }
}

fn default(default: Default) -> Option<String> {
    match default {
        Default::Unset => None,
        Default::Value(value) => Some(format!("`{value}`")),
        Default::Inherited(path) => Some(format!("that of `{path}`")),
        Default::Derived(words) => Some(words.to_owned()),
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Active => "works",
        Status::Announced { .. } => "accepted, not active in this version",
        Status::NoEffect => "accepted, never has an effect",
        Status::ManualOnly => "in keepalived's manual only: no version knows it",
    }
}

fn age(age: Age) -> Option<String> {
    match age {
        Age::Current => None,
        Age::Outdated => Some("outdated: delete it".to_owned()),
        Age::OldNameOf(name) => Some(format!("old spelling of `{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use standfast_conf::table::lookup;

    use super::*;

    #[test]
    fn the_reference_says_syntax_range_default_and_status() {
        let text = markdown(lookup("vrrp_script", "weight").unwrap());
        assert!(text.starts_with("```\nweight NUMBER [reverse|noreverse]\n```\n"), "{text}");
        assert!(text.contains("- `NUMBER`: a number from -253 to 253\n- default: `0`\n- works"));
        let text = markdown(lookup("vrrp_instance", "vmac_garp_intvl").unwrap());
        assert!(text.contains("not active"), "{text}");
        assert!(text.ends_with("- old spelling of `garp_extra_if`"), "{text}");
    }
}
