//! What strict mode does not allow, and keepalived takes back.

use super::{
    tree::{is_on, last, number, seconds, value},
    view::View,
};
use crate::{Code, Diagnostic, Statement, Word, diagnostic::Class};

pub(super) fn lint(view: View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let global = view.globals("vrrp_strict").last();
    let version = view.globals("vrrp_version").last();
    for instance in view.blocks("vrrp_instance") {
        let lines = instance.statements();
        let Some(strict) = last(lines, &["strict_mode"]).or(global).filter(|line| is_on(line))
        else {
            continue;
        };
        let version = last(lines, &["version"]).or(version).and_then(value);
        let v3 = version.is_some_and(|word| word.text == "3");
        for word in lines.iter().filter_map(|line| ignored(line, v3)) {
            let message = format!("strict mode does not allow `{}` and ignores it", word.text);
            let found = Diagnostic::warning(Code::StrictMode, word.span, message)
                .hint("delete it, or switch strict mode off")
                .class(Class::Error);
            diagnostics.push(match strict.keyword() {
                Some(strict) => found.also(strict.span, "asks for strict mode"),
                None => found,
            });
        }
    }
}

/// The keyword of a line that strict mode ignores.
fn ignored(line: &Statement, v3: bool) -> Option<&Word> {
    let word = line.keyword()?;
    let some = || value(line).and_then(number).is_some_and(|number| number > 0);
    let time = || value(line).and_then(seconds).is_some_and(|time| !time.is_zero());
    let ignored = match word.text.as_str() {
        // VRRPv3 has none anyway.
        "authentication" | "accept" => !v3,
        "vmac_xmit_base" => true,
        "garp_lower_prio_delay" | "garp_lower_prio_repeat" => some(),
        "preempt_delay" => time(),
        "lower_prio_no_advert" => !is_on(line),
        "higher_prio_send_advert" => is_on(line),
        _ => false,
    };
    ignored.then_some(word)
}
