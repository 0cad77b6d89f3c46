//! Versions 1 and 2 of the parallel state.
use crate::document::{Notes, Unversioned, Upgrade, Upgrades};
use crate::json::Object;

pub(super) const UPGRADES: Upgrades = Upgrades::new(
    1,
    super::PARALLEL_STATE_SCHEMA_VERSION,
    &[Upgrade { from: 1, apply: v1_to_v2 }, Upgrade { from: 2, apply: v2_to_v3 }],
);

pub(super) fn unversioned(_object: &Object) -> Option<Unversioned> {
    todo!()
}

fn v1_to_v2(_state: &mut Object, _notes: &mut Notes) -> Result<(), String> {
    todo!()
}

fn v2_to_v3(_state: &mut Object, _notes: &mut Notes) -> Result<(), String> {
    todo!()
}
