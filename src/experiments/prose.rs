//! What is said of the experiments, as text for people: read from `www/data/claims.json`, since few who open the page
//! come to read it. Knows nothing of how that file is had.

use std::ops::Index;
use std::rc::Rc;

use serde_json::Value;

use super::names::Names;
use super::{Experiment, all};
use crate::error::{Error, Result};

/// Of one experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    pub title: String,
    /// One sentence.
    pub claim: String,
    /// Paper or theorem; "methods" is the project's own derivation.
    pub source: String,
    /// What is measured and how, beyond what the set-ups say.
    pub method: String,
    /// The formula in words.
    pub prediction: String,
    /// The likely reason, said only where the claim does not hold or seeds disagree.
    pub otherwise: String,
    /// What to look for in the numbers, whatever they are; may be empty.
    pub remark: String,
    /// What its quantities and its figure are called.
    pub names: Rc<Names>,
}

/// Of every experiment, and of what has none.
#[derive(Clone, Debug, PartialEq)]
pub struct Prose {
    /// By the experiment's name.
    claims: Vec<(&'static str, Words)>,
    /// Claims in circulation that no run of this size can confirm or refute: claim, reason.
    pub not_reproducible: Vec<[String; 2]>,
    /// Claims that the engine could test and nobody has written an experiment for: claim, source, what is missing.
    pub waiting: Vec<[String; 3]>,
}

impl Prose {
    /// From the text of `claims.json`.
    ///
    /// # Errors
    /// If it is no JSON, or an experiment's text is not in it.
    pub fn read(text: &[u8]) -> Result<Self> {
        let file: Value = serde_json::from_slice(text).map_err(|error| Error::Data {
            what: "the claims".into(),
            expected: "JSON".into(),
            got: error.to_string(),
        })?;
        let claims = &file["claims"];
        let names = Rc::new(Names::read(&file["names"]));
        let words = |id| -> Result<(&'static str, Words)> {
            let [title, claim, source, method, prediction, otherwise, remark] =
                texts(&claims[id], id, ["title", "claim", "source", "method", "prediction", "otherwise", "remark"])?;
            Ok((id, Words { title, claim, source, method, prediction, otherwise, remark, names: names.clone() }))
        };
        Ok(Self {
            claims: all().iter().map(|experiment| words(experiment.id)).collect::<Result<_>>()?,
            not_reproducible: list(&file, "not_reproducible", ["claim", "reason"])?,
            waiting: list(&file, "waiting", ["claim", "source", "missing"])?,
        })
    }
}

impl Words {
    /// What its figure is called, and what is drawn in it.
    pub fn of_figure(&self) -> (&str, &Names) {
        (&self.title, &self.names)
    }
}

impl Index<&Experiment> for Prose {
    type Output = Words;

    fn index(&self, experiment: &Experiment) -> &Words {
        let found = self.claims.iter().find(|(id, _)| *id == experiment.id);
        &found.expect("`read` fails unless every experiment has its words").1
    }
}

fn list<const N: usize>(file: &Value, name: &str, fields: [&str; N]) -> Result<Vec<[String; N]>> {
    file[name].as_array().map_or(&[][..], Vec::as_slice).iter().map(|entry| texts(entry, name, fields)).collect()
}

/// These fields of an entry that is called `name`.
fn texts<const N: usize>(entry: &Value, name: &str, fields: [&str; N]) -> Result<[String; N]> {
    let mut missing = None;
    let texts = fields.map(|field| match entry[field].as_str() {
        Some(text) => text.to_owned(),
        None => {
            missing = Some(field);
            String::new()
        }
    });
    match missing {
        None => Ok(texts),
        Some(field) => Err(Error::Missing {
            what: "text",
            name: format!("{name}: {field}"),
            hint: "the file of claims is not of this version".into(),
        }),
    }
}

/// The project's own.
#[cfg(test)]
pub fn prose() -> Prose {
    Prose::read(tests::TEXT.as_bytes()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub const TEXT: &str = include_str!("../../www/data/claims.json");

    #[test]
    fn every_experiment_has_its_words_and_no_words_are_unused() {
        let prose = prose();
        let file: Value = serde_json::from_str(TEXT).unwrap();
        let mut named: Vec<&str> = file["claims"].as_object().unwrap().keys().map(String::as_str).collect();
        let experiments = all();
        let mut there: Vec<&str> = experiments.iter().map(|e| e.id).collect();
        named.sort_unstable();
        there.sort_unstable();
        assert_eq!(named, there);
        for experiment in &experiments {
            let Words { title, claim, source, method, prediction, otherwise, .. } = &prose[experiment];
            for text in [title, claim, source, method, prediction, otherwise] {
                assert!(!text.trim().is_empty(), "{}", experiment.id);
            }
            assert_eq!(file["claims"][experiment.id].as_object().unwrap().len(), 7, "{}", experiment.id);
        }
        assert_eq!(prose.not_reproducible.len(), file["not_reproducible"].as_array().unwrap().len());
        assert_eq!(file.as_object().unwrap().len(), 3);
        assert!(!prose.not_reproducible.is_empty() && !prose.waiting.is_empty());
    }

    #[test]
    fn what_is_missing_is_named() {
        let without = TEXT.replacen("\"prediction\"", "\"guess\"", 1);
        let error = Prose::read(without.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("rank-floor: prediction"), "{error}");
        assert!(Prose::read(b"<!doctype html>").unwrap_err().to_string().starts_with("the claims: expected JSON"));
    }
}
