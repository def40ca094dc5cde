//! Fields that this version does not know, kept so that a record comes back out as it came in.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// How deep an unknown field may nest before its record is refused.
const MAX_DEPTH: usize = 64;

/// The unknown fields of a record: field name to its value as JSON text.
///
/// The text is canonical: no white space, object keys in order, numbers digit for digit as they
/// came. Two values are equal exactly if a JSON reader would call them so, number spelling apart.
///
/// ```
/// use prochist::model::Extra;
///
/// let a: Extra = serde_json::from_str(r#"{"fleet": {"b": 1.0, "a": [true]}}"#)?;
/// let b: Extra = serde_json::from_str(r#"{"fleet":{"a":[true],"b":1.0}}"#)?;
/// assert_eq!(a, b);
/// assert_eq!(a.to_string(), r#"{"fleet":{"a":[true],"b":1.0}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extra(BTreeMap<String, String>);

/// Why an unknown field cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtraError {
    /// A value nests deeper than 64 levels.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An object has the same key twice, so that one of the values would be lost.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
}

impl Extra {
    /// Whether every field of the record was a known one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Field names and their values as JSON text, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, json)| (&**name, &**json))
    }

    /// The JSON text of one field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Keeps one field; its value is JSON text of any layout.
    ///
    /// # Errors
    /// [`ExtraError`], and nothing is kept, if the value is not JSON, nests too deep, repeats a
    /// key, or if the field is there already.
    pub fn insert(&mut self, name: String, json: &str) -> Result<(), ExtraError> {
        let mut canonical = String::with_capacity(json.len());
        write_canonical(json, 0, &mut canonical)?;
        if self.0.contains_key(&name) {
            return Err(ExtraError::DuplicateKey(name));
        }
        self.0.insert(name, canonical);
        Ok(())
    }

    /// The names whose values differ between two records, in order.
    pub fn changed_names<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self
            .iter()
            .filter(|(name, json)| other.get(name) != Some(json))
            .map(|(name, _)| name)
            .chain(
                other
                    .iter()
                    .map(|(name, _)| name)
                    .filter(|name| self.get(name).is_none()),
            )
            .collect();
        names.sort_unstable();
        names
    }

    /// Writes the fields into a map that is being serialized.
    pub(crate) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        use serde::ser::Error as _;
        for (name, json) in self.iter() {
            let raw: &RawValue = serde_json::from_str(json).map_err(M::Error::custom)?;
            map.serialize_entry(name, raw)?;
        }
        Ok(())
    }
}

/// One JSON object, canonical.
impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, json)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}:{json}", serde_json::Value::from(name))?;
        }
        f.write_str("}")
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.serialize_into(&mut map)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut extra = Self::default();
        for (name, json) in Pairs::deserialize(deserializer)?.0 {
            extra.insert(name, json.get()).map_err(D::Error::custom)?;
        }
        Ok(extra)
    }
}

/// Walks the text itself rather than a parsed tree, because a tree would round the numbers.
fn write_canonical(json: &str, depth: usize, out: &mut String) -> Result<(), ExtraError> {
    if depth > MAX_DEPTH {
        return Err(ExtraError::TooDeep);
    }
    let not_json = |e: serde_json::Error| ExtraError::NotJson(e.to_string());
    let json = json.trim_ascii();
    match json.as_bytes().first() {
        Some(b'{') => {
            let mut pairs = serde_json::from_str::<Pairs>(json).map_err(not_json)?.0;
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            if let Some(twice) = pairs.windows(2).find(|w| w[0].0 == w[1].0) {
                return Err(ExtraError::DuplicateKey(twice[0].0.clone()));
            }
            out.push('{');
            for (i, (name, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value.get(), depth + 1, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let items = serde_json::from_str::<Items>(json).map_err(not_json)?.0;
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item.get(), depth + 1, out)?;
            }
            out.push(']');
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(json).map_err(not_json)?;
            out.push_str(&serde_json::Value::from(text).to_string());
        }
        _ => {
            let raw: &RawValue = serde_json::from_str(json).map_err(not_json)?;
            out.push_str(raw.get());
        }
    }
    Ok(())
}

/// An object's members in their order, duplicates included, which a map would hide.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

struct Items(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> Result<String, ExtraError> {
        let mut out = String::new();
        write_canonical(json, 0, &mut out).map(|()| out)
    }

    #[test]
    fn numbers_keep_their_digits_and_layout_does_not_count() {
        let cases = [
            (
                " { \"b\" : 1 , \"a\" : [ 2 , 3 ] } ",
                r#"{"a":[2,3],"b":1}"#,
            ),
            (
                "123456789012345678901234567890.10",
                "123456789012345678901234567890.10",
            ),
            ("1e400", "1e400"),
            (r#""a\u00e9\n""#, r#""aé\n""#),
            ("null", "null"),
            ("[]", "[]"),
            ("{}", "{}"),
        ];
        for (json, expected) in cases {
            assert_eq!(canonical(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_would_lose_something_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(canonical(&deep), Err(ExtraError::TooDeep));
        assert_eq!(
            canonical(r#"{"a":{"x":1,"x":2}}"#),
            Err(ExtraError::DuplicateKey("x".into()))
        );
        assert!(matches!(canonical("{"), Err(ExtraError::NotJson(_))));
    }

    #[test]
    fn changed_names_are_those_that_differ_or_are_on_one_side() {
        let a: Extra = serde_json::from_str(r#"{"x":1,"y":2,"z":null}"#).expect("valid");
        let b: Extra = serde_json::from_str(r#"{"x":1,"y":3,"w":0}"#).expect("valid");
        assert_eq!(a.changed_names(&b), ["w", "y", "z"]);
    }
}
