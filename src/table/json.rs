//! JSON: reads and writes flowlake's own small files.
//!
//! Each says its version. A newer one is refused: writing it back would lose what this flowlake does not know.
//!
//! The last member of each, `blake3`, is the hash of the text without it. A flipped bit that leaves valid JSON would
//! otherwise move a watermark, or let a commit remove another file. A file without the member, as a person may write it,
//! is taken as it is.

mod lines_formatter;

use bytes::Bytes;
use object_store::path::Path;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use self::lines_formatter::LinesFormatter;
use super::CommitError;

/// What ends a file before its hash, and after it.
const SEAL: (&[u8], &[u8]) = (b",\n  \"blake3\": \"", b"\"\n}");
/// The end of a file without its hash.
const END: &[u8] = b"\n}";
/// How many digits a hash has.
const HASH_DIGITS: usize = 2 * blake3::OUT_LEN;

/// A file of flowlake's own that says its version.
pub(super) trait Versioned: Serialize + DeserializeOwned {
    /// The version that this flowlake reads and writes.
    const VERSION: u32;
}

/// The text of a file within another one, byte for byte.
#[derive(Debug, Clone)]
pub(super) struct Embedded(pub(super) Bytes);

impl Serialize for Embedded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Embedded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<str>::from(Box::<RawValue>::deserialize(deserializer)?);
        Ok(Self(text.into_string().into()))
    }
}

pub(super) fn decode<T: Versioned>(path: &Path, content: Bytes) -> Result<T, CommitError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let unreadable = |source| CommitError::Unreadable { path: path.clone(), source };
    let Version { version } = serde_json::from_slice(&content).map_err(unreadable)?;
    match version.cmp(&T::VERSION) {
        std::cmp::Ordering::Equal => {
            let text = unsealed(content).map_err(unreadable)?;
            serde_json::from_slice(&text).map_err(unreadable)
        }
        std::cmp::Ordering::Greater => {
            Err(CommitError::Newer { path: path.clone(), version, known: T::VERSION })
        }
        std::cmp::Ordering::Less => Err(CommitError::OldFormat { path: path.clone() }),
    }
}

pub(super) fn encode<T: Versioned>(value: &T) -> Result<Bytes, CommitError> {
    let mut text = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut text, LinesFormatter::default());
    value.serialize(&mut serializer).map_err(CommitError::Unwritable)?;
    Ok(sealed(text).into())
}

/// The text with its hash as the last member.
fn sealed(mut text: Vec<u8>) -> Vec<u8> {
    // An object with members ends so, when it is written on several lines.
    let Some(members) = text.strip_suffix(END).map(<[u8]>::len) else { return text };
    let hash = blake3::hash(&text).to_hex();
    text.truncate(members);
    text.extend_from_slice(SEAL.0);
    text.extend_from_slice(hash.as_bytes());
    text.extend_from_slice(SEAL.1);
    text
}

/// The text without its hash, if it is the one that was written.
fn unsealed(content: Bytes) -> Result<Vec<u8>, serde_json::Error> {
    // No copy, unless others have the content too.
    let mut text = Vec::from(content);
    let split = text.strip_suffix(SEAL.1).and_then(|rest| {
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HASH_DIGITS)?)?;
        Some((rest.strip_suffix(SEAL.0)?.len(), hash.to_vec()))
    });
    let Some((members, hash)) = split else { return Ok(text) };
    text.truncate(members);
    text.extend_from_slice(END);
    if blake3::hash(&text).to_hex().as_bytes() != hash {
        return Err(serde_json::Error::custom("its content is not what was written"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::snapshot::SnapshotFile;

    #[test]
    fn one_flipped_bit_of_an_own_file_is_seen() {
        let path = Path::from("f");
        let file = SnapshotFile { sequence: 7, ..SnapshotFile::default() };
        let written = encode(&file).unwrap();
        assert_eq!(decode::<SnapshotFile>(&path, written.clone()).unwrap(), file);
        // The name of the member itself is the one place where nothing is said of anything.
        let name = written.windows(8).position(|it| it == b"\"blake3\"").unwrap();
        for bit in (0..written.len() * 8).filter(|bit| !(name..name + 8).contains(&(bit / 8))) {
            let mut damaged = written.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let read = decode::<SnapshotFile>(&path, damaged.clone().into());
            assert!(read.is_err(), "bit {bit}: {}", String::from_utf8_lossy(&damaged));
        }
    }

    #[test]
    fn a_file_without_its_hash_is_taken_as_it_is() {
        let text = br#"{"version": 1, "sequence": 3, "tables": {}}"#;
        let file: SnapshotFile = decode(&Path::from("f"), Bytes::from_static(text)).unwrap();
        assert_eq!(file.sequence, 3);
        assert!(file.unknown.is_empty());
    }
}
