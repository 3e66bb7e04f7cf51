//! A visitor's own model and texts: opened from disk or pasted, told in words and numbers, and trained on. Nothing of them is
//! read here: that is the trainer's.

use js_sys::Array;
use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::control::{Button, Number};
use super::pick::chosen;
use crate::config::Config;
use crate::lang::tr;
use crate::protocol::text::Bring;
use crate::task::text::own::{About, AboutModel, AboutText};
use crate::view::action::Action;
use crate::view::edit::on_own;
use crate::view::format::{count, size, three};
use crate::view::snap::Snap;

/// What a pasted text is called.
const PASTED: &str = "pasted.txt";

#[derive(Properties, PartialEq)]
pub struct OwnProps {
    pub config: Snap<Config>,
    pub brought: Option<Snap<About>>,
    /// Files, or texts, each in a pair behind its path.
    pub bring: Callback<Array>,
    pub dispatch: Callback<Action>,
}

#[component]
pub fn OwnPart(props: &OwnProps) -> Html {
    let (texts, folder, pasted) = (use_node_ref(), use_node_ref(), use_node_ref());
    let press = |node: &NodeRef| {
        let node = node.clone();
        Callback::from(move |()| {
            if let Some(input) = node.cast::<HtmlInputElement>() {
                input.click();
            }
        })
    };
    let onchange = props.bring.reform(|event: Event| chosen(&event.target().into()));
    let paste = {
        let (bring, pasted) = (props.bring.clone(), pasted.clone());
        Callback::from(move |()| {
            let Some(area) = pasted.cast::<HtmlTextAreaElement>().filter(|area| !area.value().trim().is_empty()) else {
                return;
            };
            let pair = Array::of2(&PASTED.into(), &area.value().into());
            bring.emit(Array::of1(&pair));
            area.set_value("");
        })
    };
    let about = props.brought.as_deref();
    let train = about.and_then(|about| on_own(&props.config, about));
    let set_share = props.dispatch.reform(|percent: f64| Action::Bring(Bring::HoldOut(percent as f32 / 100.0)));
    html! {
        <fieldset class="own-files">
            <legend>{ tr!("Your own model and text") }</legend>
            <p class="note">{ tr!("Files are read here, piece by piece, and never uploaded. A model is of Llama's or Qwen2's form: its folder with config.json, tokenizer.json and .safetensors. Without one, the page's small model learns your text.") }</p>
            <div class="row wrap">
                { Button::new(tr!("Open texts…"), tr!("One or several .txt files; each is a language of its own in tables and gates.")).calls(press(&texts)) }
                { Button::new(tr!("Open a model's folder…"), tr!("config.json, tokenizer.json and .safetensors, in one file or in shards.")).calls(press(&folder)) }
                <input ref={texts} type="file" multiple=true hidden=true accept=".txt,.md,.text,.json,.safetensors" aria-label={tr!("Own texts")} onchange={onchange.clone()} />
                <input ref={folder} type="file" webkitdirectory=true hidden=true aria-label={tr!("Folder of an own model")} {onchange} />
            </div>
            <label class="field pasted"><span>{ tr!("or paste text") }</span><textarea ref={pasted} rows="3" /></label>
            { Button::quiet(tr!("Add the pasted text"), tr!("It becomes the text \"pasted\", in place of one pasted before.")).calls(paste) }
            if let Some(about) = about {
                { for about.problems.iter().map(|problem| html! { <p class="notice" role="alert">{ problem }</p> }) }
                { model(about.model.as_ref(), &props.dispatch) }
                if !about.texts.is_empty() {
                    { list(&about.texts, about, &props.dispatch) }
                    <Number label={tr!("held out, %")} why={tr!("Of each text, from its end: no lane trains on it, and all are measured on it.")} value={f64::from((about.held * 100.0).round())}
                        min={5.0} max={90.0} whole=true on_change={set_share} />
                }
            }
            if let Some(config) = train {
                { Button::primary(tr!("Train on these"), tr!("Begins a run on your texts, on the model named above.")).acts(&props.dispatch, Action::Edit(config)) }
            }
        </fieldset>
    }
}

fn model(model: Option<&AboutModel>, dispatch: &Callback<Action>) -> Html {
    let Some(model) = model else {
        return html! { <p class="note">{ tr!("Model: the page's small one, 467,808 parameters, bytes for tokens.") }</p> };
    };
    let drop = dispatch.reform(|()| Action::Bring(Bring::DropModel));
    html! {
        <>
            <p role="status">{ described(model) }</p>
            { Button::quiet(tr!("Remove the model"), tr!("Back to the page's small one.")).calls(drop) }
        </>
    }
}

/// What an opened model is: its shape, its size here and on the device.
fn described(model: &AboutModel) -> String {
    let heads = match model.kv_heads == model.heads {
        true => tr!("{} heads", model.heads),
        false => tr!("{} heads ({} for keys and values)", model.heads, model.kv_heads),
    };
    let stored = model.dtype.as_ref().map_or_else(String::new, |dtype| tr!(" in {dtype}", dtype));
    let tokens = if model.reads_bytes { tr!("bytes for tokens") } else { tr!("{} tokens", count(model.vocabulary)) };
    tr!(
        "{}: {} layers of width {}, {heads}, {tokens}, {} parameters{stored}, {}. Frozen on the device as 32-bit numbers it takes {}.",
        model.file,
        model.layers,
        count(model.hidden),
        millions(model.parameters),
        size(model.bytes),
        size(4.0 * model.parameters),
        heads,
        tokens,
        stored
    )
}

/// "134 million", or the number itself where it is smaller.
fn millions(number: f64) -> String {
    if number < 1e6 { count(number as usize) } else { tr!("{} million", three(number / 1e6)) }
}

fn list(texts: &[AboutText], about: &About, dispatch: &Callback<Action>) -> Html {
    let token = if about.model.as_ref().is_none_or(|model| model.reads_bytes) { tr!("bytes") } else { tr!("tokens") };
    let lines = texts.iter().map(|text| {
        let name = text.name.clone();
        let drop = dispatch.reform(move |()| Action::Bring(Bring::DropText(name.clone())));
        html! {
            <tr key={text.name.clone()}>
                <th scope="row">{ &text.name }</th>
                <td>{ count(text.train) }</td>
                <td>{ count(text.held) }</td>
                <td>{ Button::quiet(tr!("Remove"), tr!("Let this text go.")).named(tr!("Remove {}", text.name)).calls(drop) }</td>
            </tr>
        }
    });
    html! {
        <table class="own-texts">
            <thead><tr><th scope="col">{ tr!("text") }</th><th scope="col">{ tr!("{token} trained on", token) }</th><th scope="col">{ tr!("held out") }</th><th /></tr></thead>
            <tbody>{ for lines }</tbody>
        </table>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_told_with_its_sizes() {
        let model = AboutModel {
            file: "model.safetensors".into(),
            layers: 30,
            hidden: 576,
            heads: 9,
            kv_heads: 3,
            vocabulary: 49_152,
            positions: 2048,
            parameters: 134_515_008.0,
            bytes: 269_060_552.0,
            dtype: Some("BF16".into()),
            reads_bytes: false,
        };
        assert_eq!(
            described(&model),
            "model.safetensors: 30 layers of width 576, 9 heads (3 for keys and values), 49,152 tokens, 135 million parameters in \
             BF16, 269 MB. Frozen on the device as 32-bit numbers it takes 538 MB."
        );
    }
}
