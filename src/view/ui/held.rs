//! Bits per byte of held-out text, by language and lane, coloured by what was gained or forgotten against the base.

use yew::prelude::*;

use super::{gates::diverging_legend, panel::Panel, tint::use_tints};
use crate::config::Lane;
use crate::lang::tr;
use crate::protocol::text::{HeldFrame, HeldScore};
use crate::view::{
    format::count,
    reading::short_name,
    scale::{Scale, range_for},
    snap::Snap,
    table::Table,
};

#[derive(Properties, PartialEq)]
pub struct HeldProps {
    pub held: Snap<HeldFrame>,
    pub lanes: Vec<Lane>,
    pub names: Vec<String>,
    pub step: usize,
    pub dark: bool,
}

#[component]
pub fn Held(props: &HeldProps) -> Html {
    let node = use_node_ref();
    let held = &props.held;
    let tints = held.gains();
    let top = tints.iter().flatten().fold(0.5f32, |top, gain| top.max(gain.abs()));
    let range = range_for(f64::from(top)) as f32;
    use_tints(&node, tints, Scale::Diverging { range }, props.dark);
    let tables = {
        let (held, names) = (held.clone(), props.names.clone());
        Callback::from(move |()| vec![table(&held, &names)])
    };
    let row = |index: usize| {
        let language = &held.languages[index];
        let bytes =
            |score: &Option<HeldScore>| score.as_ref().and_then(|score| score.bytes.get(index)).map_or(0, |&b| b);
        let why = tr!(
            "{}: {} {}s of held-out text read by the base, {} by the lanes, each passage from its own beginning.",
            language.name,
            count(bytes(&held.base)),
            held.text.token(),
            count(held.lanes.iter().map(bytes).max().unwrap_or(0))
        );
        html! {
            <tr>
                <th scope="row" tabindex="0" data-why={why}>{ short_name(&language.name) }</th>
                <td>{ bits(&held.base, index) }</td>
                { for held.lanes.iter().map(|score| html! { <td class="tint">{ bits(score, index) }</td> }) }
            </tr>
        }
    };
    let order = held.order();
    let (new, old) = order.split_at(held.languages.iter().filter(|language| language.is_trained()).count());
    html! {
        <Panel id="held" title={tr!("Held-out text")} {tables} step={props.step}>
            <div class="held" ref={node}>
            <table class="accuracy">
                <caption>{ caption(held) }</caption>
                <thead><tr>
                    <td />
                    <th scope="col"><span class="dot" />{ tr!("base") }</th>
                    { for props.names.iter().take(held.lanes.len()).enumerate().map(|(lane, name)| html! {
                        <th scope="col"><span class={format!("dot lane-{lane}")} />{ name }</th>
                    }) }
                </tr></thead>
                <tbody>
                    { for new.iter().copied().map(row) }
                    if !old.is_empty() {
                        <tr class="old"><th scope="rowgroup" colspan={(2 + held.lanes.len()).to_string()} tabindex="0"
                            data-why={tr!("The base has read these five languages and no lane trains on them: what costs more here than with the base is being forgotten.")}>
                            { tr!("forgetting: languages that the base has read") }
                        </th></tr>
                    }
                    { for old.iter().copied().map(row) }
                </tbody>
            </table>
            <p class="row"><span class="note">{ tr!("gain over the base, bits") }</span><span class="spring" />{ diverging_legend(range, props.dark) }</p>
            { for held.leaks(&props.names).into_iter().map(|leak| html! { <p class="note">{ leak }</p> }) }
            if let Some(lesson) = held.lesson(&props.lanes, &props.names) {
                <p class="note">{ lesson }</p>
            }
            </div>
        </Panel>
    }
}

fn bits(score: &Option<HeldScore>, index: usize) -> String {
    score.as_ref().and_then(|score| score.bits.get(index)).map_or("–".into(), |&bits| format!("{bits:.2}"))
}

/// What was measured, on how much, and when.
fn caption(held: &HeldFrame) -> String {
    let scores = || held.lanes.iter().flatten();
    let span = |all: Vec<usize>| match (all.iter().min(), all.iter().max()) {
        (Some(&low), Some(&high)) if low < high => tr!("{} to {}", count(low), count(high)),
        (Some(&low), _) => count(low),
        _ => "–".into(),
    };
    let bytes = scores().chain(&held.base).flat_map(|score| score.bytes.iter().copied()).collect();
    let steps = scores().map(|score| score.step).collect();
    tr!(
        "{} of held-out text · {} {}s of each language · lanes at step {}",
        held.text.unit(),
        span(bytes),
        held.text.token(),
        span(steps)
    )
}

fn table(held: &HeldFrame, names: &[String]) -> Table {
    let mut head = vec![tr!("language"), tr!("base")];
    head.extend(names.iter().cloned());
    let row = |index: usize| {
        let name = held.languages[index].name.clone();
        let all = std::iter::once(&held.base).chain(&held.lanes).map(|score| bits(score, index));
        std::iter::once(name).chain(all).collect()
    };
    Table { caption: caption(held), head, rows: (0..held.languages.len()).map(row).collect() }
}
