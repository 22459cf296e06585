//! The arithmetic of weights, as far as one file shows it.

use standfast_failover::{InstanceConfig, Weight};
use standfast_types::Priority;

use crate::{Code, Diagnostic, Model, Origins, TrackerOrigin};

/// A tracker with a weight, by its name.
pub(super) struct Tracker<'a> {
    pub(super) name: &'a str,
    pub(super) weight: Weight,
}

/// The weighted trackers of an instance.
pub(super) fn trackers(instance: &InstanceConfig) -> Vec<Tracker<'_>> {
    let scripts = instance
        .trackers
        .scripts
        .iter()
        .map(|tracker| Tracker { name: tracker.script.as_str(), weight: tracker.weight });
    let interfaces = instance
        .trackers
        .interfaces
        .iter()
        .map(|tracker| Tracker { name: tracker.interface.as_str(), weight: tracker.weight });
    let sessions = instance
        .trackers
        .sessions
        .iter()
        .map(|tracker| Tracker { name: tracker.session.as_str(), weight: tracker.weight });
    scripts.chain(interfaces).chain(sessions).filter(|tracker| tracker.weight.value != 0).collect()
}

/// What a tracker adds to the priority.
pub(super) fn effect(weight: Weight, healthy: bool) -> i32 {
    let counts = if weight.value > 0 { healthy } else { !healthy };
    if counts != weight.reverse { i32::from(weight.value) } else { 0 }
}

/// What all trackers add while all are healthy.
pub(super) fn healthy_sum(instance: &InstanceConfig) -> i32 {
    trackers(instance).iter().map(|tracker| effect(tracker.weight, true)).sum()
}

/// The priority while all trackers are healthy, and while this one alone fails.
pub(super) fn priorities(instance: &InstanceConfig, tracker: &Tracker<'_>) -> (Priority, Priority) {
    let healthy = healthy_sum(instance);
    let failing = healthy - effect(tracker.weight, true) + effect(tracker.weight, false);
    let base = instance.router.priority;
    (base.weighted(healthy), base.weighted(failing))
}

/// Where a tracker's weight stands.
pub(super) fn origin(
    origins: &Origins,
    instance: &InstanceConfig,
    name: &str,
) -> Option<TrackerOrigin> {
    let origin = origins.instances.get(&instance.name)?;
    let script = origin.track_scripts.get(name);
    let interface = || origin.track_interfaces.get(name);
    script.or_else(interface).or_else(|| origin.track_bfd.get(name)).copied()
}

pub(super) fn lint(model: &Model, origins: &Origins, diagnostics: &mut Vec<Diagnostic>) {
    for instance in &model.failover.instances {
        for tracker in trackers(instance) {
            let Some(origin) = origin(origins, instance, tracker.name) else { continue };
            diagnostics.push(judge(instance, &tracker, origin));
        }
    }
}

fn judge(instance: &InstanceConfig, tracker: &Tracker<'_>, origin: TrackerOrigin) -> Diagnostic {
    let span = origin.weight.unwrap_or(origin.name);
    let (name, weight) = (tracker.name, tracker.weight.value);
    let owner = instance.router.priority.is_owner();
    let (healthy, failing) = priorities(instance, tracker);
    let numbers =
        format!("`{name}`: priority {healthy} while it is healthy, {failing} while it fails");
    let (low, high) = (u16::from(failing.get()) + 1, u16::from(healthy.get()).saturating_sub(1));
    let found = if owner {
        let message = format!("weight {weight} does nothing: priority 255 never changes");
        Diagnostic::warning(Code::WeightRange, span, message)
            .hint("write `priority` with a number below 255, or no weight to go to FAULT")
    } else if healthy <= failing {
        let message = format!("weight {weight} never lowers the priority; {numbers}");
        Diagnostic::warning(Code::WeightRange, span, message)
            .hint("write a negative weight, or none to go to FAULT")
    } else if low > high {
        Diagnostic::warning(Code::WeightRange, span, numbers)
            .label("no other priority lies between, so it moves nothing")
            .hint("write a larger weight, or none to go to FAULT")
    } else {
        let range = if low == high { low.to_string() } else { format!("{low} to {high}") };
        Diagnostic::note(Code::WeightRange, span, numbers)
            .label(format!("moves the address only to a node of priority {range}"))
    };
    if span == origin.name { found } else { found.also(origin.name, "tracked here") }
}
