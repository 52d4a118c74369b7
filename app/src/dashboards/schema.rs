//! The JSON Schema of definitions, made from the types that read them. On the server alone.

use std::sync::LazyLock;

use schemars::r#gen::SchemaSettings;

use super::Dashboard;

/// The schema, in JSON (draft 7).
pub fn json_schema() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Dashboard>();
        schema.schema.metadata().title = Some("A dashboard of Tidemark, format 1".to_owned());
        // Texts, numbers and lists of them, which can all be written.
        serde_json::to_string_pretty(&schema).unwrap_or_default()
    });
    &DOCUMENT
}
