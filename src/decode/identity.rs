//! A hash of a record, independent of key order and whitespace.

use std::collections::BTreeMap;

use blake3::Hasher;
use serde_json::value::RawValue;

/// The first 128 bits of a BLAKE3 hash. A key with a null value counts as missing.
///
/// # Errors
/// The text is not JSON.
pub(super) fn identity(record: &str) -> Result<u128, serde_json::Error> {
    let mut hasher = Hasher::new();
    add_value(&mut hasher, record)?;
    let hash = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    Ok(u128::from_be_bytes(bytes))
}

fn add_value(hasher: &mut Hasher, text: &str) -> Result<(), serde_json::Error> {
    match text.as_bytes().first() {
        Some(b'{') => {
            let object: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            hasher.update(b"{");
            for (key, value) in object.iter().filter(|(_, value)| value.get() != "null") {
                add_text(hasher, key);
                add_value(hasher, value.get())?;
            }
            hasher.update(b"}");
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            hasher.update(b"[");
            for item in items {
                add_value(hasher, item.get())?;
            }
            hasher.update(b"]");
        }
        Some(b'"') => add_text(hasher, &serde_json::from_str::<String>(text)?),
        _ => {
            hasher.update(text.as_bytes());
            hasher.update(b",");
        }
    }
    Ok(())
}

/// The length is a prefix, so different sequences of texts never have the same bytes.
fn add_text(hasher: &mut Hasher, text: &str) {
    hasher.update(b"\"");
    hasher.update(&(text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_order_of_keys_and_whitespace_change_no_identity() {
        let same = identity(r#"{"a":1.50,"b":{"c":"é","d":[1,null]}}"#).unwrap();
        assert_eq!(
            identity(r#"{ "b": {"d":[1 ,null],"c":"\u00e9"}, "a":1.50, "z":null }"#).unwrap(),
            same
        );
        assert_ne!(identity(r#"{"a":1.5,"b":{"c":"é","d":[1,null]}}"#).unwrap(), same);
    }
}
