//! Names of what experiments measure, in another language. They are put together from few pieces ("four tasks, T = 0.1: loss"), so the
//! pieces are what a catalogue has, numbers left out ("T = {}"). Knows nothing of what the names are of.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lang::said;

/// By English piece; none for English.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names(BTreeMap<String, String>);

/// What stands between pieces, and what stands there in the other language.
const BETWEEN: [(&str, &str); 3] = [(" − ", " − "), (": ", "："), (", ", "，")];

impl Names {
    /// Of the object `names` in a file of claims.
    pub fn read(names: &Value) -> Self {
        let pieces = names.as_object().into_iter().flatten();
        Self(pieces.filter_map(|(english, text)| Some((english.clone(), text.as_str()?.to_owned()))).collect())
    }

    /// A name in the present language; of an unknown piece, as it is.
    pub fn of(&self, english: &str) -> String {
        if self.0.is_empty() {
            return said(english);
        }
        let (piece, numbers) = without_numbers(english);
        if let Some(text) = self.0.get(&piece) {
            return numbers.iter().fold(text.clone(), |text, number| text.replacen("{}", number, 1));
        }
        for (between, put) in BETWEEN {
            if let Some((before, after)) = english.split_once(between) {
                return format!("{}{put}{}", self.of(before), self.of(after));
            }
        }
        said(english)
    }
}

/// `{}` in place of each number, and the numbers: digits, with points and commas between them.
fn without_numbers(text: &str) -> (String, Vec<&str>) {
    let (mut piece, mut numbers) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let inside = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        let end = rest[at..].find(|c| !inside(c)).map_or(rest.len(), |end| at + end);
        let end = at + rest[at..end].trim_end_matches(['.', ',']).len();
        piece.push_str(&rest[..at]);
        piece.push_str("{}");
        numbers.push(&rest[at..end]);
        rest = &rest[end..];
    }
    piece.push_str(rest);
    (piece, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::all;

    const CHINESE: &str = include_str!("../../www/data/claims.zh.json");

    fn chinese() -> (Names, Value) {
        let file: Value = serde_json::from_str(CHINESE).unwrap();
        (Names::read(&file["names"]), file)
    }

    #[test]
    fn names_are_put_together() {
        let (names, _) = chinese();
        for (english, expected) in [
            ("four tasks, T = 0.1 with noise: experts in use", "四个任务，T = 0.1，加噪声：使用中的专家数"),
            ("gate of MoR1E-4 at d = 4,096", "MoR1E-4 的门控，d = 4,096"),
            ("PiSSA r8 − its floor", "PiSSA r8 − 其下限"),
            ("LoRA r8", "LoRA r8"),
        ] {
            assert_eq!(names.of(english), expected);
        }
        assert_eq!(Names::default().of("four tasks: loss"), "four tasks: loss");
    }

    /// Method names, symbols and numbers aside, nothing of a name or a figure stays English, and no piece is there for nothing.
    #[test]
    fn every_name_is_said_in_chinese() {
        let (names, file) = chinese();
        let mut english = Vec::new();
        for experiment in all() {
            english.extend(experiment.quantities.into_iter().map(|quantity| quantity.name));
            if let Some(figure) = experiment.figure {
                english.extend([figure.x, figure.y].map(str::to_owned));
                english.extend(figure.columns);
                english.extend(figure.series.iter().map(|series| series.name.to_owned()));
            }
        }
        let stays = ["top", "cos"];
        let word = |c: char| !c.is_ascii_alphabetic();
        let left = |text: &str| {
            text.split(word).any(|word| word.len() > 2 && !word.contains(char::is_uppercase) && !stays.contains(&word))
        };
        let untranslated: Vec<_> = english.iter().filter(|name| left(&names.of(name))).collect();
        assert!(untranslated.is_empty(), "{untranslated:#?}");
        let mut unused = Vec::new();
        for (piece, text) in file["names"].as_object().unwrap() {
            let holes = |text: &str| text.matches("{}").count();
            assert_eq!(holes(piece), holes(text.as_str().unwrap()), "{piece}");
            let mut without = names.clone();
            without.0.remove(piece);
            if english.iter().all(|name| without.of(name) == names.of(name)) {
                unused.push(piece);
            }
        }
        assert!(unused.is_empty(), "nothing is called {unused:?}");
    }
}
