//! A keyword's reference, in Markdown.

use standfast_conf::table::{
    Block, Keyword,
    entry::{State, facts, syntax},
};

/// Everything that the table says about a keyword of a block.
pub(crate) fn markdown(block: &Block, keyword: &Keyword) -> String {
    let state = State::of(block, keyword).text().to_owned();
    let facts = facts(block, keyword).into_iter().chain([state]);
    let facts: Vec<_> = facts.map(|fact| format!("- {fact}")).collect();
    format!("```\n{}\n```\n{}\n\n{}", syntax(keyword), keyword.effect, facts.join("\n"))
}

#[cfg(test)]
mod tests {
    use standfast_conf::table::block;

    use super::*;

    #[test]
    fn the_reference_says_syntax_range_default_and_state() {
        let of = |path, name| {
            let block = block(path).unwrap();
            markdown(block, block.keyword(name).unwrap())
        };
        let weight = of("vrrp_script", "weight");
        assert!(weight.starts_with("```\nweight NUMBER [reverse|noreverse]\n```\n"), "{weight}");
        assert!(weight.contains("-253 to 253") && weight.contains("- default 0\n"), "{weight}");
        assert!(weight.ends_with("- works"), "{weight}");
        let old = of("vrrp_instance", "lvs_sync_daemon_interface");
        assert!(old.contains("- old name of lvs_sync_daemon"), "{old}");
        assert!(old.ends_with("not active"), "{old}");
    }
}
