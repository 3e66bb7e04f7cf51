//! A run to be taken elsewhere: its link, or one of its panels for a page of one's own. Knows nothing of how links are made.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::control::{Button, Choice};
use crate::lang::{LANGUAGES, tr};
use crate::view::action::Action;
use crate::view::snippet::{FORMS, Shown, THEMES, preview, snippet};

#[derive(Properties, PartialEq)]
pub struct ShareBoxProps {
    pub link: AttrValue,
    /// The link is in the clipboard.
    pub copied: bool,
    /// Panels that can stand in another page.
    pub panels: Vec<AttrValue>,
    pub dispatch: Callback<Action>,
}

#[component]
pub fn ShareBox(props: &ShareBoxProps) -> Html {
    let (form, panel) = (use_state_eq(|| 0usize), use_state_eq(|| 1usize));
    let (theme, lang) = (use_state_eq(|| 0usize), use_state_eq(|| 0usize));
    let set = |state: &UseStateHandle<usize>| {
        let state = state.clone();
        Callback::from(move |chosen| state.set(chosen))
    };
    let name = props.panels.get(*panel).cloned().unwrap_or_default();
    // The first of the choices is the reader's own.
    let code = lang.checked_sub(1).and_then(|chosen| LANGUAGES.get(chosen)).map(|(code, ..)| *code);
    let shown = Shown { panel: &name, theme: THEMES.get(*theme).copied().unwrap_or_default(), lang: code };
    let text = snippet(*form, &props.link, shown);
    let own = std::iter::once("auto").chain(LANGUAGES.iter().map(|(_, _, name)| *name));
    let said = match (*form, props.copied) {
        (0, true) => tr!("Link copied."),
        (0, false) => tr!("Copy this link:"),
        _ => tr!("For a page of yours:"),
    };
    // To be copied whole.
    let onfocus = Callback::from(|event: FocusEvent| {
        if let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) {
            input.select();
        }
    });
    html! {
        <div class="share" role="group" aria-label={tr!("Share this run")}>
            <span>{ said }</span>
            <Choice quiet=true label={tr!("Form")} why={tr!("The run as a link, or one of its panels in a page of yours: as a frame, or as an element that is as high as what is in it.")}
                options={FORMS.map(AttrValue::from).to_vec()} chosen={*form} on_change={set(&form)} />
            if *form > 0 {
                <Choice quiet=true label={tr!("Panel to share")} why={tr!("Which panel is shown there.")} options={props.panels.clone()} chosen={*panel} on_change={set(&panel)} />
                <Choice quiet=true label={tr!("Theme to share")} why={tr!("Its colours there; auto is what the reader's system has.")} options={THEMES.map(AttrValue::from).to_vec()}
                    chosen={*theme} on_change={set(&theme)} />
                <Choice quiet=true label={tr!("Language to share")} why={tr!("Its language there; auto is what the reader's browser asks for.")} options={own.map(AttrValue::from).collect::<Vec<_>>()}
                    chosen={*lang} on_change={set(&lang)} />
            }
            <input type="text" readonly=true value={text.clone()} {onfocus} aria-label={if *form == 0 { tr!("Link to this run") } else { tr!("For a page of yours") }} />
            if *form > 0 {
                <a href={preview(&props.link, &text, crate::lang::code())} target="_blank" rel="noopener" data-why={tr!("Opens a page that holds what stands here, and trains there.")}>{ tr!("Preview") }</a>
            }
            { Button::quiet(tr!("Close"), tr!("Put this away.")).acts(&props.dispatch, Action::CloseShare) }
        </div>
    }
}
