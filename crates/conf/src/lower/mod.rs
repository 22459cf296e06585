//! Tree to model: each keyword's value checked, each default resolved.

mod address;
mod announce;
pub(crate) mod arguments;
mod authentication;
mod bfd;
pub(crate) mod command;
mod daemon;
mod file;
mod global;
mod group;
mod instance;
mod interface;
mod keyword;
mod link;
mod misfit;
pub(crate) mod names;
mod pool;
mod process;
mod resolve;
mod room;
mod route;
mod rule;
mod script;
mod settings;
mod statics;
mod strict;
mod tracker;
pub(crate) mod value;
mod vmac;

use std::{collections::BTreeMap, net::IpAddr};

use rustc_hash::FxHashMap;
use standfast_types::{Family, InstanceName, InterfaceName, Vrid};

use crate::{
    Code, Diagnostic, Files, Model, Origins,
    model::Notify,
    source::Span,
    syntax::{Statement, Word},
    table::{self, Status},
};

/// What a file came to.
pub(crate) struct Lowered {
    /// Incomplete when a diagnostic is an error.
    pub(crate) model: Model,
    pub(crate) origins: Origins,
    /// All commands of the file, active or not, in its order.
    pub(crate) commands: Vec<Word>,
    /// Whom the file lets something run as: a user's word, and a group's behind it.
    pub(crate) users: Vec<Vec<Word>>,
    /// Findings that are only counted.
    pub(crate) left_out: usize,
}

/// What lowering has found so far.
pub(crate) struct Lowering<'a> {
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// Where keys lie.
    files: &'a dyn Files,
    pub(crate) defaults: global::Defaults,
    pub(crate) model: Model,
    pub(crate) origins: Origins,
    pub(crate) notify: BTreeMap<InstanceName, Notify>,
    pub(crate) scripts: Vec<script::Draft>,
    /// The BFD sessions so far.
    pub(crate) sessions: Vec<bfd::Draft>,
    pub(crate) tracked_files: Vec<file::Draft>,
    pub(crate) processes: Vec<process::Draft>,
    pub(crate) groups: Vec<group::Draft>,
    fifos: settings::FifoDrafts,
    mail: settings::MailDraft,
    process: daemon::Draft,
    pools: pool::Drafts,
    names: names::Names,
    statics: statics::Drafts,
    preferences: rule::NextPreference,
    /// Who lists an address first, and where.
    pub(crate) addresses: BTreeMap<IpAddr, (String, Span)>,
    /// Names of interfaces that instances get for themselves.
    link_names: std::collections::BTreeSet<String>,
    /// The first instance of each virtual router id on an interface and group.
    routers: FxHashMap<(Vrid, InterfaceName, Family, Option<IpAddr>), InstanceName>,
    /// All commands of the file.
    commands: Vec<Word>,
    /// Whom the file lets something run as.
    users: Vec<Vec<Word>>,
    /// Findings that are only counted.
    left_out: usize,
    /// Keywords without effect that the file has.
    announced: BTreeMap<(&'static str, &'static str), announce::Announced>,
    /// Where all scripts of the file are defined, above and below.
    pub(crate) later_scripts: BTreeMap<String, Span>,
}

/// Lowers all statements. The model is incomplete when a diagnostic is an error.
pub(crate) fn lower(
    statements: &[Statement],
    files: &dyn Files,
    names: names::Names,
    diagnostics: &mut Vec<Diagnostic>,
) -> Lowered {
    let mut lowering = Lowering {
        diagnostics,
        files,
        defaults: global::Defaults::default(),
        model: Model::default(),
        origins: Origins::default(),
        notify: BTreeMap::new(),
        scripts: Vec::new(),
        sessions: Vec::new(),
        tracked_files: Vec::new(),
        processes: Vec::new(),
        groups: Vec::new(),
        fifos: settings::FifoDrafts::default(),
        mail: settings::MailDraft::default(),
        process: daemon::Draft::default(),
        pools: pool::Drafts::default(),
        names,
        statics: statics::Drafts::default(),
        preferences: rule::NextPreference::default(),
        addresses: BTreeMap::new(),
        link_names: std::collections::BTreeSet::new(),
        routers: FxHashMap::default(),
        announced: BTreeMap::new(),
        commands: Vec::new(),
        users: Vec::new(),
        left_out: 0,
        later_scripts: script_names(statements),
    };
    lowering.server_groups(statements);
    for statement in statements {
        lowering.top_level(statement);
    }
    lowering.late_definitions(statements);
    lowering.finish()
}

fn script_names(statements: &[Statement]) -> BTreeMap<String, Span> {
    let scripts = statements
        .iter()
        .filter(|statement| statement.keyword().is_some_and(|word| word.text == "vrrp_script"));
    scripts
        .filter_map(|script| script.parameters().first())
        .map(|name| (name.text.to_string(), name.span))
        .collect()
}

impl Lowering<'_> {
    fn top_level(&mut self, statement: &Statement) {
        // Groups of servers have been read before all else.
        if statement.keyword().is_some_and(|word| word.text == "virtual_server_group") {
            return;
        }
        let Some(keyword) = self.known(table::top(), statement) else { return };
        match (keyword.status, keyword.name) {
            (Status::Active, "global_defs") => self.global_defs(keyword, statement),
            (Status::Active, "vrrp_script") => self.vrrp_script(keyword, statement),
            (Status::Active, "bfd_instance") => self.bfd_instance(keyword, statement),
            (Status::Active, "vrrp_instance") => self.vrrp_instance(keyword, statement),
            (Status::Active, "static_ipaddress" | "static_routes" | "static_rules") => {
                self.statics(keyword, statement);
            }
            (Status::Active, "track_group") => self.track_group(keyword, statement),
            (Status::Active, "track_file" | "vrrp_track_file") => {
                self.track_file_block(keyword, statement);
            }
            (Status::Active, "vrrp_track_process") => self.track_process_block(keyword, statement),
            (Status::Active, "interface_up_down_delays") => self.link_delays(keyword, statement),
            (Status::Active, "garp_group") => self.garp_group(keyword, statement),
            (Status::Active, "vrrp_sync_group") => self.sync_group(keyword, statement),
            (Status::Active, _) if self.place_setting(keyword, statement) => {}
            (Status::Active, _) if self.pool_place(keyword, statement) => {}
            (_, _) => self.announce(table::top(), keyword, statement),
        }
    }

    /// Defaults and scripts that come after the instances that would use them.
    fn late_definitions(&mut self, statements: &[Statement]) {
        let is = |statement: &Statement, name: &str| {
            statement.keyword().is_some_and(|word| word.text == name)
        };
        let Some(first) = statements.iter().position(|statement| is(statement, "vrrp_instance"))
        else {
            return;
        };
        for late in statements.iter().skip(first).filter(|statement| is(statement, "global_defs")) {
            let instance_default = late.statements().iter().find(|inner| {
                inner.keyword().is_some_and(|word| {
                    table::lookup("global_defs", &word.text)
                        .is_some_and(|keyword| keyword.status == Status::Active)
                        && (word.text.starts_with("vrrp_") || word.text == "v3_checksum_as_v2")
                        && word.text != "vrrp_startup_delay"
                })
            });
            if let Some(word) = instance_default.and_then(Statement::keyword) {
                let message = format!("`{}` does not apply to the instances above it", word.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::DefinedTooLate, word, message)
                        .hint("move global_defs to the start of the file"),
                );
            }
        }
    }

    fn finish(mut self) -> Lowered {
        self.lower_groups();
        self.lower_pool();
        self.lower_paces();
        self.lower_statics();
        self.lower_scripts();
        self.lower_files();
        self.lower_processes();
        self.lower_fifos();
        self.lower_mail();
        self.lower_process();
        self.announcements();
        self.model.failover.startup_delay = self.defaults.startup_delay;
        self.model.notify = self.notify;
        Lowered {
            model: self.model,
            origins: self.origins,
            commands: self.commands,
            users: self.users,
            left_out: self.left_out,
        }
    }
}
