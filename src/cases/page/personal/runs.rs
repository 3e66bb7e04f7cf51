//! What came out: a chart, a sentence, and every run with what it cost, what the base forgot, and its file.

use yew::prelude::*;

use super::chart::Chart;
use crate::cases::personal::state::{Msg, State};
use crate::cases::personal::wire::Run;
use crate::cases::personal::words::{found, kilobytes, proof, text_of, trained};
use crate::lab::python::LOADER;
use crate::lang::tr;
use crate::view::format::{size, three};
use crate::view::ui::control::Button;
use crate::view::ui::panel::figure_menu;

pub fn runs(state: &State, tell: &Callback<Msg>) -> Html {
    let Some(bounds) = state.runs.last().map(|run| run.bounds) else {
        return html! {
            <section class="panel" aria-labelledby="personal-runs">
                <header><h3 id="personal-runs">{ tr!("Bits against bytes") }</h3></header>
                <p class="note">{ tr!("No run yet. Each will be a point: bits per byte of text that no student has seen, over the bytes of its file.") }</p>
            </section>
        };
    };
    let of = state.trained_on.as_ref().map_or_else(String::new, text_of);
    html! {
        <section id="bits-against-bytes" data-of={of.clone()} class="panel" aria-labelledby="personal-runs">
            <header>
                <h3 id="personal-runs">{ tr!("Bits against bytes") }</h3>
                <p class="note">{ tr!("Of {of}; lower is better, and further left is smaller.", of) }</p>
                <span class="spring" />
                { figure_menu(&tr!("Bits against bytes")) }
            </header>
            if let Some(found) = found(&state.runs, state.budget) {
                <p class="said" role="status">{ found }</p>
            }
            <Chart runs={state.runs.clone()} {bounds} budget={state.budget} />
            <p class="note">
                { tr!("The base forgets: English costs it {base} bits per byte, the teacher {teacher}, each student what its row says. The teacher took {seconds} s.",
                    base = format!("{:.2}", bounds.base_english), teacher = format!("{:.2}", bounds.teacher_english), seconds = three(bounds.seconds)) }
            </p>
            <div class="tables">
                <table class="personal-runs">
                    <thead>
                        <tr>
                            <th scope="col">{ tr!("student") }</th><th scope="col">{ tr!("trained") }</th><th scope="col">{ tr!("file") }</th>
                            <th scope="col" data-why={tr!("Bits per byte of the held-out text.")}>{ tr!("bits") }</th>
                            <th scope="col" data-why={tr!("Bits per byte of English, which the base has read.")}>{ tr!("English") }</th>
                            <th scope="col" data-why={tr!("Steps after which the part of the text that chooses was read best.")}>{ tr!("kept at") }</th>
                            <th scope="col">{ tr!("time") }</th>
                            <th scope="col" data-why={tr!("All buffers of the run: data, base, adapter, gradients, moments, and what the teacher expects.")}>{ tr!("memory") }</th>
                            <th scope="col">{ tr!("its file") }</th>
                        </tr>
                    </thead>
                    <tbody>{ for state.runs.iter().map(|run| row(run, state.budget, tell)) }</tbody>
                </table>
            </div>
        </section>
    }
}

/// What pressing Save does.
fn saves(run: &Run) -> String {
    match run.script {
        true => tr!("Writes the very file that was read again, and load.py, which puts it onto the model in Python."),
        false => tr!("Writes the very files that were read again: PEFT's folder."),
    }
}

fn row(run: &Run, budget: f64, tell: &Callback<Msg>) -> Html {
    let id = run.id;
    let over = run.bytes as f64 > 1000.0 * budget;
    let script = run.script.then_some(LOADER);
    let names: Vec<&str> = run.files.iter().map(|(name, _)| name.as_str()).chain(script).collect();
    html! {
        <tr key={id} class={if over { "over" } else { "" }}>
            <th scope="row">{ &run.name }</th>
            <td>{ trained(run) }</td>
            <td>{ kilobytes(run.bytes) }</td>
            <td>{ format!("{:.2}", run.bits) }</td>
            <td>{ format!("{:.2}", run.english) }</td>
            <td>{ tr!("{} of {}", run.kept, run.steps) }</td>
            <td>{ format!("{} s", three(run.seconds)) }</td>
            <td>{ size(run.memory as f64) }</td>
            <td>
                <span class="proof">{ proof(run) }</span>
                { Button::quiet(tr!("Save"), saves(run)).named(tr!("Save {}, {}: {}", run.name, trained(run), names.join(", ")))
                    .calls(tell.reform(move |()| Msg::Save(id))) }
            </td>
        </tr>
    }
}
