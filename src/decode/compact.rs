//! Removes whitespace between JSON tokens.

/// JSON on one line. Strings, digits and the order of keys are unchanged.
#[must_use]
pub fn without_whitespace(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let stays = |character: &char| {
        let was_in_string = in_string;
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        was_in_string || !matches!(character, ' ' | '\n' | '\r' | '\t')
    };
    json.chars().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_goes_and_strings_stay() {
        let json = "{ \"a b\" : [ 1.50 ,\n\t\"x \\\" y\" ] }";
        assert_eq!(without_whitespace(json), "{\"a b\":[1.50,\"x \\\" y\"]}");
    }
}
