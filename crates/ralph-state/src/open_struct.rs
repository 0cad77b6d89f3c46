//! Structs that keep the fields they do not know.
//!
//! `#[serde(flatten)]` alone would do that through a type of `serde`'s own, which is slow and takes
//! neither integers of 128 bits nor the numbers of a `serde_json` with `arbitrary_precision`.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::json::{Json, Object};

/// A struct of public fields, with a last field `extra` for every other one.
macro_rules! open_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(serde::Serialize)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// Fields that this version of the program does not know, kept as they are.
            #[serde(flatten)]
            pub extra: $crate::json::Object,
        }

        const _: () = {
            #[derive(serde::Deserialize)]
            struct Known {
                $($(#[$field_meta])* $field: $type,)*
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let mut extra = $crate::json::Object::new();
                    let open = $crate::open_struct::Open::new(deserializer, stringify!($name), &mut extra);
                    let Known { $($field,)* } = serde::Deserialize::deserialize(open)?;
                    Ok(Self { $($field,)* extra })
                }
            }
        };
    };
}

pub(crate) use open_struct;

/// Hands the fields a struct knows to it, and keeps the others.
pub(crate) struct Open<'a, D> {
    inner: D,
    name: &'static str,
    extra: &'a mut Object,
}

impl<'a, D> Open<'a, D> {
    pub(crate) fn new(inner: D, name: &'static str, extra: &'a mut Object) -> Self {
        Self { inner, name, extra }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Open<'_, D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let Self { inner, name, extra } = self;
        inner.deserialize_map(Struct { name, fields, visitor, extra })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Struct<'a, V> {
    name: &'static str,
    fields: &'static [&'static str],
    visitor: V,
    extra: &'a mut Object,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Struct<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let mut members = Members { map, fields: self.fields, unknown: Vec::new() };
        let value = self.visitor.visit_map(&mut members)?;
        *self.extra = Object::from_unique(members.unknown)
            .map_err(|key| A::Error::custom(format_args!("the key `{key}` stands twice")))?;
        Ok(value)
    }
}

struct Members<A> {
    map: A,
    fields: &'static [&'static str],
    unknown: Vec<(String, Json)>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for &mut Members<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.map.next_key_seed(Key { fields: self.fields })? {
                None => return Ok(None),
                Some(Ok(known)) => return seed.deserialize(known.into_deserializer()).map(Some),
                Some(Err(unknown)) => {
                    let value = self.map.next_value()?;
                    self.unknown.push((unknown, value));
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// One of these names, or another.
struct Key {
    fields: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Result<&'static str, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Result<&'static str, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let known = self.fields.iter().copied().find(|known| *known == name);
        Ok(known.ok_or_else(|| name.to_owned()))
    }
}
