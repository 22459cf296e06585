pub(super) fn lint(_: &crate::Model, _: &crate::Origins, _: &mut Vec<crate::Diagnostic>) {}
