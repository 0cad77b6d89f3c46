//! What a kind of file is called and which versions of it there are.

use super::{DecodeError, Document};
use crate::json::Json;

/// A kind of file and its versions: of a [`Document`], or of a file that is edited in place and
/// no `Document` for that reason.
///
/// ```
/// use ralph_state::document::Format;
/// use ralph_state::json::Json;
///
/// const SHOPPING: Format =
///     Format { kind: "shopping list", version_key: "version", first: 1, current: 2 };
///
/// assert_eq!(SHOPPING.version(Some(&Json::from(1_u64))), Ok(1));
/// let newer = SHOPPING.version(Some(&Json::from(3_u64))).unwrap_err();
/// assert_eq!(newer.to_string(), "the file has version 3, but this program knows versions up to 2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by every kind of file")]
pub struct Format {
    /// What the file is, for messages: `parallel state`.
    pub kind: &'static str,
    /// The key at the top that holds the version.
    pub version_key: &'static str,
    /// The oldest version that was ever released.
    pub first: u32,
    /// The version that is written.
    pub current: u32,
}

/// Written by a newer program: such a file is never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file has version {found}, but this program knows versions up to {supported}")]
#[expect(clippy::exhaustive_structs, reason = "two versions, for ever")]
pub struct Newer {
    /// The version of the file.
    pub found: u64,
    /// The newest version that this program reads and writes.
    pub supported: u32,
}

impl Format {
    /// What `D` declares.
    pub const fn of<D: Document>() -> Self {
        let (first, current) = (D::UPGRADES.first(), D::UPGRADES.current());
        Self { kind: D::KIND, version_key: D::VERSION_KEY, first, current }
    }

    /// The version of a file that has `found` at [`Self::version_key`].
    pub fn version(&self, found: Option<&Json>) -> Result<u32, DecodeError> {
        let Self { version_key: key, first, current, .. } = *self;
        let Some(value) = found else { return Err(DecodeError::NoVersion { key }) };
        match value.as_u64() {
            Some(found) if found > u64::from(current) => {
                Err(DecodeError::Newer(Newer { found, supported: current }))
            }
            Some(found) if found >= u64::from(first) => {
                Ok(u32::try_from(found).expect("it is not above the current version"))
            }
            _ => {
                let found = match value {
                    Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
                    other => other.kind().to_owned(),
                };
                Err(DecodeError::BadVersion { key, found, first, current })
            }
        }
    }
}
