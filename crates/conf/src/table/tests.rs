use super::*;

fn suggest_in(path: &str, name: &str) -> Option<&'static str> {
    block(path).and_then(|block| suggest(block, name))
}

/// All keywords, options and entries, with the path of their block.
fn everything() -> impl Iterator<Item = (&'static str, &'static Keyword)> {
    blocks().flat_map(|block| {
        let lines = block.keywords.iter().chain(&block.options).chain(&block.entries);
        lines.map(|keyword| (block.path, keyword))
    })
}

#[test]
fn a_misspelling_finds_its_keyword() {
    assert_eq!(suggest_in("vrrp_instance", "virtual_router_idd"), Some("virtual_router_id"));
    assert_eq!(suggest_in("vrrp_script", "weigth"), Some("weight"));
    assert_eq!(suggest_in("virtual_server", "lb-kind"), Some("lb_kind"));
    assert_eq!(suggest_in("virtual_server", "real_servers"), Some("real_server"));
    assert_eq!(suggest_in("vrrp_script", "systemctl"), None);
}

#[test]
fn a_keyword_knows_its_blocks() {
    let paths = |name| homes(name).iter().map(|block| block.path).collect::<Vec<_>>();
    assert_eq!(paths("auth_pass"), ["vrrp_instance.authentication"]);
    assert_eq!(paths("track_script"), ["vrrp_instance", "vrrp_sync_group"]);
}

#[test]
fn every_line_of_the_table_is_well_formed() {
    for (_, text) in FILES {
        for line in text.lines() {
            let skipped = line.is_empty() || line.starts_with(['#', '[']);
            assert!(skipped || read::keyword(line.to_owned().leak()).is_some(), "{line}");
        }
    }
}

#[test]
fn every_block_that_a_keyword_opens_is_in_the_table_and_no_other() {
    for (path, keyword) in everything() {
        let wanted = keyword.opens_block() || keyword.arguments.has_options();
        assert_eq!(keyword.block().is_some(), wanted, "{path}: {}", keyword.name);
    }
    for block in blocks().filter(|block| !block.path.is_empty()) {
        let opened = everything().any(|(_, keyword)| keyword.child() == Some(block.path));
        assert!(opened, "nothing opens {}", block.path);
    }
}

#[test]
fn no_keyword_is_defined_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for (path, keyword) in everything() {
        assert!(seen.insert((path, keyword.name)), "{path}: {}", keyword.name);
    }
}

#[test]
fn every_default_is_a_value_that_the_keyword_takes_or_another_keyword() {
    for (path, keyword) in everything() {
        match keyword.default {
            Default::Value(text) => {
                let fits = keyword.arguments.items.iter().filter_map(Item::first);
                assert!(
                    fits.clone().any(|kind| kind.read(text).is_ok()),
                    "{path}: {}",
                    keyword.name
                );
            }
            Default::Inherited(path) => {
                let (block, name) = path.rsplit_once('.').unwrap_or(("", path));
                assert!(lookup(block, name).is_some(), "{path} of {}", keyword.name);
            }
            Default::Unset | Default::Derived(_) => {}
        }
    }
}

#[test]
fn every_effect_is_a_sentence() {
    for (path, keyword) in everything() {
        assert!(keyword.effect.ends_with('.'), "{path}: {}", keyword.name);
    }
}
