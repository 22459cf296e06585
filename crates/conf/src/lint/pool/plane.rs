//! What IPVS can do and nftables can't, where the file asks for nftables.

use crate::{
    Code, Diagnostic, Model, Plane, Span, Statement,
    lint::{
        tree::{is, last, value},
        view::also_at,
    },
};

pub(in crate::lint) fn lint(tree: &[Statement], model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    if model.pool.plane != Plane::Nftables {
        return;
    }
    let mut counting = Vec::new();
    let mut wishes = Vec::new();
    for service in tree.iter().filter(|line| is(line, "virtual_server")) {
        let lines = service.statements();
        let algorithm = last(lines, &["lb_algo", "lvs_sched"]).and_then(value);
        let counts = |text: &str| {
            matches!(text, "lc" | "wlc" | "lblc" | "lblcr" | "ovf" | "sed" | "nq" | "twos")
        };
        counting.extend(algorithm.filter(|word| counts(&word.text)).map(|word| word.span));
        let servers = lines.iter().filter(|line| is(line, "real_server"));
        let all = lines.iter().chain(servers.flat_map(Statement::statements));
        wishes.extend(all.filter(|line| is_beyond(line)).filter_map(place));
    }
    if let Some((first, more)) = counting.split_first() {
        let message = "nftables does not count connections: servers are drawn by their weights";
        let found = Diagnostic::warning(Code::PlaneCannot, *first, message)
            .hint("write `lb_algo wrr`, or `lvs_data_plane ipvs`");
        diagnostics.push(also_at(found, more));
    }
    if let Some((first, more)) = wishes.split_first() {
        let message = "only IPVS can do this, and `lvs_data_plane` says nftables";
        let found = Diagnostic::warning(Code::PlaneCannot, *first, message)
            .hint("delete it, or write `lvs_data_plane ipvs`");
        diagnostics.push(also_at(found, more));
    }
}

/// Whether a line asks for what nftables has not: tunnels, limits, other ways to know clients.
fn is_beyond(line: &Statement) -> bool {
    let word = || value(line).map_or("", |word| word.text.as_str());
    match line.keyword().map_or("", |word| word.text.as_str()) {
        "lb_kind" | "lvs_method" | "sorry_server_lvs_method" => word() == "TUN",
        "uthreshold" | "lthreshold" => word() != "0",
        "ops" | "persistence_engine" => true,
        _ => false,
    }
}

fn place(line: &Statement) -> Option<Span> {
    line.keyword().map(|word| word.span)
}
