//! Scripts and weights: from results to a priority.

use crate::{ScriptConfig, Weight};

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

impl Weight {
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
