//! A visitor's own model and texts: opened from disk or pasted, told in words and numbers, and trained on. Nothing of them is
//! read here: that is the trainer's.

use js_sys::Array;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

use super::control::{Button, Number};
use super::pick::{chosen, pressing};
use crate::args::Named;
use crate::config::Config;
use crate::lang::tr;
use crate::protocol::text::Bring;
use crate::task::text::fit::{Fit, StepTime};
use crate::task::text::own::{About, AboutAdapter, AboutModel, AboutText};
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
    let refused = about.and_then(|about| about.fit.as_ref()?.refused.as_ref());
    let train = about.and_then(|about| on_own(&props.config, about));
    let set_share = props.dispatch.reform(|percent: f64| Action::Bring(Bring::HoldOut(percent as f32 / 100.0)));
    html! {
        <fieldset class="own-files">
            <legend>{ tr!("Your own model and text") }</legend>
            <p class="note">{ tr!("Files are read here, piece by piece, and never uploaded. A model is of Llama's or Qwen2's form: its folder with config.json, tokenizer.json and .safetensors. Without one, the page's small model learns your text.") }{ " " }{ tr!("An adapter of it (adapter_config.json and adapter_model.safetensors) begins a lane.") }</p>
            <div class="row wrap">
                { Button::new(tr!("Open texts…"), tr!("One or several .txt files; each is a language of its own in tables and gates.")).calls(pressing(&texts)) }
                { Button::new(tr!("Open a model's folder…"), tr!("config.json, tokenizer.json and .safetensors, in one file or in shards.")).calls(pressing(&folder)) }
                <input ref={texts} type="file" multiple=true hidden=true accept=".txt,.md,.text,.json,.safetensors" aria-label={tr!("Own texts")} onchange={onchange.clone()} />
                <input ref={folder} type="file" webkitdirectory=true hidden=true aria-label={tr!("Folder of an own model")} {onchange} />
            </div>
            <label class="field pasted"><span>{ tr!("or paste text") }</span><textarea ref={pasted} rows="3" /></label>
            { Button::quiet(tr!("Add the pasted text"), tr!("It becomes the text \"pasted\", in place of one pasted before.")).calls(paste) }
            if let Some(about) = about {
                { for about.problems.iter().map(|problem| html! { <p class="notice" role="alert">{ problem }</p> }) }
                { model(about.model.as_ref(), &props.dispatch) }
                { about.fit.as_ref().map_or(html! {}, |fit| fitting(fit, props)) }
                { for about.adapters.iter().map(|own| adapter(own, &props.dispatch)) }
                if !about.texts.is_empty() {
                    { list(&about.texts, about, &props.dispatch) }
                    <Number label={tr!("held out, %")} why={tr!("Of each text, from its end: no lane trains on it, and all are measured on it.")} value={f64::from((about.held * 100.0).round())}
                        min={5.0} max={90.0} whole=true on_change={set_share} />
                }
            }
            if let Some(config) = train.filter(|_| refused.is_none()) {
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

/// What a run on the model takes, before its weights are read.
fn fitting(fit: &Fit, props: &OwnProps) -> Html {
    let parts = |parts: &[(String, f64)]| {
        let each: Vec<String> = parts.iter().map(|(what, bytes)| format!("{what} {}", size(*bytes))).collect();
        format!("{}: {}", size(parts.iter().map(|(_, bytes)| bytes).sum()), each.join("; "))
    };
    let stop = props.dispatch.reform(|()| Action::Bring(Bring::StopMeasuring));
    html! {
        <div class="own-fit">
            <p class="note">
                { tr!("For {lanes} of {batch} × {sequence} tokens, it takes in the page's memory {parts}.",
                    lanes = lanes(fit.lanes), batch = fit.batch, sequence = fit.sequence, parts = parts(&fit.page)) }
                if !fit.gpu.is_empty() {
                    { " " }{ tr!("On the GPU {parts}.", parts = parts(&fit.gpu)) }
                }
                { " " }{ tr!("Nothing of its weights is read yet.") }
            </p>
            if let Some(why) = &fit.refused {
                <p class="notice" role="alert">{ why }</p>
            }
            if fit.measuring {
                <div class="row wrap">
                    <p class="note" role="status">{ tr!("Timing a step on one layer of its shape…") }</p>
                    { Button::quiet(tr!("Cancel"), tr!("Leave how long a step takes unmeasured.")).named(tr!("Cancel timing a step")).calls(stop) }
                </div>
            }
            if let Some(time) = &fit.time {
                <p role="status">{ step_time(fit, time) }</p>
            }
        </div>
    }
}

fn lanes(count: usize) -> String {
    tr!("1 lane" | "{n} lanes" % count)
}

/// How long a step takes, and how that is known.
fn step_time(fit: &Fit, time: &StepTime) -> String {
    let of = |milliseconds: f64| match milliseconds {
        short if short < 1000.0 => tr!("{} ms", three(short)),
        long => format!("{} s", three(long / 1e3)),
    };
    tr!(
        "A step of {lanes} takes about {whole} here: {layer} in each of {layers} layers, {head} in the head, timed on one layer.",
        lanes = lanes(fit.lanes),
        whole = of(time.whole()),
        layer = of(time.layer),
        layers = time.layers,
        head = of(time.head)
    )
}

fn adapter(own: &AboutAdapter, dispatch: &Callback<Action>) -> Html {
    let name = own.name.clone();
    let drop = dispatch.reform(move |()| Action::Bring(Bring::DropAdapter(name.clone())));
    html! {
        <div class="row wrap" key={own.name.clone()}>
            <p role="status">{ begins(own) }</p>
            { Button::quiet(tr!("Remove"), tr!("Let this adapter go.")).named(tr!("Remove {}", own.name)).calls(drop) }
        </div>
    }
}

/// What an opened adapter is, as a lane.
fn begins(own: &AboutAdapter) -> String {
    let lane = &own.lane;
    let at = lane.targets.as_ref().map_or_else(
        || tr!("all projections"),
        |targets| targets.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "),
    );
    tr!(
        "Adapter {name}: {lane}, on {at}, {numbers} numbers. A lane begins from it.",
        name = own.name,
        lane = lane.sized_title(),
        at = at,
        numbers = count(own.parameters)
    )
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
        "{}: {} layers of width {}, {heads}, {tokens}, {} parameters{stored}, {}. As 32-bit numbers in the page's memory it takes {}.",
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
    fn a_step_is_told_with_what_was_timed() {
        let fit = Fit { lanes: 1, batch: 8, sequence: 64, ..Fit::default() };
        let time = StepTime { layer: 420.0, layers: 30, head: 1_400.0 };
        assert_eq!(
            step_time(&fit, &time),
            "A step of 1 lane takes about 14.0 s here: 420 ms in each of 30 layers, 1.40 s in the head, timed on one layer."
        );
    }

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
             BF16, 269 MB. As 32-bit numbers in the page's memory it takes 538 MB."
        );
    }
}
