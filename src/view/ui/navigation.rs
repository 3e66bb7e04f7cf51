//! The way between the page's parts, the same in all of them. Knows nothing of what they hold.

use yew::prelude::*;

/// Addresses behind "#", as boot.js knows them, and what they are called.
const PARTS: [(&str, &str); 6] = [
    ("#lab", "Lab"),
    ("#lesson", "Lessons"),
    ("#experiments", "Experiments"),
    ("#sweeps", "Sweeps"),
    ("#adapters", "Adapters"),
    ("#cases", "Cases"),
];

/// Links to all parts, the one that is shown marked.
pub fn navigation(here: &str) -> Html {
    let link = |(href, name): (&'static str, &'static str)| {
        html! { <a {href} aria-current={(href == here).then_some("page")}>{ name }</a> }
    };
    html! { <nav aria-label="Parts of the page">{ for PARTS.map(link) }</nav> }
}
