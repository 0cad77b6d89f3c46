//! The steps from each version to the one after it.

use super::{Carried, Dropped, MigrationReport, Warning};
use crate::json::{FieldError, Json, Object};

/// The released versions of a document and the steps between them.
#[derive(Clone, Copy, Debug)]
pub struct Upgrades {
    first: u32,
    current: u32,
    steps: &'static [Upgrade],
}

/// One step: from version `from` to the one after it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by every document")]
pub struct Upgrade {
    /// The version it takes.
    pub from: u32,
    /// What it does. It looks at nothing but the object, so that the same bytes always become the
    /// same value. The version in the object is set for it.
    ///
    /// What the newer version has no place for is handed to [`Notes::dropped`], never just
    /// removed. A value that does not fit is refused with its place.
    pub apply: fn(&mut Object, &mut Notes) -> Result<(), FieldError>,
}

impl Upgrades {
    /// The versions from `first` to `current`, with one step from each to the next.
    ///
    /// A step that is missing, twice or out of order does not compile, where this is a constant:
    ///
    /// ```compile_fail,E0080
    /// use ralph_state::document::{Upgrade, Upgrades};
    ///
    /// const UPGRADES: Upgrades = Upgrades::new(1, 4, &[
    ///     Upgrade { from: 1, apply: |_, _| Ok(()) },
    ///     Upgrade { from: 3, apply: |_, _| Ok(()) },
    /// ]);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is not exactly one step from each version to the next, in order.
    pub const fn new(first: u32, current: u32, steps: &'static [Upgrade]) -> Self {
        assert!(first <= current, "the current version is older than the first one");
        let mut at = 0;
        let mut version = first;
        while at < steps.len() {
            assert!(steps[at].from == version, "the steps do not follow each other");
            at += 1;
            version += 1;
        }
        assert!(version == current, "the last step does not lead to the current version");
        Self { first, current, steps }
    }

    /// The oldest version that was ever released.
    pub const fn first(&self) -> u32 {
        self.first
    }

    /// The version that is written.
    pub const fn current(&self) -> u32 {
        self.current
    }

    /// The steps that a document of `version` has before it.
    pub fn from(&self, version: u32) -> impl Iterator<Item = &'static Upgrade> {
        self.steps.iter().filter(move |step| step.from >= version)
    }
}

/// What the steps have to tell, on their way into the [`MigrationReport`].
#[derive(Debug, Default)]
pub struct Notes {
    carried: Vec<Carried>,
    dropped: Vec<Dropped>,
    warnings: Vec<Warning>,
}

impl Notes {
    /// The value at `from` is now at `to`.
    pub fn carried(&mut self, from: impl Into<String>, to: impl Into<String>) {
        self.carried.push(Carried { from: from.into(), to: to.into() });
    }

    /// The value at `path` has no place in the newer version.
    pub fn dropped(&mut self, path: impl Into<String>, value: Json) {
        self.dropped.push(Dropped { path: path.into(), value });
    }

    /// Something at `path` is odd and can be lived with.
    pub fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning::new(path, message));
    }

    pub(super) fn warnings(&mut self, warnings: impl IntoIterator<Item = Warning>) {
        self.warnings.extend(warnings);
    }

    pub(super) fn into_report(self, from: u32, to: u32) -> MigrationReport {
        let Self { carried, dropped, warnings } = self;
        MigrationReport { from, to, carried, dropped, warnings }
    }
}
