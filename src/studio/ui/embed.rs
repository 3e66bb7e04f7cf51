//! One figure of the studio in a page of somebody else's (docs/EMBED.md): an experiment's, as it was recorded, or an adapter's, with
//! the way back to the whole page. Knows nothing of that page.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::adapters::figure::{AdapterFigure, Kind};
use super::claim::{provenance, verdict};
use super::details::chart;
use super::{Ask, Told, files, told};
use crate::experiments::{Look, all, svg};
use crate::lang::tr;
use crate::view::ui::explain::Explain;
use crate::view::ui::language::use_language;

/// Shows in `root` what the address names: "experiment:" and its name, "adapter:map" or "adapter:spectrum", of the adapter whose
/// files are on their way, or of the example.
pub fn start(root: web_sys::Element, name: &str, files: Option<JsValue>) {
    root.set_inner_html("");
    let props = EmbeddedProps { name: name.to_owned().into(), files };
    yew::Renderer::<Embedded>::with_root_and_props(root, props).render();
}

#[derive(Properties, PartialEq)]
struct EmbeddedProps {
    name: AttrValue,
    files: Option<JsValue>,
}

#[component]
fn Embedded(props: &EmbeddedProps) -> Html {
    let language = use_language();
    let (figure, back, title) = match props.name.split_once(':') {
        Some(("experiment", id)) if all().iter().any(|experiment| experiment.id == id) => {
            (html! { <Recorded id={id.to_owned()} /> }, format!("#experiments/{id}"), tr!("Experiments"))
        }
        Some(("adapter", kind @ ("map" | "spectrum"))) => {
            let kind = if kind == "map" { Kind::Map } else { Kind::Spectrum };
            let figure = html! { <AdapterFigure {kind} files={props.files.clone()} /> };
            (figure, "#adapters".to_owned(), tr!("Adapters"))
        }
        _ => (
            html! { <div class="notice" role="alert"><p>{ unknown(&props.name) }</p></div> },
            "#lab".to_owned(),
            String::new(),
        ),
    };
    html! {
        <>
            <main class="page embed one" key={language}>
                <h1 class="unseen">{ "LoRA Playground" }</h1>
                { figure }
            </main>
            <footer class="row caption">
                <a href={format!("./{back}")} target="_blank" rel="noopener" data-why={tr!("Open the view that this figure is from.")}>{ "LoRA Playground" }</a>
                <span class="note title">{ title }</span>
            </footer>
            <Explain />
        </>
    }
}

fn unknown(name: &str) -> String {
    let there: Vec<&str> =
        all().iter().filter(|experiment| experiment.figure.is_some()).map(|experiment| experiment.id).collect();
    tr!(
        "embed: there is no figure \"{name}\"; there are adapter:map, adapter:spectrum, and experiment: with one of {}.",
        there.join(", "),
        name
    )
}

#[derive(Properties, PartialEq)]
struct RecordedProps {
    id: AttrValue,
}

/// An experiment's claim, its figure and its verdict, as recorded.
#[component]
fn Recorded(props: &RecordedProps) -> Html {
    let experiments = use_memo((), |()| all());
    let known = use_state(|| None::<Result<Told, String>>);
    let problem = use_state_eq(String::new);
    {
        let (experiments, known) = (experiments.clone(), known.clone());
        use_effect_with((), move |()| {
            spawn_local(async move {
                known.set(Some(told(&experiments).await.map_err(|error| error.to_string())));
            });
        });
    }
    let (prose, records) = match &*known {
        None => return html! { <p class="loading" role="status">{ tr!("Opening …") }</p> },
        Some(Err(error)) => return html! { <div class="notice" role="alert"><p>{ error }</p></div> },
        Some(Ok(told)) => told,
    };
    let Some(index) = experiments.iter().position(|experiment| experiment.id == props.id) else {
        return Html::default();
    };
    let (experiment, record) = (&experiments[index], records.get(index).and_then(Option::as_ref));
    let words = &prose[experiment];
    let title = &words.title;
    let Some(((figure, record), outcome)) =
        experiment.figure.as_ref().zip(record).map(|(figure, record)| ((figure, record), record.outcome(experiment)))
    else {
        return html! { <p class="note">{ tr!("This experiment has no figure.") }</p> };
    };
    let ask = {
        let problem = problem.clone();
        Callback::from(move |ask: Ask| {
            if let Ask::Say(said) = ask {
                problem.set(said);
            }
        })
    };
    let parts = (words.clone(), figure.clone(), experiment.quantities.clone(), outcome.measured.clone());
    let draw = move || svg(parts.0.of_figure(), &parts.1, &parts.2, &parts.3, Look::File);
    html! {
        <section class="panel figure" aria-labelledby="claim">
            <header>
                <h2 id="claim">{ &words.claim }</h2>
                <span class="spring" />
                { files::picture_buttons(&tr!("the figure of {title}", title), experiment.id, &ask, draw) }
            </header>
            if !problem.is_empty() {
                <div class="notice" role="alert"><p>{ &*problem }</p></div>
            }
            { chart((experiment, words), figure, &outcome) }
            <p class="row note">
                { verdict(outcome.verdict()) }
                <span>{ provenance(record, &tr!("Recorded")) }</span>
                <span>{ tr!("Means over seeds; bars are the standard deviation. ") }</span>
            </p>
        </section>
    }
}
