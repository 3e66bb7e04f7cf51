//! Two open adapters held against each other, module by module.

use yew::prelude::*;

use crate::decimal::tenths;
use crate::lang::tr;
use crate::peft::compare::Comparison;
use crate::studio::adapters::state::{Msg, State};
use crate::studio::adapters::wire::{Order, Pair};
use crate::studio::adapters::words::agreement;
use crate::view::format::{percent, three};
use crate::view::ui::control::{Button, Choice};

#[derive(Properties, PartialEq)]
pub struct CompareProps {
    pub state: State,
    pub dark: bool,
    pub tell: Callback<Msg>,
}

#[component]
pub fn ComparePart(props: &CompareProps) -> Html {
    let state = &props.state;
    let chosen = use_state_eq(|| {
        let place = |id| state.adapters.iter().position(|adapter| adapter.id == id);
        let compared = state.compared.as_ref().and_then(|pair| Some((place(pair.first)?, place(pair.second)?)));
        let first = state.chosen;
        compared.unwrap_or((first, if first == 0 { 1 } else { 0 }))
    });
    let opened = use_state_eq(|| None::<usize>);
    if state.adapters.len() < 2 {
        return html! { <p class="lead-line">{ tr!("Comparing takes two adapters of one base: add another above.") }</p> };
    }
    let names: Vec<AttrValue> = state.adapters.iter().map(|adapter| AttrValue::from(adapter.name.clone())).collect();
    let last = names.len() - 1;
    let (first, second) = (chosen.0.min(last), chosen.1.min(last));
    let set = |which: bool| {
        let (chosen, opened) = (chosen.clone(), opened.clone());
        Callback::from(move |at: usize| {
            opened.set(None);
            chosen.set(if which { (at, chosen.1) } else { (chosen.0, at) });
        })
    };
    let ids = (state.adapters[first].id, state.adapters[second].id);
    let busy = state.work.as_ref().is_some_and(|work| matches!(work.order, Order::Compare { .. }));
    let compare = props.tell.reform(move |()| Msg::Compare(ids.0, ids.1));
    let found = state.compared.as_ref().filter(|compared| (compared.first, compared.second) == ids);
    html! {
        <>
            <div class="row wrap chooser">
                <Choice label={tr!("first")} why={tr!("One adapter.")} options={names.clone()} chosen={first} on_change={set(true)} />
                <Choice label={tr!("second")} why={tr!("The other.")} options={names.clone()} chosen={second} on_change={set(false)} />
                { Button::primary(tr!("Compare"), tr!("Modules of the same name, by their factors.")).disabled(busy).calls(compare) }
            </div>
            if let Some(found) = found.filter(|found| !found.pairs.is_empty()) {
                <p class="lead-line" role="status">{ agreement(&found.pairs) }</p>
                { table(&found.pairs, &names[first], &names[second], *opened, &opened) }
            }
        </>
    }
}

fn table(
    pairs: &[Pair],
    first: &str,
    second: &str,
    open: Option<usize>,
    opened: &UseStateHandle<Option<usize>>,
) -> Html {
    let largest = pairs
        .iter()
        .filter_map(|pair| pair.comparison.as_ref().ok())
        .flat_map(|c| [c.norms.0, c.norms.1])
        .fold(0.0, f64::max);
    // What can be compared comes first.
    let (both, alone): (Vec<_>, Vec<_>) = pairs.iter().enumerate().partition(|(_, pair)| pair.comparison.is_ok());
    let rows = both.into_iter().chain(alone).map(|(at, pair)| {
        let toggle = {
            let opened = opened.clone();
            Callback::from(move |_: MouseEvent| opened.set((open != Some(at)).then_some(at)))
        };
        match &pair.comparison {
            Err(why) => html! { <tr key={at}><th scope="row">{ &pair.name }</th><td colspan="7" class="why-not">{ why }</td></tr> },
            Ok(found) => html! {
                <>
                    <tr key={at}>
                        <th scope="row"><button type="button" class="quiet" aria-expanded={(open == Some(at)).to_string()} onclick={toggle}>{ &pair.name }</button></th>
                        <td>{ norm(found.norms.0, largest) }</td>
                        <td>{ norm(found.norms.1, largest) }</td>
                        <td>{ three(found.cosine) }</td>
                        <td>{ three(found.together) }</td>
                        <td>{ three(Comparison::overlap(&found.read)) }</td>
                        <td>{ three(Comparison::overlap(&found.written)) }</td>
                        <td>{ format!("{} / {}", percent(found.interference.0), percent(found.interference.1)) }</td>
                    </tr>
                    if open == Some(at) {
                        <tr><td colspan="8" class="angles">{ angles(found) }</td></tr>
                    }
                </>
            },
        }
    });
    let head = |name: String, why: String| html! { <th scope="col" tabindex="0" data-why={why}>{ name }</th> };
    html! {
        <div class="tables modules" tabindex="0" role="group" aria-label={tr!("The comparison as a table")}>
            <table>
                <thead><tr>
                    { head(tr!("module"), tr!("The adapted module. Press one for its angles.")) }
                    { head(format!("‖ΔW‖ {first}"), tr!("Size of the first one's change.")) }
                    { head(format!("‖ΔW‖ {second}"), tr!("Size of the second one's change.")) }
                    { head(tr!("cosine"), tr!("Of the angle between the two changes as vectors: 1 the same, 0 unrelated, −1 opposite.")) }
                    { head(tr!("‖sum‖"), tr!("Size of both changes together.")) }
                    { head(tr!("reads alike"), tr!("Root mean square cosine of the principal angles between the input directions: 0 nothing in common, 1 one within the other.")) }
                    { head(tr!("writes alike"), tr!("The same of the output directions.")) }
                    { head(tr!("interference"), tr!("Where one reads and writes, how large the other is, over its own size: what each is disturbed by when both are applied.")) }
                </tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}

fn norm(value: f64, largest: f64) -> Html {
    let width = if largest > 0.0 { value / largest * 64.0 } else { 0.0 };
    html! { <span class="norm"><svg aria-hidden="true" width="64" height="8"><rect width={tenths(width)} height="8" /></svg><span>{ three(value) }</span></span> }
}

fn angles(found: &Comparison) -> Html {
    let list = |name: &str, cosines: &[f64]| {
        let degrees = cosines.iter().map(|c| format!("{:.0}°", libm::acos(c.clamp(-1.0, 1.0)).to_degrees()));
        let bars = cosines.iter().enumerate().map(|(at, c)| {
            html! { <rect x={(at * 12).to_string()} y={tenths(32.0 - 32.0 * c)} width="10" height={tenths((32.0 * c).max(0.5))} /> }
        });
        let degrees: Vec<String> = degrees.collect();
        html! {
            <div>
                <p class="note">{ tr!("{name}: principal angles {}", if degrees.is_empty() { tr!("none") } else { degrees.join(", ") }, name) }</p>
                <svg class="cosines" role="img" aria-label={tr!("{name}: cosines of the principal angles", name)} width={(cosines.len() * 12).max(12).to_string()} height="32">{ for bars }</svg>
            </div>
        }
    };
    html! { <>{ list(&tr!("input directions"), &found.read) }{ list(&tr!("output directions"), &found.written) }</> }
}
