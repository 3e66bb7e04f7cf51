//! The forms of a lesson's files: the steps, and apart from them the texts in each language. Unknown keys are refused, so
//! that a misspelt one is found. Knows neither runs nor pages.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::measure::Measure;
use crate::protocol::MergeMode;

/// A file of a lesson that cannot be used.
#[derive(Debug, Error)]
#[error("lessons/{file}: {problem}")]
pub struct Broken {
    pub file: String,
    pub problem: serde_json::Error,
}

/// `index.json`: the lessons in their order.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Index {
    pub lessons: Vec<String>,
}

/// `index.en.json` and its like: what the column itself says, and the lessons' titles.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    pub words: BTreeMap<String, String>,
    pub lessons: BTreeMap<String, Title>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Title {
    pub title: String,
    /// What it is about, in a line.
    pub about: String,
}

/// `<id>.json`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: String,
    /// The link's query of the run that it sets; none leaves what runs.
    #[serde(default)]
    pub run: Option<String>,
    /// To where the run is trained before the question.
    #[serde(default)]
    pub hold: usize,
    /// What the inspector shows.
    #[serde(default)]
    pub watch: Option<Watch>,
    /// The panel to look at, by its id.
    pub panel: String,
    /// What in it, as a selector of CSS.
    #[serde(default)]
    pub mark: Option<String>,
    /// MathML; a symbol's `data-at` is the selector of what it stands for, and words in braces are the catalogue's.
    #[serde(default)]
    pub formula: Option<String>,
    #[serde(default)]
    pub ask: Option<Ask>,
    /// Numbers that the texts name, by the word in braces.
    #[serde(default)]
    pub numbers: BTreeMap<String, Number>,
    #[serde(default)]
    pub table: Vec<Row>,
}

/// The inspector's lane, and which merge of a mixture it shows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub lane: usize,
    #[serde(default)]
    pub merge: Option<MergeMode>,
}

/// What is to be foretold.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What is changed when the answer is given, as a link's `then` has it.
    #[serde(default)]
    pub act: Option<String>,
    /// Where the run then pauses; 0 is where it stands.
    #[serde(default)]
    pub at: usize,
    pub measure: Measure,
    /// What it came to when the lesson was written.
    pub value: f64,
    /// How near a guess counts, and how near every run comes.
    pub close: f64,
    /// Upper ends of all answers to choose from but the last, rising; empty where a number is asked for.
    #[serde(default)]
    pub choices: Vec<f64>,
}

/// A number of the run: what it is, what it came to when the lesson was written, and how near to that it is bound to come.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Number {
    pub measure: Measure,
    pub value: f64,
    pub close: f64,
}

/// A claim, and what was recorded of it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub id: String,
    /// The experiment that it leads to.
    pub experiment: String,
    pub numbers: BTreeMap<String, Number>,
    /// Numbers of others, which no run here confirms, as they are quoted.
    #[serde(default)]
    pub quotes: BTreeMap<String, String>,
}

/// `<id>.en.json` and its like.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    pub steps: BTreeMap<String, Text>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub text: String,
    #[serde(default)]
    pub question: String,
    #[serde(default)]
    pub choices: Vec<String>,
    /// Said with the answer.
    #[serde(default)]
    pub why: String,
    /// By row: what is claimed, and what was found.
    #[serde(default)]
    pub rows: BTreeMap<String, [String; 2]>,
}

/// Reads a file of `www/lessons`.
///
/// # Errors
/// `Broken` naming the file, and where in it.
pub fn read<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, Broken> {
    serde_json::from_slice(bytes).map_err(|problem| Broken { file: file.into(), problem })
}

impl Lesson {
    /// Whether any of its numbers is of a recorded experiment.
    pub fn is_recorded(&self) -> bool {
        let measures = self.steps.iter().flat_map(|step| {
            let numbers = step.numbers.values().chain(step.table.iter().flat_map(|row| row.numbers.values()));
            numbers.map(|number| &number.measure).chain(step.ask.iter().map(|ask| &ask.measure))
        });
        measures.into_iter().any(Measure::is_recorded)
    }
}

impl Ask {
    /// Which of the choices holds this number.
    pub fn choice(&self, value: f64) -> usize {
        self.choices.iter().take_while(|&&end| value >= end).count()
    }

    /// Whether a guess comes close to what was measured: as near as the lesson's own number, or of the same choice.
    pub fn is_close(&self, guess: f64, measured: f64) -> bool {
        match self.choices.is_empty() {
            true => (guess - measured).abs() <= self.close,
            false => self.choice(measured) as f64 == guess,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: &str =
        r#"{"id": "a", "panel": "loss", "ask": {"measure": {"loss": 1}, "value": 0.75, "close": 0.03, "at": 400}}"#;

    #[test]
    fn a_guess_is_close_by_number_or_by_choice() {
        let mut ask = read::<Step>("x", STEP.as_bytes()).unwrap().ask.unwrap();
        assert!(ask.is_close(0.77, 0.75) && !ask.is_close(0.8, 0.75));
        ask.choices = vec![0.1, 0.6];
        assert_eq!([0.0, 0.1, 0.5, 0.75].map(|value| ask.choice(value)), [0, 1, 1, 2]);
        assert!(ask.is_close(2.0, 0.75) && !ask.is_close(1.0, 0.75));
    }

    #[test]
    fn a_question_of_the_record_asks_for_it() {
        let of = |measure: &str| -> Lesson {
            let step = STEP.replace(r#"{"loss": 1}"#, measure);
            read("x", format!(r#"{{"steps": [{step}]}}"#).as_bytes()).unwrap()
        };
        assert!(of(r#"{"recorded": ["sizes", 2]}"#).is_recorded() && !of(r#"{"loss": 1}"#).is_recorded());
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_file() {
        let error = read::<Step>("a.json", STEP.replace("panel", "pannel").as_bytes()).unwrap_err();
        assert!(error.to_string().contains("a.json") && error.to_string().contains("pannel"), "{error}");
    }
}
