//! JSON with its numbers as they are written, and where its scalars are. It shares no code with flowlake.

use std::fmt;

/// A value of JSON. Members keep their order.
#[derive(Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A step from a value into it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Key(String),
    Item(usize),
}

impl Json {
    /// Reads a text.
    ///
    /// # Panics
    /// It is not JSON.
    pub fn parse(text: &str) -> Self {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value();
        assert_eq!(parser.peek(), None, "behind the JSON: {text}");
        value
    }

    /// The same, or nothing when it is none.
    pub fn try_parse(text: &str) -> Option<Self> {
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok().map(|_| Self::parse(text))
    }

    /// The same with the members of all objects in order of their keys.
    pub fn sorted(&self) -> Self {
        match self {
            Self::List(items) => Self::List(items.iter().map(Self::sorted).collect()),
            Self::Object(members) => {
                let mut members: Vec<_> =
                    members.iter().map(|(key, value)| (key.clone(), value.sorted())).collect();
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                Self::Object(members)
            }
            scalar => scalar.clone(),
        }
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// What a path leads to.
    pub fn at(&self, steps: &[Step]) -> Option<&Self> {
        steps.iter().try_fold(self, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Item(position) => value.items().get(*position),
        })
    }

    /// Every scalar that is not null, with its path.
    pub fn leaves(&self) -> Vec<(Vec<Step>, &Self)> {
        let mut leaves = Vec::new();
        self.collect(&mut Vec::new(), &mut leaves);
        leaves
    }

    fn collect<'j>(&'j self, path: &mut Vec<Step>, leaves: &mut Vec<(Vec<Step>, &'j Self)>) {
        match self {
            Self::Null => {}
            Self::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    path.push(Step::Item(position));
                    item.collect(path, leaves);
                    path.pop();
                }
            }
            Self::Object(members) => {
                for (key, member) in members {
                    path.push(Step::Key(key.clone()));
                    member.collect(path, leaves);
                    path.pop();
                }
            }
            scalar => leaves.push((path.clone(), scalar)),
        }
    }
}

/// A path as a JSON Pointer.
pub fn pointer(steps: &[Step]) -> String {
    let token = |step: &Step| match step {
        Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Item(position) => format!("/{position}"),
    };
    steps.iter().map(token).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(items) => {
                f.write_str("[")?;
                for (number, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if number == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (number, (key, value)) in members.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is read from the left.
struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Takes a byte if it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> Json {
        match self.peek() {
            Some(b'{') => Json::Object(self.members()),
            Some(b'[') => Json::List(self.items()),
            Some(b'"') => Json::Text(self.string()),
            _ => self.word(),
        }
    }

    fn members(&mut self) -> Vec<(String, Json)> {
        let mut members = Vec::new();
        self.at += 1;
        while !self.takes(b'}') {
            assert_eq!(self.peek(), Some(b'"'), "a key at byte {}: {}", self.at, self.text);
            let key = self.string();
            assert!(self.takes(b':'), "a colon at byte {}: {}", self.at, self.text);
            members.push((key, self.value()));
            self.takes(b',');
        }
        members
    }

    fn items(&mut self) -> Vec<Json> {
        let mut items = Vec::new();
        self.at += 1;
        while !self.takes(b']') {
            items.push(self.value());
            self.takes(b',');
        }
        items
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        let bytes = self.text.as_bytes();
        while bytes[self.at] != b'"' {
            self.at += if bytes[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(&self.text[start..self.at]).unwrap()
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Json {
        let rest = &self.text[self.at..];
        let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        assert!(!word.is_empty(), "a value at byte {}: {}", self.at, self.text);
        self.at += word.len();
        match word {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            number => Json::Number(number.to_owned()),
        }
    }
}
