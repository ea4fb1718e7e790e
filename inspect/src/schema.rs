//! The JSON schema of all answers, made from the types of the model: docs/fdscan.schema.json for programs, docs/json.md
//! for people. With `UPDATE_DOCS=1` the test writes them.

use crate::model::{
    CheckScan, ClaimScan, CommandLine, DatabaseScan, Device, Events, EventsScan, Kind, Mask, Name,
    NoteNames, Notes, ReachScan, Reading, ResolvedBy, Scan, Top, Watch,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// A document's type, the command that answers with it, and what describes it.
type Document = (
    &'static str,
    &'static str,
    fn(&mut SchemaGenerator) -> Schema,
);

/// What each command answers.
const DOCUMENTS: &[Document] = &[
    ("Scan", "`fdscan PID...`", |g| g.subschema_for::<Scan>()),
    ("DatabaseScan", "`fdscan wal DB...`", |g| {
        g.subschema_for::<DatabaseScan>()
    }),
    ("ClaimScan", "`fdscan claims PATH...`", |g| {
        g.subschema_for::<ClaimScan>()
    }),
    ("EventsScan", "`fdscan events PID`", |g| {
        g.subschema_for::<EventsScan>()
    }),
    ("Top", "`fdscan top`", |g| g.subschema_for::<Top>()),
    ("CheckScan", "`fdscan check`", |g| {
        g.subschema_for::<CheckScan>()
    }),
    ("ReachScan", "`fdscan reach FILE...`", |g| {
        g.subschema_for::<ReachScan>()
    }),
    ("Reading", "`fdscan watch PID`, a line each", |g| {
        g.subschema_for::<Reading>()
    }),
];

macro_rules! written_as {
    ($type:ident, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }

            fn inline_schema() -> bool {
                true
            }
        }
    };
}

written_as!(Name, { "type": "string" });
written_as!(CommandLine, { "type": "string" });
written_as!(Kind, { "type": "string" });
written_as!(Mask, { "type": "string", "pattern": "^0x[0-9a-f]+$" });
written_as!(Notes, { "type": "string", "pattern": "^0x[0-9a-f]+$" });
written_as!(NoteNames, { "type": "array", "items": { "type": "string" } });
written_as!(Device, { "type": "string", "pattern": "^[0-9]+:[0-9]+$" });
written_as!(Events, { "type": "array", "items": { "type": "string" } });

fn described(mut schema: Schema, text: &str) -> Schema {
    schema.insert("description".into(), text.into());
    schema
}

impl JsonSchema for Watch {
    fn schema_name() -> Cow<'static, str> {
        "Watch".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One watch.",
            "type": "object",
            "required": ["wd", "inode", "device", "mask", "events", "path", "resolved_by"],
            "properties": {
                "wd": { "type": "integer", "description": "The watch descriptor." },
                "inode": { "type": "integer", "description": "The number of the watched inode." },
                "device": described(generator.subschema_for::<Device>(), "The device of the watched inode."),
                "mask": described(generator.subschema_for::<Mask>(), "The event mask, in hexadecimal."),
                "events": described(generator.subschema_for::<Events>(), "The names of its events."),
                "path": described(generator.subschema_for::<Option<Name>>(), "The path of the watched inode."),
                "resolved_by": described(
                    generator.subschema_for::<Option<ResolvedBy>>(),
                    "How the path was found.",
                ),
                "deleted": { "const": true, "description": "The watched inode is deleted." },
                "unresolved": { "type": "string", "description": "Why its path is not known." },
            },
        })
    }
}

fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let any: Vec<_> = DOCUMENTS
        .iter()
        .map(|(.., of)| of(&mut generator))
        .collect();
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "fdscan/1",
        "description": "The output of fdscan --json. Keys may be added, never renamed; what is not known is null.",
        "anyOf": any,
    });
    root["$defs"] = Value::Object(generator.take_definitions(true).into_iter().collect());
    root
}

/// `integer or null`, or a link to the object's own table.
fn kind(schema: &Value) -> String {
    let link = |reference: &str| {
        let name = reference.rsplit('/').next().unwrap();
        format!("[{name}](#{})", name.to_lowercase())
    };
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference);
    }
    if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let kinds: Vec<_> = any.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    let one = |name: &str| match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        name => name.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => {
            let names: Vec<_> = names
                .iter()
                .filter_map(|name| Some(one(name.as_str()?)))
                .collect();
            names.join(" or ")
        }
        _ => "any".into(),
    }
}

fn sentence(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    // rustdoc's links to other items say nothing here, and JSON has no `None`.
    let mut text = text.replace("`None`", "`null`");
    while let Some((before, rest)) = text.split_once("](")
        && let Some((_, after)) = rest.split_once(')')
    {
        text = format!("{before}]{after}");
    }
    let text = text.replace("[`", "`").replace("`]", "`");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn table(text: &mut String, name: &str, of: &Value) {
    writeln!(text, "\n### {name}\n\n{}\n", sentence(of)).unwrap();
    if let Some(one) = of["oneOf"].as_array().or(of["anyOf"].as_array()) {
        for value in one {
            writeln!(text, "- {}: {}", kind(value), sentence(value)).unwrap();
        }
    }
    let none = Map::new();
    let properties = of["properties"].as_object().unwrap_or(&none);
    if properties.is_empty() {
        return;
    }
    let required: BTreeSet<_> = of["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    writeln!(text, "| key | type | meaning |\n| --- | --- | --- |").unwrap();
    for (key, value) in properties {
        let optional = if required.contains(key.as_str()) {
            ""
        } else {
            ", left out where it does not apply"
        };
        writeln!(
            text,
            "| `{key}` | {}{optional} | {} |",
            kind(value),
            sentence(value)
        )
        .unwrap();
    }
}

fn prose(schema: &Value) -> String {
    let mut text = String::from(
        "# JSON\n\n\
         Every command of fdscan takes `--json`. The documents have `\"schema\": \"fdscan/1\"`: keys may be added, never \
         renamed. What is not known is `null`, never 0 or an empty text. Sizes are in bytes. Times are in the unit that the \
         key names, else in seconds. This file and [fdscan.schema.json](fdscan.schema.json) are generated from the types in \
         inspect/src/model; `watchfix heal --json` is in [heal.md](heal.md).\n\n\
         | command | document |\n| --- | --- |\n",
    );
    for (name, command, _) in DOCUMENTS {
        writeln!(text, "| {command} | [{name}](#{}) |", name.to_lowercase()).unwrap();
    }
    text += "\n## Objects\n";
    for (name, of) in schema["$defs"].as_object().unwrap() {
        table(&mut text, name, of);
    }
    text
}

#[test]
fn the_committed_schema_and_its_description_are_those_of_the_types() {
    let schema = schema();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for (name, wanted) in [
        (
            "fdscan.schema.json",
            serde_json::to_string_pretty(&schema).unwrap() + "\n",
        ),
        ("json.md", prose(&schema)),
    ] {
        let path = docs.join(name);
        if update {
            std::fs::write(&path, &wanted).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == wanted,
            "docs/{name} is not current: UPDATE_DOCS=1 cargo test -p fdscan --lib schema"
        );
    }
}
