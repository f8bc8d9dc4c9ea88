//! Where each scalar of a record is in the tables, by the rules that the README tells a reader, as the `parquet` crate
//! reads the files. It shares no code with flowlake, and takes a value wherever a layout may have it: the same value in
//! the cell of its path, in a column, or in a row of a child table.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::json::{Json, Step, pointer};
use super::nights::type_text;
use super::places::{Cell, Places};
use super::same::{Closeness, is_same};

/// A table as its files have it.
pub struct Read {
    name: String,
    /// Its columns with their types.
    pub columns: Vec<(String, String)>,
    /// How many of the first columns are the key of a child row.
    keys: usize,
    pub rows: Vec<Vec<Field>>,
    /// The columns of a name, with those that a suffix tells apart.
    named: HashMap<String, Vec<usize>>,
    /// The row of a key. A table without a parent has the texts of its key column.
    by_key: HashMap<Vec<String>, usize>,
}

/// The tables of one root.
pub struct Tables {
    all: Vec<Read>,
    named: HashMap<String, Vec<usize>>,
    root: usize,
}

/// How the search reads what it finds.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub closeness: Closeness,
    /// Objects and lists are texts of JSON, `nested = "json"`.
    pub in_text: bool,
}

/// What a record should be in the tables, and is not.
#[derive(Debug, Default)]
pub struct Difference {
    /// Pointers of scalars that are in no cell, and what they are.
    pub lost: Vec<(String, String)>,
    /// Values in cells that no scalar explains.
    pub invented: Vec<String>,
}

impl Tables {
    /// Reads the files of a table and its child tables; `key` is the column that tells the records apart.
    pub fn read(
        files: &BTreeMap<String, Vec<Bytes>>,
        root: &str,
        key: &str,
    ) -> Result<Self, String> {
        let below = format!("{root}__");
        let own = files.iter().filter(|(name, _)| *name == root || name.starts_with(&below));
        let tables = own.map(|(name, files)| Read::of(name, files, key));
        let all: Vec<Read> = tables.collect::<Result<_, _>>()?;
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, table) in all.iter().enumerate() {
            for name in names(&table.name) {
                named.entry(name).or_default().push(position);
            }
        }
        let root = all.iter().position(|table| table.name == root).unwrap_or(usize::MAX);
        Ok(Self { all, named, root })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Read> {
        self.all.iter()
    }

    /// The keys of the records in the table.
    pub fn records(&self) -> Vec<String> {
        let rows = self.all.get(self.root).map(|root| &root.by_key);
        rows.into_iter().flat_map(|rows| rows.keys().map(|key| key[0].clone())).collect()
    }

    /// How a record differs from what its row and its child rows say. What waits in quarantine may be lost; where it may
    /// also be another scalar's cell, it is that one's.
    pub fn compare(
        &self,
        key: &str,
        record: &Json,
        reading: impl Fn(&[Step]) -> Reading,
        waits: impl Fn(&str) -> bool,
    ) -> Difference {
        let mut difference = Difference::default();
        let Some(root) = self.all.get(self.root) else {
            difference.invented.push("there is no table".to_owned());
            return difference;
        };
        let Some(row) = root.by_key.get(&vec![key.to_owned()]) else {
            difference.invented.push("there is no row".to_owned());
            return difference;
        };
        let key = root.row_id(*row);
        let mut places = Places::default();
        let (waiting, others): (Vec<_>, Vec<_>) =
            record.leaves().into_iter().partition(|(path, _)| waits(&pointer(path)));
        let first_waiting = others.len();
        for (number, (path, leaf)) in others.into_iter().chain(waiting).enumerate() {
            let (reading, found) = (reading(&path), Vec::new());
            let mut search = Search { tables: self, leaf, record, path: &path, reading, found };
            let place =
                Place { table: self.root, row: *row, key: vec![key.clone()], name: String::new() };
            search.in_row(&place, &path);
            if !places.add(search.found) && number < first_waiting {
                difference.lost.push((pointer(&path), leaf.to_string()));
            }
        }
        if let Json::Object(members) = record {
            root.take_empty(*row, members, &mut places);
        }
        for table in &self.all {
            for (position, row) in table.rows.iter().enumerate() {
                if table.row_id(position) == key {
                    table.invented(row, &places, &mut difference.invented);
                }
            }
        }
        difference
    }

    /// Child rows of no record.
    pub fn orphans(&self) -> Vec<String> {
        let Some(root) = self.all.get(self.root) else { return Vec::new() };
        let known: HashSet<String> = (0..root.rows.len()).map(|row| root.row_id(row)).collect();
        let mut orphans = Vec::new();
        for table in self.all.iter().filter(|table| table.keys > 0) {
            let rows = (0..table.rows.len()).map(|row| table.row_id(row));
            let rows = rows.filter(|key| !known.contains(key));
            orphans.extend(rows.map(|key| format!("a row of {} belongs to {key}", table.name)));
        }
        orphans
    }
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|(name, column_type)| format!("{name} {column_type}"))
            .collect();
        writeln!(f, "{}: {}", self.name, columns.join(", "))?;
        for row in &self.rows {
            let values: Vec<String> = row.iter().map(Field::to_string).collect();
            writeln!(f, "    {}", values.join(" | "))?;
        }
        Ok(())
    }
}

impl Read {
    pub fn name(&self) -> &str {
        &self.name
    }

    fn of(name: &str, files: &[Bytes], key: &str) -> Result<Self, String> {
        let mut table = Self {
            name: name.to_owned(),
            columns: Vec::new(),
            keys: 0,
            rows: Vec::new(),
            named: HashMap::new(),
            by_key: HashMap::new(),
        };
        for (number, file) in files.iter().enumerate() {
            let reader =
                SerializedFileReader::new(file.clone()).map_err(|error| error.to_string())?;
            let schema = reader.metadata().file_metadata().schema_descr().root_schema_ptr();
            let fields = schema.get_fields().iter();
            let columns: Vec<(String, String)> =
                fields.map(|field| (field.name().to_owned(), type_text(field))).collect();
            if number > 0 && columns != table.columns {
                return Err(format!("P5: {name} has files of {:?} and {columns:?}", table.columns));
            }
            table.columns = columns;
            for row in reader.get_row_iter(None).map_err(|error| error.to_string())? {
                let row = row.map_err(|error| format!("{name}: {error}"))?;
                table.rows.push(row.into_columns().into_iter().map(|(_, value)| value).collect());
            }
        }
        table.index(key)?;
        Ok(table)
    }

    fn index(&mut self, key: &str) -> Result<(), String> {
        let position = |name: &str| self.columns.iter().position(|(column, _)| column == name);
        let is_child = self.name.contains("__");
        self.keys = if is_child { position("_index").map_or(0, |index| index + 1) } else { 0 };
        let identifying = match position(key) {
            _ if is_child => (0..self.keys).collect(),
            Some(key) => vec![key],
            None if self.rows.is_empty() => Vec::new(),
            None => return Err(format!("{} has no {key}", self.name)),
        };
        for (number, row) in self.rows.iter().enumerate() {
            let key: Vec<String> =
                identifying.iter().map(|column| key_text(&row[*column])).collect();
            if self.by_key.insert(key.clone(), number).is_some() {
                return Err(format!("{} has two rows {key:?}", self.name));
            }
        }
        for (number, (column, _)) in self.columns.iter().enumerate().skip(self.keys) {
            for name in names(column).into_iter().filter(|name| !name.starts_with("_flowlake_")) {
                self.named.entry(name).or_default().push(number);
            }
        }
        Ok(())
    }

    /// What the child rows of a row's record refer to.
    fn row_id(&self, row: usize) -> String {
        let own = self.columns.iter().position(|(name, _)| name == "_flowlake_id");
        match (self.keys, own) {
            (0, Some(column)) => key_text(&self.rows[row][column]),
            (0, None) => self.by_key.iter().find(|(_, at)| **at == row).unwrap().0[0].clone(),
            _ => key_text(&self.rows[row][0]),
        }
    }

    /// Takes texts of JSON that say what holds no scalar, as `[null]`.
    fn take_empty(&self, row: usize, members: &[(String, Json)], places: &mut Places) {
        for (key, member) in members.iter().filter(|(_, member)| member.leaves().is_empty()) {
            for column in self.named.get(&snake_case(key)).into_iter().flatten() {
                let value = &self.rows[row][*column];
                if matches!(value, Field::Str(text) if *text == member.sorted().to_string()) {
                    places.take(value, format!("/{key}"));
                }
            }
        }
    }

    fn invented(&self, row: &[Field], places: &Places, invented: &mut Vec<String>) {
        for (field, (name, _)) in row.iter().zip(&self.columns).skip(self.keys) {
            if !name.starts_with("_flowlake_") {
                let mut values = Vec::new();
                scalars(field, &mut values);
                let more = values.into_iter().filter(|value| !places.are_taken(*value));
                invented.extend(more.map(|value| format!("{value:?} in {}.{name}", self.name)));
            }
        }
    }
}

/// The values in a cell that are neither null, lists nor objects.
fn scalars<'f>(field: &'f Field, values: &mut Vec<&'f Field>) {
    match field {
        Field::Null => {}
        Field::ListInternal(list) => list.elements().iter().for_each(|item| scalars(item, values)),
        Field::Group(object) => {
            for (_, field) in object.get_column_iter() {
                scalars(field, values);
            }
        }
        scalar => values.push(scalar),
    }
}

fn key_text(field: &Field) -> String {
    if let Field::Str(text) = field { text.clone() } else { field.to_string() }
}

/// What a name may stand for: itself, and without the hash that tells two paths of one name apart.
fn names(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    for digits in [4, 8] {
        let Some((front, hash)) = name.split_at_checked(name.len().saturating_sub(digits)) else {
            continue;
        };
        if front.ends_with('_') && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            names.push(front.trim_end_matches('_').to_owned());
        }
    }
    names
}

/// A key as a name: words in lower case with underscores between them.
fn snake_case(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    let mut name = String::new();
    for (position, character) in characters.iter().enumerate() {
        let before = position.checked_sub(1).map(|before| characters[before]);
        let begins_word = before.is_some_and(|before| {
            let ends_acronym = before.is_uppercase()
                && characters.get(position + 1).is_some_and(|after| after.is_lowercase());
            character.is_uppercase()
                && (before.is_lowercase() || before.is_numeric() || ends_acronym)
        });
        if (begins_word || !character.is_alphanumeric()) && !name.ends_with('_') && !name.is_empty()
        {
            name.push('_');
        }
        if character.is_alphanumeric() {
            name.extend(character.to_lowercase());
        }
    }
    let name = name.trim_end_matches('_');
    if name.starts_with(|first: char| first.is_numeric()) {
        format!("_{name}")
    } else {
        name.to_owned()
    }
}

/// A place in a table: a row, and the beginning of a column's name.
struct Place {
    table: usize,
    row: usize,
    key: Vec<String>,
    name: String,
}

/// Looks for one scalar of a record.
struct Search<'a> {
    tables: &'a Tables,
    leaf: &'a Json,
    record: &'a Json,
    path: &'a [Step],
    reading: Reading,
    /// The values that say what it says where it may be, each with the place in the record that it is the value of.
    found: Vec<(Cell, String)>,
}

impl Search<'_> {
    /// Looks in the columns of the row, and in rows below.
    fn in_row(&mut self, place: &Place, steps: &[Step]) {
        let tables = self.tables;
        let table = &tables.all[place.table];
        let is_key = matches!(steps.first(), Some(Step::Key(_)));
        if !(place.name.is_empty() && is_key) {
            let name = if place.name.is_empty() { "value" } else { &place.name };
            let row = &table.rows[place.row];
            for column in table.named.get(name).into_iter().flatten() {
                self.in_value(&row[*column], steps);
            }
            self.in_child(place, &format!("{}__{name}", table.name), steps);
        }
        let Some((Step::Key(key), rest)) = steps.split_first() else { return };
        let key = snake_case(key);
        let name = if place.name.is_empty() { key } else { format!("{}__{key}", place.name) };
        self.in_row(&Place { name, key: place.key.clone(), ..*place }, rest);
    }

    /// The same in a child table: an item of a list, or what stands alone where others have lists.
    fn in_child(&mut self, place: &Place, name: &str, steps: &[Step]) {
        let tables = self.tables;
        let (position, rest) = match steps.split_first() {
            Some((Step::Item(position), rest)) => (*position, rest),
            _ => (0, steps),
        };
        let key = [place.key.as_slice(), &[position.to_string()]].concat();
        for child in tables.named.get(name).into_iter().flatten() {
            if let Some(row) = tables.all[*child].by_key.get(&key) {
                let below =
                    Place { table: *child, row: *row, key: key.clone(), name: String::new() };
                self.in_row(&below, rest);
            }
        }
    }

    /// The same in a value: a scalar, a list or an object.
    fn in_value(&mut self, value: &Field, steps: &[Step]) {
        match value {
            Field::ListInternal(list) => {
                let items = list.elements();
                if let Some((Step::Item(position), rest)) = steps.split_first()
                    && let Some(item) = items.get(*position)
                {
                    self.in_value(item, rest);
                }
                // Where others have lists, one value is a list of one.
                if let [item] = items {
                    self.in_value(item, steps);
                }
            }
            Field::Group(object) => {
                // A scalar may have been a list of one before others had objects.
                let (fields, rest) = match steps.split_first() {
                    None => (vec!["value".to_owned(), "items".to_owned()], steps),
                    Some((Step::Item(_), _)) => (vec!["items".to_owned()], steps),
                    Some((Step::Key(key), rest)) => (vec![snake_case(key)], rest),
                };
                if let Some((Step::Item(_), rest)) = steps.split_first() {
                    // An object in a list, where others have it alone.
                    self.in_value(value, rest);
                }
                for (name, value) in object.get_column_iter() {
                    if names(name).iter().any(|name| fields.contains(name)) {
                        self.in_value(value, rest);
                    }
                }
            }
            Field::Str(text) if !steps.is_empty() || self.reading.in_text => {
                self.in_json(value, text, steps);
            }
            scalar => {
                if steps.is_empty() && is_same(scalar, self.leaf, self.reading.closeness) {
                    self.found.push((scalar, pointer(self.path)));
                }
            }
        }
    }

    /// The same in a text of JSON, which has to be all that stood there.
    fn in_json(&mut self, value: &Field, text: &str, steps: &[Step]) {
        let path = &self.path[..self.path.len() - steps.len()];
        let is_text = || {
            self.record.at(path).is_some_and(|stood| {
                matches!(stood, Json::List(_) | Json::Object(_))
                    && Json::try_parse(text).as_ref() == Some(&stood.sorted())
            })
        };
        let is_it = self.reading.in_text
            && if steps.is_empty() {
                is_same(value, self.leaf, self.reading.closeness)
            } else {
                is_text()
            };
        if is_it {
            self.found.push((value, pointer(path)));
        }
    }
}
