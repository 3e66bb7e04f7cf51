//! The visitor's text: typed, pasted, from a file, or prepared. It is read here and goes to the worker, nowhere else.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DragEvent, HtmlTextAreaElement};
use yew::prelude::*;

use crate::cases::personal::state::{Msg, OWN, State};
use crate::cases::personal::text::MOST;
use crate::files::blob::File;
use crate::lang::tr;
use crate::task::text::languages::{NEW, OLD};
use crate::view::format::count;
use crate::view::ui::control::{Button, Choice, Number};
use crate::view::ui::pick;

pub fn text(state: &State, tell: &Callback<Msg>) -> Html {
    let choose = |own: bool| tell.reform(move |_: MouseEvent| Msg::Own(own));
    html! {
        <section class="panel" aria-labelledby="personal-text">
            <header>
                <h3 id="personal-text">{ tr!("The text") }</h3>
                <div class="choices" role="group" aria-label={tr!("Whose text")}>
                    <button type="button" aria-pressed={(!state.own).to_string()} onclick={choose(false)}>{ tr!("Prepared") }</button>
                    <button type="button" aria-pressed={state.own.to_string()} onclick={choose(true)}>{ tr!("Your own") }</button>
                </div>
            </header>
            if state.own {
                <Own text={state.text.clone()} beside={state.beside} tell={tell.clone()} />
            } else {
                { prepared(state, tell) }
            }
        </section>
    }
}

fn languages() -> impl Iterator<Item = AttrValue> {
    NEW.iter().chain(&OLD).map(|&(_, name)| AttrValue::from(name))
}

fn prepared(state: &State, tell: &Callback<Msg>) -> Html {
    html! {
        <>
            <div class="row wrap">
                <Choice label={tr!("language")} why={tr!("The Universal Declaration of Human Rights in it. The base has read none of the first fifty.")} options={languages().collect::<Vec<_>>()}
                    chosen={state.language} on_change={tell.reform(Msg::Language)} />
                <Number label={tr!("own part, bytes")} why={tr!("Its beginning stands for a visitor's own text; all of it is the public text that a teacher reads.")} value={state.bytes as f64}
                    min={OWN.0} max={OWN.1} whole=true on_change={tell.reform(|bytes: f64| Msg::Bytes(bytes as usize))} />
            </div>
            <p class="note">
                { tr!("Of {} bytes three quarters are trained on, and the last one chooses the step at which a student is kept. Held out are the declaration’s last articles.", count(state.bytes)) }
            </p>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct OwnProps {
    text: AttrValue,
    beside: Option<usize>,
    tell: Callback<Msg>,
}

#[component]
fn Own(props: &OwnProps) -> Html {
    let node = use_node_ref();
    let tell = &props.tell;
    let typed = tell.reform(|event: InputEvent| {
        let area = event.target().and_then(|target| target.dyn_into::<HtmlTextAreaElement>().ok());
        Msg::Text(area.map(|area| area.value()).unwrap_or_default())
    });
    let onchange = {
        let tell = tell.clone();
        Callback::from(move |event: Event| take(pick::chosen(&event.target().into()), tell.clone()))
    };
    let ondrop = {
        let tell = tell.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            let (dropped, tell) = (JsValue::from(event), tell.clone());
            spawn_local(async move {
                match pick::dropped(&dropped).await {
                    Ok(files) => take(Array::from(&files), tell),
                    Err(_) => tell.emit(Msg::Problem(tr!("What was dropped could not be read; open it as a file."))),
                }
            });
        })
    };
    let options: Vec<AttrValue> = [AttrValue::from(tr!("nothing else"))].into_iter().chain(languages()).collect();
    html! {
        <>
            <textarea aria-label={tr!("Your text")} rows="7" dir="auto" placeholder={tr!("Type or paste some pages, or drop a .txt here.")} value={props.text.clone()} oninput={typed}
                {ondrop} ondragover={Callback::from(|event: DragEvent| event.prevent_default())} />
            <div class="row wrap">
                { Button::new(tr!("Open a .txt…"), tr!("A text from disk, in UTF-8, in place of what stands here.")).calls(pick::pressing(&node)) }
                <input ref={node} type="file" hidden=true accept=".txt,.md,.text" aria-label={tr!("A text file")} {onchange} />
                <Choice label={tr!("teacher also reads")} why={tr!("Public text of a language: the Universal Declaration of Human Rights, some 9 KB.")} options={options}
                    chosen={props.beside.map_or(0, |at| at + 1)} on_change={tell.reform(|at: usize| Msg::Beside(at.checked_sub(1)))} />
            </div>
            <p class="note">{ read_of(props.text.len()) }</p>
        </>
    }
}

fn read_of(bytes: usize) -> String {
    let parts = tr!(
        "Of what is read, the last quarter is held out; of the rest a quarter chooses the step, and no student learns it."
    );
    match bytes {
        long if long > MOST => tr!(
            "{} bytes, of which the first {} are read. {parts} Nothing leaves this machine.",
            count(long),
            count(MOST),
            parts
        ),
        short => tr!("{} bytes. {parts} Nothing leaves this machine.", count(short), parts),
    }
}

/// The first file, as the text.
fn take(files: Array, tell: Callback<Msg>) {
    let Some(pair) = files.iter().next().map(|pair| Array::from(&pair)) else { return };
    let name = pair.get(0).as_string().unwrap_or_default();
    spawn_local(async move {
        let read = async { File::new(&name, &pair.get(1))?.text(1 << 24).await };
        tell.emit(match read.await.map(String::from_utf8) {
            Ok(Ok(text)) => Msg::Text(text),
            Ok(Err(error)) => {
                let at = error.utf8_error().valid_up_to();
                Msg::Problem(tr!("{name}: is no UTF-8 text from byte {at} on; save it as UTF-8.", name, at))
            }
            Err(error) => Msg::Problem(error.to_string()),
        });
    });
}
