pub(super) fn lint(
    _: &[crate::Statement],
    _: bool,
    _: &dyn crate::Files,
    _: &mut crate::Sources,
    _: &mut Vec<crate::Diagnostic>,
) {
}
