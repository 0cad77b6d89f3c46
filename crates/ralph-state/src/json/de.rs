//! [`Json`] to typed values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{
    MapAccessDeserializer, StrDeserializer, StringDeserializer, UnitDeserializer,
};
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
/// as it is spelled, also behind `#[serde(flatten)]`. Where `T` has another type that takes
/// anything (`serde_json::Value`, say, or a float inside of a tagged enum), the numbers in the
/// smallest value around it are rounded, and with it in the other elements of an array; one that
/// is too large for a float is refused.
pub fn from_json<T: DeserializeOwned>(value: &Json) -> Result<T, FieldError> {
    from_node(&Node::view(value))
}

pub(crate) fn from_node<T: DeserializeOwned>(value: &Node<'_>) -> Result<T, FieldError> {
    let mut rounded = Rounded::default();
    for _ in 0..MAX_ROUNDED {
        match T::deserialize(Typed { value, rounded: Some(&rounded) }) {
            Err(error) if rounded.add(&error.path) => {}
            done => return done,
        }
    }
    rounded.here = true;
    T::deserialize(Typed { value, rounded: Some(&rounded) })
}

/// In how many places numbers are rounded before they are rounded everywhere: in a map each key
/// is another one, and each costs a reading.
const MAX_ROUNDED: usize = 16;

/// Where a visitor that takes anything is given the float nearest to a number that no Rust number
/// equals. Elsewhere it is given the spelling, in a form that only [`Json`] takes.
#[derive(Debug, Default)]
struct Rounded {
    here: bool,
    elements: Option<Box<Rounded>>,
    members: BTreeMap<String, Rounded>,
}

impl Rounded {
    /// Adds the value at `path`; `false` when it is in already.
    fn add(&mut self, path: &Path) -> bool {
        let mut at = self;
        for segment in path.segments() {
            if at.here {
                return false;
            }
            at = match segment {
                Segment::Index(_) => at.elements.get_or_insert_default(),
                Segment::Key(key) => at.members.entry(key.clone()).or_default(),
            };
        }
        !std::mem::replace(&mut at.here, true)
    }
}

#[derive(Clone, Copy)]
struct Typed<'de> {
    value: &'de Node<'de>,
    /// Where in it numbers are rounded, if somewhere.
    rounded: Option<&'de Rounded>,
}

impl<'de> Typed<'de> {
    fn element(self, value: &'de Node<'de>) -> Self {
        let below = |rounded: &'de Rounded| match rounded {
            Rounded { here: true, .. } => Some(rounded),
            Rounded { elements, .. } => elements.as_deref(),
        };
        Self { value, rounded: self.rounded.and_then(below) }
    }

    fn member(self, key: &str, value: &'de Node<'de>) -> Self {
        let below = |rounded: &'de Rounded| match rounded {
            Rounded { here: true, .. } => Some(rounded),
            Rounded { members, .. } => members.get(key),
        };
        Self { value, rounded: self.rounded.and_then(below) }
    }

    fn rounds(self) -> bool {
        self.rounded.is_some_and(|rounded| rounded.here)
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
        if self.rounds() {
            return visitor.visit_f64(finite(float, literal)?);
        }
        if Number::from_f64(float).is_some_and(|number| number.as_str() == literal) {
            return visitor.visit_f64(float);
        }
        visitor.visit_map(Spelled::new(literal.to_owned()))
    }

    fn members<V: Visitor<'de>>(
        self,
        object: &'de [(Cow<'de, str>, Node<'de>)],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_map(Members { typed: self, rest: object.iter(), next: None })
    }
}

fn finite(float: f64, literal: &str) -> Result<f64, FieldError> {
    if float.is_finite() {
        Ok(float)
    } else {
        Err(FieldError::custom(format_args!("the number {literal} is out of range")))
    }
}

/// The text of a JSON value, for [`Json`] alone: an object whose one key is no text, which no
/// other type takes, and which passes through what `serde` puts aside to look at it first.
struct Spelled {
    text: Option<String>,
}

impl Spelled {
    fn new(text: String) -> Self {
        Self { text: Some(text) }
    }
}

impl<'de> MapAccess<'de> for Spelled {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, FieldError> {
        if self.text.is_none() {
            return Ok(None);
        }
        seed.deserialize(UnitDeserializer::new()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, FieldError> {
        let text = self.text.take().expect("a value is asked for after its key");
        seed.deserialize(StringDeserializer::new(text))
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
                if object.iter().any(|(key, _)| key == FOREIGN_NUMBER) && !self.rounds() =>
            {
                visitor.visit_map(Spelled::new(to_text(&self.value.clone().into_json())))
            }
            Node::Object(object) => self.members(object, visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Number(literal) => visitor.visit_f64(finite(as_f64(literal), literal)?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Number(literal) if let Ok(value) = literal.parse() => visitor.visit_i128(value),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Number(literal) if let Ok(value) = literal.parse() => visitor.visit_u128(value),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.value {
            Node::Number(literal) => {
                let single: f32 = literal.parse().expect("as for `as_f64`");
                finite(single.into(), literal)?;
                visitor.visit_f32(single)
            }
            _ => self.deserialize_any(visitor),
        }
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
        bool i8 i16 i32 i64 u8 u16 u32 u64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
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
        let element = seed.deserialize(self.typed.element(value));
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
        let value = seed.deserialize(self.typed.member(key, value));
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Json, A::Error> {
        let object = match told(map)? {
            Told::Members(object) => object,
            Told::Spelled(value) => return Ok(value),
        };
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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object, A::Error> {
        match told(map)? {
            Told::Members(object) | Told::Spelled(Json::Object(object)) => Ok(object),
            Told::Spelled(other) => {
                Err(A::Error::invalid_type(Unexpected::Other(other.kind()), &self))
            }
        }
    }
}

/// What a map turned out to be.
enum Told {
    Members(Object),
    /// The value whose text is [`Spelled`].
    Spelled(Json),
}

fn told<'de, A: MapAccess<'de>>(mut map: A) -> Result<Told, A::Error> {
    let mut members = Vec::new();
    while let Some(Name(name)) = map.next_key()? {
        let Some(name) = name else {
            let text: String = map.next_value()?;
            let value = match Number::new(text.as_str()) {
                Some(number) => Some(Json::Number(number)),
                None => parse(&text).ok().flatten(),
            };
            return value
                .map(Told::Spelled)
                .ok_or_else(|| A::Error::custom("the spelling of a value is none"));
        };
        members.push((name, map.next_value()?));
    }
    Object::from_unique(members)
        .map(Told::Members)
        .map_err(|key| A::Error::custom(format_args!("the key `{key}` stands twice")))
}

/// The key of a member; nothing before a text that is [`Spelled`].
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyName)
    }
}

struct AnyName;

impl Visitor<'_> for AnyName {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of a member")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        Ok(Name(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Name, E> {
        Ok(Name(Some(text)))
    }

    fn visit_unit<E>(self) -> Result<Name, E> {
        Ok(Name(None))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::json::to_json;

    /// A type as any program may have it.
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Host {
        large: Option<u128>,
        less: Option<i128>,
        float: f64,
        single: f32,
        words: Vec<Word>,
        shapes: BTreeMap<String, Shape>,
        list: Vec<Shape>,
        bare: Object,
        value: serde_json::Value,
        #[serde(flatten)]
        extra: Object,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Word {
        Whole(u64),
        Text(String),
        Other(Json),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Shape {
        Circle { radius: f64 },
        Named { name: String },
    }

    fn host(text: &str) -> Result<Host, FieldError> {
        from_json(&parse(text).unwrap().unwrap())
    }

    fn written(host: &Host) -> Object {
        let Json::Object(object) = to_json(host).unwrap() else { panic!("it is an object") };
        object
    }

    #[test]
    fn integers_of_128_bits_come_back() {
        for (large, less) in [(u128::MAX, i128::MIN), (0, -1), (u128::from(u64::MAX) + 1, 1)] {
            let before = Host { large: Some(large), less: Some(less), ..Host::default() };
            let after: Host = from_json(&to_json(&before).unwrap()).unwrap();
            assert_eq!(after, before);
        }
    }

    #[test]
    fn a_number_never_becomes_a_text() {
        let read = host(r#"{"words": [1.50, 7, "1.50", 1e999]}"#).unwrap();
        assert_eq!(written(&read).get("words").unwrap().to_string(), r#"[1.50, 7, "1.50", 1e999]"#);
        let error = host(r#"{"list": [{"kind": "named", "name": 1.50}]}"#).unwrap_err();
        assert_eq!(error.path.to_string(), "list[0]");
        assert_eq!(error.reason, "invalid type: floating point `1.5`, expected a string");
    }

    /// What has to be rounded for one value is not for the others.
    #[test]
    fn numbers_nobody_knows_keep_their_letters_beside_those_that_are_rounded() {
        const LETTERS: &str = "[1.50, 123456789012345678901234567890, 1E+2, -0]";
        for known in [
            r#""list": [{"kind": "circle", "radius": 1.50}, {"kind": "circle", "radius": 2.50}]"#,
            r#""shapes": {"a": {"kind": "circle", "radius": 1.50}, "b": {"kind": "circle", "radius": 2.50}}"#,
            r#""value": {"a": [1.50]}"#,
            r#""float": 1.50, "single": 1.50"#,
            r#""bare": {"$serde_json::private::Number": "1.50", "a": 1.50}"#,
        ] {
            let read = host(&format!("{{{known}, \"extra\": {LETTERS}}}")).unwrap();
            let written = written(&read);
            assert_eq!(written.get("extra").unwrap().to_string(), LETTERS, "{known}");
        }
        let bare =
            host(r#"{"bare": {"$serde_json::private::Number": "1.50", "a": 1.50}}"#).unwrap();
        assert_eq!(bare.bare.get("a").unwrap().to_string(), "1.50");
        let alike = r#"{"$serde_json::private::Number": "1.50"}"#;
        let read = host(&format!("{{\"words\": [{alike}], \"extra\": {alike}}}")).unwrap();
        assert_eq!(written(&read).get("extra").unwrap().to_string(), alike);
        assert_eq!(written(&read).get("words").unwrap().to_string(), format!("[{alike}]"));
    }

    #[test]
    fn many_places_are_rounded_too() {
        let shapes =
            (0..1000).map(|n| format!(r#""s{n}": {{"kind": "circle", "radius": {n}.50}}"#));
        let shapes = shapes.collect::<Vec<_>>().join(",");
        let read = host(&format!("{{\"shapes\": {{{shapes}}}}}")).unwrap();
        assert_eq!(read.shapes["s999"], Shape::Circle { radius: 999.5 });
    }

    #[test]
    fn a_number_out_of_range_is_refused_where_it_stands() {
        for (text, path) in [
            (r#"{"float": 1e999}"#, "float"),
            (r#"{"single": 1e39}"#, "single"),
            (r#"{"value": [1, -1e999]}"#, "value[1]"),
            (r#"{"list": [{"kind": "circle", "radius": 1e999}]}"#, "list[0].radius"),
        ] {
            let error = host(text).unwrap_err();
            assert_eq!(error.path.to_string(), path, "{error}");
            assert!(error.reason.ends_with("is out of range"), "{error}");
        }
    }

    #[test]
    fn the_error_tells_a_number_as_one() {
        let error = from_json::<u32>(&parse("1.50").unwrap().unwrap()).unwrap_err();
        assert_eq!(error.reason, "invalid type: floating point `1.5`, expected u32");
    }
}
