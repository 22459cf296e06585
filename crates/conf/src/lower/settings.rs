//! `global_defs` once more: what concerns the daemon as a whole and no instance.

use std::time::Duration;

use standfast_types::{Command, User};

use super::{Lowering, arguments::Read, command};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    settings::{Fifo, Mail},
    source::Span,
    syntax::{Statement, Word},
    table::{self, Value},
};

/// The FIFOs of a file while it is read: `*_script` may stand above its FIFO.
#[derive(Debug, Default)]
pub(crate) struct FifoDrafts {
    all: FifoDraft,
    vrrp: FifoDraft,
    servers: FifoDraft,
}

#[derive(Debug, Default)]
struct FifoDraft {
    path: Option<Word>,
    user: Option<User>,
    reader: Option<(Command, Span)>,
}

/// What the file says of mail.
#[derive(Debug, Default)]
pub(crate) struct MailDraft {
    recipients: Vec<String>,
    from: Option<String>,
    server: Option<(String, u16)>,
    helo: Option<String>,
    timeout: Option<Duration>,
    no_faults: bool,
    alert: Option<bool>,
    alert_vrrp: Option<bool>,
    alert_checker: Option<bool>,
}

impl MailDraft {
    /// Whether an instance that says nothing itself is mailed about.
    pub(crate) fn alert(&self) -> bool {
        self.alert_vrrp.or(self.alert).unwrap_or(false)
    }

    /// Whether a virtual or real server that says nothing itself is mailed about, where that is said.
    pub(crate) fn alert_servers(&self) -> Option<bool> {
        self.alert_checker.or(self.alert)
    }

    /// Whether there is anybody to write to.
    pub(crate) fn has_recipients(&self) -> bool {
        !self.recipients.is_empty()
    }
}

/// The port of SMTP.
const SMTP: u16 = 25;
/// How long a mail server may take that the file gives no time.
const MAIL_TIMEOUT: Duration = Duration::from_secs(30);

impl Lowering<'_> {
    /// Takes a keyword of this room; false when it is of another.
    pub(super) fn daemon_setting(
        &mut self,
        name: &str,
        statement: &Statement,
        read: &Read<'_>,
    ) -> bool {
        match name {
            "notify_fifo" => fifo_path(&mut self.fifos.all, read),
            "lvs_notify_fifo" => fifo_path(&mut self.fifos.servers, read),
            "lvs_notify_fifo_script" => self.fifos.servers.reader = self.reader(statement),
            "vrrp_notify_fifo" => fifo_path(&mut self.fifos.vrrp, read),
            "notify_fifo_script" => self.fifos.all.reader = self.reader(statement),
            "vrrp_notify_fifo_script" => self.fifos.vrrp.reader = self.reader(statement),
            "fifo_write_vrrp_states_on_reload" => {
                self.model.global.fifos.states_on_reload = true;
            }
            "vrrp_notify_priority_changes" => {
                if let Some(flag) = read.flag() {
                    self.defaults.notify.priority_changes = flag;
                }
            }
            "notification_email" => self.recipients(statement),
            _ => {
                return self.mail_setting(name, read)
                    || self.dump_setting(name, read)
                    || self.process_setting(name, statement, read)
                    || self.pool_setting(name, read);
            }
        }
        true
    }

    fn mail_setting(&mut self, name: &str, read: &Read<'_>) -> bool {
        let mail = &mut self.mail;
        let text = || read.word().map(|word| word.text.to_string());
        match name {
            "notification_email_from" => mail.from = text().or(mail.from.take()),
            "smtp_helo_name" => mail.helo = text().or(mail.helo.take()),
            "smtp_server" => {
                let port = read.matched.iter().find_map(|matched| match matched.value {
                    Value::Number(port) => u16::try_from(port).ok(),
                    Value::Bool(_) | Value::Time(_) | Value::Address(_) | Value::Text(_) => None,
                });
                mail.server = text().map(|server| (server, port.unwrap_or(SMTP)));
            }
            "smtp_connect_timeout" => {
                mail.timeout = read.small::<u32>().map(|(n, _)| Duration::from_secs(n.into()));
            }
            "smtp_alert" => mail.alert = read.flag().or(mail.alert),
            "smtp_alert_checker" => mail.alert_checker = read.flag().or(mail.alert_checker),
            "smtp_alert_vrrp" => mail.alert_vrrp = read.flag().or(mail.alert_vrrp),
            "no_email_faults" => mail.no_faults = true,
            _ => return false,
        }
        true
    }

    fn dump_setting(&mut self, name: &str, read: &Read<'_>) -> bool {
        let global = &mut self.model.global;
        let text = || read.word().map(|word| word.text.to_string());
        match name {
            "json_version" => global.json_version = read.small().map(|(number, _)| number),
            "data_use_instance" => {
                let flag = &mut global.dumps.use_instance;
                *flag = read.flag().unwrap_or(*flag);
            }
            "state_dump_file" | "state_file_location" => global.dumps.state = text(),
            "stats_dump_file" | "stats_file_location" => global.dumps.stats = text(),
            "json_dump_file" | "json_file_location" => global.dumps.json = text(),
            _ => return false,
        }
        true
    }

    fn recipients(&mut self, statement: &Statement) {
        let Some(keyword) = table::lookup("global_defs", "notification_email") else { return };
        let Some(block) = keyword.block() else { return };
        for line in statement.statements() {
            let Some(keyword) = self.known(block, line) else { continue };
            let read = self.read(keyword, line);
            let words = read.matched.iter().map(|matched| matched.word.text.to_string());
            self.mail.recipients.extend(words);
        }
    }

    /// Mail into the model, where there is somebody to write to and somebody who takes it.
    pub(super) fn lower_mail(&mut self) {
        let MailDraft { recipients, from, server, helo, timeout, no_faults, .. } =
            std::mem::take(&mut self.mail);
        let Some((server, port)) = server.filter(|_| !recipients.is_empty()) else { return };
        self.model.global.mail = Some(Mail {
            recipients,
            from,
            server,
            port,
            helo,
            timeout: timeout.unwrap_or(MAIL_TIMEOUT),
            router_id: self.model.global.router_id.clone(),
            no_faults,
        });
    }

    fn reader(&mut self, statement: &Statement) -> Option<(Command, Span)> {
        let user = self.defaults.script_user.as_ref();
        let words = statement.parameters();
        let command = command::notify(words, user, self.diagnostics)?;
        Some((command, words.first()?.span))
    }

    /// The FIFOs into the model, once all of the file is read.
    pub(super) fn lower_fifos(&mut self) {
        let FifoDrafts { all, vrrp, servers } = std::mem::take(&mut self.fifos);
        let default = self.defaults.script_user.clone();
        let one = |path: &Option<Word>| path.as_ref().map(|word| word.text.to_string());
        for (first, second) in
            [(&all.path, &vrrp.path), (&all.path, &servers.path), (&vrrp.path, &servers.path)]
        {
            let (Some(first), Some(second)) = (first, second) else { continue };
            if first.text != second.text {
                continue;
            }
            let message = format!("`{}` is used twice; every line would come twice", first.text);
            self.diagnostics.push(
                Diagnostic::warning(Code::FifoTwice, second, message)
                    .also(first.span, "first used here")
                    .hint("give each FIFO a path of its own")
                    .class(Class::Error),
            );
        }
        for (draft, place, keyword) in [
            (all, &mut self.model.global.fifos.all, "notify_fifo"),
            (vrrp, &mut self.model.global.fifos.vrrp, "vrrp_notify_fifo"),
            (servers, &mut self.model.pool.fifo, "lvs_notify_fifo"),
        ] {
            match (one(&draft.path), draft.reader) {
                (Some(path), reader) => {
                    let reader = reader.map(|(command, _)| command);
                    *place = Some(Fifo { path, user: draft.user.or(default.clone()), reader });
                }
                (None, Some((_, span))) => {
                    let message = format!("there is no `{keyword}` for it to read; it never runs");
                    self.diagnostics.push(
                        Diagnostic::warning(Code::FifoMissing, span, message)
                            .hint(format!("write `{keyword} /run/NAME` too")),
                    );
                }
                (None, None) => {}
            }
        }
    }
}

fn fifo_path(draft: &mut FifoDraft, read: &Read<'_>) {
    draft.path = read.word().cloned().or(draft.path.take());
    let words: Vec<Word> =
        read.matched.iter().skip(1).map(|matched| matched.word.clone()).collect();
    draft.user = command::user(&words);
}
