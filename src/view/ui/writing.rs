//! What base and lanes go on to write from a prompt while the lanes train.

use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{control::Button, panel::Panel};
use crate::lang::tr;
use crate::protocol::text::WritingFrame;
use crate::view::{action::Action, format::count, snap::Snap, table::Table};

#[derive(Properties, PartialEq)]
pub struct WritingProps {
    pub writing: Option<Snap<Vec<WritingFrame>>>,
    /// What is gone on from; `None` while it is off.
    pub prompt: Option<String>,
    pub names: Vec<String>,
    pub step: usize,
    pub dispatch: Callback<Action>,
}

#[component]
pub fn Writing(props: &WritingProps) -> Html {
    let node = use_node_ref();
    let input = {
        let node = node.clone();
        move || node.cast::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default()
    };
    let write = {
        let (dispatch, on) = (props.dispatch.clone(), props.prompt.is_some());
        Callback::from(move |()| dispatch.emit(Action::Write((!on).then(&input))))
    };
    let onchange = {
        let (dispatch, on) = (props.dispatch.clone(), props.prompt.is_some());
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
            if let (true, Some(input)) = (on, input) {
                dispatch.emit(Action::Write(Some(input.value())));
            }
        })
    };
    let texts = props.prompt.as_ref().zip(props.writing.as_deref());
    let tables = {
        let (writing, names) = (props.writing.clone(), props.names.clone());
        Callback::from(move |()| writing.iter().map(|writing| table(writing, &names)).collect())
    };
    let line = |(model, text): (usize, &WritingFrame)| {
        let class = model.checked_sub(1).map_or("dot".into(), |lane| format!("dot lane-{lane}"));
        html! {
            <li>
                <p class="row"><span {class} />{ name(model, &props.names) }<span class="spring" />
                    <span class="note">{ tr!("from step {}{}", count(text.step), if text.done { "" } else { " …" }) }</span></p>
                <p class="written" dir="auto"><span class="note">{ props.prompt.as_deref() }</span>{ &text.text }</p>
            </li>
        }
    };
    let on = props.prompt.is_some();
    let button = match on {
        false => Button::primary(
            tr!("Write"),
            tr!("Base and lanes go on from the prompt, a byte at a time, again and again as the lanes train."),
        ),
        true => Button::new(tr!("Stop"), tr!("All time goes to training and scoring again.")),
    };
    html! {
        <Panel id="writing" title={tr!("Write")} {tables} step={props.step}>
            <div class="row">
                <input class="prompt" ref={node} type="text" dir="auto" aria-label={tr!("Prompt")} placeholder={tr!("Prompt; empty begins a text")} {onchange} />
                { button.calls(write) }
            </div>
            if let Some((_, writing)) = texts {
                <ol class="texts">{ for writing.iter().enumerate().map(line) }</ol>
            } else if on {
                <p class="note">{ tr!("The first bytes are being written …") }</p>
            } else {
                <p class="note">{ tr!("Off: writing takes time that training has otherwise. Type a prompt and press Write, and base and lanes go on from it as they train.") }</p>
            }
        </Panel>
    }
}

fn name(model: usize, names: &[String]) -> String {
    model.checked_sub(1).map_or_else(|| tr!("base"), |lane| names.get(lane).cloned().unwrap_or_default())
}

fn table(writing: &[WritingFrame], names: &[String]) -> Table {
    let row = |(model, text): (usize, &WritingFrame)| vec![name(model, names), count(text.step), text.text.clone()];
    let head = vec![String::new(), tr!("from step"), tr!("text")];
    Table { caption: tr!("What follows the prompt"), head, rows: writing.iter().enumerate().map(row).collect() }
}
