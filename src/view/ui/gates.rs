//! The gates panel: what one gated lane's experts answer to, by domain, by token and over training; and what one of
//! them carries, by switching it off.

use yew::prelude::*;

use super::{
    control::Choice,
    gate_parts::{GateParts, by_expert},
    heat::{Cell, Heat, Matrix},
    panel::{Panel, table},
};
use crate::lang::{said, tr};
use crate::protocol::{Ablate, GateFrame, Started};
use crate::view::{
    action::Action,
    format::{percent, three, tick},
    lane_view::GateView,
    scale::Scale,
    snap::Snap,
    table::{self as tables, Table},
    words::{no_gates, site_name},
};

#[derive(Properties, PartialEq)]
pub struct GatesProps {
    pub started: Snap<Started>,
    pub gates: Vec<GateView>,
    /// Lanes that have been heard of.
    pub lanes: usize,
    pub names: Vec<String>,
    /// Lane and layer chosen; the first gate if there is no such.
    pub chosen: Option<(usize, usize)>,
    pub step: usize,
    pub dark: bool,
    pub dispatch: Callback<Action>,
}

/// Where the cursor is: in which picture, on which cell.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Domains(Cell),
    Tokens(Cell),
    Time(Cell),
}

#[component]
pub fn Gates(props: &GatesProps) -> Html {
    let at = use_state_eq(|| None::<At>);
    let view = props.gates.iter().find(|g| Some((g.frame.lane, g.frame.layer)) == props.chosen).or(props.gates.first());
    let Some(view) = view else {
        let lanes = &props.started.config.lanes;
        // A gate that is still to come keeps its place.
        let awaited = lanes.iter().any(|lane| lane.is_gated()).then_some("awaited");
        return html! {
            <section id="gates" class={classes!("panel", awaited)} aria-labelledby="gates-title">
                <header><h2 id="gates-title">{ tr!("Gates") }</h2></header>
                <p class="note">{ no_gates(lanes, props.lanes) }</p>
            </section>
        };
    };
    let frame = &view.frame;
    let domains = &props.started.domains;
    let tables = {
        let (view, domains) = (view.clone(), domains.clone());
        Callback::from(move |()| {
            let mut all = vec![tables::gate(&view, &domains)];
            all.extend(parts_table(&view.frame, &domains));
            all
        })
    };
    let name = props.names.get(frame.lane).cloned().unwrap_or_default();
    let why = props.started.config.lanes.get(frame.lane).map_or_else(String::new, |lane| said(lane.gate_why()));
    let count = frame.token_domains.len();
    let by_domain = by_expert(&frame.domains, domains.len(), frame.experts);
    let by_token = by_expert(&frame.tokens, count, frame.experts);
    let over_time = over_time(view);
    let size = match frame.experts {
        0..=4 => "few",
        5..=10 => "some",
        _ => "many",
    };
    let ablate = |expert: usize| {
        let off = frame.ablation.as_ref().is_some_and(|a| a.expert == expert);
        let target = Ablate { lane: frame.lane, layer: frame.layer, expert };
        Action::Ablate((!off).then_some(target))
    };
    let on_pick = {
        let dispatch = props.dispatch.clone();
        let actions: Vec<Action> = (0..frame.experts).map(ablate).collect();
        Callback::from(move |(expert, _): Cell| {
            if let Some(action) = actions.get(expert) {
                dispatch.emit(action.clone());
            }
        })
    };
    let move_to = |wrap: fn(Cell) -> At| {
        let at = at.clone();
        let dispatch = props.dispatch.clone();
        Callback::from(move |cell: Option<Cell>| {
            let next = cell.map(wrap);
            if let Some(At::Tokens((_, token))) = next {
                dispatch.emit(Action::FlowToken(token));
            }
            at.set(next);
        })
    };
    let scale = scale(frame);
    let heat = |class: &'static str, data: Matrix, label: String, cursor: Option<Cell>, wrap: fn(Cell) -> At| {
        html! {
            <Heat {class} data={Snap::new(data)} {scale} dark={props.dark} {label} {cursor}
                on_cursor={move_to(wrap)} on_pick={on_pick.clone()} />
        }
    };
    let cursor = |pick: fn(At) -> Option<Cell>| at.and_then(pick);
    let experts = (0..frame.experts).map(|expert| {
        let off = frame.ablation.as_ref().is_some_and(|a| a.expert == expert);
        let action = ablate(expert);
        let (lane, layer) = (frame.lane, frame.layer);
        let lights = format!(".way.lane-{lane}.layer-{layer} :is([data-expert='{expert}'], [data-branch='{expert}']), .curve.lane-{lane}");
        html! {
            <button type="button" class="expert" aria-pressed={off.to_string()} data-lights={lights}
                aria-label={tr!("Expert {} of {name}: {}", expert + 1, if off { tr!("off") } else { tr!("on") }, name)}
                data-why={tr!("Measure each domain's loss with this expert's gate at zero; pictures and training stay as they are.")}
                onclick={props.dispatch.reform(move |_: MouseEvent| action.clone())}>{ expert + 1 }</button>
        }
    });
    let used = frame.utilisation.iter().map(|&share| {
        html! { <span>{ percent(f64::from(share)) }</span> }
    });
    let moments = view.time.next();
    html! {
        <Panel id="gates" title={tr!("Gates")} controls={choices(props, view)} {tables} step={props.step}>
            <p class="readout" aria-live={if at.is_some() { "polite" } else { "off" }}>{ readout(*at, view, domains) }</p>
            <div class={classes!("gate-grid", size)}>
                <div class="experts"><span class="axis">{ tr!("expert") }</span><div class="cells">{ for experts }</div></div>
                <figure class="by-domain">
                    <figcaption data-why={why}>{ tr!("by domain") }</figcaption>
                    { heat("strip", by_domain, tr!("{name}: mean gate, experts × domains", name), cursor(|a| match a { At::Domains(c) => Some(c), _ => None }), At::Domains) }
                    <div class="ticks">{ for (1..=domains.len()).map(|d| html! { <span>{ d }</span> }) }</div>
                </figure>
                <figure class="by-token">
                    <figcaption data-why={tr!("The same tokens in every frame, sorted by domain where the task has pure domains; a column is one token.")}>{ tr!("by token") }</figcaption>
                    { heat("strip", by_token, tr!("{name}: gate, experts × probe tokens", name), cursor(|a| match a { At::Tokens(c) => Some(c), _ => None }), At::Tokens) }
                    <div class="ticks ends"><span>{ "1" }</span><span>{ count }</span></div>
                </figure>
                <figure class="by-time">
                    <figcaption data-why={tr!("Mean gate over all probe tokens, from the first step to now.")}>{ tr!("over training") }</figcaption>
                    { heat("strip", over_time, tr!("{name}: mean gate, experts × training time", name), cursor(|a| match a { At::Time(c) => Some(c), _ => None }), At::Time) }
                    <div class="ticks ends"><span>{ "0" }</span><span>{ moments.saturating_sub(1) }</span></div>
                </figure>
                <div class="used" tabindex="0" data-why={tr!("Utilisation: share of probe tokens whose largest gate is this expert's.")}>
                    <span class="axis">{ tr!("leads") }</span><div class="cells">{ for used }</div>
                </div>
            </div>
            <div class="row">
                <span class="number" tabindex="0" data-why={tr!("Mean over tokens of the gate's entropy, divided by log N: 1 is uniform, 0 is one expert only.")}>
                    { if frame.is_shares() { tr!("entropy ") } else { tr!("router’s entropy ") } }<b>{ three(f64::from(frame.entropy)) }</b>
                </span>
                <span class="spring" />
                { scale_legend(scale, props.dark) }
            </div>
            { parts(view, &name, domains, scale, size, props.dark) }
            { ablation(frame, domains) }
        </Panel>
    }
}

/// One tab per gated lane and, where the lane has several adapted layers, which of them.
fn choices(props: &GatesProps, shown: &GateView) -> Html {
    let here = (shown.frame.lane, shown.frame.layer);
    let mut lanes: Vec<usize> = props.gates.iter().map(|g| g.frame.lane).collect();
    lanes.dedup();
    let layers_of = |lane: usize| -> Vec<usize> {
        let gates = props.gates.iter().filter(|g| g.frame.lane == lane);
        gates.map(|g| g.frame.layer).collect()
    };
    let tabs = lanes.into_iter().map(|lane| {
        let name = props.names.get(lane).cloned().unwrap_or_default();
        let layers = layers_of(lane);
        let layer = if layers.contains(&here.1) { here.1 } else { layers[0] };
        html! {
            <button type="button" class={format!("tab lane-{lane}")} aria-pressed={(lane == here.0).to_string()}
                data-why={tr!("Show the gate of {name}.", name)}
                onclick={props.dispatch.reform(move |_: MouseEvent| Action::ShowGate { lane, layer })}>
                <span class="dot" />{ name }
            </button>
        }
    });
    let layers = layers_of(here.0);
    let site = |l: usize| props.started.layers.get(l).map_or(String::new(), |layer| site_name(&layer.site, l));
    let options: Vec<AttrValue> = layers.iter().map(|&l| site(l).into()).collect();
    let chosen = layers.iter().position(|&l| l == here.1).unwrap_or(0);
    let on_layer = {
        let layers = layers.clone();
        props.dispatch.reform(move |index: usize| Action::ShowGate { lane: here.0, layer: layers[index] })
    };
    html! {
        <div class="tabs">
            { for tabs }
            if layers.len() > 1 {
                <Choice quiet=true label={tr!("Layer of the gate")} why={tr!("Each adapted layer has a gate of its own.")} {options} {chosen} on_change={on_layer} />
            }
        </div>
    }
}

/// Mean gates over training, a bucket without a frame showing the one before it.
fn over_time(view: &GateView) -> Matrix {
    let (series, experts) = (&view.time, view.frame.experts);
    let cols = series.len().max(1);
    let mut values = vec![f32::NAN; experts * cols];
    for expert in 0..experts {
        let mut last = f32::NAN;
        for col in 0..cols {
            last = series.mean(col, expert).map_or(last, |v| v as f32);
            values[expert * cols + col] = last;
        }
    }
    Matrix { rows: experts, cols, values }
}

fn readout(at: Option<At>, view: &GateView, domains: &[String]) -> String {
    let frame = &view.frame;
    let value = |v: Option<f32>| v.map_or("–".to_string(), |v| three(f64::from(v)));
    let domain = |d: usize| domains.get(d).cloned().unwrap_or_default();
    match at {
        None if frame.is_shares() => tr!("gate, 0 to 1 · click an expert to measure the loss without it"),
        None => tr!("gate, of either sign · click an expert to measure the loss without it"),
        Some(At::Domains((e, d))) => {
            let gate = frame.domains.get(d * frame.experts + e).copied();
            tr!("expert {} on {}: mean gate {}", e + 1, domain(d), value(gate))
        }
        Some(At::Tokens((e, t))) => {
            let gate = frame.tokens.get(t * frame.experts + e).copied();
            let of = frame.token_domains.get(t).map(|&d| domain(d)).unwrap_or_default();
            tr!("expert {} on token {} ({of}): gate {}", e + 1, t + 1, value(gate), of)
        }
        Some(At::Time((e, c))) => {
            let mean = (0..=c).rev().find_map(|c| view.time.mean(c, e));
            tr!(
                "expert {} around step {}: mean gate {}",
                e + 1,
                c * view.time.stride(),
                mean.map_or("–".to_string(), three)
            )
        }
    }
}

/// Shares of 1 on the sequential scale; gates that may be negative on the diverging one, as wide as all of them are.
fn scale(frame: &GateFrame) -> Scale {
    if let Some(parts) = &frame.parts {
        let all = [&frame.tokens, &frame.domains, &parts.intuition, &parts.router];
        let top = all.into_iter().flatten().fold(0f32, |top, v| top.max(v.abs()));
        return Scale::Diverging { range: crate::view::scale::range_for(f64::from(top)) as f32 };
    }
    Scale::Unit
}

fn parts(view: &GateView, name: &str, domains: &[String], scale: Scale, size: &'static str, dark: bool) -> Html {
    let Scale::Diverging { range } = scale else { return html! {} };
    let (view, name, domains) = (view.clone(), name.to_string(), domains.to_vec());
    html! { <GateParts {view} {name} {domains} {range} {size} {dark} /> }
}

use tables::gate_parts as parts_table;

/// A scale with its ends.
fn scale_legend(scale: Scale, dark: bool) -> Html {
    match scale {
        Scale::Unit => sequential("1", dark),
        Scale::Diverging { range } => diverging_legend(range, dark),
    }
}

/// The sequential scale from 0 to its end.
pub fn sequential(top: &str, dark: bool) -> Html {
    let ramp = Matrix { rows: 1, cols: 48, values: (0..48).map(|i| i as f32 / 47.0).collect() };
    html! {
        <span class="legend"><span>{ "0" }</span>{ legend(ramp, Scale::Unit, dark) }<span>{ top }</span></span>
    }
}

/// From −range to range, with both numbers.
pub fn diverging_legend(range: f32, dark: bool) -> Html {
    diverging(&tick(-f64::from(range)), &tick(f64::from(range)), dark)
}

/// The diverging scale between what its ends are called.
pub fn diverging(low: &str, high: &str, dark: bool) -> Html {
    let ramp = Matrix { rows: 1, cols: 49, values: (0..49).map(|i| i as f32 / 24.0 - 1.0).collect() };
    let colours = legend(ramp, Scale::Diverging { range: 1.0 }, dark);
    html! { <span class="legend"><span>{ low }</span>{ colours }<span>{ high }</span></span> }
}

/// A colour scale as a strip; its ends are written beside it by the caller.
pub fn legend(ramp: Matrix, scale: Scale, dark: bool) -> Html {
    html! { <Heat class="ramp" data={Snap::new(ramp)} {scale} {dark} label={tr!("Colour scale")} on_cursor={Callback::noop()} /> }
}

fn ablation(frame: &GateFrame, domains: &[String]) -> Html {
    let Some(ablation) = &frame.ablation else {
        return html! {};
    };
    let cell = |values: &[f32], d: usize| values.get(d).map_or("–".to_string(), |&v| three(f64::from(v)));
    let line = |name: String, values: &[f32]| {
        let mut row = vec![name];
        row.extend((0..domains.len()).map(|d| cell(values, d)));
        row
    };
    let mut head = vec![tr!("loss")];
    head.extend(domains.iter().cloned());
    table(&Table {
        caption: tr!(
            "What expert {} carries: loss with it and with its gate at zero, on the {} tokens above",
            ablation.expert + 1,
            frame.token_domains.len()
        ),
        head,
        rows: vec![line(tr!("with it"), &ablation.with), line(tr!("without it"), &ablation.without)],
    })
}
