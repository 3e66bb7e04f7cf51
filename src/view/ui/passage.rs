//! The passage: a held-out text, or one typed in, as base and lanes read it. The character that pointer or arrow keys stand
//! on tells what was expected there.

use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

use super::{
    control::{Button, Choice, Switch},
    gates::{diverging_legend, sequential},
    panel::Panel,
    pointer::owner,
    tint::use_tints,
};
use crate::config::{Model, Task};
use crate::lang::{said, tr};
use crate::protocol::Started;
use crate::protocol::text::{Look, Passage, PassageFrame, Read};
use crate::task::text::languages::{self, NEW, OLD};
use crate::view::{
    action::Action,
    axis::stepped,
    format::{count, three},
    passage::{bits, direction, expected, gates, leading, mean_bits, places},
    scale::{Scale, range_for},
    snap::Snap,
    table::Table,
    words::site_name,
};

#[derive(Properties, PartialEq)]
pub struct TextProps {
    pub started: Snap<Started>,
    pub passage: Option<Snap<PassageFrame>>,
    /// What was asked for; the passage shown may still be the one before.
    pub look: Look,
    pub names: Vec<String>,
    pub step: usize,
    pub dark: bool,
    pub dispatch: Callback<Action>,
}

/// What a character's colour tells, by its place in the choice.
const SURPRISE: usize = 0;
const GAIN: usize = 1;
const EXPERT: usize = 2;

#[component]
pub fn TextPanel(props: &TextProps) -> Html {
    let colour = use_state_eq(|| SURPRISE);
    // 0 is the base. It opens with the first lane, whose colours change as it trains.
    let model = use_state_eq(|| 1usize);
    let marks = use_state_eq(|| false);
    let cursor = use_state_eq(|| None::<usize>);
    let node = use_node_ref();
    let frame = props.passage.as_deref();
    let measured = props.started.text.clone().unwrap_or_default();
    let (guessing, token) = (measured.guessing, measured.token());
    let places = frame.map_or(Vec::new(), places);
    let read = |model: usize| frame.and_then(|frame| one(frame, model));
    let gated = frame.and_then(|frame| frame.gates.iter().find(|gates| gates.lane + 1 == *model));
    let tint = |&place: &(usize, usize)| {
        let cost = |model| Some(bits(read(model)?, place) / place.1 as f32);
        match *colour {
            GAIN => Some(cost(0)? - cost(*model)?),
            EXPERT => Some(leading(gated?, place.0)?.1),
            _ => Some(cost(*model)? / guessing),
        }
    };
    let tints: Vec<Option<f32>> = places.iter().map(tint).collect();
    let top = tints.iter().flatten().fold(1f32, |top, value| top.max(value.abs()));
    let range = range_for(f64::from(top)) as f32;
    let scale = if *colour == GAIN { Scale::Diverging { range } } else { Scale::Unit };
    use_tints(&node, tints, scale, props.dark);

    let language = match &props.look.passage {
        Passage::Held { language, .. } => Some(language.as_str()),
        Passage::Typed(_) => None,
    };
    let shown = frame.and_then(|frame| match &frame.look.passage {
        Passage::Held { language, .. } => Some(language.as_str()),
        Passage::Typed(_) => None,
    });
    let direction = direction(shown);
    let last = places.len().saturating_sub(1);
    let at = cursor.filter(|&at| at <= last && !places.is_empty());
    let onpointermove = {
        let cursor = cursor.clone();
        Callback::from(move |event: PointerEvent| {
            let at = owner(&event, ".tint").and_then(|element| element.get_attribute("data-at"));
            if let Some(at) = at.and_then(|at| at.parse().ok()) {
                cursor.set(Some(at));
            }
        })
    };
    let onkeydown = {
        let cursor = cursor.clone();
        Callback::from(move |event: KeyboardEvent| {
            // The arrows go where they point.
            let key = match (event.key().as_str(), direction) {
                ("ArrowLeft", "rtl") => "ArrowRight".to_owned(),
                ("ArrowRight", "rtl") => "ArrowLeft".to_owned(),
                (key, _) => key.to_owned(),
            };
            if let Some(next) = stepped(&key, at, (0, last), 1) {
                event.prevent_default();
                cursor.set(Some(next));
            }
        })
    };
    let characters = frame.map_or(&[][..], |frame| &frame.characters).iter().zip(&places).enumerate();
    let characters = characters.map(|(index, ((text, _), place))| {
        let expert = (*colour == EXPERT).then(|| leading(gated?, place.0)).flatten();
        let text = match (text.as_str(), *marks) {
            (" ", true) => "·",
            ("\n", true) => "␤\n",
            (text, _) => text,
        };
        html! {
            <span class={if at == Some(index) { "tint at" } else { "tint" }} data-at={index.to_string()}
                data-expert={expert.map(|(expert, _)| (expert + 1).to_string())}>{ text }</span>
        }
    });
    let look = {
        let (dispatch, look, cursor) = (props.dispatch.clone(), props.look.clone(), cursor.clone());
        Callback::from(move |passage: Passage| {
            cursor.set(None);
            dispatch.emit(Action::Look(Look { passage, ..look.clone() }));
        })
    };
    let typed = {
        let look = look.clone();
        Callback::from(move |event: InputEvent| {
            let area = event.target().and_then(|target| target.dyn_into::<HtmlTextAreaElement>().ok());
            if let Some(area) = area {
                look.emit(Passage::Typed(area.value()));
            }
        })
    };
    let tables = {
        let (passage, names) = (props.passage.clone(), props.names.clone());
        Callback::from(move |()| passage.iter().map(|frame| table(frame, &names)).collect())
    };
    let colours = [
        tr!("surprise, bits per {token}", token),
        tr!("gain over the base, bits per {token}", token),
        tr!("leading expert"),
    ]
    .map(AttrValue::from);
    let models: Vec<AttrValue> = std::iter::once(tr!("base").into())
        .chain(props.names.iter().map(|name| AttrValue::from(name.clone())))
        .collect();
    html! {
        <Panel id="text" title={tr!("Text")} controls={choices(props, language, &look)} {tables} step={props.step}>
            <div class="choices">
                <Choice label={tr!("colour")} quiet=true options={colours.to_vec()} chosen={*colour} on_change={setter(&colour)}
                    why={tr!("What the ground of a character tells. Surprise: −log₂ of the share that the model gave to it, per {token}; guessing costs {}. Gain: the same of the base, less the lane's. Leading expert: its number below the character, its gate as the ground.", three(f64::from(guessing)), token)} />
                <Choice label={tr!("Whose reading")} quiet=true options={models} chosen={*model} on_change={setter(&model)} why={tr!("Whose reading is coloured.")} />
                if *colour == EXPERT {
                    { sites(props) }
                }
                <Switch label={tr!("mark spaces")} on={*marks} on_change={setter(&marks)} why={tr!("Show spaces and ends of lines as signs.")} />
            </div>
            if language.is_none() {
                <textarea class="typed" rows="2" dir="auto" aria-label={tr!("Text to be read")} oninput={typed}
                    placeholder={tr!("Type or paste text: base and lanes read its last {} {token}s as you type.", match &props.started.config.task { Task::Text(text) => text.sequence, _ => 0 }, token)} />
            }
            <p class={if *colour == EXPERT { "passage experts" } else { "passage" }} ref={node} dir={direction} tabindex="0"
                role="group" aria-label={tr!("Passage; arrow keys go from character to character")} {onpointermove} {onkeydown}>
                { for characters }
            </p>
            if *colour == EXPERT && frame.is_some() && gated.is_none() {
                <p class="note">{ tr!("No gates here: choose a lane and a layer that has them.") }</p>
            }
            <div class="row under">
                <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout(frame, at, &places, shown, &token) }</p>
                <span class="spring" />
                { match *colour {
                    GAIN => diverging_legend(range, props.dark),
                    EXPERT => sequential("1", props.dark),
                    _ => sequential(&three(f64::from(guessing)), props.dark),
                } }
            </div>
            if let Some(frame) = frame {
                <table class="reads">
                    <thead><tr><td /><th scope="col">{ tr!("bits") }</th><th scope="col">
                        { if at.is_some() { tr!("expected here, most probable first") } else { tr!("per {token}, mean of the passage: point at a character for its own", token) } }
                    </th></tr></thead>
                    <tbody>{ for (0..=frame.lanes.len()).map(|model| line(frame, model, &props.names, at.map(|at| places[at]))) }</tbody>
                </table>
            } else {
                <p class="note">{ tr!("The first passage is read once the run is set up.") }</p>
            }
        </Panel>
    }
}

fn setter<T: PartialEq + 'static>(state: &UseStateHandle<T>) -> Callback<T> {
    let state = state.clone();
    Callback::from(move |value| state.set(value))
}

/// The base's reading, or a lane's.
fn one(frame: &PassageFrame, model: usize) -> Option<&Read> {
    match model.checked_sub(1) {
        None => Some(&frame.base),
        Some(lane) => frame.lanes.get(lane),
    }
}

/// Which text is read.
fn choices(props: &TextProps, language: Option<&str>, look: &Callback<Passage>) -> Html {
    // Of the page's own texts all can be read, of a visitor's those that are trained on.
    let all: Vec<String> = match &props.started.config.task {
        Task::Text(text) if text.model == Model::Custom => text.languages.clone(),
        _ => NEW.iter().chain(&OLD).map(|&(code, _)| code.to_owned()).collect(),
    };
    let mut options: Vec<AttrValue> = all.iter().map(|code| said(languages::name(code)).into()).collect();
    options.push(tr!("typed in").into());
    let chosen = language.map_or(all.len(), |code| all.iter().position(|known| known == code).unwrap_or(0));
    let on_change = look.reform(move |index: usize| match all.get(index) {
        Some(code) => Passage::Held { language: code.clone(), number: 0 },
        None => Passage::Typed(String::new()),
    });
    let turn = |by: isize| match &props.look.passage {
        Passage::Held { language, number } => {
            let passage = Passage::Held { language: language.clone(), number: number.saturating_add_signed(by) };
            look.reform(move |()| passage.clone())
        }
        Passage::Typed(_) => Callback::noop(),
    };
    let first = !matches!(props.look.passage, Passage::Held { number, .. } if number > 0);
    html! {
        <>
            <Choice quiet=true label={tr!("Text to read")} {options} {chosen} {on_change}
                why={tr!("Held-out text, which no lane trains on: the page's, in the fifty languages that the base has not read or the five that it has, or what you brought; or typed in.")} />
            if language.is_some() {
                { Button::quiet(tr!("Previous"), tr!("The passage before this one.")).disabled(first).calls(turn(-1)) }
                { Button::quiet(tr!("Next"), tr!("The passage after this one; after the last the first comes again.")).calls(turn(1)) }
            }
        </>
    }
}

/// Whose gates are told.
fn sites(props: &TextProps) -> Html {
    let options = props.started.layers.iter().enumerate().map(|(index, layer)| site_name(&layer.site, index).into());
    let look = props.look.clone();
    let on_change = props.dispatch.reform(move |site: usize| Action::Look(Look { site, ..look.clone() }));
    html! {
        <Choice quiet=true label={tr!("Layer of the experts")} options={options.collect::<Vec<AttrValue>>()} chosen={props.look.site} {on_change}
            why={tr!("Block and projection whose gates are shown; every linear layer of a mixture has its own.")} />
    }
}

/// What the cursor stands on, and what the passage is.
fn readout(
    frame: Option<&PassageFrame>,
    at: Option<usize>,
    places: &[(usize, usize)],
    shown: Option<&str>,
    token: &str,
) -> String {
    let Some(frame) = frame else { return String::new() };
    let of = at.and_then(|at| Some((frame.characters.get(at)?, places.get(at)?)));
    let Some(((text, count_of), &(first, _))) = of else {
        let what = shown.map_or(tr!("typed in"), |code| said(languages::name(code)));
        let bytes = count(frame.base.bits.len());
        return tr!("{what} · {bytes} {token}s · step {}", count(frame.step), what, bytes, token);
    };
    let text = match text.as_str() {
        " " => "space",
        "\n" => "end of line",
        // Set apart, lest it turn the words around it.
        text => &format!("\u{2068}{text}\u{2069}"),
    };
    match count_of {
        1 => tr!("{text} · {token} {} of the passage", first + 1, text, token),
        n => tr!("{text} · {n} {token}s from {} on; what was expected is the first of them", first + 1, text, n, token),
    }
}

/// What one model made of the character, or on average of the passage.
fn line(frame: &PassageFrame, model: usize, names: &[String], place: Option<(usize, usize)>) -> Html {
    let Some(read) = one(frame, model) else { return html! {} };
    let name = model.checked_sub(1).map_or_else(|| tr!("base"), |lane| names.get(lane).cloned().unwrap_or_default());
    let class = model.checked_sub(1).map_or("dot".into(), |lane| format!("dot lane-{lane}"));
    let value = place.map_or_else(|| mean_bits(read), |place| bits(read, place));
    let own = frame.gates.iter().find(|gates| gates.lane + 1 == model);
    let said = place.map(|place| expected(read, place.0));
    html! {
        <tr>
            <th scope="row"><span {class} />{ name }</th>
            <td>{ format!("{value:.2}") }</td>
            <td>
                { said }
                if let (Some(own), Some((first, _))) = (own, place) {
                    <span class="spoke">{ tr!("by experts ") }{ gates(own, first) }</span>
                }
            </td>
        </tr>
    }
}

fn table(frame: &PassageFrame, names: &[String]) -> Table {
    let mut head = vec![tr!("character"), tr!("base")];
    head.extend(names.iter().cloned());
    let row = |((text, _), place): (&(String, usize), (usize, usize))| {
        let all = std::iter::once(&frame.base).chain(&frame.lanes).map(|read| format!("{:.2}", bits(read, place)));
        std::iter::once(text.clone()).chain(all).collect()
    };
    let rows = frame.characters.iter().zip(places(frame)).map(row).collect();
    Table { caption: tr!("Bits that each character cost, read at step {}", count(frame.step)), head, rows }
}
