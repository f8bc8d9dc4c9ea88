//! Prints the JSON Schema of definitions: `make schema` keeps it in `docs/definition.schema.json`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write;
    let schema = serde_json::to_string_pretty(&flowlake::definition::json_schema())?;
    writeln!(std::io::stdout(), "{schema}")?;
    Ok(())
}
