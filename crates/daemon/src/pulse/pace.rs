//! How pulse runs among the other processes of the machine, and that it hurries when it comes late.

use std::time::Duration;

use standfast_conf::{AutoPriority, Running};
use standfast_kernel::process::{
    Realtime, set_name, set_processors, set_realtime, set_realtime_limit,
};

/// Its real-time priority, and how far that may rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    realtime: u8,
    auto: Option<AutoPriority>,
}

impl Pace {
    /// Takes what the file asks for. What was refused, in words.
    pub(crate) fn take(running: &Running, realtime: Option<u8>) -> (Self, Vec<String>) {
        let Running { name, cpus, realtime_limit, auto_priority, .. } = running;
        let name = name.as_ref().map(|name| set_name(name));
        let cpus = (!cpus.is_empty()).then(|| set_processors(cpus));
        let limit = realtime_limit.map(set_realtime_limit);
        let refused = [name, cpus, limit].into_iter().flatten().filter_map(Result::err);
        let refused = refused.map(|error| error.to_string()).collect();
        (Self { realtime: realtime.unwrap_or(0), auto: *auto_priority }, refused)
    }

    /// Whether it may still rise.
    pub(crate) fn is_automatic(&self) -> bool {
        self.auto.is_some_and(|auto| self.realtime < auto.max)
    }

    /// A timer fired this late. The priority that is to be had from now on, if that is another.
    fn late(&mut self, by: Duration) -> Option<u8> {
        let auto = self.auto?;
        if by < auto.after || self.realtime >= auto.max {
            return None;
        }
        self.realtime = self.realtime.saturating_add(1);
        Some(self.realtime)
    }

    /// As [`Self::late`], and does it. What to say of it.
    pub(crate) fn hurry(&mut self, by: Duration) -> Option<String> {
        let priority = self.late(by)?;
        let millis = by.as_millis();
        Some(match set_realtime(Realtime::RoundRobin, priority) {
            Ok(()) => format!("{millis} ms late: now with real-time priority {priority}"),
            Err(error) => {
                self.auto = None;
                format!("{millis} ms late, and no higher priority: {error}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_rises_by_one_each_time_it_is_late_up_to_its_limit() {
        let after = Duration::from_millis(100);
        let auto = Some(AutoPriority { max: 3, after });
        let mut pace = Pace { realtime: 1, auto };
        assert_eq!(pace.late(Duration::from_millis(99)), None);
        let risen: Vec<_> = (0..4).map(|_| pace.late(after)).collect();
        assert_eq!(risen, [Some(2), Some(3), None, None]);
        assert_eq!(Pace { realtime: 1, auto: None }.late(after), None);
    }
}
