//! The merged-weight inspector: W0, ΔW and their sum, ΔW on a scale of its own unless asked otherwise, since it is small; the
//! spectrum of ΔW, and how well the lane can be merged into one weight.

use yew::prelude::*;

use super::{
    control::{Button, Choice, Number, Switch},
    gates::diverging,
    heat::{Cell, Heat, Matrix, Window},
    panel::Panel,
    spectrum::Spectrum,
};
use crate::lang::tr;
use crate::protocol::{MergeFrame, MergeMode, Started, Watch, WeightFrame};
use crate::view::{
    action::{Action, Receiver},
    format::{percent, three, tick},
    scale::{Scale, range_for},
    snap::Snap,
    table as tables,
    words::{merge_name, merge_why, signed, site_name},
};

const MODES: [MergeMode; 5] = [
    MergeMode::PerInput,
    MergeMode::MeanGate,
    MergeMode::MeanGatePerDomain,
    MergeMode::TopExpertPerDomain,
    MergeMode::LeastSquares,
];

#[derive(Properties, PartialEq)]
pub struct WeightProps {
    pub started: Snap<Started>,
    pub weight: Snap<WeightFrame>,
    pub names: Vec<String>,
    /// What was asked for; the weight shown may still be of what was asked before.
    pub watch: Watch,
    /// Tokens in the probe batch, if known.
    pub tokens: Option<usize>,
    pub step: usize,
    pub dark: bool,
    pub dispatch: Callback<Action>,
}

/// The three pictures, the range that holds them all, and ΔW's own.
struct Pictures {
    w0: Snap<Matrix>,
    delta: Snap<Matrix>,
    sum: Snap<Matrix>,
    range: f64,
    own: f64,
}

#[component]
pub fn Weight(props: &WeightProps) -> Html {
    let cursor = use_state_eq(|| None::<Cell>);
    // How many times enlarged, and around which cell.
    let zoom = use_state_eq(|| (1usize, (0usize, 0usize)));
    let shared = use_state_eq(|| false);
    let pictures = use_memo(props.weight.clone(), |weight| pictures(weight));
    let singular = use_memo(props.weight.clone(), |weight| Snap::new(weight.singular.clone()));
    let weight = &props.weight;
    let window = window(weight.rows, weight.cols, zoom.0, zoom.1);
    let on_cursor = {
        let (cursor, zoom) = (cursor.clone(), zoom.clone());
        Callback::from(move |cell: Option<Cell>| {
            cursor.set(cell);
            // The arrow keys can leave the window: it follows.
            if let Some((row, col)) = cell {
                let inside = (window.row..window.row + window.rows).contains(&row)
                    && (window.col..window.col + window.cols).contains(&col);
                if !inside {
                    zoom.set((zoom.0, (row, col)));
                }
            }
        })
    };
    let picture = |name: &'static str, what: String, data: &Snap<Matrix>, range: f64| {
        let scale = Scale::Diverging { range: range as f32 };
        let label = tr!(
            "{name}, {} outputs × {} inputs, from {} to {}",
            weight.rows,
            weight.cols,
            tick(-range),
            tick(range),
            name
        );
        html! {
            <figure>
                <figcaption data-why={what}>{ format!("{name} ±{}", tick(range)) }</figcaption>
                <Heat class="square" data={data.clone()} window={Some(window)} {scale} dark={props.dark} {label}
                    cursor={*cursor} on_cursor={on_cursor.clone()} />
            </figure>
        }
    };
    let gated = props.started.config.lanes.get(weight.watch.lane).is_some_and(|lane| lane.is_gated());
    let tables = {
        let (weight, at) = (weight.clone(), cursor.unwrap_or((window.row, window.col)));
        Callback::from(move |()| {
            let mode = matches!(weight.merge, MergeFrame::Mixture { .. }).then_some(weight.watch.merge);
            vec![tables::weight(&weight, at.0, at.1), tables::spectrum(&weight.singular, mode)]
        })
    };
    let zoom_to = |factor: usize| {
        let (zoom, at) = (zoom.clone(), cursor.unwrap_or(zoom.1));
        Callback::from(move |()| zoom.set((factor, at)))
    };
    let most = weight.rows.max(weight.cols) / 8;
    let own = if *shared { pictures.range } else { pictures.own };
    let on_change = {
        let shared = shared.clone();
        Callback::from(move |on| shared.set(on))
    };
    html! {
        <Panel id="weight" title={tr!("Merged weight")} {tables} step={props.step} controls={choices(props)}>
            <div class="weight-grid">
                <div class="maps">
                    { picture("W0", tr!("The frozen base weight. Rows are outputs, columns inputs; the strongest colours are ± the number."), &pictures.w0, pictures.range) }
                    <span class="sign" aria-hidden="true">{ "+" }</span>
                    { picture("ΔW", tr!("What the adapter adds to the base weight; the strongest colours are ± the number."), &pictures.delta, own) }
                    <span class="sign" aria-hidden="true">{ "=" }</span>
                    { picture("W0 + ΔW", tr!("The merged weight: what one would ship in place of base and adapter."), &pictures.sum, pictures.range) }
                </div>
                <div class="row under">
                    <p class="readout" aria-live={if cursor.is_some() { "polite" } else { "off" }}>{ readout(*cursor, weight) }</p>
                    <span class="spring" />
                    { Button::quiet(tr!("Zoom out"), tr!("Show more of the weight.")).disabled(zoom.0 <= 1).calls(zoom_to((zoom.0 / 2).max(1))) }
                    { Button::quiet(tr!("Zoom in"), tr!("Enlarge the part around the cell last pointed at; arrow keys move on from there."))
                        .disabled(zoom.0 * 2 > most.max(1)).calls(zoom_to(zoom.0 * 2)) }
                    <Switch label={tr!("one scale")} why={tr!("Show ΔW in the colours of W0 instead of its own, so that sizes can be compared.")} on={*shared} {on_change} />
                </div>
                <div class="facts">
                    <div class="row">
                        <span class="number" tabindex="0" data-why={tr!("‖ΔW‖ / ‖W0‖: size of the change against the size of the base, both as Frobenius norms: the root of the sum of all squared cells.")}>
                            if let Some(ratio) = weight.ratio {
                                { tr!("ΔW is ") }<b>{ percent(f64::from(ratio)) }</b>{ tr!(" of W0") }
                            } else {
                                { tr!("W0 is 0: all is ΔW") }
                            }
                        </span>
                        <span class="spring" />
                        { diverging("−", "+", props.dark) }
                    </div>
                    <Spectrum values={(*singular).clone()} true_rank={props.started.true_rank} lane={weight.watch.lane} />
                    { merge(weight, gated) }
                </div>
            </div>
        </Panel>
    }
}

fn pictures(weight: &WeightFrame) -> Pictures {
    let sum: Vec<f32> = weight.w0.iter().zip(&weight.delta).map(|(a, b)| a + b).collect();
    let top = |all: &[&Vec<f32>]| {
        let finite = all.iter().copied().flatten().filter(|v| v.is_finite());
        f64::from(finite.fold(0f32, |top, v| top.max(v.abs())))
    };
    let range = range_for(top(&[&weight.w0, &weight.delta, &sum]));
    let change = top(&[&weight.delta]);
    let matrix = |values: Vec<f32>| Snap::new(Matrix { rows: weight.rows, cols: weight.cols, values });
    Pictures {
        w0: matrix(weight.w0.clone()),
        delta: matrix(weight.delta.clone()),
        sum: matrix(sum),
        range,
        own: if change > 0.0 { range_for(change) } else { range },
    }
}

/// The part shown when enlarged `zoom` times around a cell.
fn window(rows: usize, cols: usize, zoom: usize, (row, col): Cell) -> Window {
    let part = |size: usize, at: usize| {
        let shown = (size / zoom).max(size.min(4));
        (at.saturating_sub(shown / 2).min(size - shown), shown)
    };
    let ((row, rows), (col, cols)) = (part(rows, row), part(cols, col));
    Window { row, col, rows, cols }
}

fn readout(cursor: Option<Cell>, weight: &WeightFrame) -> String {
    let value = |(row, col): Cell| {
        let at = row * weight.cols + col;
        Some((weight.w0.get(at)?, weight.delta.get(at)?))
    };
    match cursor.and_then(|cell| Some((cell, value(cell)?))) {
        Some(((row, col), (w, d))) => format!(
            "({row}, {col})  {} {} = {}",
            signed(f64::from(*w)),
            signed(f64::from(*d)),
            signed(f64::from(w + d)),
        ),
        None => tr!("{} outputs × {} inputs · point at a cell", weight.rows, weight.cols),
    }
}

/// Lane, layer and, for mixtures, the merge.
fn choices(props: &WeightProps) -> Html {
    let watch = props.watch;
    let set = |change: fn(&mut Watch, usize)| {
        props.dispatch.reform(move |value: usize| {
            let mut watch = watch;
            change(&mut watch, value);
            Action::Watch(watch)
        })
    };
    let save = |merged| Action::Save { lane: watch.lane, merged, to: Receiver::Visitor };
    let options = |names: &mut dyn Iterator<Item = String>| names.map(AttrValue::from).collect::<Vec<_>>();
    let lanes = options(&mut props.names.iter().cloned());
    let layers = options(
        &mut props
            .started
            .layers
            .iter()
            .enumerate()
            .map(|(i, l)| format!("{} · {}×{}", site_name(&l.site, i), l.site.outputs, l.site.inputs)),
    );
    let gated = props.started.config.lanes.get(watch.lane).is_some_and(|lane| lane.is_gated());
    let merge = MODES.iter().position(|&m| m == watch.merge).unwrap_or(0);
    let per_domain = matches!(watch.merge, MergeMode::MeanGatePerDomain | MergeMode::TopExpertPerDomain);
    html! {
        <div class="choices">
            <Choice quiet=true label={tr!("Lane of the weight")} why={tr!("Whose ΔW is shown.")} options={lanes} chosen={watch.lane}
                on_change={set(|w, lane| w.lane = lane)} />
            if layers.len() > 1 {
                <Choice quiet=true label={tr!("Layer of the weight")} why={tr!("Which layer's weight is shown.")} options={layers}
                    chosen={watch.layer} on_change={set(|w, layer| w.layer = layer)} />
            }
            if gated {
                <Choice quiet=true label={tr!("Merge")} why={merge_why(watch.merge)} chosen={merge}
                    options={MODES.map(|m| AttrValue::from(merge_name(m))).to_vec()}
                    on_change={set(|w, mode| w.merge = MODES[mode])} />
                if per_domain {
                    <Choice quiet=true label={tr!("Domain of the merge")} why={tr!("Whose gate makes the weight.")} chosen={watch.domain}
                        options={options(&mut props.started.domains.iter().cloned())}
                        on_change={set(|w, domain| w.domain = domain)} />
                }
                if watch.merge == MergeMode::PerInput {
                    <Number label={tr!("token")} whole=true why={tr!("Token of the probe batch whose gate makes the weight.")}
                        value={(watch.token + 1) as f64} min={1.0} max={props.tokens.unwrap_or(1).max(1) as f64}
                        on_change={set(|w, token| w.token = token - 1).reform(|v: f64| v as usize)} />
                }
            }
            { Button::quiet(tr!("Save adapter"), tr!("The lane as it is now: PEFT's adapter_model.safetensors and adapter_config.json, or, of a method that PEFT has not, its parameters as one safetensors file."))
                .acts(&props.dispatch, save(false)) }
            if props.started.config.task.has_projections() && !gated {
                { Button::quiet(tr!("Save merged model"), tr!("The language model with the lane merged into its weights, as one model.safetensors under transformers' names."))
                    .acts(&props.dispatch, save(true)) }
            }
        </div>
    }
}

/// The merge proof, or the errors of the merges there are.
fn merge(weight: &WeightFrame, gated: bool) -> Html {
    match &weight.merge {
        MergeFrame::Exact { error } => html! {
            <p class="proof" tabindex="0" data-why={tr!("Largest difference, over the probe batch, between the output of W0 + ΔW as one weight and of base and adapter apart: rounding, no more.")}>
                { tr!("merge proof: max |merged(x) − adapted(x)| = ") }<b>{ three(f64::from(*error)) }</b>
            </p>
        },
        MergeFrame::Mixture { tokens: 0, .. } if weight.delta.iter().all(|d| d.is_finite()) => html! {
            <p class="note">{ tr!("ΔW with the mean gate of the tokens looked at. No single weight is exact, and how far each merge is from the model is not measured on one of this size: it would stop training for minutes.") }</p>
        },
        MergeFrame::Mixture { routed, tokens, modes } => {
            let cell = |value: Option<f32>| value.map_or("–".to_string(), |value| three(f64::from(value)));
            let row = |name: String, why: String, loss: Option<f32>, error: Option<f32>, class: &'static str| {
                html! {
                    <tr {class}>
                        <th scope="row" tabindex="0" data-why={why}>{ name }</th>
                        <td>{ cell(loss) }</td>
                        <td>{ cell(error) }</td>
                    </tr>
                }
            };
            html! {
                <table class="merges">
                    <caption>
                        if gated {
                            { tr!("No single weight is exact: the gate makes ΔW depend on x.") }
                        }
                    </caption>
                    <thead><tr>
                        <th scope="col">{ tr!("merge") }</th><th scope="col" data-why={tr!("Mean over {tokens} tokens of the training data. (a) is one token's, so it has none.", tokens)}>{ tr!("loss") }</th>
                        <th scope="col" data-why={tr!("Largest difference from the routed model's output over the probe batch; for (a) over the chosen token.")}>{ tr!("max error") }</th>
                    </tr></thead>
                    <tbody>
                        { row(tr!("routed, unmerged"), tr!("The model as it trains: every token through its own gate."), Some(*routed), None, "routed") }
                        { for modes.iter().map(|m| row(merge_name(m.mode), merge_why(m.mode), m.loss, Some(m.error),
                            if m.mode == weight.watch.merge { "chosen" } else { "" })) }
                    </tbody>
                </table>
            }
        }
    }
}
