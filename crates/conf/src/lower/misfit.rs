//! What to say about a word that is missing or does not fit.

use crate::{
    Code, Diagnostic,
    diagnostic::{Class, Severity},
    syntax::Word,
    table::{self, Default, Family, Keyword, Kind, Problem},
};

/// A keyword needs a value and has none: keepalived ends with its configuration exit code, or
/// goes on without, as the table says.
pub(super) fn missing_value(keyword: &Keyword, word: &Word) -> Diagnostic {
    let message = format!("`{}` has no value", word.text);
    if keyword.lenient {
        return Diagnostic::warning(Code::BadValue, word, message + " and is ignored")
            .class(Class::Error);
    }
    Diagnostic::error(Code::MissingParameter, word, message)
        .label("keepalived refuses the file here")
        .class(Class::GivesUp)
}

const ADVERT_INTERVALS: &str = "VRRPv2 takes 1 to 255 whole seconds, VRRPv3 0.01 to 40.95 seconds";

/// The diagnostic for a word that does not fit.
pub(super) fn misfit(keyword: &Keyword, kind: &Kind, word: &Word, problem: Problem) -> Diagnostic {
    let text = &word.text;
    let fallback = match (problem, keyword.default) {
        (_, _) if keyword.name == "state" => "BACKUP is used".to_owned(),
        (_, _) if keyword.name == "virtual_router_id" => "the instance is left out".to_owned(),
        (_, Default::Derived(_)) if keyword.name == "priority" => "100 is used".to_owned(),
        (Problem::Clamped(number), _) => format!("{number} is used"),
        (_, Default::Value(default)) => format!("{default} is used"),
        (_, _) => "it is ignored".to_owned(),
    };
    let message = match (problem, kind) {
        (Problem::Malformed, Kind::Number { .. } | Kind::Time { .. }) => {
            format!("`{text}` is no number; {fallback}")
        }
        (Problem::OutOfRange | Problem::Clamped(_), Kind::Number { .. } | Kind::Time { .. }) => {
            format!("{text} is out of range; {fallback}")
        }
        (_, Kind::Bool) => format!("`{text}` is no boolean; the keyword is ignored"),
        (_, Kind::OneOf { .. }) if keyword.name == "state" => {
            format!("`{text}` is no state; {fallback}")
        }
        (_, Kind::OneOf { .. }) if matches!(keyword.name, "lb_algo" | "lvs_sched") => {
            format!("IPVS has no scheduler `{text}`; {fallback}")
        }
        (_, Kind::OneOf { .. })
            if keyword.name == "lb_kind" || keyword.name.contains("lvs_method") =>
        {
            format!("`{text}` is no forwarding method; {fallback}")
        }
        (_, Kind::Group(_)) => format!("`{text}` is no multicast group; {fallback}"),
        (_, Kind::Address) => format!("`{text}` is no address; {fallback}"),
        (_, Kind::Form(form)) if form.name == "endpoint" => {
            format!("`{text}` is neither an address nor a DNS name; the server is left out")
        }
        (Problem::OutOfRange, Kind::Prefix) => {
            format!("`{text}` has no prefix length that exists; the single address is used")
        }
        (_, Kind::Prefix) => format!("`{text}` is no address; the line is ignored"),
        (_, _) => format!("`{text}` does not fit `{}`; {fallback}", keyword.name),
    };
    let hint = hint(keyword, kind, text, problem);
    let code = match (keyword.name, kind, problem) {
        ("lb_kind" | "lvs_method" | "sorry_server_lvs_method", Kind::OneOf { .. }, _) => {
            Code::ForwardingMethod
        }
        ("lb_algo" | "lvs_sched", _, _) => Code::Scheduler,
        ("state", _, _) => Code::BadState,
        ("virtual_router_id", _, _) => Code::VridMissing,
        ("advert_int", _, _) => Code::AdvertInterval,
        (_, Kind::Group(_), _) => Code::GroupNotMulticast,
        (_, Kind::Prefix, Problem::OutOfRange) => Code::OutOfRange,
        (_, Kind::Address | Kind::Prefix | Kind::Service, _) => Code::BadAddress,
        (_, Kind::Form(form), _) if form.name == "endpoint" => Code::BadAddress,
        (_, _, Problem::Malformed) => Code::BadValue,
        (_, _, Problem::OutOfRange | Problem::Clamped(_)) => Code::OutOfRange,
    };
    Diagnostic::new(code, Severity::Warning, word, message).hint(hint).class(Class::Error)
}

/// What to write instead.
fn hint(keyword: &Keyword, kind: &Kind, text: &str, problem: Problem) -> String {
    let name = keyword.name;
    if name == "advert_int" {
        return ADVERT_INTERVALS.to_owned();
    }
    if matches!(kind, Kind::Group(None | Some(Family::Ip4))) {
        return "write a group of 224.0.0.0/4, or delete the line for 224.0.0.18".to_owned();
    }
    if let Kind::OneOf { words, .. } = kind {
        let folded = words.iter().copied().find(|known| known.eq_ignore_ascii_case(text));
        match folded.or_else(|| table::best(text, words.iter().copied())) {
            Some(likely) => return format!("write `{name} {likely}`"),
            None if name == "state" => return "write `state BACKUP`".to_owned(),
            None => {}
        }
    }
    if (problem, kind) == (Problem::OutOfRange, &Kind::Prefix) {
        let most = if text.contains(':') { 128 } else { 32 };
        return format!("write a length of 0 to {most} behind the `/`");
    }
    // The line of a list has no name that an operator knows.
    match (name.starts_with('<'), *kind == Kind::Prefix) {
        (true, true) => "write an address; names are not resolved".to_owned(),
        (true, false) => format!("write {kind}"),
        (false, _) => format!("`{name}` takes {kind}"),
    }
}
