//! [`Json`] to text.
use super::Json;

/// Pretty.
pub fn to_text(_value: &Json) -> String {
    todo!()
}
