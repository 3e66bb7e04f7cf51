//! The language that a person reads. The code says everything in English, where it says it: `tr!("Step {step}", step = 3)` for
//! a sentence, `said(text)` for one that a table holds (marked there with `marked!`, unless the tables of methods hold it).
//! Other languages are a catalogue each, `www/locales/<code>.json`, whose keys are the English texts; what a catalogue lacks
//! stays English. Knows no page: who can fetch a catalogue calls `speak`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;

/// Languages of the page: as `?lang=` and a catalogue's file name them, as HTML does, and by themselves. The first is the
/// code's own.
pub const LANGUAGES: [(&str, &str, &str); 2] = [("en", "en", "English"), ("zh", "zh-Hans", "中文")];

/// The event by which a page tells its parts that the language has changed.
pub const CHANGED: &str = "languagechange";

/// A sentence in the present language, with what it names in braces: `tr!("Step {step} of {}", all, step = 3)`; one that counts,
/// `tr!("{n} lane" | "{n} lanes" % lanes)`. As the crate `tr` has it, but what it does is in one place: there are thousands of
/// sentences, and each of them is in the page's download.
#[macro_export]
macro_rules! tr {
    ($one:tt | $several:tt % $count:expr, $($given:tt)*) => {{
        let n = $count;
        tr::runtime_format!($crate::lang::counted(n as u64, $one, $several), $($given)*, n = n)
    }};
    ($one:tt | $several:tt % $count:expr) => {{
        let n = $count;
        tr::runtime_format!($crate::lang::counted(n as u64, $one, $several), n)
    }};
    ($text:tt, $($given:tt)*) => {
        tr::runtime_format!($crate::lang::said($text), $($given)*)
    };
    ($text:tt) => {
        $crate::lang::said($text)
    };
}
pub use crate::tr;

/// A text of a table, for `said`.
#[macro_export]
macro_rules! marked {
    ($text:literal) => {
        $text
    };
}
pub use marked;

/// What was given as a catalogue is none.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a catalogue of texts cannot be read: {0}")]
pub struct Unreadable(String);

/// The texts of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// One of `LANGUAGES`, as HTML names it.
    pub language: String,
    /// By the English text; of one that counts something, by the English text for several.
    pub texts: BTreeMap<String, Text>,
}

/// What stands for an English text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Text {
    Always(String),
    /// By plural category, as Unicode's CLDR names them: "one", "few", … and "other".
    Counted(BTreeMap<String, String>),
}

impl Catalogue {
    /// # Errors
    /// When it is no catalogue.
    pub fn read(json: &str) -> Result<Self, Unreadable> {
        serde_json::from_str(json).map_err(|error| Unreadable(error.to_string()))
    }

    fn text<'a>(&'a self, english: &'a str, category: impl FnOnce() -> String) -> &'a str {
        match self.texts.get(english) {
            Some(Text::Always(text)) => text,
            Some(Text::Counted(texts)) => texts.get(&category()).or_else(|| texts.get("other")).map_or(english, |s| s),
            None => english,
        }
    }

    fn translated<'a>(&'a self, english: &'a str) -> &'a str {
        self.text(english, || "other".into())
    }

    fn counted<'a>(&'a self, n: u64, several: &'a str) -> &'a str {
        self.text(several, || plural_category(&self.language, n))
    }
}

/// The present catalogue beside the text that it was read from, for those who pass it on.
static PRESENT: RwLock<Option<(Arc<Catalogue>, Arc<str>)>> = RwLock::new(None);

/// From now on everything is said in the language of this catalogue; in English, of an empty text.
///
/// # Errors
/// When it is no catalogue; the language then stays as it is.
pub fn speak(json: &str) -> Result<(), Unreadable> {
    let catalogue = match json {
        "" => None,
        json => Some((Arc::new(Catalogue::read(json)?), Arc::from(json))),
    };
    *PRESENT.write().unwrap_or_else(PoisonError::into_inner) = catalogue;
    Ok(())
}

fn present() -> Option<(Arc<Catalogue>, Arc<str>)> {
    PRESENT.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What `speak` was given last; empty for English.
pub fn spoken() -> Arc<str> {
    present().map_or_else(|| "".into(), |(_, json)| json)
}

/// The present language as HTML names it.
pub fn tag() -> String {
    present().map_or_else(|| LANGUAGES[0].1.into(), |(catalogue, _)| catalogue.language.clone())
}

/// The present language as links and files name it.
pub fn code() -> &'static str {
    let present = tag();
    LANGUAGES.iter().find(|(_, tag, _)| *tag == present).map_or(LANGUAGES[0].0, |(code, ..)| code)
}

/// A table's text in the present language.
pub fn said(english: &str) -> String {
    present().map_or_else(|| english.into(), |(catalogue, _)| catalogue.translated(english).into())
}

/// The form of a text that goes with a number, in the present language.
pub fn counted(n: u64, one: &str, several: &str) -> String {
    let english = if n == 1 { one } else { several };
    present().map_or_else(|| english.into(), |(catalogue, _)| catalogue.counted(n, several).into())
}

/// How many letters' room a text takes: Chinese, Japanese and Korean signs take two.
pub fn columns(text: &str) -> f64 {
    text.chars().map(|letter| if letter >= '\u{2E80}' { 2.0 } else { 1.0 }).sum()
}

/// Which of a language's forms goes with a number.
#[cfg(target_arch = "wasm32")]
fn plural_category(language: &str, n: u64) -> String {
    let languages = js_sys::Array::of1(&language.into());
    let rules = js_sys::Intl::PluralRules::new(&languages, &js_sys::Object::new());
    rules.select(n as f64).into()
}

/// Outside a browser only English and tests count.
#[cfg(not(target_arch = "wasm32"))]
fn plural_category(_language: &str, n: u64) -> String {
    if n == 1 { "one" } else { "other" }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_says_what_it_has_and_leaves_the_rest() {
        let json = r#"{"language":"xx","texts":{
            "Step {step}":"{step} mai","{n} lanes":{"one":"lein","other":"{n} leins"}}}"#;
        let catalogue = Catalogue::read(json).unwrap();
        assert_eq!(catalogue.translated("Step {step}"), "{step} mai");
        assert_eq!(catalogue.translated("Run"), "Run");
        assert_eq!(catalogue.counted(1, "{n} lanes"), "lein");
        assert_eq!(catalogue.counted(4, "{n} lanes"), "{n} leins");
        assert_eq!(catalogue.counted(4, "{n} steps"), "{n} steps");
        let error = Catalogue::read(r#"{"language":"xx","text":{}}"#).unwrap_err().to_string();
        assert!(error.contains("unknown field `text`"), "{error}");
    }
}
