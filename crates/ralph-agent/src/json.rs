//! JSON as an agent prints it, read without copying what need not be copied.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

/// A JSON value that borrows from its text.
///
/// An agent may print gigabytes, most of it in fields that nobody asks for; owned maps and
/// strings of all that cost several times as much.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json<'a>(Node<'a>);

#[derive(Clone, Debug, Default, PartialEq)]
enum Node<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// `text` as JSON; `None` when it is none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.0, Node::Object(_))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.0, Node::Null)
    }

    /// What stands at `path`, names with slashes between them.
    pub(crate) fn get(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |json, name| match &json.0 {
            Node::Object(fields) => {
                fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
            }
            _ => None,
        })
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_text()
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, path: &str) -> Option<bool> {
        match self.get(path)?.0 {
            Node::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    fn number(&self, path: &str) -> Option<&Number> {
        match &self.get(path)?.0 {
            Node::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn real(&self, path: &str) -> Option<f64> {
        self.number(path)?.as_f64()
    }

    pub(crate) fn whole(&self, path: &str) -> Option<i64> {
        self.number(path)?.as_i64()
    }

    /// The count at `path`, which some write as `12.0`; 0 when there is none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the range of a count"
    )]
    pub(crate) fn count(&self, path: &str) -> u64 {
        let number = self.number(path);
        let real = || number.and_then(Number::as_f64).map(|real| real.ceil() as u64);
        number.and_then(Number::as_u64).or_else(real).unwrap_or_default()
    }

    /// The object at `path`.
    pub(crate) fn object(&self, path: &str) -> Option<&Self> {
        self.get(path).filter(|json| json.is_object())
    }

    /// The items at `path`, none when there is no list.
    pub(crate) fn list(&self, path: &str) -> &[Self] {
        match self.get(path).map(|json| &json.0) {
            Some(Node::List(items)) => items,
            _ => &[],
        }
    }

    /// The items of a list; none when it is none.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.0 {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// The names and values of an object; none when it is none.
    pub(crate) fn fields(&self) -> &[(Cow<'a, str>, Self)] {
        match &self.0 {
            Node::Object(fields) => fields,
            _ => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Node<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Node::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Node::Number(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Node::Number(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Node::Text(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Node::Text(Cow::Owned(value.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Node::Object(fields))
            }
        }
        deserializer.deserialize_any(AnyValue).map(Json)
    }
}

/// The name of a field; `Cow` by itself never borrows.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyName;
        impl<'de> Visitor<'de> for AnyName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(AnyName)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Number(number) => number.serialize(serializer),
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(items) => serializer.collect_seq(items),
            Node::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn what_is_read_is_written_again() {
        let text = r#"{"a":[1,-2,0.5,null,true,"é\n"],"b\"":{"c":{}}}"#;
        let json = Json::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!(json.list("a").len(), 6);
        assert_eq!(json.count("a"), 0);
        assert!(json.get("b\"/c").unwrap().is_object());
        assert_eq!(json.get("b\"/c/d"), None);
        assert_eq!(Json::parse("{"), None);
    }
}
