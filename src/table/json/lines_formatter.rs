//! How flowlake's own files are laid out: a member per line, and a line for each object of a list. A manifest has a line
//! per file: three quarters of the bytes of usual indentation, and fit for `grep`.

use std::io::{self, Write};

use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Writes an object within a list on one line, all else indented.
#[derive(Default)]
pub(super) struct LinesFormatter {
    indented: PrettyFormatter<'static>,
    /// What is open and indented: whether each is a list.
    lists: Vec<bool>,
    /// How many objects and lists are open on this line.
    on_line: usize,
}

impl LinesFormatter {
    /// Writes with one of the two formatters: indented, or on the line that is open.
    fn write<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        indented: impl FnOnce(&mut PrettyFormatter<'static>, &mut W) -> io::Result<()>,
        on_line: impl FnOnce(&mut CompactFormatter, &mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.on_line == 0 {
            indented(&mut self.indented, writer)
        } else {
            on_line(&mut CompactFormatter, writer)
        }
    }

    fn begin(&mut self, is_list: bool) {
        if self.on_line > 0 || (!is_list && self.lists.last() == Some(&true)) {
            self.on_line += 1;
        } else {
            self.lists.push(is_list);
        }
    }

    fn end(&mut self) {
        if self.on_line > 0 {
            self.on_line -= 1;
        } else {
            self.lists.pop();
        }
    }
}

impl Formatter for LinesFormatter {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(true);
        self.write(writer, Formatter::begin_array, Formatter::begin_array)
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.write(writer, Formatter::end_array, Formatter::end_array)?;
        self.end();
        Ok(())
    }

    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.write(
            writer,
            |it, to| it.begin_array_value(to, first),
            |it, to| it.begin_array_value(to, first),
        )
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.write(writer, Formatter::end_array_value, Formatter::end_array_value)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(false);
        self.write(writer, Formatter::begin_object, Formatter::begin_object)
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.write(writer, Formatter::end_object, Formatter::end_object)?;
        self.end();
        Ok(())
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.write(
            writer,
            |it, to| it.begin_object_key(to, first),
            |it, to| it.begin_object_key(to, first),
        )
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.write(writer, Formatter::begin_object_value, Formatter::begin_object_value)
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.write(writer, Formatter::end_object_value, Formatter::end_object_value)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_a_list_is_one_line() {
        let value = json!({ "files": [{ "a": [1, {}] }, { "b": { "c": null } }], "none": [], "n": [1], "o": { "p": {} } });
        let mut text = Vec::new();
        let formatter = LinesFormatter::default();
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter)).unwrap();
        let lines = [
            "{",
            "  \"files\": [",
            "    {\"a\":[1,{}]},",
            "    {\"b\":{\"c\":null}}",
            "  ],",
            "  \"n\": [",
            "    1",
            "  ],",
            "  \"none\": [],",
            "  \"o\": {",
            "    \"p\": {}",
            "  }",
            "}",
        ];
        assert_eq!(String::from_utf8(text).unwrap(), lines.join("\n"));
    }
}
