//! Validates `[destination]`: the URL, and the options of the store that it names.

use url::Url;

use super::Checker;
use crate::definition::destination::{RawDestination, RawStoreSection};
use crate::definition::form::TomlForm;
use crate::definition::problem::Problem;
use crate::definition::raw::Field;
use crate::definition::{DestinationUrl, Template};
use crate::store::{OptionType, StoreKind, StoreOption, StoreOptions, url_forms};

const URL_KEY: &str = "destination.url";

impl Checker<'_> {
    pub(super) fn destination(
        &mut self,
        raw: Option<RawDestination>,
    ) -> (Option<Template>, StoreOptions) {
        let raw = raw.unwrap_or_default();
        self.choice(raw.format, "destination.format", &[("parquet", ())]);
        let url = self.destination_url(raw.url);
        let mut options = StoreOptions::default();
        for section in raw.stores {
            let kind = section.kind;
            let section_options = self.store_options(section);
            match &url {
                Some((_, url)) if url.kind() != Some(kind) => self.misplaced(kind),
                _ => options = section_options,
            }
        }
        (url.map(|(template, _)| template), options)
    }

    /// A section of options for another kind of store than the URL's.
    fn misplaced(&mut self, kind: &StoreKind) {
        let message = format!("the destination is not in {}", kind.name);
        let (form, section) = (kind.url_form(), kind.section);
        let help = format!("write `{form}`, or leave `[destination.{section}]` out");
        self.misuse(URL_KEY, message, &help);
    }

    fn destination_url(
        &mut self,
        field: Option<Field<String>>,
    ) -> Option<(Template, DestinationUrl)> {
        let help = || format!("write a directory, as in `lake/purchasing`, or {}", url_forms());
        if field.is_none() {
            self.problems.push(Problem::missing(URL_KEY, help()));
        }
        let (template, span) = self.template(field, URL_KEY, false)?;
        let Ok(url) = template.to_string().parse() else {
            self.report(span, URL_KEY, "this is not a destination", help());
            return None;
        };
        Some((template, url))
    }

    fn store_options(&mut self, section: RawStoreSection) -> StoreOptions {
        let mut options = StoreOptions::default();
        for (option, value) in section.options {
            let key = format!("destination.{}.{}", section.kind.section, option.key);
            if let Some(value) = self.store_option(option, value, &key) {
                options.set(option, value);
            }
        }
        if let Some(conflict) = section.kind.check.and_then(|check| check(&options)) {
            let key = format!("destination.{}.{}", section.kind.section, conflict.key);
            self.misuse(&key, conflict.message.to_owned(), conflict.help);
        }
        options
    }

    fn store_option(
        &mut self,
        option: &StoreOption,
        value: toml::Spanned<toml::Value>,
        key: &str,
    ) -> Option<String> {
        match option.value {
            OptionType::Text => self.text(Some(field(value)), key).map(|(text, _)| text),
            OptionType::Url => self.store_url(option, Some(field(value)), key),
            OptionType::Flag => Some(self.value::<bool>(Some(field(value)), key)?.to_string()),
            OptionType::Count(_) => Some(self.count(Some(field(value)), key, 1)?.to_string()),
            OptionType::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
                self.choice(Some(field(value)), key, &words).map(str::to_owned)
            }
        }
    }

    fn store_url(
        &mut self,
        option: &StoreOption,
        field: Option<Field<String>>,
        key: &str,
    ) -> Option<String> {
        let (text, span) = self.text(field, key)?;
        let url = text.parse::<Url>().ok().filter(|url| {
            ["http", "https"].contains(&url.scheme())
                && url.username().is_empty()
                && url.password().is_none()
        });
        if url.is_none() {
            let example = option.example.unwrap_or_default();
            let help = format!("write it like `{example}`, without credentials");
            // The text may hold a password.
            let problem = Problem::at(span, key, "this is not an http or https URL", help);
            self.problems.push(problem.hiding_the_line());
        }
        url.map(String::from)
    }
}

fn field<T: TomlForm>(value: toml::Spanned<toml::Value>) -> Field<T> {
    let span = value.span();
    Field { value: T::read(value.into_inner()), span }
}

#[cfg(test)]
mod tests {
    use crate::definition::{Definition, Environment, Pipeline, Problems};
    use crate::store::STORE_KINDS;

    fn parse(destination: &str) -> Result<Pipeline, Problems> {
        let text = format!(
            "version = 1\nname = \"p\"\n[source]\nendpoint = \"purchasing\"\norganisation_id = \"acme\"\n\
             [destination]\n{destination}\n"
        );
        let environment = Environment::default().with("REGION", "eu-central-1");
        Definition::parse("test.toml", &text, &environment).map(|it| it.pipeline)
    }

    fn refused(destination: &str) -> String {
        parse(destination).unwrap_err().to_string()
    }

    #[test]
    fn options_of_every_type_are_kept_as_text() {
        let pipeline = parse(
            "url = \"s3://bucket\"\n[destination.s3]\nendpoint = \"http://minio:9000\"\nregion = \"${REGION}\"\n\
             path_style = false\nmax_attempts = 3\nserver_side_encryption = \"AES256\"",
        );
        let options: Vec<(&str, String)> =
            pipeline.unwrap().store.iter().map(|(key, value)| (key, value.to_owned())).collect();
        let expected = [
            ("endpoint", "http://minio:9000/"),
            ("max_attempts", "3"),
            ("path_style", "false"),
            ("region", "eu-central-1"),
            ("server_side_encryption", "AES256"),
        ];
        assert_eq!(options, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (option, expected) in [
            ("path_style = \"yes\"", "true or false"),
            ("region = 5", "a text"),
            ("max_attempts = 0", "out of range"),
            ("server_side_encryption = \"kms\"", "choose one of"),
            ("endpoint = \"minio:9000\"", "not an http or https URL"),
            ("retries = 3", "there is no such key"),
        ] {
            let shown = refused(&format!("url = \"s3://b\"\n[destination.s3]\n{option}"));
            assert!(shown.contains(expected), "{option}: {shown}");
        }
    }

    #[test]
    fn p8_no_kind_of_store_takes_a_secret() {
        for kind in STORE_KINDS {
            for (key, variable) in kind.secrets {
                let scheme = kind.schemes[0];
                let section = kind.section;
                let shown = refused(&format!(
                    "url = \"{scheme}://b\"\n[destination.{section}]\n{key} = \"hunter2\""
                ));
                assert!(shown.contains(variable), "{shown}");
                assert!(!shown.contains("hunter2"), "{shown}");
            }
        }
    }

    #[test]
    fn options_of_another_kind_of_store_are_refused() {
        for kind in STORE_KINDS {
            let section = format!("[destination.{}]\nmax_attempts = 2", kind.section);
            for other in STORE_KINDS.iter().filter(|other| other.section != kind.section) {
                let shown = refused(&format!("url = \"{}\"\n{section}", other.url_form()));
                assert!(shown.contains("the destination is not in"), "{shown}");
            }
            refused(&format!("url = \"lake\"\n{section}"));
            assert!(parse(&format!("url = \"{}\"\n{section}", kind.url_form())).is_ok());
        }
    }
}
