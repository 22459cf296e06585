//! The keys of `auth_hmac`.

use std::collections::BTreeMap;

use super::{
    tree::{last, number, value},
    view::{View, inside},
};
use crate::{Code, Diagnostic, Statement, Word};

pub(super) fn lint(view: View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for instance in view.blocks("vrrp_instance") {
        for block in inside(instance, "auth_hmac").filter(|block| block.block.is_some()) {
            keys(block, diagnostics);
        }
    }
}

fn keys(block: &Statement, diagnostics: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<u64, &Word> = BTreeMap::new();
    for word in inside(block, "key").filter_map(value) {
        let Some(key) = number(word) else { continue };
        if let Some(first) = known.insert(key, word) {
            diagnostics.push(
                Diagnostic::warning(
                    Code::HmacKey,
                    word.span,
                    format!("key {key} is defined twice"),
                )
                .also(first.span, "defined here first")
                .hint("give each key a number of its own"),
            );
        }
    }
    let active = last(block.statements(), &["active_key"]);
    let found = match (active, active.and_then(value)) {
        (Some(_), Some(word)) if number(word).is_none_or(|key| !known.contains_key(&key)) => {
            let message = format!("no `key {}` is defined", word.text);
            Diagnostic::warning(Code::HmacKey, word.span, message)
                .label("nothing can be signed")
                .hint("define the key, or name one that is defined")
        }
        (Some(_), _) => return,
        (None, _) => {
            let Some(word) = block.keyword() else { return };
            let message = "`auth_hmac` has no `active_key`";
            Diagnostic::warning(Code::HmacKey, word.span, message)
                .label("nothing can be signed")
                .hint("write `active_key` with the number of a key")
        }
    };
    diagnostics.push(found);
}
