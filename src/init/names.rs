//! What the name of a column says of its values: money, an identifier, a time, the creation or a change of the record.
//!
//! Names decide nothing alone. They order what the values allow, and keep identifiers from becoming numbers.

use crate::schema::ColumnName;

/// Words for money. Numbers under such names become decimals.
const MONEY_WORDS: [&str; 14] = [
    "amount", "budget", "cost", "discount", "fee", "gross", "net", "paid", "price", "sum", "tax",
    "total", "value", "vat",
];
/// Words at the end of a name under which a text of digits alone is a number, and not a code.
const QUANTITY_WORDS: [&str; 16] = [
    "amount", "balance", "budget", "cost", "discount", "fee", "gross", "net", "paid", "percent",
    "price", "qty", "quantity", "rate", "total", "weight",
];
/// Words for texts that only look like numbers: they name a thing, or the place of one in an order.
const IDENTIFIER_WORDS: [&str; 66] = [
    "account",
    "article",
    "bank",
    "barcode",
    "batch",
    "bic",
    "category",
    "center",
    "centre",
    "chapter",
    "class",
    "clause",
    "code",
    "contract",
    "cvr",
    "department",
    "duns",
    "ean",
    "eori",
    "fax",
    "gln",
    "group",
    "gtin",
    "guid",
    "iban",
    "id",
    "ids",
    "invoice",
    "ip",
    "isbn",
    "item",
    "key",
    "ledger",
    "line",
    "mobile",
    "no",
    "nr",
    "number",
    "order",
    "owner",
    "phone",
    "pin",
    "plz",
    "postal",
    "postcode",
    "project",
    "ref",
    "reference",
    "release",
    "revision",
    "section",
    "serial",
    "sku",
    "ssn",
    "swift",
    "tel",
    "telephone",
    "tin",
    "type",
    "user",
    "uuid",
    "vatid",
    "vatno",
    "version",
    "zip",
    "zipcode",
];
/// Words that end a name of whole numbers, whatever stands before: `budget_year`.
const COUNT_WORDS: [&str; 9] =
    ["count", "day", "days", "level", "month", "months", "quarter", "year", "years"];
/// Words that end the name of a time, whatever stands before: `paid_at`, `price_date`.
const TIME_ENDINGS: [&str; 6] = ["at", "date", "datetime", "on", "time", "timestamp"];
/// Words for times.
const TIME_WORDS: [&str; 24] = [
    "at",
    "by",
    "changed",
    "created",
    "date",
    "dates",
    "day",
    "deadline",
    "due",
    "end",
    "expires",
    "from",
    "issued",
    "modified",
    "on",
    "published",
    "since",
    "start",
    "submitted",
    "time",
    "timestamp",
    "to",
    "until",
    "updated",
];
/// Words for the creation of a record, the best first.
const CREATION_WORDS: [&[&str]; 2] = [
    &["created", "creation", "inserted"],
    &[
        "booked",
        "invoice",
        "issue",
        "issued",
        "opened",
        "order",
        "ordered",
        "placed",
        "posted",
        "published",
        "raised",
        "received",
        "registered",
        "requested",
        "submitted",
    ],
];
/// Words for times that are planned, and may be far from the creation of the record.
const PLAN_WORDS: [&str; 18] = [
    "birth", "closes", "closing", "deadline", "delivery", "due", "end", "ends", "expected",
    "expires", "expiry", "needed", "planned", "required", "start", "until", "valid", "validity",
];
/// How words for a change begin.
const CHANGE_WORDS: [&str; 3] = ["updat", "modif", "chang"];
/// Words beside which such a word is about the whole record.
const RECORD_WORDS: [&str; 9] =
    ["at", "date", "datetime", "last", "most", "on", "recently", "time", "timestamp"];

/// Words for what a record may share with others, or lose, although it is a number or code.
const ATTRIBUTE_WORDS: [&str; 14] = [
    "account",
    "bank",
    "country",
    "currency",
    "fax",
    "iban",
    "mobile",
    "phone",
    "postal",
    "tax",
    "tel",
    "telephone",
    "vat",
    "zip",
];

/// The separator of the names of nested keys.
const NESTING: &str = "__";

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').filter(|word| !word.is_empty())
}

/// The name of the value itself, without those of the objects that it is in.
fn own_name(name: &ColumnName) -> &str {
    name.as_str().rsplit(NESTING).next().unwrap_or_default()
}

/// Whether the name is one of money.
pub(super) fn is_money(name: &ColumnName) -> bool {
    words(name.as_str()).any(|word| MONEY_WORDS.contains(&word)) && is_measure(name)
}

/// Whether a text of digits under the name is a number for certain: `unit_price`, but not `price_list`.
pub(super) fn is_quantity(name: &ColumnName) -> bool {
    ends_with(name, &QUANTITY_WORDS) && is_measure(name)
}

/// Whether nothing in the name says that its values are identifiers, times or counted.
fn is_measure(name: &ColumnName) -> bool {
    !ends_with(name, &COUNT_WORDS) && !ends_with(name, &TIME_ENDINGS) && !is_identifier(name)
}

/// Whether the last word of the name is one of these.
fn ends_with(name: &ColumnName, known: &[&str]) -> bool {
    words(own_name(name)).last().is_some_and(|word| known.contains(&word))
}

/// Whether the name is one of an identifier: a number of a house, an account or a phone, and not of things.
pub(super) fn is_identifier(name: &ColumnName) -> bool {
    let is_such = |word: &str| IDENTIFIER_WORDS.contains(&word);
    let is_amount = ends_with(name, &QUANTITY_WORDS) || ends_with(name, &MONEY_WORDS);
    !is_amount && words(own_name(name)).any(is_such)
}

/// Whether the name says that its values are times.
pub(super) fn is_time(name: &ColumnName) -> bool {
    words(own_name(name)).any(|word| TIME_WORDS.contains(&word))
}

/// How much the name looks like the time at which the record was created; lower is better.
pub(super) fn creation_rank(name: &ColumnName) -> usize {
    let own = own_name(name);
    let has = |known: &[&str]| words(own).any(|word| known.contains(&word));
    let [begins, all_begin] =
        [own, name.as_str()].map(|name| words(name).next().unwrap_or_default());
    let creation = |begins: &str| CREATION_WORDS.iter().position(|known| known.contains(&begins));
    let rank = if is_change(name) {
        5
    } else if let Some(rank) = creation(begins) {
        rank
    } else if let Some(rank) = creation(all_begin) {
        // `created__date`: the object is about the creation.
        return 2 * rank + 1;
    } else if has(&PLAN_WORDS) {
        4
    } else if begins == "date" || begins == "timestamp" || has(CREATION_WORDS[0]) {
        2
    } else {
        3
    };
    // The time of something that belongs to the record is rarely that of the record.
    2 * rank + if own.len() < name.as_str().len() { 5 } else { 0 }
}

/// Whether the name says that the value changes with the record.
pub(super) fn is_change(name: &ColumnName) -> bool {
    words(own_name(name)).any(|word| CHANGE_WORDS.iter().any(|begin| word.starts_with(begin)))
}

/// How much the name looks like the time of the last change of the record; lower is better. None when it does not.
pub(super) fn change_rank(name: &ColumnName) -> Option<usize> {
    let is_of_the_record = words(own_name(name)).all(|word| {
        RECORD_WORDS.contains(&word) || CHANGE_WORDS.iter().any(|begin| word.starts_with(begin))
    });
    let is_nested = own_name(name).len() < name.as_str().len();
    is_change(name).then_some(usize::from(is_nested) * 2 + usize::from(!is_of_the_record))
}

/// How much the name looks like a key; lower is better. None when it does not.
pub(super) fn key_rank(name: &ColumnName) -> Option<usize> {
    if words(name.as_str()).any(|word| ATTRIBUTE_WORDS.contains(&word)) {
        return None;
    }
    let is_one_of = |endings: &[&str]| endings.iter().any(|ending| name.as_str().ends_with(ending));
    match name.as_str() {
        "id" => Some(0),
        "uuid" | "guid" | "uid" => Some(1),
        _ if is_one_of(&["_id", "_uuid", "_guid"]) => Some(2),
        "number" | "code" | "key" => Some(3),
        _ if is_one_of(&["_number", "_code", "_no"]) => Some(4),
        // `orderid`, but not `paid` or `valid`.
        word if word.len() > 5 && word.ends_with("id") && !word.contains('_') => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ColumnName {
        text.parse().unwrap()
    }

    #[test]
    fn f09_names_of_identifiers_are_told_from_those_of_amounts() {
        for identifier in [
            "iban",
            "supplier__bank__iban",
            "zip",
            "phone",
            "account_number",
            "payment_reference",
            "vat_number",
            "vat_id",
            "price_code",
            "total_no",
            "cost_center",
            "budget_owner",
            "price_group",
        ] {
            assert!(is_identifier(&name(identifier)), "{identifier}");
            assert!(!is_money(&name(identifier)), "{identifier}");
        }
        for counted in ["budget_year", "total__count"] {
            assert!(!is_money(&name(counted)) && !is_quantity(&name(counted)), "{counted}");
        }
        for time in ["paid_at", "net_date", "total__paid_on", "price_datetime"] {
            assert!(!is_money(&name(time)), "{time}");
        }
        for money in ["paid", "amount_due", "total_to"] {
            assert!(is_money(&name(money)), "{money}");
        }
        assert!(is_quantity(&name("order_total")) && !is_quantity(&name("price_list")));
        for amount in [
            "vat",
            "vat_amount",
            "contract_value",
            "line_tax",
            "total_amount",
            "reference_price",
            "account__balance",
        ] {
            assert!(!is_identifier(&name(amount)), "{amount}");
        }
    }

    #[test]
    fn f09_names_of_creation_go_before_others() {
        let mut names = [
            "updated_at",
            "due_date",
            "approved_at",
            "date_of_order",
            "issued_on",
            "created_on__date",
            "created_at",
            "supplier__created_at",
        ];
        names.sort_by_key(|text| creation_rank(&name(text)));
        assert_eq!(
            names,
            [
                "created_at",
                "created_on__date",
                "issued_on",
                "date_of_order",
                "supplier__created_at",
                "approved_at",
                "due_date",
                "updated_at"
            ]
        );
    }

    #[test]
    fn f09_names_of_keys_go_before_those_of_attributes() {
        for (text, rank) in [
            ("id", Some(0)),
            ("uid", Some(1)),
            ("order_id", Some(2)),
            ("order_no", Some(4)),
            ("orderid", Some(4)),
            ("vat_number", None),
            ("country_code", None),
            ("paid", None),
            ("valid", None),
        ] {
            assert_eq!(key_rank(&name(text)), rank, "{text}");
        }
    }

    #[test]
    fn f09_a_change_of_the_record_goes_before_one_of_a_part() {
        for (text, rank) in [
            ("updated_at", Some(0)),
            ("last_modified", Some(0)),
            ("price_changed_at", Some(1)),
            ("meta__updated", Some(2)),
            ("created_at", None),
            ("up_date", None),
        ] {
            assert_eq!(change_rank(&name(text)), rank, "{text}");
        }
    }
}
