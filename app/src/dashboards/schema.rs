//! The JSON Schemas of definitions, made from the types that read them. On the server alone.

use std::sync::LazyLock;

use schemars::{JsonSchema, r#gen::SchemaSettings};

use super::{Dashboard, semantics::Semantics};

/// The schema of dashboards, in JSON (draft 7).
pub fn json_schema() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| document::<Dashboard>("A dashboard of Tidemark, format 1"));
    &DOCUMENT
}

/// The schema of semantic definitions, in JSON (draft 7).
pub fn semantics_schema() -> &'static str {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| document::<Semantics>("What the figures of a dataset of Tidemark mean, format 1"));
    &DOCUMENT
}

fn document<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    schema.schema.metadata().title = Some(title.to_owned());
    // Texts, numbers and lists of them, which can all be written.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
