//! A missing sensor, as a visitor meets it: what was measured, and the way into the lab, where it runs.

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::cases::sensors::{Line, Measured, PATTERNS, RUNS};
use crate::host::file::fetch;
use crate::lang::{said, tr};

#[derive(Properties, PartialEq)]
pub struct SensorsProps {
    pub shown: bool,
}

#[component]
pub fn Sensors(props: &SensorsProps) -> Html {
    let measured = use_state(|| None::<Result<Measured, String>>);
    {
        // What could not be had is asked for again when the case is opened again.
        let measured = measured.clone();
        use_effect_with(props.shown, move |&shown| {
            if shown && !matches!(*measured, Some(Ok(_))) {
                spawn_local(async move {
                    let read = async { Measured::read(&fetch("data/recorded.json").await?) };
                    measured.set(Some(read.await.map_err(|error| error.to_string())));
                });
            }
        });
    }
    let runs = RUNS.iter().map(|(name, query)| html! { <li><a href={*query}>{ said(name) }</a></li> });
    html! {
        <>
            if let Some(Ok(measured)) = &*measured {
                <p class="lead-line">{ measured.sentence() }</p>
            }
            <p class="said">
                { tr!("Write-ups promise that a mixture of LoRAs copes with missing modalities. Here the two halves of a handwritten digit are two sensors. \
                   The frozen base has seen whole digits; the right sensor shuffles its pixels, which it has not. Each half is a token through the same \
                   layers, and the head reads the mean of those that are there.") }
            </p>
            <section class="panel">
                <header><h3>{ tr!("Run it in the lab") }</h3></header>
                <ul class="runs">{ for runs }</ul>
                <p class="note">{ tr!("Accuracy by pattern stands beside the loss. Switch an expert off in the gates, and draw with a sensor switched off below.") }</p>
            </section>
            { match &*measured {
                None => html! { <p class="loading" role="status">{ tr!("Loading what was measured…") }</p> },
                Some(Err(problem)) => html! { <div class="notice" role="alert"><p>{ problem }</p></div> },
                Some(Ok(measured)) => html! {
                    <>
                        <div class="halves">
                            { table(tr!("By method, trained with incomplete samples"), &measured.methods) }
                            { table(tr!("What training with incomplete samples is worth"), &measured.training) }
                        </div>
                        <p class="note">
                            { tr!("Accuracy on 397 held-out images, mean over three seeds. Verdicts: ") }
                            <a href="#experiments/sensors-mixture">{ tr!("the mixture") }</a>{ " · " }
                            <a href="#experiments/sensors-training">{ tr!("the training") }</a>
                        </p>
                    </>
                },
            } }
        </>
    }
}

fn table(title: String, lines: &[Line]) -> Html {
    let row = |line: &Line| {
        html! {
            <tr><th scope="row">{ said(&line.name) }</th>{ for line.accuracy.iter().map(|share| html! { <td>{ format!("{share:.3}") }</td> }) }</tr>
        }
    };
    html! {
        <section class="panel">
            <header><h3>{ title }</h3></header>
            <table class="by-pattern">
                <thead><tr><th scope="col">{ tr!("lane") }</th>{ for PATTERNS.iter().map(|pattern| html! { <th scope="col">{ said(pattern) }</th> }) }</tr></thead>
                <tbody>{ for lines.iter().map(row) }</tbody>
            </table>
        </section>
    }
}
