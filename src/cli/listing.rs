//! Listings: a table where it fits the terminal, otherwise a few lines for each row.

use comfy_table::{CellAlignment, Table, presets};

use super::screen;

/// Rows with a heading for each of their cells. The first cell says what the row is about.
pub(super) struct Listing {
    headings: Vec<&'static str>,
    /// The columns of numbers.
    numbers: std::ops::Range<usize>,
    rows: Vec<Vec<String>>,
}

impl Listing {
    /// No rows yet.
    pub(super) fn new(headings: Vec<&'static str>, numbers: std::ops::Range<usize>) -> Self {
        Self { headings, numbers, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines for stdout.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines_within(screen::width())
    }

    /// The lines for a terminal of this width; for a file, where there is none.
    fn lines_within(&self, width: Option<usize>) -> Vec<String> {
        let table = self.as_table();
        match width {
            Some(width) if table.iter().any(|line| line.chars().count() > width) => {
                self.rows.iter().flat_map(|row| self.as_lines(row, width)).collect()
            }
            _ => table,
        }
    }

    fn as_table(&self) -> Vec<String> {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(self.headings.clone());
        for row in &self.rows {
            table.add_row(row);
        }
        let numbers = table.column_iter_mut().enumerate();
        for (_, column) in numbers.filter(|(position, _)| self.numbers.contains(position)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The first cell, then the others with their headings, as many on a line as fit.
    fn as_lines(&self, row: &[String], width: usize) -> Vec<String> {
        let Some((first, others)) = row.split_first() else { return Vec::new() };
        let mut lines = vec![first.clone()];
        let named = self.headings.iter().skip(1).zip(others).filter(|(_, cell)| !cell.is_empty());
        for (heading, cell) in named {
            let part = format!("{heading} {cell}");
            match lines.last_mut() {
                Some(line)
                    if line.starts_with(' ')
                        && line.chars().count() + 2 + part.chars().count() <= width =>
                {
                    line.push_str(", ");
                    line.push_str(&part);
                }
                _ => lines.push(format!("  {part}")),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Listing {
        let mut rows = Listing::new(vec!["table", "received", "rows", "outcome"], 1..3);
        rows.add(["orders", "1,200", "25", "committed"].map(str::to_owned).to_vec());
        rows.add(["order_lines", "3", "1,000", ""].map(str::to_owned).to_vec());
        rows
    }

    #[test]
    fn f10_rows_are_a_table_where_it_fits() {
        let table = [
            " table        received   rows  outcome",
            " orders          1,200     25  committed",
            " order_lines         3  1,000",
        ];
        assert_eq!(rows().lines_within(None), table);
        assert_eq!(rows().lines_within(Some(41)), table);
    }

    #[test]
    fn f10_rows_are_lines_where_a_table_does_not_fit() {
        let lines = [
            "orders",
            "  received 1,200, rows 25",
            "  outcome committed",
            "order_lines",
            "  received 3, rows 1,000",
        ];
        assert_eq!(rows().lines_within(Some(30)), lines);
        // A cell that is wider than the terminal stays whole.
        assert!(rows().lines_within(Some(5)).contains(&"  outcome committed".to_owned()));
    }
}
