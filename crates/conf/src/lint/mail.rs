//! Mail that could never be sent.

use std::net::IpAddr;

use super::view::{View, inside, is};
use crate::{
    Code, Diagnostic, Severity, Span, Statement, Word, diagnostic::Class, lower::value::boolean,
};

/// Names that are kept free for examples, and what samples of keepalived leave in.
const NOWHERE: &[&str] =
    &["example", "invalid", "test", "example.com", "example.net", "example.org"];

pub(super) fn lint(view: View<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mailboxes: Vec<&Word> = view
        .globals("notification_email")
        .flat_map(Statement::statements)
        .flat_map(|line| &line.words)
        .collect();
    let server = view.globals("smtp_server").filter_map(|line| line.parameters().first()).last();
    let alert = alert(view);
    // Where nothing asks for mail, nothing is lost.
    let severity = if alert.is_some() { Severity::Warning } else { Severity::Note };
    let lists = view.globals("notification_email").filter(|list| list.block.is_some());
    let list = lists.last().and_then(|list| list.keyword());
    if let Some(list) = list.filter(|_| mailboxes.is_empty()) {
        diagnostics.push(
            Diagnostic::warning(Code::NoMailbox, list, "`notification_email` lists no address")
                .label("no mail is ever sent")
                .hint("list addresses, one on each line, or delete the block")
                .class(Class::Error),
        );
    } else if let Some(alert) = alert {
        if mailboxes.is_empty() {
            diagnostics.push(
                Diagnostic::warning(Code::AlertWithoutMailbox, alert, "mail goes to nobody")
                    .label("no mail is ever sent")
                    .hint("list addresses in `notification_email` of global_defs"),
            );
        } else if server.is_none() {
            diagnostics.push(
                Diagnostic::warning(Code::AlertWithoutServer, alert, "mail has no server to go by")
                    .label("no mail is ever sent")
                    .hint("write `smtp_server` in global_defs, e.g. `smtp_server 127.0.0.1`"),
            );
        }
    }
    if let Some(server) = server {
        mail_server(server, severity, diagnostics);
    }
    // The machine's own mail server knows its users by name.
    let local = server.is_some_and(|server| is_local(&server.text));
    mailboxes.iter().filter(|mailbox| !is_mailbox(&mailbox.text, local)).for_each(|mailbox| {
        let message = format!("`{}` is no mail address", mailbox.text);
        diagnostics.push(
            Diagnostic::new(Code::BadMailbox, severity, mailbox.span, message)
                .hint("write it as user@domain, one on each line"),
        );
    });
}

/// The first place that asks for mail.
fn alert(view: View<'_>) -> Option<Span> {
    let is_alert = |statement: &&Statement| {
        ["smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker"].iter().any(|name| {
            is(statement, name)
                && statement
                    .parameters()
                    .first()
                    .is_none_or(|word| boolean(&word.text) == Some(true))
        })
    };
    let nested = view.tree.iter().flat_map(|block| {
        let servers = inside(block, "real_server").flat_map(Statement::statements);
        block.statements().iter().chain(servers)
    });
    nested.filter(is_alert).find_map(Statement::keyword).map(|word| word.span)
}

fn mail_server(server: &Word, severity: Severity, diagnostics: &mut Vec<Diagnostic>) {
    let name = server.text.trim_end_matches('.').to_ascii_lowercase();
    let nowhere = NOWHERE.iter().any(|end| {
        name.strip_suffix(end).is_some_and(|host| host.is_empty() || host.ends_with('.'))
    });
    let template = name.contains(['<', '>', '{', '}', '$', '@', '%', '[', '_']);
    if is_broken_address(&name) && !template {
        let message = format!("`{}` is no address", server.text);
        diagnostics.push(
            Diagnostic::new(Code::BadMailServer, severity, server.span, message)
                .label("no mail is ever sent")
                .hint("write the name or address of the mail server, and a port behind a blank")
                .class(Class::Error),
        );
    } else if nowhere || template {
        let message = format!("`{}` is no mail server", server.text);
        diagnostics.push(
            Diagnostic::new(Code::BadMailServer, severity, server, message)
                .label("looks like a placeholder that was never filled in")
                .hint("write the name or address of the mail server"),
        );
    }
}

fn is_local(server: &str) -> bool {
    server == "localhost" || server == "::1" || server.starts_with("127.")
}

/// `user@domain`, or a user alone where that is enough.
fn is_mailbox(text: &str, local: bool) -> bool {
    match text.rsplit_once('@') {
        Some((user, domain)) => !user.is_empty() && !domain.is_empty(),
        None => local,
    }
}

/// Four numbers that are no address, or a port in the wrong place.
fn is_broken_address(name: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = name.split('.').count() == 4 && name.split('.').all(digits);
    (numbers || name.contains(':')) && name.parse::<IpAddr>().is_err()
}
