//! The page's part for cases: a list of them, and the one that the address asks for. What has been opened is kept while another
//! is shown. Knows nothing of what a case does.

mod device;
mod entries;
mod languages;
mod list;
mod personal;
mod sensors;

use yew::prelude::*;

use crate::host::browser::{arrive, dark, hash, on_hash, on_theme};
use crate::lang::{said, tr};
use crate::view::ui::explain::Explain;
use crate::view::ui::language::use_language;
use crate::view::ui::navigation::navigation;
use list::{CASES, Case, Shown};

/// Shows the cases in `root`.
pub fn start(root: web_sys::Element) {
    root.set_inner_html("");
    yew::Renderer::<Cases>::with_root(root).render();
}

/// What the address asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    List,
    /// The case of this number.
    Case(usize),
    /// Another part of the page.
    Elsewhere,
}

fn place() -> Place {
    let hash = hash();
    let Some(rest) = hash.strip_prefix("#cases") else { return Place::Elsewhere };
    let id = rest.trim_matches('/');
    // An address of no case leads to those that there are.
    CASES.iter().position(|case| case.id == id).map_or(Place::List, Place::Case)
}

#[component]
fn Cases() -> Html {
    let place = use_state_eq(self::place);
    let dark_now = use_state_eq(dark);
    let opened = use_mut_ref(|| vec![false; CASES.len()]);
    {
        let (place, dark_now) = (place.clone(), dark_now.clone());
        use_effect_with((), move |()| {
            let theme = {
                let dark_now = dark_now.clone();
                on_theme(move |_| dark_now.set(dark()))
            };
            // The lab may have set another theme since.
            let went = on_hash(move || {
                let next = self::place();
                if next != Place::Elsewhere {
                    place.set(next);
                    dark_now.set(dark());
                }
            });
            move || drop([theme, went])
        });
    }
    let language = use_language();
    use_effect_with(*place, |_| arrive("cases-title"));
    if let Place::Case(at) = *place {
        opened.borrow_mut()[at] = true;
    }
    let kept = opened.borrow();
    let dark = *dark_now;
    let parts = CASES.iter().enumerate().filter(|(at, _)| kept[*at]).map(|(at, case)| {
        let shown = *place == Place::Case(at);
        html! {
            <section key={case.id} class="case" hidden={!shown}>
                <div class="intro">
                    <p class="note"><a href="#cases">{ tr!("All cases") }</a></p>
                    <h2 id={shown.then_some("cases-title")} tabindex="-1">{ said(case.title) }</h2>
                </div>
                { (case.show)(Shown { shown, dark }) }
            </section>
        }
    });
    html! {
        <>
            <header class="bar studio-bar">
                <h1>{ "LoRA Playground" }</h1>
                { navigation("#cases") }
                <span class="spring" />
                <p class="note">{ tr!("The lab is paused while you are here.") }</p>
            </header>
            <main class="studio" key={language}>
                if !matches!(*place, Place::Case(_)) {
                    <div class="intro">
                        <h2 id="cases-title" tabindex="-1">{ tr!("Cases from practice") }</h2>
                        <p>{ tr!("What is promised of these methods, run here on real data, with what was measured beside it. Each fetches what it \
                             needs when it is opened.") }</p>
                    </div>
                    <ul class="cases">{ for CASES.iter().map(entry) }</ul>
                }
                { for parts }
            </main>
            <Explain />
        </>
    }
}

fn entry(case: &Case) -> Html {
    html! {
        <li>
            <h3><a href={format!("#cases/{}", case.id)}>{ said(case.title) }</a></h3>
            <p>{ said(case.sentence) }</p>
            <p class="note">{ tr!("Fetches {}", said(case.fetched)) }</p>
        </li>
    }
}
