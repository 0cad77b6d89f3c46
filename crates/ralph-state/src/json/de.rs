//! [`Json`] to typed values.
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use super::{Json, Object};

/// A value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FieldError {
    /// Where, as in `workers[2].push_attempts`; empty for the whole.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Reads a typed value.
pub fn from_json<T: DeserializeOwned>(_value: &Json) -> Result<T, FieldError> {
    todo!()
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("later"))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("later"))
    }
}
