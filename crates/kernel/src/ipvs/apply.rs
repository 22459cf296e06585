//! Changes of the table, a hundred a system call.

use standfast_types::{
    Closing, Destination, DestinationKey, Scheduling, ServiceChange, ServiceKey,
};

use super::{Ipvs, destination, service};
use crate::{error::Error, netlink::message::Message};

const NEW_SERVICE: u8 = 1;
const SET_SERVICE: u8 = 2;
const DELETE_SERVICE: u8 = 3;
const NEW_DESTINATION: u8 = 5;
const SET_DESTINATION: u8 = 6;
const DELETE_DESTINATION: u8 = 7;

impl Ipvs {
    /// Makes changes in their order; one answer each. Adding what somebody else has added in the
    /// meantime sets its values, and removing what somebody else has removed is no failure.
    pub fn apply(&mut self, changes: &[ServiceChange]) -> Vec<Result<(), Error>> {
        let mut answers = Vec::with_capacity(changes.len());
        let (mut messages, mut senders) = (Vec::new(), Vec::new());
        for (place, change) in changes.iter().enumerate() {
            let (message, answer) = self.prepare(change);
            answers.push(answer);
            if let Some(message) = message {
                messages.push(message.asking());
                senders.push((place, change));
            }
        }
        self.changes = self.changes.saturating_add(u64::try_from(messages.len()).unwrap_or(0));
        let told = self.generic.netlink.request_all("change IPVS", messages);
        for ((place, change), told) in senders.into_iter().zip(told) {
            if let (Err(error), Some(answer)) =
                (self.conclude(change, told), answers.get_mut(place))
            {
                *answer = Err(error);
            }
        }
        answers
    }

    /// What the kernel is to be told, if anything, and whether its settings allow it.
    fn prepare(&mut self, change: &ServiceChange) -> (Option<Message>, Result<(), Error>) {
        let message = match change {
            ServiceChange::AddService(key, scheduling) => {
                self.known.insert(*key, scheduling.clone());
                let answer = self.closings.require(scheduling.closing);
                return (Some(self.service(NEW_SERVICE, key, scheduling)), answer);
            }
            ServiceChange::EditService(key, scheduling) => {
                let answer = self.closings.require(scheduling.closing);
                let before = self.known.insert(*key, scheduling.clone());
                let alike = before.is_some_and(|before| {
                    Scheduling { closing: scheduling.closing, ..before } == *scheduling
                });
                let message = (!alike).then(|| self.service(SET_SERVICE, key, scheduling));
                return (message, answer);
            }
            ServiceChange::RemoveService(key) => {
                self.generic.message(DELETE_SERVICE, 0).append(service::key(key))
            }
            ServiceChange::AddDestination(of, key, value) => {
                self.lingering.remove(&(*of, *key));
                self.destination(NEW_DESTINATION, of, key, value)
            }
            ServiceChange::EditDestination(of, key, value) => {
                self.destination(SET_DESTINATION, of, key, value)
            }
            ServiceChange::RemoveDestination(of, key) => match self.kept(of, key) {
                Some(value) => {
                    self.lingering.insert((*of, *key));
                    self.destination(SET_DESTINATION, of, key, &value)
                }
                None => self.without(of, key),
            },
        };
        (Some(message), Ok(()))
    }

    /// Judges the kernel's answer.
    fn conclude(&mut self, change: &ServiceChange, told: Result<(), Error>) -> Result<(), Error> {
        let Err(error) = told else {
            if let ServiceChange::RemoveService(key) = change {
                self.known.remove(key);
                self.lingering.retain(|(of, _)| of != key);
            }
            return Ok(());
        };
        let gone = matches!(error.source.raw_os_error(), Some(libc::ESRCH | libc::ENOENT));
        match change {
            ServiceChange::AddService(key, scheduling) if error.is_taken() => {
                let message = self.service(SET_SERVICE, key, scheduling);
                self.change("change a virtual service", message)
                    .inspect_err(|_| drop(self.known.remove(key)))
            }
            ServiceChange::AddDestination(of, key, value) if error.is_taken() => {
                let message = self.destination(SET_DESTINATION, of, key, value);
                self.change("change a real server", message)
            }
            ServiceChange::RemoveService(key) if gone => {
                self.known.remove(key);
                Ok(())
            }
            ServiceChange::RemoveDestination(..) if gone => Ok(()),
            ServiceChange::AddService(key, scheduling)
            | ServiceChange::EditService(key, scheduling) => {
                self.known.remove(key);
                Err(explained(operation(change), scheduling, error))
            }
            ServiceChange::AddDestination(..)
                if error.source.raw_os_error() == Some(libc::EINVAL) =>
            {
                let detail = "its address is none of a single host, or the interface lo is down";
                Err(Error { operation: operation(change), detail: Some(detail.into()), ..error })
            }
            ServiceChange::RemoveService(_)
            | ServiceChange::AddDestination(..)
            | ServiceChange::EditDestination(..)
            | ServiceChange::RemoveDestination(..) => {
                Err(Error { operation: operation(change), ..error })
            }
        }
    }

    /// How a destination that is to be removed stays instead, to keep its connections.
    fn kept(&mut self, of: &ServiceKey, key: &DestinationKey) -> Option<Destination> {
        if self.known.get(of)?.closing != Closing::Keep {
            return None;
        }
        let entries = self.destinations(of).ok()?;
        let (_, value, usage) = entries.into_iter().find(|(found, _, _)| found == key)?;
        let busy = usage.active_connections != 0 || usage.inactive_connections != 0;
        busy.then_some(Destination { weight: 0, ..value })
    }

    /// Removes destinations that stayed for connections that have ended by now. What fails is tried
    /// again after the next reading.
    pub(super) fn remove_ended(&mut self, ended: Vec<(ServiceKey, DestinationKey)>) {
        for (of, key) in ended {
            let message = self.without(&of, &key);
            if self.change("remove a real server", message).is_ok() {
                self.lingering.remove(&(of, key));
            }
        }
    }

    fn service(&self, command: u8, key: &ServiceKey, scheduling: &Scheduling) -> Message {
        self.generic.message(command, 0).append(service::service(key, scheduling))
    }

    fn destination(
        &self,
        command: u8,
        of: &ServiceKey,
        key: &DestinationKey,
        value: &Destination,
    ) -> Message {
        let message = self.generic.message(command, 0).append(service::key(of));
        message.append(destination::destination(key, value))
    }

    fn without(&self, of: &ServiceKey, key: &DestinationKey) -> Message {
        let message = self.generic.message(DELETE_DESTINATION, 0).append(service::key(of));
        message.append(destination::key(key))
    }
}

const fn operation(change: &ServiceChange) -> &'static str {
    match change {
        ServiceChange::AddService(..) => "add a virtual service",
        ServiceChange::EditService(..) => "change a virtual service",
        ServiceChange::RemoveService(_) => "remove a virtual service",
        ServiceChange::AddDestination(..) => "add a real server",
        ServiceChange::EditDestination(..) => "change a real server",
        ServiceChange::RemoveDestination(..) => "remove a real server",
    }
}

/// The kernel's "no such file" is a module that it could not load.
fn explained(operation: &'static str, scheduling: &Scheduling, error: Error) -> Error {
    let missing = error.source.raw_os_error() == Some(libc::ENOENT);
    let engine = scheduling.persistence.as_ref().and_then(|found| found.engine.as_deref());
    let detail = match engine {
        Some(engine) => format!(
            "this kernel has no scheduler {} or no persistence engine {engine}",
            scheduling.scheduler
        ),
        None => format!("this kernel has no scheduler {}", scheduling.scheduler),
    };
    let detail = if missing { Some(detail.into()) } else { error.detail };
    Error { operation, detail, ..error }
}
