//! Scripts and weights: from results to a priority.

use std::collections::BTreeMap;

use standfast_types::{FileName, ScriptName};

use crate::{
    Fault, ScriptConfig, Trackers, Weight, bfd::Sessions, process::Processes, world::World,
};

/// What is known of everything that can be followed.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) world: &'a World,
    pub(crate) scripts: &'a BTreeMap<ScriptName, ScriptState>,
    pub(crate) files: &'a BTreeMap<FileName, i64>,
    pub(crate) processes: &'a Processes,
    pub(crate) bfd: &'a Sessions,
}

impl Trackers {
    /// What each tracker adds to the priority, or why it leads to FAULT.
    pub(crate) fn effects<'a>(
        &'a self,
        facts: Facts<'a>,
    ) -> impl Iterator<Item = Result<i32, Fault>> + 'a {
        let interfaces = self.interfaces.iter().map(move |track| {
            let effect = track.weight.effect(Some(facts.world.is_running(&track.interface)));
            effect.or(&track.interface, Fault::TrackedInterface, Fault::TrackedInterface)
        });
        let scripts = self.scripts.iter().map(move |track| {
            let up = facts.scripts.get(&track.script).and_then(ScriptState::up);
            track.weight.effect(up).or(&track.script, Fault::Script, Fault::ScriptPending)
        });
        let files = self.files.iter().map(move |track| {
            let number = facts.files.get(&track.file).copied().unwrap_or(0);
            track.weight.effect_of_number(number).or(&track.file, Fault::File, Fault::File)
        });
        let processes = self.processes.iter().map(move |track| {
            let effect = track.weight.effect(facts.processes.up(&track.process));
            effect.or(&track.process, Fault::Process, Fault::ProcessPending)
        });
        let sessions = self.sessions.iter().map(move |track| {
            let effect = track.weight.effect(facts.bfd.up(&track.session));
            effect.or(&track.session, Fault::Bfd, Fault::BfdPending)
        });
        interfaces.chain(scripts).chain(files).chain(processes).chain(sessions)
    }
}

/// The state of one `vrrp_script`.
#[derive(Clone, Debug)]
pub(crate) struct ScriptState {
    config: ScriptConfig,
    up: Option<bool>,
    /// Results in a row that contradict `up`.
    contradictions: u32,
}

impl ScriptState {
    pub(crate) fn new(config: ScriptConfig) -> Self {
        let up = if config.init_fail { Some(false) } else { None };
        Self { config, up, contradictions: 0 }
    }

    /// `None` until the first result.
    pub(crate) const fn up(&self) -> Option<bool> {
        self.up
    }

    /// Takes a result; the new state when it changed. The first result decides alone; later `fall`
    /// failures in a row fail it, `rise` successes in a row recover it.
    pub(crate) fn handle_result(&mut self, success: bool) -> Option<bool> {
        if self.up == Some(success) {
            self.contradictions = 0;
            return None;
        }
        self.contradictions = self.contradictions.saturating_add(1);
        let needed = match self.up {
            None => 1,
            Some(true) => self.config.fall,
            Some(false) => self.config.rise,
        };
        if self.contradictions < needed {
            return None;
        }
        self.contradictions = 0;
        self.up = Some(success);
        self.up
    }

    /// Keeps the state over a reload, with new limits.
    pub(crate) fn reconfigure(&mut self, config: ScriptConfig) {
        self.config = config;
    }
}

/// Below this the product of a file's number and its weight means FAULT.
const LOWEST: i64 = -253;
/// More than this a file's number adds to no priority.
const HIGHEST: i64 = 253;

/// What a tracked object does to its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Adds this to the priority.
    Weight(i32),
    /// FAULT.
    Fault,
    /// Not known yet, and FAULT until it is.
    Pending,
}

impl Effect {
    /// What it adds; else the fault of the object of this name.
    fn or<N: Clone>(
        self,
        name: &N,
        failed: impl FnOnce(N) -> Fault,
        pending: impl FnOnce(N) -> Fault,
    ) -> Result<i32, Fault> {
        match self {
            Self::Weight(weight) => Ok(weight),
            Self::Fault => Err(failed(name.clone())),
            Self::Pending => Err(pending(name.clone())),
        }
    }
}

impl Weight {
    /// The effect of a file with this number.
    pub(crate) fn effect_of_number(self, number: i64) -> Effect {
        if self.value == 0 {
            return self.effect(Some(number == 0));
        }
        let factor = if self.reverse { -i64::from(self.value) } else { i64::from(self.value) };
        let product = number.saturating_mul(factor).min(HIGHEST);
        match i32::try_from(product) {
            Ok(weight) if product >= LOWEST => Effect::Weight(weight),
            Ok(_) | Err(_) => Effect::Fault,
        }
    }

    /// The effect of an object in this state (`None`: not known yet).
    pub(crate) fn effect(self, up: Option<bool>) -> Effect {
        let up = up.map(|up| up != self.reverse);
        match (self.value, up) {
            (0, None) => Effect::Pending,
            (0, Some(false)) => Effect::Fault,
            (value, Some(true)) if value > 0 => Effect::Weight(value.into()),
            (value, Some(false)) if value < 0 => Effect::Weight(value.into()),
            _ => Effect::Weight(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(rise: u32, fall: u32, init_fail: bool) -> ScriptState {
        ScriptState::new(ScriptConfig { name: "check".into(), rise, fall, init_fail })
    }

    #[test]
    fn a_file_s_number_counts_times_its_weight_within_bounds() {
        let effect = |value, reverse, number| Weight { value, reverse }.effect_of_number(number);
        let table = [
            (effect(1, false, -20), Effect::Weight(-20)),
            (effect(1, true, -20), Effect::Weight(20)),
            (effect(-2, false, 10), Effect::Weight(-20)),
            (effect(1, false, -253), Effect::Weight(-253)),
            (effect(1, false, -254), Effect::Fault),
            (effect(254, false, -1), Effect::Fault),
            (effect(254, false, 1), Effect::Weight(253)),
            (effect(254, false, i64::MIN), Effect::Fault),
            (effect(-254, false, i64::MIN), Effect::Weight(253)),
            (effect(0, false, 0), Effect::Weight(0)),
            (effect(0, false, 7), Effect::Fault),
            (effect(0, true, 0), Effect::Fault),
            (effect(0, true, -1), Effect::Weight(0)),
        ];
        for (at, (found, expected)) in table.into_iter().enumerate() {
            assert_eq!(found, expected, "{at}");
        }
    }

    #[test]
    fn the_first_result_decides_whatever_rise_and_fall_say() {
        assert_eq!(script(3, 3, false).handle_result(true), Some(true));
        assert_eq!(script(3, 3, false).handle_result(false), Some(false));
    }

    #[test]
    fn later_only_results_in_a_row_count() {
        let mut script = script(2, 3, false);
        script.handle_result(true);
        for success in [false, false, true, false, false] {
            assert_eq!(script.handle_result(success), None);
        }
        assert_eq!(script.handle_result(false), Some(false));
        assert_eq!(script.handle_result(true), None);
        assert_eq!(script.handle_result(true), Some(true));
    }

    #[test]
    fn init_fail_starts_as_failed_until_it_rises() {
        let mut script = script(2, 1, true);
        assert_eq!(script.up(), Some(false));
        assert_eq!(script.handle_result(true), None);
        assert_eq!(script.handle_result(true), Some(true));
    }

    #[test]
    fn positive_weights_count_while_up_negative_while_down_and_reverse_swaps() {
        let weight = |value, reverse| Weight { value, reverse };
        let table = [
            (weight(10, false), Effect::Weight(10), Effect::Weight(0)),
            (weight(-10, false), Effect::Weight(0), Effect::Weight(-10)),
            (weight(10, true), Effect::Weight(0), Effect::Weight(10)),
            (weight(-10, true), Effect::Weight(-10), Effect::Weight(0)),
            (weight(0, false), Effect::Weight(0), Effect::Fault),
            (weight(0, true), Effect::Fault, Effect::Weight(0)),
        ];
        for (weight, up, down) in table {
            assert_eq!(weight.effect(Some(true)), up, "{weight:?} up");
            assert_eq!(weight.effect(Some(false)), down, "{weight:?} down");
        }
        assert_eq!(weight(0, false).effect(None), Effect::Pending);
        assert_eq!(weight(10, false).effect(None), Effect::Weight(0));
    }
}
