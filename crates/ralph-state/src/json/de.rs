//! [`Json`] to typed values.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::Node;
use super::ser::FOREIGN_NUMBER;
use super::{Json, Number, Object, Path, Segment, as_f64, parse, to_text};

/// A value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct FieldError {
    /// Where.
    pub path: Path,
    /// Why.
    pub reason: String,
}

/// The typed value that `value` stands for.
///
/// A number that neither 64 bits nor a float hold to the letter reaches a [`Json`] inside of `T`
/// as it is spelled, also behind `#[serde(flatten)]`. If `T` keeps what it does not know in
/// another type (`serde_json::Value`, say), such a number is rounded there.
pub fn from_json<T: DeserializeOwned>(value: &Json) -> Result<T, FieldError> {
    from_node(&Node::view(value))
}

pub(crate) fn from_node<T: DeserializeOwned>(value: &Node<'_>) -> Result<T, FieldError> {
    T::deserialize(Typed { value, rounding: Rounding::Never }).or_else(|error| {
        T::deserialize(Typed { value, rounding: Rounding::Float }).map_err(|_| error)
    })
}

/// What a visitor that takes anything is given for a number that no Rust number equals.
#[derive(Clone, Copy)]
enum Rounding {
    /// Its text as bytes, which nothing else is given as but an object that looks like a number.
    Never,
    Float,
}

#[derive(Clone, Copy)]
struct Typed<'de> {
    value: &'de Node<'de>,
    rounding: Rounding,
}

impl<'de> Typed<'de> {
    fn at(self, value: &'de Node<'de>) -> Self {
        Self { value, ..self }
    }

    fn number<V: Visitor<'de>>(
        self,
        literal: &'de str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        if let Ok(value) = literal.parse::<u64>() {
            return visitor.visit_u64(value);
        }
        if let Ok(value) = literal.parse::<i64>()
            && literal != "-0"
        {
            return visitor.visit_i64(value);
        }
        let float = as_f64(literal);
        match self.rounding {
            Rounding::Never
                if Number::from_f64(float).is_none_or(|number| number.as_str() != literal) =>
            {
                visitor.visit_borrowed_bytes(literal.as_bytes())
            }
            _ => visitor.visit_f64(float),
        }
    }

    fn members<V: Visitor<'de>>(
        self,
        object: &'de [(Cow<'de, str>, Node<'de>)],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_map(Members { typed: self, rest: object.iter(), next: None })
    }
}

impl<'de> Deserializer<'de> for Typed<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Number(literal) => self.number(literal, visitor),
            Node::String(text) => visitor.visit_borrowed_str(text),
            Node::Array(items) => {
                let mut elements = Elements { typed: self, rest: items.iter().enumerate() };
                let value = visitor.visit_seq(&mut elements)?;
                match elements.rest.len() {
                    0 => Ok(value),
                    _ => Err(FieldError::invalid_length(items.len(), &"fewer elements")),
                }
            }
            // To a visitor of ours this would be a number of `serde_json`.
            Node::Object(object)
                if object.iter().any(|(key, _)| key == FOREIGN_NUMBER)
                    && matches!(self.rounding, Rounding::Never) =>
            {
                visitor.visit_bytes(to_text(&self.value.clone().into_json()).as_bytes())
            }
            Node::Object(object) => self.members(object, visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Number(literal) => visitor.visit_f64(as_f64(literal)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        match self.value {
            Node::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Node::Object(object) if object.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Members {
                    typed: self,
                    rest: object.iter(),
                    next: None,
                }))
            }
            _ => Err(FieldError::invalid_type(
                Unexpected::Other(self.value.kind()),
                &"a string or an object with one member",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier
    }
}

struct Elements<'de> {
    typed: Typed<'de>,
    rest: std::iter::Enumerate<std::slice::Iter<'de, Node<'de>>>,
}

impl<'de> SeqAccess<'de> for &mut Elements<'de> {
    type Error = FieldError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FieldError> {
        let Some((index, value)) = self.rest.next() else { return Ok(None) };
        let element = seed.deserialize(self.typed.at(value));
        element.map(Some).map_err(|error| error.inside(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Members<'de> {
    typed: Typed<'de>,
    rest: std::slice::Iter<'de, (Cow<'de, str>, Node<'de>)>,
    next: Option<&'de (Cow<'de, str>, Node<'de>)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FieldError> {
        self.next = self.rest.next();
        match self.next {
            Some((key, _)) => seed.deserialize(Key { text: key }).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, FieldError> {
        let (key, value) = self.next.take().expect("a value is asked for after its key");
        let value = seed.deserialize(self.typed.at(value));
        value.map_err(|error| error.inside(Segment::Key(key.clone().into_owned())))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The key of a member: a string that also stands for the number it spells.
struct Key<'de> {
    text: &'de str,
}

macro_rules! spelled_keys {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            match self.text.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.text),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_borrowed_str(self.text)
    }

    spelled_keys! {
        deserialize_bool visit_bool
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32
        deserialize_i64 visit_i64 deserialize_i128 visit_i128
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64 deserialize_u128 visit_u128
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_enum(StrDeserializer::new(self.text))
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl FieldError {
    /// The value at `path` does not fit, for this reason.
    pub fn new(path: Path, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into() }
    }

    /// The same seen from outside of the value at `path`.
    #[must_use]
    pub fn within(self, path: &Path) -> Self {
        let outside = path.segments().iter().rev().cloned();
        outside.fold(self, Self::inside)
    }

    fn inside(self, segment: Segment) -> Self {
        Self { path: self.path.inside(segment), ..self }
    }
}

impl serde::de::Error for FieldError {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { path: Path::new(), reason: reason.to_string() }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyObject)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        Json::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(Number(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(Number(value.to_string())))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Json, E> {
        Ok(Json::Number(Number(value.to_string())))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Json, E> {
        Ok(Json::Number(Number(value.to_string())))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Json::Number(number)),
            None => Err(E::invalid_value(Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    /// The text of a value: see [`Rounding::Never`].
    fn visit_bytes<E: serde::de::Error>(self, text: &[u8]) -> Result<Json, E> {
        let value = str::from_utf8(text).ok().and_then(|text| match Number::new(text) {
            Some(number) => Some(Json::Number(number)),
            None => parse(text).ok().flatten(),
        });
        value.ok_or_else(|| E::invalid_type(Unexpected::Bytes(text), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Json, A::Error> {
        let object = AnyObject.visit_map(map)?;
        // What `serde_json` gives for a number under its feature `arbitrary_precision`.
        let number = object.get(FOREIGN_NUMBER).filter(|_| object.len() == 1);
        match number.and_then(Json::as_str).and_then(Number::new) {
            Some(number) => Ok(Json::Number(number)),
            None => Ok(Json::Object(object)),
        }
    }
}

struct AnyObject;

impl<'de> Visitor<'de> for AnyObject {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Object::from_unique(members)
            .map_err(|key| A::Error::custom(format_args!("the key `{key}` stands twice")))
    }
}
