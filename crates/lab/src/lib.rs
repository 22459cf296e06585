//! Clusters of real processes in network namespaces: demo, tests, benchmarks

/// The hidden argument of the lab's helper processes.
pub const HELPER_ARGUMENT: &str = "--lab";

/// Runs a helper process.
pub fn help(_: impl Iterator<Item = std::ffi::OsString>) -> anyhow::Result<u8> {
    Ok(1)
}
/// Runs the lab.
pub fn main(_: Option<&std::path::Path>, _: bool) -> anyhow::Result<u8> {
    Ok(1)
}
