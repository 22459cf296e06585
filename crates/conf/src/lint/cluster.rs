//! Lints over several nodes' files.
/// Lints.
pub fn cross_node(_: &[crate::Loaded]) -> Vec<(usize, crate::Diagnostic)> {
    Vec::new()
}
