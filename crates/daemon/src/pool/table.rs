//! The kernel's table on its way to what the brain wants: changes wait in their order and are made in batches.

use std::{collections::VecDeque, time::Duration};

use standfast_balance::Input;
use standfast_kernel::{Error, clock};
use standfast_types::{Instant, ServiceChange, ServiceTable};

use super::plane::Plane;

/// So many changes are made in one go; then it is the checks' turn again.
const BATCH: usize = 512;
/// How often the kernel's table is compared with what it should be.
const VERIFY: Duration = Duration::from_millis(800);
/// Reading the whole table may take this part of the time at most.
const READING: u32 = 10;

/// What is to be changed.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) plane: Box<dyn Plane + Send>,
    changes: VecDeque<ServiceChange>,
    /// Since the queue was empty: the first thing that the kernel refused, and why.
    refused: Option<String>,
    /// It is to be read also when nobody has disturbed it, but not before [`Self::next`].
    verify: bool,
    next: Instant,
}

impl Table {
    pub(super) fn new(plane: Box<dyn Plane + Send>) -> Self {
        let (changes, refused) = (VecDeque::new(), None);
        Self { plane, changes, refused, verify: false, next: Instant::ZERO }
    }

    /// Adds a change to the queue.
    pub(super) fn push(&mut self, change: ServiceChange) {
        self.changes.push_back(change);
    }

    /// Asks for the table to be read.
    pub(super) const fn verify(&mut self) {
        self.verify = true;
    }

    /// Whether the kernel has been given all changes.
    pub(super) fn is_settled(&self) -> bool {
        self.changes.is_empty()
    }

    /// What was refused since this was asked last.
    pub(super) const fn take_refusal(&mut self) -> Option<String> {
        self.refused.take()
    }

    pub(super) fn next_deadline(&self) -> Instant {
        if self.changes.is_empty() { self.next } else { Instant::ZERO }
    }

    /// Makes the next changes. What the brain must know of it.
    pub(super) fn work(&mut self) -> Vec<Input> {
        let count = self.changes.len().min(BATCH);
        if count == 0 {
            return Vec::new();
        }
        let batch: Vec<_> = self.changes.drain(..count).collect();
        let answers = self.plane.apply(&batch);
        let mut refusals = Vec::new();
        for (change, answer) in batch.into_iter().zip(answers) {
            if let Err(error) = answer {
                let reason = words(&error);
                self.refused.get_or_insert_with(|| reason.clone());
                refusals.push(Input::Refused(change, reason));
            }
        }
        refusals
    }

    /// Reads the table when that is due, and somebody may have changed it.
    pub(super) fn read(&mut self) -> Option<Result<ServiceTable, Error>> {
        let began = clock::now();
        if !self.changes.is_empty() || began < self.next {
            return None;
        }
        let verify = std::mem::take(&mut self.verify);
        let table = match self.plane.is_disturbed() {
            Ok(disturbed) if disturbed || verify => Some(self.plane.read()),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        let now = clock::now();
        self.next = began + VERIFY.max(now.saturating_since(began) * READING);
        table
    }
}

/// The kernel's own words, without what was tried.
fn words(error: &Error) -> String {
    let text = error.source.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    match &error.detail {
        Some(detail) => format!("{plain} ({detail})"),
        None => plain,
    }
}
