//! Definitions and exports that change from night to night: what is in a table already never costs a record.

use crate::support::{Lake, Source, Workplace};

const T: &str = "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n";
const APPENDED: &str =
    "[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\nwrite_disposition = \"append\"\n";

/// Types take every value.
const EVOLVING: &str = "schema_contract = { data_type = \"evolve\" }\n";

/// A lake into which exports are loaded, one after the other.
struct Nights {
    source: Source,
    workplace: Workplace,
}

impl Nights {
    fn new() -> Self {
        let source = Source::serving("[]");
        let workplace = Workplace::asking(&source);
        Self { source, workplace }
    }

    /// Loads an export by a definition of tables.
    #[track_caller]
    fn load(&self, json: &str, tables: &str) -> Lake {
        self.source.serve(json);
        self.workplace.define(tables);
        self.workplace.run().success();
        self.workplace.lake()
    }
}

/// What became of the records of a table in the last run.
fn counts(lake: &Lake, table: &str) -> [usize; 3] {
    let ledger = lake.ledger();
    ["received", "inserted", "quarantined"].map(|count| ledger[table][count])
}

#[test]
fn p1_a_value_that_is_declared_under_a_new_name_leaves_its_old_column_null() {
    let nights = Nights::new();
    nights.load(r#"[{"id":1,"qty":1}]"#, T);
    let renamed = format!("{T}{EVOLVING}[tables.columns]\nquantity = {{ from = \"/qty\" }}");
    let lake = nights.load(r#"[{"id":1,"qty":2.5}]"#, &renamed);
    assert_eq!(counts(&lake, "t"), [1, 1, 0]);
    assert_eq!(lake.column("t", "quantity"), ["2.5"]);
    assert_eq!(lake.column("t", "qty"), ["null"]);
    let lake = nights.load(r#"[{"id":1}]"#, &renamed);
    assert_eq!(lake.column("t", "quantity"), ["null"]);
    let lake = nights.load(r#"[{"id":1,"qty":"x"}]"#, &renamed);
    assert_eq!(lake.column("t", "quantity"), ["x"]);
    assert_eq!(lake.column("t", "qty"), ["null"]);
}

#[test]
fn p1_a_list_that_is_declared_as_a_table_of_another_name_is_in_that_table_only() {
    let nights = Nights::new();
    nights.load(r#"[{"id":1,"items":[{"qty":1,"more":[{"n":1}]}]}]"#, T);
    let declared =
        format!("{T}\n[[tables]]\nname = \"lines\"\nparent = \"t\"\nrecords = \"/items\"");
    let lake = nights.load(r#"[{"id":1,"items":[{"qty":2.5,"more":[{"n":0.5}]}]}]"#, &declared);
    assert_eq!(counts(&lake, "t"), [1, 0, 0], "its own row is the same");
    assert_eq!(lake.column("lines", "qty"), ["2.5"]);
    assert_eq!(lake.column("lines__more", "n"), ["0.5"]);
    assert_eq!(lake.rows("t__items").height() + lake.rows("t__items__more").height(), 0);
}

#[test]
fn p1_an_object_that_becomes_a_list_leaves_its_old_columns_null() {
    let nights = Nights::new();
    nights.load(r#"[{"id":1,"supplier":{"code":1,"tags":[{"n":1}]}}]"#, T);
    let lake = nights.load(r#"[{"id":1,"supplier":[{"code":"X","tags":[{"n":"y"}]}]}]"#, T);
    assert_eq!(counts(&lake, "t"), [1, 1, 0]);
    assert_eq!(lake.column("t__supplier", "code"), ["X"]);
    assert_eq!(lake.column("t", "supplier__code"), ["null"]);
    assert_eq!(lake.rows("t__supplier__tags").height(), 0, "its place was in the object");
    let tags = lake.tables().into_iter().find(|name| name.starts_with("t__supplier__tags_"));
    assert_eq!(lake.column(&tags.unwrap(), "n"), ["y"]);
}

#[test]
fn p1_a_list_that_becomes_one_of_objects_leaves_its_old_column_null() {
    let nights = Nights::new();
    nights.load(r#"[{"id":1,"items":[]},{"id":2,"items":["a"]}]"#, T);
    let lake = nights.load(r#"[{"id":1,"items":[{"a":1},{"a":2}]},{"id":2,"items":[]}]"#, T);
    assert_eq!(lake.column("t", "items"), ["null", "[]"]);
    assert_eq!(lake.column("t__items", "a"), ["1", "2"]);
    let lake = nights.load(r#"[{"id":1,"items":[{"a":1},"b"]},{"id":2,"items":"c"}]"#, T);
    assert_eq!(lake.column("t", "items"), ["null", "[\"c\"]"]);
    assert_eq!(lake.column("t__items", "value"), ["null", "b"]);
}

#[test]
fn p1_an_object_where_earlier_exports_had_a_list_is_a_list_of_one() {
    let nights = Nights::new();
    nights.load(r#"[{"id":1,"tags":["a"]}]"#, T);
    let lake = nights.load(r#"[{"id":1,"tags":{"x":1}},{"id":2,"tags":"b"}]"#, T);
    assert_eq!(counts(&lake, "t"), [2, 2, 0]);
    assert_eq!(lake.column("t__tags", "x"), ["1"]);
    assert_eq!(lake.column("t", "tags"), ["null", "[\"b\"]"]);
}

#[test]
fn a_column_that_is_declared_from_another_place_takes_its_values_there() {
    let nights = Nights::new();
    let from =
        |key: &str| format!("{APPENDED}{EVOLVING}[tables.columns]\nv = {{ from = \"/{key}\" }}");
    nights.load(r#"[{"id":1,"a":1,"b":"x"}]"#, &from("a"));
    let lake = nights.load(r#"[{"id":2,"a":2,"b":"y"}]"#, &from("b"));
    assert_eq!(lake.column("t", "v"), ["1", "y"]);
    assert_eq!(lake.column("t", "a"), ["null", "2"]);
    assert_eq!(lake.column("t", "b"), ["x", "null"]);
    let lake = nights.load(r#"[{"id":3,"a":3}]"#, &from("b"));
    assert_eq!(lake.column("t", "v"), ["1", "y", "null"]);
    assert_eq!(lake.column("t", "a"), ["null", "2", "3"]);
}

const PRIVATE: &str =
    r#"[{"id":1,"owner":{"email":"a@x"},"bank":[{"iban":"DE1","codes":[{"c":1}]}]}]"#;
const PRIVATE_AGAIN: &str =
    r#"[{"id":2,"owner":{"email":"b@x"},"bank":[{"iban":"DE2","codes":[{"c":2}]}]}]"#;
const EXCLUDED: &str = "[tables.columns]\nowner = { exclude = true }\nbank = { exclude = true }";

/// Nothing of what is excluded is in the table, in its child tables, or in what is known of them.
fn assert_nothing_private(lake: &Lake) {
    assert!(!lake.schema("t").iter().any(|column| column.contains("owner")));
    assert!(!lake.manifest("t").to_string().contains("owner"));
    for table in ["t__bank", "t__bank__codes"] {
        assert_eq!(lake.files(table).len(), 0, "{table}");
        assert!(!lake.manifest(table).to_string().contains("iban"));
    }
}

#[test]
fn excluding_an_object_or_list_takes_what_was_loaded_of_it_out_of_the_table() {
    for table in [T, APPENDED] {
        let nights = Nights::new();
        nights.load(PRIVATE, table);
        let lake = nights.load(PRIVATE_AGAIN, &format!("{table}{EXCLUDED}"));
        assert_nothing_private(&lake);
        assert_eq!(lake.column("t", "id").last().unwrap(), "2");
        // Neither does it come back when there is nothing to see of it, nor the night after.
        let lake = nights.load(r#"[{"id":3}]"#, &format!("{table}{EXCLUDED}"));
        assert_nothing_private(&lake);
        // Once it is wanted again, it is in the tables that it was in.
        let lake = nights.load(&PRIVATE_AGAIN.replace("\"id\":2", "\"id\":4"), table);
        assert_eq!(lake.column("t", "owner__email").last().unwrap(), "b@x");
        assert_eq!(lake.column("t__bank", "iban"), ["DE2"]);
    }
}

#[test]
fn p1_rows_that_stay_keep_the_key_by_which_their_child_rows_are_found() {
    let keyless = "[[tables]]\nname = \"t\"\nwrite_disposition = \"append\"\n";
    let two_keys = APPENDED.replace("[\"id\"]", "[\"id\", \"at\"]");
    for (before, after) in [(keyless, APPENDED), (APPENDED, keyless), (APPENDED, &two_keys)] {
        let nights = Nights::new();
        let lake = nights.load(r#"[{"id":1,"at":1,"items":[{"a":1}]}]"#, before);
        let loaded = (lake.snapshot(), lake.schema("t__items"));
        nights.source.serve(r#"[{"id":2,"at":2,"items":[{"a":2}]}]"#);
        nights.workplace.define(after);
        let refused = nights.workplace.run();
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("another key"), "{}", refused.stderr);
        assert_eq!((lake.snapshot(), lake.schema("t__items")), loaded);
        // Replaced as a whole, it may have any key.
        nights.workplace.define(&after.replace("append", "replace"));
        nights.workplace.run().success();
        assert_eq!(lake.column("t__items", "a"), ["2"]);
    }
}
