//! The kinds of store there are. A new store is a file beside this one and a line here.

use super::azure::AZURE;
use super::gcs::GCS;
use super::kind::StoreKind;
use super::s3::S3;

/// Every kind of store that has URLs; what has none is a local directory.
pub static STORE_KINDS: [&StoreKind; 3] = [&S3, &AZURE, &GCS];

/// The kind whose URLs have this scheme.
#[must_use]
pub fn kind_of_scheme(scheme: &str) -> Option<&'static StoreKind> {
    STORE_KINDS.into_iter().find(|kind| kind.schemes.contains(&scheme))
}

/// How URLs of stores are written: `s3://bucket/prefix`, `az://…` or `gs://…`.
#[must_use]
pub fn url_forms() -> String {
    let forms: Vec<String> =
        STORE_KINDS.iter().map(|kind| format!("`{}`", kind.url_form())).collect();
    match forms.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn schemes_sections_and_options_are_unique() {
        let mut schemes = HashSet::new();
        let mut sections = HashSet::new();
        for kind in STORE_KINDS {
            assert!(kind.schemes.iter().all(|scheme| schemes.insert(*scheme)), "{kind:?}");
            assert!(sections.insert(kind.section), "{kind:?}");
            let keys: HashSet<&str> = kind.options.iter().map(|option| option.key).collect();
            assert_eq!(keys.len(), kind.options.len(), "{kind:?}");
            assert!(kind.secrets.iter().all(|(secret, _)| !keys.contains(secret)), "{kind:?}");
            assert!(keys.contains("max_attempts"), "{kind:?}");
        }
    }

    #[test]
    fn url_forms_name_every_kind() {
        assert_eq!(
            url_forms(),
            "`s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`"
        );
    }
}
