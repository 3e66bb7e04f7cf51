//! The bar at the top: what runs, how it runs, and the controls of the run.

use js_sys::Array;
use yew::prelude::*;

use super::{
    control::{Button, Choice},
    navigation::navigation,
    share::ShareBox,
    task::TaskPanel,
};
use crate::args::limits;
use crate::config::Config;
use crate::lang::tr;
use crate::task::text::own::About;
use crate::view::{action::Action, format::count, run::Run, snap::Snap, words::on_cpu};

pub struct HeaderProps {
    pub config: Snap<Config>,
    pub brought: Option<Snap<About>>,
    /// Own files, as pairs of a path and a file.
    pub bring: Callback<Array>,
    pub running: bool,
    pub ready: bool,
    /// It could not begin; Run tries again.
    pub failed: bool,
    /// All its steps are done; how many there were.
    pub finished: Option<usize>,
    pub speed: Option<u32>,
    pub status: AttrValue,
    /// Why the status is as it is: the reason for a fallback.
    pub status_why: AttrValue,
    pub dark: bool,
    pub share: Option<Share>,
    /// Names of the panels that can stand in another page.
    pub panels: Vec<AttrValue>,
    pub dispatch: Callback<Action>,
}

/// A link to be copied, and whether it already is in the clipboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    pub link: String,
    pub copied: bool,
}

const SPEEDS: [Option<u32>; 6] = [Some(1), Some(10), Some(30), Some(100), Some(300), None];

pub fn header(props: &HeaderProps) -> Html {
    let dispatch = &props.dispatch;
    let speed = SPEEDS.iter().position(|&s| s == props.speed).unwrap_or(SPEEDS.len() - 1);
    let speeds = SPEEDS.map(|s| match s {
        Some(n) => AttrValue::from(tr!("{n} steps/s", n)),
        None => AttrValue::from(tr!("full speed")),
    });
    html! {
        <header class="bar">
            <h1>{ "LoRA Playground" }</h1>
            <TaskPanel config={props.config.clone()} brought={props.brought.clone()} bring={props.bring.clone()} dispatch={dispatch.clone()} />
            <div class="transport">
                if let Some(steps) = props.finished.and_then(more_steps) {
                    { Button::primary(tr!("More steps"), tr!("This run is finished. Begin it again with twice as many steps: the learning rate then falls half as fast.")).acts(dispatch, Action::Longer(steps)) }
                } else if props.running {
                    { Button::primary(tr!("Pause"), tr!("Stop after the present step; everything stays as it is.")).disabled(!props.ready).acts(dispatch, Action::Pause) }
                } else {
                    { Button::primary(tr!("Run"), tr!("Train on, all lanes together.")).disabled(!(props.ready || props.failed)).acts(dispatch, Action::Run) }
                }
                { Button::new(tr!("Step"), tr!("One training step, then pause.")).disabled(!props.ready).acts(dispatch, Action::Step) }
                { Button::new(tr!("Reset"), tr!("Begin again at step 0 with the same seed.")).disabled(!props.ready).acts(dispatch, Action::Reset) }
                <Choice quiet=true label={tr!("Speed")} why={tr!("How many training steps per second at most.")} options={speeds.to_vec()}
                    chosen={speed} on_change={dispatch.reform(|index: usize| Action::Speed(SPEEDS[index]))} />
            </div>
            <span class="spring" />
            <p class="status" role="status" aria-live="off" tabindex="0" data-why={props.status_why.clone()}>{ &props.status }</p>
            { navigation("#lab") }
            { Button::new(tr!("Share"), tr!("Copy a link that repeats this run: the same start and seed, and what was changed on the way, at the same steps.")).acts(dispatch, Action::Share) }
            { Button::new(if props.dark { tr!("Light") } else { tr!("Dark") }, tr!("Change between the light and the dark theme."))
                .named(if props.dark { tr!("Light theme") } else { tr!("Dark theme") })
                .acts(dispatch, Action::ToggleTheme) }
            if let Some(share) = &props.share {
                <ShareBox link={share.link.clone()} copied={share.copied} panels={props.panels.clone()} dispatch={dispatch.clone()} />
            }
        </header>
    }
}

/// How many steps are offered after so many.
fn more_steps(done: usize) -> Option<usize> {
    (done < limits::TOTAL.max).then(|| (2 * done).min(limits::TOTAL.max))
}

/// The status line: step, rate, backend and device.
pub fn status(run: &Run) -> String {
    if run.failed {
        return tr!("not begun");
    }
    let Some(started) = &run.started else {
        return run.stage.clone().unwrap_or_else(|| tr!("starting"));
    };
    let backend = match started.backend.as_str() {
        "webgpu" => tr!("WebGPU ({})", started.adapter),
        _ if started.adapter == "CPU" => "CPU".into(),
        _ => tr!("CPU ({})", started.adapter),
    };
    if run.lanes.is_empty() {
        // Until the first frame, which waits for the shaders.
        return tr!("compiling · {backend}", backend);
    }
    let rate = match run.running {
        true => format!("{}/s", count(run.steps_per_second.max(0.0).round() as usize)),
        false if run.finished().is_some() => tr!("finished"),
        false => tr!("paused"),
    };
    tr!("step {} · {rate} · {backend}", count(run.step), rate, backend)
}

/// The sentence behind the status line.
pub fn status_why(run: &Run) -> String {
    match run.started.as_ref().map(|s| (s.backend.as_str(), &s.fallback)) {
        None => tr!("The engine is being set up."),
        Some((_, Some(reason))) => on_cpu(reason),
        Some(("webgpu", None)) => tr!("Steps done, steps per second, and the GPU that trains all lanes."),
        Some(_) => tr!("Steps done and steps per second; training runs on the CPU, as asked."),
    }
}
