//! A lesson's texts on their way to the page: numbers in the place of words in braces, stress and links. Pure.

use std::collections::BTreeMap;

/// A text with its words in braces replaced by what they stand for.
pub fn filled(text: &str, numbers: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out += before;
        let Some((name, behind)) = after.split_once('}') else { return out + "{" + after };
        out += numbers.get(name).map_or(name, String::as_str);
        rest = behind;
    }
    out + rest
}

/// Words in braces.
pub fn names(text: &str) -> Vec<&str> {
    text.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Plain(String),
    Stressed(String),
    Link { text: String, to: String },
}

/// "a *stressed* word and [a link](#lab)", in pieces.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    for (index, part) in text.split('*').enumerate() {
        if index % 2 == 1 {
            found.push(Piece::Stressed(part.into()));
            continue;
        }
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('[') {
            let Some((label, (to, behind))) =
                after.split_once("](").and_then(|(label, after)| Some((label, after.split_once(')')?)))
            else {
                break;
            };
            found.push(Piece::Plain(before.into()));
            found.push(Piece::Link { text: label.into(), to: to.into() });
            rest = behind;
        }
        found.push(Piece::Plain(rest.into()));
    }
    found.retain(|piece| *piece != Piece::Plain(String::new()));
    found
}

/// How long a text is to read: words, where they are spaced; characters, where a language has no spaces.
pub fn length(text: &str) -> usize {
    let wide = text.chars().filter(|&c| c >= '\u{2E80}').count();
    match wide {
        0 => text.split_whitespace().count(),
        // A word or number in Latin letters is read as one.
        _ => wide + text.split(|c: char| c >= '\u{2E80}' || c.is_whitespace()).filter(|word| !word.is_empty()).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stress_and_links_are_put_in() {
        let numbers = BTreeMap::from([("floor".to_owned(), "0.750".to_owned())]);
        let text = filled("stuck at {floor}, {other}", &numbers);
        assert_eq!(text, "stuck at 0.750, other");
        assert_eq!(names("a {b} c {d}"), ["b", "d"]);
        let link = Piece::Link { text: "the lab".into(), to: "#lab".into() };
        assert_eq!(
            pieces("a *b* c [the lab](#lab)."),
            [
                Piece::Plain("a ".into()),
                Piece::Stressed("b".into()),
                Piece::Plain(" c ".into()),
                link,
                Piece::Plain(".".into())
            ]
        );
        assert_eq!(length("three short words"), 3);
        assert_eq!(length("秩 (rank) 是 8。"), 5);
    }
}
