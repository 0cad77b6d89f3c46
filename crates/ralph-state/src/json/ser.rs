//! Typed values to [`Json`].

use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Json, Number, Object, parse};

/// A value that JSON cannot hold: a float that is no number, a key that is no text, a key twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct EncodeError {
    /// Why.
    pub reason: String,
}

/// The JSON value that stands for `value`.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Json, EncodeError> {
    value.serialize(Untyped::VALUE)
}

impl serde::ser::Error for EncodeError {
    fn custom<T: Display>(reason: T) -> Self {
        Self { reason: reason.to_string() }
    }
}

fn error(reason: impl Display) -> EncodeError {
    serde::ser::Error::custom(reason)
}

fn number(value: impl Display) -> Json {
    Json::Number(Number(value.to_string()))
}

fn variant(name: &str, value: Json) -> Json {
    Json::Object(Object(vec![(name.to_owned(), value)]))
}

/// The name under which a number hands over its spelling. Other serializers pass over the name
/// of a newtype and are given a float.
const SPELLED: &str = "$ralph_state::spelled";

#[derive(Clone, Copy)]
struct Untyped {
    /// Inside of [`SPELLED`]. Told to the number as not being for human readers.
    spelled: bool,
}

impl Untyped {
    const VALUE: Self = Self { spelled: false };
}

macro_rules! numbers {
    ($($method:ident $type:ty)*) => {$(
        fn $method(self, value: $type) -> Result<Json, EncodeError> {
            Ok(number(value))
        }
    )*};
}

impl Serializer for Untyped {
    type Ok = Json;
    type Error = EncodeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    numbers! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_bool(self, value: bool) -> Result<Json, EncodeError> {
        Ok(Json::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Json, EncodeError> {
        // The shortest spelling of the `f32`, not that of the nearest `f64`.
        Number::new(format!("{value:?}"))
            .map(Json::Number)
            .ok_or_else(|| error(format_args!("{value} is no JSON number")))
    }

    fn serialize_f64(self, value: f64) -> Result<Json, EncodeError> {
        Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| error(format_args!("{value} is no JSON number")))
    }

    fn serialize_char(self, value: char) -> Result<Json, EncodeError> {
        Ok(Json::String(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Result<Json, EncodeError> {
        if self.spelled {
            return Number::new(value)
                .map(Json::Number)
                .ok_or_else(|| error("no number is spelled so"));
        }
        Ok(Json::String(value.to_owned()))
    }

    fn is_human_readable(&self) -> bool {
        !self.spelled
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Json, EncodeError> {
        Ok(Json::Array(value.iter().map(number).collect()))
    }

    fn serialize_none(self) -> Result<Json, EncodeError> {
        Ok(Json::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Json, EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Json, EncodeError> {
        Ok(Json::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Json, EncodeError> {
        Ok(Json::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<Json, EncodeError> {
        Ok(Json::String(name.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Json, EncodeError> {
        if name == SPELLED {
            return value.serialize(Self { spelled: true });
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Json, EncodeError> {
        Ok(variant(name, value.serialize(self)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, EncodeError> {
        Ok(Items { items: Vec::with_capacity(len.unwrap_or(0)), variant: None })
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, EncodeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Items, EncodeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Items, EncodeError> {
        Ok(Items { items: Vec::with_capacity(len), variant: Some(name) })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries, EncodeError> {
        Ok(Entries {
            members: Vec::with_capacity(len.unwrap_or(0)),
            key: None,
            variant: None,
            foreign: None,
        })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Entries, EncodeError> {
        let foreign = name.starts_with(FOREIGN).then_some(name);
        Ok(Entries { foreign, ..self.serialize_map(Some(len))? })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Entries, EncodeError> {
        Ok(Entries {
            members: Vec::with_capacity(len),
            key: None,
            variant: Some(name),
            foreign: None,
        })
    }
}

struct Items {
    items: Vec<Json>,
    variant: Option<&'static str>,
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.items.push(to_json(value)?);
        Ok(())
    }

    fn finish(self) -> Json {
        let items = Json::Array(self.items);
        match self.variant {
            Some(name) => variant(name, items),
            None => items,
        }
    }
}

struct Entries {
    members: Vec<(String, Json)>,
    key: Option<String>,
    variant: Option<&'static str>,
    foreign: Option<&'static str>,
}

impl Entries {
    fn push<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), EncodeError> {
        self.members.push((key, to_json(value)?));
        Ok(())
    }

    fn finish(self) -> Result<Json, EncodeError> {
        if let Some(foreign) = self.foreign {
            return foreign_value(foreign, &self.members);
        }
        let members = Object::from_unique(self.members)
            .map_err(|key| error(format_args!("the key `{key}` stands twice")))?;
        Ok(match self.variant {
            Some(name) => variant(name, Json::Object(members)),
            None => Json::Object(members),
        })
    }
}

/// What `serde_json` hands to other serializers when a program turns on its features
/// `arbitrary_precision` and `raw_value`: a struct of this name with the text as its one field.
const FOREIGN: &str = "$serde_json::private::";

/// The one key of the object that `serde_json` gives for a number under `arbitrary_precision`.
pub(super) const FOREIGN_NUMBER: &str = "$serde_json::private::Number";

fn foreign_value(name: &str, members: &[(String, Json)]) -> Result<Json, EncodeError> {
    let text = members.first().and_then(|(_, value)| value.as_str()).unwrap_or_default();
    let value = match name.strip_prefix(FOREIGN) {
        Some("Number") => Number::new(text).map(Json::Number),
        Some("RawValue") => parse(text).ok().flatten(),
        _ => None,
    };
    value.ok_or_else(|| error(format_args!("`{name}` is not known")))
}

macro_rules! sequences {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for Items {
            type Ok = Json;
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.push(value)
            }

            fn end(self) -> Result<Json, EncodeError> {
                Ok(self.finish())
            }
        }
    )*};
}

sequences! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! structs {
    ($($trait:ident)*) => {$(
        impl $trait for Entries {
            type Ok = Json;
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.push(key.to_owned(), value)
            }

            fn end(self) -> Result<Json, EncodeError> {
                self.finish()
            }
        }
    )*};
}

structs! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Entries {
    type Ok = Json;
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key = Some(match to_json(key)? {
            Json::String(text) => text,
            Json::Number(number) => number.0,
            Json::Bool(value) => value.to_string(),
            other => return Err(error(format_args!("{} cannot be a key", other.kind()))),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let key = self.key.take().expect("a value is given after its key");
        self.push(key, value)
    }

    fn end(self) -> Result<Json, EncodeError> {
        self.finish()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(value) = self.0.parse::<u64>() {
            return serializer.serialize_u64(value);
        }
        serializer.serialize_newtype_struct(SPELLED, &Spelling(self))
    }
}

struct Spelling<'a>(&'a Number);

impl Serialize for Spelling<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(number) = self;
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&number.0);
        }
        // Under `arbitrary_precision` it has a way to hand over its spelling.
        #[cfg(feature = "serde_json")]
        if let Ok(theirs) = number.0.parse::<serde_json::Number>() {
            return theirs.serialize(serializer);
        }
        match number.0.parse::<i64>() {
            Ok(value) if value != 0 => serializer.serialize_i64(value),
            _ => serializer.serialize_f64(number.as_f64()),
        }
    }
}
