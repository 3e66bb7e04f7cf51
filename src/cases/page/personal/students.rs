//! Which students there are, what their files take, and which of them fit the budget.

use yew::prelude::*;

use crate::cases::personal::state::{BUDGET, Msg, State};
use crate::cases::personal::wire::Sized;
use crate::cases::personal::words::kilobytes;
use crate::decimal::tenths;
use crate::lab::python::LOADER;
use crate::lang::tr;
use crate::view::format::{count, three};
use crate::view::ui::control::Number;

/// What a bar can be long.
const LONG: f64 = 120.0;

pub fn students(state: &State, tell: &Callback<Msg>) -> Html {
    let half = |on: bool| tell.reform(move |_: MouseEvent| Msg::Half(on));
    let fitting = (0..state.students.len()).filter(|&at| state.fits(at)).count();
    html! {
        <section class="panel" aria-labelledby="personal-students">
            <header><h3 id="personal-students">{ tr!("What fits") }</h3></header>
            <div class="row wrap">
                <Number label={tr!("budget, KB")} why={tr!("Of the adapter's files, in kilobytes of 1,000 bytes; load.py, the same for every run, is not counted.")} value={state.budget} min={BUDGET.0} max={BUDGET.1}
                    on_change={tell.reform(Msg::Budget)} />
                <div class="choices" role="group" aria-label={tr!("Numbers in the file")}>
                    <button type="button" aria-pressed={state.half.to_string()} onclick={half(true)} data-why={tr!("Half the bytes of those that it was trained with. Ternary and binary ones are packed.")}>{ "F16" }</button>
                    <button type="button" aria-pressed={(!state.half).to_string()} onclick={half(false)} data-why={tr!("As it was trained.")}>{ "F32" }</button>
                </div>
            </div>
            if state.students.is_empty() {
                <p class="note">{ tr!("Sizes are measured on files, which are written as soon as the base is there.") }</p>
            } else {
                <p class="note">{ tr!("{fitting} of {} fit. Sizes are those of the files, header and configuration included.", state.students.len(), fitting) }</p>
                <table class="students">
                    <thead><tr><th scope="col">{ tr!("student") }</th><th scope="col">{ tr!("trained") }</th><th scope="col">{ tr!("file") }</th><th scope="col" class="of-budget">{ tr!("of the budget") }</th><th scope="col" data-why={tr!("PEFT, or transformers through the script that is saved beside the file.")}>{ tr!("opens with") }</th></tr></thead>
                    <tbody>{ for state.students.iter().enumerate().map(|(at, student)| row(state, at, student, tell)) }</tbody>
                </table>
            }
        </section>
    }
}

fn row(state: &State, at: usize, student: &Sized, tell: &Callback<Msg>) -> Html {
    let (bytes, fits) = (student.bytes(state.half), state.fits(at));
    let most = state.students.iter().map(|one| one.bytes(state.half)).max().unwrap_or(1) as f64;
    let budget = 1000.0 * state.budget;
    let scale = LONG / most.max(budget);
    let over = bytes as f64 - budget;
    let why =
        if fits { tr!("Trained when it is chosen.") } else { tr!("{} KB over the budget.", three(over / 1000.0)) };
    html! {
        <tr key={at} class={if fits { "" } else { "over" }} data-why={why}>
            <th scope="row">
                <label class="field switch">
                    <input type="checkbox" checked={fits && state.chosen.get(at) == Some(&true)} disabled={!fits} onchange={tell.reform(move |_: Event| Msg::Student(at))} />
                    <span>{ &student.name }</span>
                </label>
            </th>
            <td>{ count(student.parameters) }</td>
            <td>{ kilobytes(bytes) }</td>
            <td class="of-budget">
                <svg aria-hidden="true" viewBox={format!("0 0 {LONG} 12")} preserveAspectRatio="none">
                    <rect y="2" width={tenths(scale * bytes as f64)} height="8" />
                    <path d={format!("M{0} 0V12", tenths(scale * budget))} />
                </svg>
            </td>
            <td>{ if student.peft { tr!("PEFT") } else { LOADER.to_owned() } }</td>
        </tr>
    }
}
