//! Opening: files dropped or chosen, the example; and above everything else what is open, what is being done, and the
//! choice of what is shown.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::lang::{marked, said, tr};
use crate::studio::adapters::state::{Msg, Part, State};
use crate::studio::adapters::wire::{Base, Id, Order};
use crate::studio::adapters::words::size;
use crate::view::format::{count, percent};
use crate::view::ui::pick::{chosen, dropped, pressing};

#[wasm_bindgen(module = "/src/studio/ui/adapters/places.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    pub async fn example() -> Result<JsValue, JsValue>;
    /// `undefined` where the address names none.
    #[wasm_bindgen(catch)]
    pub async fn addressed() -> Result<JsValue, JsValue>;
}

#[derive(Properties, PartialEq)]
pub struct OpeningProps {
    pub hidden: bool,
    /// Nothing is open: the place to drop is all there is.
    pub empty: bool,
    /// The worker cannot be had.
    pub stopped: bool,
    /// Pairs of a path and a file.
    pub open: Callback<Array>,
    pub tell: Callback<Msg>,
    pub children: Html,
}

/// The part's frame, which takes what is dropped anywhere on it.
#[component]
pub fn Opening(props: &OpeningProps) -> Html {
    let (files, folder) = (use_node_ref(), use_node_ref());
    let over = use_state_eq(|| false);
    let picker = |node: &NodeRef| pressing(node).reform(|_: MouseEvent| ());
    let onchange = props.open.reform(|event: Event| chosen(&event.target().into()));
    let arrive = {
        let (open, tell) = (props.open.clone(), props.tell.clone());
        move |what: &'static str, came: Result<JsValue, JsValue>| match came {
            Ok(files) => open.emit(Array::from(&files)),
            Err(error) => tell.emit(Msg::Say(tr!(
                "{what} could not be read: {error}.",
                what = said(what),
                error = format!("{error:?}")
            ))),
        }
    };
    let ondrop = {
        let (over, arrive) = (over.clone(), arrive.clone());
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            over.set(false);
            let arrive = arrive.clone();
            let event = JsValue::from(event);
            spawn_local(async move { arrive(marked!("What was dropped"), dropped(&event).await) });
        })
    };
    let ondragover = {
        let over = over.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            over.set(true);
        })
    };
    let ondragleave = {
        let over = over.clone();
        Callback::from(move |_: DragEvent| over.set(false))
    };
    let try_it = Callback::from(move |_: MouseEvent| {
        let arrive = arrive.clone();
        spawn_local(async move { arrive(marked!("The example"), example().await) });
    });
    let more = if props.empty { tr!("Open files…") } else { tr!("Add files…") };
    html! {
        <div class={classes!("adapters", over.then_some("over"))} hidden={props.hidden} {ondrop} {ondragover} {ondragleave}>
            { props.children.clone() }
            <div class={if props.empty { "drop" } else { "add" }} hidden={props.stopped}>
                if props.empty {
                    <p class="large">{ tr!("Drop adapter_model.safetensors here") }</p>
                    <p class="note">{ tr!("With adapter_config.json, which holds its scaling; one adapter, several, or folders of them. With the base's \
                        model.safetensors too, or its shards and their index, you see W0 and the merged weight. Of a large file only \
                        what is shown is read.") }</p>
                }
                <div class="row wrap">
                    <button type="button" class={props.empty.then_some("primary")} onclick={picker(&files)}>{ more }</button>
                    <button type="button" onclick={picker(&folder)}>{ if props.empty { tr!("Open a folder…") } else { tr!("Add a folder…") } }</button>
                    if props.empty {
                        <button type="button" onclick={try_it}>{ tr!("Try with a small one") }</button>
                    } else {
                        <span class="note">{ tr!("or drop them anywhere here: more adapters, or the base") }</span>
                    }
                </div>
                <input ref={files} type="file" multiple=true hidden=true accept=".safetensors,.json,.bin,.pt" aria-label={tr!("Files of adapters")} onchange={onchange.clone()} />
                <input ref={folder} type="file" webkitdirectory=true hidden=true aria-label={tr!("Folder of adapters")} {onchange} />
            </div>
        </div>
    }
}

fn rename(id: Id, tell: &Callback<Msg>) -> Callback<Event> {
    tell.reform(move |event: Event| Msg::Rename(id, event.target_unchecked_into::<HtmlInputElement>().value()))
}

/// What is open, and what is being done with it.
pub fn bar(state: &State, tell: &Callback<Msg>) -> Html {
    if state.adapters.is_empty() {
        let waiting = if state.opening { tr!("Opening …") } else { String::new() };
        return html! { <p class="score" role="status">{ waiting }</p> };
    }
    let part = |part: Part, name: String| {
        html! {
            <button type="button" class="tab" aria-pressed={(state.part == part).to_string()} onclick={tell.reform(move |_: MouseEvent| Msg::Show(part))}>{ name }</button>
        }
    };
    let open = state.adapters.iter().enumerate().map(|(index, adapter)| {
        let id = adapter.id;
        html! {
            <span class="opened" key={id}>
                <button type="button" aria-pressed={(index == state.chosen).to_string()} onclick={tell.reform(move |_: MouseEvent| Msg::Choose(index))}>{ &adapter.name }</button>
                <button type="button" class="quiet" aria-label={tr!("Close {}", adapter.name)} onclick={tell.reform(move |_: MouseEvent| Msg::Close(id))}>{ tr!("Close") }</button>
            </span>
        }
    });
    html! {
        <>
            <div class="row wrap opened-list" role="group" aria-label={tr!("Open adapters")}>
                { for open }
                if let Some(adapter) = state.current() {
                    <label class="field"><span>{ tr!("Name") }</span>
                        <input type="text" value={adapter.name.clone()} onchange={rename(adapter.id, tell)} /></label>
                }
            </div>
            { base(state.base.as_ref(), state.current().and_then(|a| a.listed.base_name.as_deref()), tell) }
            <div class="controls parts">
                <div class="tabs" role="group" aria-label={tr!("What is shown")}>
                    { part(Part::Overview, tr!("Overview")) }
                    { part(Part::Module, tr!("Module")) }
                    { part(Part::Compare, tr!("Compare")) }
                    { part(Part::Combine, tr!("Combine")) }
                    { part(Part::Save, tr!("Save")) }
                </div>
                <span class="spring" />
                { work(state, tell) }
            </div>
        </>
    }
}

fn base(base: Option<&Base>, wanted: Option<&str>, tell: &Callback<Msg>) -> Html {
    match base {
        Some(base) => {
            let dtype = base.dtype.as_deref().map_or_else(String::new, |dtype| tr!(", ") + dtype);
            html! {
                <p class="note base">
                    { tr!("Base: {}, {}, {} tensors{dtype} ", base.name, size(base.bytes), count(base.tensors), dtype) }
                    <button type="button" class="quiet" aria-label={tr!("Close the base")} onclick={tell.reform(|_: MouseEvent| Msg::CloseBase)}>{ tr!("Close") }</button>
                </p>
            }
        }
        None => {
            let of = wanted.map_or_else(String::new, |name| format!(" ({name})"));
            html! { <p class="note base">{ tr!("No base is open. With its model.safetensors{of} you see W0, ‖ΔW‖ / ‖W0‖ and the merged weight.", of) }</p> }
        }
    }
}

fn work(state: &State, tell: &Callback<Msg>) -> Html {
    let cancel = tell.reform(|_: MouseEvent| Msg::Cancel);
    let Some(work) = &state.work else {
        let unmeasured = state.current().is_some_and(|adapter| !adapter.measured && !state.measuring(adapter.id));
        return html! {
            <>
                <p class="score" role="status">{ if state.opening { tr!("Opening …") } else { String::new() } }</p>
                if unmeasured && state.ready {
                    <button type="button" onclick={tell.reform(|_: MouseEvent| Msg::Measure)}>{ tr!("Measure") }</button>
                }
            </>
        };
    };
    let what = match &work.order {
        Order::Measure { base: false, .. } => tr!("Measuring the changes"),
        Order::Measure { .. } => tr!("Measuring with the base"),
        Order::Compare { .. } => tr!("Comparing"),
        Order::Intruders { .. } => tr!("Decomposing both weights"),
        Order::Combine { .. } => tr!("Combining"),
        Order::Merge(_) => tr!("Merging"),
        _ => tr!("Saving"),
    };
    let share = if work.of > 0.0 { work.done / work.of } else { 0.0 };
    let of = match work.order {
        Order::Merge(_) if work.of > 0.0 => tr!("{} of {}", size(work.done), size(work.of)),
        Order::Intruders { .. } => percent(share),
        _ if work.of > 0.0 => tr!("{} of {} modules", count(work.done as usize), count(work.of as usize)),
        _ => String::new(),
    };
    html! {
        <div class="under-way">
            <span role="status">{ &what }</span>
            <progress max="1" value={share.to_string()} aria-label={what} />
            <span class="note">{ of }</span>
            <button type="button" onclick={cancel}>{ tr!("Cancel") }</button>
        </div>
    }
}
