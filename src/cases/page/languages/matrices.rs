//! The two matrices, fifty by fifty: what each adapter costs on each language, and how alike their changes are, in an order of the
//! visitor's choice, under one cursor.

use yew::prelude::*;

use super::ramp::ramp;
use crate::cases::languages::arrange::{By, neighbours, order};
use crate::cases::languages::kinds::kind;
use crate::cases::languages::measured::Measured;
use crate::cases::languages::state::Msg;
use crate::cases::languages::words::{anew, cell, short};
use crate::lang::{said, tr};
use crate::view::format::three;
use crate::view::scale::Scale;
use crate::view::snap::Snap;
use crate::view::ui::control::Choice;
use crate::view::ui::heat::{Cell, Heat, Matrix};
use crate::view::ui::panel::figure_menu;

/// Bits against none, as powers of 2: the scale ends at half and at twice.
const BITS: Scale = Scale::Diverging { range: 1.0 };
/// Cosines that the scale ends at: all but a few pairs are under it.
const COSINE: f32 = 0.25;

#[derive(Properties, PartialEq)]
pub struct MatricesProps {
    pub measured: Snap<Measured>,
    /// The adapters are there.
    pub ready: bool,
    pub dark: bool,
    pub tell: Callback<Msg>,
}

#[component]
pub fn Matrices(props: &MatricesProps) -> Html {
    let measured = &props.measured;
    let by = use_state_eq(|| By::Bits);
    let cursor = use_state_eq(|| None::<Cell>);
    // Adapter and language of the cell that was pressed last.
    let pinned = use_state_eq(|| None::<(usize, usize)>);
    let order = use_memo((measured.clone(), *by), |(measured, by)| order(measured, *by));
    let of = |value: &dyn Fn(usize, usize) -> f64| {
        let values = order.iter().flat_map(|&i| order.iter().map(move |&j| (i, j))).map(|(i, j)| value(i, j) as f32);
        Snap::new(Matrix { rows: order.len(), cols: order.len(), values: values.collect() })
    };
    let data = use_memo((measured.clone(), *by), |(measured, _)| {
        let bits = of(&|i, j| libm::log2(measured.bits[i][j] / measured.base[j]));
        (bits, of(&|i, j| measured.cosine[i][j] / f64::from(COSINE)))
    });
    let on_cursor = {
        let cursor = cursor.clone();
        Callback::from(move |cell: Option<Cell>| cursor.set(cell))
    };
    let on_pick = {
        let (pinned, order, cursor) = (pinned.clone(), order.clone(), cursor.clone());
        Callback::from(move |(row, col): Cell| {
            cursor.set(Some((row, col)));
            pinned.set(Some((order[row], order[col])));
        })
    };
    let on_order = {
        let (by, cursor) = (by.clone(), cursor.clone());
        Callback::from(move |at: usize| {
            by.set(By::ALL[at].0);
            cursor.set(None);
        })
    };
    let pointed = cursor.map(|(row, col)| (order[row], order[col])).or(*pinned);
    let said = pointed.map_or_else(
        || tr!("Point at a cell, or go there with the arrow keys; press it to keep it."),
        |(of, on)| cell(measured, of, on),
    );
    let names = order.iter().map(|&at| {
        let here = cursor.is_some_and(|(row, col)| order[row] == at || order[col] == at);
        html! { <li key={at} class={here.then_some("here")}>{ short(measured, at) }</li> }
    });
    let heat = |name: &str, data: &Snap<Matrix>, scale: Scale| {
        let label = tr!("{name}, {} adapters by {} languages", order.len(), order.len(), name);
        html! {
            <Heat class="fifty" data={data.clone()} {scale} dark={props.dark} {label} cursor={*cursor} on_cursor={on_cursor.clone()} on_pick={Some(on_pick.clone())} />
        }
    };
    let found = neighbours(&measured.codes, &order);
    let dark = props.dark;
    html! {
        <section id="matrices" class="panel figure" aria-labelledby="matrices-title">
            <header>
                <h3 id="matrices-title">{ tr!("Who serves whom") }</h3>
                <Choice label={tr!("order")} why={tr!("The same for rows and columns of both. Clustering is average linkage: what two languages lose by having each other's adapter, or one minus the cosine of the two changes.")}
                    options={By::ALL.iter().map(|(_, name)| AttrValue::from(crate::lang::said(name))).collect::<Vec<_>>()}
                    chosen={By::ALL.iter().position(|(one, _)| one == &*by).unwrap_or(0)} on_change={on_order} />
                <span class="spring" />
                { figure_menu(&tr!("Who serves whom")) }
            </header>
            <p class="note">{ tr!(
                "In this order, {scripts} of {pairs} neighbours share a script ({scripts_by_chance} would by chance) and {families} a family ({families_by_chance}).",
                scripts = found.scripts,
                pairs = found.pairs,
                scripts_by_chance = format!("{:.0}", found.scripts_by_chance),
                families = found.families,
                families_by_chance = format!("{:.0}", found.families_by_chance)
            ) }</p>
            <div class="fifties">
                <ol class="names" aria-hidden="true">{ for names }</ol>
                <figure>
                    <figcaption>{ tr!("Bits per byte: adapter by row, on language by column, against none") }</figcaption>
                    { heat(&tr!("Bits per byte against none"), &data.0, BITS) }
                    { ramp([&tr!("half the bits of none"), &tr!("twice and more")], BITS, (-1.0, 1.0), dark) }
                </figure>
                <figure>
                    <figcaption>{ tr!("Cosine between the changes ΔW of two adapters") }</figcaption>
                    { heat(&tr!("Cosine between changes"), &data.1, Scale::Unit) }
                    { ramp(["0", &tr!("{COSINE} and more", COSINE)], Scale::Unit, (0.0, 1.0), dark) }
                </figure>
            </div>
            <p class="readout" aria-live={if cursor.is_some() { "polite" } else { "off" }}>{ said }</p>
            if let Some((of, on)) = *pinned {
                { pair(measured, of, on) }
                if of != on {
                    <p>
                        <button type="button" disabled={!props.ready} onclick={props.tell.reform(move |_: MouseEvent| Msg::Compare(of, on))}
                            data-why={tr!("Hands both to Adapters as PEFT's files, with the base: module by module, by angles and interference. Nothing is downloaded.")}>
                            { tr!("Compare {}'s and {}'s adapter", short(measured, of), short(measured, on)) }
                        </button>
                    </p>
                }
            }
        </section>
    }
}

/// What can be done with the two of a cell.
fn pair(measured: &Measured, of: usize, on: usize) -> Html {
    let who = |at: usize| {
        let kind = kind(&measured.codes[at]);
        let own = measured.bits[at][at];
        html! {
            <li>
                <b>{ kind.name }</b>
                { tr!(" · {}, {} script · {} bits per byte without, {} with its own adapter, English then {} instead of {} · ",
                    said(kind.family), said(kind.script), three(measured.base[at]), three(own), three(measured.english.1[at]), three(measured.english.0)) }
                <a href={anew(measured, at)} data-why={tr!("Opens the lab with this language and the settings the adapter was trained with: watch it, change it, save it.")}>{ tr!("Train {}'s anew", kind.name) }</a>
            </li>
        }
    };
    html! { <ul class="pair">{ who(of) } if of != on { { who(on) } }</ul> }
}
