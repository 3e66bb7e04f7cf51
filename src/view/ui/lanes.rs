//! The lanes: method, rank or experts, size, and what can be done with each. Knows nothing of how they train.

use yew::prelude::*;

use super::{
    control::{Button, Choice, Number, slider_value},
    lane_more::Controls,
    spectrum::bars,
    twin::Panel,
};
use crate::config::{Config, Form, Lane, Method, Named, Task, limits};
use crate::protocol::LaneFrame;
use crate::view::{
    action::Action,
    edit::LANES,
    format::{count, method_name, percent},
    snap::Snap,
    table::Table,
    words::lane_names,
};

/// Furthest the sliders go.
const RANKS: usize = 32;
const EXPERTS: usize = 16;

pub struct LanesProps {
    pub config: Snap<Config>,
    /// Latest frame of each lane; empty while an edit waits.
    pub frames: Vec<Snap<LaneFrame>>,
    /// Whether sliders act on the run in place.
    pub live: bool,
    pub dispatch: Callback<Action>,
    /// What each lane costs, asked for when shown.
    pub tables: Callback<(), Vec<Table>>,
    pub step: usize,
}

pub fn lanes(props: &LanesProps) -> Html {
    let names = lane_names(&props.config.lanes);
    let rows = props.config.lanes.iter().enumerate().map(|(index, lane)| {
        html! {
            <LaneRow {index} name={names[index].clone()} lane={lane.clone()} config={props.config.clone()}
                frame={props.frames.get(index).cloned()} live={props.live} dispatch={props.dispatch.clone()} />
        }
    });
    let add = {
        let (config, dispatch) = (props.config.clone(), props.dispatch.clone());
        Callback::from(move |()| {
            let mut config = Config::clone(&config);
            config.lanes.push(Lane::from(Method::lora()));
            dispatch.emit(Action::Edit(config));
        })
    };
    let controls = html! {
        <>
            if props.config.lanes.len() < LANES {
                { Button::quiet("Add lane", "Add a LoRA lane; the run restarts, so that all lanes see the same data.").calls(add) }
            }
            { Button::quiet(
                "Match parameters",
                "Set ranks and experts so that every lane trains about as many parameters as the first adapter.",
            ).acts(&props.dispatch, Action::MatchParameters) }
        </>
    };
    html! {
        <Panel id="lanes" title="Lanes" {controls} tables={props.tables.clone()} step={props.step}>
            <ol class="lanes">{ for rows }</ol>
        </Panel>
    }
}

#[derive(Properties, PartialEq)]
struct LaneProps {
    index: usize,
    name: AttrValue,
    lane: Lane,
    config: Snap<Config>,
    frame: Option<Snap<LaneFrame>>,
    live: bool,
    dispatch: Callback<Action>,
}

#[component]
fn LaneRow(props: &LaneProps) -> Html {
    let index = props.index;
    let edit = {
        let (config, dispatch) = (props.config.clone(), props.dispatch.clone());
        Callback::from(move |lane: Lane| {
            let mut config = Config::clone(&config);
            config.lanes[index] = lane;
            dispatch.emit(Action::Edit(config));
        })
    };
    let methods = all_methods();
    let name = |method: &Method| if *method == Method::Full { "full" } else { method_name(method) };
    let options: Vec<AttrValue> = methods.iter().map(|method| name(method).into()).collect();
    let chosen = methods.iter().position(|method| method.name() == props.lane.method.name()).unwrap_or(0);
    let on_method = {
        let layers = props.lane.layers.clone();
        edit.reform(move |index: usize| Lane { layers: layers.clone(), ..methods[index].clone().into() })
    };
    let remove = {
        let (config, dispatch) = (props.config.clone(), props.dispatch.clone());
        Callback::from(move |()| {
            let mut config = Config::clone(&config);
            config.lanes.remove(index);
            dispatch.emit(Action::Edit(config));
        })
    };
    let duplicate = {
        let (config, dispatch) = (props.config.clone(), props.dispatch.clone());
        Callback::from(move |()| {
            let mut config = Config::clone(&config);
            let copy = config.lanes[index].clone();
            config.lanes.insert(index + 1, copy);
            dispatch.emit(Action::Edit(config));
        })
    };
    let method_why = match props.lane.method {
        Method::Full => "Every weight of the layer trains: ΔW is any matrix.",
        Method::Lora { .. } => "ΔW = s·B·A, a product of two thin matrices: its rank is at most r.",
        Method::Variant { form, .. } => form_why(form),
        Method::Molora { .. } => "Several LoRA experts; a router weighs them anew for every token.",
        Method::Mor1e { .. } => "Many experts of rank 1, weighed by a small gate network.",
    };
    let lane_count = props.config.lanes.len();
    html! {
        <li class={format!("lane lane-{index}")}>
            <div class="row">
                <span class="dot" />
                <Choice quiet=true label={format!("Method of lane {}", index + 1)} why={method_why}
                    {options} {chosen} on_change={on_method} />
                { size(props.frame.as_deref()) }
            </div>
            { slider(props) }
            <div class="row">
                { extras(props, &edit) }
                <span class="spring" />
                <details class="more">
                    <summary data-why="What else this lane can be told; each change restarts the run.">{ "more" }</summary>
                    <div class="menu">
                        { more(props, &edit) }
                        if lane_count < LANES {
                            { Button::new("Duplicate", "Add a copy of this lane.").named(format!("Duplicate lane {}", props.name)).calls(duplicate) }
                        }
                        if lane_count > 1 {
                            { Button::new("Remove", "Take this lane away; the others restart without it.").named(format!("Remove lane {}", props.name)).calls(remove) }
                        }
                    </div>
                </details>
            </div>
        </li>
    }
}

/// What else a lane can be told.
fn more(props: &LaneProps, edit: &Callback<Lane>) -> Html {
    let controls = Controls { lane: &props.lane, edit };
    let rest = super::lane_options::options(&controls, props.config.task.layer_count());
    html! { <>{ controls.plain() }{ rest }</> }
}

/// What a lane can be, as it begins.
fn all_methods() -> Vec<Method> {
    [Method::Full, Method::lora(), Method::molora(), Method::mor1e()]
        .into_iter()
        .chain(Form::ALL.iter().copied().map(Method::variant))
        .collect()
}

fn form_why(form: Form) -> &'static str {
    match form {
        Form::Dora => "LoRA for the direction of every row of the weight; their lengths train apart.",
        Form::Mora => {
            "One square matrix with as many parameters as LoRA of that rank, so that ΔW can have a higher one."
        }
        Form::Adalora => {
            "P·Λ·Q whose singular values are pruned by importance while training, over all layers together."
        }
        Form::Dylora => "LoRA whose steps train the first few directions only, so that it works at every smaller rank.",
    }
}

/// Trainable parameters, their share of the base, and whether the lane still trains.
fn size(frame: Option<&LaneFrame>) -> Html {
    let Some(frame) = frame else {
        return html! {};
    };
    let share = frame.parameters as f64 / frame.base_parameters.max(1) as f64;
    let why = format!(
        "Trainable parameters: {} = {}; {} of the {} frozen weights of the adapted layers.",
        frame.formula,
        count(frame.parameters),
        percent(share),
        count(frame.base_parameters),
    );
    html! {
        <>
            { bars(&frame.spectrum) }
            if let Some(step) = frame.diverged {
                <span class="diverged" tabindex="0" data-why={format!("The loss stopped being a number at step {step}; this lane has stopped, the others go on. A lower learning rate or alpha helps.")}>
                    { "diverged" }
                </span>
            }
            <span class="size" tabindex="0" data-why={why}>
                <b>{ count(frame.parameters) }</b>{ " · " }{ percent(share) }
            </span>
        </>
    }
}

/// The slider that moves the trained adapter: rank, or experts of MoR1E.
fn slider(props: &LaneProps) -> Html {
    let (kind, value, max) = match props.lane.method {
        Method::Full => {
            return html! {};
        }
        Method::Lora { rank, .. } | Method::Variant { rank, .. } => ("rank", rank, RANKS),
        Method::Molora { rank, experts, .. } => ("rank", rank, (RANKS / 2).min(limits::MIXTURE_RANK / experts)),
        Method::Mor1e { experts, .. } => ("experts", experts, EXPERTS),
    };
    let max = match &props.config.task {
        Task::Domains(d) if kind == "rank" => max.min(d.dim),
        _ => max,
    }
    .max(value);
    let live = props.lane.can_resize();
    // Experts that share vectors come in multiples of those that read.
    let step = props.lane.method.readers().unwrap_or(1);
    let why = match kind {
        _ if !live => "Part of how this lane begins, so another one restarts the run.",
        "rank" => {
            "Rank of ΔW (for experts: of each). Changes the trained adapter in place: growing adds directions that change nothing yet, shrinking keeps the best part."
        }
        _ => "Number of rank-1 experts. Changes the trained adapter in place; training goes on.",
    };
    let oninput = {
        let (live, index) = (props.live && live, props.index);
        let (config, dispatch) = (props.config.clone(), props.dispatch.clone());
        Callback::from(move |event: InputEvent| {
            let Some(new) = slider_value(&event) else {
                return;
            };
            let new = new as usize;
            if live {
                return dispatch.emit(Action::SetRank { lane: index, rank: new });
            }
            let mut config = Config::clone(&config);
            config.lanes[index] = config.lanes[index].resized(new);
            dispatch.emit(Action::Edit(config));
        })
    };
    html! {
        <label class="slider" data-why={why}>
            <span>{ kind }</span>
            <input type="range" min={step.to_string()} step={step.to_string()} max={max.to_string()} value={value.to_string()}
                aria-label={format!("{} {kind}", props.name)} {oninput} />
            <output>{ value }</output>
        </label>
    }
}

/// What else the method has: alpha, experts, gate, balance. Changing these restarts the run.
fn extras(props: &LaneProps, edit: &Callback<Lane>) -> Html {
    let method = props.lane.method.clone();
    if method == Method::Full {
        return html! { <p class="note">{ "no rank: every weight trains" }</p> };
    }
    let set = |change: fn(&mut Method, f64)| {
        let lane = props.lane.clone();
        edit.reform(move |value| {
            let mut lane = lane.clone();
            change(&mut lane.method, value);
            lane
        })
    };
    let (alpha, alpha_why) = match method {
        Method::Full => (0.0, ""),
        Method::Lora { alpha, rslora: true, .. } => {
            (alpha, "Strength of the adapter: s = α/√r. Changing it restarts the run.")
        }
        Method::Lora { alpha, .. } | Method::Variant { alpha, .. } | Method::Molora { alpha, .. } => {
            (alpha, "Strength of the adapter: s = α/r. Changing it restarts the run.")
        }
        Method::Mor1e { alpha, .. } => (alpha, "Strength of the experts: s = α. Changing it restarts the run."),
    };
    let on_alpha = set(|method, value| match method {
        Method::Full => {}
        Method::Lora { alpha, .. }
        | Method::Variant { alpha, .. }
        | Method::Molora { alpha, .. }
        | Method::Mor1e { alpha, .. } => *alpha = value,
    });
    html! {
        <>
            if !matches!(method, Method::Variant { form: Form::Mora, .. }) {
            <Number label="alpha" name={format!("{} alpha", props.name)} why={alpha_why} value={alpha}
                min={limits::ALPHA.min} max={limits::ALPHA.max} on_change={on_alpha} />
            }
            if let Some(sizes) = &props.lane.options.experts_per_layer {
                <span class="note">{ "experts " }{ sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" · ") }</span>
            } else if let Method::Molora { experts, rank, .. } = method {
                <Number label="experts" name={format!("{} experts", props.name)} whole=true value={experts as f64}
                    why="Number of LoRA experts in the mixture. Changing it restarts the run."
                    min={1.0} max={limits::EXPERTS.max.min(limits::MIXTURE_RANK / rank) as f64}
                    on_change={set(|method, value| if let Method::Molora { experts, top_k, .. } = method {
                        *experts = value as usize;
                        *top_k = (*top_k).min(*experts);
                    })} />
            }
        </>
    }
}
