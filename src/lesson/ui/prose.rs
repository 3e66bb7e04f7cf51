//! What the column's parts have in common: words, sentences, and a course as a property.

use std::collections::BTreeMap;

use yew::prelude::*;

use crate::lesson::course::Course;
use crate::lesson::data::Catalogue;
use crate::lesson::words::{Piece, filled, pieces};

/// A word of the column itself.
pub fn word(catalogue: &Catalogue, key: &str, numbers: &[(&str, String)]) -> String {
    let numbers: BTreeMap<String, String> =
        numbers.iter().map(|(name, number)| ((*name).to_owned(), number.clone())).collect();
    catalogue.words.get(key).map_or_else(|| key.to_owned(), |text| filled(text, &numbers))
}

/// A text with its stress and links.
pub fn prose(text: &str) -> Html {
    let piece = |piece: Piece| match piece {
        Piece::Plain(text) => html! { { text } },
        Piece::Stressed(text) => html! { <b>{ text }</b> },
        Piece::Link { text, to } => html! { <a href={to}>{ text }</a> },
    };
    html! { { for pieces(text).into_iter().map(piece) } }
}

/// A course as a property: two are the same where nothing of them shows.
#[derive(Clone)]
pub struct Shown(pub Course);

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.id, self.0.at, &self.0.phase) == (&other.0.id, other.0.at, &other.0.phase)
    }
}
