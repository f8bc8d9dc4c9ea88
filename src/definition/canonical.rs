//! Hashes declared tables, independent of how their definition is written.
//!
//! | a change of | changes the hash |
//! |---|---|
//! | comments, whitespace, the order of keys, a default written out | no |
//! | tables or columns, their order, their descriptions | yes |
//! | a limit that an export meets while it is loaded | yes |
//! | a limit on what is received | no: it is met before |
//! | flowlake: a new key that this definition does not use | no |

use serde::Serialize;

/// The hash of the canonical JSON of a value. Manifests keep it: it must not change between versions.
pub(super) fn hash(value: &impl Serialize) -> String {
    // Names, words and texts only: this cannot fail.
    let canonical = serde_json::to_vec(value).unwrap_or_default();
    blake3::hash(&canonical).to_hex().to_string()
}

/// Whether a value is its type's default. Canonical forms leave these out, so that a new key with a default
/// changes no hash.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::super::{Definition, Environment, definition_hash};

    const HEADER: &str = "version = 1\nname = \"a\"\n[source]\nendpoint = \"purchasing\"\norganisation_id = \"x\"\n\
                          [destination]\nurl = \"lake\"\n";

    const TABLES: &str = "[[tables]]\nname = \"orders\"\nrecords = \"/orders\"\nprimary_key = [\"id\"]\n\
        write_disposition = \"merge\"\npartition_by = [\"month(created_at)\"]\n\
        checks = [{ range = \"total\", min = 0 }, { sum = \"lines.amount\", equals = \"total\" }]\n\
        [tables.columns]\ntotal = { type = \"decimal(18,2)\", from = \"/totalAmount\" }\ncreated_at = \"timestamp\"\n\
        [[tables]]\nname = \"lines\"\nparent = \"orders\"\nrecords = \"/lines\"\nschema_contract = \"freeze\"\n";

    fn canonical(tables: &str) -> String {
        let definition =
            Definition::parse("a.toml", &format!("{HEADER}{tables}"), &Environment::default());
        serde_json::to_string(&definition.unwrap().pipeline.tables).unwrap()
    }

    fn hash(tables: &str) -> String {
        let text = format!("{HEADER}{tables}");
        let definition = Definition::parse("a.toml", &text, &Environment::default()).unwrap();
        definition_hash(&definition.pipeline.tables, &definition.pipeline.limits)
    }

    #[test]
    fn the_canonical_form_is_fixed() {
        assert_eq!(
            canonical(TABLES),
            concat!(
                r#"[{"name":"orders","records":"/orders","primary_key":["id"],"write_disposition":"merge","#,
                r#""partition_by":[{"column":"created_at","transform":"month"}],"#,
                r#""checks":[{"rule":{"range":{"column":"total","min":"0","max":null}},"on_failure":"quarantine"},"#,
                r#"{"rule":{"sum":{"of":"lines.amount","equals":"total","tolerance":"0"}},"on_failure":"quarantine"}],"#,
                r#""columns":{"total":{"column_type":"decimal(18,2)","from":"/totalAmount"},"created_at":{"column_type":"timestamp"}}},"#,
                r#"{"name":"lines","parent":"orders","records":"/lines","#,
                r#""contract":{"tables":"freeze","columns":"freeze","data_type":"freeze"}}]"#,
            )
        );
        assert_eq!(
            hash(TABLES),
            "05f5fa825ab8b484e30c585ba26f3b3e07c23e364bbe2ce41e10cae4e87841b4"
        );
    }

    #[test]
    fn the_hash_is_of_the_meaning() {
        let same = [
            TABLES.replace("primary_key = [\"id\"]\n", "").replace(
                "[tables.columns]\ntotal",
                "primary_key = ['id']  # unique\n\n[tables.columns]\ntotal",
            ),
            TABLES.replace(
                "records = \"/orders\"",
                "history = false\ndeletes = \"ignore\"\nrecords = \"/orders\"",
            ),
            TABLES.replace(
                "{ type = \"decimal(18,2)\", from = \"/totalAmount\" }",
                "{ from = '/totalAmount', type = 'decimal(18, 2)' }",
            ),
            TABLES.replace("equals = \"total\"", "equals = \"total\", tolerance = 0"),
        ];
        for tables in same {
            assert_eq!(hash(&tables), hash(TABLES), "{tables}");
        }
        let limited = |limits: &str| format!("[limits]\n{limits}\n{TABLES}");
        assert_eq!(hash(&limited("max_size = \"1GB\"")), hash(TABLES));
        let other = [
            limited("max_quarantined = 0"),
            limited("max_quarantined = \"0%\""),
            limited("min_records = 1"),
            TABLES.replace("month(", "day("),
            TABLES.replace("\"freeze\"", "\"evolve\""),
            TABLES.replace(
                "created_at = \"timestamp\"\n",
                "created_at = { type = \"timestamp\", description = \"x\" }\n",
            ),
        ];
        for tables in other {
            assert_ne!(hash(&tables), hash(TABLES), "{tables}");
        }
    }
}
