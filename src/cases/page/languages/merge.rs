//! Several adapters added to a language's own: a curve of what that costs the language, by PEFT's three ways.

use yew::prelude::*;

use crate::cases::languages::measured::Measured;
use crate::cases::languages::merging::WAYS;
use crate::cases::languages::state::{Msg, State, Sum};
use crate::cases::languages::wire::Merging;
use crate::cases::languages::words::{interference, short};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::view::axis::path;
use crate::view::format::three;
use crate::view::snap::Snap;
use crate::view::ui::control::{Choice, Switch};
use crate::view::ui::panel::figure_menu;
use crate::view::ui::size::use_size;

const HEIGHT: f64 = 240.0;
const LEFT: f64 = 40.0;
/// Beside the chart, for the lines' names.
const NAMES: f64 = 64.0;
const BOTTOM: f64 = 216.0;
const TOP: f64 = 12.0;

pub fn merge(state: &State, tell: &Callback<Msg>) -> Html {
    let measured = &state.measured;
    let sum = state.sum;
    let drawn = state.merged.as_ref().filter(|merged| !merged.points.is_empty());
    let languages: Vec<AttrValue> = (0..measured.codes.len()).map(|at| AttrValue::from(short(measured, at))).collect();
    html! {
        <section id="merged-languages" class="panel" aria-labelledby="merge-title">
            <header>
                <h3 id="merge-title">{ tr!("Several at once") }</h3>
                <span class="spring" />
                if drawn.is_some() {
                    { figure_menu(&tr!("Several at once")) }
                }
            </header>
            <p class="note">{ tr!("Adapters added to a language's own, measured on its held-out text: factors added (linear), side by side (cat, the sum exactly), or the sum cut to one adapter's rank (svd).") }</p>
            <div class="row wrap controls-row">
                <Choice label={tr!("onto")} why={tr!("The language whose text is read.")} options={languages} chosen={sum.language}
                    on_change={tell.reform(move |language| Msg::Sum(Sum { language, ..sum }))} />
                <Choice label={tr!("others")} why={tr!("By the cosine between their changes and the language's own.")} options={[tr!("most alike first"), tr!("least alike first")].map(AttrValue::from).to_vec()}
                    chosen={usize::from(!sum.nearest)} on_change={tell.reform(move |at| Msg::Sum(Sum { nearest: at == 0, ..sum }))} />
                <Switch label={tr!("average")} why={tr!("Each adapter weighs one share of n, or else as much as it does alone.")} on={sum.share}
                    on_change={tell.reform(move |share| Msg::Sum(Sum { share, ..sum }))} />
                <button type="button" disabled={!state.ready() || state.merging} onclick={tell.reform(|_: MouseEvent| Msg::Merge)}>{ tr!("Add and measure") }</button>
                if let (true, Some(merged)) = (state.merging, &state.merged) {
                    <progress aria-label={tr!("Adding and reading")} max={merged.of.to_string()} value={merged.done.to_string()} />
                }
            </div>
            if let Some(merged) = drawn {
                <p class="said" role="status">{ interference(merged) }</p>
                <div class="halves">
                    <Curve measured={measured.clone()} merged={merged.clone()} />
                    { table(merged) }
                </div>
                <p class="note">{ tr!("One adapter is {}'s own. {}Adding and reading took {} s.", short(measured, merged.language),
                    if top(merged) > 2.0 * merged.base { tr!("What costs more than twice what no adapter does is drawn at the upper edge. ") } else { String::new() },
                    three(merged.milliseconds / 1000.0)) }</p>
            }
        </section>
    }
}

fn top(merged: &Merging) -> f64 {
    merged.points.iter().flat_map(|(_, bits)| bits.iter().copied()).fold(0.0, f64::max)
}

#[derive(Properties, PartialEq)]
struct CurveProps {
    measured: Snap<Measured>,
    merged: Merging,
}

/// Bits per byte over how many adapters there are.
#[component]
fn Curve(props: &CurveProps) -> Html {
    let (measured, merged) = (&props.measured, &props.merged);
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let right = (width - NAMES).max(LEFT + 1.0);
    let last = merged.points.last().map_or(1, |(count, _)| *count).max(2) as f64;
    let values = || merged.points.iter().flat_map(|(_, bits)| bits.iter().copied()).chain([merged.base]);
    // What is many times worse than none is only said to be above.
    let high = top(merged).max(merged.base).min(2.0 * merged.base);
    let low = values().fold(f64::INFINITY, f64::min);
    let pad = 0.08 * (high - low).max(0.1);
    let (low, high) = (low - pad, high + pad);
    let x = |count: f64| LEFT + (right - LEFT) * (count - 1.0) / (last - 1.0);
    let y = |bits: f64| BOTTOM - (BOTTOM - TOP) * ((bits - low) / (high - low)).clamp(0.0, 1.02);
    let lines = WAYS.iter().enumerate().map(|(way, name)| {
        let points: Vec<(f64, f64)> =
            merged.points.iter().map(|(count, bits)| (x(*count as f64), y(bits[way]))).collect();
        let end = points.last().copied().unwrap_or((right, TOP));
        html! {
            <g class={format!("way way-{way}")}>
                <path d={path(points.iter().copied())} />
                { for points.iter().map(|(x, y)| html! { <circle cx={tenths(*x)} cy={tenths(*y)} r="2.5" /> }) }
                <text x={tenths(right + 8.0)} y={tenths(label(way, end.1, merged, &y))}>{ *name }</text>
            </g>
        }
    });
    let counts = merged.points.iter().map(|(count, _)| {
        html! { <text class="axis" x={tenths(x(*count as f64))} y={tenths(BOTTOM + 16.0)} text-anchor="middle">{ count.to_string() }</text> }
    });
    let ticks = [low + pad, (low + high) / 2.0, high - pad].map(|value| {
        html! {
            <g><path class="grid" d={format!("M{} {}H{}", LEFT, tenths(y(value)), right)} />
            <text class="axis" x={tenths(LEFT - 6.0)} y={tenths(y(value) + 4.0)} text-anchor="end">{ format!("{value:.1}") }</text></g>
        }
    });
    let label = tr!(
        "Bits per byte of {} over how many adapters are added, by three ways; the table below has the values",
        short(measured, merged.language)
    );
    html! {
        <div class="curve" ref={node} role="img" aria-label={label}>
            if width > 0.0 {
                <svg aria-hidden="true" width={tenths(width)} height={HEIGHT.to_string()}>
                    { for ticks }
                    <path class="none" d={format!("M{LEFT} {}H{}", tenths(y(merged.base)), tenths(right))} />
                    <text x={tenths(right - 4.0)} y={tenths(y(merged.base) - 4.0)} text-anchor="end">{ tr!("no adapter") }</text>
                    { for lines }
                    { for counts }
                </svg>
            }
        </div>
    }
}

/// Where a line's name stands: at its end, and never on another's.
fn label(way: usize, own: f64, merged: &Merging, y: &dyn Fn(f64) -> f64) -> f64 {
    let ends: Vec<f64> =
        merged.points.last().map(|(_, bits)| bits.iter().map(|&bits| y(bits)).collect()).unwrap_or_default();
    crate::view::axis::spread(&ends, 14.0, TOP, BOTTOM).get(way).copied().unwrap_or(own) + 4.0
}

fn table(merged: &Merging) -> Html {
    let rows = merged.points.iter().map(|(count, bits)| {
        html! { <tr><th scope="row">{ count.to_string() }</th>{ for bits.iter().map(|bits| html! { <td>{ format!("{bits:.2}") }</td> }) }</tr> }
    });
    html! {
        <div class="tables">
            <table class="merged">
                <caption>{ tr!("Bits per byte, {} with none", format!("{:.2}", merged.base)) }</caption>
                <thead><tr><th scope="col">{ tr!("adapters") }</th>{ for WAYS.iter().map(|name| html! { <th scope="col">{ *name }</th> }) }</tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}
