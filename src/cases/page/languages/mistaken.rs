//! How often the page's choice is right on held-out text, and which languages it takes for which.

use yew::prelude::*;

use crate::cases::languages::measured::Measured;
use crate::cases::languages::state::FIRST;
use crate::cases::languages::words::{found, mistaken, share, short};
use crate::decimal::tenths;
use crate::lang::tr;
use crate::view::snap::Snap;

#[derive(Properties, PartialEq)]
pub struct MistakenProps {
    pub measured: Snap<Measured>,
}

const WIDTH: f64 = 120.0;

#[component]
pub fn Mistaken(props: &MistakenProps) -> Html {
    let measured = &props.measured;
    let first = measured.choice.iter().position(|choice| choice.bytes == FIRST).unwrap_or(0);
    let looked = use_state_eq(|| first);
    let rows = measured.choice.iter().enumerate().map(|(at, choice)| {
        let looked = looked.clone();
        let pressed = (*looked == at).to_string();
        let onclick = Callback::from(move |_: MouseEvent| looked.set(at));
        html! {
            <tr key={at}>
                <th scope="row"><button type="button" class="quiet" aria-pressed={pressed} {onclick}>{ tr!("first {} bytes", choice.bytes) }</button></th>
                <td><svg aria-hidden="true" width={WIDTH.to_string()} height="8"><rect width={tenths(WIDTH * share(choice))} height="8" /></svg></td>
                <td>{ found(choice) }</td>
            </tr>
        }
    });
    let name = |taken: Option<usize>| taken.map_or_else(|| tr!("no adapter"), |at| short(measured, at));
    let wrong = measured.choice.get(*looked).map(mistaken).unwrap_or_default();
    let list = wrong.iter().map(|&(language, taken, times)| {
        html! { <li>{ tr!("{} for {}", short(measured, language), name(taken)) } if times > 1 { <b>{ format!(" × {times}") }</b> }</li> }
    });
    html! {
        <section class="panel" aria-labelledby="mistaken-title">
            <header><h3 id="mistaken-title">{ tr!("How often the choice is right") }</h3></header>
            <div class="halves">
                <div class="tables">
                    <table class="choices-table">
                        <caption>{ tr!("Held-out passages whose language has the cheapest adapter") }</caption>
                        <tbody>{ for rows }</tbody>
                    </table>
                </div>
                <div>
                    <p class="note">{ tr!("Taken for another") }</p>
                    <ul class="mistaken">{ for list }</ul>
                    if wrong.is_empty() { <p>{ tr!("None.") }</p> }
                </div>
            </div>
        </section>
    }
}
