//! Several open adapters made into one: a weight for each, how they are added, and the result opened beside them.

use yew::prelude::*;

use super::save::{DTYPES, dtype};
use crate::lang::{self, marked, tr};
use crate::peft::combine::Combination;
use crate::studio::adapters::combining::{apart, obstacle};
use crate::studio::adapters::state::{Msg, State};
use crate::studio::adapters::words::{combined, kind};
use crate::view::ui::control::{Button, Choice, Number};

/// PEFT's names, and what each comes to.
const WAYS: [(&str, &str); 3] = [
    ("svd", marked!("The best approximation of the weighted sum of changes at a rank, by singular values.")),
    ("cat", marked!("Factors side by side: the weighted sum exactly, at the sum of the ranks.")),
    (
        "linear",
        marked!(
            "Factors added, each times the root of its weight: equal ranks only, and products of one adapter's A with another's B come in. \
        The distance from the weighted sum is told when it is made."
        ),
    ),
];

#[derive(Properties, PartialEq)]
pub struct CombineProps {
    pub state: State,
    pub tell: Callback<Msg>,
}

#[component]
pub fn CombinePart(props: &CombineProps) -> Html {
    let state = &props.state;
    // By adapter, so that closing one leaves the others' weights as they are.
    let weights = use_state_eq(Vec::<(u32, f64)>::new);
    let way = use_state_eq(|| 0usize);
    let rank = use_state_eq(|| None::<usize>);
    let stored = use_state_eq(|| 0usize);
    if state.adapters.len() < 2 {
        return html! { <p class="lead-line">{ tr!("Combining takes two adapters of one base: add another above.") }</p> };
    }
    let weight = |id: u32| weights.iter().find(|(of, _)| *of == id).map_or(1.0, |(_, weight)| *weight);
    let parts: Vec<(u32, f64)> = state
        .adapters
        .iter()
        .map(|adapter| (adapter.id, weight(adapter.id)))
        .filter(|(_, weight)| *weight != 0.0)
        .collect();
    let named: Vec<(&str, f64)> =
        parts.iter().filter_map(|&(id, weight)| Some((state.find(id)?.name.as_str(), weight))).collect();
    let ranks = |most: fn(usize, usize) -> usize| {
        let rank = |id: u32| state.find(id).and_then(|a| a.rows.iter().map(|row| row.rank).max()).unwrap_or(0);
        parts.iter().map(|&(id, _)| rank(id)).fold(0, most)
    };
    let (largest, sum) = (ranks(usize::max), ranks(|a, b| a + b));
    let kept = rank.unwrap_or(largest).clamp(1, sum.max(1));
    let how = match *way {
        0 => Combination::Svd(Some(kept)),
        1 => Combination::Cat,
        _ => Combination::Linear,
    };
    let comes = match how {
        Combination::Svd(_) => tr!("modules of rank {kept} or less", kept),
        Combination::Cat => tr!("modules of rank {sum} or less", sum),
        Combination::Linear => tr!("modules of the rank they have"),
    };
    let held: Vec<_> =
        parts.iter().filter_map(|&(id, _)| state.find(id)).map(|a| (a.name.as_str(), a.rows.as_slice())).collect();
    let why_not = obstacle(&held, how);
    let said = match (&why_not, parts.is_empty()) {
        (_, true) => tr!("Every weight is 0: there is nothing to combine."),
        (Some(why), _) => why.clone(),
        (None, _) => {
            let more = apart(&held).map_or_else(String::new, |more| format!(" {more}"));
            format!("{}: {comes}.{more}", combined(&named))
        }
    };
    let busy = state.work.is_some();
    let combine = {
        let (parts, dtype) = (parts.clone(), dtype(*stored));
        props.tell.reform(move |()| Msg::Combine { parts: parts.clone(), how, dtype: dtype.clone() })
    };
    let lines = state.adapters.iter().map(|adapter| {
        let id = adapter.id;
        let set = {
            let weights = weights.clone();
            Callback::from(move |weight: f64| {
                let mut next: Vec<_> = weights.iter().copied().filter(|(of, _)| *of != id).collect();
                next.push((id, weight));
                weights.set(next);
            })
        };
        html! {
            <tr key={id}>
                <td><Number label="" name={tr!("Weight of {}", adapter.name)} why={tr!("Times this adapter's change; 0 leaves it out, below 0 takes it away.")} value={weight(id)} min={-100.0} max={100.0} on_change={set} /></td>
                <th scope="row">{ &adapter.name }</th>
                <td class="what-it-is">{ kind(&adapter.rows) }</td>
            </tr>
        }
    });
    let set = |state: &UseStateHandle<usize>| {
        let state = state.clone();
        Callback::from(move |at: usize| state.set(at))
    };
    let set_rank = {
        let rank = rank.clone();
        Callback::from(move |value: f64| rank.set(Some(value as usize)))
    };
    html! {
        <section class="panel" aria-labelledby="combine">
            <header><h3 id="combine">{ tr!("Combine into one") }</h3></header>
            <div class="tables" tabindex="0" role="group" aria-label={tr!("Adapters and their weights")}>
                <table class="parts-of">
                    <thead><tr><th scope="col">{ tr!("weight") }</th><th scope="col">{ tr!("adapter") }</th><th scope="col" class="what-it-is">{ tr!("contains") }</th></tr></thead>
                    <tbody>{ for lines }</tbody>
                </table>
            </div>
            <div class="form">
                <Choice label={tr!("combination type")} why={tr!("PEFT's names, as in add_weighted_adapter.")} options={WAYS.map(|(name, _)| AttrValue::from(name)).to_vec()} chosen={*way} on_change={set(&way)} />
                if *way == 0 {
                    <Number label={tr!("rank")} whole=true why={tr!("Directions that each module keeps of the sum.")} value={kept as f64} min={1.0} max={sum.max(1) as f64} on_change={set_rank} />
                }
                <Choice label={tr!("dtype")} why={tr!("How the numbers are stored.")} options={DTYPES.map(|dtype| AttrValue::from(lang::said(dtype))).to_vec()} chosen={*stored} on_change={set(&stored)} />
                { Button::primary(tr!("Combine"), tr!("The result is opened beside the others, to be looked into, compared and saved.")).named(tr!("Combine the adapters")).disabled(busy || parts.is_empty() || why_not.is_some()).calls(combine) }
            </div>
            <p class="note">{ lang::said(WAYS[*way].1) }</p>
            <p role="status" class={why_not.is_some().then_some("warning")}>{ said }</p>
        </section>
    }
}
