//! What is said of virtual and real servers: to the log, to FIFOs, by commands, mails and dumps.

use std::time::Duration;

use standfast_balance::{Event, ServiceSnapshot};
use standfast_kernel::clock;

use super::Supervisor;
use crate::{
    describe::pool::describe,
    dump::{self, Names},
    place,
    pool::ToPool,
};

/// The question that a signal asks; operators' begin with 1.
pub(super) const DUMP: u64 = 0;

impl Supervisor {
    /// Tells everybody who is to know.
    pub(super) fn speak(&mut self, event: &Event) {
        let (level, words) = describe(event);
        self.log.line(level, &words);
        if let Some(told) = self.notifications.handle_pool_event(clock::now(), event) {
            self.tell(&told.news);
            if told.mail {
                self.post(&told.news, &words);
            }
            self.report_dropped(told.dropped);
        }
        if !self.configuration.model.pool.no_check_mails
            && let Some(news) = self.notifications.of_check(event)
        {
            self.post(&news, &words);
        }
    }

    /// Has the pool say how everything is.
    pub(super) fn ask_for_servers(&mut self) {
        self.tell_pool(&ToPool::Report { id: DUMP });
    }

    /// `keepalived_check.data`
    pub(super) fn write_servers(
        &mut self,
        services: &[ServiceSnapshot],
        probes: usize,
        late: Duration,
    ) {
        let model = &self.configuration.model;
        let text = dump::servers(&model.pool, services, probes, late);
        let dumps = &model.global.dumps;
        let place = &model.global.place;
        let suffix = if dumps.use_instance { place::suffix(place, '.') } else { String::new() };
        let path = Names { pattern: dumps.state.clone(), suffix }.path("_check", "data");
        match dump::write(&path, &text) {
            Ok(()) => self.log.info(&format!("written to {}", path.display())),
            Err(error) => self.log.error(&format!("nothing in {}: {error}", path.display())),
        }
    }
}
