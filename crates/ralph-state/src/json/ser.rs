//! Typed values to JSON, told part by part.
//!
//! A value is told to a [`Sink`]: to a text, to a tree, or to one that holds it against a text. So a document is written without a tree of it in memory.

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
    let mut tree = Tree::default();
    tell(value, &mut tree)?;
    Ok(tree.whole.expect("one value was told to its end"))
}

/// A part of a value.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Null,
    Bool(bool),
    /// By the grammar of JSON.
    Number(&'a str),
    String(&'a str),
    /// An array begins; its elements follow, then its end.
    Array,
    /// An object begins; for each member its key and its value follow, then its end.
    Object,
    Key(&'a str),
    End,
}

/// What a value is told to.
pub(crate) trait Sink {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError>;
}

/// Tells `value` to `sink`.
pub(crate) fn tell<T: Serialize + ?Sized>(
    value: &T,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    value.serialize(Teller { sink, spelled: false })
}

impl serde::ser::Error for EncodeError {
    fn custom<T: Display>(reason: T) -> Self {
        Self { reason: reason.to_string() }
    }
}

pub(super) fn error(reason: impl Display) -> EncodeError {
    serde::ser::Error::custom(reason)
}

/// The name under which a number hands over its spelling. Other serializers pass over the name
/// of a newtype and are given a float.
const SPELLED: &str = "$ralph_state::spelled";

struct Teller<'a> {
    sink: &'a mut dyn Sink,
    /// Inside of [`SPELLED`]. Told to the number as not being for human readers.
    spelled: bool,
}

impl<'a> Teller<'a> {
    fn number(self, value: impl Display) -> Result<(), EncodeError> {
        self.sink.take(Part::Number(&value.to_string()))
    }

    fn float(self, value: impl Display, literal: &str) -> Result<(), EncodeError> {
        match Number::new(literal) {
            Some(number) => self.sink.take(Part::Number(number.as_str())),
            None => Err(error(format_args!("{value} is no JSON number"))),
        }
    }

    fn open(self, part: Part<'_>, variant: Option<&str>) -> Result<Open<'a>, EncodeError> {
        if let Some(name) = variant {
            self.sink.take(Part::Object)?;
            self.sink.take(Part::Key(name))?;
        }
        self.sink.take(part)?;
        Ok(Open { sink: self.sink, ends: if variant.is_some() { 2 } else { 1 }, foreign: None })
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty)*) => {$(
        fn $method(self, value: $type) -> Result<(), EncodeError> {
            self.number(value)
        }
    )*};
}

impl<'a> Serializer for Teller<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    numbers! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.sink.take(Part::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        // The shortest spelling of the `f32`, not that of the nearest `f64`.
        self.float(value, &format!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        self.float(value, &format!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.sink.take(Part::String(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        if self.spelled {
            let number = Number::new(value).ok_or_else(|| error("no number is spelled so"))?;
            return self.sink.take(Part::Number(number.as_str()));
        }
        self.sink.take(Part::String(value))
    }

    fn is_human_readable(&self) -> bool {
        !self.spelled
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.sink.take(Part::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.sink.take(Part::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.sink.take(Part::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<(), EncodeError> {
        self.sink.take(Part::String(name))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(Self { spelled: name == SPELLED, ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.sink.take(Part::Object)?;
        self.sink.take(Part::Key(name))?;
        tell(value, self.sink)?;
        self.sink.take(Part::End)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, EncodeError> {
        self.open(Part::Array, None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, EncodeError> {
        self.open(Part::Array, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, EncodeError> {
        self.open(Part::Array, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Open<'a>, EncodeError> {
        self.open(Part::Array, Some(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, EncodeError> {
        self.open(Part::Object, None)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Open<'a>, EncodeError> {
        if name.starts_with(FOREIGN) {
            return Ok(Open { sink: self.sink, ends: 0, foreign: Some(name) });
        }
        self.open(Part::Object, None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Open<'a>, EncodeError> {
        self.open(Part::Object, Some(name))
    }
}

/// An array or an object between its begin and its end.
struct Open<'a> {
    sink: &'a mut dyn Sink,
    /// How many ends it has: two if it is inside of a variant.
    ends: u8,
    foreign: Option<&'static str>,
}

impl Open<'_> {
    fn finish(self) -> Result<(), EncodeError> {
        (0..self.ends).try_for_each(|_| self.sink.take(Part::End))
    }
}

/// What `serde_json` hands to other serializers when a program turns on its features
/// `arbitrary_precision` and `raw_value`: a struct of this name with the text as its one field.
const FOREIGN: &str = "$serde_json::private::";

/// The one key of the object that `serde_json` gives for a number under `arbitrary_precision`.
pub(super) const FOREIGN_NUMBER: &str = "$serde_json::private::Number";

fn foreign_value(name: &str, text: &Json) -> Result<Json, EncodeError> {
    let text = text.as_str().unwrap_or_default();
    let value = match name.strip_prefix(FOREIGN) {
        Some("Number") => Number::new(text).map(Json::Number),
        Some("RawValue") => parse(text).ok().flatten(),
        _ => None,
    };
    value.ok_or_else(|| error(format_args!("`{name}` is not known")))
}

macro_rules! sequences {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for Open<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                tell(value, self.sink)
            }

            fn end(self) -> Result<(), EncodeError> {
                self.finish()
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
        impl $trait for Open<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                if let Some(name) = self.foreign {
                    return tell(&foreign_value(name, &to_json(value)?)?, self.sink);
                }
                self.sink.take(Part::Key(key))?;
                tell(value, self.sink)
            }

            fn end(self) -> Result<(), EncodeError> {
                self.finish()
            }
        }
    )*};
}

structs! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        tell(key, &mut AsKey(self.sink))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        tell(value, self.sink)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.finish()
    }
}

/// Takes the key of a member.
struct AsKey<'a>(&'a mut dyn Sink);

impl Sink for AsKey<'_> {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError> {
        let Self(sink) = self;
        let other = match part {
            Part::String(text) | Part::Number(text) => return sink.take(Part::Key(text)),
            Part::Bool(true) => return sink.take(Part::Key("true")),
            Part::Bool(false) => return sink.take(Part::Key("false")),
            Part::Null => "null",
            Part::Array => "an array",
            Part::Object | Part::Key(_) | Part::End => "an object",
        };
        Err(error(format_args!("{other} cannot be a key")))
    }
}

/// Makes a [`Json`] of what it is told.
#[derive(Default)]
struct Tree {
    open: Vec<Branch>,
    whole: Option<Json>,
}

enum Branch {
    Array(Vec<Json>),
    /// The members, and the key of the one that comes next.
    Object(Vec<(String, Json)>, String),
}

impl Sink for Tree {
    fn take(&mut self, part: Part<'_>) -> Result<(), EncodeError> {
        let value = match part {
            Part::Null => Json::Null,
            Part::Bool(value) => Json::Bool(value),
            Part::Number(literal) => Json::Number(Number(literal.to_owned())),
            Part::String(text) => Json::String(text.to_owned()),
            Part::Array => {
                self.open.push(Branch::Array(Vec::new()));
                return Ok(());
            }
            Part::Object => {
                self.open.push(Branch::Object(Vec::new(), String::new()));
                return Ok(());
            }
            Part::Key(name) => {
                if let Some(Branch::Object(_, key)) = self.open.last_mut() {
                    name.clone_into(key);
                }
                return Ok(());
            }
            Part::End => match self.open.pop().expect("what ends has begun") {
                Branch::Array(items) => Json::Array(items),
                Branch::Object(members, _) => Json::Object(
                    Object::from_unique(members)
                        .map_err(|key| error(format_args!("the key `{key}` stands twice")))?,
                ),
            },
        };
        match self.open.last_mut() {
            None => self.whole = Some(value),
            Some(Branch::Array(items)) => items.push(value),
            Some(Branch::Object(members, key)) => members.push((std::mem::take(key), value)),
        }
        Ok(())
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
