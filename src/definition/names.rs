//! How a definition writes the names, pointers, types and partitions of [`crate::schema`].

use super::field::TextForm;
use super::problem::{nearest, suggest};
use crate::schema::{
    Ambiguous, ColumnName, ColumnType, InvalidPartitionField, JsonPointer, PartitionField,
    TableName, TimeUnit, Zone,
};

/// Names as [`ColumnName`] and [`TableName`] take them, for use inside a pattern. Beyond ASCII it takes any character:
/// not every validator knows the classes of Unicode (Python's has no `\p`).
pub(super) const NAME: &str = r"([a-z_]|[^\x00-\x7f])([a-z0-9_]|[^\x00-\x7f])*";

/// Names of time zones, for use inside a pattern; it takes others of their form too.
const ZONE: &str = "[A-Za-z][A-Za-z0-9_+/-]*";

impl TextForm for ColumnName {
    fn pattern() -> String {
        format!("^{NAME}$")
    }

    fn help(_: &str) -> String {
        "use the column's name in the table, like `created_at`".to_owned()
    }
}

impl TextForm for TableName {
    fn pattern() -> String {
        format!("^{NAME}$")
    }

    fn help(_: &str) -> String {
        "write it like `purchase_orders`".to_owned()
    }
}

impl TextForm for JsonPointer {
    fn pattern() -> String {
        "^(/|$)".to_owned()
    }

    fn help(text: &str) -> String {
        match text.trim_start_matches(['$', '.', '/']) {
            "" => "write `/purchaseOrders`".to_owned(),
            rest => format!("write `/{rest}`"),
        }
    }
}

impl TextForm for ColumnType {
    /// Brackets may nest, which a regular expression cannot follow: what stands in them is not looked at.
    fn pattern() -> String {
        let number = |least: u8| {
            let digits = if least == 0 { "[0-9]" } else { "[1-9]" };
            format!(r"\+?0*({digits}|[12][0-9]|3[0-8])")
        };
        let decimal = format!(r"decimal\s*\(\s*{}\s*,\s*{}\s*\)", number(1), number(0));
        format!(
            r"^\s*(bool|int64|float64|{decimal}|date|timestamp|string|json|list\s*<.+>|struct\s*<.+:.+>)\s*$"
        )
    }

    fn help(_: &str) -> String {
        format!("choose one of {}", Self::FORMS.join(", "))
    }
}

impl TextForm for PartitionField {
    fn pattern() -> String {
        let words: Vec<&str> = TimeUnit::ALL.iter().map(|unit| unit.word()).collect();
        let zone = format!(r#"(\s*,\s*("{ZONE}"|'{ZONE}'))?"#);
        format!(r"^\s*({NAME}|({})\(\s*{NAME}{zone}\s*\))\s*$", words.join("|"))
    }

    fn help(text: &str) -> String {
        if let Err(InvalidPartitionField::Zone(zone)) = text.parse::<Self>() {
            return Zone::help(&zone.name);
        }
        if text.contains(',') {
            return "write `month(created_at, 'Europe/Copenhagen')`, the time zone in quotes"
                .into();
        }
        let words = TimeUnit::ALL.iter().map(|unit| format!("`{}(created_at)`", unit.word()));
        let words: Vec<String> = words.collect();
        format!("write `status`, {}", words.join(", "))
    }
}

impl TextForm for Zone {
    fn pattern() -> String {
        format!("^{ZONE}$")
    }

    fn help(text: &str) -> String {
        match nearest(text, &Self::names().collect::<Vec<_>>()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write a name of the IANA time zone database, like `Europe/Copenhagen`".into(),
        }
    }
}

impl TextForm for Ambiguous {
    fn pattern() -> String {
        format!("^({})$", Self::WORDS.map(|(word, _)| word).join("|"))
    }

    fn help(text: &str) -> String {
        suggest(text, &Self::WORDS.map(|(word, _)| word))
    }
}

#[cfg(test)]
mod tests {
    use super::super::json_schema::matches;
    use super::*;

    #[test]
    fn the_patterns_take_what_the_parsers_take() {
        for form in ColumnType::FORMS.iter().chain(&["list < list<string>>", "decimal( 38 , 38 )"])
        {
            assert!(form.parse::<ColumnType>().is_ok(), "{form}");
            assert!(matches(&ColumnType::pattern(), form), "{form}");
        }
        for form in ["decimal(39,2)", "decimal(0,0)", "datetime", "decimal(18)", "list<>", ""] {
            assert!(form.parse::<ColumnType>().is_err(), "{form}");
            assert!(!matches(&ColumnType::pattern(), form), "{form}");
        }
        for name in ["a", "_", "été", "a_1", "ⅷ"] {
            assert_eq!(name.parse::<ColumnName>().is_ok(), matches(&ColumnName::pattern(), name));
        }
        for name in ["", "A", "1a", "a b", "a-b", "aB", "éA", "a\n"] {
            assert!(name.parse::<ColumnName>().is_err(), "{name}");
            assert!(!matches(&ColumnName::pattern(), name), "{name}");
        }
        for text in [
            "status",
            " day( created_at ) ",
            "month(a)",
            "month(a, \"Europe/Copenhagen\")",
            "day( a ,'Etc/GMT+5' )",
        ] {
            assert!(text.parse::<PartitionField>().is_ok(), "{text}");
            assert!(matches(&PartitionField::pattern(), text), "{text}");
        }
        for zone in Zone::names() {
            assert!(matches(&Zone::pattern(), zone), "{zone}");
        }
        for word in ["earliest", "latest", "first"] {
            let is_one = word.parse::<Ambiguous>().is_ok();
            assert_eq!(is_one, matches(&Ambiguous::pattern(), word), "{word}");
        }
        for text in
            ["week(a)", "day (a)", "day(a", "day(A)", "day()", "day(a, UTC)", "day(a, \"UTC')"]
        {
            assert!(text.parse::<PartitionField>().is_err(), "{text}");
            assert!(!matches(&PartitionField::pattern(), text), "{text}");
        }
    }
}
