//! The cases there are, in the order in which they are listed: a case is a line here and a component that shows it. Knows
//! nothing of the page around them.

use yew::prelude::*;

use super::languages::Languages;
use super::personal::Personal;
use super::sensors::Sensors;
use crate::lang::marked;

/// A case, as the list and the address know it.
pub struct Case {
    /// "#cases/<id>".
    pub id: &'static str,
    pub title: &'static str,
    pub sentence: &'static str,
    /// What is fetched when it is opened.
    pub fetched: &'static str,
    pub show: fn(Shown) -> Html,
}

/// What each case's component is told.
#[derive(Clone, Copy, Debug, PartialEq, Properties)]
pub struct Shown {
    /// It is what is looked at; kept otherwise, as it is.
    pub shown: bool,
    pub dark: bool,
}

pub static CASES: &[Case] = &[
    Case {
        id: "languages",
        title: marked!("Fifty languages, one base"),
        sentence: marked!(
            "A small language model and an adapter for each of fifty languages that it has not read: which serves whom, what a \
               switch costs, and where several get in each other's way."
        ),
        fetched: marked!("4.7 MB: the base, fifty adapters, held-out text"),
        show: |Shown { shown, dark }| html! { <Languages {shown} {dark} /> },
    },
    Case {
        id: "personal",
        title: marked!("Under 200 KB, on this device"),
        sentence: marked!(
            "A model of one’s own from some pages of text: which adapters fit a budget, what a teacher is worth, and what the file \
                   that comes of it can do."
        ),
        fetched: marked!("1.9 MB: the base, texts in fifty-five languages"),
        show: |Shown { shown, .. }| html! { <Personal {shown} /> },
    },
    Case {
        id: "sensors",
        title: marked!("A sensor is missing"),
        sentence: marked!(
            "Two sensors look at a handwritten digit, and one of them fails: does a mixture of experts cope better than a LoRA, or \
                   is it the training that does?"
        ),
        fetched: marked!("what was measured; it runs in the lab"),
        show: |Shown { shown, .. }| html! { <Sensors {shown} /> },
    },
];
