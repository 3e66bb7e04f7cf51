//! The lanes: method, rank or experts, size, and what can be done with each. Knows nothing of how they train.

use yew::prelude::*;

use super::{
    control::{Button, Choice, slider_value, use_opened},
    lane_settings::LaneSettings,
    panel::Panel,
    spectrum::bars,
};
use crate::args::Shown;
use crate::config::{Config, Lane, Task};
use crate::lang::{said, tr};
use crate::method::{METHODS, USUAL};
use crate::protocol::LaneFrame;
use crate::view::{
    action::Action,
    edit::{LANES, lane_for},
    format::{count, percent},
    snap::Snap,
    table::Table,
    words::{lane_names, settings_why},
};

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
            let lane = lane_for(&config.task, USUAL);
            config.lanes.push(lane);
            dispatch.emit(Action::Edit(config));
        })
    };
    let controls = html! {
        <>
            if props.config.lanes.len() < LANES {
                { Button::quiet(tr!("Add lane"), tr!("Add a lane; the run restarts, so that all lanes see the same data.")).calls(add) }
            }
            { Button::quiet(
                tr!("Match parameters"),
                tr!("Set ranks and experts so that every lane's adapters train about as many parameters as the first lane's."),
            ).acts(&props.dispatch, Action::MatchParameters) }
        </>
    };
    html! {
        <Panel id="lanes" title={tr!("Lanes")} {controls} tables={props.tables.clone()} step={props.step}>
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
    let (opened, open) = use_opened();
    let index = props.index;
    let edit = {
        let (config, dispatch) = (props.config.clone(), props.dispatch.clone());
        Callback::from(move |lane: Lane| {
            let mut config = Config::clone(&config);
            config.lanes[index] = lane;
            dispatch.emit(Action::Edit(config));
        })
    };
    let options: Vec<AttrValue> = METHODS.iter().map(|method| said(method.short).into()).collect();
    let chosen = METHODS.iter().position(|method| std::ptr::eq(*method, props.lane.method)).unwrap_or(0);
    let on_method = {
        let (old, task) = (props.lane.clone(), props.config.task.clone());
        edit.reform(move |index: usize| {
            let method = METHODS.get(index).copied().unwrap_or(USUAL);
            let (layers, targets, modules_to_save) =
                (old.layers.clone(), old.targets.clone(), old.modules_to_save.clone());
            Lane { layers, targets, modules_to_save, ..lane_for(&task, method) }
        })
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
    let settings = LaneSettings {
        lane: &props.lane,
        name: &props.name,
        layers: props.config.task.layer_count().unwrap_or(1),
        edit: &edit,
    };
    let on_text = props.config.task.has_projections().then_some(props.config.optimizer.lr);
    let lane_count = props.config.lanes.len();
    html! {
        <li class={format!("lane lane-{index}")}>
            <div class="row">
                <span class="dot" />
                <Choice quiet=true label={tr!("Method of lane {}", index + 1)} why={said(props.lane.method.why)}
                    {options} {chosen} on_change={on_method} />
                { size(props.frame.as_deref()) }
            </div>
            { slider(props) }
            <div class="row">
                if props.lane.size().is_none() {
                    <p class="note">{ tr!("no rank: every weight trains") }</p>
                }
                { settings.at(Shown::Row) }
                <span class="spring" />
                <details class="more">
                    <summary data-why={settings_why(&props.lane)} onclick={open}>{ tr!("more") }</summary>
                    if opened {
                        <div class="menu">
                            { settings.at(Shown::Menu) }
                            if let Some(lr) = on_text {
                                { settings.of_language(lr) }
                            }
                            if lane_count < LANES {
                                { Button::new(tr!("Duplicate"), tr!("Add a copy of this lane.")).named(tr!("Duplicate lane {}", props.name)).calls(duplicate) }
                            }
                            if lane_count > 1 {
                                { Button::new(tr!("Remove"), tr!("Take this lane away; the others restart without it.")).named(tr!("Remove lane {}", props.name)).calls(remove) }
                            }
                        </div>
                    }
                </details>
            </div>
        </li>
    }
}

/// Trainable parameters, their share of the base, and whether the lane still trains.
fn size(frame: Option<&LaneFrame>) -> Html {
    let Some(frame) = frame else {
        return html! {};
    };
    let share = frame.parameters as f64 / frame.base_parameters.max(1) as f64;
    let why = tr!(
        "Trainable parameters: {} = {}; {} of the {} frozen weights of the adapted layers.",
        frame.formula,
        count(frame.parameters),
        percent(share),
        count(frame.base_parameters)
    );
    html! {
        <>
            { bars(&frame.spectrum) }
            if let Some(step) = frame.diverged {
                <span class="diverged" tabindex="0" data-why={tr!("The loss stopped being a number at step {step}; this lane has stopped, the others go on. A lower learning rate or alpha helps.", step)}>
                    { tr!("diverged") }
                </span>
            }
            <span class="size" tabindex="0" data-why={why}>
                <b>{ count(frame.parameters) }</b>{ " · " }{ tr!("{} of W0", percent(share)) }
            </span>
        </>
    }
}

/// The slider that moves the trained adapter, where the method has one.
fn slider(props: &LaneProps) -> Html {
    let (Some(size), Some((kind, value))) = (props.lane.method.extras.size, props.lane.size()) else {
        return html! {};
    };
    let most = (props.lane.method.extras.most)(&props.lane.settings, kind).map_or(usize::MAX, |most| most.value);
    let max = match &props.config.task {
        Task::Domains(d) if kind == "rank" => size.furthest.min(d.dim),
        _ => size.furthest,
    }
    .min(most)
    .max(value);
    let live = props.lane.can_resize();
    let word = said(kind);
    let step = (size.multiple_of)(&props.lane.settings);
    let why = if live { said(size.why) } else { tr!("Part of how this lane begins, so another one restarts the run.") };
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
    // What the size is the size of: the lane's way, its curve, and its change with that one's spectrum.
    let lights = format!(
        ".way.lane-{0} :is(.own, [data-branch]), .curve.lane-{0}, #weight:has(.spectrum.lane-{0}) :is(.spectrum, .maps > :nth-child(3))",
        props.index
    );
    html! {
        <label class="slider" data-why={why} data-lights={lights}>
            <span>{ &word }</span>
            <input type="range" min={step.to_string()} step={step.to_string()} max={max.to_string()} value={value.to_string()}
                aria-label={format!("{} {word}", props.name)} {oninput} />
            <output>{ value }</output>
        </label>
    }
}
