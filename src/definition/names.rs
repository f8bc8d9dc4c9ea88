//! How a definition writes the names, pointers, types and partitions of [`crate::schema`].

use super::field::TextForm;
use crate::schema::{ColumnName, ColumnType, JsonPointer, PartitionField, TableName, Transform};

/// Names as [`ColumnName`] and [`TableName`] take them, for use inside a pattern.
pub(super) const NAME: &str = r"(?!.*\p{Lu})[\p{Alphabetic}_][\p{Alphabetic}\p{N}_]*";

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
        let words: Vec<&str> = Transform::named().map(|(word, _)| word).collect();
        format!(r"^\s*({NAME}|({})\(\s*{NAME}\s*\))\s*$", words.join("|"))
    }

    fn help(_: &str) -> String {
        let words: Vec<String> =
            Transform::named().map(|(word, _)| format!("`{word}(created_at)`")).collect();
        format!("write `status`, {}", words.join(", "))
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
        for name in ["", "A", "1a", "a b", "a-b", "aB", "Été"] {
            assert!(name.parse::<ColumnName>().is_err(), "{name}");
            assert!(!matches(&ColumnName::pattern(), name), "{name}");
        }
        for text in ["status", " day( created_at ) ", "month(a)"] {
            assert!(text.parse::<PartitionField>().is_ok(), "{text}");
            assert!(matches(&PartitionField::pattern(), text), "{text}");
        }
        for text in ["week(a)", "day (a)", "day(a", "day(A)", "day()"] {
            assert!(text.parse::<PartitionField>().is_err(), "{text}");
            assert!(!matches(&PartitionField::pattern(), text), "{text}");
        }
    }
}
