//! Why a lab cannot be had, or not be used so.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};

use standfast_kernel::{Error, namespace};

/// A failure of the lab itself, not of what runs in it. The text reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// This machine does not let this user make namespaces.
    #[error("{source}{}", wanted(*.needs))]
    NotPermitted {
        /// What the administrator must change, when it is known.
        needs: Option<&'static str>,
        /// What was tried.
        source: Error,
    },
    /// The topology has no such node, interface or switch.
    #[error("find {0} in the topology")]
    Unknown(String),
    /// A file inside a node.
    #[error("use {}: {source}", .path.display())]
    File {
        /// Its path in the node.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Anything else that the kernel did not do.
    #[error(transparent)]
    Kernel(Error),
}

impl From<Error> for LabError {
    fn from(source: Error) -> Self {
        // A limit of 0 namespaces reads as "no space left".
        let denied = [ErrorKind::PermissionDenied, ErrorKind::StorageFull];
        if denied.contains(&source.source.kind()) {
            return Self::NotPermitted { needs: namespace::hindrance(), source };
        }
        Self::Kernel(source)
    }
}

fn wanted(needs: Option<&str>) -> String {
    needs.map(|needs| format!("; the lab needs {needs}")).unwrap_or_default()
}
