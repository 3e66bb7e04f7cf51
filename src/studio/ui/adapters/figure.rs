//! A figure of one adapter by itself: its map, or a module's spectrum. The adapter is the example, or one that lies in a folder of
//! the page's own site. Knows nothing of what stands around it.

use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use yew::prelude::*;

use super::module::{Kept, module_of};
use super::open::example;
use super::overview::{MapFigure, names};
use super::use_handle;
use crate::lang::tr;
use crate::studio::adapters::state::{Msg, Opened};
use crate::studio::ui::browser;
use crate::view::ui::control::{Button, Choice};

/// Which figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Map,
    Spectrum,
}

#[derive(Properties, PartialEq)]
pub struct AdapterFigureProps {
    pub kind: Kind,
    /// Pairs of a path and a file, on their way; `None` is the example.
    pub files: Option<JsValue>,
}

#[component]
pub fn AdapterFigure(props: &AdapterFigureProps) -> Html {
    let handle = use_handle();
    // The module looked at; at first the one that has changed most.
    let row = use_state_eq(|| None::<usize>);
    let kind = use_state_eq(|| props.kind);
    {
        let handle = handle.clone();
        use_effect_with(props.files.clone(), move |files| {
            let files = files.clone();
            spawn_local(async move {
                let (what, files) = match files {
                    Some(files) => (tr!("The adapter"), JsFuture::from(Promise::resolve(&files)).await),
                    None => (tr!("The example"), example().await),
                };
                match files {
                    Ok(files) => handle.open(&Array::from(&files), Msg::Open),
                    Err(error) => {
                        let error = format!("{error:?}");
                        handle.handle(Msg::Say(tr!("{what} could not be read: {error}.", what, error)));
                    }
                }
            });
        });
    }
    {
        let handle = handle.clone();
        use_effect_with((), move |()| {
            // Cells hold colours of the theme they were drawn in.
            let theme = browser::on_theme(move |_| handle.redraw.now());
            move || drop(theme)
        });
    }
    let core = handle.core.borrow();
    let of_adapter = core.state.current().map_or(&[][..], |adapter| &adapter.problems);
    let problems = core.state.problems.iter().chain(of_adapter);
    html! {
        <>
            <h2 class="unseen">{ tr!("Adapters") }</h2>
            { for problems.map(|problem| html! { <div class="notice" role="alert"><p>{ problem }</p></div> }) }
            if let Some(adapter) = core.state.current() {
                { figure(adapter, &kind, &row) }
            } else if core.state.problems.is_empty() {
                <p class="loading" role="status">{ tr!("Opening …") }</p>
            }
        </>
    }
}

fn figure(adapter: &Opened, kind: &UseStateHandle<Kind>, row: &UseStateHandle<Option<usize>>) -> Html {
    let on_pick = {
        let (kind, row) = (kind.clone(), row.clone());
        Callback::from(move |picked: usize| {
            row.set(Some(picked));
            kind.set(Kind::Spectrum);
        })
    };
    let back = {
        let kind = kind.clone();
        Callback::from(move |()| kind.set(Kind::Map))
    };
    let norm = |at: &usize| adapter.rows.get(*at).and_then(|row| row.norm).unwrap_or(0.0);
    let most = (0..adapter.rows.len()).max_by(|a, b| norm(a).total_cmp(&norm(b)));
    match (**kind, row.or(most).and_then(|at| Some((at, adapter.rows.get(at)?)))) {
        (Kind::Map, _) => html! { <MapFigure adapter={adapter.clone()} dark={browser::dark()} {on_pick} /> },
        (Kind::Spectrum, Some((at, shown))) => html! {
            <>
                <div class="row chooser">
                    <Choice quiet=true label={tr!("Module")} why={tr!("Which module is shown.")} options={names(adapter).to_vec()} chosen={at} on_change={on_pick} />
                    { Button::quiet(tr!("Map"), tr!("All modules, by a column of choice.")).calls(back) }
                </div>
                <Kept key={at} row={std::rc::Rc::new(shown.clone())} of={module_of(adapter, shown)} />
            </>
        },
        (Kind::Spectrum, None) => Html::default(),
    }
}
