//! Saving: another rank, scale or dtype, fewer modules; or merged into the base.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::lang::{self, marked, tr};
use crate::peft::draft::truncation;
use crate::studio::adapters::state::{Msg, Opened};
use crate::studio::adapters::table::Filter;
use crate::studio::adapters::wire::{Base, Change, Planned};
use crate::studio::adapters::words::{planned, size};
use crate::view::format::{modules, percent};
use crate::view::ui::control::{Button, Choice, Number};

/// How numbers may be stored; the first changes nothing.
pub const DTYPES: [&str; 6] = [marked!("as it is"), "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2"];

/// The one chosen, by name.
pub fn dtype(chosen: usize) -> Option<String> {
    (chosen > 0).then(|| DTYPES[chosen].to_owned())
}

#[derive(Properties, PartialEq)]
pub struct SaveProps {
    pub adapter: Opened,
    pub base: Option<Base>,
    /// What merging would do, once it is known.
    pub plan: Option<Result<Planned, String>>,
    pub busy: bool,
    pub tell: Callback<Msg>,
    pub merge: Callback<()>,
}

#[component]
pub fn SavePart(props: &SaveProps) -> Html {
    let adapter = &props.adapter;
    let most = adapter.rows.iter().map(|row| row.rank).max().unwrap_or(0);
    let rank = use_state_eq(|| most);
    let scale = use_state_eq(|| 1.0);
    let stored = use_state_eq(|| 0usize);
    let filter = use_state_eq(Filter::default);
    let kept: Vec<bool> = adapter.rows.iter().map(|row| filter.shows(&row.name)).collect();
    let dropped: Vec<String> =
        adapter.rows.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(row, _)| row.name.clone()).collect();
    let left = adapter.rows.len() - dropped.len();
    let set = |state: &UseStateHandle<f64>| {
        let state = state.clone();
        Callback::from(move |value: f64| state.set(value))
    };
    let set_rank = {
        let rank = rank.clone();
        Callback::from(move |value: f64| rank.set(value as usize))
    };
    let set_dtype = {
        let stored = stored.clone();
        Callback::from(move |at: usize| stored.set(at))
    };
    let words = {
        let filter = filter.clone();
        Callback::from(move |event: InputEvent| {
            let words = event.target_dyn_into::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
            filter.set(Filter { words, outliers: false });
        })
    };
    let change = Change { rank: (*rank < most).then_some(*rank), scale: *scale, dtype: dtype(*stored), drop: dropped };
    let save = props.tell.reform(move |()| Msg::Save(change.clone()));
    let said = match (adapter.measured, error(adapter, *rank, &kept)) {
        _ if left == 0 => tr!("No module would be left."),
        (true, Some(error)) if *rank < most => {
            tr!("{}; rank {} leaves out {} of ‖ΔW‖.", modules(left), *rank, percent(error))
        }
        _ => format!("{}.", modules(left)),
    };
    let to_file = props
        .base
        .as_ref()
        .map(|base| tr!("{} of {}", if base.files == 1 { tr!("A file") } else { tr!("Files") }, size(base.bytes)));
    html! {
        <>
            <section class="panel" aria-labelledby="save-adapter">
                <header><h3 id="save-adapter">{ tr!("Save the adapter") }</h3></header>
                <div class="form">
                    if most > 0 {
                        <Number label={tr!("rank")} whole=true why={tr!("Modules of a larger rank keep their leading directions, this many.")} value={*rank as f64} min={1.0} max={most as f64} on_change={set_rank} />
                    }
                    <Number label={tr!("times")} name={tr!("Scale")} why={tr!("Every module's scaling is multiplied by this.")} value={*scale} min={-100.0} max={100.0} on_change={set(&scale)} />
                    <Choice label={tr!("dtype")} why={tr!("How the numbers are stored.")} options={DTYPES.map(|dtype| AttrValue::from(lang::said(dtype))).to_vec()} chosen={*stored} on_change={set_dtype} />
                    <label class="field" data-why={tr!("Modules whose names hold these words; one that begins with - leaves out those that hold it.")}><span>{ tr!("only modules with") }</span>
                        <input type="search" value={filter.words.clone()} placeholder={tr!("all, or q_proj -layers.0")} oninput={words} /></label>
                    { Button::primary(tr!("Save"), tr!("adapter_model.safetensors and adapter_config.json, as PEFT loads them.")).named(tr!("Save the adapter")).disabled(props.busy || left == 0).calls(save) }
                </div>
                <p role="status">{ said }</p>
            </section>
            <section class="panel" aria-labelledby="save-merged">
                <header><h3 id="save-merged">{ tr!("Merge into the base") }</h3></header>
                if let Some(to_file) = to_file {
                    <p class="note">{ tr!("{to_file}, in the base's dtype: adapted weights changed, all others as they are. Where the browser lets a page write into a file, it goes straight to disk; else it is a download.", to_file) }</p>
                    { for props.plan.as_ref().map(summary) }
                    <p>{ Button::new(tr!("Merge and save"), tr!("W0 + ΔW for every adapted weight.")).disabled(props.busy || !matches!(props.plan, Some(Ok(_)))).calls(props.merge.clone()) }</p>
                } else {
                    <p class="note">{ tr!("This takes the base: add its model.safetensors above.") }</p>
                }
            </section>
        </>
    }
}

/// What will change, what will not and why, before anything is written.
fn summary(plan: &Result<Planned, String>) -> Html {
    let list = |lines: &[String]| html! { <ul>{ for lines.iter().map(|line| html! { <li>{ line }</li> }) }</ul> };
    match plan {
        Err(why) => {
            html! { <div class="notice reason" role="status"><p>{ tr!("It cannot be merged. {why}.", why) }</p></div> }
        }
        Ok(plan) => html! {
            <>
                <p class="reason" role="status">{ planned(plan) }</p>
                if !plan.left_out.is_empty() {
                    <details class="left" open={plan.left_out.len() <= 6}>
                        <summary>{ tr!("Left out of the merged model") }</summary>{ list(&plan.left_out) }
                    </details>
                }
                if !plan.notes.is_empty() {
                    <details class="left" open=true><summary>{ tr!("To know of it") }</summary>{ list(&plan.notes) }</details>
                }
            </>
        },
    }
}

/// What the rank would leave out of all modules kept together, as a share of their norm.
fn error(adapter: &Opened, rank: usize, kept: &[bool]) -> Option<f64> {
    let rows =
        adapter.rows.iter().zip(kept).filter(|(row, kept)| **kept && !row.form.is_whole() && !row.singular.is_empty());
    let (mut lost, mut all) = (0.0, 0.0);
    for (row, _) in rows {
        let norm: f64 = row.singular.iter().map(|v| v * v).sum();
        let error = truncation(&row.singular)[rank.min(row.singular.len())];
        all += norm;
        lost += norm * error * error;
    }
    (all > 0.0).then(|| libm::sqrt(lost / all))
}
