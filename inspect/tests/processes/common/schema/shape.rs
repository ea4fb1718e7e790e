//! What may stand at one place of a document, and whether it does.

use serde_json::{Map, Value};

use Key::{May, Must};
use Shape::*;

/// What may stand at one place.
pub enum Shape {
    Text,
    /// A whole number, 0 or more.
    Count,
    /// A time in seconds, above 0.
    Seconds,
    /// Any number.
    Number,
    Flag,
    /// RFC 3339.
    Time,
    /// `0x` and hexadecimal digits.
    Mask,
    /// `major:minor`.
    Device,
    Const(&'static str),
    OneOf(&'static [&'static str]),
    List(&'static Shape),
    Map(&'static Shape),
    /// An object with any keys.
    Open,
    Object(&'static [Key]),
    OrNull(&'static Shape),
}

/// A key of an object: `Must` is the contract's, `May` was added since and may be left out.
pub enum Key {
    Must(&'static str, Shape),
    May(&'static str, Shape),
}

pub fn check(at: &str, value: &Value, shape: &Shape, found: &mut Vec<String>) {
    let fits = match shape {
        OrNull(_) if value.is_null() => true,
        OrNull(inner) => return check(at, value, inner, found),
        Text => value.is_string(),
        Count => value.is_u64(),
        Number => value.is_number(),
        Seconds => value.as_f64().is_some_and(|seconds| seconds > 0.0),
        Flag => value.is_boolean(),
        Time => value
            .as_str()
            .is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
        Mask => value.as_str().is_some_and(|t| mask_bits(t).is_some()),
        Device => value.as_str().is_some_and(|t| {
            t.split_once(':').is_some_and(|(major, minor)| {
                major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok()
            })
        }),
        Const(text) => value == text,
        OneOf(texts) => value.as_str().is_some_and(|t| texts.contains(&t)),
        Open => value.is_object(),
        List(inner) => match value.as_array() {
            Some(list) => {
                for (i, item) in list.iter().enumerate() {
                    check(&format!("{at}[{i}]"), item, inner, found);
                }
                true
            }
            None => false,
        },
        Map(inner) => match value.as_object() {
            Some(map) => {
                for (key, item) in map {
                    check(&format!("{at}.{key}"), item, inner, found);
                }
                true
            }
            None => false,
        },
        Object(keys) => match value.as_object() {
            Some(map) => {
                check_keys(at, map, keys, found);
                true
            }
            None => false,
        },
    };
    if !fits {
        let shown: String = value.to_string().chars().take(80).collect();
        found.push(format!("{at} is {shown}"));
    }
}

pub fn check_keys(at: &str, map: &Map<String, Value>, keys: &[Key], found: &mut Vec<String>) {
    for key in keys {
        let (name, shape, must) = match key {
            Must(name, shape) => (*name, shape, true),
            May(name, shape) => (*name, shape, false),
        };
        match map.get(name) {
            Some(value) => check(&format!("{at}.{name}"), value, shape, found),
            None if must => found.push(format!("{at}.{name} is missing")),
            None => {}
        }
    }
    for name in map.keys() {
        if !keys
            .iter()
            .any(|k| matches!(k, Must(known, _) | May(known, _) if known == name))
        {
            found.push(format!("{at}.{name} is not in the contract"));
        }
    }
}

/// The bits of a mask written as `0x3ee`.
pub fn mask_bits(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
