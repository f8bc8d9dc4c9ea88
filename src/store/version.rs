//! The version of a file, by the store's own marks.

use object_store::{ObjectMeta, PutResult, UpdateVersion};

/// The version of a file at the moment it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectVersion {
    /// There was no file.
    Absent,
    /// The store's own mark of the version: `ETag`, generation or both.
    Present(UpdateVersion),
}

impl ObjectVersion {
    fn present(e_tag: Option<String>, version: Option<String>) -> Self {
        // A bucket of S3 without versions calls each file's `null`, in some answers.
        Self::Present(UpdateVersion { e_tag, version: version.filter(|it| it != "null") })
    }
}

impl From<PutResult> for ObjectVersion {
    fn from(PutResult { e_tag, version }: PutResult) -> Self {
        Self::present(e_tag, version)
    }
}

impl From<&ObjectMeta> for ObjectVersion {
    fn from(meta: &ObjectMeta) -> Self {
        Self::present(meta.e_tag.clone(), meta.version.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_null_is_none() {
        let version = |version: Option<&str>| {
            let version = version.map(str::to_owned);
            ObjectVersion::from(PutResult { e_tag: Some("e".to_owned()), version })
        };
        assert_eq!(version(Some("null")), version(None));
        assert_ne!(version(Some("7")), version(None));
    }
}
