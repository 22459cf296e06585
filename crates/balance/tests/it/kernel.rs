//! A kernel's table, strict about what it is told.

use standfast_types::{Service, ServiceChange, ServiceTable};

/// Applies a change as a kernel does: what is there is not added, and what is not there is neither edited
/// nor removed.
pub(crate) fn apply(table: &mut ServiceTable, change: &ServiceChange) -> Result<(), &'static str> {
    match change {
        ServiceChange::AddService(key, scheduling) => {
            if table.contains_key(key) {
                return Err("File exists");
            }
            let service =
                Service { scheduling: scheduling.clone(), destinations: Default::default() };
            table.insert(*key, service);
        }
        ServiceChange::EditService(key, scheduling) => {
            table.get_mut(key).ok_or("No such process")?.scheduling = scheduling.clone();
        }
        ServiceChange::RemoveService(key) => {
            table.remove(key).ok_or("No such process")?;
        }
        ServiceChange::AddDestination(key, at, destination) => {
            let service = table.get_mut(key).ok_or("No such process")?;
            if service.destinations.contains_key(at) {
                return Err("File exists");
            }
            service.destinations.insert(*at, *destination);
        }
        ServiceChange::EditDestination(key, at, destination) => {
            let service = table.get_mut(key).ok_or("No such process")?;
            *service.destinations.get_mut(at).ok_or("No such file or directory")? = *destination;
        }
        ServiceChange::RemoveDestination(key, at) => {
            let service = table.get_mut(key).ok_or("No such process")?;
            service.destinations.remove(at).ok_or("No such file or directory")?;
        }
    }
    Ok(())
}
