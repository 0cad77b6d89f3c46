//! Typed values to [`Json`].
use serde::ser::{Serialize, Serializer};

use super::{Json, Object};

/// A value that JSON cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EncodeError {
    /// Why.
    pub reason: String,
}

/// Writes a typed value.
pub fn to_json<T: Serialize + ?Sized>(_value: &T) -> Result<Json, EncodeError> {
    todo!()
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}
