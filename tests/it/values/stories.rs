//! Random stories: a table, and nights of records whose members mostly have one type and shape each, and now and then
//! any other.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::json::Json;
use super::story::{Contract, Disposition, Story};

/// Keys of objects. Some become one name, and some are names that lists and scalars get.
const KEYS: [&str; 6] = ["a", "b", "value", "items", "aB", "a_b"];

/// Keys of records: also one that the directories of partitions need as a name.
const TOP_KEYS: [&str; 7] = ["a", "b", "value", "items", "aB", "a_b", "atMonth"];

/// The most records of a night, besides one that has everything.
const RECORDS: usize = 3;

/// A type that scalars of a column may have.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Int,
    Double,
    Decimal,
    Date,
    Timestamp,
    Text,
}

const KINDS: [Kind; 7] =
    [Kind::Bool, Kind::Int, Kind::Double, Kind::Decimal, Kind::Date, Kind::Timestamp, Kind::Text];

/// What is usual under a key.
#[derive(Debug, Clone)]
enum Shape {
    Scalar(Kind),
    List(Box<Shape>),
    Object(Vec<(&'static str, Shape)>),
}

/// Scalars at the edges of types.
const EDGES: [&str; 36] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1E400",
    "-1e-400",
    "5e-324",
    "1.7976931348623157e308",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "99999999999999999999999999999999999999",
    "100000000000000000000000000000000000000",
    "0.00000000000000000000000000000000000001",
    "123456789.123456789123456789",
    "0.30000000000000004",
    "1e2",
    "1.10",
    "2.5e-8",
    "\"\"",
    "\"12\"",
    "\"1.50\"",
    "\"true\"",
    "\"null\"",
    "\"TBD\"",
    "\"2026-02-30\"",
    "\"0001-01-01\"",
    "\"9999-12-31\"",
    "\"0000-01-01\"",
    "\"9999-12-31T23:59:59-12:00\"",
    "\"2026-10-05T14:03:07.123456789Z\"",
    "\"2026-10-05 16:03:07+02:00\"",
    "\"2026-10-05T14:03:07\"",
    "\"[1]\"",
];

impl Kind {
    /// One of its scalars. All of them are of one column type, whatever others there are.
    fn scalar(self, number: u64) -> Json {
        let (small, two) = (number % 1000, number % 28 + 1);
        match self {
            Self::Bool => Json::Bool(number % 2 == 1),
            Self::Int => Json::Number(small.to_string()),
            Self::Double => Json::Number(format!("{small}.{}", number % 9 + 1)),
            Self::Decimal => {
                Json::Number(format!("{}.000000000000000{:03}7", number % 900 + 1, number % 499))
            }
            Self::Date => Json::Text(format!("2026-{:02}-{two:02}", number % 12 + 1)),
            Self::Timestamp => {
                let zone = ["Z", ".5Z", "+02:00", "", ".123456Z"][(number % 5) as usize];
                Json::Text(format!("2026-10-{two:02}T14:03:{:02}{zone}", number % 60))
            }
            Self::Text => Json::Text(format!("t{small} é\"")),
        }
    }

    /// The kind of a scalar as it was made.
    fn of(scalar: &Json) -> Option<Self> {
        match scalar {
            Json::Bool(_) => Some(Self::Bool),
            Json::Number(text) => match text.split_once('.') {
                None => (text.len() < 4 && text != "-0").then_some(Self::Int),
                Some((whole, fraction)) if whole.len() < 4 => match fraction.len() {
                    1 if fraction != "0" => Some(Self::Double),
                    19 if whole != "0"
                        && fraction.starts_with("000000000000000")
                        && fraction.ends_with('7') =>
                    {
                        Some(Self::Decimal)
                    }
                    _ => None,
                },
                Some(_) => None,
            },
            Json::Text(text) if text.ends_with(" é\"") => Some(Self::Text),
            Json::Text(text) if text.starts_with("2026-10-") && text.contains("T14:03:") => {
                (text.len() < 28).then_some(Self::Timestamp)
            }
            Json::Text(text) if text.starts_with("2026-") && text.len() == 10 => {
                (text != "2026-02-30").then_some(Self::Date)
            }
            _ => None,
        }
    }
}

impl Shape {
    /// A value that shows all of it.
    fn full(&self, number: u64) -> Json {
        match self {
            Self::Scalar(kind) => kind.scalar(number),
            Self::List(items) => Json::List(vec![items.full(number), items.full(number + 1)]),
            Self::Object(members) => {
                let members = members.iter();
                Json::Object(
                    members.map(|(key, shape)| ((*key).to_owned(), shape.full(number))).collect(),
                )
            }
        }
    }

    fn fits(&self, value: &Json) -> bool {
        match (self, value) {
            (_, Json::Null) => true,
            (_, Json::List(items)) if items.is_empty() => true,
            (_, Json::Object(members)) if members.is_empty() => true,
            (Self::Scalar(kind), scalar) => Kind::of(scalar) == Some(*kind),
            (Self::List(shape), Json::List(items)) => items.iter().all(|item| shape.fits(item)),
            (Self::Object(known), Json::Object(members)) => members.iter().all(|(key, value)| {
                known.iter().any(|(known, shape)| known == key && shape.fits(value))
            }),
            _ => false,
        }
    }

    /// Its values; any of them may be missing or empty.
    fn values(&self) -> BoxedStrategy<Json> {
        let nothing = select(vec![Json::Null, Json::List(Vec::new()), Json::Object(Vec::new())]);
        let something = match self {
            Self::Scalar(kind) => {
                let kind = *kind;
                any::<u64>().prop_map(move |number| kind.scalar(number)).boxed()
            }
            Self::List(items) => {
                prop::collection::vec(items.values(), 0..3).prop_map(Json::List).boxed()
            }
            Self::Object(members) => {
                let keys: Vec<&'static str> = members.iter().map(|(key, _)| *key).collect();
                let values: Vec<_> = members
                    .iter()
                    .map(|(_, shape)| prop::option::weighted(0.9, shape.values()))
                    .collect();
                values.prop_map(move |values| object(&keys, values)).boxed()
            }
        };
        prop_oneof![12 => something, 1 => nothing].boxed()
    }
}

/// The members that are there.
fn object(keys: &[&'static str], values: Vec<Option<Json>>) -> Json {
    let members = keys.iter().zip(values);
    Json::Object(members.filter_map(|(key, value)| Some(((*key).to_owned(), value?))).collect())
}

fn shape() -> impl Strategy<Value = Shape> {
    let scalar = select(KINDS.to_vec()).prop_map(Shape::Scalar);
    scalar.prop_recursive(3, 6, 2, |inner| {
        let members = prop::sample::subsequence(KEYS.to_vec(), 1..3);
        let values = prop::collection::vec(inner.clone(), 2);
        prop_oneof![
            1 => inner.clone(),
            2 => inner.prop_map(|shape| Shape::List(Box::new(shape))),
            2 => (members, values)
                .prop_map(|(keys, shapes)| Shape::Object(keys.into_iter().zip(shapes).collect())),
        ]
    })
}

/// Any value.
fn wild() -> BoxedStrategy<Json> {
    let typed =
        (select(KINDS.to_vec()), any::<u64>()).prop_map(|(kind, number)| kind.scalar(number));
    let edge = select(EDGES.to_vec()).prop_map(Json::parse);
    let scalar = prop_oneof![3 => typed, 2 => edge, 1 => Just(Json::Null)];
    let value = scalar.prop_recursive(3, 8, 3, |inner| {
        let keys = prop::sample::subsequence(KEYS.to_vec(), 0..3);
        let values = prop::collection::vec(prop::option::weighted(0.9, inner.clone()), 3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Json::List),
            (keys, values).prop_map(|(keys, values)| object(&keys, values)),
        ]
    });
    value.boxed()
}

/// A record that a story makes its own: its key and its time, and its members.
#[derive(Debug, Clone)]
struct Draft {
    id: u64,
    /// One in some number is null.
    odd: u8,
    at: u64,
    members: Json,
    /// The record of the night before that has this key comes again, if there is one.
    is_again: bool,
}

fn drafts(known: &[(&'static str, Shape)], odd: u32) -> BoxedStrategy<Draft> {
    let keys: Vec<&'static str> = known.iter().map(|(key, _)| *key).collect();
    let values: Vec<_> = known
        .iter()
        .map(|(_, shape)| {
            let value = match odd {
                0 => shape.values(),
                odd => prop_oneof![odd => wild(), 10 => shape.values()].boxed(),
            };
            prop::option::weighted(0.9, value)
        })
        .collect();
    (0..6_u64, any::<u8>(), 0..3_u64, values, prop::bool::weighted(0.3))
        .prop_map(move |(id, odd, at, values, is_again)| Draft {
            id,
            odd,
            at,
            members: object(&keys, values),
            is_again,
        })
        .boxed()
}

/// What a story is made of.
#[derive(Debug, Clone)]
struct Outline {
    disposition: Disposition,
    contract: Contract,
    has_key: bool,
    is_partitioned: bool,
    /// Whether the key is text.
    has_text_key: bool,
    declared: Option<(&'static str, &'static str)>,
    known: Vec<(&'static str, Shape)>,
    /// What keys begin with.
    first_key: u64,
}

impl Outline {
    /// The record of a draft in a night.
    fn record(&self, draft: &Draft, night: usize, position: usize) -> Json {
        let is_new =
            matches!(self.disposition, Disposition::Append | Disposition::OverwritePartitions);
        let id = self.first_key + if is_new { (night * 100 + position) as u64 } else { draft.id };
        let id = match (draft.odd, self.has_key) {
            (0..3, true) => Json::Null,
            _ if self.has_text_key => Json::Text(format!("k{id}")),
            _ => Json::Number(id.to_string()),
        };
        let at = match draft.at {
            0 if draft.odd < 128 => Json::Null,
            at => Json::Text(format!("2026-0{}-0{}", at % 2 + 1, draft.odd % 9 + 1)),
        };
        let mut members = vec![("id".to_owned(), id), ("at".to_owned(), at)];
        if let Json::Object(own) = &draft.members {
            members.extend(own.iter().cloned());
        }
        Json::Object(members)
    }

    /// A record that shows all that is known.
    fn full(&self, night: usize) -> Json {
        let number = night as u64;
        let known = self.known.iter();
        let members = known.map(|(key, shape)| ((*key).to_owned(), shape.full(number)));
        let draft = Draft {
            id: 10,
            odd: 255,
            at: number % 2 + 1,
            members: Json::Object(members.collect()),
            is_again: false,
        };
        self.record(&draft, night, 99)
    }

    fn night(&self, drafts: &[Draft], night: usize, before: &[Json]) -> Vec<Json> {
        let mut records: Vec<Json> = Vec::new();
        for (position, draft) in drafts.iter().enumerate() {
            let mut record = self.record(draft, night, position);
            let same = before.iter().find(|before| before.get("id") == record.get("id"));
            record = same.filter(|_| draft.is_again).cloned().unwrap_or(record);
            // Only a merge says what becomes of two records with one key.
            let is_known = |other: &Json| other.get("id") == record.get("id");
            if self.disposition == Disposition::Merge || !records.iter().any(is_known) {
                records.push(record);
            }
        }
        records.push(self.full(night));
        records
    }

    fn story(&self, nested: &'static str, nights: Vec<(bool, Vec<Draft>)>) -> Story {
        let mut told: Vec<Option<Vec<Json>>> = Vec::new();
        for (night, (runs, drafts)) in nights.into_iter().enumerate() {
            let before = told.iter().flatten().next_back().map(Vec::as_slice).unwrap_or_default();
            let records = runs.then(|| self.night(&drafts, night, before));
            told.push(records);
        }
        let known = self.clone();
        Story {
            disposition: self.disposition,
            contract: self.contract,
            nested,
            key: "id",
            has_key: self.has_key,
            is_partitioned: self.is_partitioned,
            declared: self.declared,
            nights: told,
            is_sound: Arc::new(move |record| known.is_sound(record, nested)),
        }
    }

    fn is_sound(&self, record: &Json, nested: &str) -> bool {
        let Json::Object(members) = record else { return false };
        members.iter().all(|(key, value)| match key.as_str() {
            "id" => *value != Json::Null,
            "at" => true,
            // What says nothing elsewhere does not fit a declared scalar.
            "d" if self.declared.is_some() && is_nested(value) => false,
            key if nested == "json" && is_nested(value) => {
                self.known.iter().any(|(known, shape)| {
                    *known == key && !matches!(shape, Shape::Scalar(_)) && shape.fits(value)
                })
            }
            key => self.known.iter().any(|(known, shape)| *known == key && shape.fits(value)),
        })
    }
}

fn is_nested(value: &Json) -> bool {
    matches!(value, Json::List(_) | Json::Object(_))
}

/// The usual kind of a member `d`, and the type it is declared as.
fn declared() -> impl Strategy<Value = Option<(Kind, &'static str)>> {
    let types = vec![
        (Kind::Double, "decimal(18,2)"),
        (Kind::Double, "float64"),
        (Kind::Int, "int64"),
        (Kind::Int, "decimal(18,2)"),
        (Kind::Date, "date"),
        (Kind::Timestamp, "timestamp"),
        (Kind::Text, "string"),
        (Kind::Bool, "bool"),
        (Kind::Decimal, "string"),
    ];
    prop::option::weighted(0.3, select(types))
}

fn outline(
    contract: BoxedStrategy<Contract>,
    dispositions: &[Disposition],
    first_key: u64,
) -> impl Strategy<Value = Outline> + use<> {
    let keys = prop::sample::subsequence(TOP_KEYS.to_vec(), 1..3);
    let shapes = prop::collection::vec(shape(), 2);
    let said = (
        select(dispositions.to_vec()),
        contract,
        (any::<bool>(), prop::bool::weighted(0.3), any::<bool>()),
        declared(),
    );
    (said, keys, shapes).prop_map(
        move |((disposition, contract, words, declared), keys, shapes)| {
            let mut known: Vec<(&'static str, Shape)> = keys.into_iter().zip(shapes).collect();
            known.extend(declared.map(|(kind, _)| ("d", Shape::Scalar(kind))));
            let (has_key, is_partitioned, has_text_key) = words;
            Outline {
                disposition,
                contract,
                has_key: has_key || disposition == Disposition::Merge,
                is_partitioned: is_partitioned || disposition == Disposition::OverwritePartitions,
                has_text_key,
                declared: declared.map(|(_, column_type)| ("d", column_type)),
                known,
                first_key,
            }
        },
    )
}

/// Stories of so many nights. Their keys are larger than `first_key`.
pub fn stories(
    nested: &'static str,
    contract: BoxedStrategy<Contract>,
    dispositions: &[Disposition],
    first_key: u64,
    nights: usize,
) -> impl Strategy<Value = Story> + use<> {
    // How many values in so many are odd, on the first night and later.
    let odd = select(vec![(0, 0), (0, 1), (0, 1), (0, 4), (2, 4), (40, 40)]);
    (outline(contract, dispositions, first_key), odd).prop_flat_map(
        move |(outline, (at_first, later))| {
            let night = |odd| prop::collection::vec(drafts(&outline.known, odd), 0..=RECORDS);
            let rest =
                prop::collection::vec((prop::bool::weighted(0.95), night(later)), nights - 1);
            (night(at_first), rest).prop_map(move |(first, rest)| {
                // All tables of a lake begin in one night.
                let nights = std::iter::once((true, first)).chain(rest);
                outline.story(nested, nights.collect())
            })
        },
    )
}
