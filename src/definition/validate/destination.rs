//! Validates `[destination]`: the URL, and the options of the store that it names.

use url::Url;

use super::Checker;
use crate::definition::destination::{RawDestination, RawStoreSection};
use crate::definition::form::TomlForm;
use crate::definition::problem::Problem;
use crate::definition::raw::Field;
use crate::definition::{DestinationUrl, Template};
use crate::store::{OptionType, StoreOption, StoreOptions, url_forms};

const URL_KEY: &str = "destination.url";

impl Checker<'_> {
    pub(super) fn destination(
        &mut self,
        raw: Option<RawDestination>,
    ) -> (Option<Template>, StoreOptions) {
        let raw = raw.unwrap_or_default();
        self.choice(raw.format, "destination.format", &[("parquet", ())]);
        let url = self.destination_url(raw.url);
        let kind = url.as_ref().map(|(_, url)| url.kind());
        let mut options = StoreOptions::default();
        for section in raw.stores {
            let name = section.kind.name;
            let checked = self.store_options(section);
            match kind {
                Some(found) if found != Some(checked.0) => {
                    let message = format!("the destination is not in {name}");
                    let (form, section) = (checked.0.url_form(), checked.0.section);
                    let help = format!("write `{form}`, or leave `[destination.{section}]` out");
                    self.misuse(URL_KEY, message, &help);
                }
                _ => options = checked.1,
            }
        }
        (url.map(|(template, _)| template), options)
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

    fn store_options(
        &mut self,
        section: RawStoreSection,
    ) -> (&'static crate::store::StoreKind, StoreOptions) {
        let mut options = StoreOptions::default();
        for (option, value) in section.options {
            let key = format!("destination.{}.{}", section.kind.section, option.key);
            if let Some(value) = self.store_option(option, value, &key) {
                options.set(option, value);
            }
        }
        if let Some(conflict) = (section.kind.check)(&options) {
            let key = format!("destination.{}.{}", section.kind.section, conflict.key);
            self.misuse(&key, conflict.message.to_owned(), conflict.help);
        }
        (section.kind, options)
    }

    fn store_option(
        &mut self,
        option: &StoreOption,
        value: toml::Spanned<toml::Value>,
        key: &str,
    ) -> Option<String> {
        match option.value {
            OptionType::Text => self.text(field(value), key).map(|(text, _)| text),
            OptionType::Url => self.store_url(option, field(value), key),
            OptionType::Flag => Some(self.value::<bool>(field(value), key)?.to_string()),
            OptionType::Count(_) => Some(self.count(field(value), key, 1)?.to_string()),
            OptionType::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
                self.choice(field(value), key, &words).map(str::to_owned)
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

fn field<T: TomlForm>(value: toml::Spanned<toml::Value>) -> Option<Field<T>> {
    let span = value.span();
    Some(Field { value: T::read(value.into_inner()), span })
}
