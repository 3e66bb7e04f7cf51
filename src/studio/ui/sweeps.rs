//! Sweeps: the form, the run, and what came out, as a picture, a table and files.

use std::rc::Rc;

use yew::prelude::*;

use super::chart::{Chart, Draw};
use super::sweep_form::{Form, SweepForm};
use super::{Ask, backends, files};
use crate::config::{Config, Task};
use crate::experiments::{Look, Where};
use crate::lang::{said, tr};
use crate::studio::chart::{caption, picture};
use crate::studio::export::{sweep_csv, sweep_json};
use crate::studio::state::{Msg, Running};
use crate::studio::sweep::Swept;
use crate::view::format::{count, lane_name, three};
use crate::view::words::run_title;

#[derive(Properties, PartialEq)]
pub struct SweepsProps {
    pub base: Config,
    pub swept: Option<Swept>,
    pub running: Option<Running>,
    /// Whether anything runs, a sweep or not.
    pub busy: bool,
    pub gpu: Option<Result<String, String>>,
    /// The worker cannot be had.
    pub stopped: bool,
    pub webgpu: bool,
    pub dark: bool,
    pub ask: Callback<Ask>,
}

#[component]
pub fn Sweeps(props: &SweepsProps) -> Html {
    let ask = &props.ask;
    // LoRA, where there is one: the lane whose numbers most people ask about.
    let form = use_state(|| {
        let ranked = props.base.lanes.iter().position(|lane| lane.size().is_some()).unwrap_or(0);
        Form::new(&props.base, ranked)
    });
    let on_change = {
        let form = form.clone();
        Callback::from(move |new| form.set(new))
    };
    let run = {
        let (form, base) = (form.clone(), props.base.clone());
        ask.reform(move |_: MouseEvent| match form.plan(&base) {
            Ok(plan) => Ask::Do(Msg::Sweep(Box::new(plan))),
            Err(message) => Ask::Say(message),
        })
    };
    let cancel = ask.reform(|_: MouseEvent| Ask::Do(Msg::Cancel));
    html! {
        <>
            <div class="intro">
                <h2 id="studio-title" tabindex="-1">{ tr!("Sweeps") }</h2>
                <p>{ tr!("One lane of the lab's configuration, trained from its start for every combination of one or two of its numbers. \
                     The configuration is the lab's: ") }{ run_title(&props.base.task, props.base.lanes.len()) }</p>
            </div>
            <div class="sweep">
                <SweepForm base={props.base.clone()} form={(*form).clone()} {on_change} />
                <div class="controls">
                    { backends(props.gpu.as_ref(), props.webgpu, ask) }
                    if props.busy {
                        <button type="button" class="primary" onclick={cancel}>{ tr!("Cancel") }</button>
                    } else {
                        <button type="button" class="primary" disabled={props.gpu.is_none()} onclick={run}>{ tr!("Run sweep") }</button>
                    }
                    <p class="score" role="status">{ standing(props) }</p>
                </div>
                if let Some(running) = &props.running {
                    <div class="under-way">
                        <progress max="1" value={running.share().to_string()} aria-label={tr!("Sweep")} />
                        <span class="note">{ tr!("{} of {} runs done", count(running.part), count(running.parts)) }</span>
                    </div>
                }
                if let Some(swept) = &props.swept {
                    { result(swept, props.dark, ask) }
                }
            </div>
        </>
    }
}

fn standing(props: &SweepsProps) -> String {
    match (&props.gpu, &props.running, &props.swept) {
        (None, ..) if props.stopped => String::new(),
        (None, ..) => tr!("Starting the worker …"),
        (_, Some(_), _) => tr!("Sweeping; cells appear as they are done."),
        (_, None, _) if props.busy => tr!("Experiments are being measured; a sweep can follow, or cancel them."),
        (_, None, Some(swept)) if swept.complete() => format!("Done in {:.1} s.", swept.seconds),
        (_, None, Some(swept)) => {
            tr!("Stopped after {} of {} runs.", swept.losses.len(), swept.plan.cells() * swept.plan.seeds)
        }
        (_, None, None) => String::new(),
    }
}

fn unit(task: &Task) -> String {
    match task {
        Task::Domains(_) => tr!("share of target energy"),
        _ => tr!("cross-entropy"),
    }
}

fn result(swept: &Swept, dark: bool, ask: &Callback<Ask>) -> Html {
    let plan = &swept.plan;
    let unit = unit(&plan.base.task);
    let lanes: Vec<_> = plan.base.lanes.iter().collect();
    let place = match &swept.place {
        Where::WebGpu(name) => tr!("WebGPU ({name})", name),
        _ => tr!("the CPU"),
    };
    let title = format!("{}. {}", lane_name(&lanes, plan.lane), caption(swept, &unit));
    let shared = Rc::new(swept.clone());
    let (drawn, csv, json) = (shared.clone(), shared.clone(), shared.clone());
    let draw = move |look: Look, dark: bool| picture(&drawn, &unit, look, dark);
    let on_page = draw.clone();
    html! {
        <section aria-labelledby="swept">
            <h3 id="swept">{ &title }</h3>
            if !swept.losses.is_empty() {
                <p class="note">{ tr!("Trained on {place}; the mean over the last pass through the data.", place) }</p>
            }
            <div class="swept">
            <figure>
                <Chart label={title.clone()} draw={Draw(Rc::new(move |width| on_page(Look::Page(width), dark)))} />
                <figcaption>
                    <span class="saves"><span class="note">{ tr!("Save") }</span>
                        { files::picture_buttons(&tr!("the sweep's picture"), "sweep", ask, move || draw(Look::File, false)) }
                        { files::text_button("CSV", &tr!("the sweep"), "sweep.csv".into(), "text/csv", move || sweep_csv(&csv)) }
                        { files::text_button("JSON", &tr!("the sweep"), "sweep.json".into(), "application/json", move || sweep_json(&json)) }
                    </span>
                </figcaption>
            </figure>
            { table(swept) }
            </div>
        </section>
    }
}

/// The picture's numbers, as its rows and columns.
fn table(swept: &Swept) -> Html {
    let plan = &swept.plan;
    let corner = match &plan.y {
        Some(y) => format!("{} ↓ {} →", said(y.axis.name), said(plan.x.axis.name)),
        None => said(plan.x.axis.name),
    };
    let rows = (0..plan.rows()).map(|row| {
        let name = plan.y.as_ref().map_or_else(|| tr!("loss"), |y| y.values[row].to_string());
        let cells = (0..plan.columns()).map(|column| {
            let text = match swept.cell(row, column) {
                None => "–".to_owned(),
                Some(cell) if !cell.mean.is_finite() => tr!("diverged"),
                Some(cell) if plan.seeds > 1 => format!("{} ± {}", three(cell.mean), three(cell.spread)),
                Some(cell) => three(cell.mean),
            };
            html! { <td>{ text }</td> }
        });
        html! { <tr><th scope="row">{ name }</th>{ for cells }</tr> }
    });
    html! {
        <div class="tables" tabindex="0" role="group" aria-label={tr!("The sweep as a table")}>
            <table>
                <thead><tr>
                    <th scope="col">{ corner }</th>
                    { for plan.x.values.iter().map(|value| html! { <th scope="col">{ value.to_string() }</th> }) }
                </tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}
