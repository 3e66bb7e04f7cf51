//! The way between the page's parts and its languages, the same in all of them. Knows nothing of what they hold.

use yew::prelude::*;

use super::language::languages;
use crate::lang::{marked, said, tr};

/// Addresses behind "#", as boot.js knows them, and what they are called.
const PARTS: [(&str, &str); 6] = [
    ("#lab", marked!("Lab")),
    ("#lesson", marked!("Lessons")),
    ("#experiments", marked!("Experiments")),
    ("#sweeps", marked!("Sweeps")),
    ("#adapters", marked!("Adapters")),
    ("#cases", marked!("Cases")),
];

/// Links to all parts, the one that is shown marked.
pub fn navigation(here: &str) -> Html {
    let link = |(href, name): (&'static str, &'static str)| {
        html! { <a {href} aria-current={(href == here).then_some("page")}>{ said(name) }</a> }
    };
    html! {
        <>
            <nav aria-label={tr!("Parts of the page")}>{ for PARTS.map(link) }</nav>
            { languages() }
        </>
    }
}
