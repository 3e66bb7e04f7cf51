//! A sentence taken apart: the lanes that it names, and the numbers of which it is known what they are. Knows no markup.

use super::{LaneHistory, State, floors};
use crate::lang::tr;
use crate::view::format::three;

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Plain(String),
    /// The name of this lane, as the sentence writes it.
    Lane(usize, String),
    /// A number, and what it is.
    Number(String, String),
}

/// A moment's numbers as sentences write them, each with what it is.
pub fn numbers(state: &State<'_>) -> Vec<(String, String)> {
    let losses = state.recent().into_iter().map(|(lane, loss)| {
        let name = state.name(lane);
        let over = match state.history.get(lane).map_or(0, LaneHistory::over) {
            0 => tr!("as it is now, changed and not trained since"),
            steps => tr!("the mean of its last {steps} steps", steps),
        };
        (three(loss), tr!("The loss of {name}: {over}, as beside the chart.", name, over))
    });
    let floors = state.started.floors.iter();
    let floors = floors.map(|floor| (three(floor.share), tr!("Theory's prediction: {}.", floors::limit(floor))));
    losses.chain(floors).collect()
}

/// The sentence in pieces. What stands for several things is left plain: nothing tells which of them is meant.
pub fn parts(sentence: &str, names: &[String], numbers: &[(String, String)]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut plain, mut rest) = (String::new(), sentence);
    while let Some(letter) = rest.chars().next() {
        let inside = plain.chars().next_back().is_some_and(|before| before.is_ascii_alphanumeric() || before == '.');
        let found = if inside { None } else { lane_at(rest, names).or_else(|| number_at(rest, numbers)) };
        let Some((part, length)) = found else {
            plain.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        };
        if !plain.is_empty() {
            parts.push(Part::Plain(std::mem::take(&mut plain)));
        }
        parts.push(part);
        rest = &rest[length..];
    }
    if !plain.is_empty() {
        parts.push(Part::Plain(plain));
    }
    parts
}

/// The longest name that stands here, and its length. A sentence may begin with it, and then has a capital letter.
fn lane_at(rest: &str, names: &[String]) -> Option<(Part, usize)> {
    let stands = |name: &String| rest.get(..name.len()).is_some_and(|here| here.eq_ignore_ascii_case(name));
    let ends = |name: &String| !rest[name.len()..].chars().next().is_some_and(|next| next.is_ascii_alphanumeric());
    let here = names.iter().enumerate().filter(|(_, name)| !name.is_empty() && stands(name) && ends(name));
    let (lane, name) = here.max_by_key(|(_, name)| name.len())?;
    Some((Part::Lane(lane, rest[..name.len()].to_owned()), name.len()))
}

fn number_at(rest: &str, numbers: &[(String, String)]) -> Option<(Part, usize)> {
    let length = rest.find(|letter: char| !letter.is_ascii_digit() && !".e-".contains(letter)).unwrap_or(rest.len());
    // A full stop ends the sentence.
    let text = rest[..length].trim_end_matches(['.', '-']);
    let mut meant = numbers.iter().filter(|(number, _)| number == text).map(|(_, what)| what);
    let what = meant.next()?;
    meant.all(|other| other == what).then(|| (Part::Number(text.to_owned(), what.clone()), text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["full fine-tuning", "LoRA", "MoLoRA top-1", "MoLoRA top-2"].map(String::from).to_vec()
    }

    fn told(sentence: &str, numbers: &[(&str, &str)]) -> Vec<Part> {
        let numbers: Vec<_> = numbers.iter().map(|&(text, what)| (text.to_owned(), what.to_owned())).collect();
        let all = parts(sentence, &names(), &numbers);
        let text: String = all
            .iter()
            .map(|part| match part {
                Part::Plain(text) | Part::Lane(_, text) | Part::Number(text, _) => text.as_str(),
            })
            .collect();
        assert_eq!(text, sentence);
        all.into_iter().filter(|part| !matches!(part, Part::Plain(_))).collect()
    }

    #[test]
    fn names_are_found_whole() {
        let found = told("Full fine-tuning and LoRA's; MoLoRA top-2 goes below, MoLoRA does not.", &[]);
        let lane = |lane, name: &str| Part::Lane(lane, name.to_owned());
        assert_eq!(found, [lane(0, "Full fine-tuning"), lane(1, "LoRA"), lane(3, "MoLoRA top-2")]);
    }

    #[test]
    fn numbers_are_explained_where_it_is_known_which_they_are() {
        let numbers = [("0.757", "loss"), ("0.750", "floor"), ("8e-7", "small"), ("0.5", "one"), ("0.5", "other")];
        let found = told("LoRA is stuck at 0.757, the best (0.750); 8e-7 at step 0.757: 10.757 and 0.5.", &numbers);
        let number = |text: &str, what: &str| Part::Number(text.to_owned(), what.to_owned());
        let loss = number("0.757", "loss");
        assert_eq!(found[1..], [loss.clone(), number("0.750", "floor"), number("8e-7", "small"), loss]);
    }
}
