pub(super) fn lint(_: &[crate::Statement], _: &crate::Model, _: &mut Vec<crate::Diagnostic>) {}
